//! [`GorillaStore`]: the settings of Go's server stores for gorilla/sessions, and stores with these
//! settings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::{self, Backend, Cleanup};
use crate::codec::{CodecOptions, Codecs, KeyPairs, Serializer};
use crate::session::{
    CookieOptions, Dialect, Error, GorillaDialect, Lifetime, ServerOptions, ServerStore,
};

/// The maximum number of expired rows that one statement removes.
const BATCH: usize = 1_000;

/// The sessions of a Go program that keeps them in a server, or in files, with gorilla/sessions.
/// Both programs use the same rows and may run at the same time.
///
/// | store of the Go program | ours |
/// |---|---|
/// | `FilesystemStore` of gorilla/sessions | [`GorillaStore::new`] with `backend::GorillaFiles` (feature `files`) |
/// | rafaelespinoza/pgstore, antonlindstrom/pgstore | `PgStore` (feature `postgres`) |
/// | wader/gormstore | `WaderGormStore` (features `postgres`, `mysql`, `sqlite`) |
/// | pratikju/dynamostore | `DynamoStore` (feature `aws`) |
/// | boj/redistore, rbcervilla/redisstore, the Redis store of gin-contrib/sessions | `RediStore` (feature `redis`) |
/// | bradleypeabody/gorilla-sessions-memcache, the Memcached store of gin-contrib/sessions | `MemcacheStore` (feature `memcached`) |
/// | another store with the same rows | [`GorillaStore::new`] with a backend of your own |
///
/// ```no_run
/// # #[cfg(feature = "files")]
/// # fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// use silverback::backend::GorillaFiles;
/// use silverback::codec::KeyPairs;
/// use silverback::compat::GorillaStore;
///
/// // Go: sessions.NewFilesystemStore("/var/lib/shop/sessions", keys...)
/// let keys = KeyPairs::from_env("SESSION_KEYS")?;
/// let files = GorillaFiles::open("/var/lib/shop/sessions")?;
/// let sessions = GorillaStore::new(files, keys).named("session-name")?; // for a SessionLayer
/// # Ok(())
/// # }
/// ```
///
/// | Go | ours |
/// |---|---|
/// | `NewFilesystemStore(path, keyPairs...)` | [`GorillaStore::new`]; the keys are typed: [`KeyPairs`] |
/// | `store.Options` | [`options`](GorillaStore::options), with safe defaults |
/// | `store.MaxAge(age)` | [`max_age`](GorillaStore::max_age), set once: no request changes it for others |
/// | `store.MaxLength(l)` | [`max_length`](GorillaStore::max_length) |
/// | `store.Get(r, name)`, `store.New(r, name)` | [`named`](GorillaStore::named), and then a [`Session`](crate::session::Session) as an argument of your handler |
/// | `session.Values["k"]`, `session.Values["k"] = v` | [`get`](crate::session::Session::get), [`insert`](crate::session::Session::insert) |
/// | `session.AddFlash`, `session.Flashes` | [`add_flash`](crate::session::Session::add_flash), [`flashes`](crate::session::Session::flashes) |
/// | `session.Save(r, w)`, `store.Save(r, w, session)` | not needed: changes are saved before the response begins |
/// | `session.Options.MaxAge = -1` and `Save` | [`end`](crate::session::Session::end) |
///
/// # Differences from Go
///
/// This store is stricter:
/// - If the backend does not answer, the request gets an error, not a new session.
/// - A client's ID without a row is not reused: the next save makes a new ID.
/// - Each write compares the row with the one that was read. No update of ours is lost, and an
///   ended session stays ended, unless the Go program brings it back.
///
/// As in Go, a session and its cookie last [`max_age`](GorillaStore::max_age) from the last save.
/// Here a use renews them, too, if a tenth of that time has passed since the last renewal.
#[must_use]
#[doc(alias = "FilesystemStore")]
pub struct GorillaStore<B: ?Sized> {
    backend: Arc<B>,
    /// The same backend, for a [`ServerStore`] and a [`Cleanup`].
    rows: Arc<dyn Backend>,
    settings: Settings,
}

#[derive(Clone, Debug)]
struct Settings {
    form: Form,
    /// The lifetime of a session after its last save or use.
    lifetime: Duration,
    /// True if `lifetime` also limits the age of cookies and of the rows' texts: Go's `MaxAge` is
    /// not 0.
    has_max_age: bool,
    max_length: usize,
    cookie: CookieOptions,
    known_types: Vec<String>,
    /// The format of rows in the clear.
    serializer: Serializer,
}

/// The form of cookies and rows in a Go package, and the keys of what is sealed.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// Both are sealed.
    Sealed(KeyPairs),
    /// The cookie is sealed, and the row is in the clear.
    #[cfg(any(feature = "redis", feature = "memcached"))]
    ClearRows(KeyPairs),
    /// The cookie is the ID, and the row is in the clear.
    #[cfg(feature = "redis")]
    BareIds,
}

