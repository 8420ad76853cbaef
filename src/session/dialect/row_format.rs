//! [`RowFormat`]: the cookie of an ID, the key of its row, and the bytes of the row.

use crate::backend::Key;
use crate::codec::{self, UnixTime};

use super::super::id::Id;
use super::super::protocol::{Row, WriteId};
use super::super::session_data::SessionData;
use super::super::{Error, Refusal, SessionId};

/// The format of cookies and rows.
pub(in super::super) trait RowFormat: Send + Sync + 'static {
    /// Returns a fresh random ID.
    fn new_id(&self) -> Result<Id, Error>;

    /// Returns the cookie's value for an ID.
    fn seal_id(&self, id: &Id, at: UnixTime) -> Result<String, Error>;

    /// Reads an ID from a cookie's value. An error means that a server or the system failed.
    fn open_id(&self, cookie: &str, now: UnixTime) -> Result<Result<OpenedId, Refusal>, Error>;

    /// Reads an ID from a cookie in the old format of a Go package, which proves nothing: see
    /// [`Rules::legacy_cookie_name`](super::Rules::legacy_cookie_name).
    fn open_legacy_cookie(&self, _cookie: &str, _now: UnixTime) -> Result<OpenedId, Refusal> {
        Err(Refusal::NotValid)
    }

    /// Returns whether the bytes can be an ID of this dialect.
    fn is_id(&self, id: &Id) -> bool;

    /// Returns the key of the row of that ID: the ID itself, unless the dialect has another key.
    fn key(&self, id: &Id) -> Result<Key, Error> {
        Key::new(id.as_bytes()).map_err(Error::of_backend)
    }

    /// Returns the public ID of the session under that key. It opens no session. A key that is the ID
    /// is hashed.
    fn public_id(&self, key: &Key) -> SessionId {
        Id::new(key.as_bytes()).row_name().into()
    }

    /// Returns whether a session that ends leaves a tombstone. If not, its row is removed.
    fn has_tombstones(&self) -> bool {
        false
    }

    /// Returns whether a Go program's writes remove the expiry of a row.
    fn loses_expiries(&self) -> bool {
        false
    }

    /// Returns the bytes of a row, or `None` for a tombstone in a dialect without tombstones.
    fn write(
        &self,
        key: &Key,
        row: &Row<SessionData>,
        write: WriteId,
        now: UnixTime,
    ) -> Result<Option<Vec<u8>>, Error>;

    /// Reads the bytes of a row. Returns a refusal if they are not a row of that key, or if they
    /// have expired. An error means that the system failed, or that the row is [too
    /// long](Error::is_too_large) for the codec.
    fn read(
        &self,
        key: &Key,
        bytes: &[u8],
        now: UnixTime,
    ) -> Result<Result<(Row<SessionData>, WriteId), Refusal>, Error>;
}

/// Converts a codec's error for a row. A row that is too long is an error, not a refusal: a program
/// wrote it, not the client, and another program may still read that session.
pub(super) fn of_row(error: codec::Error) -> Result<Refusal, Error> {
    match error.is_decode() && error.is_too_long() {
        true => Err(Error::of_row_codec(error)),
        false => Refusal::of_codec(error),
    }
}

/// An ID that a client sent.
pub(in super::super) struct OpenedId {
    pub(in super::super) id: Id,
    /// The date of the cookie.
    pub(in super::super) sealed_at: UnixTime,
    /// True if an older key sealed the cookie.
    pub(in super::super) is_stale: bool,
}
