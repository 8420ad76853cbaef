//! [`CookieStore`]: the whole session is in the cookie, and no server stores anything.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::backend::{Change, Expiry, Generation, Generations, IntoBackend, OwnerName};
use crate::codec::{Codec, IntoCodec, KeyPairs, Opened, SecureCookie, UnixTime};

use super::backend_generations::BackendGenerations;
use super::data_model::DataModel;
use super::events::{Events, Observer};
use super::expiry::expiry_of;
use super::login::{Begun, Login, owner_name};
use super::metadata::Metadata;
use super::observed;
use super::room::longest_payload;
use super::session_data::SessionData;
use super::setup::{Clock, Setup};
use super::store::{Loaded, LoadedSession, RowRef, SaveRequest, SaveResult, Storage};
use super::watcher::{self, WATCH_INTERVAL, WatchedSession, Watcher};
use super::{CookieOptions, Error, Lifetime, Refusal, SessionEnd, Values};

/// Keeps each session in its cookie, sealed by a codec. The cookies are those of gorilla's
/// `CookieStore`, byte for byte: a Go program with the same keys and cookie name shares the
/// sessions.
///
/// ```
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::CookieStore;
///
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?; // or KeyPairs::from_env("SILVERBACK_KEYS")?
/// let store = CookieStore::new(codecs)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Limits
///
/// The store keeps no record of the cookies that it has issued. Therefore:
///
/// - **A logout removes the cookie from that browser only.** An earlier copy of the cookie keeps
///   working until its idle limit or its absolute limit has passed. With
///   [`revocable`](CookieStore::revocable), all sessions of an owner can be ended.
/// - **Of two concurrent requests, the later response wins.** The changes of the other request are
///   lost. A slow response can also undo the change of a faster one, even a logout.
/// - A client that sends an old cookie again returns to the old session.
///
/// Store nothing in such a session that must not be replayed or lost, such as balances or one-time
/// tokens. Without a block key, clients can also read their sessions.
///
/// Never use one cookie name and key both here and in a gorilla store that keeps its sessions in a
/// server: the text of a row would be a valid cookie.
///
/// # Dates
///
/// A session's cookie keeps the date on which the session began, even when it is sealed again. (A
/// [login](super::Session::login) begins a new session.) Thus the codec's `max_age` limits the
/// whole session, also for a Go program that reads it. A cookie that a Go program writes has the
/// date of that write, and the write counts as use of the session.
///
/// With a lifetime [without an absolute limit](Lifetime::without_absolute), `max_age` does not
/// limit the session: each save gives the cookie a new date, as gorilla does. To share sessions
/// with a Go program that has gorilla's default `MaxAge` of 30 days, give both sides the same
/// limits:
///
/// ```
/// # use std::time::Duration;
/// # use silverback::codec::{Codecs, KeyPairs};
/// # use silverback::session::{CookieOptions, CookieStore, Lifetime};
/// let month = Duration::from_secs(86_400 * 30); // the codec's default max_age, too
/// let cookie = CookieOptions::new().name("session-name")?.persistent(true);
/// let lifetime = Lifetime::new().idle(month).without_absolute();
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?; // those of the Go program
/// let store = CookieStore::with_options(codecs, cookie, lifetime)?.shared_with_go();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A save seals the cookie again if it was sealed with an older key, or if a tenth of the idle
/// limit has passed since its last noted use. In the latter case it is sealed again even if the
/// request changes nothing.
#[derive(Clone)]
#[doc(alias = "NewCookieStore")]
pub struct CookieStore {
    codec: Arc<dyn Codec>,
    pub(super) setup: Setup,
    pub(super) generations: Option<Arc<dyn Generations>>,
    /// The clones of a store share it. A store with another clock or storage has its own.
    pub(super) watcher: Arc<Watcher>,
}

