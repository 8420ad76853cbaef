//! [`ScsStore`]: the stores of Go's scs in SQL databases, with their cleanup, in Redis and in etcd.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::{self, Backend, Cleanup, ConnectOptions, IntoBackend};
#[cfg(any(feature = "redis", feature = "etcd"))]
use crate::backend::{GoKeys, connect_go_keys};
#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "sqlite"
))]
use crate::backend::{GoTable, connect_go};
use crate::session::Error;

use super::scs::SessionManager;

/// The interval of the cleanup in all of scs's stores.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// A store of a Go program that uses [alexedwards/scs](https://github.com/alexedwards/scs) v2 with
/// an SQL database, Redis or etcd, and the task that removes expired rows of a table.
///
/// | Go package | ours | `url` | feature |
/// |---|---|---|---|
/// | `gormstore` | [`scs_gormstore`] | `postgres:..`, `mysql:..`, `mariadb:..`, `mssql:..`, `sqlserver:..`, `sqlite:PATH` | `postgres`, `mysql`, `mssql`, `sqlite` |
/// | `postgresstore`, `pgxstore` | `scs_postgresstore` | `postgres:..` | `postgres` |
/// | `mysqlstore` | `scs_mysqlstore` | `mysql:..`, `mariadb:..` | `mysql` |
/// | `mssqlstore`, *not yet tested with a real server* | `scs_mssqlstore` | `mssql:..`, `sqlserver:..` | `mssql` |
/// | `sqlite3store` | `scs_sqlite3store` | `PATH`, `sqlite:PATH` | `sqlite` |
/// | `redisstore` | `scs_redisstore` | `redis:..`, and the others of `Redis::connect` | `redis` |
/// | `goredisstore` | `scs_goredisstore` | the same | `redis` |
/// | `etcdstore` | `scs_etcdstore` | `etcd:..`, `etcds:..` | `etcd` |
///
/// The README of each Go package has the same program, except for one line. This is the program in
/// Rust, with that line for each package:
///
/// ```no_run
/// # #[cfg(all(
/// #     feature = "axum", feature = "postgres", feature = "mysql", feature = "mssql",
/// #     feature = "sqlite", feature = "redis", feature = "etcd"
/// # ))]
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::{Router, routing::get};
/// use silverback::compat::{
///     scs_etcdstore, scs_goredisstore, scs_gormstore, scs_mssqlstore, scs_mysqlstore,
///     scs_postgresstore, scs_redisstore, scs_sqlite3store,
/// };
/// use silverback::session::{Error, Session};
/// use silverback::web::tower::SessionLayer;
///
/// // gormstore: gorm.Open(postgres.Open("postgres://username:password@host/database"), ..)
/// let store = scs_gormstore("postgres://username:password@host/database").await?;
/// // gormstore: gorm.Open(mysql.Open("username:password@tcp(host)/dbname?parseTime=true"), ..)
/// let store = scs_gormstore("mysql://username:password@host/dbname").await?;
/// // gormstore: gorm.Open(sqlite.Open("sqlite3_database.db"), ..)
/// let store = scs_gormstore("sqlite:sqlite3_database.db").await?;
/// // postgresstore, pgxstore
/// let store = scs_postgresstore("postgres://username:password@host/database").await?;
/// // mysqlstore
/// let store = scs_mysqlstore("mysql://username:password@host/dbname").await?;
/// // mssqlstore; for gormstore on SQL Server, scs_gormstore with the same URL
/// let store = scs_mssqlstore("mssql://username:password@host/dbname?encrypt=strict").await?;
/// // sqlite3store
/// let store = scs_sqlite3store("sqlite3_database.db").await?;
/// // redisstore: redis.Pool{Dial: redis.Dial("tcp", "localhost:6379")}
/// let store = scs_redisstore("redis://localhost:6379").await?;
/// // goredisstore: redis.ParseURL("redis://localhost:6379")
/// let store = scs_goredisstore("redis://localhost:6379").await?;
/// // etcdstore: clientv3.New(clientv3.Config{Endpoints: []string{"127.0.0.1:2379"}})
/// let store = scs_etcdstore("etcd://127.0.0.1:2379").await?;
///
/// let sessions = store.manager().store()?; // Go: sessionManager.Store = store
/// let app = Router::new()
///     .route("/put", get(put))
///     .route("/get", get(message))
///     .layer(SessionLayer::new(sessions)); // Go: sessionManager.LoadAndSave(mux)
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:4000").await?;
/// axum::serve(listener, app).await?;
/// store.stop_cleanup().await;
///
/// async fn put(session: Session) -> Result<(), Error> {
///     session.insert("message", "Hello from a session!")
/// }
///
/// async fn message(session: Session) -> Result<String, Error> {
///     Ok(session.get("message")?.unwrap_or_default())
/// }
/// # Ok(())
/// # }
/// ```
///
/// The READMEs' other examples set the interval of the cleanup, or stop it:
///
/// ```no_run
/// # #[cfg(feature = "mysql")]
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use silverback::backend::GoTable;
/// use silverback::compat::{ScsStore, ScsStoreOptions, scs_mysqlstore};
///
/// let (url, table) = ("mysql://username:password@host/dbname", GoTable::scs_mysqlstore());
///
/// // Go: mysqlstore.NewWithCleanupInterval(db, 30*time.Minute)
/// let options = ScsStoreOptions::new().cleanup_interval(Duration::from_secs(30 * 60));
/// let store = ScsStore::connect_with(url, table.clone(), options).await?;
///
/// // Go: mysqlstore.NewWithCleanupInterval(db, 0)
/// let options = ScsStoreOptions::new().cleanup_interval(Duration::ZERO);
/// let store = ScsStore::connect_with(url, table, options).await?;
///
/// // Go, in a test: store := mysqlstore.New(db); defer store.StopCleanup()
/// let store = scs_mysqlstore(url).await?;
/// let sessions = store.manager().store()?;
/// // .. the test ..
/// drop(store); // or store.stop_cleanup().await, to wait until it has ended
/// # Ok(())
/// # }
/// ```
///
/// | Go | ours |
/// |---|---|
/// | `New(db)` | the function of the package's name, above; it takes a URL |
/// | `New(db)` with a database of your own | [`ScsStore::from_backend`] with a `GoPostgres`, `GoMysql` or `GoSqlite` from your pool |
/// | `NewWithPrefix(client, prefix)` | `?prefix=PREFIX` in the URL; or `ScsStore::connect_keys` with `GoKeys::with_prefix` |
/// | `NewWithCleanupInterval(db, interval)` | [`ScsStoreOptions::cleanup_interval`]; 0 means no cleanup |
/// | `store.StopCleanup()` | [`stop_cleanup`](ScsStore::stop_cleanup), or dropping the store |
/// | `manager.Store = store` | [`manager`](ScsStore::manager), or [`SessionManager::new`] with [`backend`](ScsStore::backend) |
/// | `store.All()` | [`Scan::page`](backend::Scan::page) of the [backend](ScsStore::backend), which returns the keys of the rows; [`ServerStore::find`] reads one |
/// | `store.Find(token)` | [`ServerStore::find_by_cookie`] |
/// | `store.Commit(token, b, expiry)` | not needed: changes are saved before the response begins |
/// | `store.Delete(token)` | [`Session::end`] in a handler, [`ServerStore::end_by_key`] elsewhere |
///
/// [`ServerStore::find`]: crate::session::ServerStore::find
/// [`ServerStore::find_by_cookie`]: crate::session::ServerStore::find_by_cookie
/// [`ServerStore::end_by_key`]: crate::session::ServerStore::end_by_key
/// [`Session::end`]: crate::session::Session::end
///
/// # Differences from Go
///
/// - A missing table is created for all packages, as `gormstore` does. Go's other stores do not
///   create it.
/// - The first cleanup runs at once, not after the first interval. It removes expired rows in
///   batches, so that no statement holds locks for long.
/// - The cleanup ends when the store is dropped.
/// - `scs_etcdstore` revokes the lease of a session that is saved again or ends. Go's `etcdstore` leaves
///   a lease after each `Commit` and `Delete`.
#[must_use = "dropping it ends the cleanup"]
pub struct ScsStore {
    backend: Arc<dyn Backend>,
    cleanup: Option<Cleanup>,
}

