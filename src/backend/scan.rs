//! [`Scan`]: looking at all records, and purging the expired.

use std::fmt;

use async_trait::async_trait;

use super::{Error, Expiry, Key};

/// What a scan says of a record.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub key: Key,
    /// From when on it is missing.
    pub expiry: Expiry,
    /// Whose it is.
    pub owner: Option<String>,
    /// How many bytes it holds.
    pub size: usize,
}

/// The expiry and the size; neither where it is nor whose.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { expiry, size, .. } = self;
        write!(f, "Entry({size} bytes until {})", expiry.as_millis())
    }
}

/// Living records of a backend: a part of all.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The records.
    pub entries: Vec<Entry>,
    /// Where the next page begins: after this key. `None` on the last page.
    pub next: Option<Key>,
    /// Why a record was left out that could not be read: one error for each, which says where
    /// the record is.
    pub skipped: Vec<Error>,
}

impl Page {
    /// The first of the records, at most `limit`, in the order of keys: for backends that have
    /// all of them at hand.
    #[must_use]
    pub fn first_of(mut entries: Vec<Entry>, limit: usize) -> Self {
        entries.sort_by(|one, other| one.key.cmp(&other.key));
        let is_last = entries.len() <= limit;
        entries.truncate(limit);
        Page::followed(entries, !is_last)
    }

    /// The records, in the order of the pages, and whether there are more after them.
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

/// What a purge did.
#[derive(Clone, Debug, Default)]
pub struct Purged {
    /// How many records were removed.
    pub removed: usize,
    /// Why a record was left alone that could not be read or removed: one error for each, which
    /// says where the record is.
    pub skipped: Vec<Error>,
}

impl Purged {
    /// So many records removed, and none skipped.
    #[must_use]
    pub fn removed(removed: usize) -> Self {
        Purged {
            removed,
            skipped: Vec::new(),
        }
    }
}

/// Reads all records of a backend, page by page, and removes the expired ones. For operators.
///
/// A record that cannot be read hides no other and stops no purge: it is skipped, and named.
#[async_trait]
pub trait Scan: Send + Sync {
    /// Returns at most `limit` living records after the key `after`, in an order that the
    /// backend has and keeps: that of keys, where it can.
    ///
    /// # Errors
    /// As [`Backend::load`](super::Backend::load).
    async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error>;

    /// Removes at most `limit` records that are expired, those that their owner ended included.
    /// If it removes fewer, no more were there.
    ///
    /// # Errors
    /// As [`Backend::create`](super::Backend::create).
    async fn purge(&self, limit: usize) -> Result<Purged, Error>;
}
