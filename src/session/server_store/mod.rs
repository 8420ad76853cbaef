//! [`ServerStore`]: the cookie carries a sealed ID, and the session is stored in a server.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | a store's construction, and the calls for operators |
//! | `copied_rows.rs` | rows that were copied out of the server |
//! | `pages.rs` | [`StoredPage`]: all sessions of a store, page by page |
//! | `loads.rs` | loading the session of an ID that a client sent |
//! | `saves.rs` | saving a session: its key, its ID, its login |
//! | `row_locks.rs` | the locks by which the requests of this process write to a row in turn |
//! | `shared_writes.rs` | saves of one session that are written together |
//! | `owners.rs` | an owner's sessions: listing them, logging in, and ending others |
//! | `limit.rs` | the rule that ends sessions beyond an owner's limit |
//! | `watch.rs` | looking whether watched sessions have ended |
//! | `migration.rs` | the operations on single rows that a move between stores needs |

mod copied_rows;
mod limit;
mod loads;
mod migration;
mod owners;
mod pages;
mod row_locks;
mod saves;
mod shared_writes;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::{Backend, IntoBackend, Key, OwnerName};

use super::caller::Caller;
use super::cookie_writer::CookieWriter;
use super::login::owner_name;
use super::metadata::Metadata;
use super::observed;
use super::recent_moves::RecentMoves;
use super::rows::{self, LiveRow, Rows};
use super::server_options::ServerOptions;
use super::session_data::SessionData;
use super::setup::Setup;
use super::store::{IdChange, Loaded, RowRef, SaveRequest, SaveResult, Storage};
use super::watcher::Watcher;
use super::{Dialect, Error, Lookup, Refusal, SessionEnd, SessionId, StoredSession};
pub use pages::StoredPage;
use row_locks::RowLocks;

pub(super) use migration::{KeyState, Target};

/// Stores each session in a [`Backend`]. The cookie holds only a random ID, sealed by a codec.
///
/// ```
/// use silverback::backend::Memory;
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::ServerStore;
///
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?; // or KeyPairs::from_env("SILVERBACK_KEYS")?
/// let store = ServerStore::new(codecs, Memory::new())?; // or backend::connect(url).await?
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Guarantees under concurrency
///
/// - **A logout is final.** A request that loaded the session before a
///   [logout](super::Session::logout) saves nothing after it, and its response sets no cookie
///   ([gone](Error::is_gone)). An ended session leaves a tombstone for the length of the [longest
///   request](ServerOptions::longest_request). A logout also ends a session that another request
///   has renewed. This holds if the logout's request loaded the session before the renewal, and
///   also if it arrives with the old ID afterwards.
/// - **At most one ID opens a session.** A [renewal](super::Session::renew) is one
///   compare-and-swap: the old ID is valid before it and the new ID after it, never both. (With a
///   [`renewal_grace`](ServerOptions::renewal_grace), the old ID can still read.)
/// - **A renewal loses no changes.** A request that loaded the session before the renewal saves its
///   changes in the session under the new ID, and sets no cookie.
/// - **A late request never replaces a good cookie.** If a login or a renewal has replaced the
///   request's ID, the request sees an anonymous session ([moved](Refusal::Moved)). Its changes are
///   not kept, and its response neither sets nor removes a cookie. After a renewal, a
///   [`renewal_grace`](ServerOptions::renewal_grace) lets it read the session.
/// - **No update is lost.** If another request has saved the session, this request's
///   [changes](super::Session::update) are applied again to the saved data. If a user has logged
///   in or out, or the owner's sessions were revoked, this request is gone instead:
///   [`fail_when_gone`](ServerOptions::fail_when_gone) decides what its client gets. A request gets
///   an error if it asked to end other sessions and that failed.
/// - **No change is applied twice.** If the reply to a write is lost, the store looks for the write
///   by a random mark. If the outcome stays unknown, it returns [that
///   error](Error::is_outcome_unknown).
/// - **Unknown IDs are never adopted.** If the request writes to the session, the session gets a
///   new ID.
/// - **A client that disconnects leaves a whole save or no save.** Saves run in separate tasks, and
///   [`drain`](ServerStore::drain) waits for them. A write that has begun is finished. A save that
///   still waits for other requests is not done.
/// - **One busy session leaves room for others.** Concurrent requests of this process that save
///   the same session wait for the write in flight, and are then written together: in one write, or
///   in several if some of them cannot be written. Logouts, logins and renewals go before all
///   waiting saves.
///   [`save_timeout`](ServerOptions::save_timeout) limits how long requests wait, and
///   [`max_concurrent_saves`](ServerOptions::max_concurrent_saves) limits how many wait.
///
/// If the program uses a tokio runtime, its timers must be enabled.
///
/// If a backend does not remove expired rows by itself, they stay until they are purged: keep a
/// [`Cleanup`](crate::backend::Cleanup) for that.
///
/// The backend must have a single primary: no read replicas, and nothing that loses acknowledged
/// writes.
///
/// # Anonymous sessions
///
/// Anyone can begin sessions without a login. They are kept for 10 minutes without use
/// ([`anonymous_idle`](super::NativeDialect::anonymous_idle)), and no session is larger than 64 KiB
/// ([`max_row_size`](super::NativeDialect::max_row_size)). [Backends](crate::backend#records-of-strangers)
/// differ in how many they can store.
///
/// # What the server learns
///
/// A row's key is the hash of the ID. The row is encrypted and bound to its key, with separate
/// keys. Therefore a person with read or write access to the server's rows can neither use nor
/// create a session, nor move one to another ID. Such a person sees which users are logged in
/// (owners are listed in the clear), when a row expires and how long it is, and could restore an
/// older state of a row.
#[derive(Clone)]
#[doc(alias = "server-side")]
#[doc(alias = "NewFilesystemStore")]
pub struct ServerStore(Arc<SharedStore>);

