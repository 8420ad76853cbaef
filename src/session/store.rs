//! [`Store`]: where sessions live between requests, and [`Stores`]: all the stores of
//! an application.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::{Expiry, Key, Revision};
use crate::codec::{self, Codec, UnixTime};

use super::content::{Content, Log};
use super::cookie_life::CookieLife;
use super::cookie_writer::CookieWriter;
use super::data_model::DataModel;
use super::id::Id;
use super::login::{Begun, Login};
use super::protocol::Seen;
use super::{CookieOptions, CookieStore, Dialect, Error, Lifetime, Refusal, ServerStore};

/// Where sessions live between requests: in the cookie ([`CookieStore`]), or in a
/// server behind it ([`ServerStore`]).
///
/// There are only ours: what is yours to plug in is the codec, and what answers for
/// [`Epochs`](super::Epochs).
#[expect(private_bounds)] // sealed: the protocol between session and store is ours to change
pub trait Store: Backing {
    /// The name of the cookie, and of the session.
    fn name(&self) -> &str {
        self.setup().cookie.name()
    }
}

impl<S: Backing> Store for S {}

/// What a session asks of its store.
#[async_trait]
pub(super) trait Backing: Send + Sync + 'static {
    fn setup(&self) -> &Setup;

    /// The session that a cookie's value stands for. An error is an outage.
    async fn load(&self, cookie: &str) -> Result<Loaded, Error>;

    /// Keeps a session, and answers with what its cookie is to hold from now on.
    ///
    /// [Gone](Error::is_gone), if another request ended it: then nothing is kept. Nor is it, if
    /// `dropped` is cancelled, since the caller waits no more, before a write has begun.
    async fn save(&self, save: Save, dropped: CancellationToken) -> Result<Saved, Error>;

    /// What a session holds now that a request has loaded; none, if it has ended, or somebody
    /// has logged in. Always none in a store that keeps nothing.
    async fn reload(&self, _kept: &Kept) -> Result<Option<Content>, Error> {
        Ok(None)
    }

    /// Ends a session where it is kept. False, if somebody else had done so.
    async fn end(&self, kept: &Kept) -> Result<bool, Error>;

    /// How many bytes its values may grow by; none, if no cookie limits them.
    fn room_left(&self, _: &Content) -> Result<Option<usize>, Error> {
        Ok(None)
    }

    /// Ends all sessions of an owner.
    async fn revoke(&self, owner: &str) -> Result<(), Error>;

    /// The public name of what is kept under `key`, which opens nothing; none in a store that
    /// keeps nothing.
    fn name_of(&self, _key: &Key) -> Option<String> {
        None
    }

    /// Where saves are finished though nobody waits for them any more; none, if a save may
    /// be left off.
    fn saves(&self) -> Option<&TaskTracker> {
        None
    }
}

/// What stores have in common.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) cookie: CookieWriter,
    pub(super) lifetime: Lifetime,
    pub(super) clock: Clock,
    pub(super) model: DataModel,
    /// Whether changes may have to be made again, on what others saved.
    pub(super) replays: bool,
    /// Whether a response fails whose changes could not be saved because the session ended
    /// while the request ran.
    pub(super) fails_when_gone: bool,
    pub(super) cookie_life: CookieLife,
}

/// Where `now` comes from.
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

    /// Has the lifetime and the cookies as the dialect has them.
    pub(super) fn speak(&mut self, dialect: Dialect, persists: bool) {
        self.lifetime = dialect.adapt(self.lifetime.clone());
        self.cookie_life = CookieLife {
            ends_with_row: dialect.is_shared(),
            ..CookieLife::new(self.lifetime.clone(), persists)
        };
    }

    /// Refuses a codec whose cookies are not good as long as sessions live.
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

/// What a cookie's value was good for.
pub(super) enum Loaded {
    Live(Box<Record>),
    /// The session of that ID has another ID now, or a successor.
    Moved(Box<Moved>),
    Refused(Refusal),
    /// No session will ever have that cookie again: the client may forget it.
    Dead(Refusal),
}

impl Loaded {
    /// A cookie that the codec refuses.
    ///
    /// # Errors
    /// Unavailable, if the system failed.
    pub(super) fn of_codec(error: codec::Error) -> Result<Self, Error> {
        Refusal::of_codec(error).map(Loaded::of_refused_cookie)
    }

