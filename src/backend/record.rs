//! [`Record`]: the data that a backend keeps under a key, and its [`Revision`] once it is saved.

use std::fmt;

use super::{Expiry, Owner};

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

    /// Splits a revision of a number of `N` bytes and of the value that was seen.
    #[cfg(any(feature = "redis", feature = "memcached"))]
    pub(super) fn split_first<const N: usize>(&self) -> Result<(&[u8; N], &[u8]), super::Error> {
        let parts = self.0.split_first_chunk();
        parts.ok_or_else(super::Error::foreign_revision)
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
