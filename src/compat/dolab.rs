//! [`DolabStore`]: the sessions of Go's dolab/session.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::{Backend, ConnectOptions, GoKeys, IntoBackend, connect_go_keys};
use crate::codec::{CodecOptions, Codecs, KeyPairs};
use crate::session::{
    CookieOptions, Dialect, DolabDialect, Error, Lifetime, ServerOptions, ServerStore,
};

/// The sessions of a Go program that keeps them in Redis or Memcached with
/// [dolab/session](https://github.com/dolab/session). Both programs use the same rows. The way from
/// Go's cookie to ours is a one-way door: see [the old
/// cookie](crate::session::DolabDialect#the-old-cookie).
///
/// ```no_run
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use silverback::codec::KeyPairs;
/// use silverback::compat::{DolabConfig, dolab};
/// use silverback::session::{Error, Session};
///
/// // Go: config := &session.Config{CookieName: "gosession", CookieSecret: secret, CookieExpire: 604800}
/// let config = DolabConfig::new()
///     .cookie_name("gosession")
///     .cookie_secret(std::env::var("COOKIE_SECRET")?)
///     .cookie_expire(Duration::from_secs(604_800));
///
/// // Go: client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
/// // Go: sess := session.New(providers.New(client), config)
/// let keys = KeyPairs::from_env("SESSION_KEYS")?; // new keys, for our signed cookie
/// let store = dolab("redis://localhost:6379", keys.clone(), config.clone()).await?;
/// let sessions = store.store()?; // for a SessionLayer
///
/// // Go: client := memcache.New("127.0.0.1:11211")
/// let store = dolab("memcached://127.0.0.1:11211", keys, config).await?;
///
/// // Go: func (_ *User) Login(ctx *gogo.Context) {
/// async fn login(session: Session) -> Result<(), Error> {
///     // Go: sto, err := sess.Start(ctx.Response, ctx.Request)
///     // Ours: the argument. A server that does not answer is a 503.
///
///     // do user verification logic
///
///     // Go: sto.GetValue().Set("current_user", user)
///     session.login("user")?; // a new ID, so that no ID from before the login opens the session
///     session.insert("current_user", "user")?;
///     // Go: sto.SetValue(sto.GetValue()), which the example forgets. Ours: changes are saved.
///     Ok(())
/// }
/// # Ok(())
/// # }
/// ```
///
/// | Go | ours |
/// |---|---|
/// | `session.New(provider, config)` | [`dolab`], or [`DolabStore::new`] with a backend of your own |
/// | `Config` | [`DolabConfig`] |
/// | `providers.New(client)` | the URL: `redis://..` or `memcached://..` |
/// | `Provider.New(sid)` | not needed: a request without a session gets a new one when it is written to |
/// | `Provider.Restore(sid)` | not needed: the session is loaded when a handler asks for it |
/// | `Provider.Refresh(sid, newsid)` | [`Session::renew`](crate::session::Session::renew), or [`Session::login`](crate::session::Session::login) |
/// | `Provider.Destroy(sid)` | [`Session::end`](crate::session::Session::end) |
/// | `sess.New(w, r)`, `sess.Start(w, r)` | a [`Session`](crate::session::Session) as an argument of the handler |
/// | `sess.Refresh(w, r)`, `sess.Destroy(w, r)` | the same as the provider's |
/// | `sess.NewRemember(w, r, psk)`, `DestroyRemember` | [`Session::remember`](crate::session::Session::remember) |
/// | `sess.StartRemember(r)` | never: the cookie can be forged. A remembered session of ours stays open |
/// | `sto.SessionID()` | [`Session::id`](crate::session::Session::id), which is public and opens nothing |
/// | `sto.GetValue()` | [`DolabValue`](super::DolabValue), or the methods of [`Session`](crate::session::Session) |
/// | `sto.SetValue(v)` | not needed: changes are saved before the response begins |
/// | `sto.Touch()` | not needed; in Go it does nothing |
/// | a `Provider` or `Storer` of your own | a [`Backend`] of your own |
///
/// # What is safer here
///
/// | in Go | here |
/// |---|---|
/// | The cookie is encrypted with a public key and a fixed IV, and not signed: anyone who has seen one can forge any ID and any date | The cookie is signed. Go's cookie opens an existing row, and no session that logged in here |
/// | The cookie of users to remember is made in the same way, by default with the same secret: anyone can log in as any user | It is never read. [`Session::remember`](crate::session::Session::remember) keeps a session that the server knows |
/// | A login keeps the ID that the browser had before | A login gives the session a new ID |
/// | Rows never expire, and `SessionExpire` does nothing | Each row that this store writes or reads gets an expiry |
/// | An expired or missing row is an error, which locks the user out | A new session |
/// | An error of the server may look like a missing row | A 503, and the cookie stays |
/// | `Refresh` removes the old row before the new one is complete, and fails in Memcached | One step in Redis; in Memcached the new row is complete before the old one is removed |
/// | The last writer wins | Each write compares the row. No update of ours is lost |
/// | Of several cookies the last counts | Cookies of two sessions [open no session](crate::session::Refusal::Ambiguous) |
/// | Without `CookieSecure`, cookies travel in the clear | Cookies are Secure and SameSite=Lax |
/// | JSON numbers are read as the caller's type | The same, and unchanged values keep their text |
///
/// # What stays of Go
///
/// - Go's writes compare nothing, bring back rows that have ended, and remove the expiry of a row: it
///   then stays in the server until this store reads or ends the session.
/// - After our first response the browser has no cookie of Go. If it then visits Go, Go begins another
///   session, which ours does not open as long as its own cookie is good.
/// - A Go program does not find a row that has expired, and answers a client that still has a cookie
///   for it with an error. Our response removes that cookie; only a response that was lost does not.
/// - A person who can write to the server can change any session, since rows are in the clear.
#[derive(Clone)]
#[must_use]
#[doc(alias = "Session")]
pub struct DolabStore {
    backend: Arc<dyn Backend>,
    keys: KeyPairs,
    config: DolabConfig,
    cookie: CookieOptions,
}

