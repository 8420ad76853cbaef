//! [`Mysql`]: records in a MySQL or MariaDB database.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`Mysql`] |
//! | `statements.rs` | the SQL of each operation |
//! | `go.rs`, `go_statements.rs` | [`GoMysql`]: tables of Go packages, and their SQL |
//! | `columns.rs` | the columns of existing tables |
//! | `options.rs` | [`MysqlOptions`] |
//! | `connections.rs` | the engine: prepared statements, and transactions in one text |
//! | `rows.rs` | the columns of rows |
//! | `schema.rs`, `schema.sql` | the tables |
//! | `errors.rs` | the server's errors as a backend's |

mod columns;
mod connections;
mod errors;
mod go;
mod go_statements;
mod options;
mod rows;
mod schema;
mod statements;

use std::fmt;
use std::sync::Arc;

use sqlx::MySqlPool;

use super::delegate::backend_in_sql;
use super::table::Table;
use crate::backend::{
    Created, Error, Expiry, Generation, Key, Layout, Login, Outcome, OwnerName, Page, Purged,
    Record, Revision, Stored,
};
use connections::Connections;
pub use go::GoMysql;
pub use options::MysqlOptions;

/// Keeps records in a database of MariaDB (10.6 or newer) or MySQL (8.0 or newer). It is tested
/// with MariaDB.
///
/// Each operation also checks the record's owner. It is one statement or one transaction, and one
/// round trip. It is applied whole or not at all, even if the caller stops waiting. Any isolation
/// level works. If the server rolls back a statement because of a deadlock, the statement runs
/// again. (A second statement runs if a write changed no row, to find out whether the record has
/// changed or is gone, and if an expired row still has the key of a new one.)
///
/// Records expire by the server's clock. An expiry is sent as the time that is left, so the clocks
/// of the machines need not agree, and an expiry is exact to the latency of the network. Time zones
/// do not matter. Expired records stay until they are purged
/// ([`Cleanup`](crate::backend::Cleanup)). The cost of a purge grows with the rows that it removes
/// and those that expire within the minute.
///
/// The backend does not count records: [strangers](crate::backend#records-of-strangers) can fill
/// the server's disk. Watch the size of the table. A row larger than the server's
/// `max_allowed_packet` is refused; rows of more than 16 MiB are always refused.
///
/// Acknowledged writes survive a crash of the server and of its machine if
/// `innodb_flush_log_at_trx_commit` is 1, its default. With 2, a crash of the machine loses about the
/// last second. With 0, a crash of the server does, too: ten kills of a server under 8 writers lost
/// 28,309 of 113,691 acknowledged writes.
/// Read from the primary only: on a replica that lags, ended sessions are still live.
///
/// # TLS
/// The URL's `ssl-mode` decides. Without it, TLS is used if both sides have it, and the server's
/// certificate is not verified: on a network that you do not control, use
/// `ssl-mode=VERIFY_IDENTITY` (and `ssl-ca=FILE` for your own authority). TLS needs the feature
/// `tls`, or one of sqlx's features in your program; without one, `REQUIRED` and stricter modes are
/// refused. MySQL's default login (`caching_sha2_password`) needs TLS, unless your program enables
/// sqlx's feature `mysql-rsa`.
///
/// # Poolers
/// Statements are prepared once for each connection, as proxies such as ProxySQL and MaxScale
/// support. Logins and revocations are sent as one text with several statements, from
/// `START TRANSACTION` to `COMMIT`: a proxy must not divide it. All other statements count on
/// `autocommit`, and connections without it are refused. No session variable is set, and no lock or
/// temporary table outlives an operation, so that a proxy may share connections.
///
/// Needs tokio, and Rust 1.94, as sqlx 0.9 does.
///
/// ```no_run
/// # async fn open() -> Result<(), silverback::backend::Error> {
/// let backend = silverback::backend::Mysql::connect("mysql://shop@db.example/shop").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[doc(alias = "MariaDB")]
pub struct Mysql(Arc<Table<Connections>>);