struct SharedStore {
    setup: Setup,
    rows: Rows,
    max_sessions: Option<usize>,
    renewal_grace: Duration,
    saves: TaskTracker,
    save_timeout: Duration,
    max_saves: usize,
    /// One permit for each save in flight.
    permits: Semaphore,
    /// As many more for logins, renewals and ends, so that other saves do not use them up.
    urgent_permits: Semaphore,
    draining: tokio::sync::Mutex<()>,
    locks: Arc<RowLocks>,
}

/// The divisor of the limit on saves: one session may have a quarter of that limit waiting, so that
/// it never uses up the limit.
const ONE_SESSIONS_PART: usize = 4;

impl ServerStore {
    /// Creates a store with the default options: the cookie `__Host-id`, and the lifetime of the
    /// dialect. `dialect` is a [`Dialect`], or a codec, which means the [native](Dialect::native)
    /// dialect with that codec: 30 minutes idle and 12 hours in all.
    ///
    /// # Errors
    /// Returns the errors of [`with_options`](ServerStore::with_options).
    pub fn new<D>(dialect: D, backend: impl IntoBackend) -> Result<Self, Error>
    where
        D: TryInto<Dialect>,
        Error: From<D::Error>,
    {
        ServerStore::with_options(dialect, backend, ServerOptions::new())
    }

    /// Creates a store with the given options. `dialect` is a [`Dialect`]. A codec, or
    /// [`KeyPairs`](crate::codec::KeyPairs), stand for the [native](Dialect::native) dialect with that
    /// codec.
    ///
    /// # Errors
    /// Returns a usage error in each of these cases:
    ///
    /// - The options contradict each other.
    /// - The codec is unsuitable, as in
    ///   [`CookieStore::with_options`](super::CookieStore::with_options).
    /// - The codec does not name its [`secure_cookies`](crate::codec::Codec::secure_cookies), and
    ///   the native dialect has no [`row_codec`](super::NativeDialect::row_codec).
    /// - The backend's rows are in the [layout](crate::backend::Layout) of another dialect.
    /// - The sessions of an owner are to be limited, but the backend does not support owners.
    pub fn with_options<D>(
        dialect: D,
        backend: impl IntoBackend,
        options: ServerOptions,
    ) -> Result<Self, Error>
    where
        D: TryInto<Dialect>,
        Error: From<D::Error>,
    {
        ServerStore::of_dialect(&dialect.try_into()?, backend.into_backend(), options)
    }

