//! [`Migrating`]: moves sessions from one store to another while requests use them.
//!
//! # Design
//!
//! **A session has one home.** One row in one of the two stores decides; its compare-and-swaps order
//! all requests, as in a [`ServerStore`]. The session keeps its ID when it moves, so that any cookie
//! that opened it before still opens it. It is never *written* in both stores: with two live rows, a
//! crash between the writes would leave one that is stale, and no rule could find out which.
//!
//! A move has three writes, each a compare-and-swap:
//!
//! 1. **Copy**: the new store gets a row with the mark *copy*. It opens nothing. The key in the new
//!    store is read before the old row, so that no late copy replaces a newer one.
//! 2. **Commit**: the old row becomes a tombstone with the mark *moved*, if it still has the revision
//!    that was copied. From now on the copy is the session's home.
//! 3. **Confirm**: the request's save, in the new store, clears the mark *copy*.
//!
//! The home follows from the two rows alone (`home.rs`):
//!
//! | new store | old store | home |
//! |---|---|---|
//! | a session | anything | new |
//! | a copy | the mark *moved* | new |
//! | a copy, or nothing | a session | old |
//! | a copy | ended, renewed, or nothing | none: the session has ended |
//! | the mark *moved* | a copy | old: the session has moved back |
//! | nothing | a copy | none |
//!
//! A crash after write 1 leaves a copy that opens nothing, until the next move replaces it. A crash
//! after write 2 leaves a copy that is the home. The mark *moved* is kept as long as the row would
//! have been kept; the copy expires no later, and any use of it is write 3. So no crash loses a
//! session, and no stale row opens one.
//!
//! Rows of Go packages have no tombstones. There the commit removes the old row, and a copy without
//! an old row is the home. Therefore a logout takes the key in the new store first. It does so for
//! all dialects: the new store alone, after the last stage, opens copies too.
//!
//! A session in a cookie has no old row. Its *spent* mark, a tombstone in the new store under a key
//! that the cookie's text determines, is the commit (`cookies.rs`).
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`Migrating`], its stages, and the calls for operators |
//! | `stage.rs` | the stages, and the kinds of old stores |
//! | `home.rs` | the store that decides about a session |
//! | `relocation.rs` | copying and moving one row |
//! | `rows.rs` | loads, saves and ends of sessions that were in a server |
//! | `cookies.rs` | loads, saves and ends of sessions that were in cookies |
//! | `transfer.rs` | copies and moves by key, for operators |

mod cookies;
mod home;
mod relocation;
mod rows;
mod stage;
mod transfer;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::{Key, OwnerName};

use super::login::owner_name;
use super::metadata::Metadata;
use super::observed;
use super::server_store::KeyState;
use super::session_data::SessionData;
use super::setup::Setup;
use super::store::{Loaded, RowRef, SaveRequest, SaveResult, Storage};
use super::{CookieStore, Error, ServerStore, SessionEnd, SessionId, StoredSession};

pub use stage::{MigrationStage, OldStore};
pub use transfer::Transfer;