impl Mysql {
    /// The tables and their indexes, as SQL, for a migration of your own. The SQL does not change
    /// existing tables.
    ///
    #[doc = concat!("```sql\n", include_str!("schema.sql"), "```")]
    pub const SCHEMA: &str = schema::SCHEMA;

    fn of(connections: Connections) -> Self {
        Mysql(Arc::new(Table::new(connections)))
    }

    /// Connects to the database that the URL names, as sqlx reads it, and creates the tables if
    /// they are missing. If they exist, the user needs no right to create.
    ///
    /// Connections are opened when they are needed, at most
    /// [ten](MysqlOptions::max_connections). A later operation closes those that were idle for
    /// ten minutes or are half an hour old. If the server refuses a connection, the operation fails
    /// immediately.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for an invalid URL, or a table that exists with
    /// other columns. Returns an [unavailable](Error::is_unavailable) error if the database cannot
    /// be reached or used.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Mysql::connect_with(url, MysqlOptions::new()).await
    }

    /// Connects as [`connect`](Mysql::connect) does, with options.
    ///
    /// # Errors
    /// Returns the errors of [`connect`](Mysql::connect), and a [usage](Error::is_usage) error for
    /// a timeout of zero or no connections, or if the tables are missing and must not be
    /// [created](MysqlOptions::create_if_missing).
    pub async fn connect_with(url: &str, options: MysqlOptions) -> Result<Self, Error> {
        options.check()?;
        let connections = Connections::open(url, &options)?;
        connections.check_settings().await?;
        match options.create_if_missing {
            true => connections.sender.make(schema::make_tables).await??,
            false => connections.sender.make(schema::find_tables).await??,
        }
        Ok(Mysql::of(connections))
    }

    /// Keeps records in the database of your pool, which must have the tables of
    /// [`SCHEMA`](Mysql::SCHEMA): run it, or call [`migrate`](Mysql::migrate).
    ///
    /// The pool keeps its own settings. sqlx's pool pings the server when a connection is returned,
    /// and with `test_before_acquire` (its default) before each use. The pool of
    /// [`connect`](Mysql::connect) does not. Logins are sent with their values in the text, so the
    /// log of statements is turned off for connections that the pool opens later.
    ///
    /// ```no_run
    /// # async fn open(pool: sqlx::MySqlPool) -> Result<(), silverback::backend::Error> {
    /// use silverback::backend::{Mysql, MysqlOptions};
    ///
    /// let backend = Mysql::from_pool(pool, MysqlOptions::new())?;
    /// backend.migrate().await?;
    /// # Ok(())
    /// # }
    /// ```
    /// Nothing is created, whatever [`create_if_missing`](MysqlOptions::create_if_missing) says.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for a timeout of zero.
    pub fn from_pool(pool: MySqlPool, options: MysqlOptions) -> Result<Self, Error> {
        options.check()?;
        Ok(Mysql::of(Connections::of_pool(pool, &options)))
    }

    /// Creates the missing tables. If none is missing, it writes nothing. Several programs may do
    /// so at the same time.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error, which names the columns, if a table exists with
    /// other columns. Returns an [unavailable](Error::is_unavailable) error if the database cannot
    /// be reached, or does not let the user create tables.
    pub async fn migrate(&self) -> Result<(), Error> {
        self.0.engine.sender.make(schema::make_tables).await?
    }

    /// Closes the connections after the running statements have ended, those of your own pool
    /// included. Waits at most for the time limit of an operation. Later operations are
    /// [unavailable](Error::is_unavailable).
    pub async fn close(&self) {
        self.0.engine.sender.close().await;
    }
}

backend_in_sql!(Mysql: owners, scan);

/// Shows the server and the database, and no password.
impl fmt::Debug for Mysql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.0.engine.sender.pool.connect_options();
        f.debug_struct("Mysql")
            .field("host", &options.get_host())
            .field("port", &options.get_port())
            .field("database", &options.get_database())
            .finish_non_exhaustive()
    }
}
