//! [`GoPostgres`]: records in a table that a Go package keeps.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{PgConnection, PgPool};

use super::super::delegate::backend_in_sql;
use super::super::go_columns::ColumnType;
use super::super::go_engine::{GoEngine, GoServer};
use super::super::go_table::GoTable;
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
/// of a row version (`xmin` and `ctid`) are the revision: every write changes them, also Go's.
/// Each of our operations is one statement that compares the revision. Go programs compare
/// nothing: their concurrent write wins, and it brings back a row that was removed.
///
/// Expired rows are missing. A purge ([`Cleanup`](crate::backend::Cleanup)) removes them also for
/// those Go packages that would still read them. A record that never expires gets the end of the
/// year 9999.
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
    /// [`Postgres::connect`](super::Postgres::connect) does, and creates the table as the Go package
    /// would if it is missing. If it exists, the user needs no right to create.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for a URL that cannot be read, impossible names, or a table with
    /// [columns](GoTable) that cannot be used. [Unavailable](Error::is_unavailable), if the
    /// database cannot be reached or used.
    pub async fn connect(url: &str, table: GoTable) -> Result<Self, Error> {
        GoPostgres::connect_with(url, table, PostgresOptions::new()).await
    }

    /// Connects as [`connect`](GoPostgres::connect) does, with options.
    ///
    /// # Errors
    /// As [`connect`](GoPostgres::connect). [Usage](Error::is_usage), for a pool of no connections,
    /// and if the table is missing and must not be
    /// [created](PostgresOptions::create_if_missing).
    pub async fn connect_with(
        url: &str,
        table: GoTable,
        options: PostgresOptions,
    ) -> Result<Self, Error> {
        options.check()?;
        let connections = Connections::open(url, &options)?;
        let backend = GoPostgres::new(Arc::new(connections), table)?;
        match options.create_if_missing {
            true => backend.0.engine.migrate().await?,
            false => backend.0.engine.find().await?,
        }
        Ok(backend)
    }

    /// Keeps records in that table of your pool's database. The table must exist, or
    /// [`migrate`](GoPostgres::migrate) creates it. The first operation checks its columns.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for impossible names.
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
    /// [Usage](Error::is_usage), for a table that is not pgstore's.
    pub fn without_max_age(&self, lasting: Duration) -> Result<Self, Error> {
        let engine = &self.0.engine;
        let table = engine.table.clone().without_max_age(lasting);
        GoPostgres::new(engine.server.clone(), table)
    }

    /// Creates the table as the Go package would if it is missing, and checks its columns if it
    /// exists.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for a table with columns that cannot be used; the error names the
    /// column, its type and the type that it must have. [Unavailable](Error::is_unavailable), if
    /// the database cannot be reached, or does not let the user create tables.
    pub async fn migrate(&self) -> Result<(), Error> {
        self.0.engine.migrate().await
    }

    /// As [`Postgres::close`](super::Postgres::close).
    pub async fn close(&self) {
        self.0.engine.server.sender.close().await;
    }
}

impl GoServer for Connections {
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
            schema::take_turn_and_run(connection, &create_table(table)).await?;
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

/// The table.
impl fmt::Debug for GoPostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = &self.0.engine.table;
        f.debug_tuple("GoPostgres").field(table).finish()
    }
}