/// Moves the sessions of a running site from one store to another, without a logout: to another
/// server, from a Go package's dialect to the native one, to other keys or another cookie name, or
/// from cookies to a server.
///
/// ```
/// use silverback::backend::Memory;
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::{Migrating, MigrationStage, ServerStore, testing::Jar};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
/// let old = ServerStore::new(codecs.clone(), Memory::new())?; // such as postgres://..
/// let new = ServerStore::new(codecs, Memory::new())?; // such as redis://..
/// let mut jar = Jar::with(old.clone(), |session| session.login("ape")).await?;
///
/// let store = Migrating::new(old, new.clone())?.stage(MigrationStage::Move);
/// let sessions = jar.sessions(store);
/// sessions.session().await?.insert("theme", "dark")?; // the session moves with this save
/// for field in sessions.finish().await?.ok_or("a session was asked for")?.set_cookies() {
///     jar.receive(field);
/// }
/// assert_eq!(jar.session(new).await?.owner().as_deref(), Some("ape"));
/// # Ok(())
/// # }
/// ```
///
/// # The steps
///
/// | stage | new sessions begin in | an existing session | to take the step back |
/// |---|---|---|---|
/// | the old store alone | old | is in the old store | |
/// | [`Prepare`](MigrationStage::Prepare) | old | is saved where it is | deploy the old store alone |
/// | [`Move`](MigrationStage::Move) | new | moves with its next save | deploy `Prepare`; see below |
/// | [`Done`](MigrationStage::Done) | new | is in the new store | deploy `Move` |
///
/// - Two neighbours of this table may run side by side in a fleet, for as long as you like. Other
///   pairs may not.
/// - Deploy `Done` when the old store is empty and no client has an old cookie. Visits move sessions
///   one by one; `silverback sessions migrate --move` moves all others, and [settles](Migrating::settle_copy)
///   what is left. If the cookie changes (its
///   name, keys or dialect), also wait for the lifetime of a session: a client gets its new cookie
///   with the first save or touch.
/// - To go back from `Move` to the old store, deploy `Prepare`, then
///   `Migrating::new(new, old)` at `Prepare`, and then the same at `Move`, which moves each session
///   back. This needs an old store of the native dialect.
///
/// # Guarantees
///
/// At every stage and at each crash, the [guarantees of a
/// `ServerStore`](ServerStore#guarantees-under-concurrency) hold: a logout is final in both stores,
/// no update is lost, and no session is lost. If one of the stores does not answer, the response is a
/// 503. Exceptions:
///
/// - A *Go program* that writes the old rows can restore what has ended there, as it always can.
///   Stop it before the stage `Move`: it does not see a session that has moved.
/// - A *row without a tombstone* (all dialects of Go packages): if a process is killed during a move,
///   and the session is then renewed or ended in the old store alone, by another program than this
///   store, the copy opens. Sessions that this store ends are not affected.
/// - A *session in a cookie* is a text that the client has. This store notes the text of a session
///   that has moved or ended, so it opens nothing again. An earlier text of the same session still
///   opens as it was, until its limits: only a [revocable](CookieStore::revocable) store can end
///   those, all of an owner at once. At `Prepare`, concurrent saves overwrite each other as in a
///   `CookieStore`.
/// - If the old backend has no owners, as those of Go packages, ending all sessions of an owner is an
///   error until the stage [`Done`](MigrationStage::Done): the old sessions of an owner are unknown.
/// - [`max_sessions`](super::ServerOptions::max_sessions) counts the sessions in each store
///   separately, and a session counts as begun when it moved.
/// - A [renewal grace](super::ServerOptions::renewal_grace) ends when the session moves.
#[derive(Clone)]
pub struct Migrating(Arc<Parts>);

struct Parts {
    old: OldStore,
    new: ServerStore,
    stage: MigrationStage,
    /// The settings of the store in which sessions begin.
    setup: Setup,
    /// The settings of the other store, if its cookie has another name.
    other: Option<Setup>,
}

impl Migrating {
    /// Creates a store at the stage [`Prepare`](MigrationStage::Prepare).
    ///
    /// # Errors
    /// Returns a usage error if the new store is not of the [native](super::Dialect::native) dialect:
    /// only its rows can note what has moved. Returns a usage error if the old store has its sessions
    /// in cookies that are not encrypted: two clients may then have the same cookie. Give its codec
    /// a block key first.
    pub fn new(old: impl Into<OldStore>, new: ServerStore) -> Result<Self, Error> {
        let old = old.into();
        if !new.has_tombstones() {
            return Err(Error::usage(
                "sessions can move only to a store of the native dialect: use Dialect::native",
            ));
        }
        if let OldStore::Cookie(cookies) = &old
            && !cookies.has_unique_cookies()
        {
            return Err(Error::usage(
                "sessions can move from cookies only if these are encrypted: give each key pair a \
                 block key, and wait until the old cookies have expired",
            ));
        }
        Ok(Migrating::at(old, new, MigrationStage::Prepare))
    }

    fn at(old: OldStore, new: ServerStore, stage: MigrationStage) -> Self {
        let (of_old, of_new) = (old.storage().setup().clone(), new.setup().clone());
        let (mut setup, other) = match stage {
            MigrationStage::Prepare => (of_old, of_new),
            MigrationStage::Move | MigrationStage::Done => (of_new, of_old),
        };
        setup.replays = true;
        let has_other = stage != MigrationStage::Done && setup.cookie.name() != other.cookie.name();
        Migrating(Arc::new(Parts {
            old,
            new,
            stage,
            setup,
            other: has_other.then_some(other),
        }))
    }

