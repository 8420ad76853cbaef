//! [`UnixTime`]: the time type of the frame, in whole seconds since 1970.
//!
//! Only [`UnixTime::now`] reads the clock: every `_at` form takes `now` as an argument.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::calendar;

/// A time in whole seconds since 1970-01-01T00:00:00Z, as the frame writes it.
///
/// It is printed as RFC 3339 in UTC. It converts from and into [`SystemTime`].
///
/// The crate has another time type, [`backend::Expiry`](../backend/struct.Expiry.html): the end of
/// a record, in milliseconds, or never. A `UnixTime` converts into it.
///
/// ```
/// use std::time::Duration;
/// use silverback::codec::UnixTime;
///
/// let sealed_at = UnixTime::from_secs(1_700_000_000);
/// assert_eq!(sealed_at.as_secs(), 1_700_000_000);
/// assert_eq!(sealed_at.to_string(), "2023-11-14T22:13:20Z");
/// assert!(UnixTime::now() > sealed_at + Duration::from_secs(3_600));
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
        SystemTime::now().into()
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

/// Drops the part of a second. A time before 1970 becomes 1970-01-01T00:00:00Z.
impl From<SystemTime> for UnixTime {
    fn from(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH);
        UnixTime(since_epoch.map_or(0, |elapsed| elapsed.as_secs()))
    }
}

/// A time after the year 9999, which some systems cannot hold, becomes the end of that year.
impl From<UnixTime> for SystemTime {
    fn from(time: UnixTime) -> Self {
        UNIX_EPOCH + Duration::from_secs(time.0.min(END_OF_9999))
    }
}

/// 9999-12-31T23:59:59Z.
const END_OF_9999: u64 = 253_402_300_799;

/// Writes the time as RFC 3339 in UTC: `2023-11-14T22:13:20Z`. A year beyond 9999, for which RFC
/// 3339 has no form, has more digits.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        calendar::write(f, i128::from(self.0) + i128::from(calendar::UNIX_EPOCH))?;
        f.write_str("Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> UnixTime {
        UnixTime::from_secs(seconds)
    }

    #[test]
    fn arithmetic_saturates() {
        let second = Duration::from_secs(1);
        assert_eq!(at(7) + second, at(8));
        assert_eq!(at(7) - Duration::from_millis(1_999), at(6));
        assert_eq!(at(0) - second, at(0));
        assert_eq!(at(u64::MAX) + Duration::MAX, at(u64::MAX));
        assert_eq!(at(9).saturating_duration_since(at(7)), 2 * second);
        assert_eq!(at(7).saturating_duration_since(at(9)), Duration::ZERO);
    }

    #[test]
    fn a_time_is_printed_as_rfc_3339() {
        for (time, text) in [
            (at(0), "1970-01-01T00:00:00Z"),
            (at(951_782_400), "2000-02-29T00:00:00Z"),
            (at(END_OF_9999), "9999-12-31T23:59:59Z"),
            (at(END_OF_9999 + 1), "10000-01-01T00:00:00Z"),
            (at(u64::MAX), "584554051223-11-09T07:00:15Z"),
        ] {
            assert_eq!(time.to_string(), text);
        }
    }

    #[test]
    fn a_system_time_is_converted_and_back() {
        let half = Duration::from_millis(500);
        assert_eq!(UnixTime::from(UNIX_EPOCH + 3 * half), at(1));
        assert_eq!(UnixTime::from(UNIX_EPOCH - half), at(0));
        for seconds in [0, 1_700_000_000, END_OF_9999] {
            assert_eq!(UnixTime::from(SystemTime::from(at(seconds))), at(seconds));
        }
        let last = SystemTime::from(at(u64::MAX));
        assert_eq!(UnixTime::from(last), at(END_OF_9999));
    }
}
