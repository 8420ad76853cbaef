//! [`Store`]: keeps sessions between requests.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::{Expiry, Key, OwnerName, Revision};
use crate::codec::{self, SecureCookie, UnixTime};

use super::id::Id;
use super::login::{Begun, Login};
use super::metadata::Metadata;
use super::protocol::SeenRow;
use super::session_data::{Log, SessionData};
use super::setup::Setup;
use super::{Error, Refusal, SessionEnd, SessionId};

/// Keeps sessions between requests: in the cookie ([`CookieStore`](super::CookieStore)), or in a server behind it
/// ([`ServerStore`](super::ServerStore)).
///
/// Only this crate implements the trait. You can supply the codec, the
/// [`Backend`](crate::backend::Backend) and the [`Generations`](crate::backend::Generations).
#[expect(private_bounds)] // sealed: the protocol between session and store is ours to change
pub trait Store: Storage {
    /// Returns the name of the cookie, which is also the name of the session.
    fn name(&self) -> &str {
        self.setup().cookie.name()
    }
}

impl<S: Storage> Store for S {}

/// The operations that a session needs from its store.
#[async_trait]
pub(super) trait Storage: Send + Sync + 'static {
    fn setup(&self) -> &Setup;

    /// Loads the session of a cookie's value. An error means that a server or the system failed.
    async fn load(&self, cookie: &str) -> Result<Loaded, Error>;

    /// Loads the session of the value of an old cookie: see [`Setup::legacy_cookie`]. Such a cookie
    /// proves nothing.
    async fn load_legacy(&self, _cookie: &str) -> Result<Loaded, Error> {
        Ok(Loaded::Refused(Refusal::NotValid))
    }

    /// Returns the settings of a second cookie, whose sessions the store also opens.
    fn other_setup(&self) -> Option<&Setup> {
        None
    }

    /// Loads the session of a value of the second cookie.
    async fn load_other(&self, _cookie: &str) -> Result<Loaded, Error> {
        Ok(Loaded::Refused(Refusal::NotValid))
    }

    /// Saves a session, and returns the value for its cookie from now on.
    ///
    /// Returns a [gone](Error::is_gone) error if another request ended the session. Nothing is
    /// saved then. If `dropped` is cancelled before a write has begun, nothing is saved either,
    /// because the caller no longer waits.
    async fn save(
        &self,
        save: SaveRequest,
        dropped: CancellationToken,
    ) -> Result<SaveResult, Error>;

    /// Returns the current data of a session that a request has loaded, or `None` if it has
    /// ended or its login has changed. Always returns `None` if the store keeps nothing outside of
    /// cookies.
    async fn reload(&self, _row_ref: &RowRef) -> Result<Option<SessionData>, Error> {
        Ok(None)
    }

    /// Ends a stored session. Returns false if another request had ended it before.
    async fn end(&self, row_ref: &RowRef) -> Result<bool, Error>;

    /// Returns whether one server has all sessions, so that [`end_unchanged`](Storage::end_unchanged)
    /// works.
    fn can_end_unchanged(&self) -> bool {
        false
    }

    /// Ends a stored session unless another request has written its row since it was loaded. Returns
    /// false if one has.
    async fn end_unchanged(&self, _row_ref: &RowRef) -> Result<bool, Error> {
        Ok(false)
    }

    /// Returns the number of bytes by which the values may grow, or `None` if no cookie limits
    /// them.
    fn room_left(&self, _: &SessionData) -> Result<Option<usize>, Error> {
        Ok(None)
    }

    /// Ends all sessions of an owner.
    async fn end_all(&self, owner: &OwnerName) -> Result<(), Error>;

    /// Waits until a saved session has ended, and returns why.
    async fn ended(&self, metadata: &Metadata, row_ref: Option<&RowRef>) -> SessionEnd;

    /// Returns the public name of a stored session, which opens nothing. Returns `None` if the store
    /// keeps nothing outside of cookies.
    fn public_id(&self, _row_ref: &RowRef) -> Option<SessionId> {
        None
    }

    /// Returns the tasks that finish saves after their callers were dropped, or `None` if such a
    /// save may be abandoned.
    fn saves(&self) -> Option<&TaskTracker> {
        None
    }
}

/// The result of loading a cookie's value.
pub(super) enum Loaded {
    Live(Box<LoadedSession>),
    /// The session of that ID has another ID now, or a successor.
    Moved(Box<Moved>),
    Refused(Refusal),
    /// No session will ever have that cookie again, so the client may drop it.
    Dead(Refusal),
}