/// Opens the table of scs's `gormstore` in the database at `url`: PostgreSQL, MySQL, MariaDB, SQLite
/// or SQL Server (*not yet tested with a real server*). Begins a cleanup every 5 minutes. See
/// [`ScsStore`].
///
/// # Errors
/// Returns the errors of [`ScsStore::connect_with`].
#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "sqlite"
))]
#[doc(alias = "gormstore")]
pub async fn scs_gormstore(url: &str) -> Result<ScsStore, Error> {
    ScsStore::connect(url, GoTable::scs_gormstore()).await
}

/// Opens the table of scs's `postgresstore` or `pgxstore` in the database at `url`. Begins a cleanup
/// every 5 minutes. See [`ScsStore`].
///
/// # Errors
/// Returns the errors of [`ScsStore::connect_with`].
#[cfg(feature = "postgres")]
#[doc(alias = "postgresstore")]
#[doc(alias = "pgxstore")]
pub async fn scs_postgresstore(url: &str) -> Result<ScsStore, Error> {
    ScsStore::connect(url, GoTable::scs_postgresstore()).await
}

/// Opens the table of scs's `mysqlstore` in the MySQL or MariaDB database at `url`. Begins a cleanup
/// every 5 minutes. See [`ScsStore`].
///
/// # Errors
/// Returns the errors of [`ScsStore::connect_with`].
#[cfg(feature = "mysql")]
#[doc(alias = "mysqlstore")]
pub async fn scs_mysqlstore(url: &str) -> Result<ScsStore, Error> {
    ScsStore::connect(url, GoTable::scs_mysqlstore()).await
}

