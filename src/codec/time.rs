//! [`UnixTime`]: the clock of the frame, whole seconds since 1970.
//!
//! The codec never looks at a clock by itself: `now` is an argument of every
//! `_at` form. Calendars and time zones never live here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment in whole seconds since 1970-01-01T00:00:00Z, as the frame dates it.
///
/// ```
/// use silverback::codec::UnixTime;
///
/// let sealed_at = UnixTime::from_secs(1_700_000_000);
/// assert_eq!(sealed_at.as_secs(), 1_700_000_000);
/// assert!(UnixTime::now() > sealed_at);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The latest date a cookie can carry: Go reads it as an `int64`.
    pub(super) const LAST_DATE: UnixTime = UnixTime(i64::MAX.unsigned_abs());

    /// The system's clock, now.
    ///
    /// A clock set before 1970 reads as 0; every cookie sealed under a right
    /// clock is then in the future, and refused.
    #[must_use]
    pub fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        UnixTime(since_epoch.map_or(0, |elapsed| elapsed.as_secs()))
    }

    /// The moment `seconds` after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        UnixTime(seconds)
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it is not in the past.
    #[must_use]
    pub const fn since(self, earlier: UnixTime) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}