#[cfg(feature = "memcached")]
impl Form {
    /// Returns the form with sealed cookies and the same keys.
    fn with_rows_in_the_clear(self, are_clear: bool) -> Self {
        match self {
            Form::Sealed(keys) | Form::ClearRows(keys) if are_clear => Form::ClearRows(keys),
            Form::Sealed(keys) | Form::ClearRows(keys) => Form::Sealed(keys),
            #[cfg(feature = "redis")]
            Form::BareIds => Form::BareIds,
        }
    }
}

impl Settings {
    /// Returns the defaults of the Go packages: 30 days and 4096 bytes.
    fn new(form: Form) -> Self {
        Settings {
            form,
            lifetime: Duration::from_secs(86_400 * 30),
            has_max_age: true,
            max_length: 4096,
            cookie: CookieOptions::new(),
            known_types: Vec::new(),
            serializer: Serializer::Gob,
        }
    }

    fn dialect(&self) -> Result<GorillaDialect, Error> {
        let max_age = match self.has_max_age {
            true => self.lifetime,
            false => Duration::ZERO,
        };
        let options = CodecOptions::new().max_age(max_age);
        let codecs = |keys: &KeyPairs, options: &CodecOptions| {
            Codecs::from_pairs_with(keys.clone(), options).map_err(Error::of_codec)
        };
        #[cfg(any(feature = "redis", feature = "memcached"))]
        let clear_rows = |dialect: GorillaDialect| {
            let dialect = dialect.clear_rows(self.serializer.clone());
            dialect.max_row_size(self.max_length)
        };
        Ok(match &self.form {
            Form::Sealed(keys) => {
                Dialect::gorilla(codecs(keys, &options.max_length(self.max_length))?)
            }
            #[cfg(any(feature = "redis", feature = "memcached"))]
            Form::ClearRows(keys) => clear_rows(Dialect::redistore(codecs(keys, &options)?)),
            #[cfg(feature = "redis")]
            Form::BareIds => clear_rows(Dialect::rbcervilla_redisstore()),
        })
    }
}

impl<B: Backend> GorillaStore<B> {
    /// Returns the defaults of the Go packages, 30 days and 4096 bytes, for the rows of `backend`.
    ///
    /// The rows must be gorilla's: see [`Backend::layout`].
    #[doc(alias = "NewFilesystemStore")]
    #[doc(alias = "NewPGStoreFromPool")]
    pub fn new(backend: B, keys: KeyPairs) -> Self {
        GorillaStore::with_settings(backend, Settings::new(Form::Sealed(keys)))
    }

    fn with_settings(backend: B, settings: Settings) -> Self {
        let backend = Arc::new(backend);
        GorillaStore {
            rows: backend.clone(),
            backend,
            settings,
        }
    }

    /// Keeps sessions in `backend` instead.
    #[cfg(any(feature = "postgres", feature = "memcached"))]
    pub(super) fn over(self, backend: B) -> Self {
        GorillaStore::with_settings(backend, self.settings)
    }
}

impl GorillaStore<dyn Backend> {
    /// Returns the defaults of the Go packages for the rows of a backend that was chosen at run
    /// time.
    #[cfg(any(
        feature = "postgres",
        feature = "mysql",
        feature = "sqlite",
        feature = "redis"
    ))]
    pub(super) fn of_shared(backend: Arc<dyn Backend>, form: Form) -> Self {
        GorillaStore {
            rows: backend.clone(),
            backend,
            settings: Settings::new(form),
        }
    }
}

