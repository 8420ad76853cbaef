//! [`MemcacheStore`]: the sessions of Go's gorilla-sessions-memcache.

use std::time::Duration;

use crate::backend::{GoKeys, GoMemcached, MemcachedOptions};
use crate::codec::{KeyPairs, Serializer};
use crate::session::Error;

use super::gorilla_store::GorillaStore;

/// The sessions of a Go program that keeps them in Memcached with
/// [bradleypeabody/gorilla-sessions-memcache](https://github.com/bradleypeabody/gorilla-sessions-memcache),
/// or with the `memcached` store of [gin-contrib/sessions](https://github.com/gin-contrib/sessions),
/// which wraps it. Both programs use the same items and may run at the same time.
///
/// ```no_run
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// use silverback::codec::KeyPairs;
/// use silverback::compat::{StoreMethod, gorilla_sessions_memcache};
/// use silverback::session::{Error, Session};
///
/// // Go: memcacheClient := gsm.NewGoMemcacher(memcache.New("localhost:11211"))
/// // Go: store := gsm.NewMemcacherStore(memcacheClient, "session_prefix_", []byte("secret-key-goes-here"))
/// let keys = KeyPairs::from_env("SESSION_KEYS")?;
/// let url = "memcached://localhost:11211";
/// let store = gorilla_sessions_memcache(url, "session_prefix_", keys).await?;
///
/// // Go: store.StoreMethod = gsm.StoreMethodSecureCookie // default, more secure
/// let store = store.store_method(StoreMethod::SecureCookie);
/// // Go: store.StoreMethod = gsm.StoreMethodGob // faster
/// let store = store.store_method(StoreMethod::Gob);
/// // Go: store.StoreMethod = gsm.StoreMethodJson // human readable
/// # #[cfg(feature = "json")]
/// let store = store.store_method(StoreMethod::Json);
///
/// let sessions = store.named("session-name")?; // Go: store.Get(r, "session-name"); for a SessionLayer
///
/// async fn my_handler(session: Session) -> Result<(), Error> {
///     session.insert("foo", "bar")?; // Go: session.Values["foo"] = "bar"
///     Ok(()) // Go: session.Save(r, w): changes are saved before the response begins
/// }
/// # Ok(())
/// # }
/// ```
///
/// | Go | ours |
/// |---|---|
/// | `NewMemcacheStore(client, keyPrefix, keyPairs...)`, `NewMemcacherStore(..)`; gin's `memcached.NewStore(..)`, `NewMemcacheStore(..)` | [`gorilla_sessions_memcache`]; the keys are typed: [`KeyPairs`] |
/// | `memcache.New(server...)` | the URL `memcached://HOST:PORT,HOST:PORT`, with the servers in the same order |
/// | `mc.NewMC(servers, username, password)` | not supported: the binary protocol and its passwords |
/// | `client.Timeout`, `client.MaxIdleConns` | [`MemcachedOptions`], with [`connect_with`](MemcacheStore#method.connect_with) |
/// | `NewMemcacheStoreWithValueStorer(..)`, `HeaderStorer` | not supported: the ID is in a cookie |
/// | `store.StoreMethod` | [`store_method`](MemcacheStore#method.store_method) |
/// | `store.Options` | [`options`](GorillaStore::options), with safe defaults |
/// | `store.Options.MaxAge` | [`max_age`](GorillaStore::max_age) |
/// | `store.Options.MaxAge = 0` | [`without_max_age`](MemcacheStore#method.without_max_age) |
/// | `store.MaxLength(l)` | [`max_length`](GorillaStore::max_length) |
/// | `store.KeyPrefix` | the `prefix` of [`gorilla_sessions_memcache`] |
/// | `store.Logging` | not supported: it logs values |
/// | `session.Values[42] = 43` | keys that are not strings are kept, and only Go can change them |
/// | `NewDumbMemorySessionStore()` | a [`ServerStore`](crate::session::ServerStore) on [`Memory`](crate::backend::Memory), for tests |
/// | all other methods | those of [`GorillaStore`](GorillaStore#method.new) |
///
/// # Differences from Go
///
/// - All that [`GorillaStore`] lists. In particular an ID without a row is never adopted. Go's `Get`
///   returns an error for it and keeps the ID: a handler that ignores the error and saves brings a
///   session back that has ended.
/// - To Go, a server that does not answer is the same error as a missing item. Here the request gets
///   an error, not a new session.
/// - A `MaxAge` of more than 30 days works here. In Go each session is lost at once, since Memcached
///   reads the number as a moment in 1970; so it is with a negative `MaxAge`.
/// - With a `MaxAge` of 0, Go's items never expire. Ours have an expiry, as do Go's items after a
///   write of ours. Go refuses cookies and sealed rows that are older than 30 days in any case.
/// - JSON numbers of values that do not change keep their text. Go reads them as `float64`.
///
/// Memcached loses sessions: see [`GoMemcached`].
pub type MemcacheStore = GorillaStore<GoMemcached>;