    fn of_dialect(
        dialect: &Dialect,
        backend: Arc<dyn Backend>,
        options: ServerOptions,
    ) -> Result<Self, Error> {
        let rules = dialect.rules();
        let ServerOptions {
            cookie,
            lifetime,
            max_sessions,
            longest_request,
            renewal_grace,
            fails_when_gone,
            save_timeout,
            max_concurrent_saves,
            watch_interval,
            clock,
            events,
            #[cfg(feature = "dbsc")]
            binding,
        } = options;
        if max_sessions.is_some() {
            let owners = backend.owners().ok_or_else(Error::no_owners)?;
            if !owners.can_list() {
                return Err(Error::usage(
                    "the backend cannot list the sessions of an owner, which max_sessions needs: \
                     remove it, or use another backend",
                ));
            }
        }
        if max_sessions == Some(0) {
            return Err(Error::usage(
                "max_sessions is 0, so that no owner could log in: set it to 1 or more",
            ));
        }
        let [longest_request, renewal_grace] =
            [longest_request, renewal_grace].map(in_whole_seconds);
        let longest_tombstone = longest_request.max(Duration::from_secs(1));
        if renewal_grace > longest_request {
            return Err(Error::usage(
                "renewal_grace is longer than longest_request, after which a renewal is forgotten: \
                 shorten renewal_grace, or raise longest_request",
            ));
        }
        if save_timeout.is_zero() || max_concurrent_saves == 0 {
            return Err(Error::usage(
                "save_timeout or max_concurrent_saves is 0, so that no session could be saved: set \
                 both to more than 0",
            ));
        }
        if watch_interval.is_zero() {
            return Err(Error::usage(
                "watch_interval is 0, so that the store would look all the time: set it to more \
                 than 0",
            ));
        }
        let lifetime = rules.adapt(lifetime.unwrap_or_else(|| rules.default_lifetime()));
        let legacy_cookie = rules.legacy_cookie_name().map(|name| {
            let options = cookie.of_other_program(name)?;
            CookieWriter::new(options)
        });
        #[cfg(feature = "dbsc")]
        let cookie_of_binding = cookie.clone();
        let mut setup = Setup::new(cookie, lifetime, rules.model(), dialect.is_shared())?;
        setup.clock = clock;
        setup.events = events;
        #[cfg(feature = "dbsc")]
        setup.bind(binding, rules.binding_codec(), &cookie_of_binding)?;
        setup.legacy_cookie = legacy_cookie.transpose()?;
        setup.replays = true;
        setup.fails_when_gone = fails_when_gone;
        setup.renewal_restarts = rules.renewal_restarts();
        if let Some(codec) = rules.codec() {
            setup.check_codec(codec)?;
        }
        let layout = backend.layout();
        dialect.check_layout(layout)?;
        let format = rules.format(&setup, layout)?;
        let rows = Rows {
            backend,
            format,
            lifetime: setup.lifetime.clone(),
            clock: setup.clock.clone(),
            longest_request,
            max_row_size: rules.max_row_size(),
            recent_moves: RecentMoves::new(longest_request),
            watcher: Watcher::new(watch_interval.min(longest_tombstone / 2)),
        };
        Ok(ServerStore(Arc::new(SharedStore {
            setup,
            rows,
            max_sessions,
            renewal_grace,
            saves: TaskTracker::new(),
            save_timeout,
            max_saves: max_concurrent_saves,
            permits: Semaphore::new(max_concurrent_saves.min(Semaphore::MAX_PERMITS)),
            urgent_permits: Semaphore::new(max_concurrent_saves.min(Semaphore::MAX_PERMITS)),
            draining: tokio::sync::Mutex::default(),
            locks: Arc::new(RowLocks::new(
                max_concurrent_saves.div_ceil(ONE_SESSIONS_PART),
            )),
        })))
    }

