//! [`Dialect`]: whose bytes are spoken above the backend.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | [`Dialect`], and what a [`RowFormat`] has to say: how the ID travels, which key a row has, what is in it |
//! | `native.rs` | ours |
//! | `gorilla.rs` | gorilla/sessions' server stores |
//! | `scs.rs` | alexedwards/scs |
//! | `carried.rs` | what we add to rows that Go programs write, too |
//!
//! No call to a backend lives here, and no decision about who was first.

mod carried;
mod gorilla;
mod native;
mod scs;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::backend::{Key, Layout};
use crate::codec::{Codec, UnixTime};

use super::content::Content;
use super::id::Id;
use super::protocol::{Row, WriteId};
use super::store::Setup;
use super::values::Terms;
use super::{Error, Refusal};

pub(super) use native::row_name;

/// Whose sessions a [`ServerStore`](super::ServerStore) shares: how the ID travels in the
/// cookie, and what a row holds.
///
/// | | cookie | row | ended or moved sessions |
/// |---|---|---|---|
/// | [`Native`](Dialect::Native) | the ID, sealed | sealed to its place, under its ID's hash | leave a tombstone |
/// | [`Gorilla`](Dialect::Gorilla) | the ID, sealed | the values, sealed as a cookie of that name would be, under the ID | leave nothing |
/// | [`Dynastore`](Dialect::Dynastore) | the ID | as gorilla's | leave nothing |
/// | [`Scs`](Dialect::Scs) | the ID | the values in the clear, under the ID | leave nothing |
///
/// Native keeps all that [`ServerStore`](super::ServerStore) promises. The others keep what
/// they can while Go programs write the same rows: those put back what was removed, and
/// never compare. With no tombstone, a logout does not find a session that was renewed
/// meanwhile; and whether a removal was done whose answer was lost, nobody can tell. A session
/// gets its new ID in one step where the backend [moves](crate::backend::Moves) rows;
/// elsewhere the new row is made before the old one is removed, and a request that is cut off
/// between leaves one that nobody has the ID of. Owners are not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// Ours.
    #[default]
    Native,
    /// That of gorilla/sessions' `FilesystemStore` and its kin. The codec seals rows, too: its
    /// `max_length` bounds them.
    Gorilla,
    /// That of savaki/dynastore with codecs: gorilla's rows, and a cookie that nobody signed.
    Dynastore,
    /// That of alexedwards/scs, with its `GobCodec`. The codec is not used: scs signs
    /// nothing.
    Scs,
}

impl Dialect {
    /// Refuses a backend whose rows are another's.
    pub(super) fn check_layout(self, layout: Layout) -> Result<(), Error> {
        let fits = match self {
            Dialect::Native => layout == Layout::Native,
            Dialect::Gorilla | Dialect::Dynastore => {
                matches!(layout, Layout::Gorilla { .. } | Layout::Pgstore)
            }
            Dialect::Scs => layout == Layout::Scs,
        };
        match fits {
            true => Ok(()),
            false => Err(Error::usage(format!(
                "the dialect {self:?} is not that of the backend's rows, which are {layout:?}"
            ))),
        }
    }

    /// The format of the rows, and the terms that it tells values in.
    pub(super) fn format(
        self,
        codec: Arc<dyn Codec>,
        row_codec: Option<Arc<dyn Codec>>,
        store_name: &str,
        setup: &Setup,
        layout: Layout,
    ) -> Result<(Box<dyn RowFormat>, Terms), Error> {
        if self != Dialect::Native && (row_codec.is_some() || !store_name.is_empty()) {
            return Err(Error::usage(
                "only the native dialect has a row codec and a store name",
            ));
        }
        let terms = Terms::of(&codec.serializer());
        Ok(match self {
            Dialect::Native => {
                let native = native::Native::new(codec, row_codec, store_name, setup)?;
                let terms = native.terms();
                (Box::new(native), terms)
            }
            Dialect::Gorilla | Dialect::Dynastore => {
                let kin = match (self, layout) {
                    (Dialect::Dynastore, _) => gorilla::Kin::Dynastore,
                    (_, Layout::Pgstore) => gorilla::Kin::Pgstore,
                    _ => gorilla::Kin::Gorilla,
                };
                let format = gorilla::Gorilla::new(codec, kin, setup)?;
                (Box::new(format), terms)
            }
            Dialect::Scs => (Box::new(scs::Scs::new(setup)), Terms::Gob),
        })
    }
}

/// How sessions are written.
pub(super) trait RowFormat: Send + Sync + 'static {
    /// A fresh ID.
    fn new_id(&self) -> Result<Id, Error>;

    /// What the cookie holds.
    fn seal_id(&self, id: &Id, at: UnixTime) -> Result<String, Error>;

    /// What a cookie held. An error is an outage.
    fn open_id(&self, cookie: &str, now: UnixTime) -> Result<Result<OpenedId, Refusal>, Error>;

    /// Where the session of that ID is kept.
    fn key(&self, id: &Id) -> Result<Key, Error>;

    /// What a session of that key is called: nothing that opens it.
    fn name_of(&self, key: &Key) -> String;

    /// Whether what ends leaves a tombstone; else its row is removed.
    fn has_tombstones(&self) -> bool {
        false
    }

    /// The bytes of a row; none for a tombstone in a dialect that has none.
    fn write(
        &self,
        key: &Key,
        row: &Row<Content>,
        write: WriteId,
        now: UnixTime,
    ) -> Result<Option<Vec<u8>>, Error>;

    /// What such bytes say; none, if they are no row of that key.
    fn read(&self, key: &Key, bytes: &[u8], now: UnixTime) -> Option<ReadRow>;
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
#[derive(Clone)]
pub(super) struct ReadRow {
    pub(super) row: Row<Content>,
    pub(super) write: WriteId,
}
