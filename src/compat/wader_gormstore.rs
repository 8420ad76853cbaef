//! [`WaderGormStore`]: the sessions of Go's wader/gormstore.

use crate::backend::{Backend, ConnectOptions, GoTable, connect_go};
use crate::codec::KeyPairs;
use crate::session::Error;

use super::gorilla_store::{Form, GorillaStore};

/// The sessions of a Go program that uses [wader/gormstore](https://github.com/wader/gormstore)
/// v2, or the `gorm` store of gin-contrib/sessions, in PostgreSQL, MySQL, MariaDB or SQLite.
/// Both programs use the same table and may run at the same time.
///
/// ```no_run
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// use silverback::backend::{ConnectOptions, GoTable};
/// use silverback::codec::KeyPairs;
/// use silverback::compat::{WaderGormStore, wader_gormstore};
/// use silverback::session::{CookieOptions, SameSite};
/// use std::time::Duration;
///
/// // Go: gormstore.New(db, []byte("secret-hash-key"))
/// let keys = KeyPairs::from_env("SESSION_KEYS")?;
/// let url = "mysql://user:password@127.0.0.1:3306/database"; // or postgres:.., or sqlite:PATH
/// let store = wader_gormstore(url, keys.clone()).await?;
/// let sessions = store.named("session")?; // for a SessionLayer
///
/// // Go: gormstore.NewOptions(db, gormstore.Options{TableName: .., SkipCreateTable: true}, ..)
/// let table = GoTable::wader_gormstore().named("web_sessions");
/// let options = ConnectOptions::new().create_if_missing(false);
/// let store = WaderGormStore::connect_with(url, table, keys, options).await?
///     .max_age(Duration::from_secs(60 * 60 * 24 * 60)) // Go: store.SessionOpts.MaxAge
///     .options(CookieOptions::new().same_site(SameSite::Strict)); // Go: store.SessionOpts
///
/// // Go: quit := make(chan struct{}); go store.PeriodicCleanup(1*time.Hour, quit)
/// let cleanup = store.cleanup(Duration::from_secs(60 * 60), |error| eprintln!("{error}"));
/// // .. serve ..
/// cleanup.stop().await; // Go: close(quit)
/// # Ok(())
/// # }
/// ```
///
/// | Go | ours |
/// |---|---|
/// | `New(db, keyPairs...)` | [`wader_gormstore`]; the keys are typed: [`KeyPairs`] |
/// | `New(db, keyPairs...)` with a database of your own | [`GorillaStore::new`] with a `GoPostgres`, `GoMysql` or `GoSqlite` from your pool |
/// | `NewOptions(db, options, keyPairs...)` | [`connect_with`](WaderGormStore#method.connect_with) |
/// | `Options.TableName` | [`GoTable::named`] |
/// | `Options.SkipCreateTable` | [`ConnectOptions::create_if_missing`]; the columns of an existing table are checked in both cases |
/// | `store.SessionOpts` | [`options`](GorillaStore::options), with safe defaults |
/// | `store.SessionOpts.MaxAge`, `store.MaxAge(age)` | [`max_age`](GorillaStore::max_age) |
/// | `store.MaxLength(l)` | [`max_length`](GorillaStore::max_length) |
/// | `store.PeriodicCleanup(interval, quit)` | [`cleanup`](GorillaStore::cleanup), which reports its errors |
/// | closing `quit` | [`Cleanup::stop`](crate::backend::Cleanup::stop) |
/// | `store.Cleanup()` | [`purge`](GorillaStore::purge) |
/// | all other methods | those of [`GorillaStore`](GorillaStore#method.new) |
///
/// As in Go, no cleanup runs unless you begin one.
///
/// # Differences from Go
///
/// - All that [`GorillaStore`] lists.
/// - A failure to create the table is an error. Go ignores it.
/// - In SQLite, expiries are compared as moments, not as text: see
///   [`GoTable`](GoTable#expiries-of-gorm-on-sqlite).
pub type WaderGormStore = GorillaStore<dyn Backend>;

/// Opens the sessions of wader/gormstore in the database at `url`, with Go's defaults: the table
/// `sessions`, 30 days, and no cleanup. Creates the table as Go does if it is missing.
///
/// | `url` | feature |
/// |---|---|
/// | `postgres://USER:PASSWORD@HOST:PORT/DATABASE` | `postgres` |
/// | `mysql://USER:PASSWORD@HOST:PORT/DATABASE`, `mariadb://..` | `mysql` |
/// | `sqlite:PATH` | `sqlite` |
///
/// # Errors
/// Returns the errors of [`WaderGormStore::connect_with`](WaderGormStore#method.connect_with).
#[doc(alias = "New")]
pub async fn wader_gormstore(url: &str, keys: KeyPairs) -> Result<WaderGormStore, Error> {
    let (table, options) = (GoTable::wader_gormstore(), ConnectOptions::new());
    WaderGormStore::connect_with(url, table, keys, options).await
}

/// The store of wader/gormstore's sessions: [`WaderGormStore`].
impl WaderGormStore {
    /// Opens the sessions in another table, or with options.
    ///
    /// # Errors
    /// Returns a usage error if the URL names no SQL database of this build, or if the table cannot
    /// be used, or is missing and must not be [created](ConnectOptions::create_if_missing). Returns
    /// an unavailable error if the database cannot be reached.
    #[doc(alias = "NewOptions")]
    pub async fn connect_with(
        url: &str,
        table: GoTable,
        keys: KeyPairs,
        options: ConnectOptions,
    ) -> Result<Self, Error> {
        let backend = connect_go(url, table, options).await?;
        Ok(GorillaStore::of_shared(backend, Form::Sealed(keys)))
    }
}
