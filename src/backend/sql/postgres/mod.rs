//! [`Postgres`]: records in a PostgreSQL database.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | [`Postgres`] |
//! | `statements.rs` | the SQL of each operation |
//! | `go.rs`, `go_statements.rs` | [`GoPostgres`]: tables of Go packages, and their SQL |
//! | `columns.rs` | the columns that a table of a Go package has in fact |
//! | `options.rs` | [`PostgresOptions`] |
//! | `connections.rs` | the engine: statements sent over connections, each within a time limit |
//! | `pool.rs` | connections: opened, reused, closed |
//! | `rows.rs` | times and columns as Postgres has them |
//! | `schema.rs`, `schema.sql` | the tables |
//! | `errors.rs` | Postgres' errors as a backend's |

mod columns;
mod connections;
mod errors;
mod go;
mod go_statements;
mod options;
mod pool;
mod rows;
mod schema;
mod statements;

use std::fmt;
use std::sync::Arc;

use sqlx::PgPool;

use super::delegate::backend_in_sql;
use super::table::Table;
use crate::backend::{
    Created, Error, Expiry, Generation, Key, Layout, Outcome, Page, Purged, Record, Revision,
    Stored,
};
use connections::Connections;
pub use go::GoPostgres;
pub use options::PostgresOptions;

/// Keeps records in a PostgreSQL database, 14 or newer.
///
/// Each operation is one statement, which also asks whether the record's owner lets it live:
/// it is done whole or not at all, also when nobody waits for it any more. (That a record was
/// not as it had been seen is looked into with a second one: has it changed, or is it gone?)
///
/// Records expire by the server's clock. An expiry is sent as the time that is left by this
/// machine's, and told in this machine's again: clocks need not agree, and an expiry is as
/// exact as the way to the server is short. Expired records stay until they are purged
/// ([`Cleanup`](super::Cleanup)), which costs what it removes and a look at what expires within
/// the minute, and which several machines may do at once: each leaves alone what another has
/// locked.
///
/// Acknowledged writes outlive a crash of the server unless `fsync` or `synchronous_commit` is
/// off there. It must be one server that is written to and read from: a replica that lags
/// brings back sessions that were ended.
///
/// # TLS
/// As the URL's `sslmode` says. Without it, TLS is used where both sides have it, and nobody's
/// certificate is looked at: on a network that others are on, say `sslmode=verify-full` (and
/// `sslrootcert=FILE`, for an authority of your own). Needs the feature `tls`, or one of sqlx's
/// in your own program; without, `require` and more are refused.
///
/// # Poolers
/// Statements are prepared once for each connection. Behind a pooler that hands each
/// transaction to another connection and does not know of prepared statements (PgBouncer in
/// transaction mode before 1.21, or with `max_prepared_statements = 0`), use
/// [`PostgresOptions::unprepared`].
///
/// Needs tokio, and the Rust that sqlx 0.9 needs: 1.94.
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
    /// The tables, their indexes and triggers, as SQL, for a migration of yours: whoever runs
    /// it needs the right to create in a schema of the search path. What is there already is
    /// left as it is.
    ///
    #[doc = concat!("```sql\n", include_str!("schema.sql"), "```")]
    pub const SCHEMA: &str = schema::SCHEMA;

    fn of(connections: Connections) -> Self {
        Postgres(Arc::new(Table::new(connections)))
    }

    /// Records in the database that the URL names, as `libpq` and sqlx read it. The tables are
    /// made, if they are missing; where they are there, no right to create is needed.
    ///
    /// At most [ten](PostgresOptions::max_connections) connections are opened, when they are
    /// needed; those that were idle for ten
    /// minutes, or are half an hour old, are closed by a later operation. A server that refuses
    /// connections is unavailable at once. With `statement-cache-capacity=0` among the URL's
    /// options statements are [not prepared](PostgresOptions::unprepared).
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for a URL that cannot be read, and for tables that are there
    /// with other columns; [unavailable](Error::is_unavailable), if the database cannot be
    /// reached or used.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Postgres::connect_with(url, PostgresOptions::new()).await
    }

    /// As [`connect`](Postgres::connect), with options.
    ///
    /// # Errors
    /// As [`connect`](Postgres::connect).
    pub async fn connect_with(url: &str, options: PostgresOptions) -> Result<Self, Error> {
        let backend = Postgres::of(Connections::open(url, &options)?);
        backend.make_tables().await?;
        Ok(backend)
    }

    /// As [`connect`](Postgres::connect), of a database that has the tables already. Makes
    /// nothing: for programs that look after the store of a service.
    ///
    /// # Errors
    /// As [`connect`](Postgres::connect); usage, if the tables are not there.
    pub async fn connect_existing(url: &str) -> Result<Self, Error> {
        let connections = Connections::open(url, &PostgresOptions::new())?;
        connections.make(schema::find_tables).await??;
        Ok(Postgres::of(connections))
    }

    /// Records in the database of a pool of your own, which has the tables of
    /// [`SCHEMA`](Postgres::SCHEMA) already, or is told to
    /// [make them](Postgres::make_tables).
    ///
    /// Sets nothing in the pool, which asks the server whether a connection is there when it
    /// comes back, and, with `test_before_acquire`, which sqlx has on, before it is used:
    /// [`connect`](Postgres::connect) does without.
    #[must_use]
    pub fn with_pool(pool: PgPool) -> Self {
        Postgres::with_options(pool, PostgresOptions::new())
    }

    /// As [`with_pool`](Postgres::with_pool), with options.
    #[must_use]
    pub fn with_options(pool: PgPool, options: PostgresOptions) -> Self {
        Postgres::of(Connections::of_pool(pool, &options))
    }

    /// Makes the tables that are missing. Several may at once.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for a table that is there with other columns, which it names;
    /// [unavailable](Error::is_unavailable), if the database cannot be reached, or does not
    /// let its user create tables.
    pub async fn make_tables(&self) -> Result<(), Error> {
        self.0.engine.make(schema::make_tables).await?
    }

    /// Closes the connections, of a pool of your own too, once the statements that are still
    /// going on have ended, for which it waits as long as an operation may take. Those that
    /// come later are [unavailable](Error::is_unavailable).
    pub async fn close(&self) {
        self.0.engine.close().await;
    }
}

backend_in_sql!(Postgres: owners, scan);

/// The server and the database; no password.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.0.engine.pool.connect_options();
        f.debug_struct("Postgres")
            .field("host", &options.get_host())
            .field("port", &options.get_port())
            .field("database", &options.get_database())
            .finish_non_exhaustive()
    }
}
