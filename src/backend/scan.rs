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

/// All records of a backend, page by page, for operators; and the end of the expired ones.
#[async_trait]
pub trait Scan: Send + Sync {
    /// At most `limit` living records after the key `after`, in an order that the backend has
    /// and keeps: that of keys, where it can. Fewer than `limit` are the last.
    ///
    /// # Errors
    /// As [`Backend::load`](super::Backend::load).
    async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error>;

    /// Removes at most `limit` records that are expired, those that their owner ended included,
    /// and says how many it removed. Fewer than `limit` are all there were.
    ///
    /// # Errors
    /// As [`Backend::create`](super::Backend::create).
    async fn purge(&self, limit: usize) -> Result<usize, Error>;
}
