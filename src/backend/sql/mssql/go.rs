//! [`GoMssql`]: records in the table of a Go package.

use std::fmt;
use std::sync::Arc;

use super::super::delegate::backend_in_sql;
use super::super::go_columns::ColumnType;
use super::super::go_engine::{GoEngine, GoServer};
use super::super::go_table::{Database, GoTable};
use super::super::go_table_check::FoundColumns;
use super::super::statements::Statements;
use super::super::table::Table;
use super::columns::read_columns;
use super::connections::{Connection, Connections};
use super::go_statements::{create_if_missing, statements, table_name, type_name};
use super::options::MssqlOptions;
use super::schema;
use crate::backend::{
    Created, Error, Expiry, Key, Layout, Outcome, Page, Purged, Record, Revision, Stored,
};

/// Keeps records in the table of a Go package, [mssqlstore](GoTable::scs_mssqlstore) or
/// [gormstore](GoTable::scs_gormstore) of scs, which may use it at the same time. It is for a
/// [`ServerStore`](crate::session::ServerStore) with the dialect of scs.
///
/// **This backend is not yet tested with a real server:** see [`Mssql`](super::Mssql#not-yet-tested), which
/// also describes its [TLS](super::Mssql#tls).
///
/// A row has the columns that Go gives it. Rows therefore have no owners. The revision is a hash of
/// the row's expiry and value, which the server computes. Each write of this backend changes the
/// expiry by at least a microsecond, and so the revision. A Go write of the same contents does not
/// change it. Each operation of this backend is one batch that compares the revision. Go programs
/// compare nothing: their concurrent write wins, and restores a row that was removed.
///
/// Keys are compared as bytes, whatever the collation. If the column's collation ignores case, a new
/// key that differs from another row's only by case is refused. Random keys practically never do.
///
/// Expired rows are missing. A purge ([`Cleanup`](crate::backend::Cleanup)) also removes those that
/// gormstore would still read. A record that never expires gets the end of the year 9999.
///
/// ```no_run
/// # async fn open() -> Result<(), silverback::backend::Error> {
/// use silverback::backend::{GoMssql, GoTable};
///
/// let url = "mssql://shop:PASSWORD@db.example/shop?encrypt=strict";
/// let backend = GoMssql::connect(url, GoTable::scs_mssqlstore()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct GoMssql(Arc<Table<GoEngine<Connections>>>);

impl GoMssql {
    /// Connects to the database that the URL names, as [`Mssql::connect`](super::Mssql::connect)
    /// does, and creates the table as the Go package would if it is missing. If it exists, the user
    /// needs no right to create.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for an invalid URL, invalid names, the table of a
    /// package that has none in SQL Server, or a table with [columns](GoTable) that cannot be used.
    /// Returns an [unavailable](Error::is_unavailable) error if the database cannot be reached or
    /// used.
    pub async fn connect(url: &str, table: GoTable) -> Result<Self, Error> {
        GoMssql::connect_with(url, table, MssqlOptions::new()).await
    }

    /// Connects as [`connect`](GoMssql::connect) does, with options.
    ///
    /// # Errors
    /// Returns the errors of [`connect`](GoMssql::connect), and a [usage](Error::is_usage) error for
    /// a timeout of zero or no connections, or if the table is missing and must not be
    /// [created](MssqlOptions::create_if_missing).
    pub async fn connect_with(
        url: &str,
        table: GoTable,
        options: MssqlOptions,
    ) -> Result<Self, Error> {
        options.check()?;
        let connections = Connections::open(url, &options)?;
        let engine = GoEngine::new(Arc::new(connections), table)?;
        engine.migrate_or_find(options.create_if_missing).await?;
        Ok(GoMssql(Arc::new(Table::new(engine))))
    }

    /// Creates the table as the Go package would if it is missing, and checks its columns if it
    /// exists.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for a table with columns that cannot be used. It
    /// names the column, its type and the type that it must have. Returns an
    /// [unavailable](Error::is_unavailable) error if the database cannot be reached, or does not
    /// let the user create tables.
    pub async fn migrate(&self) -> Result<(), Error> {
        self.0.engine.migrate().await
    }

    /// Closes the connections, as [`Mssql::close`](super::Mssql::close) does.
    pub async fn close(&self) {
        self.0.engine.server.sender.close().await;
    }
}

impl GoServer for Connections {
    const DATABASE: Database = Database::Mssql;

    async fn columns(&self, table: &GoTable) -> Result<Option<FoundColumns>, Error> {
        let name = table_name(table);
        let read = async |connection: &mut Connection| read_columns(connection, &name).await;
        self.sender.make(read).await
    }

    async fn create_table(&self, table: &GoTable) -> Result<Option<FoundColumns>, Error> {
        let name = table_name(table);
        let make = async |connection: &mut Connection| {
            let found = read_columns(connection, &name).await?;
            if found.is_some() {
                return Ok(found);
            }
            schema::run_under_lock(connection, &create_if_missing(table)).await?;
            read_columns(connection, &name).await
        };
        self.sender.make(make).await
    }

    fn type_name(kind: ColumnType) -> String {
        type_name(kind)
    }

    fn statements_for(table: &GoTable) -> Statements {
        statements(table)
    }
}

backend_in_sql!(GoMssql: moves, scan);

/// Shows the table.
impl fmt::Debug for GoMssql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = &self.0.engine.table;
        f.debug_tuple("GoMssql").field(table).finish()
    }
}
