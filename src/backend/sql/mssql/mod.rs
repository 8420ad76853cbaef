//! [`Mssql`]: records in a SQL Server database. It has not yet met a real server.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`Mssql`] |
//! | `statements.rs` | the SQL of each operation |
//! | `go.rs`, `go_statements.rs` | [`GoMssql`]: tables of Go packages, and their SQL |
//! | `columns.rs` | the columns of existing tables |
//! | `options.rs`, `url.rs` | [`MssqlOptions`]; the server, the database and the login of a URL |
//! | `connections.rs` | the engine: each statement is one batch with parameters |
//! | `socket.rs`, `tls.rs` | the connection below the protocol; TLS on it (feature `tls`) |
//! | `rows.rs` | conversions of columns and times |
//! | `schema.rs`, `schema.sql` | the tables |
//! | `errors.rs` | SQL Server's errors as a backend's |
//! | `golden.rs` | the text of each statement, for the review of changes |

mod columns;
mod connections;
mod errors;
mod go;
mod go_statements;
#[cfg(test)]
mod golden;
mod options;
mod rows;
mod schema;
mod socket;
mod statements;
#[cfg(feature = "tls")]
mod tls;
mod url;

use std::fmt;
use std::sync::Arc;

use super::delegate::backend_in_sql;
use super::table::Table;
use crate::backend::{
    Created, Error, Expiry, Generation, Key, Layout, Login, Outcome, OwnerName, Page, Purged,
    Record, Revision, Stored,
};
use connections::Connections;
pub use go::GoMssql;
pub use options::MssqlOptions;

/// Keeps records in a database of Microsoft SQL Server, 2016 or newer.
///
/// # Not yet tested
/// **This backend is not yet tested with a real server.** Its statements were reviewed one by one,
/// and the protocol was tested against a mock server that runs no SQL. Before you use it, run
/// `scripts/mssql` of the repository against your server.
///
/// # How it works
/// Each operation is one batch, which also checks the record's owner. It is applied whole or not at
/// all, even if the caller stops waiting. (If a write changed no row, a second batch finds out
/// whether the record has changed or is gone. A revocation also marks the owner's rows as expired
/// for the purge, which is no part of its effect.) The statements are written for both settings of
/// `READ_COMMITTED_SNAPSHOT`.
///
/// Records expire by the server's clock. An expiry is sent as the time that is left, so the clocks
/// of the machines need not agree, and an expiry is exact to the latency of the network.
/// Expired records stay until they are purged ([`Cleanup`](crate::backend::Cleanup)). Several
/// machines may purge at the same time: each skips the rows that another has locked.
///
/// The backend does not count records: [strangers](crate::backend#records-of-strangers) can fill
/// the server's disk. Watch the size of the table.
///
/// Acknowledged writes survive a crash of the server unless the database has `DELAYED_DURABILITY`.
/// Read from the primary only: on a secondary replica that lags, ended sessions are still live.
///
/// # TLS
/// Set `encrypt` in the URL to one of two values:
///
/// - `encrypt=strict` (feature `tls`) is TDS 8.0, which SQL Server 2022 and Azure SQL have: all of
///   the connection is encrypted. The server's certificate is always verified, by the authorities
///   that the system trusts. *TLS was tested only with the mock server.*
/// - `encrypt=false`: values are sealed, but the password and the names of owners cross the network
///   in the clear. Use it only on a network that you trust, or through a tunnel. A server that
///   forces encryption refuses such connections.
///
/// A URL without `encrypt`, or with `encrypt=true`, is refused. That is the encryption of older
/// servers. The client crate implements it only with TLS providers other than ring, and this crate
/// compiles only ring.
///
/// # Log
/// The client crate logs rows and the texts of errors, which quote keys. Therefore it runs without a
/// subscriber of `tracing`. In a program that has no subscriber, events of `tracing` no longer reach
/// the crate `log` after the first statement.
///
/// Needs tokio. The login is one of SQL Server, not of Windows or Azure.
///
/// ```no_run
/// # async fn open() -> Result<(), silverback::backend::Error> {
/// let url = "mssql://shop:PASSWORD@db.example:1433/shop?encrypt=strict";
/// let backend = silverback::backend::Mssql::connect(url).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Mssql(Arc<Table<Connections>>);

impl Mssql {
    /// The tables and their indexes, as SQL, for a migration of your own. The user who runs it needs
    /// the right to create tables in the default schema, where programs look for them. The SQL does
    /// not change existing tables.
    ///
    #[doc = concat!("```sql\n", include_str!("schema.sql"), "```")]
    pub const SCHEMA: &str = schema::SCHEMA;

    /// Connects to the database that the URL names, and creates the tables if they are missing. If
    /// they exist, the user needs no right to create.
    ///
    /// The URL is `mssql://USER:PASSWORD@HOST:PORT/DATABASE?encrypt=strict`; `sqlserver` is another
    /// name of the scheme. Without `:PORT` it is 1433. Special characters in the user, the password
    /// and the database are percent-encoded (`%40` for `@`). The option
    /// `trust_server_certificate=true` is refused with `strict`, and has no effect without
    /// encryption.
    ///
    /// Connections are opened when they are needed, at most [ten](MssqlOptions::max_connections). A
    /// later operation closes those that were idle for ten minutes or are half an hour old.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for an invalid URL, for an encryption that is not
    /// supported, or for a table that exists with other columns. Returns an
    /// [unavailable](Error::is_unavailable) error if the database cannot be reached or used.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Mssql::connect_with(url, MssqlOptions::new()).await
    }

    /// Connects as [`connect`](Mssql::connect) does, with options.
    ///
    /// # Errors
    /// Returns the errors of [`connect`](Mssql::connect), and a [usage](Error::is_usage) error for a
    /// timeout of zero or no connections, or if the tables are missing and must not be
    /// [created](MssqlOptions::create_if_missing).
    pub async fn connect_with(url: &str, options: MssqlOptions) -> Result<Self, Error> {
        options.check()?;
        let connections = Connections::open(url, &options)?;
        let backend = Mssql(Arc::new(Table::new(connections)));
        match options.create_if_missing {
            true => backend.migrate().await?,
            false => {
                let sender = &backend.0.engine.sender;
                sender.make(schema::find_tables).await??;
            }
        }
        Ok(backend)
    }

    /// Creates the missing tables, as [`connect`](Mssql::connect) does. If none is missing, it
    /// writes nothing. Several programs may do so at the same time.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error, which names the columns, if a table exists with
    /// other columns. Returns an [unavailable](Error::is_unavailable) error if the database cannot
    /// be reached, or does not let the user create tables.
    pub async fn migrate(&self) -> Result<(), Error> {
        self.0.engine.sender.make(schema::make_tables).await?
    }

    /// Closes the connections after the running statements have ended. Waits at most for the time
    /// limit of an operation. Later operations are [unavailable](Error::is_unavailable).
    pub async fn close(&self) {
        self.0.engine.sender.close().await;
    }
}

backend_in_sql!(Mssql: owners, scan);

/// Shows the server and the database, and no login.
impl fmt::Debug for Mssql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.0.engine.sender.pool.connect_options();
        f.debug_tuple("Mssql").field(&target.address).finish()
    }
}