    /// An expired cookie never opens again. One that is not valid here may be good on another
    /// machine, while keys are rolled out.
    pub(super) fn of_refused_cookie(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Expired => Loaded::Dead(refusal),
            refusal => Loaded::Refused(refusal),
        }
    }
}

/// A session whose client has been sent another ID.
pub(super) struct Moved {
    /// The key of the session now, or of the one that took its place.
    pub(super) successor: Key,
    /// The session, if it is the same under the new ID: to be ended, never to be opened.
    pub(super) renewed: Option<Arc<Kept>>,
    /// What it holds, where the store grants a look at it.
    pub(super) content: Option<Content>,
}

/// A session as it was loaded.
pub(super) struct Record {
    pub(super) content: Content,
    /// The date of its cookie, which stays.
    pub(super) sealed_at: UnixTime,
    pub(super) kept: Option<Arc<Kept>>,
}

/// Where a session is kept, and the state it was seen in there.
#[derive(Clone)]
pub(super) struct Kept {
    /// None, if another request has renewed the session: the new ID is not known here.
    pub(super) id: Option<Id>,
    pub(super) key: Key,
    /// None, if others have saved since.
    pub(super) revision: Option<Revision>,
    pub(super) login: Option<Login>,
    pub(super) expiry: Expiry,
    /// Whether an older key sealed its cookie.
    pub(super) is_stale: bool,
}

impl Kept {
    /// The same, of which others have saved more than is known here.
    pub(super) fn outdated(&self) -> Self {
        Kept {
            revision: None,
            ..self.clone()
        }
    }

    /// The same, as the protocol sees it.
    pub(super) fn seen(&self) -> Seen<Option<Login>> {
        Seen {
            key: self.key.clone(),
            revision: self.revision.clone(),
            login: self.login.clone(),
        }
    }
}

/// What becomes of a session where it is kept, when it is next saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    /// It goes on under another ID.
    Renewed,
    /// It ends, and another takes its place, with its values or without.
    Replaced {
        keeps: bool,
    },
}

/// A session to be saved.
#[derive(Clone)]
pub(super) struct Save {
    pub(super) content: Content,
    pub(super) sealed_at: UnixTime,
    /// Whether all other sessions of the owner end with this.
    pub(super) revokes_others: bool,
    /// Whether it lasts longer than when its owner's record was last extended.
    pub(super) lasts_longer: bool,
    /// Whether nobody wrote to it: only its use is to be noted.
    pub(super) is_touch: bool,
    /// Whether the client is to keep its cookie for another time than it was told.
    pub(super) wants_cookie: bool,
    /// Whether the row says that the client has to get its cookie again.
    pub(super) owed_cookie: bool,
    /// Where it is kept, or what it takes the place of.
    pub(super) kept: Option<Arc<Kept>>,
    pub(super) fate: Fate,
    /// The changes that are not saved yet.
    pub(super) log: Log,
}

/// What became of a session that was saved.
pub(super) struct Saved {
    /// What the cookie is to hold; none, if the client's holds it.
    pub(super) cookie: Option<String>,
    /// How its login began.
    pub(super) begun: Option<Begun>,
    pub(super) kept: Option<Arc<Kept>>,
    /// What it holds, if others had saved it too.
    pub(super) merged: Option<Content>,
}

/// The stores of an application, each with a cookie of its own. The first is the one
/// that a request's session comes from if no name is said.
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
    /// The same, and one more.
    ///
    /// # Errors
    /// Usage, if there is one with that cookie name already.
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

    /// The place and the store of that cookie name.
    pub(super) fn find(&self, name: &str) -> Option<(usize, &Arc<dyn Store>)> {
        let mut stores = self.0.iter().enumerate();
        stores.find(|(_, store)| store.name() == name)
    }

    /// Those of certain names.
    pub(super) fn only(&self, is_wanted: impl Fn(&str) -> bool) -> Self {
        let stores = self.0.iter().filter(|store| is_wanted(store.name()));
        Stores(Arc::new(stores.cloned().collect()))
    }

    /// The name of the session that is asked for without a name.
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