/// Opens the table of scs's `mssqlstore` in the SQL Server database at `url`. Begins a cleanup
/// every 5 minutes. See [`ScsStore`].
///
/// # Errors
/// Returns the errors of [`ScsStore::connect_with`].
#[cfg(feature = "mssql")]
#[doc(alias = "mssqlstore")]
pub async fn scs_mssqlstore(url: &str) -> Result<ScsStore, Error> {
    ScsStore::connect(url, GoTable::scs_mssqlstore()).await
}

/// Opens the table of scs's `sqlite3store` in the file at `path`, which may be written as
/// `sqlite:PATH`. Begins a cleanup every 5 minutes. See [`ScsStore`].
///
/// # Errors
/// Returns the errors of [`ScsStore::connect_with`].
#[cfg(feature = "sqlite")]
#[doc(alias = "sqlite3store")]
pub async fn scs_sqlite3store(path: &str) -> Result<ScsStore, Error> {
    let path = path.strip_prefix("sqlite:").unwrap_or(path);
    ScsStore::connect(&format!("sqlite:{path}"), GoTable::scs_sqlite3store()).await
}

/// Opens the keys of scs's `redisstore` in the Redis or Valkey server at `url`. See [`ScsStore`].
///
/// # Errors
/// Returns the errors of [`connect_go_keys`].
#[cfg(feature = "redis")]
#[doc(alias = "redisstore")]
pub async fn scs_redisstore(url: &str) -> Result<ScsStore, Error> {
    ScsStore::connect_keys(url, GoKeys::scs_redisstore()).await
}

/// Opens the keys of scs's `goredisstore` in the Redis or Valkey server at `url`. See [`ScsStore`].
///
/// # Errors
/// Returns the errors of [`connect_go_keys`].
#[cfg(feature = "redis")]
#[doc(alias = "goredisstore")]
pub async fn scs_goredisstore(url: &str) -> Result<ScsStore, Error> {
    ScsStore::connect_keys(url, GoKeys::scs_goredisstore()).await
}

/// Opens the keys of scs's `etcdstore` in the etcd cluster at `url`. See [`ScsStore`], and
/// [`GoEtcd`](backend::GoEtcd) for the leases.
///
/// # Errors
/// Returns the errors of [`connect_go_keys`].
#[cfg(feature = "etcd")]
#[doc(alias = "etcdstore")]
pub async fn scs_etcdstore(url: &str) -> Result<ScsStore, Error> {
    ScsStore::connect_keys(url, GoKeys::scs_etcdstore()).await
}

