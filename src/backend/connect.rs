//! [`connect`], [`connect_with`], `connect_go` and `connect_go_keys`: a backend chosen by a URL at run time.

use std::sync::Arc;
use std::time::Duration;

#[cfg(any(feature = "redis", feature = "memcached", feature = "etcd"))]
use super::go_keys::KeyServer;
use super::timeout::check_timeout;
use super::{Backend, Error, Memory};

/// The settings of [`connect_with`], `connect_go` and `connect_go_keys`, which all backends have.
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::ConnectOptions;
///
/// let options = ConnectOptions::new().timeout(Duration::from_secs(2)).create_if_missing(false);
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(default, deny_unknown_fields))]
#[must_use]
pub struct ConnectOptions {
    #[cfg_attr(
        feature = "config",
        serde(deserialize_with = "crate::duration_text::read")
    )]
    timeout: Duration,
    #[cfg_attr(
        not(any(
            feature = "files",
            feature = "sqlite",
            feature = "postgres",
            feature = "mysql",
            feature = "mssql",
            feature = "aws"
        )),
        allow(dead_code, reason = "a backend in memory is never missing")
    )]
    create_if_missing: bool,
    #[cfg_attr(
        not(feature = "postgres"),
        allow(dead_code, reason = "other backends need no setting for it")
    )]
    notify: bool,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        ConnectOptions {
            timeout: Duration::from_secs(5),
            create_if_missing: true,
            notify: false,
        }
    }
}

impl ConnectOptions {
    /// Returns the defaults: 5 seconds; a missing folder, file or table is created.
    pub fn new() -> Self {
        ConnectOptions::default()
    }

    /// Limits the time of an operation. After it, the operation is
    /// [unavailable](Error::is_unavailable), or its outcome is unknown. Default: 5 seconds. A
    /// backend in memory waits for nothing.
    pub fn timeout(self, timeout: Duration) -> Self {
        ConnectOptions { timeout, ..self }
    }

    /// Sets whether a missing folder, file or table is created. Set it to `false` in programs that
    /// maintain the store of a service: they then need no right to create. Default: true.
    pub fn create_if_missing(self, create_if_missing: bool) -> Self {
        ConnectOptions {
            create_if_missing,
            ..self
        }
    }

    /// Sets whether the ends of sessions are announced to other programs in a backend that does so only
    /// on demand: in `Postgres`, as `PostgresOptions::notify` says. Default: false.
    pub fn notify(self, notify: bool) -> Self {
        ConnectOptions { notify, ..self }
    }
}

/// The options of each server.
impl ConnectOptions {
    #[cfg(feature = "postgres")]
    fn for_postgres(&self) -> super::PostgresOptions {
        super::PostgresOptions::new()
            .timeout(self.timeout)
            .create_if_missing(self.create_if_missing)
            .notify(self.notify)
    }

    #[cfg(feature = "mysql")]
    fn for_mysql(&self) -> super::MysqlOptions {
        super::MysqlOptions::new()
            .timeout(self.timeout)
            .create_if_missing(self.create_if_missing)
    }

    #[cfg(feature = "mssql")]
    fn for_mssql(&self) -> super::MssqlOptions {
        super::MssqlOptions::new()
            .timeout(self.timeout)
            .create_if_missing(self.create_if_missing)
    }

    #[cfg(feature = "redis")]
    fn for_redis(&self) -> super::RedisOptions {
        super::RedisOptions::new().timeout(self.timeout)
    }

    #[cfg(feature = "memcached")]
    fn for_memcached(&self) -> super::MemcachedOptions {
        super::MemcachedOptions::new().timeout(self.timeout)
    }

    #[cfg(feature = "etcd")]
    fn for_etcd(&self) -> super::EtcdOptions {
        super::EtcdOptions::new().timeout(self.timeout)
    }

    #[cfg(feature = "sqlite")]
    fn for_sqlite(&self) -> super::SqliteOptions {
        super::SqliteOptions::new()
            .timeout(self.timeout)
            .create_if_missing(self.create_if_missing)
    }
}

