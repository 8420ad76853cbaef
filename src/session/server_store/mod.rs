//! [`ServerStore`]: the cookie carries a signed ID, and the session lives in a server.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | how a store is built, and what operators ask of it |
//! | `loads.rs` | the session of an ID that a client sent |
//! | `saves.rs` | what a save asks of the rows |
//! | `row_locks.rs` | which request of this process writes to a row, and which wait |
//! | `shared_writes.rs` | saves of one session that are written together |
//! | `owners.rs` | which sessions an owner has, how a login begins, and how others end |
//! | `limit.rs` | which sessions end where an owner has too many |

mod limit;
mod loads;
mod owners;
mod row_locks;
mod saves;
mod shared_writes;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::{Backend, Key};
use crate::codec::Codec;

use super::backend_epochs::no_owners;
use super::caller::Caller;
use super::content::Content;
use super::data_model::DataModel;
use super::recent_moves::RecentMoves;
use super::rows::{LiveRow, Lookup, Rows};
use super::server_options::ServerOptions;
use super::store::{Backing, Kept, Loaded, Save, Saved, Setup};
use super::{Error, Refusal, StoredSession};
use row_locks::RowLocks;

/// Keeps each session in a [`Backend`], and in the cookie no more than a random ID, sealed by
/// a codec.
///
/// ```
/// use std::sync::Arc;
/// use silverback::backend::Memory;
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::ServerStore;
///
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?; // or KeyPairs::from_env("SILVERBACK_KEYS")?
/// let store = ServerStore::new(codecs, Arc::new(Memory::new()))?; // or backend::connect(url).await?
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What it keeps, whatever happens at the same time
///
/// - **Logout sticks.** A request that loaded the session before a
///   [logout](super::Session::logout) saves nothing after it, and its response sets no cookie
///   ([gone](Error::is_gone)). What ends leaves a tombstone, for as long as the
///   [longest request](ServerOptions::longest_request) takes. A logout also ends a session that
///   another request has renewed, whether it loaded the session before that or arrives with the
///   old ID after.
/// - **At most one ID opens a session.** A [renewal](super::Session::renew) is one
///   compare-and-swap: before it the old ID is good, after it the new one, and never both. (A
///   [`renewal_grace`](ServerOptions::renewal_grace) lets the old one read.)
/// - **A renewal loses no work.** A request that loaded the session before it saves its changes
///   in the session under the new ID, and sets no cookie.
/// - **A late request never replaces a good cookie.** A request that arrives with an ID that a
///   login or a renewal has replaced sees an anonymous session ([moved](Refusal::Moved)): its
///   changes are not kept, and its response sets and removes no cookie. [`renewal_grace`](
///   ServerOptions::renewal_grace) lets it read.
/// - **No update is lost.** If another request has saved the session, this request's
///   [changes](super::Session::update) are made again on what is there. If somebody
///   has logged in or out, or the owner's sessions were revoked, this request is gone instead:
///   [`fail_when_gone`](ServerOptions::fail_when_gone) says what its client gets. A request that
///   asked to end other sessions in vain gets an error.
/// - **Nothing is done twice.** A write whose answer was lost is looked for, by a random
///   mark. Where nobody can tell whether it was done, that is the
///   [error](Error::is_outcome_unknown).
/// - **Unknown IDs are never adopted**: a session that is written to gets a fresh one.
/// - **A vanished client leaves a whole save or none**: saves run in tasks of their own;
///   [`drain`](ServerStore::drain) waits for them. A write that has begun is finished. A save that
///   still waits for other requests is not done.
/// - **One hot session slows no other.** Requests of this process that save one session at the same
///   time are written together: each waits for the write in flight, and costs no write of its
///   own. A logout goes before all that wait. [`save_timeout`](ServerOptions::save_timeout) and
///   [`max_concurrent_saves`](ServerOptions::max_concurrent_saves) bound how long and how many wait.
///
/// Where there is a tokio runtime it must have its timers enabled.
///
/// Expired rows stay in a backend that does not drop them by itself until they are purged:
/// keep a [`Cleanup`](crate::backend::Cleanup) for it.
///
/// It wants a backend with one primary: not a replica to read from, and nothing that forgets
/// what it acknowledged.
///
/// # What strangers can make
///
/// Anyone can begin sessions without a login. They are kept for 10 minutes without use
/// ([`anonymous_idle`](ServerOptions::anonymous_idle)), and no session is larger than 64 KiB
/// ([`max_row_size`](ServerOptions::max_row_size)). [Backends](crate::backend#records-of-strangers)
/// differ in how many they hold.
///
/// # What the server learns
///
/// A row's key is the hash of the ID, and the row is encrypted and sealed to its place under
/// keys of its own, so whoever reads or writes the server's rows can neither use nor make a
/// session, nor move one to another ID. They see who is logged in (owners are listed in the
/// clear), when a row expires and how long it is, and could put an older state of a row back.
#[derive(Clone)]
pub struct ServerStore(Arc<Shared>);

