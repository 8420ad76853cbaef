//! The data that a backend keeps: [`Record`]s under [`Key`]s, each with an [`Expiry`] and, once it
//! is saved, a [`Revision`].

use std::fmt;
use std::ops::Add;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Error, Owner};
use crate::calendar;

/// The key of a record: 1 to 250 bytes, any bytes.
///
/// A key may be a secret, such as an ID that logs in anyone who knows it. Therefore it is never
/// printed.
///
/// ```
/// use silverback::backend::Key;
///
/// assert!(Key::new("0196f5b4").is_ok());
/// assert!(Key::new("").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Box<[u8]>);

impl Key {
    /// Returns the key with these bytes.
    ///
    /// # Errors
    /// Returns a usage error for no bytes, and for more than 250, which is the length that every
    /// server takes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let bytes = bytes.into();
        match bytes.len() {
            1..=250 => Ok(Key(bytes.into())),
            _ => Err(Error::usage("a key has 1 to 250 bytes")),
        }
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}

/// The time from which a record is missing, in milliseconds since 1970-01-01T00:00:00Z, or
/// [`NEVER`](Expiry::NEVER).
///
/// It is printed as RFC 3339 in UTC, or as `never`.
///
/// The crate has another time type, [`codec::UnixTime`](../codec/struct.UnixTime.html): a moment in
/// whole seconds, as cookies carry it. It converts into an expiry, as [`SystemTime`] does.
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

/// Bytes with an expiry, and perhaps an owner.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    value: Vec<u8>,
    expiry: Expiry,
    owner: Option<Owner>,
}

impl Record {
    /// Creates a record without an owner.
    pub fn new(value: impl Into<Vec<u8>>, expiry: Expiry) -> Self {
        Record {
            value: value.into(),
            expiry,
            owner: None,
        }
    }

    /// Returns the record with that owner.
    #[must_use]
    pub fn owned_by(self, owner: Owner) -> Self {
        Record {
            owner: Some(owner),
            ..self
        }
    }

    /// Returns the record with another expiry.
    #[must_use]
    pub fn with_expiry(self, expiry: Expiry) -> Self {
        Record { expiry, ..self }
    }

    /// Returns the bytes.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Returns the time from which the record is missing.
    #[must_use]
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// Returns the owner, if the record has one.
    #[must_use]
    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }
}

/// Shows the size and the expiry, but neither the bytes nor the owner.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { value, expiry, .. } = self;
        write!(f, "Record({} bytes until {expiry})", value.len())
    }
}

/// A state of a record that the caller has seen. A backend compares it to find out whether the
/// record has changed. No two states that a key has ever been in have the same revision.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Revision(Vec<u8>);

impl Revision {
    /// Creates a revision that the backend will recognize. For backends of your own.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Revision(bytes.into())
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revision(..)")
    }
}

/// A record as it was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// The revision of this state.
    pub revision: Revision,
}

impl Stored {
    /// Creates the answer to a load. For backends of your own.
    #[must_use]
    pub fn new(record: Record, revision: Revision) -> Self {
        Stored { record, revision }
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