/// The form of values in Memcached: Go's `StoreMethod`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreMethod {
    /// Signed and, with block keys, encrypted. The default.
    #[doc(alias = "StoreMethodSecureCookie")]
    #[default]
    SecureCookie,
    /// A gob. A person who can write to Memcached can log in as any user.
    #[doc(alias = "StoreMethodGob")]
    Gob,
    /// JSON, which has no types and only strings as keys. A person who can write to Memcached can log
    /// in as any user.
    #[cfg(feature = "json")]
    #[doc(alias = "StoreMethodJson")]
    Json,
}

/// Opens the sessions of gorilla-sessions-memcache, or of gin-contrib/sessions with Memcached, in the
/// servers at `url`, with Go's defaults: sealed rows of at most 4096 bytes, and 30 days.
///
/// # Errors
/// Returns the errors of [`GoMemcached::connect_with`].
#[doc(alias = "NewMemcacheStore")]
#[doc(alias = "NewMemcacherStore")]
pub async fn gorilla_sessions_memcache(
    url: &str,
    prefix: &str,
    keys: KeyPairs,
) -> Result<MemcacheStore, Error> {
    MemcacheStore::connect_with(url, prefix, keys, MemcachedOptions::new()).await
}

/// The store of gorilla-sessions-memcache's sessions: [`MemcacheStore`].
impl MemcacheStore {
    /// Opens the store as [`gorilla_sessions_memcache`] does, with options. Their prefix is not used.
    ///
    /// # Errors
    /// Returns the errors of [`GoMemcached::connect_with`].
    pub async fn connect_with(
        url: &str,
        prefix: &str,
        keys: KeyPairs,
        options: MemcachedOptions,
    ) -> Result<Self, Error> {
        let go_keys = GoKeys::gorilla_sessions_memcache(prefix);
        let backend = GoMemcached::connect_with(url, go_keys, options).await?;
        Ok(MemcacheStore::new(backend, keys))
    }

    /// Sets the form of values. It must be that of the Go program. Default:
    /// [`SecureCookie`](StoreMethod::SecureCookie).
    ///
    /// As in Go, rows in the clear have no limit of their own. A
    /// [`max_length`](GorillaStore::max_length) that is set afterwards limits them, too.
    pub fn store_method(self, method: StoreMethod) -> Self {
        let backend = GoMemcached::clone(&self.backend());
        let in_the_clear = |store: Self, serializer| {
            let store = store.over(backend.clone().in_the_clear());
            store
                .rows_in_the_clear(true)
                .serializer(serializer)
                .max_length(0)
        };
        match method {
            StoreMethod::SecureCookie => self.over(backend.sealed()).rows_in_the_clear(false),
            StoreMethod::Gob => in_the_clear(self, Serializer::Gob),
            #[cfg(feature = "json")]
            StoreMethod::Json => in_the_clear(self, Serializer::Json),
        }
    }

    /// Shares the sessions of a Go program with a `MaxAge` of 0: cookies end with the browser, and the
    /// age of cookies and of the rows' texts is not limited. `lifetime` is the lifetime of a row after
    /// its last save or use, in whole seconds. Memcached never removes the rows that Go saves; a sealed
    /// row of Go that is older than `lifetime` counts as expired here, since its text has a date.
    pub fn without_max_age(self, lifetime: Duration) -> Self {
        self.unlimited(lifetime)
    }
}
