//! [`Scan`]: listing all records, and purging expired ones.

use std::fmt;

use async_trait::async_trait;

use super::{Error, Expiry, Key, OwnerName};

/// One record in a scan.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The key of the record.
    pub key: Key,
    /// The time from which the record is missing.
    pub expiry: Expiry,
    /// The owner's name, if the record has an owner.
    pub owner: Option<OwnerName>,
    /// The number of bytes in the record.
    pub size: usize,
}

impl Entry {
    /// Creates the entry of a record of `size` bytes without an owner. For backends of your own.
    #[must_use]
    pub fn new(key: Key, expiry: Expiry, size: usize) -> Self {
        Entry {
            key,
            expiry,
            owner: None,
            size,
        }
    }

    /// Returns the entry with that owner.
    #[must_use]
    pub fn owned_by(self, owner: OwnerName) -> Self {
        Entry {
            owner: Some(owner),
            ..self
        }
    }
}

/// Shows the expiry and the size, but neither the key nor the owner.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { expiry, size, .. } = self;
        write!(f, "Entry({size} bytes until {expiry})")
    }
}

/// One page of the live records of a backend.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Page {
    /// The records.
    pub entries: Vec<Entry>,
    /// The key after which the next page begins. `None` on the last page.
    pub next: Option<Key>,
    /// One error for each record that could not be read and was skipped. It names the record's
    /// place.
    pub skipped: Vec<Error>,
}

impl Page {
    /// Returns the first records, at most `limit`, in the order of keys. For backends that have all
    /// of them in memory.
    #[must_use]
    pub fn first_of(mut entries: Vec<Entry>, limit: usize) -> Self {
        entries.sort_by(|one, other| one.key.cmp(&other.key));
        let is_last = entries.len() <= limit;
        entries.truncate(limit);
        Page::followed(entries, !is_last)
    }

    /// Returns a page with these records, which are in the order of the pages. `are_more` means
    /// that more records follow.
    #[must_use]
    pub fn followed(entries: Vec<Entry>, are_more: bool) -> Self {
        let last = entries.last().filter(|_| are_more);
        Page {
            next: last.map(|entry| entry.key.clone()),
            entries,
            skipped: Vec::new(),
        }
    }
}

/// The result of a purge.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Purged {
    /// The number of records that were removed.
    pub removed: usize,
    /// One error for each record that could not be read or removed and was skipped. It names the
    /// record's place.
    pub skipped: Vec<Error>,
}

impl Purged {
    /// Returns the result of a purge that removed this many records and skipped no record.
    #[must_use]
    pub fn removed(removed: usize) -> Self {
        Purged {
            removed,
            skipped: Vec::new(),
        }
    }
}

/// Lists all records of a backend, page by page, and removes the expired ones. For operators.
///
/// A record that cannot be read is skipped, and an error names its place. Pages and purges continue
/// with the other records.
#[async_trait]
pub trait Scan: Send + Sync {
    /// Returns at most `limit` live records after the key `after`. The backend keeps to one order:
    /// that of keys, if it can.
    ///
    /// # Errors
    /// Returns the errors of [`Backend::load`](super::Backend::load).
    async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error>;

    /// Removes at most `limit` records that have expired, those that a revocation ended included.
    /// If it removes fewer, no expired record is left.
    ///
    /// # Errors
    /// Returns the errors of [`Backend::create`](super::Backend::create).
    #[doc(alias = "DeleteExpired")]
    #[doc(alias = "ExpiredDeletion")]
    async fn purge(&self, limit: usize) -> Result<Purged, Error>;
}