/// Opens the backend that `url` names. Creates its folder, file or table if it is missing.
///
/// | URL | backend | feature |
/// |---|---|---|
/// | `memory:` | [`Memory`] | `backend` |
/// | `files:PATH` | `Files`, below that folder | `files` |
/// | `sqlite:PATH`, `sqlite:///PATH` | `Sqlite`, in that file | `sqlite` |
/// | `postgres://USER:PASSWORD@HOST:PORT/DATABASE?OPTIONS`, `postgresql://..` | `Postgres`, as `libpq` and sqlx read it | `postgres` |
/// | `mysql://USER:PASSWORD@HOST:PORT/DATABASE?OPTIONS`, `mariadb://..` | `Mysql`, as sqlx reads it | `mysql` |
/// | `memcached://HOST:PORT,HOST:PORT?prefix=TEXT` | `Memcached` | `memcached` |
/// | `redis://..`, `redis+sentinel://..`, `redis+cluster://..`; `rediss` for TLS, `valkey` for Valkey | `Redis` | `redis` |
/// | `mssql://USER:PASSWORD@HOST:PORT/DATABASE?encrypt=strict`, `sqlserver://..` | `Mssql`, *not yet tested with a real server* | `mssql` |
/// | `dynamodb:TABLE`, `dynamodb://TABLE?region=..&endpoint=..&prefix=..` | `DynamoDb`, with the credentials that AWS's own tools would use | `aws` |
/// | `etcd://USER:PASSWORD@HOST:PORT,HOST:PORT/?prefix=TEXT`, `etcds://..` with TLS | `Etcd`, with all members of the cluster | `etcd` |
///
/// A path is used as it is written, without escapes. It is relative to the working directory unless
/// it begins with a `/`.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let backend = silverback::backend::connect("memory:").await?;
/// assert!(silverback::backend::connect("gopher://server").await.is_err());
/// # Ok::<(), silverback::backend::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// Returns a usage error if the URL names no backend of this build, and an unavailable error if the
/// backend cannot be reached. The error does not quote the URL, which may hold a password.
pub async fn connect(url: &str) -> Result<Arc<dyn Backend>, Error> {
    connect_with(url, ConnectOptions::new()).await
}

/// Opens the backend that `url` names, as [`connect`] does, with options.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use silverback::backend::{ConnectOptions, connect_with};
///
/// let options = ConnectOptions::new().create_if_missing(false);
/// # #[cfg(feature = "files")] {
/// let refused = connect_with("files:/nowhere/sessions", options.clone()).await.err().unwrap();
/// assert!(refused.is_usage());
/// # }
/// assert!(connect_with("memory:", options).await.is_ok()); // and empty
/// # });
/// ```
///
/// # Errors
/// Returns the errors of [`connect`], and a usage error for a timeout of zero, or if the store is
/// missing and must not be [created](ConnectOptions::create_if_missing).
pub async fn connect_with(url: &str, options: ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    check_timeout(options.timeout)?;
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(Error::usage(
            "the backend's URL has no scheme: use memory:, files:, sqlite:, postgres:, mysql:, \
             mssql:, redis:, memcached:, dynamodb: or etcd:",
        ));
    };
    match scheme {
        "memory" if rest.is_empty() => Ok(Arc::new(Memory::new())),
        "memory" => Err(Error::usage("the URL of a memory backend is memory: alone")),
        "files" => files(rest, &options),
        "sqlite" => sqlite(rest, &options).await,
        "postgres" | "postgresql" => postgres(url, &options).await,
        "mysql" | "mariadb" => mysql(url, &options).await,
        "mssql" | "sqlserver" => mssql(url, &options).await,
        "redis" | "rediss" | "valkey" | "valkeys" | "redis+sentinel" | "rediss+sentinel"
        | "valkey+sentinel" | "valkeys+sentinel" | "redis+cluster" | "rediss+cluster"
        | "valkey+cluster" | "valkeys+cluster" => redis(url, &options).await,
        "memcached" => memcached(url, &options).await,
        "dynamodb" => dynamodb(url, &options).await,
        "etcd" | "etcds" => etcd(url, &options).await,
        _ => Err(Error::usage(
            "the scheme of the backend's URL is unknown: use memory:, files:, sqlite:, postgres:, \
             mysql:, mssql:, redis:, memcached:, dynamodb: or etcd:",
        )),
    }
}

