//! [`GoPostgres`]: records in a table that a Go package keeps.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool};
use tokio::sync::OnceCell;

use super::super::delegate::backend_in_sql;
use super::super::engine::{Effect, Engine};
use super::super::go_table::GoTable;
use super::super::statements::{Parameters, Statement, Statements};
use super::super::table::Table;
use super::columns::Columns;
use super::connections::Connections;
use super::errors::is_not_unique;
use super::go_statements::{TableNames, statements};
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
pub struct GoPostgres(Arc<Table<GoEngine>>);

/// Connections, and the statements for one table of a Go package.
struct GoEngine {
    connections: Arc<Connections>,
    table: GoTable,
    /// Made for the columns that the table has, when they have been looked at.
    statements: OnceCell<Statements>,
}

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

    /// As [`connect`](GoPostgres::connect), with options.
    ///
    /// # Errors
    /// As [`connect`](GoPostgres::connect).
    pub async fn connect_with(
        url: &str,
        table: GoTable,
        options: PostgresOptions,
    ) -> Result<Self, Error> {
        let connections = Connections::open(url, &options)?;
        let backend = GoPostgres::new(Arc::new(connections), table)?;
        backend.make_table().await?;
        Ok(backend)
    }

    /// Keeps records in that table of your pool's database. The table must exist, or
    /// [`make_table`](GoPostgres::make_table) creates it. The first operation checks its columns.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for impossible names.
    pub fn with_pool(
        pool: PgPool,
        table: GoTable,
        options: PostgresOptions,
    ) -> Result<Self, Error> {
        GoPostgres::new(Arc::new(Connections::of_pool(pool, &options)), table)
    }

    fn new(connections: Arc<Connections>, table: GoTable) -> Result<Self, Error> {
        table.check()?;
        Ok(GoPostgres(Arc::new(Table::new(GoEngine {
            connections,
            table,
            statements: OnceCell::new(),
        }))))
    }

    /// Returns a handle on the same connections that also reads the rows that Go saved with
    /// `MaxAge: 0`: see [`GoTable::without_max_age`].
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for a table that is not pgstore's.
    pub fn without_max_age(&self, lasting: Duration) -> Result<Self, Error> {
        let engine = &self.0.engine;
        let table = engine.table.clone().without_max_age(lasting);
        GoPostgres::new(engine.connections.clone(), table)
    }

    /// Creates the table as the Go package would if it is missing, and checks its columns if it
    /// exists.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for a table with columns that cannot be used; the error names the
    /// column, its type and the type that it must have. [Unavailable](Error::is_unavailable), if
    /// the database cannot be reached, or does not let the user create tables.
    pub async fn make_table(&self) -> Result<(), Error> {
        self.0.engine.make_table().await
    }

    /// As [`Postgres::close`](super::Postgres::close).
    pub async fn close(&self) {
        self.0.engine.connections.close().await;
    }
}

impl GoEngine {
    async fn make_table(&self) -> Result<(), Error> {
        let names = TableNames::of(&self.table);
        let make = async |connection: &mut PgConnection| {
            let found = Columns::read(connection, &names.table).await?;
            if found.are_there() {
                return Ok(found);
            }
            schema::take_turn_and_run(connection, &names.make_table()).await?;
            Columns::read(connection, &names.table).await
        };
        let found = self.connections.make(make).await?;
        self.statements
            .get_or_try_init(async || self.statements_for(&found))
            .await?;
        Ok(())
    }

    fn statements_for(&self, found: &Columns) -> Result<Statements, Error> {
        let missing = || {
            let name = &self.table.name;
            Error::unavailable(format!(
                "the database has no table {name:?} in its search path"
            ))
        };
        let columns = found.check(&self.table)?.ok_or_else(missing)?;
        Ok(statements(&self.table, columns))
    }
}

impl Engine for GoEngine {
    type Row = PgRow;

    const LARGEST: usize = Connections::LARGEST;

    fn layout(&self) -> Layout {
        self.table.layout()
    }

    /// Looks at the columns in the first call.
    async fn statements(&self) -> Result<&Statements, Error> {
        let make = async || {
            let names = TableNames::of(&self.table);
            let read =
                async |connection: &mut PgConnection| Columns::read(connection, &names.table).await;
            self.statements_for(&self.connections.make(read).await?)
        };
        self.statements.get_or_try_init(make).await
    }

    async fn rows(
        &self,
        effect: Effect,
        statement: &Statement,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<PgRow>, Error> {
        self.connections.rows(effect, statement, parameters).await
    }

    async fn written(
        &self,
        statement: &Statement,
        parameters: &Parameters<'_>,
    ) -> Result<u64, Error> {
        self.connections.written(statement, parameters).await
    }

    fn is_taken(error: &Error) -> bool {
        is_not_unique(error)
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