impl Loaded {
    /// Returns the result for a cookie that the codec refuses.
    ///
    /// # Errors
    /// Returns an unavailable error if the system failed.
    pub(super) fn of_codec(error: codec::Error) -> Result<Self, Error> {
        Refusal::of_codec(error).map(Loaded::of_refused_cookie)
    }

    /// Returns the result for a refused cookie. An expired cookie never opens again. A cookie that
    /// is not valid here may be valid on another machine while new keys are being deployed.
    pub(super) fn of_refused_cookie(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Expired => Loaded::Dead(refusal),
            refusal => Loaded::Refused(refusal),
        }
    }
}

/// A session that has another ID by now. The client has been sent that ID.
pub(super) struct Moved {
    /// The key of the session now, or of the session that replaced it.
    pub(super) successor: Key,
    /// The session, if it is the same one under the new ID. It may be ended, and never opened.
    pub(super) renewed: Option<Arc<RowRef>>,
    /// The data, if the store lets the old ID read it.
    pub(super) data: Option<SessionData>,
}

/// A session as it was loaded.
pub(super) struct LoadedSession {
    pub(super) data: SessionData,
    /// The date of its cookie, which stays unchanged.
    pub(super) sealed_at: UnixTime,
    /// True if an older key sealed its cookie.
    pub(super) is_stale: bool,
    /// The codec that opened the session, if the session is in its cookie. Another chain may be in use
    /// when the session is saved.
    pub(super) opener: Option<SecureCookie>,
    pub(super) row_ref: Option<Arc<RowRef>>,
}

/// The place of a stored session, and its state when it was last seen there.
#[derive(Clone)]
pub(super) struct RowRef {
    /// `None` if another request has renewed the session, because the new ID is not known here.
    pub(super) id: Option<Id>,
    pub(super) key: Key,
    /// `None` if other requests have saved the session since.
    pub(super) revision: Option<Revision>,
    pub(super) login: Option<Login>,
    pub(super) expiry: Expiry,
    /// True if an older key sealed its cookie.
    pub(super) is_stale: bool,
    /// True if the place is in the old store of a [`Migrating`](super::Migrating) store.
    pub(super) in_old: bool,
}

impl RowRef {
    /// Returns the same place for a session that other requests have changed since.
    pub(super) fn outdated(&self) -> Self {
        RowRef {
            revision: None,
            ..self.clone()
        }
    }

    /// Returns the same place in the form that the protocol uses.
    pub(super) fn seen(&self) -> SeenRow<Option<Login>> {
        SeenRow {
            key: self.key.clone(),
            revision: self.revision.clone(),
            login: self.login.clone(),
        }
    }
}

/// The fate of a stored session at the next save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdChange {
    Same,
    /// The session gets another ID.
    Renewed,
    /// The session ends, and another one replaces it, with or without its values.
    Replaced {
        keeps: bool,
    },
}

/// A session to be saved.
#[derive(Clone)]
pub(super) struct SaveRequest {
    pub(super) data: SessionData,
    pub(super) sealed_at: UnixTime,
    /// The codec that opened the values, as in [`LoadedSession`].
    pub(super) opener: Option<SecureCookie>,
    /// True if the session was never saved: it begins, or a login replaces another session.
    pub(super) is_first: bool,
    /// True if the session takes the place of the one that the client's cookie opened.
    pub(super) replaces: bool,
    /// True if all other sessions of the owner end with this save.
    pub(super) revokes_others: bool,
    /// True if the session lasts longer than its owner's record was last extended for.
    pub(super) lasts_longer: bool,
    /// True if the session was not changed, and only its use is recorded.
    pub(super) is_touch: bool,
    /// True if the client's cookie needs another expiry or another date.
    pub(super) wants_cookie: bool,
    /// True if the row notes that the client must get its cookie again.
    pub(super) owed_cookie: bool,
    /// The place of the session, or of the session that it replaces.
    pub(super) row_ref: Option<Arc<RowRef>>,
    pub(super) id_change: IdChange,
    /// The ID of a session that is created. `None` for a new random ID.
    pub(super) id: Option<Id>,
    /// The changes that are not saved yet.
    pub(super) log: Log,
}

/// The result of a save.
pub(super) struct SaveResult {
    /// The new value for the cookie, or `None` if the client's cookie has it already.
    pub(super) cookie: Option<String>,
    /// True if the value is for the store's [second cookie](Storage::other_setup).
    pub(super) is_for_other: bool,
    /// The beginning of its login, as the owner's record notes it.
    pub(super) begun: Option<Begun>,
    pub(super) row_ref: Option<Arc<RowRef>>,
    /// The saved data, if it includes changes of other requests.
    pub(super) merged: Option<SessionData>,
}