impl CookieStore {
    /// Creates a store with the default cookie and lifetime: `__Host-id`, 30 minutes idle and 12
    /// hours in all.
    ///
    /// # Errors
    /// Returns the errors of [`with_options`](CookieStore::with_options).
    pub fn new(codec: impl IntoCodec) -> Result<Self, Error> {
        CookieStore::with_options(codec, CookieOptions::new(), Lifetime::new())
    }

    /// Creates a store with the key pairs in an environment variable, as `silverback keygen` prints
    /// them, and the defaults of [`CookieOptions`] and [`Lifetime`].
    ///
    /// ```no_run
    /// let store = silverback::session::CookieStore::from_env("SILVERBACK_KEYS")?;
    /// # Ok::<(), silverback::session::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`KeyPairs::from_env`] and of
    /// [`with_options`](CookieStore::with_options).
    pub fn from_env(variable: &str) -> Result<Self, Error> {
        CookieStore::new(KeyPairs::from_env(variable).map_err(Error::of_keys)?)
    }

    /// Creates a store with the given cookie and lifetime.
    ///
    /// # Errors
    /// Returns a usage error in each of these cases:
    ///
    /// - The options contradict each other.
    /// - The codec's `max_age` is shorter than the absolute limit, or the codec has a `min_age`.
    ///   Only its [`secure_cookies`](Codec::secure_cookies) are checked. If your own codec does not
    ///   name them, it must meet these conditions by itself.
    /// - The codec's serializer cannot hold a session. Gob and JSON can, and so can your own
    ///   formats if they are self-describing.
    pub fn with_options(
        codec: impl IntoCodec,
        cookie: CookieOptions,
        lifetime: Lifetime,
    ) -> Result<Self, Error> {
        let codec = codec.into_codec().map_err(Error::of_keys)?;
        let serializer = codec.serializer();
        let mut setup = Setup::new(cookie, lifetime, DataModel::of(&serializer), false)?;
        setup.check_codec(&codec)?;
        Values::check(&codec, setup.cookie.name(), setup.now())?;
        Ok(CookieStore {
            codec,
            setup,
            generations: None,
            watcher: Arc::new(Watcher::new(WATCH_INTERVAL)),
        })
    }

    /// Writes sessions so that a Go program can read each of them. The program uses
    /// gorilla/sessions' `CookieStore` with the same keys and cookie name. Structs are written as
    /// Go structs, and types that the program does not know are refused. Without this option, a Go
    /// program can read only sessions of basic types.
    ///
    /// The program is assumed to know the basic types, slices of them, `[]interface {}`, the types
    /// already in the session, and the types in [`known_types`](CookieStore::known_types).
    /// Inserting a value of any other type is an error.
    ///
    /// ```
    /// # use silverback::codec::{Codecs, KeyPairs};
    /// # use silverback::session::CookieStore;
    /// # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// let store = CookieStore::new(codecs)?.shared_with_go();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[doc(alias = "gorilla")]
    pub fn shared_with_go(self) -> Self {
        self.known_types(std::iter::empty::<&str>())
    }

