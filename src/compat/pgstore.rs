//! [`PgStore`]: what Go's pgstore is configured by, and the store that comes of it.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;

use crate::backend::{self, Backend, Cleanup, GoPostgres, GoTable, PostgresOptions, Scan};
use crate::codec::KeyPairs;
use crate::session::{CookieOptions, Error, ServerStore};

use super::sessions::Sessions;

/// How many expired rows are deleted at a time.
const BATCH: usize = 1_000;

/// The sessions of a Go program that uses
/// [rafaelespinoza/pgstore](https://github.com/rafaelespinoza/pgstore) (or
/// antonlindstrom/pgstore, of which that is a fork), in the same table: both programs may run
/// at the same time.
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
/// | `store.Options` | [`options`](PgStore::options), safe unless you say otherwise |
/// | `store.MaxAge(age)` | [`max_age`](PgStore::max_age), once and for all: no request changes it for others; [`without_max_age`](PgStore::without_max_age) for 0 |
/// | `store.MaxLength(l)` | [`max_length`](PgStore::max_length) |
/// | `store.Get(r, name)`, `store.New(r, name)` | [`named`](PgStore::named), and then a [`Session`](crate::session::Session) as an argument of your handler |
/// | `session.Values["k"]`, `session.Values["k"] = v` | [`get`](crate::session::Session::get), [`insert`](crate::session::Session::insert) |
/// | `session.AddFlash`, `session.Flashes` | [`add_flash`](crate::session::Session::add_flash), [`flashes`](crate::session::Session::flashes) |
/// | `session.Save(r, w)` | nothing: what was changed is saved before the response begins |
/// | `session.Options.MaxAge = -1` and `Save` | [`destroy`](crate::session::Session::destroy) |
/// | `store.Cleanup(interval)`, `store.RunCleanup(ctx, interval)` | [`cleanup`](PgStore::cleanup), which tells its errors |
/// | `store.StopCleanup(quit, done)` | [`Cleanup::stop`] |
/// | `store.DeleteExpired()` | [`delete_expired`](PgStore::delete_expired) |
/// | `store.Close()` | [`close`](PgStore::close) |
///
/// What is safer than in Go:
/// - a row that has expired opens nothing, whether it was deleted or not;
/// - a database that does not answer is an error, and no new session;
/// - an ID that has no row is not taken over from the client: the next save makes another;
/// - each write compares, so that no update of ours is lost, and what has ended stays ended,
///   as far as the Go program does not bring it back.
///
/// As in Go, a session and its cookie last [`max_age`](PgStore::max_age) from the last save;
/// and here also from the last use, as soon as a tenth of that time has passed since. Different
/// from Go: `created_on` and `expires_on` among a session's values set no column.
///
/// A program that gives some sessions `session.Options.MaxAge = 0` and others not needs
/// [`GoTable::without_max_age`] in [`from_pool`](PgStore::from_pool). A row does not say which
/// they are: a save here gives each a cookie that is kept when the browser closes, unless
/// [`options`](PgStore::options) are not [persistent](CookieOptions::persistent), which then
/// holds for all but [remembered](crate::session::Session::remember) sessions.
#[derive(Clone, Debug)]
#[doc(alias = "PGStore")]
pub struct PgStore {
    backend: GoPostgres,
    sessions: Sessions,
}

/// The store in the database that the URL names. The table `http_sessions` is made as
/// rafaelespinoza/pgstore would make it, if it is missing.
///
/// # Errors
/// Usage, for a URL that cannot be read; unavailable, if the database cannot be reached or
/// used.
#[doc(alias = "NewPGStore")]
pub async fn pgstore(url: &str, keys: KeyPairs) -> Result<PgStore, Error> {
    let backend = GoPostgres::connect(url, GoTable::pgstore()).await;
    Ok(PgStore::of(backend.map_err(Error::of_backend)?, keys))
}

impl PgStore {
    fn of(backend: GoPostgres, keys: KeyPairs) -> Self {
        PgStore {
            backend,
            sessions: Sessions::sealed_by(keys),
        }
    }

