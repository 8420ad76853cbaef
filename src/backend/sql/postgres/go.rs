//! [`GoPostgres`]: records in the table of a Go package.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{PgConnection, PgPool};

use super::super::delegate::backend_in_sql;
use super::super::go_columns::ColumnType;
use super::super::go_engine::{GoEngine, GoServer};
use super::super::go_table::{Database, GoTable};
use super::super::go_table_check::FoundColumns;
use super::super::statements::Statements;
use super::super::table::Table;
use super::columns::read_columns;
use super::connections::Connections;
use super::go_statements::{create_table, statements, table_name, type_name};
use super::options::PostgresOptions;
use super::schema;
use crate::backend::{
    Created, Error, Expiry, Key, Layout, Outcome, Page, Purged, Record, Revision, Stored,
};

/// Keeps records in the table of a Go package, which may use it at the same time. It is for a
/// [`ServerStore`](crate::session::ServerStore) whose dialect matches the
/// [table's layout](GoTable::layout).
///
/// A row has the columns that Go gives it. Therefore rows have no owners, and Postgres' own marks
/// of a row version (`xmin` and `ctid`) are the revision: every write changes them, Go's included.
/// Each operation of this backend is one statement that compares the revision. Go programs compare
/// nothing: their concurrent write wins, and restores a row that was removed.
///
/// Expired rows are missing. A purge ([`Cleanup`](crate::backend::Cleanup)) also removes those that
/// a Go package would still read. A record that never expires gets the end of the year 9999.
///
/// ```no_run
/// # #[cfg(feature = "session")]
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use silverback::backend::{GoPostgres, GoTable};
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::{CookieOptions, Dialect, ServerOptions, ServerStore};
///
/// let codecs = Codecs::from_pairs(KeyPairs::from_env("SESSION_KEYS")?)?;
/// let backend = GoPostgres::connect("postgres://shop@db.example/shop", GoTable::pgstore()).await?;
/// let cookie = CookieOptions::new().name("session")?;
/// let options = ServerOptions::new().cookie(cookie);
/// let store = ServerStore::with_options(Dialect::gorilla(codecs), Arc::new(backend), options)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct GoPostgres(Arc<Table<GoEngine<Connections>>>);

impl GoPostgres {
    /// Connects to the database that the URL names, as
    /// [`Postgres::connect`](super::Postgres::connect) does, and creates the table as the Go
    /// package would if it is missing. If it exists, the user needs no right to create.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for an invalid URL, invalid names, or a table with
    /// [columns](GoTable) that cannot be used. Returns an [unavailable](Error::is_unavailable)
    /// error if the database cannot be reached or used.
    pub async fn connect(url: &str, table: GoTable) -> Result<Self, Error> {
        GoPostgres::connect_with(url, table, PostgresOptions::new()).await
    }

    /// Connects as [`connect`](GoPostgres::connect) does, with options.
    ///
    /// # Errors
    /// Returns the errors of [`connect`](GoPostgres::connect), and a [usage](Error::is_usage) error
    /// for a timeout of zero or no connections, or if the table is missing and must not be
    /// [created](PostgresOptions::create_if_missing).
    pub async fn connect_with(
        url: &str,
        table: GoTable,
        options: PostgresOptions,
    ) -> Result<Self, Error> {
        options.check()?;
        let connections = Connections::open(url, &options)?;
        let backend = GoPostgres::new(Arc::new(connections), table)?;
        let engine = &backend.0.engine;
        engine.migrate_or_find(options.create_if_missing).await?;
        Ok(backend)
    }

    /// Keeps records in that table of your pool's database. The table must exist, or
    /// [`migrate`](GoPostgres::migrate) creates it. The first operation checks its columns.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for a package without a table in Postgres, invalid
    /// names, or a timeout of zero.
    pub fn from_pool(
        pool: PgPool,
        table: GoTable,
        options: PostgresOptions,
    ) -> Result<Self, Error> {
        options.check()?;
        GoPostgres::new(Arc::new(Connections::of_pool(pool, &options)), table)
    }

    fn new(connections: Arc<Connections>, table: GoTable) -> Result<Self, Error> {
        let engine = GoEngine::new(connections, table)?;
        Ok(GoPostgres(Arc::new(Table::new(engine))))
    }

    /// Returns a handle on the same connections that also reads the rows that Go saved with
    /// `MaxAge: 0`: see [`GoTable::without_max_age`].
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for a table that is not pgstore's.
    pub fn without_max_age(&self, lasting: Duration) -> Result<Self, Error> {
        let engine = &self.0.engine;
        let table = engine.table.clone().without_max_age(lasting);
        GoPostgres::new(engine.server.clone(), table)
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

    /// Closes the connections, as [`Postgres::close`](super::Postgres::close) does.
    pub async fn close(&self) {
        self.0.engine.server.sender.close().await;
    }
}

impl GoServer for Connections {
    const DATABASE: Database = Database::Postgres;

    async fn columns(&self, table: &GoTable) -> Result<Option<FoundColumns>, Error> {
        let name = table_name(table);
        let read = async |connection: &mut PgConnection| read_columns(connection, &name).await;
        self.sender.make(read).await
    }

    async fn create_table(&self, table: &GoTable) -> Result<Option<FoundColumns>, Error> {
        let name = table_name(table);
        let make = async |connection: &mut PgConnection| {
            let found = read_columns(connection, &name).await?;
            if found.is_some() {
                return Ok(found);
            }
            schema::run_under_lock(connection, &create_table(table)).await?;
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

backend_in_sql!(GoPostgres: moves, scan);

/// Shows the table.
impl fmt::Debug for GoPostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = &self.0.engine.table;
        f.debug_tuple("GoPostgres").field(table).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_table_of_another_database_is_refused() {
        for (table, database) in [
            (GoTable::scs_sqlite3store(), "SQLite"),
            (GoTable::scs_mysqlstore(), "MySQL"),
        ] {
            let pool = PgPool::connect_lazy("postgres://nowhere").unwrap();
            let refused = GoPostgres::from_pool(pool, table, PostgresOptions::new()).unwrap_err();
            let message = format!("the GoTable is for {database}, and the database is Postgres");
            assert!(refused.is_usage() && refused.to_string().contains(&message));
        }
    }
}
