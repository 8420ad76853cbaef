//! [`PgStore`]: the settings of Go's pgstore, and stores with these settings.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;

use crate::backend::{self, Backend, Cleanup, GoPostgres, GoTable, PostgresOptions, Scan};
use crate::codec::KeyPairs;
use crate::session::{CookieOptions, Error, ServerStore};

use super::gorilla_settings::GorillaSettings;

/// The maximum number of expired rows that one purge deletes.
const BATCH: usize = 1_000;

/// The sessions of a Go program that uses
/// [rafaelespinoza/pgstore](https://github.com/rafaelespinoza/pgstore), or
/// antonlindstrom/pgstore, of which it is a fork. Both programs use the same table and may run at
/// the same time.
///
/// ```no_run
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use silverback::codec::KeyPairs;
/// use silverback::compat::pgstore;
///
/// let keys = KeyPairs::from_env("SESSION_KEYS")?;
/// let store = pgstore("postgres://user:password@127.0.0.1:5432/database", keys).await?;
/// let cleanup = store.cleanup(Duration::from_secs(5 * 60), |error| eprintln!("{error}"));
/// let sessions = store.named("session-key")?; // for a SessionLayer
/// // .. serve ..
/// cleanup.stop().await;
/// store.close().await;
/// # Ok(())
/// # }
/// ```
///
/// | Go | ours |
/// |---|---|
/// | `NewPGStore(url, keyPairs...)` | [`pgstore`]; the keys are typed: [`KeyPairs`] |
/// | `NewPGStoreFromPool(db, keyPairs...)` | [`PgStore::from_pool`] |
/// | `store.Options` | [`options`](PgStore::options), with safe defaults |
/// | `store.MaxAge(age)` | [`max_age`](PgStore::max_age), set once: no request changes it for others; [`without_max_age`](PgStore::without_max_age) for 0 |
/// | `store.MaxLength(l)` | [`max_length`](PgStore::max_length) |
/// | `store.Get(r, name)`, `store.New(r, name)` | [`named`](PgStore::named), and then a [`Session`](crate::session::Session) as an argument of your handler |
/// | `session.Values["k"]`, `session.Values["k"] = v` | [`get`](crate::session::Session::get), [`insert`](crate::session::Session::insert) |
/// | `session.AddFlash`, `session.Flashes` | [`add_flash`](crate::session::Session::add_flash), [`flashes`](crate::session::Session::flashes) |
/// | `session.Save(r, w)` | not needed: changes are saved before the response begins |
/// | `session.Options.MaxAge = -1` and `Save` | [`end`](crate::session::Session::end) |
/// | `store.Cleanup(interval)`, `store.RunCleanup(ctx, interval)` | [`cleanup`](PgStore::cleanup), which reports its errors |
/// | `store.StopCleanup(quit, done)` | [`Cleanup::stop`] |
/// | `store.DeleteExpired()` | [`delete_expired`](PgStore::delete_expired) |
/// | `store.Close()` | [`close`](PgStore::close) |
///
/// # Differences from Go
///
/// This store is stricter:
/// - An expired row opens nothing, even before it is deleted.
/// - If the database does not answer, the request gets an error, not a new session.
/// - A client's ID without a row is not reused: the next save makes a new ID.
/// - Each write compares the row with the one that was read. No update of ours is lost, and an
///   ended session stays ended, unless the Go program brings it back.
///
/// As in Go, a session and its cookie last [`max_age`](PgStore::max_age) from the last save. Here
/// a use renews them, too, if a tenth of that time has passed since the last renewal. Unlike in
/// Go, the values `created_on` and `expires_on` of a session set no column.
///
/// # Go programs with `MaxAge = 0` for some sessions
///
/// If the Go program sets `session.Options.MaxAge = 0` for some sessions and not for others, use
/// [`GoTable::without_max_age`] in [`from_pool`](PgStore::from_pool). A row does not show which
/// sessions these are. Therefore a save here gives each session a cookie that stays when the
/// browser closes. To end the cookies with the browser, set [`options`](PgStore::options) that
/// are not [persistent](CookieOptions::persistent): they then apply to all sessions except
/// [remembered](crate::session::Session::remember) ones.
#[derive(Clone, Debug)]
#[doc(alias = "PGStore")]
pub struct PgStore {
    backend: GoPostgres,
    settings: GorillaSettings,
}

/// Opens the store in the database at `url`. If the table `http_sessions` is missing, creates it
/// as rafaelespinoza/pgstore does.
///
/// # Errors
/// Returns a usage error if the URL is not valid. Returns an unavailable error if the database
/// cannot be reached or used.
#[doc(alias = "NewPGStore")]
pub async fn pgstore(url: &str, keys: KeyPairs) -> Result<PgStore, Error> {
    let backend = GoPostgres::connect(url, GoTable::pgstore()).await;
    Ok(PgStore::of(backend?, keys))
}

