//! [`Store`]: keeps sessions between requests. [`Stores`]: all stores of an application.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::{Expiry, Key, OwnerName, Revision};
use crate::codec::{self, Codec, UnixTime};

use super::content::{Content, Log};
use super::cookie_life::CookieLife;
use super::cookie_writer::CookieWriter;
use super::data_model::DataModel;
use super::id::Id;
use super::login::{Begun, Login};
use super::protocol::Seen;
use super::{CookieOptions, CookieStore, Dialect, Error, Lifetime, Refusal, ServerStore};

/// Keeps sessions between requests: in the cookie ([`CookieStore`]), or in a server behind it
/// ([`ServerStore`]).
///
/// Only this crate implements the trait. You can supply the codec, the
/// [`Backend`](crate::backend::Backend) and the [`Generations`](crate::backend::Generations).
#[expect(private_bounds)] // sealed: the protocol between session and store is ours to change
pub trait Store: Backing {
    /// Returns the name of the cookie, which is also the name of the session.
    fn name(&self) -> &str {
        self.setup().cookie.name()
    }
}

impl<S: Backing> Store for S {}

/// The operations that a session needs from its store.
#[async_trait]
pub(super) trait Backing: Send + Sync + 'static {
    fn setup(&self) -> &Setup;

    /// Loads the session of a cookie's value. An error means that a server or the system failed.
    async fn load(&self, cookie: &str) -> Result<Loaded, Error>;

    /// Saves a session, and returns the value for its cookie from now on.
    ///
    /// Returns a [gone](Error::is_gone) error if another request ended the session. Nothing is
    /// saved then. If `dropped` is cancelled before a write has begun, nothing is saved either,
    /// because the caller no longer waits.
    async fn save(&self, save: Save, dropped: CancellationToken) -> Result<Saved, Error>;

    /// Returns the current content of a session that a request has loaded, or `None` if it has
    /// ended or its login has changed. Always returns `None` if the store keeps nothing outside of
    /// cookies.
    async fn reload(&self, _kept: &Kept) -> Result<Option<Content>, Error> {
        Ok(None)
    }

    /// Ends a stored session. Returns false if another request had ended it before.
    async fn end(&self, kept: &Kept) -> Result<bool, Error>;

    /// Returns the number of bytes by which the values may grow, or `None` if no cookie limits
    /// them.
    fn room_left(&self, _: &Content) -> Result<Option<usize>, Error> {
        Ok(None)
    }

    /// Ends all sessions of an owner.
    async fn revoke(&self, owner: &OwnerName) -> Result<(), Error>;

    /// Returns the public name of the session under `key`, which opens nothing. Returns `None` if
    /// the store keeps nothing outside of cookies.
    fn name_of(&self, _key: &Key) -> Option<String> {
        None
    }

    /// Returns the tasks that finish saves after their callers were dropped, or `None` if such a
    /// save may be abandoned.
    fn saves(&self) -> Option<&TaskTracker> {
        None
    }
}

/// The settings that all stores have.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) cookie: CookieWriter,
    pub(super) lifetime: Lifetime,
    pub(super) clock: Clock,
    pub(super) model: DataModel,
    /// True if changes may have to be replayed after another request has saved the session.
    pub(super) replays: bool,
    /// True if a response fails when its changes could not be saved because the session ended
    /// during the request.
    pub(super) fails_when_gone: bool,
    pub(super) cookie_life: CookieLife,
}

/// The source of the current time.
pub(super) type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

impl Setup {
    pub(super) fn new(
        cookie: CookieOptions,
        lifetime: Lifetime,
        model: DataModel,
    ) -> Result<Self, Error> {
        lifetime.check()?;
        Ok(Setup {
            cookie_life: CookieLife::new(lifetime.clone(), cookie.is_persistent(false)),
            cookie: CookieWriter::new(cookie)?,
            lifetime,
            clock: Arc::new(UnixTime::now),
            model,
            replays: false,
            fails_when_gone: false,
        })
    }

    pub(super) fn now(&self) -> UnixTime {
        (self.clock)()
    }

    /// Adapts the lifetime and the cookies to the dialect.
    pub(super) fn speak(&mut self, dialect: Dialect, persists: bool) {
        self.lifetime = dialect.adapt(self.lifetime.clone());
        self.cookie_life = CookieLife {
            ends_with_row: dialect.is_shared(),
            ..CookieLife::new(self.lifetime.clone(), persists)
        };
    }

    /// Refuses a codec if its cookies expire before the sessions do, or are not valid at once.
    pub(super) fn check_codec(&mut self, codec: &dyn Codec) -> Result<(), Error> {
        for secure_cookie in codec.secure_cookies() {
            self.lifetime.check_max_age(secure_cookie.max_age())?;
            self.cookie_life.codec_expires |= !secure_cookie.max_age().is_zero();
            if !secure_cookie.min_age().is_zero() {
                return Err(Error::usage(
                    "the codec's min_age refuses each new session until it has passed",
                ));
            }
        }
        Ok(())
    }
}

