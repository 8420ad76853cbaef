//! [`ServerStore`]: the cookie carries a signed ID, and the session lives in a server.

mod owners;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::task::TaskTracker;

use crate::backend::{Backend, Key, Outcome};
use crate::codec::{Codec, UnixTime};

use super::backend_epochs::no_owners;
use super::content::Content;
use super::data_model::DataModel;
use super::dialect::OpenedId;
use super::id::Id;
use super::metadata::Metadata;
use super::protocol::{Intent, Successor, Work};
use super::recent_moves::RecentMoves;
use super::rows::{Driven, LiveRow, Lookup, Rows};
use super::server_options::ServerOptions;
use super::store::{Backing, Fate, Kept, Loaded, Moved, Record, Save, Saved, Setup};
use super::{Epoch, Error, Refusal, StoredSession, Values};

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
///   compare-and-swap: before it the old ID is good, after it the new one, and never both.
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
///   [`drain`](ServerStore::drain) waits for them.
///
/// Where there is a tokio runtime it must have its timers enabled.
///
/// Expired rows stay in a backend that does not drop them by itself until they are purged:
/// keep a [`Cleanup`](crate::backend::Cleanup) for it.
///
/// It wants a backend with one primary: not a replica to read from, and nothing that forgets
/// what it acknowledged.
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
}

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
        let ServerOptions {
            cookie,
            lifetime,
            store_name,
            row_codec,
            at_most,
            longest_request,
            renewal_grace,
            fails_when_gone,
            clock,
            dialect,
            known_types,
        } = options;
        if at_most.is_some() && backend.owners().is_none() {
            return Err(no_owners());
        }
        if at_most == Some(0) {
            return Err(Error::usage(
                "an owner has at least one session, or none logs in",
            ));
        }
        if renewal_grace > longest_request {
            return Err(Error::usage(
                "the renewal grace is longer than the longest request, after which a renewal is \
                 forgotten",
            ));
        }
        let persists = cookie.is_persistent(dialect.is_shared());
        let lifetime = lifetime.unwrap_or_else(|| dialect.default_lifetime());
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
            recent_moves: RecentMoves::new(longest_request),
        };
        Ok(ServerStore(Arc::new(Shared {
            setup,
            rows,
            at_most,
            renewal_grace,
            saves: TaskTracker::new(),
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
    /// Unavailable; usage, for a backend that knows no owners.
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
    /// Unavailable; usage, for a backend that knows no owners.
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
    /// for entry in scan.page(None, 100).await? {
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

fn owner_name(content: &Content) -> Option<&str> {
    let login = content.metadata.login.as_ref()?;
    Some(&login.owner)
}

/// Where a session is that was read from its row.
fn kept(key: Key, row: &LiveRow) -> Kept {
    Kept {
        id: None,
        key,
        revision: Some(row.revision.clone()),
        login: row.content.metadata.login.clone(),
        expiry: row.expiry,
        is_stale: false,
    }
}

impl Shared {
    async fn end_row(&self, key: Key, row: LiveRow) -> Result<bool, Error> {
        let seen = super::protocol::Seen {
            key,
            revision: Some(row.revision),
            login: row.content.metadata.login,
        };
        let driven = self.rows.drive(Intent::End { seen }, None).await?;
        Ok(matches!(driven, Driven::Ended))
    }

    /// The session under that key, if it is one that lives.
    async fn find(&self, key: &Key) -> Result<Result<LiveRow, Refusal>, Error> {
        Ok(match self.rows.look_up(key).await? {
            Lookup::Live(row) => self.judge(*row),
            Lookup::Missing | Lookup::Ended => Err(Refusal::Gone),
            Lookup::Moved(..) => Err(Refusal::Moved),
            Lookup::Refused(refusal) => Err(self.refused(refusal)),
        })
    }

    /// Refuses a session that is past its limits.
    fn judge(&self, row: LiveRow) -> Result<LiveRow, Refusal> {
        let metadata = &row.content.metadata;
        metadata.check(&self.setup.lifetime, self.setup.now())?;
        Ok(row)
    }

    fn refused(&self, refusal: Refusal) -> Refusal {
        if refusal == Refusal::NotValid {
            let cookie = self.setup.cookie.name();
            tracing::error!(cookie, "a session's row is not valid");
        }
        refusal
    }

    /// The same, where a row that is too long is no error but a refusal, told to the log.
    async fn find_any(&self, key: &Key) -> Result<Result<LiveRow, Refusal>, Error> {
        match self.find(key).await {
            Err(error) if error.is_too_large() => {
                tracing::error!(cookie = self.setup.cookie.name(), %error);
                Ok(Err(Refusal::TooLong))
            }
            found => found,
        }
    }

    /// The session of an ID that a client sent.
    async fn load(&self, opened: OpenedId) -> Result<Loaded, Error> {
        let key = self.rows.format.key(&opened.id)?;
        let row = match self.rows.look_up(&key).await? {
            Lookup::Live(row) => *row,
            Lookup::Moved(to, at) => return self.load_moved(to, at).await,
            // Until the tombstone is over, the client may have a good cookie by now. So it may
            // where ends and moves leave none.
            Lookup::Missing if self.rows.format.has_tombstones() => {
                return Ok(Loaded::Dead(Refusal::Gone));
            }
            Lookup::Missing | Lookup::Ended => return Ok(Loaded::Refused(Refusal::Gone)),
            Lookup::Refused(refusal) => {
                return Ok(Loaded::of_refused_cookie(self.refused(refusal)));
            }
        };
        let row = match self.judge(row) {
            Ok(row) => row,
            Err(refusal) => return Ok(Loaded::Dead(refusal)),
        };
        let kept = Kept {
            id: Some(opened.id),
            is_stale: opened.is_stale,
            ..kept(key, &row)
        };
        Ok(Loaded::Live(Box::new(Record {
            content: row.content,
            sealed_at: opened.sealed_at,
            kept: Some(Arc::new(kept)),
        })))
    }

    /// A session whose ID is an old one.
    async fn load_moved(&self, to: Successor, at: UnixTime) -> Result<Loaded, Error> {
        let mut moved = Moved::default();
        if to.is_renewal {
            let is_granted = self.setup.now().since(at) < self.renewal_grace;
            let (key, found) = self.rows.look_up_renewed(&to.key).await?;
            if let Lookup::Live(row) = found
                && let Ok(row) = self.judge(*row)
            {
                moved.renewed = Some(Arc::new(kept(key, &row)));
                // Only a login has anything to lose from an empty page, and its renewal was
                // no change of who it is.
                moved.content =
                    (is_granted && row.content.metadata.login.is_some()).then_some(row.content);
            }
        }
        Ok(Loaded::Moved(Box::new(moved)))
    }

    /// Whether use is noted by the row's expiry alone, and not within the row.
    fn can_touch(&self, content: &Content) -> bool {
        let keeps_expiries = self.rows.backend.layout().keeps_expiries();
        keeps_expiries && !self.setup.cookie_life.redates(&content.metadata)
    }

    /// Notes that a session was used.
    async fn touch(&self, save: &Save, kept: &Kept) -> Result<Saved, Error> {
        let until = self.rows.expiry(&save.content.metadata);
        let saved = |kept: Kept, cookie: Option<String>| Saved {
            cookie,
            epoch: epoch_of(&save.content),
            kept: Some(Arc::new(kept)),
            merged: None,
        };
        // Its deadline is near: it lives as long as it may.
        let (true, Some(seen)) = (until > kept.expiry, &kept.revision) else {
            return Ok(saved(kept.clone(), None));
        };
        let touched = self.rows.backend.touch(&kept.key, seen, until).await;
        match touched.map_err(Error::of_backend)? {
            Outcome::Gone => Err(Error::gone()),
            // Whoever saved it meanwhile has noted it, too.
            Outcome::Conflict => Ok(saved(kept.outdated(), None)),
            Outcome::Done(revision) => {
                let cookie = match kept.is_stale || save.wants_cookie {
                    true => self.seal(kept.id.as_ref(), save)?,
                    false => None,
                };
                let touched = Kept {
                    revision: Some(revision),
                    expiry: until,
                    is_stale: false,
                    ..kept.clone()
                };
                Ok(saved(touched, cookie))
            }
        }
    }

    /// What the cookie of that ID holds; none, if the ID is not known here.
    fn seal(&self, id: Option<&Id>, save: &Save) -> Result<Option<String>, Error> {
        let sealed = id.map(|id| self.rows.format.seal_id(id, save.sealed_at));
        sealed.transpose()
    }

    /// The ID that a session is to have, and the key of its row.
    fn place(&self, save: &Save) -> Result<(Option<Id>, Key), Error> {
        match (&save.kept, save.fate) {
            (Some(kept), Fate::Stays) => Ok((kept.id.clone(), kept.key.clone())),
            _ => {
                let id = self.rows.format.new_id()?;
                let key = self.rows.format.key(&id)?;
                Ok((Some(id), key))
            }
        }
    }

    async fn save(&self, save: &Save) -> Result<Saved, Error> {
        let is_new = save.kept.is_none() || save.fate != Fate::Stays;
        let (id, key) = self.place(save)?;
        if save.revokes_others {
            // What cannot be written revokes nobody.
            let longest = Epoch::longest_generation();
            let content = save.content.clone().of_epoch(Some(&longest));
            self.rows.check(&key, content)?;
        }
        let is_stale = save.kept.as_ref().is_some_and(|kept| kept.is_stale);
        let cookie = match is_new || is_stale || save.wants_cookie {
            true => self.seal(id.as_ref(), save)?,
            false => None,
        };
        let epoch = self.epoch(save).await?;
        let is_login = is_new && save.fate != Fate::Renewed;
        let older = match is_login {
            true => self.there_already(&save.content).await,
            false => Ok(Vec::new()),
        };
        let content = save.content.clone().of_epoch(epoch.as_ref());
        let again = |fresh: Option<&Content>| merge(save, epoch.as_ref(), fresh);
        let work = Work {
            content,
            again: &again,
        };
        let intended = key.clone();
        let driven = self.rows.drive(intent(save, key), Some(work)).await?;
        let Driven::Saved {
            key,
            revision,
            content,
            is_merged,
        } = driven
        else {
            return Err(match save.revokes_others {
                true => Error::gone_having_revoked(),
                false => Error::gone(),
            });
        };
        // Another request has renewed the session, and its response has the cookie.
        let (id, cookie) = match key == intended {
            true => (id, cookie),
            false => (None, None),
        };
        let kept = Kept {
            id,
            key,
            revision: Some(revision),
            login: content.metadata.login.clone(),
            expiry: self.rows.expiry(&content.metadata),
            is_stale: false,
        };
        let ended = match older {
            Ok(older) if is_login => self.end_the_oldest(&content, &kept, &older).await,
            older => older.map(drop),
        };
        if let Err(error) = ended {
            // The session is there, and its client is to have it.
            let cookie = self.setup.cookie.name();
            tracing::error!(cookie, %error, "an owner may have more sessions than allowed");
        }
        Ok(Saved {
            cookie,
            epoch,
            kept: Some(Arc::new(kept)),
            merged: is_merged.then_some(content),
        })
    }
}

fn epoch_of(content: &Content) -> Option<Epoch> {
    content.metadata.login.as_ref()?.epoch.clone()
}

/// What there is to do for a session, and where it is from now on.
fn intent(save: &Save, key: Key) -> Intent<Content> {
    match (&save.kept, save.fate) {
        (None, _) => Intent::Create { key },
        (Some(kept), Fate::Stays) => Intent::Save { seen: kept.seen() },
        (Some(kept), Fate::Renewed) => Intent::Renew {
            seen: kept.seen(),
            to: key,
        },
        (Some(kept), Fate::Replaced { keeps }) => Intent::Replace {
            seen: kept.seen(),
            to: key,
            keeps,
        },
    }
}

/// What a session holds where this request's changes are made again: on what others saved,
/// or on nothing.
fn merge(save: &Save, epoch: Option<&Epoch>, fresh: Option<&Content>) -> Result<Content, Error> {
    let mut content = fresh.cloned().unwrap_or_else(|| Content {
        values: Values::of_model(save.content.values.model().clone()),
        metadata: save.content.metadata.clone(),
    });
    let ends = |of: &Metadata| (of.remembered, of.deadline);
    let before = ends(&content.metadata);
    save.log.replay(&mut content)?;
    match save.fate {
        Fate::Replaced { .. } => content.metadata = save.content.metadata.clone(),
        Fate::Stays | Fate::Renewed => {
            let metadata = &mut content.metadata;
            metadata.seen = metadata.seen.max(save.content.metadata.seen);
            // Another request may have renewed the session: then the cookie of this response
            // is not the client's, and the next response has to set it.
            let is_changed = ends(metadata) != before;
            metadata.owes_cookie = is_changed || metadata.owes_cookie && !save.wants_cookie;
        }
    }
    Ok(content.of_epoch(epoch))
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

    async fn save(&self, save: Save) -> Result<Saved, Error> {
        match &save.kept {
            // Without an expiry beside the row, use is noted within.
            Some(kept) if save.is_touch && !save.owed_cookie && self.0.can_touch(&save.content) => {
                self.0.touch(&save, kept).await
            }
            _ => self.0.save(&save).await,
        }
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
        let seen = kept.seen();
        let driven = self.0.rows.drive(Intent::End { seen }, None).await?;
        Ok(matches!(driven, Driven::Ended))
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
