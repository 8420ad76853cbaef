//! [`Postgres`]: records in a PostgreSQL database.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | [`Postgres`] |
//! | `statements.rs` | the SQL of each operation |
//! | `go.rs`, `go_statements.rs` | [`GoPostgres`]: tables of Go packages, and their SQL |
//! | `columns.rs` | the columns that a table has in fact |
//! | `options.rs` | [`PostgresOptions`] |
//! | `connections.rs` | the engine: statements prepared, or with their values in their text |
//! | `rows.rs` | times and columns as Postgres has them |
//! | `schema.rs`, `schema.sql` | the tables |
//! | `errors.rs` | Postgres' errors as a backend's |

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
/// Records expire by the server's clock. An expiry travels as the time that is left, so the
/// clocks of the machines need not agree, and an expiry is exact to the latency of the network.
/// Expired records stay until they are purged ([`Cleanup`](crate::backend::Cleanup)). A purge costs as
/// much as it removes, and a look at the records that expire within the minute. Several machines
/// may purge at once: each skips the rows that another has locked.
///
/// The backend does not count records: [strangers](crate::backend#records-of-strangers) can fill
/// the server's disk. Watch the size of the table, or give it a tablespace of its own.
///
/// Acknowledged writes survive a crash of the server unless `fsync` or `synchronous_commit` is
/// off. Read from the primary only: a replica that lags brings back sessions that have ended.
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
    /// runs it needs the right to create in a schema of the search path. It changes nothing that
    /// exists.
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
    /// ten minutes or are half an hour old. A server that refuses connections is unavailable at
    /// once. The URL option `statement-cache-capacity=0` means
    /// [unprepared](PostgresOptions::unprepared).
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for a URL that cannot be read, or a table that exists with other
    /// columns. [Unavailable](Error::is_unavailable), if the database cannot be reached or used.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Postgres::connect_with(url, PostgresOptions::new()).await
    }

    /// Connects as [`connect`](Postgres::connect) does, with options.
    ///
    /// # Errors
    /// As [`connect`](Postgres::connect). [Usage](Error::is_usage), for a pool of no connections,
    /// and if the tables are missing and must not be
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
    /// The pool's settings stay yours. sqlx's pool pings the server when a connection comes back,
    /// and with `test_before_acquire` (its default) before each use;
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
    /// [Usage](Error::is_usage), for a timeout of zero.
    pub fn from_pool(pool: PgPool, options: PostgresOptions) -> Result<Self, Error> {
        options.check()?;
        Ok(Postgres::of(Connections::of_pool(pool, &options)))
    }

    /// Creates the missing tables, indexes and triggers. If none is missing, it writes nothing.
    /// Several programs may do so at once.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), if a table exists with other columns; the error names them.
    /// [Unavailable](Error::is_unavailable), if the database cannot be reached, or does not let
    /// the user create tables.
    pub async fn migrate(&self) -> Result<(), Error> {
        self.0.engine.sender.make(schema::make_tables).await?
    }

    /// Closes the connections, also those of your own pool, when the running statements have
    /// ended. Waits for them as long as an operation may take. Later operations are
    /// [unavailable](Error::is_unavailable).
    pub async fn close(&self) {
        self.0.engine.sender.close().await;
    }
}

backend_in_sql!(Postgres: owners, scan);

/// The server and the database; no password.
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