struct Shared {
    setup: Setup,
    rows: Rows,
    at_most: Option<usize>,
    renewal_grace: Duration,
    saves: TaskTracker,
    save_timeout: Duration,
    max_saves: usize,
    /// One for each save in flight.
    permits: Semaphore,
    locks: Arc<RowLocks>,
}

/// Of how many saves in flight one may wait to save a session that another request saves: one
/// session never takes the room of all.
const ONE_SESSIONS_PART: usize = 4;

impl ServerStore {
    /// A store with the default cookie and lifetime: `__Host-id`, 30 minutes idle and 12
    /// hours in all.
    ///
    /// # Errors
    /// As [`with_options`](ServerStore::with_options).
    pub fn new(codec: impl Codec + 'static, backend: Arc<dyn Backend>) -> Result<Self, Error> {
        ServerStore::with_options(codec, backend, ServerOptions::new())
    }

    /// A store with options of your own.
    ///
    /// # Errors
    /// Usage, for options that do not go together, and for a codec as in
    /// [`CookieStore::with_options`](super::CookieStore::with_options); for one that does not
    /// name its [`secure_cookies`](Codec::secure_cookies), unless there is a
    /// [`row_codec`](ServerOptions::row_codec); and to limit the sessions of an owner in a
    /// backend that knows no owners.
    pub fn with_options(
        codec: impl Codec + 'static,
        backend: Arc<dyn Backend>,
        options: ServerOptions,
    ) -> Result<Self, Error> {
        let codec: Arc<dyn Codec> = Arc::new(codec);
        let bounds = options.bounds()?;
        let ServerOptions {
            cookie,
            lifetime,
            store_name,
            row_codec,
            at_most,
            longest_request,
            renewal_grace,
            fails_when_gone,
            save_timeout,
            max_concurrent_saves,
            clock,
            dialect,
            known_types,
            ..
        } = options;
        if at_most.is_some() && backend.owners().is_none() {
            return Err(no_owners());
        }
        if at_most == Some(0) {
            return Err(Error::usage(
                "an owner has at least one session, or none logs in",
            ));
        }
        let [longest_request, renewal_grace] =
            [longest_request, renewal_grace].map(in_whole_seconds);
        if renewal_grace > longest_request {
            return Err(Error::usage(
                "the renewal grace is longer than the longest request, after which a renewal is \
                 forgotten",
            ));
        }
        if save_timeout.is_zero() || max_concurrent_saves == 0 {
            return Err(Error::usage(
                "no session could ever be saved: save_timeout and max_concurrent_saves must not be \
                 zero",
            ));
        }
        let persists = cookie.is_persistent(dialect.is_shared());
        let mut lifetime = lifetime.unwrap_or_else(|| dialect.default_lifetime());
        if let Some(idle) = bounds.anonymous_idle {
            lifetime = lifetime.with_anonymous_idle(idle);
        }
        let mut setup = Setup::new(cookie, lifetime, DataModel::default())?;
        setup.clock = clock;
        setup.replays = true;
        setup.fails_when_gone = fails_when_gone;
        setup.speak(dialect, persists);
        if dialect.uses_codec() {
            setup.check_codec(&*codec)?;
        }
        dialect.check_layout(backend.layout())?;
        let layout = backend.layout();
        setup.model = dialect.model(&codec.serializer(), known_types)?;
        let (format, model) = dialect.format(codec, row_codec, &store_name, &setup, layout)?;
        setup.model = model;
        let rows = Rows {
            backend,
            format,
            lifetime: setup.lifetime.clone(),
            clock: setup.clock.clone(),
            longest_request,
            max_row_size: bounds.max_row_size,
            recent_moves: RecentMoves::new(longest_request),
        };
        Ok(ServerStore(Arc::new(Shared {
            setup,
            rows,
            at_most,
            renewal_grace,
            saves: TaskTracker::new(),
            save_timeout,
            max_saves: max_concurrent_saves,
            permits: Semaphore::new(max_concurrent_saves.min(Semaphore::MAX_PERMITS)),
            locks: Arc::new(RowLocks::new(
                max_concurrent_saves.div_ceil(ONE_SESSIONS_PART),
            )),
        })))
    }

