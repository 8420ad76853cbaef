//! [`Dialect`]: whose bytes are spoken above the backend.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | [`Dialect`], and what a [`RowFormat`] has to say: how the ID travels, which key a row has, what is in it |
//! | `native.rs` | ours |
//! | `gorilla.rs` | gorilla/sessions' server stores |
//! | `scs.rs` | alexedwards/scs |
//! | `go_metadata.rs` | what we add to rows that Go programs write, too |
//!
//! No call to a backend lives here, and no decision about who was first.

mod go_metadata;
mod gorilla;
mod native;
mod scs;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::backend::{Key, Layout};
use crate::codec::{self, Codec, Serializer, UnixTime};

use super::content::Content;
use super::data_model::DataModel;
use super::id::Id;
use super::protocol::{Row, WriteId};
use super::store::Setup;
use super::{Error, Lifetime, Refusal};

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
/// | [`ScsHashed`](Dialect::ScsHashed) | the ID | as scs's, under the ID's hash | leave nothing |
///
/// Unless [`ServerOptions`](super::ServerOptions) say otherwise, a dialect has the defaults of
/// its Go package, so that a session is as long-lived on one side as on the other:
///
/// | | [lifetime](super::ServerOptions::lifetime) | [persistent cookies](super::CookieOptions::persistent) |
/// |---|---|---|
/// | native | 30 minutes idle ([10](super::ServerOptions::anonymous_idle) without a login), 12 hours in all | for remembered sessions |
/// | gorilla, dynastore | 30 days without use | yes |
/// | scs | 24 hours in all | yes |
///
/// A Go program with other settings needs the same settings here: gorilla's `MaxAge` is
/// [`idle`](super::Lifetime::idle) (without an absolute limit), scs's `IdleTimeout` is `idle`
/// and its `Lifetime` [`absolute`](super::Lifetime::absolute). A deadline that is in a row of
/// scs stays, whatever the lifetime is.
///
/// A value that a Go program has under `_session` of its own stays; what the session knows of
/// itself is then under `_silverback`.
///
/// Native keeps all that [`ServerStore`](super::ServerStore) promises. The others keep what
/// they can while Go programs write the same rows: those put back what was removed, and
/// never compare. With no tombstone, a logout does not find a session that was renewed
/// meanwhile; and whether a removal was done whose answer was lost, nobody can tell. A session
/// gets its new ID in one step where the backend [moves](crate::backend::Moves) rows;
/// elsewhere the new row is made before the old one is removed, and a request that is cut off
/// between leaves one that nobody has the ID of. Owners are not kept.
///
/// A Go program reads none of a session that holds a type it has not registered. So the shared
/// dialects refuse such values when they are inserted, unless
/// [`known_types`](super::ServerOptions::known_types) names the type.
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
    /// The same with scs's `HashTokenInStore`: whoever reads the table can use none of its
    /// sessions.
    ScsHashed,
}

/// gorilla's default `MaxAge` (sessions v1.4.0 `store.go`, pgstore, dynamostore).
const GORILLA_MAX_AGE: Duration = Duration::from_secs(86_400 * 30);

/// scs's default `Lifetime` (v2.9.0 `session.go`).
const SCS_LIFETIME: Duration = Duration::from_secs(86_400);

impl Dialect {
    /// Whether a Go program has the rows, too.
    pub(super) fn is_shared(self) -> bool {
        self != Dialect::Native
    }

    /// Whether cookies or rows are sealed.
    pub(super) fn uses_codec(self) -> bool {
        !matches!(self, Dialect::Scs | Dialect::ScsHashed)
    }

    /// The Go package's own lifetime.
    pub(super) fn default_lifetime(self) -> Lifetime {
        match self {
            Dialect::Native => Lifetime::new(),
            Dialect::Gorilla | Dialect::Dynastore => Lifetime::sliding(GORILLA_MAX_AGE),
            Dialect::Scs | Dialect::ScsHashed => {
                Lifetime::new().without_idle().absolute(SCS_LIFETIME)
            }
        }
    }

