//! Dates as text.

use silverback::codec::UnixTime;

/// 9999-12-31T23:59:59Z.
const LAST: UnixTime = UnixTime::from_secs(253_402_300_799);

/// Formats a date as RFC 3339, which ends with the year 9999.
pub(super) fn format_date(date: UnixTime) -> String {
    match date <= LAST {
        true => date.to_string(),
        false => "after the year 9999".to_owned(),
    }
}