#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "sqlite"
))]
impl ScsStore {
    /// Opens a table of scs in the database at `url`. The functions of the packages' names, such as
    /// [`scs_gormstore`], are short for this.
    ///
    /// # Errors
    /// Returns the errors of [`connect_with`](ScsStore::connect_with).
    pub async fn connect(url: &str, table: GoTable) -> Result<Self, Error> {
        ScsStore::connect_with(url, table, ScsStoreOptions::new()).await
    }

    /// Opens a table of scs in the database at `url`, with options. Creates the table as Go does if
    /// it is missing.
    ///
    /// # Errors
    /// Returns a usage error if the URL names no SQL database of this build, if the Go package has
    /// no table in that kind of database, or if the table cannot be used, or is missing and must not
    /// be [created](ScsStoreOptions::create_if_missing). Returns an unavailable error if the database
    /// cannot be reached.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime.
    #[doc(alias = "NewWithCleanupInterval")]
    pub async fn connect_with(
        url: &str,
        table: GoTable,
        options: ScsStoreOptions,
    ) -> Result<Self, Error> {
        let backend = connect_go(url, table, options.connect.clone()).await?;
        Ok(ScsStore::from_backend(backend, options))
    }
}

#[cfg(any(feature = "redis", feature = "etcd"))]
impl ScsStore {
    /// Opens the keys of scs in the server at `url`. The functions of the packages' names, such as
    /// `scs_redisstore`, are short for this.
    ///
    /// # Errors
    /// Returns the errors of [`connect_keys_with`](ScsStore::connect_keys_with).
    pub async fn connect_keys(url: &str, keys: GoKeys) -> Result<Self, Error> {
        ScsStore::connect_keys_with(url, keys, ScsStoreOptions::new()).await
    }

    /// Opens the keys of scs in the server at `url`, with options. No cleanup runs, since these
    /// servers remove expired sessions themselves.
    ///
    /// # Errors
    /// Returns the errors of [`connect_go_keys`].
    #[doc(alias = "NewWithPrefix")]
    pub async fn connect_keys_with(
        url: &str,
        keys: GoKeys,
        options: ScsStoreOptions,
    ) -> Result<Self, Error> {
        let backend = connect_go_keys(url, keys, options.connect.clone()).await?;
        let options = options.cleanup_interval(Duration::ZERO);
        Ok(ScsStore::from_backend(backend, options))
    }
}

impl ScsStore {
    /// Begins the cleanup of a backend of your own. Of the options, only those of the cleanup
    /// apply.
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # async fn open(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    /// use silverback::backend::{GoPostgres, GoTable, PostgresOptions};
    /// use silverback::compat::{ScsStore, ScsStoreOptions};
    ///
    /// let table = GoTable::scs_postgresstore();
    /// let backend = GoPostgres::from_pool(pool, table, PostgresOptions::new())?;
    /// backend.migrate().await?; // creates the table if it is missing
    /// let store = ScsStore::from_backend(Arc::new(backend), ScsStoreOptions::new());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// Panics outside of a tokio runtime, unless the interval is zero.
    pub fn from_backend(backend: impl IntoBackend, options: ScsStoreOptions) -> Self {
        let ScsStoreOptions {
            cleanup_interval,
            on_cleanup_error,
            ..
        } = options;
        let backend = backend.into_backend();
        let cleanup = (!cleanup_interval.is_zero())
            .then(|| Cleanup::every(cleanup_interval, backend.clone(), on_cleanup_error));
        ScsStore { backend, cleanup }
    }

    /// Returns the backend of the rows.
    #[must_use]
    pub fn backend(&self) -> Arc<dyn Backend> {
        self.backend.clone()
    }

    /// Returns scs's default settings for the sessions of this store.
    #[doc(alias = "Store")]
    pub fn manager(&self) -> SessionManager {
        SessionManager::new(self.backend())
    }

    /// Ends the cleanup, and waits until it has ended. The sessions stay usable.
    #[doc(alias = "StopCleanup")]
    pub async fn stop_cleanup(self) {
        if let Some(cleanup) = self.cleanup {
            cleanup.stop().await;
        }
    }
}

