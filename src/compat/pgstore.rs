//! [`PgStore`]: the sessions of Go's pgstore.

use std::time::Duration;

use crate::backend::{GoPostgres, GoTable, PostgresOptions};
use crate::codec::KeyPairs;
use crate::session::Error;

use super::gorilla_store::GorillaStore;

/// The sessions of a Go program that uses
/// [rafaelespinoza/pgstore](https://github.com/rafaelespinoza/pgstore), or
/// antonlindstrom/pgstore, of which it is a fork. Both programs use the same table and may run at
/// the same time.
///
/// ```no_run
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use silverback::codec::KeyPairs;
/// use silverback::compat::PgStore;
///
/// let keys = KeyPairs::from_env("SESSION_KEYS")?;
/// let store = PgStore::connect("postgres://user:password@127.0.0.1:5432/database", keys).await?;
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
/// | `NewPGStore(url, keyPairs...)` | [`PgStore::connect`](PgStore#method.connect); the keys are typed: [`KeyPairs`] |
/// | `NewPGStoreFromPool(db, keyPairs...)` | [`PgStore::new`](GorillaStore::new) with [`GoPostgres::from_pool`] |
/// | `store.MaxAge(0)` | [`without_max_age`](PgStore::without_max_age) |
/// | `store.Cleanup(interval)`, `store.RunCleanup(ctx, interval)` | [`cleanup`](GorillaStore::cleanup), which reports its errors |
/// | `store.StopCleanup(quit, done)` | [`Cleanup::stop`](crate::backend::Cleanup::stop) |
/// | `store.DeleteExpired()` | [`purge`](GorillaStore::purge) |
/// | `store.Close()` | [`close`](PgStore::close) |
/// | all other methods | those of [`GorillaStore`](GorillaStore#method.new) |
///
/// # Differences from Go
///
/// - All that [`GorillaStore`] lists.
/// - An expired row opens nothing, even before it is purged.
/// - The values `created_on` and `expires_on` of a session set no column.
///
/// # Go programs with `MaxAge = 0` for some sessions
///
/// If the Go program sets `session.Options.MaxAge = 0` for some sessions and not for others, use
/// [`GoTable::without_max_age`] and [`PgStore::new`](GorillaStore::new). A row does not show which
/// sessions these are. Therefore a save here gives each session a cookie that stays when the
/// browser closes. To end the cookies with the browser, set [`options`](GorillaStore::options) that
/// are not [persistent](crate::session::CookieOptions::persistent): they then apply to all sessions
/// except [remembered](crate::session::Session::remember) ones.
#[doc(alias = "PGStore")]
pub type PgStore = GorillaStore<GoPostgres>;

/// The store of pgstore's sessions: [`PgStore`].
impl PgStore {
    /// Opens the store in the database at `url`. If the table `http_sessions` is missing, creates it
    /// as rafaelespinoza/pgstore does.
    ///
    /// # Errors
    /// Returns a usage error if the URL is not valid. Returns an unavailable error if the database
    /// cannot be reached or used.
    #[doc(alias = "NewPGStore")]
    pub async fn connect(url: &str, keys: KeyPairs) -> Result<Self, Error> {
        PgStore::connect_with(url, keys, PostgresOptions::new()).await
    }

    /// Opens the store as [`connect`](PgStore#method.connect) does, with options. For a pool of your
    /// own, or for another table such as [`GoTable::antonlindstrom_pgstore`], use
    /// [`new`](GorillaStore::new) with a [`GoPostgres`]:
    ///
    /// ```no_run
    /// # async fn serve(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
    /// use silverback::backend::{GoPostgres, GoTable, PostgresOptions};
    /// use silverback::codec::KeyPairs;
    /// use silverback::compat::PgStore;
    ///
    /// let table = GoTable::antonlindstrom_pgstore();
    /// let backend = GoPostgres::from_pool(pool, table, PostgresOptions::new())?;
    /// backend.migrate().await?; // creates the table if it is missing
    /// let store = PgStore::new(backend, KeyPairs::from_env("SESSION_KEYS")?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`connect`](PgStore#method.connect), and a usage error for a pool of no
    /// connections, or if the table is missing and must not be
    /// [created](PostgresOptions::create_if_missing).
    pub async fn connect_with(
        url: &str,
        keys: KeyPairs,
        options: PostgresOptions,
    ) -> Result<Self, Error> {
        let backend = GoPostgres::connect_with(url, GoTable::pgstore(), options).await?;
        Ok(PgStore::new(backend, keys))
    }

    /// Sets Go's `MaxAge(0)`. A cookie ends when the browser closes. A row is valid for
    /// `lasting`, in whole seconds, after it was last written or used, although Go writes it as
    /// expired ([`GoTable::without_max_age`]). As in Go, the age of a cookie and of a row's text
    /// is not limited.
    ///
    /// # Errors
    /// Returns a usage error if the table does not record when a row was written.
    pub fn without_max_age(self, lasting: Duration) -> Result<Self, Error> {
        let backend = self.backend().without_max_age(lasting)?;
        Ok(self.over(backend).unlimited(lasting))
    }

    /// Closes the connections, also those of a pool of your own. Call it after the last request,
    /// and after the saves of the stores are [drained](crate::session::ServerStore::drain).
    #[doc(alias = "Close")]
    pub async fn close(&self) {
        self.backend().close().await;
    }
}