    /// The same in a pool of your own, and in a table of your choice: such as
    /// [`GoTable::antonlindstrom_pgstore`]. It is made, if it is missing.
    ///
    /// # Errors
    /// As [`pgstore`].
    #[doc(alias = "NewPGStoreFromPool")]
    pub async fn from_pool(pool: PgPool, table: GoTable, keys: KeyPairs) -> Result<Self, Error> {
        let backend = GoPostgres::with_pool(pool, table, PostgresOptions::new());
        let backend = backend.map_err(Error::of_backend)?;
        backend.make_table().await.map_err(Error::of_backend)?;
        Ok(PgStore::of(backend, keys))
    }

    /// How long a session lasts after its last save or use, in whole seconds, and how old a
    /// cookie and a row's text may be. Default: 30 days.
    #[must_use]
    #[doc(alias = "MaxAge")]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.sessions = self.sessions.max_age(max_age);
        self
    }

    /// Go's `MaxAge(0)`: a cookie ends when the browser closes, and a row is valid for
    /// `lasting`, in whole seconds, after it was last written or used, though Go writes it as
    /// expired ([`GoTable::without_max_age`]). As in Go, the dates of cookies and rows do not
    /// matter.
    ///
    /// # Errors
    /// Usage, for a table that does not say when a row was written.
    pub fn without_max_age(mut self, lasting: Duration) -> Result<Self, Error> {
        let backend = self.backend.without_max_age(lasting);
        self.backend = backend.map_err(Error::of_backend)?;
        self.sessions = self.sessions.without_max_age(lasting);
        Ok(self)
    }

    /// How many bytes the text of a row may have; zero means any number. Default: 4096, as
    /// in Go, which refuses longer ones unless it is told otherwise too.
    #[must_use]
    #[doc(alias = "MaxLength")]
    pub fn max_length(mut self, max_length: usize) -> Self {
        self.sessions.max_length = max_length;
        self
    }

    /// The options of the cookies, but for the name. Default: those of [`CookieOptions::new`],
    /// where Go has `Path=/` alone.
    #[must_use]
    #[doc(alias = "Options")]
    pub fn options(mut self, cookie: CookieOptions) -> Self {
        self.sessions.cookie = cookie;
        self
    }

    /// The types that the Go program registers itself (`gob.Register`), by the names that Go
    /// gives them: see [`ServerOptions::known_types`](crate::session::ServerOptions::known_types).
    #[must_use]
    #[doc(alias = "Register")]
    pub fn known_types<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Into::into);
        self.sessions.known_types.extend(names);
        self
    }

    /// The sessions of that name: the cookie's, under which Go seals its rows, too.
    ///
    /// # Errors
    /// Usage, if it is no cookie's name, or options do not go together.
    #[doc(alias = "Get")]
    #[doc(alias = "New")]
    pub fn named(&self, name: impl Into<String>) -> Result<ServerStore, Error> {
        self.sessions.named(name, self.backend())
    }

    /// The rows.
    #[must_use]
    pub fn backend(&self) -> Arc<dyn Backend> {
        Arc::new(self.backend.clone())
    }

    /// Deletes expired rows now, and again `interval` after each time, until it is stopped or
    /// dropped; errors go to `on_error`.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
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

    /// Deletes the rows that have expired, and says how many they were.
    ///
    /// # Errors
    /// Unavailable, if the database cannot be reached.
    #[doc(alias = "DeleteExpired")]
    pub async fn delete_expired(&self) -> Result<usize, Error> {
        let mut deleted = 0;
        loop {
            let purged = self.backend.purge(BATCH).await;
            let batch = purged.map_err(Error::of_backend)?.removed;
            deleted += batch;
            if batch < BATCH {
                return Ok(deleted);
            }
        }
    }

    /// Closes the connections, of a pool of your own too: after the last request, and after
    /// the stores' saves are [drained](ServerStore::drain).
    #[doc(alias = "Close")]
    pub async fn close(&self) {
        self.backend.close().await;
    }
}
