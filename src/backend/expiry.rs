//! [`Expiry`]: the time from which a record is missing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time from which a record is missing, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expiry(i64);

impl Expiry {
    /// The expiry of a record that never expires.
    pub const NEVER: Expiry = Expiry(i64::MAX);

    /// Returns the time that is `milliseconds` after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_millis(milliseconds: i64) -> Self {
        Expiry(milliseconds)
    }

    /// Returns the milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns the time that is `time` after now, by this machine's clock.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Expiry(Expiry::now().0.saturating_add(millis))
    }

    /// Returns the current time, by this machine's clock. A record that expires now is missing.
    #[must_use]
    pub fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = since_epoch.map_or(0, |elapsed| elapsed.as_millis());
        Expiry(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}