/// The fields of dolab/session's `Config`, with Go's defaults: empty, false and zero.
///
/// | Go | ours |
/// |---|---|
/// | `CookieName` | [`cookie_name`](DolabConfig::cookie_name) |
/// | `CookieSecure` | [`cookie_secure`](DolabConfig::cookie_secure) |
/// | `CookieExpire` | [`cookie_expire`](DolabConfig::cookie_expire) |
/// | `CookieSecret` | [`cookie_secret`](DolabConfig::cookie_secret) |
/// | `RememberName` | [`remember_name`](DolabConfig::remember_name) |
/// | `RememberExpire` | [`remember_expire`](DolabConfig::remember_expire) |
/// | `RememberSecret` | [`remember_secret`](DolabConfig::remember_secret) |
/// | `SessionExpire` | [`session_expire`](DolabConfig::session_expire) |
///
/// ```
/// use silverback::compat::DolabConfig;
///
/// let config = DolabConfig::new().cookie_name("gosession").cookie_secret("secret");
/// ```
#[derive(Clone, Default)]
#[must_use]
#[doc(alias = "Config")]
pub struct DolabConfig {
    cookie_name: String,
    cookie_secret: String,
    cookie_expire: Duration,
    remember_expire: Duration,
    session_expire: Duration,
}

impl DolabConfig {
    /// Returns Go's defaults. The name and the secret of the cookie must be set.
    pub fn new() -> Self {
        DolabConfig::default()
    }

    /// Sets the name of the Go program's cookie, which is only read.
    #[doc(alias = "CookieName")]
    pub fn cookie_name(self, name: impl Into<String>) -> Self {
        DolabConfig {
            cookie_name: name.into(),
            ..self
        }
    }

    /// Sets nothing: cookies are Secure, whatever the Go program sets. For plain HTTP on this
    /// machine, use [`CookieOptions::insecure_http`] with [`DolabStore::options`].
    #[doc(alias = "CookieSecure")]
    pub fn cookie_secure(self, _secure: bool) -> Self {
        self
    }

    /// Sets the lifetime of a session, in whole seconds: from its beginning, since Go sets the cookie
    /// once. It also refuses an older cookie of Go. Zero: our cookie ends with the browser, and the
    /// session after 12 hours. (Go refuses each such cookie, as it does with a negative value.)
    #[doc(alias = "CookieExpire")]
    pub fn cookie_expire(self, expire: Duration) -> Self {
        DolabConfig {
            cookie_expire: expire,
            ..self
        }
    }

    /// Sets the secret of the Go program's cookie. [`DolabStore::named`] refuses an empty one, as Go
    /// does.
    #[doc(alias = "CookieSecret")]
    pub fn cookie_secret(self, secret: impl Into<String>) -> Self {
        DolabConfig {
            cookie_secret: secret.into(),
            ..self
        }
    }

    /// Sets nothing: the Go program's cookie of users to remember is never read.
    #[doc(alias = "RememberName")]
    pub fn remember_name(self, _name: impl Into<String>) -> Self {
        self
    }

    /// Sets the lifetime of our [remembered](crate::session::Session::remember) sessions, in whole
    /// seconds, at most 400 days. Zero: 30 days, and 14 days without use.
    #[doc(alias = "RememberExpire")]
    pub fn remember_expire(self, expire: Duration) -> Self {
        DolabConfig {
            remember_expire: expire,
            ..self
        }
    }

