//! [`Postgres`]: records in a PostgreSQL database.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`Postgres`] |
//! | `statements.rs` | the SQL of each operation |
//! | `go.rs`, `go_statements.rs` | [`GoPostgres`]: tables of Go packages, and their SQL |
//! | `columns.rs` | the columns of existing tables |
//! | `options.rs` | [`PostgresOptions`] |
//! | `connections.rs` | the engine: prepared statements, or statements with their values in their text |
//! | `listener.rs` | notifications of changes (`LISTEN`, `NOTIFY`) |
//! | `rows.rs` | conversions of columns and times |
//! | `schema.rs`, `schema.sql` | the tables |
//! | `errors.rs` | Postgres' errors as a backend's |

mod columns;
mod connections;
mod errors;
mod go;
mod go_statements;
mod listener;
mod options;
mod rows;
mod schema;
mod statements;

use std::fmt;
use std::sync::Arc;

use sqlx::PgPool;

use super::delegate::backend_in_sql;
use super::table::Table;
use crate::backend::{
    Created, Error, Expiry, Generation, Key, Layout, Login, Outcome, OwnerName, Page, Purged,
    Record, Revision, Stored,
};
use connections::Connections;
pub use go::GoPostgres;
pub use options::PostgresOptions;

/// Keeps records in a PostgreSQL database, 14 or newer.
///
/// Each operation is one statement, which also checks the record's owner. It is applied whole or
/// not at all, even if the caller stops waiting. (If a write changed no row, a second statement
/// finds out whether the record has changed or is gone.)
///
/// Records expire by the server's clock. An expiry is sent as the time that is left, so the clocks
/// of the machines need not agree, and an expiry is exact to the latency of the network.
/// Expired records stay until they are purged ([`Cleanup`](crate::backend::Cleanup)). The cost of a
/// purge grows with the rows that it removes and those that expire within the minute. Several
/// machines may purge at the same time: each skips the rows that another has locked.
///
/// The backend does not count records: [strangers](crate::backend#records-of-strangers) can fill
/// the server's disk. Watch the size of the table, or give it a tablespace of its own.
///
/// Acknowledged writes survive a crash of the server unless `fsync` or `synchronous_commit` is
/// off. Read from the primary only: on a replica that lags, ended sessions are still live.
///
/// # TLS
/// The URL's `sslmode` decides. Without it, TLS is used if both sides have it, and the server's
/// certificate is not verified: on a network that you do not control, use `sslmode=verify-full`
/// (and `sslrootcert=FILE` for your own authority). TLS needs the feature `tls`, or one of sqlx's
/// features in your program; without one, `require` and stricter modes are refused.
///
/// # Poolers
/// Statements are prepared once for each connection. Use [`PostgresOptions::unprepared`] behind a
/// pooler that gives each transaction another connection and does not track prepared statements
/// (PgBouncer in transaction mode before 1.21, or with `max_prepared_statements = 0`).
///
/// Needs tokio, and Rust 1.94, as sqlx 0.9 does.
///
/// ```no_run
/// # async fn open() -> Result<(), silverback::backend::Error> {
/// let backend = silverback::backend::Postgres::connect("postgres://shop@db.example/shop").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Postgres(Arc<Table<Connections>>);

impl Postgres {
    /// The tables, their indexes and triggers, as SQL, for a migration of your own. The user who
    /// runs it needs the right to create in a schema of the search path. The SQL does not change
    /// existing tables.
    ///
    #[doc = concat!("```sql\n", include_str!("schema.sql"), "```")]
    pub const SCHEMA: &str = schema::SCHEMA;

    fn of(connections: Connections) -> Self {
        Postgres(Arc::new(Table::new(connections)))
    }

    /// Connects to the database that the URL names, as `libpq` and sqlx read it, and creates the
    /// tables if they are missing. If they exist, the user needs no right to create.
    ///
    /// Connections are opened when they are needed, at most
    /// [ten](PostgresOptions::max_connections). A later operation closes those that were idle for
    /// ten minutes or are half an hour old. If the server refuses a connection, the operation fails
    /// immediately. The URL option `statement-cache-capacity=0` means
    /// [unprepared](PostgresOptions::unprepared).
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for an invalid URL, or a table that exists with
    /// other columns. Returns an [unavailable](Error::is_unavailable) error if the database cannot
    /// be reached or used.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Postgres::connect_with(url, PostgresOptions::new()).await
    }

    /// Connects as [`connect`](Postgres::connect) does, with options.
    ///
    /// # Errors
    /// Returns the errors of [`connect`](Postgres::connect), and a [usage](Error::is_usage) error
    /// for a timeout of zero or no connections, or if the tables are missing and must not be
    /// [created](PostgresOptions::create_if_missing).
    pub async fn connect_with(url: &str, options: PostgresOptions) -> Result<Self, Error> {
        options.check()?;
        let connections = Connections::open(url, &options)?;
        match options.create_if_missing {
            true => connections.sender.make(schema::make_tables).await??,
            false => connections.sender.make(schema::find_tables).await??,
        }
        Ok(Postgres::of(connections))
    }

    /// Keeps records in the database of your pool, which must have the tables of
    /// [`SCHEMA`](Postgres::SCHEMA): run it, or call [`migrate`](Postgres::migrate).
    ///
    /// The pool keeps its own settings. sqlx's pool pings the server when a connection is returned,
    /// and with `test_before_acquire` (its default) before each use. The pool of
    /// [`connect`](Postgres::connect) does not.
    ///
    /// ```no_run
    /// # async fn open(pool: sqlx::PgPool) -> Result<(), silverback::backend::Error> {
    /// use silverback::backend::{Postgres, PostgresOptions};
    ///
    /// let backend = Postgres::from_pool(pool, PostgresOptions::new())?;
    /// backend.migrate().await?;
    /// # Ok(())
    /// # }
    /// ```
    /// Nothing is created, whatever [`create_if_missing`](PostgresOptions::create_if_missing) says.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for a timeout of zero.
    pub fn from_pool(pool: PgPool, options: PostgresOptions) -> Result<Self, Error> {
        options.check()?;
        Ok(Postgres::of(Connections::of_pool(pool, &options)))
    }

    /// Creates the missing tables, indexes and triggers. If none is missing, it writes nothing.
    /// Several programs may do so at the same time.
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

backend_in_sql!(Postgres: owners, scan, changes);

/// Shows the server and the database, and no password.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.0.engine.sender.pool.connect_options();
        f.debug_struct("Postgres")
            .field("host", &options.get_host())
            .field("port", &options.get_port())
            .field("database", &options.get_database())
            .finish_non_exhaustive()
    }
}
