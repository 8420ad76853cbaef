//! What a backend keeps: [`Record`]s under [`Key`]s, each with an [`Expiry`] and, once it is
//! kept, a [`Revision`].

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Error, Owner};

/// Where a record is: 1 to 250 bytes, any bytes.
///
/// A key may be a secret (an ID that whoever knows it is logged in by), so it is never
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
    /// A key of these bytes.
    ///
    /// # Errors
    /// Usage, for none or more than 250, which is what every server takes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let bytes = bytes.into();
        match bytes.len() {
            1..=250 => Ok(Key(bytes.into())),
            _ => Err(Error::usage("a key has 1 to 250 bytes")),
        }
    }

    /// The bytes.
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

/// When a record is missing: in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expiry(i64);

impl Expiry {
    /// Never, as far as servers count.
    pub const NEVER: Expiry = Expiry(i64::MAX);

    /// `milliseconds` after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_millis(milliseconds: i64) -> Self {
        Expiry(milliseconds)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// So long after now, by the clock of this machine.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Expiry(Expiry::now().0.saturating_add(millis))
    }

    /// This moment, by the clock of this machine: what expires now is missing.
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
    /// A record of nobody.
    pub fn new(value: impl Into<Vec<u8>>, expiry: Expiry) -> Self {
        Record {
            value: value.into(),
            expiry,
            owner: None,
        }
    }

    /// The same, of that owner.
    #[must_use]
    pub fn owned_by(self, owner: Owner) -> Self {
        Record {
            owner: Some(owner),
            ..self
        }
    }

    /// The same, expiring at another time.
    #[must_use]
    pub fn until(self, expiry: Expiry) -> Self {
        Record { expiry, ..self }
    }

    /// The bytes.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// From when on it is missing.
    #[must_use]
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// Whose it is.
    #[must_use]
    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }
}

/// The size and the expiry; nothing of what is in it, or of whose it is.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { value, expiry, .. } = self;
        write!(f, "Record({} bytes until {})", value.len(), expiry.0)
    }
}

/// Which state of a record somebody saw: whatever a backend compares to tell whether it has
/// changed. No two states that a key has ever been in have the same.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Revision(Vec<u8>);

impl Revision {
    /// For a backend: a revision it will know again.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Revision(bytes.into())
    }

    /// The bytes.
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
    /// Which state of it this is.
    pub revision: Revision,
}