impl PgStore {
    fn of(backend: GoPostgres, keys: KeyPairs) -> Self {
        PgStore {
            backend,
            settings: GorillaSettings::new(keys),
        }
    }

    /// Opens the store with a pool of your own and a table of your choice, such as
    /// [`GoTable::antonlindstrom_pgstore`]. Creates the table if it is missing.
    ///
    /// # Errors
    /// Returns the errors of [`pgstore`].
    #[doc(alias = "NewPGStoreFromPool")]
    pub async fn from_pool(pool: PgPool, table: GoTable, keys: KeyPairs) -> Result<Self, Error> {
        let backend = GoPostgres::from_pool(pool, table, PostgresOptions::new());
        let backend = backend?;
        backend.migrate().await?;
        Ok(PgStore::of(backend, keys))
    }

    /// Sets the lifetime of a session after its last save or use, in whole seconds. It also
    /// limits the age of a cookie and of a row's text. Default: 30 days.
    #[must_use]
    #[doc(alias = "MaxAge")]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.settings = self.settings.max_age(max_age);
        self
    }

    /// Sets Go's `MaxAge(0)`. A cookie ends when the browser closes. A row is valid for
    /// `lasting`, in whole seconds, after it was last written or used, although Go writes it as
    /// expired ([`GoTable::without_max_age`]). As in Go, the age of a cookie and of a row's text
    /// is not limited.
    ///
    /// # Errors
    /// Returns a usage error if the table does not record when a row was written.
    pub fn without_max_age(mut self, lasting: Duration) -> Result<Self, Error> {
        let backend = self.backend.without_max_age(lasting);
        self.backend = backend?;
        self.settings = self.settings.without_max_age(lasting);
        Ok(self)
    }

    /// Sets the maximum length of a row's text, in bytes. Zero means any length. Default: 4096, as
    /// in Go. A Go program refuses longer texts unless it has the same setting.
    #[must_use]
    #[doc(alias = "MaxLength")]
    pub fn max_length(mut self, max_length: usize) -> Self {
        self.settings.max_length = max_length;
        self
    }

    /// Sets the options of the cookies, except the name. Default: [`CookieOptions::new`]. Go's
    /// default is only `Path=/`.
    #[must_use]
    #[doc(alias = "Options")]
    pub fn options(mut self, cookie: CookieOptions) -> Self {
        self.settings.cookie = cookie;
        self
    }

    /// Adds the types that the Go program itself registers (`gob.Register`), by Go's names for
    /// them: see [`GorillaDialect::known_types`](crate::session::GorillaDialect::known_types).
    #[must_use]
    #[doc(alias = "Register")]
    pub fn known_types<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into);
        self.settings.known_types.extend(names);
        self
    }

    /// Returns the store of the sessions under `name`: the name of the cookie, under which Go
    /// also seals its rows.
    ///
    /// # Errors
    /// Returns a usage error if `name` is not a valid cookie name, or if options contradict each
    /// other.
    #[doc(alias = "Get")]
    #[doc(alias = "New")]
    pub fn named(&self, name: impl Into<String>) -> Result<ServerStore, Error> {
        self.settings.store(name, self.backend())
    }

    /// Returns the backend of the rows.
    #[must_use]
    pub fn backend(&self) -> Arc<dyn Backend> {
        Arc::new(self.backend.clone())
    }

    /// Deletes expired rows immediately, and again `interval` after each deletion finishes, until
    /// the [`Cleanup`] is stopped or dropped. Passes errors to `on_error`.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime.
    #[must_use = "dropping it ends the cleanup"]
    #[doc(alias = "RunCleanup")]
    #[doc(alias = "StopCleanup")]
    pub fn cleanup(
        &self,
        interval: Duration,
        on_error: impl Fn(&backend::Error) + Send + 'static,
    ) -> Cleanup {
        Cleanup::every(interval, self.backend(), on_error)
    }

    /// Deletes the expired rows, and returns their number.
    ///
    /// # Errors
    /// Returns an unavailable error if the database cannot be reached.
    #[doc(alias = "DeleteExpired")]
    pub async fn delete_expired(&self) -> Result<usize, Error> {
        let mut deleted = 0;
        loop {
            let purged = self.backend.purge(BATCH).await;
            let batch = purged?.removed;
            deleted += batch;
            if batch < BATCH {
                return Ok(deleted);
            }
        }
    }

    /// Closes the connections, also those of a pool of your own. Call it after the last request,
    /// and after the saves of the stores are [drained](ServerStore::drain).
    #[doc(alias = "Close")]
    pub async fn close(&self) {
        self.backend.close().await;
    }
}