/// Shows whether a cleanup runs, and nothing of the backend.
impl fmt::Debug for ScsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScsStore")
            .field("has_cleanup", &self.cleanup.is_some())
            .finish_non_exhaustive()
    }
}

/// The settings of an [`ScsStore`].
///
/// ```
/// use std::time::Duration;
/// use silverback::compat::ScsStoreOptions;
///
/// let options = ScsStoreOptions::new()
///     .cleanup_interval(Duration::from_secs(30 * 60))
///     .on_cleanup_error(|error| eprintln!("{error}"));
/// ```
#[must_use]
pub struct ScsStoreOptions {
    connect: ConnectOptions,
    cleanup_interval: Duration,
    on_cleanup_error: Box<dyn FnMut(&backend::Error) + Send>,
}

impl Default for ScsStoreOptions {
    fn default() -> Self {
        ScsStoreOptions {
            connect: ConnectOptions::new(),
            cleanup_interval: CLEANUP_INTERVAL,
            on_cleanup_error: Box::new(
                |error| tracing::warn!(%error, "the cleanup of expired sessions failed"),
            ),
        }
    }
}

impl ScsStoreOptions {
    /// Returns Go's defaults. Each method names its own.
    pub fn new() -> Self {
        ScsStoreOptions::default()
    }

    /// Sets the time between two cleanups. With zero, no cleanup runs. Default: 5 minutes.
    #[doc(alias = "NewWithCleanupInterval")]
    pub fn cleanup_interval(self, cleanup_interval: Duration) -> Self {
        ScsStoreOptions {
            cleanup_interval,
            ..self
        }
    }

    /// Sets the function that gets the errors of the cleanup. Default: they are logged as warnings
    /// of `tracing`. Go prints them.
    pub fn on_cleanup_error(self, on_error: impl FnMut(&backend::Error) + Send + 'static) -> Self {
        ScsStoreOptions {
            on_cleanup_error: Box::new(on_error),
            ..self
        }
    }

    /// Limits the time of an operation, as [`ConnectOptions::timeout`] does. Default: 5 seconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        ScsStoreOptions {
            connect: self.connect.timeout(timeout),
            ..self
        }
    }

    /// Sets whether a missing table is created, as [`ConnectOptions::create_if_missing`] does.
    /// Default: true.
    pub fn create_if_missing(self, create_if_missing: bool) -> Self {
        ScsStoreOptions {
            connect: self.connect.create_if_missing(create_if_missing),
            ..self
        }
    }
}

/// Shows the interval and the settings of the connection.
impl fmt::Debug for ScsStoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScsStoreOptions")
            .field("connect", &self.connect)
            .field("cleanup_interval", &self.cleanup_interval)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Expiry, Key, Memory, Record};

    async fn put_expired(backend: &Memory, key: &str) {
        let expired = Record::new("v", Expiry::from_millis(0));
        let created = backend.create(&Key::new(key).unwrap(), &expired).await;
        created.unwrap().saved().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_cleanup_runs_every_five_minutes_until_it_is_stopped() {
        const MINUTE: Duration = Duration::from_secs(60);
        let backend = Arc::new(Memory::new());
        let rows = || format!("{backend:?}");
        let store = ScsStore::from_backend(backend.clone(), ScsStoreOptions::new());
        tokio::time::sleep(MINUTE).await;
        put_expired(&backend, "one").await;
        tokio::time::sleep(3 * MINUTE).await;
        assert_eq!(rows(), "Memory(1 records)");
        tokio::time::sleep(2 * MINUTE).await;
        assert_eq!(rows(), "Memory(0 records)");
        store.stop_cleanup().await;
        put_expired(&backend, "two").await;
        tokio::time::sleep(60 * MINUTE).await;
        assert_eq!(rows(), "Memory(1 records)");
    }

    #[tokio::test(start_paused = true)]
    async fn an_interval_of_zero_means_no_cleanup() {
        let backend = Arc::new(Memory::new());
        put_expired(&backend, "one").await;
        let options = ScsStoreOptions::new().cleanup_interval(Duration::ZERO);
        let _store = ScsStore::from_backend(backend.clone(), options);
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(format!("{backend:?}"), "Memory(1 records)");
    }
}