    /// Enables [`shared_with_go`](CookieStore::shared_with_go) for a Go program that also registers
    /// the types `names` (`gob.Register`). Use the names that Go gives them: `time.Time`,
    /// `map[string]interface {}`, and `main.User` or `example.com/shop.User` for a struct. The
    /// fields of a struct must have the types of the fields in Go.
    ///
    /// ```
    /// # use silverback::codec::{Codecs, KeyPairs};
    /// # use silverback::session::CookieStore;
    /// # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// let store = CookieStore::new(codecs)?.known_types(["time.Time", "main.User"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn known_types<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        self.setup.model = DataModel::gorilla(&self.codec.serializer(), &names);
        self
    }

    /// Makes logins revocable: all sessions of an owner can be ended at once. `generations` is the
    /// storage of each owner's current [generation](Generation), such as a table of your own. To use
    /// a [`Backend`](crate::backend::Backend), call [`revocable_in`](CookieStore::revocable_in).
    ///
    /// Each request of a session with a login waits until `generations` answers, and gets a 503 if
    /// it does not answer. [`Generations`] says what such a storage must keep, and has an example.
    ///
    /// A login that began before the store was revocable has no generation, and its session is
    /// refused. A store that is not revocable refuses sessions that have a generation.
    ///
    /// ```
    /// use silverback::backend::Memory;
    /// use silverback::codec::{Codecs, KeyPairs};
    /// use silverback::session::CookieStore;
    ///
    /// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// let store = CookieStore::new(codecs)?.revocable(Memory::new()); // or storage of your own
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn revocable(mut self, generations: impl Generations + 'static) -> Self {
        self.generations = Some(Arc::new(generations));
        self.with_own_watcher()
    }

    /// Makes logins revocable as [`revocable`](CookieStore::revocable) does, with the owners of a
    /// backend. One revocation then ends an owner's sessions in cookies and those in the backend.
    ///
    /// ```
    /// use silverback::backend;
    /// use silverback::codec::{Codecs, KeyPairs};
    /// use silverback::session::CookieStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// let backend = backend::connect("memory:").await?;
    /// let store = CookieStore::new(codecs)?.revocable_in(backend)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns a usage error if the backend has no owners.
    pub fn revocable_in(self, backend: impl IntoBackend) -> Result<Self, Error> {
        let generations = BackendGenerations::new(backend.into_backend())?;
        Ok(self.revocable(generations))
    }

    /// Ends all sessions of an owner: after a change of password, or when an account is closed.
    ///
    /// # Errors
    /// Returns a usage error if the store is not [revocable](CookieStore::revocable) or if [no login
    /// accepts](super::Session::login) the owner's name, and an unavailable error if the storage
    /// does not answer.
    pub async fn end_all(&self, owner: &str) -> Result<(), Error> {
        observed::end_all(self, &owner_name(owner)?).await
    }

    /// Offers each login a [binding](super::binding) to the device of its client. That page says
    /// what a session in its cookie cannot promise.
    ///
    /// # Errors
    /// Returns a usage error if the binding does not suit the session's cookie, or is
    /// [required](super::binding::BindingOptions::required).
    #[cfg(feature = "dbsc")]
    pub fn binding(mut self, binding: super::binding::BindingOptions) -> Result<Self, Error> {
        if binding.is_required() {
            return Err(Error::usage(
                "a session in its cookie cannot be held to its device, since an older copy of the \
                 cookie has no key: use a ServerStore, or require_bound in handlers",
            ));
        }
        let (codec, cookie) = (self.codec.clone(), self.setup.cookie.options().clone());
        self.setup.bind(Some(binding), Some(codec), &cookie)?;
        Ok(self)
    }

    /// Sets how often the store looks whether the sessions that
    /// [`Session::ended`](super::Session::ended) waits for have ended. Default: 5 seconds. An
    /// interval of less than 10 milliseconds counts as 10.
    ///
    /// A look asks the storage of a [revocable](CookieStore::revocable) store once for each owner of
    /// these sessions. Without a waiting future, or without such a storage, it asks for nothing.
    #[must_use]
    pub fn watch_interval(mut self, interval: Duration) -> Self {
        let interval = interval.max(Duration::from_millis(10));
        self.watcher = Arc::new(Watcher::new(interval));
        self
    }

    /// Returns the number of [`Session::ended`](super::Session::ended) futures that wait, for
    /// example as a gauge. A future that was dropped does not count.
    #[must_use]
    pub fn watched_sessions(&self) -> usize {
        self.watcher.count()
    }

    fn with_own_watcher(mut self) -> Self {
        self.watcher = Arc::new(Watcher::new(self.watcher.interval()));
        self
    }

    /// Sets the observer of [events](super::events): saves, logins, ends, refused cookies, outages.
    /// Default: none, which costs nothing.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.setup.events = Events::new(observer);
        self
    }

    /// Takes the time from `clock` instead of the system, for tests in which time passes.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        self.setup.clock = Arc::new(clock) as Clock;
        self.with_own_watcher()
    }

    /// Returns whether each cookie is encrypted, so that no two cookies are the same. A codec that
    /// does not name its [`secure_cookies`](Codec::secure_cookies) is trusted.
    pub(super) fn has_unique_cookies(&self) -> bool {
        let codecs = self.codec.secure_cookies();
        codecs.iter().all(crate::codec::SecureCookie::encrypts)
    }

    /// Returns whether all sessions of an owner can be ended.
    pub(super) fn is_revocable(&self) -> bool {
        self.generations.is_some()
    }

    fn generations(&self) -> Result<&dyn Generations, Error> {
        let none = || Error::usage("the store is not revocable: see CookieStore::revocable");
        self.generations.as_deref().ok_or_else(none)
    }

    /// Opens the session in a cookie, and checks its limits. Revocation is not checked yet.
    pub(super) fn open(&self, cookie: &str) -> Result<Loaded, Error> {
        let now = self.setup.now();
        let mut payload = Vec::with_capacity(cookie.len());
        let opened = self
            .codec
            .open_into(self.setup.cookie.name(), cookie, now, &mut payload);
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => return Loaded::of_codec(error),
        };
        Ok(match self.read(&opened, payload, now) {
            Ok(record) => Loaded::Live(Box::new(record)),
            // The payload is no session. Any other refusal means that the session is past its
            // limits.
            Err(Refusal::NotValid) => Loaded::Refused(Refusal::NotValid),
            Err(over) => Loaded::Dead(over),
        })
    }

    fn read(
        &self,
        opened: &Opened,
        payload: Vec<u8>,
        now: UnixTime,
    ) -> Result<LoadedSession, Refusal> {
        let lifetime = &self.setup.lifetime;
        let sealed_at = opened.issued_at();
        let read = Values::deserialize(opened.serializer(), payload, Metadata::parse);
        let (values, metadata) = read.ok_or(Refusal::NotValid)?;
        if metadata.is_none() && values.has_metadata_text(Metadata::is_unreadable) {
            return Err(Refusal::NotValid);
        }
        let metadata = Metadata::loaded(metadata, sealed_at, lifetime);
        metadata.check(lifetime, now)?;
        let values = values.loaded_as(&self.setup.model);
        Ok(LoadedSession {
            data: SessionData { values, metadata },
            sealed_at,
            is_stale: opened.is_stale(),
            opener: self.opener(opened),
            row_ref: None,
        })
    }

    /// Returns the member of the chain that opened a cookie, if the chain shows its members.
    fn opener(&self, opened: &Opened) -> Option<SecureCookie> {
        let members = self.codec.secure_cookies();
        members.get(opened.key().checked_sub(1)?).cloned()
    }

    /// Refuses to seal values whose opener is not in the chain any more: its key may have leaked, and a
    /// newer key must not seal a forged session.
    fn check_opener(&self, opener: Option<&SecureCookie>) -> Result<(), Error> {
        let members = self.codec.secure_cookies();
        let is_removed = |opener: &SecureCookie| {
            let is_opener =
                |of: &SecureCookie| of.is_clone_of(opener) || of.shares_hash_key_with(opener);
            !members.iter().any(is_opener)
        };
        match opener.is_some_and(is_removed) {
            true => Err(Error::gone()),
            false => Ok(()),
        }
    }

    fn serialize(&self, SessionData { values, metadata }: &SessionData) -> Result<Vec<u8>, Error> {
        values.serialize(&self.codec.serializer(), &metadata.to_text())
    }

    fn seal(&self, data: &SessionData, at: UnixTime) -> Result<String, Error> {
        let payload = self.serialize(data)?;
        let name = self.setup.cookie.name();
        let sealed = self.codec.seal_at(name, &payload, at);
        sealed.map_err(Error::of_codec)
    }

    /// Returns whether the generation of that login was revoked.
    pub(super) async fn is_revoked(&self, login: &Login) -> Result<bool, Error> {
        match &self.generations {
            None => Ok(login.begun.is_some()),
            Some(generations) => {
                let current = generations.generation(&login.owner).await?;
                Ok(current.is_none() || current != login.generation())
            }
        }
    }

    /// Revokes the owner's generation, and returns the next one.
    async fn revoke(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
        let next = self.generations()?.revoke(owner, until).await?;
        self.watcher.note_changes([Change::Owner(owner.clone())]);
        Ok(next)
    }

    /// Returns the generation of a session that is to be saved. Begins its login if it has not
    /// begun yet. Ends the other sessions of the owner if the save asks for it.
    async fn begin(&self, save: &SaveRequest) -> Result<Option<Generation>, Error> {
        let Metadata {
            deadline, login, ..
        } = &save.data.metadata;
        let Some(login) = login else {
            return Ok(None);
        };
        let (owner, until) = (&login.owner, expiry_of(*deadline));
        if save.revokes_others {
            return Ok(Some(self.revoke(owner, until).await?));
        }
        let begun = login.generation();
        match &self.generations {
            Some(generations) if begun.is_none() || save.lasts_longer => {
                let current = generations.extend(owner, until).await?;
                // If the owner was revoked concurrently, the session keeps its old generation.
                Ok(begun.or(Some(current)))
            }
            _ => Ok(begun),
        }
    }
}

