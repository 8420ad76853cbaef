//! [`Stores`]: all stores of an application.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "dbsc")]
use super::setup::Setup;
use super::{CookieStore, Error, Migrating, ServerStore, Store};

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
                    "two stores have the cookie name {}: give each a name of its own",
                    store.name()
                )));
            }
            #[cfg(feature = "dbsc")]
            self.check_binding(store.as_ref())?;
            Arc::make_mut(&mut self.0).push(store.clone());
        }
        Ok(self)
    }

    /// Refuses a store whose binding has the path, or the cookie, of another store.
    #[cfg(feature = "dbsc")]
    fn check_binding(&self, store: &dyn Store) -> Result<(), Error> {
        let overlap = self.0.iter().any(|other| {
            let (one, other) = (store.setup(), other.setup());
            let bindings = one.binding.as_ref().zip(other.binding.as_ref());
            let takes = |one: &Setup, other: &Setup| {
                let bound = one.binding.as_ref().map(|of| of.cookie_name());
                bound == Some(other.cookie.name())
            };
            bindings.is_some_and(|(one, other)| one.has_path_of(other))
                || takes(one, other)
                || takes(other, one)
        });
        match overlap {
            true => Err(Error::usage(
                "two stores have the same path of a device binding, or one has the name of the \
                 other's bound cookie: choose others",
            )),
            false => Ok(()),
        }
    }

    /// Returns the index and the store of that cookie name.
    pub(super) fn find(&self, name: &str) -> Option<(usize, &Arc<dyn Store>)> {
        let mut stores = self.0.iter().enumerate();
        stores.find(|(_, store)| store.name() == name)
    }

    #[cfg(feature = "dbsc")]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<dyn Store>> {
        self.0.iter()
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

impl From<Migrating> for Stores {
    fn from(store: Migrating) -> Self {
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
