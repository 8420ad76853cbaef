//! [`Dialect`]: the formats of cookies and rows above a backend.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`Dialect`] |
//! | `rules.rs` | the trait [`Rules`]: how a store of a dialect is made |
//! | `row_format.rs` | the trait [`RowFormat`]: the cookie of an ID, the key of its row, and the bytes of the row |
//! | `native.rs` | Silverback's own format |
//! | `gorilla.rs` | the format of gorilla/sessions' server stores |
//! | `gorilla_id.rs` | the cookies of the IDs of gorilla and dolab/session |
//! | `scs.rs`, `scs_json.rs` | the format of alexedwards/scs, with rows of gob or JSON |
//! | `dolab.rs` | the format of dolab/session |
//! | `dolab_cookie.rs` | the old cookie of dolab/session, which is only read |
//! | `go_metadata.rs` | the string that this library adds to rows that Go programs write too |
//!
//! This module does not call a backend, and does not resolve conflicts between requests.

#[cfg(feature = "json")]
mod dolab;
#[cfg(all(feature = "json", feature = "legacy"))]
mod dolab_cookie;
mod go_metadata;
mod gorilla;
mod gorilla_id;
mod native;
mod row_format;
mod rules;
mod scs;
#[cfg(feature = "json")]
mod scs_json;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::backend::Layout;
use crate::codec::{Codec, Codecs, KeyPairs};

use super::Error;

#[cfg(feature = "json")]
pub use dolab::DolabDialect;
pub use gorilla::GorillaDialect;
pub use native::NativeDialect;
pub(super) use row_format::{OpenedId, RowFormat};
pub(super) use rules::Rules;
pub use scs::ScsDialect;

/// The format of a [`ServerStore`](super::ServerStore)'s cookies and rows, which decides which
/// programs can share its sessions.
///
/// | | cookie | row | ended or moved sessions |
/// |---|---|---|---|
/// | [`native`](Dialect::native) | the ID, sealed | sealed to its place, under its ID's hash | leave a tombstone |
/// | [`gorilla`](Dialect::gorilla) | the ID, sealed | the values, sealed like a cookie of that name, under the ID | leave nothing |
/// | [`dynastore`](Dialect::dynastore) | the ID | as gorilla's | leave nothing |
/// | [`redistore`](Dialect::redistore) | the ID, sealed | the values in the clear, under the ID | leave nothing |
/// | [`rbcervilla_redisstore`](Dialect::rbcervilla_redisstore) | the ID, of 103 characters | as redistore's | leave nothing |
/// | [`scs`](Dialect::scs) | the ID | the values in the clear, under the ID or its [hash](ScsDialect::hash_token_in_store) | leave nothing |
/// | `dolab` (feature `json`) | the ID, sealed; Go's own cookie is only read | the values as JSON in the clear, under the ID | leave nothing |
///
/// A codec converts to the native dialect with that codec, so a store needs no dialect unless Go
/// programs share its sessions:
///
/// ```
/// use silverback::backend::Memory;
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::{Dialect, ServerStore};
///
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
/// let store = ServerStore::new(codecs.clone(), Memory::new())?;
/// let staging = Dialect::native(codecs).store_name("staging");
/// let staging = ServerStore::new(staging, Memory::new())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Unless [`ServerOptions`](super::ServerOptions) sets other values, a dialect has the defaults of
/// its Go package. Sessions then last equally long on both sides:
///
/// | | [lifetime](super::ServerOptions::lifetime) | [persistent cookies](super::CookieOptions::persistent) |
/// |---|---|---|
/// | native | 30 minutes idle ([10](NativeDialect::anonymous_idle) without a login), 12 hours in all | for remembered sessions |
/// | gorilla, dynastore, redistore, rbcervilla's | 30 days without use | yes |
/// | scs | 24 hours in all | yes |
/// | dolab, which has no default in Go | 30 minutes idle, 12 hours in all | yes |
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
/// the shared dialects refuse such values on insertion, unless `known_types`
/// ([gorilla's](GorillaDialect::known_types), [scs's](ScsDialect::known_types)) names the type.
#[derive(Clone)]
#[non_exhaustive]
pub enum Dialect {
    /// Silverback's own format.
    Native(NativeDialect),
    /// The formats of gorilla/sessions' server stores.
    Gorilla(GorillaDialect),
    /// The format of alexedwards/scs.
    Scs(ScsDialect),
    /// The format of dolab/session.
    #[cfg(feature = "json")]
    Dolab(DolabDialect),
}

impl Dialect {
    /// Creates Silverback's own dialect. `codec` seals the cookies, and keys derived from its keys
    /// seal the rows. Both follow the reloads of a [`KeyRing`](crate::codec::KeyRing).
    pub fn native(codec: impl Codec + 'static) -> NativeDialect {
        NativeDialect::new(Arc::new(codec))
    }