/// Returns a record of a login's beginning. All have the same length.
fn any_begun() -> Begun {
    Begun::in_cookie(Generation::from_bytes([0; 16]))
}

#[async_trait]
impl Storage for CookieStore {
    fn setup(&self) -> &Setup {
        &self.setup
    }

    async fn load(&self, cookie: &str) -> Result<Loaded, Error> {
        let loaded = self.open(cookie)?;
        let Loaded::Live(record) = &loaded else {
            return Ok(loaded);
        };
        if let Some(login) = &record.data.metadata.login
            && self.is_revoked(login).await?
        {
            return Ok(Loaded::Dead(Refusal::Revoked));
        }
        Ok(loaded)
    }

    async fn save(&self, save: SaveRequest, _: CancellationToken) -> Result<SaveResult, Error> {
        self.check_opener(save.opener.as_ref())?;
        if save.revokes_others {
            // A session that cannot be sealed must not revoke others.
            let data = save.data.clone().begun(Some(&any_begun()));
            self.seal(&data, save.sealed_at)?;
        }
        let begun = self.begin(&save).await?.map(Begun::in_cookie);
        let data = save.data.begun(begun.as_ref());
        Ok(SaveResult {
            cookie: Some(self.seal(&data, save.sealed_at)?),
            is_for_other: false,
            begun,
            row_ref: None,
            merged: None,
        })
    }

