//! [`GoMysql`]: records in the table of a Go package.

use std::fmt;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, MySqlConnection, MySqlPool};

use super::super::delegate::backend_in_sql;
use super::super::engine::Engine;
use super::super::go_columns::ColumnType;
use super::super::go_engine::{GoEngine, GoServer};
use super::super::go_table::{Database, GoTable};
use super::super::go_table_check::FoundColumns;
use super::super::statements::Statements;
use super::super::table::Table;
use super::columns::read_table;
use super::connections::Connections;
use super::go_statements::{create_table, statements, type_name};
use super::options::MysqlOptions;
use crate::backend::{
    Created, Error, Expiry, Key, Layout, Outcome, Page, Purged, Record, Revision, Stored,
};

/// Keeps records in the table of a Go package, which may use it at the same time, in MySQL or
/// MariaDB. It is for a [`ServerStore`](crate::session::ServerStore) whose dialect matches the
/// [table's layout](GoTable::layout).
///
/// A row has the columns that Go gives it. Therefore rows have no owners, and a hash of the expiry
/// and the value is the revision. Each operation of this backend is one statement, or one
/// transaction, that compares the revision. (A second one runs if a write changed no row, or if an
/// expired row still has the key of a new one.) Go programs compare nothing: their concurrent write
/// wins, and restores a row that was removed.
///
/// Keys are compared as bytes, whatever the collation of the column: Go's statements also find the
/// row of a key with other case or with trailing spaces.
///
/// Expired rows are missing. A purge ([`Cleanup`](crate::backend::Cleanup)) also removes those that
/// a Go package would still read. A record that never expires gets the year 9000, or, in a table of
/// scs's `mysqlstore`, the last time that its column holds. A page of a scan reads the whole table,
/// since keys are ordered as bytes. A value has at most 8 MiB, or the size of its column.
///
/// # Time zones
/// Only scs's `mysqlstore` has a column of TIMESTAMP. Go writes the digits of UTC into it, and the
/// server reads them in the time zone of the connection. Both programs must therefore use the same
/// zone. Connections of [`connect`](GoMysql::connect) use the server's zone, as Go's do. sqlx's own
/// default is UTC: for a pool of your own, use
/// [`timezone(None)`](sqlx::mysql::MySqlConnectOptions::timezone). For such a table, a connection
/// with another zone than the server's is refused, also if the URL sets it.
///
/// ```no_run
/// # #[cfg(feature = "session")]
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use silverback::backend::{GoMysql, GoTable};
/// use silverback::session::{Dialect, ServerStore};
///
/// let url = "mysql://shop@db.example/shop";
/// let backend = GoMysql::connect(url, GoTable::scs_mysqlstore()).await?;
/// let store = ServerStore::new(Dialect::scs(), Arc::new(backend))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct GoMysql(Arc<Table<GoEngine<Connections>>>);

impl GoMysql {
    /// Connects to the database that the URL names, as [`Mysql::connect`](super::Mysql::connect)
    /// does, and creates the table as the Go package would if it is missing. If it exists, the user
    /// needs no right to create.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for an invalid URL, a package without a table in
    /// MySQL, invalid names, a table with [columns](GoTable) that cannot be used or without
    /// transactions, or a connection with another time zone. Returns an
    /// [unavailable](Error::is_unavailable) error if the database cannot be reached or used.
    pub async fn connect(url: &str, table: GoTable) -> Result<Self, Error> {
        GoMysql::connect_with(url, table, MysqlOptions::new()).await
    }

    /// Connects as [`connect`](GoMysql::connect) does, with options.
    ///
    /// # Errors
    /// Returns the errors of [`connect`](GoMysql::connect), and a [usage](Error::is_usage) error
    /// for a timeout of zero or no connections, or if the table is missing and must not be
    /// [created](MysqlOptions::create_if_missing).
    pub async fn connect_with(
        url: &str,
        table: GoTable,
        options: MysqlOptions,
    ) -> Result<Self, Error> {
        options.check()?;
        let connections = Connections::open(url, &options)?;
        let backend = GoMysql::new(Arc::new(connections), table)?;
        let engine = &backend.0.engine;
        engine.migrate_or_find(options.create_if_missing).await?;
        Ok(backend)
    }

