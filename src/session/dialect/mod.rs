//! [`Dialect`]: whose bytes are spoken above the backend.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | what a dialect has to say: how the ID travels, which key a row has, what is in it |
//! | `native.rs` | ours |
//!
//! No call to a backend lives here, and no decision about who was first.

mod native;

use crate::backend::Key;
use crate::codec::UnixTime;

use super::content::Content;
use super::id::Id;
use super::protocol::{Row, WriteId};
use super::{Error, Refusal};

pub(super) use native::{Native, row_name};

/// How sessions are written.
pub(super) trait Dialect: Send + Sync + 'static {
    /// A fresh ID.
    fn new_id(&self) -> Result<Id, Error>;

    /// What the cookie holds.
    fn seal_id(&self, id: &Id, at: UnixTime) -> Result<String, Error>;

    /// What a cookie held. An error is an outage.
    fn open_id(&self, cookie: &str, now: UnixTime) -> Result<Result<OpenedId, Refusal>, Error>;

    /// Where the session of that ID is kept.
    fn key(&self, id: &Id) -> Result<Key, Error>;

    /// The bytes of a row; none for a tombstone in a dialect that has none, which removes its
    /// rows instead.
    fn write(
        &self,
        key: &Key,
        row: &Row<Content>,
        write: WriteId,
    ) -> Result<Option<Vec<u8>>, Error>;

    /// What such bytes say; none, if they are no row of that key.
    fn read(&self, key: &Key, bytes: &[u8]) -> Option<ReadRow>;
}

/// An ID that a client sent.
pub(super) struct OpenedId {
    pub(super) id: Id,
    /// The date of the cookie.
    pub(super) sealed_at: UnixTime,
    /// Whether an older key sealed it.
    pub(super) is_stale: bool,
}

/// A row that was read.
pub(super) struct ReadRow {
    pub(super) row: Row<Content>,
    pub(super) write: WriteId,
}
