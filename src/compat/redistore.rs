//! [`RediStore`]: the sessions of Go's redistore packages for gorilla/sessions.

use std::time::Duration;

use crate::backend::{Backend, ConnectOptions, GoKeys, connect_go_keys};
use crate::codec::KeyPairs;
use crate::session::Error;

use super::gorilla_store::{Form, GorillaStore};

/// The sessions of a Go program that keeps them in Redis with gorilla/sessions. Both programs use the
/// same keys and may run at the same time.
///
/// | Go package | ours |
/// |---|---|
/// | [boj/redistore](https://github.com/boj/redistore) v1 and v2 | [`redistore`] |
/// | the `redis` store of [gin-contrib/sessions](https://github.com/gin-contrib/sessions), which uses it | [`redistore`] |
/// | [rbcervilla/redisstore](https://github.com/rbcervilla/redisstore) v8 and v9 | [`rbcervilla_redisstore`] |
///
/// ```no_run
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// use silverback::backend::{ConnectOptions, GoKeys};
/// use silverback::codec::{KeyPairs, Serializer};
/// use silverback::compat::{RediStore, rbcervilla_redisstore, redistore};
/// use std::time::Duration;
///
/// // Go: redistore.NewRediStore(10, "tcp", ":6379", "", "", []byte("secret-key"))
/// let keys = KeyPairs::from_env("SESSION_KEYS")?;
/// let store = redistore("redis://127.0.0.1:6379", keys.clone()).await?
///     .serializer(Serializer::Json) // Go: store.SetSerializer(redistore.JSONSerializer{})
///     .max_length(0) // Go: store.SetMaxLength(0)
///     .max_age(Duration::from_secs(10 * 24 * 3600)); // Go: store.SetMaxAge(10 * 24 * 3600)
/// let sessions = store.named("session-key")?; // for a SessionLayer
///
/// // Go: store.SetKeyPrefix("shop_")
/// let (go_keys, options) = (GoKeys::redistore().with_prefix("shop_"), ConnectOptions::new());
/// let store = RediStore::connect_keys("redis://127.0.0.1:6379", go_keys, keys, options).await?;
///
/// // Go: redisstore.NewRedisStore(context.Background(), client)
/// let store = rbcervilla_redisstore("redis://127.0.0.1:6379").await?;
/// # Ok(())
/// # }
/// ```
///
/// | Go | ours |
/// |---|---|
/// | `NewRediStore(..)`, `NewRediStoreWithDB(..)`, `NewRediStoreWithURL(..)`; gin's `redis.NewStore(..)` | [`redistore`] with a URL; the keys are typed: [`KeyPairs`] |
/// | `NewRediStoreWithPool(pool, ..)` | [`GorillaStore::new`] has sealed rows only; use a [`ServerStore`](crate::session::ServerStore) with [`Dialect::redistore`](crate::session::Dialect::redistore) and a `GoRedis` from your client |
/// | `store.SetMaxLength(l)` | [`max_length`](GorillaStore::max_length), which counts the bytes of the row |
/// | `store.SetKeyPrefix(p)`, rbcervilla's `KeyPrefix(p)` | [`GoKeys::with_prefix`], or `?prefix=` in the URL |
/// | `store.SetSerializer(s)`, rbcervilla's `Serializer(s)` | [`serializer`](GorillaStore::serializer) |
/// | `store.SetMaxAge(v)`, rbcervilla's `Options.MaxAge` | [`max_age`](GorillaStore::max_age) |
/// | `store.SetMaxAge(0)` and `store.DefaultMaxAge` | [`without_max_age`](RediStore#method.without_max_age) |
/// | rbcervilla's `KeyGen(f)` | not supported: IDs have the form that the package gives them by default |
/// | `store.Close()` | dropping the store |
/// | all other methods | those of [`GorillaStore`](GorillaStore#method.new) |
///
/// # Differences from Go
///
/// - All that [`GorillaStore`] lists. In particular an ID without a row is never adopted; Go saves a
///   session under any ID that a client sends, signed or, with rbcervilla's, not even that (session
///   fixation).
/// - With a `MaxAge` of 0, redistore v2.0.1 keeps a row for `DefaultMaxAge`, 20 minutes; v1.4.1 and
///   v2.0.0 delete it.
/// - JSON numbers of values that do not change keep their text. Go reads them as `float64`.
///
/// Redis can be a single server, behind sentinels, or a cluster: see [`GoRedis`](crate::backend::GoRedis).
#[doc(alias = "RedisStore")]
pub type RediStore = GorillaStore<dyn Backend>;

/// Opens the sessions of boj/redistore, or of gin-contrib/sessions, in the Redis or Valkey server at
/// `url`, with Go's defaults: keys beginning with `session_`, rows in gob of at most 4096 bytes, and
/// 30 days.
///
/// # Errors
/// Returns the errors of [`connect_go_keys`].
#[doc(alias = "NewRediStore")]
pub async fn redistore(url: &str, keys: KeyPairs) -> Result<RediStore, Error> {
    RediStore::connect_keys(url, GoKeys::redistore(), keys, ConnectOptions::new()).await
}

/// Opens the sessions of rbcervilla/redisstore in the Redis or Valkey server at `url`, with Go's
/// defaults: keys beginning with `session:`, rows in gob of any length, and 30 days.
///
/// The cookie is the ID itself, so there are no keys.
///
/// # Errors
/// Returns the errors of [`connect_go_keys`].
#[doc(alias = "NewRedisStore")]
pub async fn rbcervilla_redisstore(url: &str) -> Result<RediStore, Error> {
    let keys = GoKeys::rbcervilla_redisstore();
    let backend = connect_go_keys(url, keys, ConnectOptions::new()).await?;
    Ok(GorillaStore::of_shared(backend, Form::BareIds).max_length(0))
}

/// The store of redistore's sessions: [`RediStore`].
impl RediStore {
    /// Opens the sessions under other keys, or with options: those of
    /// [`redistore`](GoKeys::redistore) with another prefix.
    ///
    /// # Errors
    /// Returns the errors of [`connect_go_keys`].
    pub async fn connect_keys(
        url: &str,
        go_keys: GoKeys,
        keys: KeyPairs,
        options: ConnectOptions,
    ) -> Result<Self, Error> {
        let backend = connect_go_keys(url, go_keys, options).await?;
        Ok(GorillaStore::of_shared(backend, Form::ClearRows(keys)))
    }

    /// Shares the sessions of a Go program that calls `SetMaxAge(0)`: cookies end with the browser, and
    /// their texts never expire by themselves. `lifetime` is the lifetime of a row after its last save
    /// or use, in whole seconds: Go's `DefaultMaxAge`, by default 20 minutes.
    #[doc(alias = "DefaultMaxAge")]
    pub fn without_max_age(self, lifetime: Duration) -> Self {
        self.unlimited(lifetime)
    }
}
