//! [`SessionManager`]: the settings of Go's scs, and a store with these settings.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::{Backend, IntoBackend};
use crate::session::{
    CookieOptions, Dialect, Error, Lifetime, ScsDialect, ServerOptions, ServerStore,
};

/// The sessions of a Go program that uses
/// [alexedwards/scs](https://github.com/alexedwards/scs) v2. Both programs use the same rows and
/// may run at the same time.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use silverback::backend::{GoPostgres, GoTable};
/// use silverback::compat::SessionManager;
///
/// let rows = GoPostgres::connect("postgres://user@127.0.0.1/database", GoTable::scs_postgresstore()).await?;
/// let sessions = SessionManager::new(Arc::new(rows)).store()?; // for a SessionLayer
/// # Ok(())
/// # }
/// ```
///
/// # Fields
///
/// | Go | ours |
/// |---|---|
/// | `scs.New()`, `Store` | [`SessionManager::new`], or [`ScsStore::manager`](super::ScsStore::manager) |
/// | `Lifetime` | [`lifetime`](SessionManager::lifetime) |
/// | `IdleTimeout` | [`idle_timeout`](SessionManager::idle_timeout) |
/// | `HashTokenInStore` | [`hash_token_in_store`](SessionManager::hash_token_in_store) |
/// | `Codec` | gob, or [`json_rows`](SessionManager::json_rows) |
/// | `Cookie.Name` | [`named`](SessionManager::named) |
/// | `Cookie.Domain`, `Path`, `SameSite`, `Partitioned` | [`cookie`](SessionManager::cookie), with the [`CookieOptions`] of these names |
/// | `Cookie.HttpOnly`, `Secure` | on; [`CookieOptions::readable_by_scripts`] and [`insecure_http`](CookieOptions::insecure_http) turn them off |
/// | `Cookie.Persist` | [`CookieOptions::persistent`] |
/// | `ErrorFunc` | `SessionLayer::with_on_error`; by default, the response is a 503 if the store does not answer |
///
/// # Methods
///
/// `session` is the handler's [`Session`](crate::session::Session), and `store` the
/// [`ServerStore`] that [`store`](SessionManager::store) returns.
///
/// | Go | ours |
/// |---|---|
/// | `LoadAndSave` | a `SessionLayer` with `store`; see [headers](#headers) |
/// | `Load`, `Commit`, `WriteSessionCookie` | not needed in a handler; [`session.save()`](crate::session::Session::save) saves before the response is ready; without a framework, [`Sessions`](crate::session::Sessions) |
/// | `Get`, `GetString`, `GetBool`, `GetInt`, `GetInt32`, `GetInt64`, `GetFloat`, `GetBytes`, `GetTime` | [`session.get::<T>(key)`](crate::session::Session::get), with `String`, `bool`, `i64`, `f64`, .. as `T`. In Go, a value of another type is zero (`GetInt` of an `int64` is 0); here it is an error |
/// | `Put` | [`session.insert(key, value)`](crate::session::Session::insert) |
/// | `Pop`, `PopString`, `PopBool`, `PopInt`, `PopFloat`, `PopBytes`, `PopTime` | [`session.take::<T>(key)`](crate::session::Session::take). In Go, a value of another type is removed and zero; here it stays, and it is an error |
/// | `Remove`, `Clear`, `Exists`, `Keys` | [`remove`](crate::session::Session::remove), [`clear`](crate::session::Session::clear), [`contains`](crate::session::Session::contains), [`keys`](crate::session::Session::keys). Go's `Clear` also forgets `RememberMe`; here a session stays remembered |
/// | `Destroy` | [`session.end()`](crate::session::Session::end); [`logout`](crate::session::Session::logout) lets a new session follow, as `Destroy` and `Put` do |
/// | `RenewToken` | [`session.renew()`](crate::session::Session::renew). As in Go, the limits count from now. Go removes the old row before the new one is written, so a failure in between ends the session; here it never does. At a login, [`session.login(owner)`](crate::session::Session::login) renews too |
/// | `MergeSession` | [`session.merge(token)`](crate::session::Session::merge), which saves this session before it ends the other one; Go ends the other one first |
/// | `RememberMe` | [`session.remember(..)`](crate::session::Session::remember) |
/// | `Deadline`, `SetDeadline` | [`session.deadline()`](crate::session::Session::deadline), [`session.set_deadline(..)`](crate::session::Session::set_deadline), which refuses a deadline after the lifetime |
/// | `Status` | [`session.status()`](crate::session::Session::status) |
/// | `Token` | the cookie's value. A handler gets the [`session.id()`](crate::session::Session::id) instead, which opens no session |
/// | `Iterate` | [`store.page(..)`](ServerStore::page) and [`store.end_by_key(..)`](ServerStore::end_by_key), which also work with hashed tokens; Go's `Destroy` in `Iterate` then ends nothing |
///
/// # Headers
///
/// `LoadAndSave` adds `Vary: Cookie` to all responses, and `Cache-Control: no-cache="Set-Cookie"`
/// to those with a cookie, which many caches ignore. A `SessionLayer` adds `Vary: Cookie` if the
/// handler asked for the session, and then makes the response `private, no-cache`, or `no-store` if
/// it has a cookie: see [`ResponseFields`](crate::session::ResponseFields). If several cookies of the
/// name arrive, Go takes the first; here, two different sessions are
/// [ambiguous](crate::session::Refusal::Ambiguous).
///
/// # Limits
///
/// Set the same [`lifetime`](SessionManager::lifetime) here as in the Go program. The deadline in a row
/// is valid, whichever program wrote it; but a renewal here restarts it with the lifetime set here. A
/// program that renews its sessions again and again therefore has no absolute limit, as in Go. Set the
/// same [`idle_timeout`](SessionManager::idle_timeout), too: a row does not contain it.
#[derive(Clone)]
#[must_use]
pub struct SessionManager {
    backend: Arc<dyn Backend>,
    cookie: CookieOptions,
    lifetime: Duration,
    idle_timeout: Option<Duration>,
    dialect: ScsDialect,
}

