//! [`Store`]: where sessions live between requests, and [`Stores`]: all the stores of
//! an application.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::codec::UnixTime;

use super::cookie_options::CookieWriter;
use super::metadata::Metadata;
use super::values::Terms;
use super::{CookieOptions, CookieStore, Epoch, Error, Lifetime, Refusal, Values};

/// Where sessions live between requests: in the cookie ([`CookieStore`]), or in a
/// server behind it.
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
    async fn save(&self, save: Save) -> Result<Saved, Error>;

    /// Ends all sessions of an owner.
    async fn revoke(&self, owner: &str) -> Result<(), Error>;
}

/// What stores have in common.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) cookie: CookieWriter,
    pub(super) lifetime: Lifetime,
    pub(super) clock: Clock,
    pub(super) terms: Terms,
}

/// Where `now` comes from.
pub(super) type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

impl Setup {
    pub(super) fn new(
        cookie: CookieOptions,
        lifetime: Lifetime,
        terms: Terms,
    ) -> Result<Self, Error> {
        lifetime.check()?;
        Ok(Setup {
            cookie: CookieWriter::new(cookie)?,
            lifetime,
            clock: Arc::new(UnixTime::now),
            terms,
        })
    }

    pub(super) fn now(&self) -> UnixTime {
        (self.clock)()
    }
}

/// What a cookie's value was good for.
pub(super) enum Loaded {
    Live(Box<Record>),
    Refused(Refusal),
}

/// A session as it was loaded.
pub(super) struct Record {
    pub(super) values: Values,
    pub(super) metadata: Metadata,
    /// The date of its cookie, which stays.
    pub(super) sealed_at: UnixTime,
}

/// A session to be saved.
#[derive(Clone)]
pub(super) struct Save {
    pub(super) values: Values,
    pub(super) metadata: Metadata,
    pub(super) sealed_at: UnixTime,
    /// Whether all other sessions of the owner end with this.
    pub(super) revokes_others: bool,
    /// Whether it lasts longer than when the owner's epoch was asked for.
    pub(super) lasts_longer: bool,
}

impl Save {
    /// The same, of that epoch of its owner.
    pub(super) fn of_epoch(mut self, epoch: Option<Epoch>) -> Self {
        if let Some(login) = &mut self.metadata.login {
            login.epoch = epoch;
        }
        self
    }
}

/// What became of a session that was saved.
pub(super) struct Saved {
    pub(super) cookie: String,
    pub(super) epoch: Option<Epoch>,
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

    /// Whether there is a store here for each name there.
    pub(super) fn cover(&self, others: &Stores) -> bool {
        others
            .0
            .iter()
            .all(|store| self.find(store.name()).is_some())
    }

    /// The store of sessions that are asked for without a name.
    pub(super) fn first(&self) -> Option<(usize, &Arc<dyn Store>)> {
        self.0.first().map(|store| (0, store))
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

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|store| store.name()))
            .finish()
    }
}