    /// Sets nothing: the Go program's cookie of users to remember is never read.
    #[doc(alias = "RememberSecret")]
    pub fn remember_secret(self, _secret: impl Into<String>) -> Self {
        self
    }

    /// Sets how long a session may go unused, in whole seconds. In Go the field does nothing. Zero: as
    /// long as [`cookie_expire`](DolabConfig::cookie_expire), or 30 minutes if that is zero, too.
    #[doc(alias = "SessionExpire")]
    pub fn session_expire(self, expire: Duration) -> Self {
        DolabConfig {
            session_expire: expire,
            ..self
        }
    }

    fn lifetime(&self) -> Lifetime {
        let lifetime = match (self.cookie_expire, self.session_expire) {
            (Duration::ZERO, Duration::ZERO) => Lifetime::new(),
            (Duration::ZERO, idle) => Lifetime::new().idle(idle),
            (absolute, Duration::ZERO) => Lifetime::new().without_idle().absolute(absolute),
            (absolute, idle) => Lifetime::new().idle(idle).absolute(absolute),
        };
        match self.remember_expire {
            Duration::ZERO => lifetime,
            expire => lifetime.remembered(expire, expire),
        }
    }

    fn dialect(&self, codecs: Codecs) -> DolabDialect {
        let dialect = Dialect::dolab(codecs).legacy_cookie(&self.cookie_name, &self.cookie_secret);
        match self.cookie_expire {
            Duration::ZERO => dialect,
            max_age => dialect.legacy_max_age(max_age),
        }
    }
}

/// Shows the name and the lifetimes, and no secret.
impl fmt::Debug for DolabConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DolabConfig")
            .field("cookie_name", &self.cookie_name)
            .field("cookie_expire", &self.cookie_expire)
            .field("remember_expire", &self.remember_expire)
            .field("session_expire", &self.session_expire)
            .finish_non_exhaustive()
    }
}

/// Opens the sessions of dolab/session in the server that `url` names: `memcached://..`, or else
/// Redis, `redis://..`. `keys` sign our own cookie; the Go program does not know them.
///
/// # Errors
/// Returns the errors of [`connect_go_keys`].
#[doc(alias = "New")]
pub async fn dolab(url: &str, keys: KeyPairs, config: DolabConfig) -> Result<DolabStore, Error> {
    let go_keys = match url.starts_with("memcached:") {
        true => GoKeys::dolab_memcache(),
        false => GoKeys::dolab_redis(),
    };
    let backend = connect_go_keys(url, go_keys, ConnectOptions::new()).await?;
    Ok(DolabStore::new(backend, keys, config))
}

impl DolabStore {
    /// Opens the sessions in a backend: a `GoRedis` or a `GoMemcached` with the keys
    /// [`GoKeys::dolab_redis`] or [`GoKeys::dolab_memcache`].
    pub fn new(backend: impl IntoBackend, keys: KeyPairs, config: DolabConfig) -> Self {
        DolabStore {
            backend: backend.into_backend(),
            keys,
            config,
            cookie: CookieOptions::new(),
        }
    }

    /// Sets the options of our cookie, except the name. Default: [`CookieOptions::new`].
    pub fn options(self, cookie: CookieOptions) -> Self {
        DolabStore { cookie, ..self }
    }

    /// Returns the backend of the rows.
    #[must_use]
    pub fn backend(&self) -> Arc<dyn Backend> {
        self.backend.clone()
    }

    /// Returns the store of the sessions, with our cookie `__Host-id`.
    ///
    /// # Errors
    /// Returns the errors of [`named`](DolabStore::named).
    pub fn store(&self) -> Result<ServerStore, Error> {
        self.named("__Host-id")
    }

    /// Returns the store of the sessions, with our cookie of that name. It must not be the name of the
    /// Go program's cookie.
    ///
    /// # Errors
    /// Returns a usage error if a name is not a valid cookie name, if the two names are the same, if
    /// the Go program's secret is empty, if options contradict each other, or if the backend's rows
    /// are not those of dolab/session.
    pub fn named(&self, name: impl Into<String>) -> Result<ServerStore, Error> {
        let cookie = self.cookie.clone().name(name)?;
        let persists = !self.config.cookie_expire.is_zero();
        let codecs = CodecOptions::new().max_age(Duration::ZERO);
        let codecs = Codecs::from_pairs_with(self.keys.clone(), &codecs);
        let dialect = self.config.dialect(codecs.map_err(Error::of_codec)?);
        let options = ServerOptions::new()
            .cookie(cookie.persistent(persists))
            .lifetime(self.config.lifetime());
        ServerStore::with_options(dialect, self.backend.clone(), options)
    }
}

/// Shows the settings, without the keys, and nothing of the backend.
impl fmt::Debug for DolabStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DolabStore")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
