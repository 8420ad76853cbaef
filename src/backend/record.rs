//! The data that a backend keeps: [`Record`]s under [`Key`]s, each with an [`Expiry`] and, once it
//! is saved, a [`Revision`].

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Error, Owner};

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
            length => Err(Error::usage(format!(
                "the key has {length} bytes; 1 to 250 are required"
            ))),
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
    pub fn until(self, expiry: Expiry) -> Self {
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
        write!(f, "Record({} bytes until {})", value.len(), expiry.0)
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
pub struct Stored {
    /// The record.
    pub record: Record,
    /// The revision of this state.
    pub revision: Revision,
}
