//! [`GoSqlite`]: records in the table of a Go package.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use sqlx::{Connection, SqlitePool};

use super::super::delegate::backend_in_sql;
use super::super::go_columns::ColumnType;
use super::super::go_engine::{GoEngine, GoServer};
use super::super::go_table::{Database, GoTable};
use super::super::go_table_check::FoundColumns;
use super::super::statements::Statements;
use super::super::table::Table;
use super::columns::read_columns;
use super::connections::Connections;
use super::errors::reading;
use super::go_statements::{create_table, statements, type_name};
use super::options::SqliteOptions;
use super::schema;
use crate::backend::{
    Created, Error, Expiry, Key, Layout, Outcome, Page, Purged, Record, Revision, Stored,
};

/// Keeps records in the table of a Go package in an SQLite database, which Go programs may use at the
/// same time. It is for a [`ServerStore`](crate::session::ServerStore) whose dialect matches the
/// [table's layout](GoTable::layout).
///
/// A row has the columns that Go gives it. Therefore rows have no owners, and the content of a row,
/// its expiry and its value, is the revision. Each operation is one statement that compares the
/// revision. A session's value contains a random number, so that no content occurs twice. Go
/// programs compare nothing: their concurrent write wins, and restores a row that was removed.
///
/// Rows expire by this machine's clock, to the millisecond. A row whose expiry is NULL, or is not in
/// the form of the Go package, is missing, and a purge does not remove it. A record that never
/// expires gets the end of the year 9999.
///
/// The database's text must be UTF-8, which is SQLite's default. All else is as in
/// [`Sqlite`](super::Sqlite).
///
/// The sessions of scs, with its `sqlite3store`:
///
/// ```no_run
/// # #[cfg(feature = "session")]
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use silverback::backend::{GoSqlite, GoTable};
/// use silverback::session::{Dialect, ServerStore};
///
/// let backend = GoSqlite::open("/var/lib/shop/shop.db", GoTable::scs_sqlite3store()).await?;
/// let store = ServerStore::new(Dialect::scs(), Arc::new(backend))?;
/// # Ok(())
/// # }
/// ```
///
/// The sessions of gorilla/sessions, with wader/gormstore:
///
/// ```no_run
/// # #[cfg(feature = "session")]
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use silverback::backend::{GoSqlite, GoTable};
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::{CookieOptions, Dialect, ServerOptions, ServerStore};
///
/// let codecs = Codecs::from_pairs(KeyPairs::from_env("SESSION_KEYS")?)?;
/// let table = GoTable::wader_gormstore();
/// let backend = GoSqlite::open("/var/lib/shop/shop.db", table).await?;
/// let cookie = CookieOptions::new().name("session")?;
/// let options = ServerOptions::new().cookie(cookie);
/// let store = ServerStore::with_options(Dialect::gorilla(codecs), Arc::new(backend), options)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct GoSqlite(Arc<Table<GoEngine<Connections>>>);

impl GoSqlite {
    /// Opens the database in the file at `path`, and creates the file, and the table as the Go
    /// package would, if they are missing. The file's mode is 0600 on systems with modes.
    ///
    /// If the table is created, the database keeps a write-ahead log from then on (`journal_mode =
    /// WAL`), so that reads wait for no write. A database that has the table keeps its mode.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for a table of another kind of database, for invalid
    /// names, or for a table with [columns](GoTable) that cannot be used. Returns an
    /// [unavailable](Error::is_unavailable) error if the file cannot be created or opened, or is
    /// not a database.
    pub async fn open(path: impl AsRef<Path>, table: GoTable) -> Result<Self, Error> {
        GoSqlite::open_with(path, table, SqliteOptions::new()).await
    }

    /// Opens the database as [`open`](GoSqlite::open) does, with options.
    ///
    /// # Errors
    /// Returns the errors of [`open`](GoSqlite::open), and a [usage](Error::is_usage) error for a
    /// timeout of zero, or if the file or the table is missing and must not be
    /// [created](SqliteOptions::create_if_missing).
    pub async fn open_with(
        path: impl AsRef<Path>,
        table: GoTable,
        options: SqliteOptions,
    ) -> Result<Self, Error> {
        options.check()?;
        let table = table.in_database(Connections::DATABASE)?;
        let path = match options.create_if_missing {
            true => schema::make_file(path.as_ref())?,
            false => schema::find_file(path.as_ref())?,
        };
        let connections = Connections::open(&path, &options);
        let backend = GoSqlite::new(connections, table)?;
        match options.create_if_missing {
            true => backend.create(&options).await?,
            false => backend.0.engine.find().await?,
        }
        Ok(backend)
    }

    async fn create(&self, options: &SqliteOptions) -> Result<(), Error> {
        let engine = &self.0.engine;
        if engine.server.columns(&engine.table).await?.is_none() {
            let mut writer = engine.server.writer().await?;
            schema::enable_wal(&mut writer, options.timeout).await?;
        }
        engine.migrate().await
    }

    /// Keeps records in that table of your pool's database. The table must exist, or
    /// [`migrate`](GoSqlite::migrate) creates it. The first operation checks its columns.
    ///
    /// The pool keeps its own settings, as [`Sqlite::from_pool`](super::Sqlite::from_pool) says.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for a table of another kind of database, for invalid
    /// names, or for a timeout of zero.
    pub fn from_pool(
        pool: SqlitePool,
        table: GoTable,
        options: SqliteOptions,
    ) -> Result<Self, Error> {
        options.check()?;
        GoSqlite::new(Connections::of_pool(pool, &options), table)
    }

    fn new(connections: Connections, table: GoTable) -> Result<Self, Error> {
        let engine = GoEngine::new(Arc::new(connections), table)?;
        Ok(GoSqlite(Arc::new(Table::new(engine))))
    }

    /// Creates the table as the Go package would if it is missing, and checks its columns if it
    /// exists.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for a table with columns that cannot be used. It
    /// names the column, its type and the type that it must have. Returns an
    /// [unavailable](Error::is_unavailable) error if the database cannot be opened or written to.
    pub async fn migrate(&self) -> Result<(), Error> {
        self.0.engine.migrate().await
    }
}

impl GoServer for Connections {
    const DATABASE: Database = Database::Sqlite;

    async fn columns(&self, table: &GoTable) -> Result<Option<FoundColumns>, Error> {
        let mut reader = self.readers.acquire().await.map_err(reading)?;
        read_columns(&mut reader, table).await
    }

    async fn create_table(&self, table: &GoTable) -> Result<Option<FoundColumns>, Error> {
        let mut writer = self.writer().await?;
        let found = read_columns(&mut writer, table).await?;
        if found.is_some() {
            return Ok(found);
        }
        let create = sqlx::AssertSqlSafe(create_table(table));
        let made = async {
            let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::raw_sql(create).execute(&mut *transaction).await?;
            transaction.commit().await
        };
        made.await.map_err(reading)?;
        read_columns(&mut writer, table).await
    }

    fn type_name(kind: ColumnType) -> String {
        type_name(kind)
    }

    fn statements_for(table: &GoTable) -> Statements {
        statements(table)
    }
}

backend_in_sql!(GoSqlite: moves, scan);

/// Shows the table.
impl fmt::Debug for GoSqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = &self.0.engine.table;
        f.debug_tuple("GoSqlite").field(table).finish()
    }
}