    /// Sets the stage. Read it from the program's configuration, so that a step needs no new build.
    ///
    /// ```
    /// # use silverback::backend::Memory;
    /// # use silverback::codec::{Codecs, KeyPairs};
    /// use silverback::session::{CookieStore, Migrating, MigrationStage, ServerStore};
    ///
    /// # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// let old = CookieStore::new(codecs.clone())?;
    /// let new = ServerStore::new(codecs, Memory::new())?;
    /// let stage = match std::env::var("SESSIONS_MOVE").is_ok() {
    ///     true => MigrationStage::Move,
    ///     false => MigrationStage::Prepare,
    /// };
    /// let store = Migrating::new(old, new)?.stage(stage);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stage(&self, stage: MigrationStage) -> Self {
        Migrating::at(self.0.old.clone(), self.0.new.clone(), stage)
    }

    /// Lists the live sessions of an owner in both stores, as [`ServerStore::list`] does: those of
    /// the new store first. Sessions in cookies are not listed.
    ///
    /// # Errors
    /// Returns the errors of [`ServerStore::list`].
    pub async fn list(&self, owner: &str) -> Result<Vec<StoredSession>, Error> {
        let mut sessions = Vec::new();
        if let Some(old) = self.0.old_rows() {
            sessions = old.list(owner).await?;
        }
        // A session that moves during the listing is in the later list, and perhaps in both.
        let mut all = Vec::new();
        for session in self.0.new.list(owner).await? {
            if self.0.is_at_home(&session).await? {
                all.push(session);
            }
        }
        sessions.retain(|session| !all.iter().any(|of| of.id() == session.id()));
        all.extend(sessions);
        Ok(all)
    }

    /// Ends one of an owner's sessions by its [ID in the list](StoredSession::id), in both stores, as
    /// [`ServerStore::end`] does.
    ///
    /// # Errors
    /// Returns the errors of [`ServerStore::end`].
    pub async fn end(&self, owner: &str, id: &SessionId) -> Result<bool, Error> {
        let Some(old) = self.0.old_rows() else {
            return self.0.new.end(owner, id).await;
        };
        // While the session moves, one of the three finds it.
        let ended = old.end(owner, id).await?;
        let ended = self.0.new.end(owner, id).await? || ended;
        Ok(old.end(owner, id).await? || ended)
    }

    /// Ends all sessions of an owner, in both stores. Sessions in cookies end only if that store is
    /// [revocable](CookieStore::revocable).
    ///
    /// # Errors
    /// Returns the errors of [`ServerStore::end_all`]. If one of the stores does not answer, call it
    /// again.
    pub async fn end_all(&self, owner: &str) -> Result<(), Error> {
        observed::end_all(self, &owner_name(owner)?).await
    }

    /// Waits until no save is in flight, as [`ServerStore::drain`] does.
    pub async fn drain(&self) {
        self.0.new.drain().await;
        if let OldStore::Server(old) = &self.0.old {
            old.drain().await;
        }
    }
}

impl Parts {
    /// Returns the old store, if it has rows and this stage uses it.
    fn old_rows(&self) -> Option<&ServerStore> {
        match &self.old {
            OldStore::Server(old) if self.stage != MigrationStage::Done => Some(old),
            _ => None,
        }
    }

    /// Returns the old store, if it has cookies and this stage uses it.
    fn old_cookies(&self) -> Option<&CookieStore> {
        match &self.old {
            OldStore::Cookie(old) if self.stage != MigrationStage::Done => Some(old),
            _ => None,
        }
    }

    /// Returns whether a listed row of the new store is the session, and not a copy of a row that is.
    async fn is_at_home(&self, session: &StoredSession) -> Result<bool, Error> {
        let Some(old) = self.old_rows().filter(|of| of.has_tombstones()) else {
            return Ok(true);
        };
        if !session.is_copy() {
            return Ok(true);
        }
        let key = Key::new(session.id().as_str()).map_err(Error::of_backend)?;
        Ok(matches!(old.state_of(&key).await?, KeyState::MovedAway))
    }

    /// Revokes an owner in both stores. The old store comes first and last: a
    /// session moves with a login that began in its new store before the old row was read.
    async fn revoke(&self, owner: &OwnerName) -> Result<(), Error> {
        self.revoke_old(owner).await?;
        Storage::end_all(&self.new, owner).await?;
        self.revoke_old(owner).await
    }

    async fn revoke_old(&self, owner: &OwnerName) -> Result<(), Error> {
        match (self.old_rows(), self.old_cookies()) {
            (Some(old), _) => Storage::end_all(old, owner).await,
            (_, Some(old)) if old.is_revocable() => Storage::end_all(old, owner).await,
            _ => Ok(()),
        }
    }

    /// Revokes an owner in the store in which a session is not, because it ends the owner's others.
    /// If the session is just moving there, its copy stays.
    async fn revoke_other(
        &self,
        owner: &OwnerName,
        row_ref: Option<&RowRef>,
        in_old: bool,
    ) -> Result<(), Error> {
        match (in_old, self.old_rows(), row_ref) {
            (false, ..) => self.revoke_old(owner).await,
            (true, Some(old), Some(row_ref)) => {
                let key = old.key_after_move(&row_ref.key)?;
                self.new.end_all_but(owner, &key).await
            }
            (true, ..) => Storage::end_all(&self.new, owner).await,
        }
    }