/// Opens the table of a Go package in the SQL database that `url` names. Creates the table as the
/// Go package would if it is missing.
///
/// | URL | backend | feature |
/// |---|---|---|
/// | `postgres://..` | `GoPostgres` | `postgres` |
/// | `mysql://..`, `mariadb://..` | `GoMysql` | `mysql` |
/// | `mssql://..`, `sqlserver://..` | `GoMssql` | `mssql` |
/// | `sqlite:PATH` | `GoSqlite` | `sqlite` |
///
/// ```no_run
/// # async fn open() -> Result<(), silverback::backend::Error> {
/// use silverback::backend::{ConnectOptions, GoTable, connect_go};
///
/// let url = "mysql://shop@db.example/shop";
/// let backend = connect_go(url, GoTable::scs_gormstore(), ConnectOptions::new()).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Returns a usage error if the URL names no SQL database of this build, if the Go package has no
/// table in that kind of database, or for the reasons that its backend documents. Returns an
/// unavailable error if the database cannot be reached. The error does not quote the URL, which may
/// hold a password.
#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "sqlite"
))]
pub async fn connect_go(
    url: &str,
    table: super::GoTable,
    options: ConnectOptions,
) -> Result<Arc<dyn Backend>, Error> {
    check_timeout(options.timeout)?;
    match url.split_once(':') {
        #[cfg(feature = "postgres")]
        Some(("postgres" | "postgresql", _)) => {
            let options = options.for_postgres();
            let connected = super::GoPostgres::connect_with(url, table, options).await?;
            Ok(Arc::new(connected))
        }
        #[cfg(feature = "mysql")]
        Some(("mysql" | "mariadb", _)) => {
            let options = options.for_mysql();
            let connected = super::GoMysql::connect_with(url, table, options).await?;
            Ok(Arc::new(connected))
        }
        #[cfg(feature = "mssql")]
        Some(("mssql" | "sqlserver", _)) => {
            let options = options.for_mssql();
            let connected = super::GoMssql::connect_with(url, table, options).await?;
            Ok(Arc::new(connected))
        }
        #[cfg(feature = "sqlite")]
        Some(("sqlite", path)) => {
            let path = sqlite_path(path)?;
            let opened = super::GoSqlite::open_with(path, table, options.for_sqlite()).await?;
            Ok(Arc::new(opened))
        }
        _ => Err(Error::usage(
            "the URL names no SQL database of this build: use postgres:, mysql:, mssql: or \
             sqlite:, and enable silverback's feature of that name",
        )),
    }
}

/// Opens the keys of a Go package in the server that `url` names.
///
/// | server of the package | URL | backend | feature |
/// |---|---|---|---|
/// | Redis | `redis://..` and the others of [`connect`] | `GoRedis` | `redis` |
/// | Memcached | `memcached://..` | `GoMemcached` | `memcached` |
/// | etcd | `etcd://..`, `etcds://..` | `GoEtcd` | `etcd` |
///
/// ```no_run
/// # async fn open() -> Result<(), silverback::backend::Error> {
/// use silverback::backend::{ConnectOptions, GoKeys, connect_go_keys};
///
/// let keys = GoKeys::scs_redisstore();
/// let backend = connect_go_keys("redis://redis.example", keys, ConnectOptions::new()).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Returns a usage error if this build has no backend for the package's server, if the URL names
/// another server, or for the reasons that the backend documents. Returns an unavailable error if the
/// server cannot be reached. The error does not quote the URL, which may hold a password.
#[cfg(any(feature = "redis", feature = "memcached", feature = "etcd"))]
pub async fn connect_go_keys(
    url: &str,
    keys: super::GoKeys,
    options: ConnectOptions,
) -> Result<Arc<dyn Backend>, Error> {
    check_timeout(options.timeout)?;
    match keys.server {
        #[cfg(feature = "redis")]
        KeyServer::Redis => {
            let options = options.for_redis();
            let connected = super::GoRedis::connect_with(url, keys, options).await?;
            Ok(Arc::new(connected))
        }
        #[cfg(feature = "memcached")]
        KeyServer::Memcached => {
            let options = options.for_memcached();
            let connected = super::GoMemcached::connect_with(url, keys, options).await?;
            Ok(Arc::new(connected))
        }
        #[cfg(feature = "etcd")]
        KeyServer::Etcd => {
            let options = options.for_etcd();
            let connected = super::GoEtcd::connect_with(url, keys, options).await?;
            Ok(Arc::new(connected))
        }
        #[cfg(not(all(feature = "redis", feature = "memcached", feature = "etcd")))]
        server => Err(Error::usage(format!(
            "the Go package's server needs another build: enable silverback's feature for {server:?}",
        ))),
    }
}

#[cfg(feature = "files")]
fn files(path: &str, options: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    if path.is_empty() {
        return Err(Error::usage(
            "the backend's URL has no path: write files:PATH",
        ));
    }
    let options = super::FilesOptions::new()
        .timeout(options.timeout)
        .create_if_missing(options.create_if_missing);
    Ok(Arc::new(super::Files::open_with(path, options)?))
}

#[cfg(not(feature = "files"))]
fn files(_: &str, _: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::usage(
        "files: needs another build: enable silverback's feature `files`",
    ))
}