    /// The backend, to purge it, say.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.0.rows.backend
    }

    /// Asks the backend for an answer, in one cheap round trip within the backend's own timeout:
    /// for a readiness probe, which takes a program out of service while it cannot serve
    /// sessions. (A liveness probe should not ask: a restart mends no server.)
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
    /// Unavailable.
    pub async fn ping(&self) -> Result<(), Error> {
        let answered = self.backend().ping().await;
        answered.map_err(Error::of_backend)
    }

    /// The living sessions of an owner, the latest login first: their devices, as far as the
    /// values say. One may come or go while they are listed.
    ///
    /// # Errors
    /// Unavailable; usage, for a backend that knows no owners, and for a name that
    /// [no login takes](super::Session::login).
    pub async fn list(&self, owner: &str) -> Result<Vec<StoredSession>, Error> {
        self.0.list(owner).await
    }

    /// Ends one of an owner's sessions, by its [ID in the list](StoredSession::id), also if it
    /// was renewed since. False, if the owner has no such session.
    ///
    /// # Errors
    /// Unavailable; [outcome unknown](Error::is_outcome_unknown).
    pub async fn end(&self, owner: &str, id: &str) -> Result<bool, Error> {
        let Ok(key) = Key::new(id) else {
            return Ok(false);
        };
        match self.0.rows.look_up_renewed(&key).await? {
            (key, Lookup::Live(row)) if owner_name(&row.content) == Some(owner) => {
                self.0.end_row(key, *row).await
            }
            _ => Ok(false),
        }
    }

    /// Ends all sessions of an owner at once: after a password was changed, or an account
    /// closed. [`Session::destroy_others`](super::Session::destroy_others) spares one.
    ///
    /// # Errors
    /// As [`list`](ServerStore::list).
    pub async fn revoke(&self, owner: &str) -> Result<(), Error> {
        Backing::revoke(self, owner).await
    }

    /// The session under a row's key, whosever it is: for operators, who have keys from a
    /// [scan](crate::backend::Scan). A refusal where there is none that lives:
    /// [gone](Refusal::Gone), past a limit, or [not valid](Refusal::NotValid), for what is not
    /// this store's.
    ///
    /// ```
    /// # use silverback::{backend::Memory, codec::{Codecs, KeyPairs}};
    /// # use silverback::session::{ServerStore, testing::Jar};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// # let store = ServerStore::new(codecs, std::sync::Arc::new(Memory::new()))?;
    /// # Jar::with(store.clone(), |session| session.login("ape")).await?;
    /// # let mut found = 0;
    /// let scan = store.backend().scan().ok_or("it cannot list its records")?;
    /// for entry in scan.page(None, 100).await?.entries {
    ///     if let Ok(session) = store.find(&entry.key).await? {
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
    /// Unavailable.
    pub async fn find(&self, key: &Key) -> Result<Result<StoredSession, Refusal>, Error> {
        let found = self.0.find_any(key).await?;
        Ok(found.map(|row| StoredSession::new(self.0.rows.format.name_of(key), row)))
    }

    /// The session that a cookie's value stands for, outside of any request: nothing is noted
    /// of its use. As [`find`](ServerStore::find).
    ///
    /// # Errors
    /// Unavailable.
    pub async fn find_by_cookie(
        &self,
        cookie: &str,
    ) -> Result<Result<StoredSession, Refusal>, Error> {
        let rows = &self.0.rows;
        match rows.format.open_id(cookie, self.0.setup.now())? {
            Ok(opened) => self.find(&rows.format.key(&opened.id)?).await,
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// Ends the session under a row's key, whosever it is, wherever it goes on meanwhile: for
    /// operators. A handler, who has an ID from a client, [ends](ServerStore::end) only what
    /// is its owner's. A refusal, if there was none to end, as in [`find`](ServerStore::find).
    ///
    /// # Errors
    /// Unavailable; [outcome unknown](Error::is_outcome_unknown).
    pub async fn end_found(&self, key: &Key) -> Result<Result<(), Refusal>, Error> {
        let row = match self.0.find_any(key).await? {
            Ok(row) => row,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(match self.0.end_row(key.clone(), row).await? {
            true => Ok(()),
            false => Err(Refusal::Gone),
        })
    }

    /// Waits until nothing is being saved any more: before the program ends, after the last
    /// request has.
    pub async fn drain(&self) {
        self.0.saves.close();
        self.0.saves.wait().await;
        self.0.saves.reopen();
    }
}

/// A part of a second counts as a whole one: clocks tell no less.
fn in_whole_seconds(time: Duration) -> Duration {
    let part = u64::from(time.subsec_nanos() > 0);
    Duration::from_secs(time.as_secs().saturating_add(part))
}

fn owner_name(content: &Content) -> Option<&str> {
    let login = content.metadata.login.as_ref()?;
    Some(&login.owner)
}

impl Shared {
    async fn end_row(&self, key: Key, row: LiveRow) -> Result<bool, Error> {
        let seen = super::protocol::Seen {
            key,
            revision: Some(row.revision),
            login: row.content.metadata.login,
        };
        self.end(seen).await
    }
}

#[async_trait]
impl Backing for ServerStore {
    fn setup(&self) -> &Setup {
        &self.0.setup
    }

    async fn load(&self, cookie: &str) -> Result<Loaded, Error> {
        match self.0.rows.format.open_id(cookie, self.0.setup.now())? {
            Ok(opened) => self.0.load(opened).await,
            Err(refusal) => Ok(Loaded::of_refused_cookie(refusal)),
        }
    }

    async fn save(&self, save: Save, dropped: CancellationToken) -> Result<Saved, Error> {
        let caller = Caller::new(self.0.save_timeout, dropped);
        self.0.save(save, &caller).await
    }

    async fn reload(&self, kept: &Kept) -> Result<Option<Content>, Error> {
        let (_, found) = self.0.rows.look_up_renewed(&kept.key).await?;
        let Lookup::Live(row) = found else {
            return Ok(None);
        };
        let row = self.0.judge(*row).ok();
        let is_same = |row: &LiveRow| row.content.metadata.login == kept.login;
        Ok(row.filter(is_same).map(|row| row.content))
    }

    fn name_of(&self, key: &Key) -> Option<String> {
        Some(self.0.rows.format.name_of(key))
    }

    async fn end(&self, kept: &Kept) -> Result<bool, Error> {
        self.0.end(kept.seen()).await
    }

    async fn revoke(&self, owner: &str) -> Result<(), Error> {
        self.0.revoke(owner).await
    }

    fn saves(&self) -> Option<&TaskTracker> {
        Some(&self.0.saves)
    }
}

/// The cookie's name and the lifetime; nothing of keys.
impl fmt::Debug for ServerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerStore")
            .field("name", &self.0.setup.cookie.name())
            .field("lifetime", &self.0.setup.lifetime)
            .finish_non_exhaustive()
    }
}