    /// Keeps records in that table of your pool's database. The table must exist, or
    /// [`migrate`](GoMysql::migrate) creates it. The first operation checks its columns.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for a package without a table in MySQL, invalid
    /// names, or a timeout of zero.
    pub fn from_pool(
        pool: MySqlPool,
        table: GoTable,
        options: MysqlOptions,
    ) -> Result<Self, Error> {
        options.check()?;
        GoMysql::new(Arc::new(Connections::of_pool(pool, &options)), table)
    }

    fn new(connections: Arc<Connections>, table: GoTable) -> Result<Self, Error> {
        let engine = GoEngine::new(connections, table)?;
        Ok(GoMysql(Arc::new(Table::new(engine))))
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

    /// Closes the connections, as [`Mysql::close`](super::Mysql::close) does.
    pub async fn close(&self) {
        self.0.engine.server.sender.close().await;
    }
}

impl GoServer for Connections {
    const DATABASE: Database = Database::Mysql;

    async fn columns(&self, table: &GoTable) -> Result<Option<FoundColumns>, Error> {
        self.check_settings().await?;
        let read = async |connection: &mut MySqlConnection| read(connection, table).await;
        self.sender.make(read).await?
    }

    async fn create_table(&self, table: &GoTable) -> Result<Option<FoundColumns>, Error> {
        self.check_settings().await?;
        let make = async |connection: &mut MySqlConnection| match read(connection, table).await? {
            Ok(None) => {
                let create = AssertSqlSafe(create_table(table));
                sqlx::raw_sql(create).execute(&mut *connection).await?;
                read(connection, table).await
            }
            found => Ok(found),
        };
        self.sender.make(make).await?
    }

    /// Returns half of what a packet holds: a statement that writes has the value as hex digits.
    fn largest_in_go(&self) -> usize {
        const TEXT: usize = 4096;
        self.largest().saturating_sub(TEXT) / 2
    }

    fn type_name(kind: ColumnType) -> String {
        type_name(kind)
    }

    fn statements_for(table: &GoTable) -> Statements {
        statements(table)
    }
}

/// Reads the columns of the table.
///
/// # Errors
/// The inner error is for a table without transactions or without a unique key, or a connection with another time zone than
/// the table's times.
async fn read(
    connection: &mut MySqlConnection,
    table: &GoTable,
) -> Result<Result<Option<FoundColumns>, Error>, sqlx::Error> {
    let found = read_table(connection, table.schema.as_deref(), &table.name).await?;
    let Some(found) = found else {
        return Ok(Ok(None));
    };
    let checked = found.check_engine(&table.name);
    if let Err(error) = checked.and_then(|()| found.check_unique(&table.name, &table.key.name)) {
        return Ok(Err(error));
    }
    match table.expiry.kind {
        ColumnType::Timestamp(_) if !has_time_zone_of_server(connection).await? => {
            Ok(Err(other_time_zone()))
        }
        _ => Ok(Ok(Some(found.columns))),
    }
}

async fn has_time_zone_of_server(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
    const SAME: &str = "SELECT CAST(@@session.time_zone = @@global.time_zone AS SIGNED)";
    let same: i64 = sqlx::query_scalar(SAME)
        .persistent(false)
        .fetch_one(connection)
        .await?;
    Ok(same == 1)
}

fn other_time_zone() -> Error {
    Error::usage(
        "the connection has another time zone than the server, so that Go would read other times: \
         use MySqlConnectOptions::timezone(None)",
    )
}

backend_in_sql!(GoMysql: moves, scan);

/// Shows the table.
impl fmt::Debug for GoMysql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = &self.0.engine.table;
        f.debug_tuple("GoMysql").field(table).finish()
    }
}