/// Returns the path in the URL of an SQLite database.
#[cfg(feature = "sqlite")]
fn sqlite_path(rest: &str) -> Result<&str, Error> {
    let path = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => {
            return Err(Error::usage(
                "the sqlite: URL names a server: write sqlite:PATH",
            ));
        }
        None => rest,
    };
    // Other programs read `?` as the start of options, and `:memory:` as a database that each
    // connection has for itself.
    if path.contains('?') || path.starts_with(':') {
        return Err(Error::usage(
            "the sqlite: URL has options or :memory:, which are not supported: write sqlite:PATH",
        ));
    }
    match path.is_empty() {
        false => Ok(path),
        true => Err(Error::usage(
            "the backend's URL has no path: write sqlite:PATH",
        )),
    }
}

#[cfg(feature = "sqlite")]
async fn sqlite(rest: &str, options: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    let path = sqlite_path(rest)?;
    let opened = super::Sqlite::open_with(path, options.for_sqlite()).await?;
    Ok(Arc::new(opened))
}

#[cfg(not(feature = "sqlite"))]
async fn sqlite(_: &str, _: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::usage(
        "sqlite: needs another build: enable silverback's feature `sqlite`",
    ))
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str, options: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    let connected = super::Postgres::connect_with(url, options.for_postgres()).await?;
    Ok(Arc::new(connected))
}

#[cfg(not(feature = "postgres"))]
async fn postgres(_: &str, _: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::usage(
        "postgres: needs another build: enable silverback's feature `postgres`",
    ))
}

#[cfg(feature = "mysql")]
async fn mysql(url: &str, options: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    let connected = super::Mysql::connect_with(url, options.for_mysql()).await?;
    Ok(Arc::new(connected))
}

#[cfg(not(feature = "mysql"))]
async fn mysql(_: &str, _: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::usage(
        "mysql: needs another build: enable silverback's feature `mysql`",
    ))
}

#[cfg(feature = "mssql")]
async fn mssql(url: &str, options: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    let connected = super::Mssql::connect_with(url, options.for_mssql()).await?;
    Ok(Arc::new(connected))
}

#[cfg(not(feature = "mssql"))]
async fn mssql(_: &str, _: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::usage(
        "mssql: needs another build: enable silverback's feature `mssql`",
    ))
}

#[cfg(feature = "redis")]
async fn redis(url: &str, options: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    let connected = super::Redis::connect_with(url, options.for_redis()).await?;
    Ok(Arc::new(connected))
}

#[cfg(not(feature = "redis"))]
async fn redis(_: &str, _: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::usage(
        "redis: needs another build: enable silverback's feature `redis`",
    ))
}

#[cfg(feature = "memcached")]
async fn memcached(url: &str, options: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    let connected = super::Memcached::connect_with(url, options.for_memcached()).await?;
    Ok(Arc::new(connected))
}

#[cfg(not(feature = "memcached"))]
async fn memcached(_: &str, _: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::usage(
        "memcached: needs another build: enable silverback's feature `memcached`",
    ))
}

#[cfg(feature = "aws")]
async fn dynamodb(url: &str, options: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    let options = super::DynamoDbOptions::new()
        .timeout(options.timeout)
        .create_if_missing(options.create_if_missing);
    Ok(Arc::new(super::DynamoDb::connect_with(url, options).await?))
}

#[cfg(not(feature = "aws"))]
async fn dynamodb(_: &str, _: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::usage(
        "dynamodb: needs another build: enable silverback's feature `aws`",
    ))
}

#[cfg(feature = "etcd")]
async fn etcd(url: &str, options: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    let connected = super::Etcd::connect_with(url, options.for_etcd()).await?;
    Ok(Arc::new(connected))
}

#[cfg(not(feature = "etcd"))]
async fn etcd(_: &str, _: &ConnectOptions) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::usage(
        "etcd: needs another build: enable silverback's feature `etcd`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_that_names_no_backend_is_refused_and_not_quoted() {
        for url in [
            "",
            "memory",
            "memory:x",
            "files:",
            "sqlite:",
            "sqlite::memory:",
            "sqlite://host/file.db",
            "sqlite:file.db?mode=memory",
            "mssql://user:secret@host/database",
            "etcd://user:secret@host/secret",
            "secret://user:secret@host",
        ] {
            let error = connect(url).await.err().unwrap();
            assert!(
                error.is_usage() && !error.to_string().contains("secret"),
                "{url}"
            );
        }
        assert!(connect("memory:").await.is_ok());
    }

    #[tokio::test]
    async fn a_timeout_of_zero_is_refused() {
        let options = ConnectOptions::new().timeout(Duration::ZERO);
        let refused = connect_with("memory:", options).await.err().unwrap();
        assert!(refused.is_usage(), "{refused}");
    }
}