    /// Returns the result of a save in one of the two stores.
    fn noted(&self, mut saved: SaveResult, in_old: bool) -> SaveResult {
        if in_old && let Some(row_ref) = saved.row_ref.take() {
            saved.row_ref = Some(Arc::new(RowRef {
                in_old,
                ..RowRef::clone(&row_ref)
            }));
        }
        let begins_in_old = self.stage == MigrationStage::Prepare;
        saved.is_for_other = self.other.is_some() && in_old != begins_in_old;
        saved
    }
}

#[async_trait]
impl Storage for Migrating {
    fn setup(&self) -> &Setup {
        &self.0.setup
    }

    fn other_setup(&self) -> Option<&Setup> {
        self.0.other.as_ref()
    }

    async fn load(&self, cookie: &str) -> Result<Loaded, Error> {
        match (self.0.old_rows(), self.0.old_cookies()) {
            (Some(old), _) => self.0.load_of_rows(old, cookie).await,
            (_, Some(old)) => self.0.load_of_cookie(old, cookie).await,
            _ => self.0.new.load(cookie).await,
        }
    }

    async fn load_other(&self, cookie: &str) -> Result<Loaded, Error> {
        Storage::load(self, cookie).await
    }

    async fn save(
        &self,
        save: SaveRequest,
        dropped: CancellationToken,
    ) -> Result<SaveResult, Error> {
        let save = match self.0.old_rows() {
            Some(old) => self.0.placed(old, save).await?,
            None => save,
        };
        let owner = save.data.metadata.owner();
        let others = owner.filter(|_| save.revokes_others).cloned();
        let (row_ref, in_old) = (save.row_ref.clone(), self.0.is_in_old(&save));
        if let Some(owner) = &others {
            self.0
                .revoke_other(owner, row_ref.as_deref(), in_old)
                .await?;
        }
        let saved = match (self.0.old_rows(), self.0.old_cookies()) {
            (Some(old), _) => self.0.save_of_rows(old, save, dropped).await?,
            (_, Some(old)) => self.0.save_of_cookie(old, save, dropped).await?,
            _ => self.0.new.save(save, dropped).await?,
        };
        if let Some(owner) = &others {
            self.0
                .revoke_other(owner, row_ref.as_deref(), in_old)
                .await?;
        }
        Ok(saved)
    }

    async fn reload(&self, row_ref: &RowRef) -> Result<Option<SessionData>, Error> {
        match self.0.old_rows() {
            Some(old) => self.0.reload_of_rows(old, row_ref).await,
            None => self.0.new.reload(row_ref).await,
        }
    }

    async fn ended(&self, metadata: &Metadata, row_ref: Option<&RowRef>) -> SessionEnd {
        match (self.0.old_rows(), self.0.old_cookies(), row_ref) {
            (Some(old), _, Some(row_ref)) => self.0.ended_of_rows(old, metadata, row_ref).await,
            (_, Some(old), None) => old.ended(metadata, None).await,
            (_, Some(old), Some(row_ref)) if row_ref.in_old => old.ended(metadata, None).await,
            (.., row_ref) => self.0.new.ended(metadata, row_ref).await,
        }
    }

    async fn end(&self, row_ref: &RowRef) -> Result<bool, Error> {
        match (self.0.old_rows(), self.0.old_cookies()) {
            (Some(old), _) => self.0.end_of_rows(old, row_ref).await,
            (_, Some(_)) if row_ref.in_old => self.0.end_of_cookie(row_ref).await,
            _ => Storage::end(&self.0.new, row_ref).await,
        }
    }

    async fn end_all(&self, owner: &OwnerName) -> Result<(), Error> {
        self.0.revoke(owner).await
    }

    fn can_end_unchanged(&self) -> bool {
        self.0.old_rows().is_none() && self.0.old_cookies().is_none()
    }

    async fn end_unchanged(&self, row_ref: &RowRef) -> Result<bool, Error> {
        self.0.new.end_unchanged(row_ref).await
    }

    fn public_id(&self, row_ref: &RowRef) -> Option<SessionId> {
        match &self.0.old {
            OldStore::Server(old) if row_ref.in_old => old.public_id(row_ref),
            OldStore::Cookie(_) if row_ref.in_old => None,
            _ => self.0.new.public_id(row_ref),
        }
    }

    fn saves(&self) -> Option<&TaskTracker> {
        self.0.new.saves()
    }
}

/// Shows the stage, and no keys.
impl fmt::Debug for Migrating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrating")
            .field("old", &self.0.old)
            .field("new", &self.0.new)
            .field("stage", &self.0.stage)
            .finish()
    }
}
