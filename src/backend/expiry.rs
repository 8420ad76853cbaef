//! [`Expiry`]: the time from which a record is missing.

use std::fmt;
use std::ops::Add;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::calendar;

/// The time from which a record is missing, in milliseconds since 1970-01-01T00:00:00Z, or
/// [`NEVER`](Expiry::NEVER).
///
/// It is printed as RFC 3339 in UTC, or as `never`.
///
/// The crate has another time type, [`codec::UnixTime`](../codec/struct.UnixTime.html): a moment in
/// whole seconds, as cookies carry it. With the feature `session` it converts into an
/// expiry, as [`SystemTime`] does.
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::Expiry;
///
/// let expiry = Expiry::from_millis(1_700_000_000_250) + Duration::from_secs(60);
/// assert_eq!(expiry.to_string(), "2023-11-14T22:14:20.250Z");
/// assert_eq!(Expiry::NEVER.to_string(), "never");
/// ```
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
        Expiry::now() + time
    }

    /// Returns the current time, by this machine's clock. A record that expires now is missing.
    #[must_use]
    pub fn now() -> Self {
        Expiry::from(SystemTime::now()).max(Expiry(0))
    }

    /// Returns the duration from `earlier` to this time; zero if `earlier` is later.
    /// [`NEVER`](Expiry::NEVER) counts as the latest time there is.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Expiry) -> Duration {
        match self.0 > earlier.0 {
            true => Duration::from_millis(self.0.abs_diff(earlier.0)),
            false => Duration::ZERO,
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Drops the part of a millisecond. A time too late for milliseconds becomes
/// [`NEVER`](Expiry::NEVER).
impl From<SystemTime> for Expiry {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(elapsed) => Expiry(millis(elapsed)),
            Err(before) => Expiry(-millis(before.duration())),
        }
    }
}

/// Counts whole milliseconds only. A sum too late for milliseconds is [`NEVER`](Expiry::NEVER).
impl Add<Duration> for Expiry {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Expiry(self.0.saturating_add(millis(duration)))
    }
}

/// Writes the time as RFC 3339 in UTC, or `never`. A year beyond 9999, for which RFC 3339 has no
/// form, has more digits.
impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Expiry::NEVER {
            return f.write_str("never");
        }
        let (seconds, millis) = (self.0.div_euclid(1_000), self.0.rem_euclid(1_000));
        calendar::write(f, i128::from(seconds) + i128::from(calendar::UNIX_EPOCH))?;
        match millis {
            0 => f.write_str("Z"),
            millis => write!(f, ".{millis:03}Z"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Expiry {
        Expiry::from_millis(millis)
    }

    #[test]
    fn arithmetic_ends_where_the_times_end() {
        assert_eq!(at(-1) + Duration::from_micros(2_999), at(1));
        for never in [
            at(1) + Duration::MAX,
            Expiry::NEVER + Duration::from_secs(1),
        ] {
            assert_eq!(never, Expiry::NEVER);
        }
        let since = |one: Expiry, other| one.saturating_duration_since(other);
        assert_eq!(since(at(9), at(-7)), Duration::from_millis(16));
        assert_eq!(since(at(7), at(9)), Duration::ZERO);
        assert_eq!(
            since(Expiry::NEVER, at(i64::MIN)),
            Duration::from_millis(u64::MAX)
        );
    }

    #[test]
    fn an_expiry_is_printed_as_rfc_3339_or_as_never() {
        for (expiry, text) in [
            (at(0), "1970-01-01T00:00:00Z"),
            (at(-1), "1969-12-31T23:59:59.999Z"),
            (at(1_700_000_000_025), "2023-11-14T22:13:20.025Z"),
            (at(253_402_300_800_000), "10000-01-01T00:00:00Z"),
            (Expiry::NEVER, "never"),
        ] {
            assert_eq!(expiry.to_string(), text);
        }
    }

    #[test]
    fn a_system_time_becomes_an_expiry() {
        let time = Duration::from_micros(1_500);
        assert_eq!(Expiry::from(UNIX_EPOCH + time), at(1));
        assert_eq!(Expiry::from(UNIX_EPOCH - time), at(-1));
        if let Some(late) = UNIX_EPOCH.checked_add(Duration::from_secs(u64::MAX / 2)) {
            assert_eq!(Expiry::from(late), Expiry::NEVER);
        }
    }
}
