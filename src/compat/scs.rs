//! [`SessionManager`]: the settings of Go's scs, and a store with these settings.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::Backend;
use crate::session::{CookieOptions, Dialect, Error, Lifetime, ServerOptions, ServerStore};

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
/// | Go | ours |
/// |---|---|
/// | `scs.New()` and `manager.Store` | [`SessionManager::new`], or `ScsStore::manager` for a table in an SQL database |
/// | `manager.Lifetime` | [`lifetime`](SessionManager::lifetime) |
/// | `manager.IdleTimeout` | [`idle_timeout`](SessionManager::idle_timeout) |
/// | `manager.HashTokenInStore` | [`hash_token_in_store`](SessionManager::hash_token_in_store) |
/// | `manager.Cookie` | [`cookie`](SessionManager::cookie), with safe defaults; `Persist` is [`persistent`](CookieOptions::persistent) |
/// | `manager.LoadAndSave(handler)` | a `SessionLayer` with [`store`](SessionManager::store) |
/// | `manager.Get`, `manager.Put` | [`get`](crate::session::Session::get), [`insert`](crate::session::Session::insert) |
/// | `manager.RenewToken` | [`renew`](crate::session::Session::renew), which keeps the deadline; or [`login`](crate::session::Session::login) |
/// | `manager.Destroy` | [`end`](crate::session::Session::end) |
/// | `manager.RememberMe` | [`remember`](crate::session::Session::remember) |
/// | `manager.Deadline`, `manager.SetDeadline` | [`deadline`](crate::session::Session::deadline), [`set_deadline`](crate::session::Session::set_deadline) |
///
/// The deadline in a row is valid, whichever program wrote it. If the Go program sets an
/// `IdleTimeout`, set the same [`idle_timeout`](SessionManager::idle_timeout) here: a row does
/// not contain it.
#[derive(Clone)]
#[must_use]
pub struct SessionManager {
    backend: Arc<dyn Backend>,
    cookie: CookieOptions,
    lifetime: Duration,
    idle_timeout: Option<Duration>,
    hash_token_in_store: bool,
    known_types: Vec<String>,
}

impl SessionManager {
    /// Returns scs's defaults: the cookie `session`, which stays when the browser closes, and a
    /// lifetime of 24 hours from the session's beginning. Unlike in Go, the cookie is Secure.
    #[doc(alias = "New")]
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        SessionManager {
            backend,
            cookie: CookieOptions::new(),
            lifetime: Duration::from_secs(86_400),
            idle_timeout: None,
            hash_token_in_store: false,
            known_types: Vec::new(),
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
        SessionManager {
            hash_token_in_store,
            ..self
        }
    }

    /// Adds the types that the Go program itself registers (`gob.Register`), by Go's names for
    /// them: see [`GorillaDialect::known_types`](crate::session::GorillaDialect::known_types).
    #[doc(alias = "Register")]
    pub fn known_types<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.known_types.extend(names.into_iter().map(Into::into));
        self
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
        let dialect = Dialect::scs().known_types(self.known_types.iter().cloned());
        let dialect = dialect.hash_token_in_store(self.hash_token_in_store);
        let options = ServerOptions::new()
            .cookie(self.cookie.clone().name(name)?)
            .lifetime(lifetime);
        ServerStore::with_options(dialect, self.backend.clone(), options)
    }
}

/// Shows the settings, and nothing of the backend.
impl std::fmt::Debug for SessionManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionManager")
            .field("cookie", &self.cookie)
            .field("lifetime", &self.lifetime)
            .field("idle_timeout", &self.idle_timeout)
            .field("hash_token_in_store", &self.hash_token_in_store)
            .finish_non_exhaustive()
    }
}