    fn room_left(&self, data: &SessionData) -> Result<Option<usize>, Error> {
        let login = data.metadata.login.as_ref();
        let has_not_begun = login.is_some_and(|login| login.begun.is_none());
        let payload = match self.generations.is_some() && has_not_begun {
            true => self.serialize(&data.clone().begun(Some(&any_begun())))?,
            false => self.serialize(data)?,
        };
        let name = self.setup.cookie.name();
        let longest = longest_payload(&self.codec, name, self.setup.now())?;
        Ok(longest.map(|longest| longest.saturating_sub(payload.len())))
    }

    /// Does nothing: no server has a record of the session.
    async fn end(&self, _: &RowRef) -> Result<bool, Error> {
        Ok(true)
    }

    async fn ended(&self, metadata: &Metadata, _: Option<&RowRef>) -> SessionEnd {
        let session = WatchedSession::new(None, metadata, &self.setup.lifetime);
        watcher::watch(&Arc::new(self.clone()), session).await.0
    }

    async fn end_all(&self, owner: &OwnerName) -> Result<(), Error> {
        let until = self.setup.lifetime.longest_deadline(self.setup.now());
        self.revoke(owner, expiry_of(until)).await?;
        Ok(())
    }
}

/// Shows the cookie's name and the lifetime, and no keys.
impl fmt::Debug for CookieStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieStore")
            .field("name", &self.setup.cookie.name())
            .field("lifetime", &self.setup.lifetime)
            .finish_non_exhaustive()
    }
}