impl SessionManager {
    /// Returns scs's defaults: the cookie `session`, which stays when the browser closes, and a
    /// lifetime of 24 hours from the session's beginning. Unlike in Go, the cookie is Secure.
    #[doc(alias = "New")]
    pub fn new(backend: impl IntoBackend) -> Self {
        SessionManager {
            backend: backend.into_backend(),
            cookie: CookieOptions::new(),
            lifetime: Duration::from_secs(86_400),
            idle_timeout: None,
            dialect: Dialect::scs(),
        }
    }

    /// Sets the lifetime of sessions that begin in this program, in whole seconds. Default: 24
    /// hours.
    #[doc(alias = "Lifetime")]
    pub fn lifetime(self, lifetime: Duration) -> Self {
        SessionManager { lifetime, ..self }
    }

    /// Sets the idle limit: a session that is not used for this time ends. In whole seconds.
    /// Default: no idle limit.
    #[doc(alias = "IdleTimeout")]
    pub fn idle_timeout(self, idle_timeout: Duration) -> Self {
        SessionManager {
            idle_timeout: Some(idle_timeout),
            ..self
        }
    }

    /// Sets whether a row's key is the hash of its token. Default: false.
    #[doc(alias = "HashTokenInStore")]
    pub fn hash_token_in_store(self, hash_token_in_store: bool) -> Self {
        let dialect = self.dialect.hash_token_in_store(hash_token_in_store);
        SessionManager { dialect, ..self }
    }

    /// Adds the types that the Go program itself registers (`gob.Register`), by Go's names for
    /// them: see [`GorillaDialect::known_types`](crate::session::GorillaDialect::known_types).
    #[doc(alias = "Register")]
    pub fn known_types<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        let dialect = self.dialect.known_types(names);
        SessionManager { dialect, ..self }
    }

    /// Sets that rows are JSON, for a Go program whose `Codec` writes JSON: see
    /// [`ScsDialect::json_rows`].
    #[cfg(feature = "json")]
    #[doc(alias = "Codec")]
    pub fn json_rows(self) -> Self {
        let dialect = self.dialect.json_rows();
        SessionManager { dialect, ..self }
    }

    /// Sets the options of the cookies, except the name. Default: [`CookieOptions::new`], which
    /// in scs's dialect is a persistent cookie.
    #[doc(alias = "Cookie")]
    pub fn cookie(self, cookie: CookieOptions) -> Self {
        SessionManager { cookie, ..self }
    }

    /// Returns the store of the sessions under scs's default cookie name, `session`.
    ///
    /// # Errors
    /// Returns the errors of [`named`](SessionManager::named).
    #[doc(alias = "LoadAndSave")]
    pub fn store(&self) -> Result<ServerStore, Error> {
        self.named("session")
    }

    /// Returns the store of the sessions under the cookie name `name`: scs's `Cookie.Name`.
    ///
    /// # Errors
    /// Returns a usage error if `name` is not a valid cookie name, if options contradict each
    /// other, or if the backend's rows are not scs's.
    pub fn named(&self, name: impl Into<String>) -> Result<ServerStore, Error> {
        let lifetime = Lifetime::new().absolute(self.lifetime);
        let lifetime = match self.idle_timeout {
            Some(idle) => lifetime.idle(idle),
            None => lifetime.without_idle(),
        };
        let options = ServerOptions::new()
            .cookie(self.cookie.clone().name(name)?)
            .lifetime(lifetime);
        ServerStore::with_options(self.dialect.clone(), self.backend.clone(), options)
    }
}

/// Shows the settings, and nothing of the backend.
impl std::fmt::Debug for SessionManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionManager")
            .field("cookie", &self.cookie)
            .field("lifetime", &self.lifetime)
            .field("idle_timeout", &self.idle_timeout)
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}