    /// Returns the backend, for example to purge it.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.0.rows.backend
    }

    /// Checks that the backend answers, in one cheap round trip within the backend's own timeout.
    /// Use it for a readiness probe, which takes a program out of service while it cannot serve
    /// sessions. (Do not use it for a liveness probe: a restart of the program does not repair a
    /// server.)
    ///
    /// ```
    /// # use silverback::session::ServerStore;
    /// /// The status for `GET /ready`.
    /// async fn ready(store: &ServerStore) -> u16 {
    ///     match store.ping().await {
    ///         Ok(()) => 204,
    ///         Err(error) => error.status(), // 503
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns an unavailable error if the backend does not answer.
    #[doc(alias = "health")]
    #[doc(alias = "readiness")]
    pub async fn ping(&self) -> Result<(), Error> {
        let answered = self.backend().ping().await;
        answered.map_err(Error::of_backend)
    }

    /// Lists the live sessions of an owner, the latest login first, for example as a list of
    /// devices. If sessions begin or end concurrently, the list may or may not include them.
    ///
    /// # Errors
    /// Returns an unavailable error if the backend does not answer. Returns a usage error if the
    /// backend does not support owners, or if [no login accepts](super::Session::login) the owner's
    /// name.
    #[doc(alias = "devices")]
    pub async fn list(&self, owner: &str) -> Result<Vec<StoredSession>, Error> {
        self.0.list(&owner_name(owner)?).await
    }

    /// Ends one of an owner's sessions by its [ID in the list](StoredSession::id), even if it was
    /// renewed since. Returns false if the owner has no such session.
    ///
    /// # Errors
    /// Returns an unavailable error if the backend does not answer. Its [outcome may be
    /// unknown](Error::is_outcome_unknown).
    pub async fn end(&self, owner: &str, id: &SessionId) -> Result<bool, Error> {
        let Ok(key) = Key::new(id.as_str()) else {
            return Ok(false);
        };
        match self.0.rows.look_up_renewed(&key).await? {
            rows::RowState::Live(row)
                if row
                    .data
                    .metadata
                    .owner()
                    .is_some_and(|of| of.as_str() == owner) =>
            {
                let ended = self.0.end_login(row.row_ref.seen()).await;
                observed::report_end(self, &row.row_ref, &ended);
                ended
            }
            _ => Ok(false),
        }
    }

    /// Ends all sessions of an owner at once: after a change of password, or when an account is
    /// closed. [`Session::end_others`](super::Session::end_others) keeps one session.
    ///
    /// # Errors
    /// Returns the errors of [`list`](ServerStore::list).
    pub async fn end_all(&self, owner: &str) -> Result<(), Error> {
        observed::end_all(self, &owner_name(owner)?).await
    }

    /// Finds the session under a row's key, whatever its owner. It is for operators, who get keys
    /// from a [scan](crate::backend::Scan). If there is no live session, returns a refusal:
    /// [gone](Refusal::Gone), past a limit, [too long](Refusal::TooLong) if the codec does not open
    /// a row of that length, or [not valid](Refusal::NotValid) if the row is not from this store.
    ///
    /// ```
    /// # use silverback::{backend::Memory, codec::{Codecs, KeyPairs}};
    /// use silverback::session::Lookup;
    /// # use silverback::session::{ServerStore, testing::Jar};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// # let store = ServerStore::new(codecs, Memory::new())?;
    /// # Jar::with(store.clone(), |session| session.login("ape")).await?;
    /// # let mut found = 0;
    /// let scan = store.backend().scan().ok_or("it cannot list its records")?;
    /// for entry in scan.page(None, 100).await?.entries {
    ///     if let Lookup::Found(session) = store.find(&entry.key).await? {
    ///         println!("{:?} was here at {:?}", session.owner(), session.last_seen());
    /// #       found += 1;
    ///     }
    /// }
    /// # assert_eq!(found, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns an unavailable error if the backend does not answer.
    pub async fn find(&self, key: &Key) -> Result<Lookup<StoredSession>, Error> {
        let found = self.0.find_any(key).await?;
        let found = found.map(|row| StoredSession::new(self.0.rows.format.public_id(key), row));
        Ok(found.into())
    }

    /// Finds the session of a cookie's value, outside of any request, as
    /// [`find`](ServerStore::find) does. This is not noted as a use of the session.
    ///
    /// # Errors
    /// Returns an unavailable error if the backend does not answer.
    pub async fn find_by_cookie(&self, cookie: &str) -> Result<Lookup<StoredSession>, Error> {
        let rows = &self.0.rows;
        match rows.format.open_id(cookie, self.0.setup.now())? {
            Ok(opened) => self.find(&rows.format.key(&opened.id)?).await,
            Err(refusal) => Ok(Lookup::Refused(refusal)),
        }
    }

    /// Ends the session under a row's key, whatever its owner, even if another request renews or
    /// replaces it concurrently. It is for operators. A handler gets its IDs from clients, and
    /// should use [`end`](ServerStore::end), which checks the owner. Returns the session that was
    /// ended, or a refusal as [`find`](ServerStore::find) does.
    ///
    /// # Errors
    /// Returns an unavailable error if the backend does not answer. Its [outcome may be
    /// unknown](Error::is_outcome_unknown).
    pub async fn end_by_key(&self, key: &Key) -> Result<Lookup<StoredSession>, Error> {
        let row = match self.0.find_any(key).await? {
            Ok(row) => row,
            Err(refusal) => return Ok(Lookup::Refused(refusal)),
        };
        let ended = self.0.end(row.row_ref.seen()).await;
        observed::report_end(self, &row.row_ref, &ended);
        Ok(match ended? {
            true => Lookup::Found(StoredSession::new(self.0.rows.format.public_id(key), row)),
            false => Lookup::Refused(Refusal::Gone),
        })
    }

    /// Returns the number of [`Session::ended`](super::Session::ended) futures that wait, for
    /// example as a gauge. A future that was dropped does not count.
    #[must_use]
    pub fn watched_sessions(&self) -> usize {
        self.0.rows.watcher.count()
    }

    /// Waits until no save is in flight. Call it before the program ends, when the server has
    /// stopped accepting requests: while requests keep saving, it does not return.
    #[doc(alias = "graceful")]
    #[doc(alias = "shutdown")]
    pub async fn drain(&self) {
        // A second drain would wait on a tracker that the first one has opened again.
        let _turn = self.0.draining.lock().await;
        self.0.saves.close();
        self.0.saves.wait().await;
        self.0.saves.reopen();
    }
}