    /// The lifetime as the dialect has it: in scs, a remembered session lives no longer than
    /// another.
    pub(super) fn adapt(self, lifetime: Lifetime) -> Lifetime {
        match self {
            Dialect::Scs | Dialect::ScsHashed => lifetime.remembered_as_usual(),
            _ => lifetime,
        }
    }

    /// Refuses a backend whose rows are another's.
    pub(super) fn check_layout(self, layout: Layout) -> Result<(), Error> {
        let fits = match self {
            Dialect::Native => layout == Layout::Native,
            Dialect::Gorilla | Dialect::Dynastore => {
                matches!(layout, Layout::Gorilla { .. } | Layout::Pgstore)
            }
            Dialect::Scs | Dialect::ScsHashed => layout == Layout::Scs,
        };
        match fits {
            true => Ok(()),
            false => Err(Error::usage(format!(
                "the dialect {self:?} is not that of the backend's rows, which are {layout:?}"
            ))),
        }
    }

    /// The data model of sessions that this dialect shares with a Go program, which registers
    /// `known_types` itself.
    pub(super) fn model(
        self,
        serializer: &Serializer,
        known_types: Vec<String>,
    ) -> Result<DataModel, Error> {
        match self {
            Dialect::Native if !known_types.is_empty() => Err(Error::usage(
                "no Go program reads rows of the native dialect: it has no known types",
            )),
            Dialect::Native => Ok(DataModel::of(serializer)),
            Dialect::Gorilla | Dialect::Dynastore => {
                Ok(DataModel::gorilla(serializer, &known_types))
            }
            Dialect::Scs | Dialect::ScsHashed => Ok(DataModel::go(known_types)),
        }
    }

    /// The format of the rows, and the data model of their values.
    pub(super) fn format(
        self,
        codec: Arc<dyn Codec>,
        row_codec: Option<Arc<dyn Codec>>,
        store_name: &str,
        setup: &Setup,
        layout: Layout,
    ) -> Result<(Box<dyn RowFormat>, DataModel), Error> {
        if self != Dialect::Native && (row_codec.is_some() || !store_name.is_empty()) {
            return Err(Error::usage(
                "only the native dialect has a row codec and a store name",
            ));
        }
        let model = setup.model.clone();
        Ok(match self {
            Dialect::Native => {
                let native = native::Native::new(codec, row_codec, store_name, setup)?;
                let model = native.model();
                (Box::new(native), model)
            }
            Dialect::Gorilla | Dialect::Dynastore => {
                let kin = match (self, layout) {
                    (Dialect::Dynastore, _) => gorilla::Kin::Dynastore,
                    (_, Layout::Pgstore) => gorilla::Kin::Pgstore,
                    _ => gorilla::Kin::Gorilla,
                };
                let format = gorilla::Gorilla::new(codec, kin, setup)?;
                (Box::new(format), model)
            }
            Dialect::Scs | Dialect::ScsHashed => {
                let format = scs::Scs::new(setup, self == Dialect::ScsHashed);
                (Box::new(format), model)
            }
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

    /// What such bytes say. A refusal, if they are no row of that key, or expired; an error is
    /// an outage, or a row that is [too long](Error::is_too_large) for the codec.
    fn read(
        &self,
        key: &Key,
        bytes: &[u8],
        now: UnixTime,
    ) -> Result<Result<ReadRow, Refusal>, Error>;
}

/// Why the codec did not open a row. Its length is the programs' doing and not the client's:
/// a session that another program still reads is not refused for it.
fn of_row(error: codec::Error) -> Result<Refusal, Error> {
    match error.is_decode() && error.is_too_long() {
        true => Err(Error::of_row_codec(error)),
        false => Refusal::of_codec(error),
    }
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
