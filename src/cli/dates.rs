//! Dates as text.

use std::time::{Duration, UNIX_EPOCH};

use silverback::codec::UnixTime;

/// Formats a date as RFC 3339, which ends with the year 9999.
pub(super) fn readable(date: UnixTime) -> String {
    let last = Duration::from_secs(253_402_300_799);
    let since_epoch = Duration::from_secs(date.as_secs());
    if since_epoch > last {
        return "after the year 9999".to_owned();
    }
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since_epoch).to_string()
}