/// Rounds up to whole seconds, since the clocks count only those.
fn in_whole_seconds(time: Duration) -> Duration {
    let part = u64::from(time.subsec_nanos() > 0);
    Duration::from_secs(time.as_secs().saturating_add(part))
}

#[async_trait]
impl Storage for ServerStore {
    fn setup(&self) -> &Setup {
        &self.0.setup
    }

    async fn load(&self, cookie: &str) -> Result<Loaded, Error> {
        match self.0.rows.format.open_id(cookie, self.0.setup.now())? {
            Ok(opened) => self.0.load(opened).await,
            Err(refusal) => Ok(Loaded::of_refused_cookie(refusal)),
        }
    }

    async fn load_legacy(&self, cookie: &str) -> Result<Loaded, Error> {
        let now = self.0.setup.now();
        match self.0.rows.format.open_legacy_cookie(cookie, now) {
            Ok(opened) => self.0.load_unproven(opened).await,
            Err(refusal) => Ok(Loaded::Refused(refusal)),
        }
    }

    async fn save(
        &self,
        save: SaveRequest,
        dropped: CancellationToken,
    ) -> Result<SaveResult, Error> {
        // The session that this one replaces ends, even if the client has hung up.
        let dropped = match save.id_change {
            IdChange::Replaced { .. } => CancellationToken::new(),
            IdChange::Same | IdChange::Renewed => dropped,
        };
        let caller = Caller::new(self.0.save_timeout, dropped);
        self.0.save(save, &caller).await
    }

    async fn reload(&self, row_ref: &RowRef) -> Result<Option<SessionData>, Error> {
        let found = self.0.rows.look_up_renewed(&row_ref.key).await?;
        let rows::RowState::Live(row) = found else {
            return Ok(None);
        };
        let row = self.0.judge(*row).ok();
        let is_same = |row: &LiveRow| row.data.metadata.login == row_ref.login;
        Ok(row.filter(is_same).map(|row| row.data))
    }

    async fn ended(&self, metadata: &Metadata, row_ref: Option<&RowRef>) -> SessionEnd {
        match row_ref {
            Some(row_ref) => self.watch(self.watched(metadata, row_ref)).await.0,
            None => SessionEnd::Unwatched,
        }
    }

    fn public_id(&self, row_ref: &RowRef) -> Option<SessionId> {
        Some(self.0.rows.format.public_id(&row_ref.key))
    }

    async fn end(&self, row_ref: &RowRef) -> Result<bool, Error> {
        self.0.end(row_ref.seen()).await
    }

    fn can_end_unchanged(&self) -> bool {
        true
    }

    async fn end_unchanged(&self, row_ref: &RowRef) -> Result<bool, Error> {
        self.0.end_unchanged(row_ref.seen()).await
    }

    async fn end_all(&self, owner: &OwnerName) -> Result<(), Error> {
        self.0.end_all(owner).await
    }

    fn saves(&self) -> Option<&TaskTracker> {
        Some(&self.0.saves)
    }
}

/// Shows the cookie's name and the lifetime, and no keys.
impl fmt::Debug for ServerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerStore")
            .field("name", &self.0.setup.cookie.name())
            .field("lifetime", &self.0.setup.lifetime)
            .finish_non_exhaustive()
    }
}