/// The result of loading a cookie's value.
pub(super) enum Loaded {
    Live(Box<Record>),
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
    pub(super) renewed: Option<Arc<Kept>>,
    /// The content, if the store lets the old ID read it.
    pub(super) content: Option<Content>,
}

/// A session as it was loaded.
pub(super) struct Record {
    pub(super) content: Content,
    /// The date of its cookie, which stays unchanged.
    pub(super) sealed_at: UnixTime,
    pub(super) kept: Option<Arc<Kept>>,
}

/// The place of a stored session, and its state when it was last seen there.
#[derive(Clone)]
pub(super) struct Kept {
    /// `None` if another request has renewed the session, because the new ID is not known here.
    pub(super) id: Option<Id>,
    pub(super) key: Key,
    /// `None` if other requests have saved the session since.
    pub(super) revision: Option<Revision>,
    pub(super) login: Option<Login>,
    pub(super) expiry: Expiry,
    /// True if an older key sealed its cookie.
    pub(super) is_stale: bool,
}

impl Kept {
    /// Returns the same place for a session that other requests have changed since.
    pub(super) fn outdated(&self) -> Self {
        Kept {
            revision: None,
            ..self.clone()
        }
    }

    /// Returns the same place in the form that the protocol uses.
    pub(super) fn seen(&self) -> Seen<Option<Login>> {
        Seen {
            key: self.key.clone(),
            revision: self.revision.clone(),
            login: self.login.clone(),
        }
    }
}

/// The fate of a stored session at the next save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    /// The session gets another ID.
    Renewed,
    /// The session ends, and another one replaces it, with or without its values.
    Replaced {
        keeps: bool,
    },
}

/// A session to be saved.
#[derive(Clone)]
pub(super) struct Save {
    pub(super) content: Content,
    pub(super) sealed_at: UnixTime,
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
    pub(super) kept: Option<Arc<Kept>>,
    pub(super) fate: Fate,
    /// The changes that are not saved yet.
    pub(super) log: Log,
}

/// The result of a save.
pub(super) struct Saved {
    /// The new value for the cookie, or `None` if the client's cookie has it already.
    pub(super) cookie: Option<String>,
    /// The beginning of its login, as the owner's record notes it.
    pub(super) begun: Option<Begun>,
    pub(super) kept: Option<Arc<Kept>>,
    /// The saved content, if it includes changes of other requests.
    pub(super) merged: Option<Content>,
}

/// The stores of an application, each with a cookie of its own. A request for a session without a
/// name gets that of the first store.
///
/// ```
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::{CookieOptions, CookieStore, Lifetime, Stores};
///
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
/// let users = CookieStore::new(codecs.clone())?;
/// let carts = CookieOptions::new().name("__Host-cart")?;
/// let carts = CookieStore::with_options(codecs, carts, Lifetime::nist_aal1())?;
/// let stores = Stores::from(users).and(carts)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Stores(Arc<Vec<Arc<dyn Store>>>);

impl Stores {
    /// Adds one or more stores.
    ///
    /// # Errors
    /// Returns a usage error if a store with that cookie name exists already.
    pub fn and(mut self, more: impl Into<Stores>) -> Result<Self, Error> {
        for store in more.into().0.iter() {
            if self.find(store.name()).is_some() {
                return Err(Error::usage(format!(
                    "two stores have the cookie name {}",
                    store.name()
                )));
            }
            Arc::make_mut(&mut self.0).push(store.clone());
        }
        Ok(self)
    }

    /// Returns the index and the store of that cookie name.
    pub(super) fn find(&self, name: &str) -> Option<(usize, &Arc<dyn Store>)> {
        let mut stores = self.0.iter().enumerate();
        stores.find(|(_, store)| store.name() == name)
    }

    /// Returns only the stores with the wanted names.
    pub(super) fn only(&self, is_wanted: impl Fn(&str) -> bool) -> Self {
        let stores = self.0.iter().filter(|store| is_wanted(store.name()));
        Stores(Arc::new(stores.cloned().collect()))
    }

    /// Returns the name of the session that is asked for without a name.
    pub(super) fn first_name(&self) -> Option<&str> {
        self.0.first().map(|store| store.name())
    }
}

impl From<Arc<dyn Store>> for Stores {
    fn from(store: Arc<dyn Store>) -> Self {
        Stores(Arc::new(vec![store]))
    }
}

impl From<CookieStore> for Stores {
    fn from(store: CookieStore) -> Self {
        Stores::from(Arc::new(store) as Arc<dyn Store>)
    }
}

impl From<ServerStore> for Stores {
    fn from(store: ServerStore) -> Self {
        Stores::from(Arc::new(store) as Arc<dyn Store>)
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|store| store.name()))
            .finish()
    }
}