impl<B: ?Sized> GorillaStore<B> {
    fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(&mut self.settings);
        self
    }

    /// Sets the lifetime of a session after its last save or use, in whole seconds. It also
    /// limits the age of a cookie and of a row's text. Default: 30 days.
    #[doc(alias = "MaxAge")]
    pub fn max_age(self, max_age: Duration) -> Self {
        self.with(|settings| {
            settings.lifetime = max_age;
            settings.has_max_age = true;
        })
    }

    /// Sets Go's `MaxAge` of 0: `lifetime` does not limit the age of cookies and of the rows' texts.
    #[cfg(any(feature = "postgres", feature = "redis", feature = "memcached"))]
    pub(super) fn unlimited(self, lifetime: Duration) -> Self {
        self.with(|settings| {
            settings.lifetime = lifetime;
            settings.has_max_age = false;
        })
    }

    /// Sets whether rows are in the clear, while cookies stay sealed.
    #[cfg(feature = "memcached")]
    pub(super) fn rows_in_the_clear(self, are_clear: bool) -> Self {
        self.with(|settings| {
            settings.form = settings.form.clone().with_rows_in_the_clear(are_clear);
        })
    }

    /// Sets the format of rows in the clear: gob, or JSON. It does not change sealed rows. Default:
    /// gob.
    #[doc(alias = "SetSerializer")]
    pub fn serializer(self, serializer: Serializer) -> Self {
        self.with(|settings| settings.serializer = serializer)
    }

    /// Sets the maximum length of a row's text, in bytes. Zero means any length that the backend
    /// accepts. Default: 4096, as in Go. A Go program refuses longer texts unless it has the same
    /// setting.
    #[doc(alias = "MaxLength")]
    pub fn max_length(self, max_length: usize) -> Self {
        self.with(|settings| settings.max_length = max_length)
    }

    /// Sets the options of the cookies, except the name. Default: [`CookieOptions::new`]. Go's
    /// default is only `Path=/` and a `Max-Age`.
    #[doc(alias = "Options")]
    #[doc(alias = "SessionOpts")]
    pub fn options(self, cookie: CookieOptions) -> Self {
        self.with(|settings| settings.cookie = cookie)
    }

    /// Adds the types that the Go program itself registers (`gob.Register`), by Go's names for
    /// them: see [`GorillaDialect::known_types`](crate::session::GorillaDialect::known_types).
    #[doc(alias = "Register")]
    pub fn known_types<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into);
        self.with(|settings| settings.known_types.extend(names))
    }

    /// Returns the backend of the rows.
    #[must_use]
    pub fn backend(&self) -> Arc<B> {
        self.backend.clone()
    }

    /// Returns the store of the sessions under `name`: the name of the cookie, under which Go
    /// also seals its rows.
    ///
    /// # Errors
    /// Returns a usage error if `name` is not a valid cookie name, if options contradict each
    /// other, or if the backend's rows are not gorilla's.
    #[doc(alias = "Get")]
    #[doc(alias = "New")]
    pub fn named(&self, name: impl Into<String>) -> Result<ServerStore, Error> {
        let settings = &self.settings;
        let cookie = settings.cookie.clone().name(name)?;
        let cookie = match settings.has_max_age {
            true => cookie,
            false => cookie.persistent(false),
        };
        let options = ServerOptions::new()
            .cookie(cookie)
            .lifetime(Lifetime::sliding(settings.lifetime));
        let known_types = settings.known_types.iter().cloned();
        let dialect = settings.dialect()?.known_types(known_types);
        ServerStore::with_options(dialect, self.rows.clone(), options)
    }

    /// Purges expired rows immediately, and again `interval` after each purge finishes, until the
    /// [`Cleanup`] is stopped or dropped. Passes errors to `on_error`.
    ///
    /// The task does nothing if the backend cannot [scan](Backend::scan), as with files, or if it
    /// [purges itself](Backend::purges_itself), as DynamoDB does.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime.
    #[must_use = "dropping it ends the cleanup"]
    #[doc(alias = "RunCleanup")]
    #[doc(alias = "StopCleanup")]
    #[doc(alias = "PeriodicCleanup")]
    pub fn cleanup(
        &self,
        interval: Duration,
        on_error: impl Fn(&backend::Error) + Send + 'static,
    ) -> Cleanup {
        Cleanup::every(interval, self.rows.clone(), on_error)
    }

    /// Removes the expired rows, and returns their number.
    ///
    /// # Errors
    /// Returns a usage error if the backend cannot [scan](Backend::scan). Returns an unavailable
    /// error if the server cannot be reached.
    #[doc(alias = "DeleteExpired")]
    pub async fn purge(&self) -> Result<usize, Error> {
        let no_scan = || Error::usage("the backend cannot find its expired rows");
        let scan = self.rows.scan().ok_or_else(no_scan)?;
        let mut removed = 0;
        loop {
            let batch = scan.purge(BATCH).await?.removed;
            removed += batch;
            if batch < BATCH {
                return Ok(removed);
            }
        }
    }
}

impl<B: ?Sized> Clone for GorillaStore<B> {
    fn clone(&self) -> Self {
        GorillaStore {
            backend: self.backend.clone(),
            rows: self.rows.clone(),
            settings: self.settings.clone(),
        }
    }
}

/// Shows the settings, without the keys, and nothing of the backend.
impl<B: ?Sized> fmt::Debug for GorillaStore<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GorillaStore")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Memory;

    #[test]
    fn rows_that_are_not_gorillas_are_refused() {
        let keys = KeyPairs::generate(1).unwrap();
        let refused = GorillaStore::new(Memory::new(), keys).named("session");
        let refused = refused.err().unwrap();
        assert!(refused.is_usage(), "{refused}");
    }
}
