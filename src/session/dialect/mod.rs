//! [`Dialect`]: the formats of cookies and rows above a backend.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`Dialect`], and the trait [`RowFormat`]: the cookie of an ID, the key of its row, and the bytes of the row |
//! | `native.rs` | Silverback's own format |
//! | `gorilla.rs` | the format of gorilla/sessions' server stores |
//! | `scs.rs` | the format of alexedwards/scs |
//! | `go_metadata.rs` | the string that this library adds to rows that Go programs write too |
//!
//! This module does not call a backend, and does not resolve conflicts between requests.

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

/// The format of a [`ServerStore`](super::ServerStore)'s cookies and rows, which decides which
/// programs can share its sessions.
///
/// | | cookie | row | ended or moved sessions |
/// |---|---|---|---|
/// | [`Native`](Dialect::Native) | the ID, sealed | sealed to its place, under its ID's hash | leave a tombstone |
/// | [`Gorilla`](Dialect::Gorilla) | the ID, sealed | the values, sealed like a cookie of that name, under the ID | leave nothing |
/// | [`Dynastore`](Dialect::Dynastore) | the ID | as gorilla's | leave nothing |
/// | [`Scs`](Dialect::Scs) | the ID | the values in the clear, under the ID | leave nothing |
/// | [`ScsHashed`](Dialect::ScsHashed) | the ID | as scs's, under the ID's hash | leave nothing |
///
/// Unless [`ServerOptions`](super::ServerOptions) sets other values, a dialect has the defaults of
/// its Go package. Sessions then last equally long on both sides:
///
/// | | [lifetime](super::ServerOptions::lifetime) | [persistent cookies](super::CookieOptions::persistent) |
/// |---|---|---|
/// | native | 30 minutes idle ([10](super::ServerOptions::anonymous_idle) without a login), 12 hours in all | for remembered sessions |
/// | gorilla, dynastore | 30 days without use | yes |
/// | scs | 24 hours in all | yes |
///
/// If the Go program has other settings, use the same settings here: gorilla's `MaxAge` is
/// [`idle`](super::Lifetime::idle) (without an absolute limit), scs's `IdleTimeout` is `idle`, and
/// its `Lifetime` is [`absolute`](super::Lifetime::absolute). A deadline in a row of scs stays
/// unchanged, whatever the lifetime here.
///
/// The session's metadata is one of its values, under the key `_session`. If a Go program has a
/// value of its own under `_session`, that value stays, and the metadata is under `_silverback`.
///
/// # Limits of shared dialects
///
/// The native dialect keeps all promises of [`ServerStore`](super::ServerStore). The other dialects
/// cannot, because Go programs write the same rows. A Go program may restore a row that was
/// removed, and overwrites rows without comparing them. These dialects have no tombstones and no
/// owners:
/// - A logout does not find a session that a concurrent request in another process has renewed.
/// - If the answer to a removal was lost, the outcome stays unknown.
/// - If the backend can [move](crate::backend::Moves) rows, a session gets its new ID in one step.
///   Otherwise the new row is created before the old one is removed. A request that is interrupted
///   in between leaves a row under an ID that no client has.
///
/// A Go program cannot read any value of a session that contains a type it has not registered. So
/// the shared dialects refuse such values on insertion, unless
/// [`known_types`](super::ServerOptions::known_types) names the type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// Silverback's own format.
    #[default]
    Native,
    /// The format of gorilla/sessions' `FilesystemStore` and similar stores. The codec seals the
    /// rows too, so its `max_length` limits them.
    Gorilla,
    /// The format of savaki/dynastore with codecs: gorilla's rows, and a cookie without a
    /// signature.
    Dynastore,
    /// The format of alexedwards/scs with its `GobCodec`. The codec is not used, because scs signs
    /// nothing.
    Scs,
    /// The format of scs with its option `HashTokenInStore`. A person who can read the table cannot
    /// use its sessions.
    ScsHashed,
}

/// gorilla's default `MaxAge` (sessions v1.4.0 `store.go`, pgstore, dynamostore).
const GORILLA_MAX_AGE: Duration = Duration::from_secs(86_400 * 30);

/// scs's default `Lifetime` (v2.9.0 `session.go`).
const SCS_LIFETIME: Duration = Duration::from_secs(86_400);

impl Dialect {
    /// Returns whether Go programs use the same rows.
    pub(super) fn is_shared(self) -> bool {
        self != Dialect::Native
    }

    /// Returns whether cookies or rows are sealed.
    pub(super) fn uses_codec(self) -> bool {
        !matches!(self, Dialect::Scs | Dialect::ScsHashed)
    }

    /// Returns the default lifetime of the Go package.
    pub(super) fn default_lifetime(self) -> Lifetime {
        match self {
            Dialect::Native => Lifetime::new(),
            Dialect::Gorilla | Dialect::Dynastore => Lifetime::sliding(GORILLA_MAX_AGE),
            Dialect::Scs | Dialect::ScsHashed => {
                Lifetime::new().without_idle().absolute(SCS_LIFETIME)
            }
        }
    }

    /// Adapts a lifetime to the dialect: in scs, a remembered session lasts no longer than any
    /// other session.
    pub(super) fn adapt(self, lifetime: Lifetime) -> Lifetime {
        match self {
            Dialect::Scs | Dialect::ScsHashed => lifetime.remembered_as_usual(),
            _ => lifetime,
        }
    }

    /// Refuses a backend with rows in the layout of another dialect.
    pub(super) fn check_layout(self, layout: Layout) -> Result<(), Error> {
        let fits = match self {
            Dialect::Native => layout == Layout::Native,
            Dialect::Gorilla | Dialect::Dynastore => {
                matches!(layout, Layout::Gorilla | Layout::Pgstore)
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

    /// Returns the data model of the sessions. `known_types` are the types that the Go program
    /// which shares the sessions registers itself.
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

    /// Returns the format of the rows, and the data model of their values.
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

/// The format of cookies and rows.
pub(super) trait RowFormat: Send + Sync + 'static {
    /// Returns a fresh random ID.
    fn new_id(&self) -> Result<Id, Error>;

    /// Returns the cookie's value for an ID.
    fn seal_id(&self, id: &Id, at: UnixTime) -> Result<String, Error>;

    /// Reads an ID from a cookie's value. An error means that a server or the system failed.
    fn open_id(&self, cookie: &str, now: UnixTime) -> Result<Result<OpenedId, Refusal>, Error>;

    /// Returns the key of the row of that ID.
    fn key(&self, id: &Id) -> Result<Key, Error>;

    /// Returns a public name for the session under that key. The name opens no session.
    fn name_of(&self, key: &Key) -> String;

    /// Returns whether a session that ends leaves a tombstone. If not, its row is removed.
    fn has_tombstones(&self) -> bool {
        false
    }

    /// Returns the bytes of a row, or `None` for a tombstone in a dialect without tombstones.
    fn write(
        &self,
        key: &Key,
        row: &Row<Content>,
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
    ) -> Result<Result<ReadRow, Refusal>, Error>;
}

/// Converts a codec's error for a row. A row that is too long is an error, not a refusal: a program
/// wrote it, not the client, and another program may still read that session.
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
    /// True if an older key sealed the cookie.
    pub(super) is_stale: bool,
}

/// A row that was read.
#[derive(Clone)]
pub(super) struct ReadRow {
    pub(super) row: Row<Content>,
    pub(super) write: WriteId,
}