    /// Creates the dialect of gorilla/sessions' `FilesystemStore`, of pgstore, of dynamostore and of
    /// gorilla-sessions-memcache. `codec` seals cookies and rows, so its `max_length` limits both.
    #[doc(alias = "FilesystemStore")]
    pub fn gorilla(codec: impl Codec + 'static) -> GorillaDialect {
        GorillaDialect::sealed(Arc::new(codec))
    }

    /// Creates the dialect of savaki/dynastore with codecs: gorilla's rows, and a cookie without a
    /// signature. `codec` seals the rows.
    pub fn dynastore(codec: impl Codec + 'static) -> GorillaDialect {
        GorillaDialect::with_bare_ids(Arc::new(codec))
    }

    /// Creates the dialect of boj/redistore, and of gin-contrib/sessions with Redis: the cookie is
    /// gorilla's, and the row is a gob in the clear, of at most 4096 bytes. `codec` seals the
    /// cookies. For JSON, and for gorilla-sessions-memcache with `StoreMethodGob` or
    /// `StoreMethodJson`, see [`clear_rows`](GorillaDialect::clear_rows).
    #[doc(alias = "RediStore")]
    pub fn redistore(codec: impl Codec + 'static) -> GorillaDialect {
        GorillaDialect::redistore(Arc::new(codec))
    }

    /// Creates the dialect of rbcervilla/redisstore: the cookie is the ID, of 103 characters, and the
    /// row is a gob in the clear. It has no codec, since this package signs nothing.
    #[doc(alias = "RedisStore")]
    pub fn rbcervilla_redisstore() -> GorillaDialect {
        GorillaDialect::rbcervilla_redisstore()
    }

    /// Creates the dialect of alexedwards/scs with its `GobCodec`. It has no codec, since scs signs
    /// and encrypts nothing.
    pub fn scs() -> ScsDialect {
        ScsDialect::default()
    }

    /// Creates the dialect of dolab/session, in Redis or Memcached. `codec` seals the cookies, which
    /// the Go program does not know: see [`DolabDialect`].
    #[cfg(feature = "json")]
    pub fn dolab(codec: impl Codec + 'static) -> DolabDialect {
        DolabDialect::new(Arc::new(codec))
    }

    /// Returns whether Go programs use the same rows.
    pub(super) fn is_shared(&self) -> bool {
        !matches!(self, Dialect::Native(_))
    }

    /// Returns the rules by which a store of this dialect is made.
    pub(super) fn rules(&self) -> &dyn Rules {
        match self {
            Dialect::Native(native) => native,
            Dialect::Gorilla(gorilla) => gorilla,
            Dialect::Scs(scs) => scs,
            #[cfg(feature = "json")]
            Dialect::Dolab(dolab) => dolab,
        }
    }

    /// Refuses a backend with rows in the layout of another dialect.
    pub(super) fn check_layout(&self, layout: Layout) -> Result<(), Error> {
        match self.rules().fits(layout) {
            true => Ok(()),
            false => Err(Error::usage(format!(
                "the dialect {self:?} does not fit the backend, whose rows have the layout {layout:?}"
            ))),
        }
    }
}

impl<C: Codec + 'static> From<C> for Dialect {
    fn from(codec: C) -> Self {
        Dialect::native(codec).into()
    }
}

/// The [native](Dialect::native) dialect with the codec of these keys.
impl TryFrom<KeyPairs> for Dialect {
    type Error = Error;

    fn try_from(pairs: KeyPairs) -> Result<Self, Error> {
        let codecs = Codecs::from_pairs(pairs).map_err(Error::of_keys)?;
        Ok(Dialect::native(codecs).into())
    }
}

impl From<NativeDialect> for Dialect {
    fn from(native: NativeDialect) -> Self {
        Dialect::Native(native)
    }
}

impl From<GorillaDialect> for Dialect {
    fn from(gorilla: GorillaDialect) -> Self {
        Dialect::Gorilla(gorilla)
    }
}

impl From<ScsDialect> for Dialect {
    fn from(scs: ScsDialect) -> Self {
        Dialect::Scs(scs)
    }
}

#[cfg(feature = "json")]
impl From<DolabDialect> for Dialect {
    fn from(dolab: DolabDialect) -> Self {
        Dialect::Dolab(dolab)
    }
}

/// Shows the dialect's name, and no keys.
impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dialect::Native(native) => native.fmt(f),
            Dialect::Gorilla(gorilla) => gorilla.fmt(f),
            Dialect::Scs(scs) => scs.fmt(f),
            #[cfg(feature = "json")]
            Dialect::Dolab(dolab) => dolab.fmt(f),
        }
    }
}
