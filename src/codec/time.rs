//! [`UnixTime`]: the time type of the frame, in whole seconds since 1970.
//!
//! Only [`UnixTime::now`] reads the clock: every `_at` form takes `now` as an argument.
//! There are no calendars and no time zones here.

use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time in whole seconds since 1970-01-01T00:00:00Z, as the frame writes it.
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

    /// Returns the time of the system's clock.
    ///
    /// If the clock is set before 1970, the result is 0. Cookies that were sealed under a
    /// correct clock are then dated in the future, and refused.
    #[must_use]
    pub fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        UnixTime(since_epoch.map_or(0, |elapsed| elapsed.as_secs()))
    }

    /// Creates the time `seconds` after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        UnixTime(seconds)
    }

    /// Returns the whole seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Returns the duration from `earlier` to this time; zero if `earlier` is later.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: UnixTime) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

/// Counts whole seconds only, and ends at the latest time there is.
impl Add<Duration> for UnixTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        UnixTime(self.0.saturating_add(duration.as_secs()))
    }
}

/// Counts whole seconds only, and ends at 1970-01-01T00:00:00Z.
impl Sub<Duration> for UnixTime {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        UnixTime(self.0.saturating_sub(duration.as_secs()))
    }
}
