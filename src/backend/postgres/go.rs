//! [`GoPostgres`]: records in a table that a Go package keeps.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use tokio::sync::OnceCell;

use super::super::go_table::GoTable;
use super::super::layout::plain_key;
use super::super::moves::taken;
use super::super::sql::{Columns as _, check_size, page_of, sql_limit, stored_of};
use super::super::{
    Backend, Created, Error, Expiry, Key, Layout, Moves, Outcome, Page, Purged, Record, Revision,
    Scan, Stored,
};
use super::columns::Columns;
use super::connections::Connections;
use super::connections::Effect::{Reads, Writes};
use super::connections::Value::{self, Bytes, Integer};
use super::errors::{is_not_unique, reading};
use super::go_statements::{GoStatements, TableNames};
use super::options::PostgresOptions;
use super::rows::left_of;
use super::{LARGEST, schema};

/// Keeps records in a table of a Go package, which may use it at the same time: for a
/// [`ServerStore`](crate::session::ServerStore) of the dialect that the
/// [table's layout](GoTable::layout) names.
///
/// The row has what Go gives it, and nothing else: so there are no owners, and a revision is
/// Postgres' own for the row (`xmin` and `ctid`), which changes with every write, Go's too.
/// Go programs compare nothing: what they write at the same moment wins, and they put back
/// what was removed. Each operation of ours is one statement, and compares.
///
/// Rows whose expiry has passed are missing, also to those of the Go packages that would still
/// read them, once they are purged ([`Cleanup`](super::super::Cleanup)). What never expires is
/// kept until the end of the year 9999.
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
/// let options = ServerOptions::new().cookie(cookie).dialect(Dialect::Gorilla);
/// let store = ServerStore::with_options(codecs, Arc::new(backend), options)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct GoPostgres(Arc<Inner>);

struct Inner {
    connections: Arc<Connections>,
    table: GoTable,
    /// Made for the columns that the table has, once they have been looked at.
    statements: OnceCell<GoStatements>,
}

impl GoPostgres {
    /// Records in that table of the database that the URL names. The table is made as the Go
    /// package would make it, if it is missing; where it is there, no right to create is
    /// needed. Connections are those of [`Postgres::connect`](super::Postgres::connect).
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for a URL that cannot be read, names that no table has, and a
    /// table with [columns](GoTable) that cannot be used; [unavailable](Error::is_unavailable),
    /// if the database cannot be reached or used.
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

    /// Records in that table of the database of a pool of your own. It is there already, or
    /// is [made](GoPostgres::make_table). Its columns are looked at then, or by the first
    /// operation.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for names that no table has.
    pub fn with_pool(
        pool: PgPool,
        table: GoTable,
        options: PostgresOptions,
    ) -> Result<Self, Error> {
        GoPostgres::new(Arc::new(Connections::of_pool(pool, &options)), table)
    }

    fn new(connections: Arc<Connections>, table: GoTable) -> Result<Self, Error> {
        table.check()?;
        Ok(GoPostgres(Arc::new(Inner {
            connections,
            table,
            statements: OnceCell::new(),
        })))
    }

    /// The same records over the same connections, those that Go saved with `MaxAge: 0`
    /// included: see [`GoTable::without_max_age`].
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for a table that is not pgstore's.
    pub fn without_max_age(&self, lasting: Duration) -> Result<Self, Error> {
        let table = self.0.table.clone().without_max_age(lasting);
        GoPostgres::new(self.0.connections.clone(), table)
    }

    /// Makes the table as the Go package would, if it is missing; else looks at its columns.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for a table with columns that cannot be used: it names the
    /// column, its type and the type that it must have. [Unavailable](Error::is_unavailable), if
    /// the database cannot be reached, or does not let its user create tables.
    pub async fn make_table(&self) -> Result<(), Error> {
        let names = TableNames::of(&self.0.table);
        let make = async |connection: &mut PgConnection| {
            let found = Columns::read(connection, &names.table).await?;
            if found.are_there() {
                return Ok(found);
            }
            schema::take_turn_and_run(connection, &names.make_table()).await?;
            Columns::read(connection, &names.table).await
        };
        let found = self.0.connections.make(make).await?;
        self.0
            .statements
            .get_or_try_init(async || self.made_for(&found))
            .await?;
        Ok(())
    }

    /// The statements for a table with those columns.
    fn made_for(&self, found: &Columns) -> Result<GoStatements, Error> {
        let missing = || Error::unavailable("the database has not the table");
        let columns = found.check(&self.0.table)?.ok_or_else(missing)?;
        Ok(GoStatements::of(&self.0.table, columns))
    }

    /// The statements, which the first operation looks at the columns for.
    async fn statements(&self) -> Result<&GoStatements, Error> {
        let Inner {
            connections,
            table,
            statements,
        } = &*self.0;
        let make = async || {
            let names = TableNames::of(table);
            let read =
                async |connection: &mut PgConnection| Columns::read(connection, &names.table).await;
            self.made_for(&connections.make(read).await?)
        };
        statements.get_or_try_init(make).await
    }

    /// As [`Postgres::close`](super::Postgres::close).
    pub async fn close(&self) {
        self.0.connections.close().await;
    }

    async fn rows(&self, statement: &Arc<str>, values: &[Value<'_>]) -> Result<Vec<PgRow>, Error> {
        let statement = AssertSqlSafe(statement.clone());
        self.0.connections.rows(Reads, statement, values).await
    }

    async fn written(
        &self,
        statement: &Arc<str>,
        values: &[Value<'_>],
    ) -> Result<Option<PgRow>, Error> {
        let statement = AssertSqlSafe(statement.clone());
        let rows = self.0.connections.rows(Writes, statement, values).await?;
        Ok(rows.into_iter().next())
    }

    /// Does something to a row that was seen, if it still is as it was.
    async fn change(
        &self,
        key: &Key,
        statement: &Arc<str>,
        values: &[Value<'_>],
    ) -> Result<Outcome<PgRow>, Error> {
        if let Some(row) = self.written(statement, values).await? {
            return Ok(Outcome::Done(row));
        }
        let key = [Bytes(key.as_bytes())];
        match self
            .rows(&self.statements().await?.find, &key)
            .await?
            .is_empty()
        {
            false => Ok(Outcome::Conflict),
            true => Ok(Outcome::Gone),
        }
    }
}

/// Of the column with the new revision.
fn revision_of(row: &PgRow) -> Result<Revision, Error> {
    let bytes = row.bytes(0).map_err(reading)?;
    bytes
        .map(Revision::new)
        .ok_or_else(|| Error::corrupt("a row of the database has no revision"))
}

fn changed(outcome: Outcome<PgRow>) -> Result<Outcome<Revision>, Error> {
    match outcome {
        Outcome::Done(row) => Ok(Outcome::Done(revision_of(&row)?)),
        Outcome::Conflict => Ok(Outcome::Conflict),
        Outcome::Gone => Ok(Outcome::Gone),
    }
}

#[async_trait]
impl Backend for GoPostgres {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        plain_key(key)?;
        let key = [Bytes(key.as_bytes())];
        let rows = self.rows(&self.statements().await?.load, &key).await?;
        rows.first().map(stored_of).transpose()
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        plain_key(key)?;
        check_size(key, record, LARGEST)?;
        let values = [
            Bytes(key.as_bytes()),
            Bytes(record.value()),
            Integer(left_of(record.expiry())),
        ];
        match self
            .written(&self.statements().await?.create, &values)
            .await
        {
            Ok(Some(row)) => Ok(Created::Saved(revision_of(&row)?)),
            Ok(None) => Ok(Created::Exists),
            Err(error) if is_not_unique(&error) => Ok(Created::Exists),
            Err(error) => Err(error),
        }
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        plain_key(key)?;
        check_size(key, record, LARGEST)?;
        let values = [
            Bytes(key.as_bytes()),
            Bytes(record.value()),
            Integer(left_of(record.expiry())),
            Bytes(seen.as_bytes()),
        ];
        changed(
            self.change(key, &self.statements().await?.swap, &values)
                .await?,
        )
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        plain_key(key)?;
        let values = [
            Bytes(key.as_bytes()),
            Integer(left_of(until)),
            Bytes(seen.as_bytes()),
        ];
        changed(
            self.change(key, &self.statements().await?.touch, &values)
                .await?,
        )
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        plain_key(key)?;
        let values = [Bytes(key.as_bytes()), Bytes(seen.as_bytes())];
        let removed = self
            .change(key, &self.statements().await?.remove, &values)
            .await?;
        Ok(removed.map(drop))
    }

    fn layout(&self) -> Layout {
        self.0.table.layout()
    }

    fn moves(&self) -> Option<&dyn Moves> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }
}

/// One `UPDATE`, of the key too: what else a row has stays as it is.
#[async_trait]
impl Moves for GoPostgres {
    async fn move_to(
        &self,
        key: &Key,
        seen: &Revision,
        to: &Key,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        plain_key(key)?;
        plain_key(to)?;
        check_size(to, record, LARGEST)?;
        let values = [
            Bytes(key.as_bytes()),
            Bytes(record.value()),
            Integer(left_of(record.expiry())),
            Bytes(seen.as_bytes()),
            Bytes(to.as_bytes()),
        ];
        match self
            .change(key, &self.statements().await?.move_to, &values)
            .await
        {
            Err(error) if is_not_unique(&error) => Err(taken().with_source(error)),
            outcome => changed(outcome?),
        }
    }
}

#[async_trait]
impl Scan for GoPostgres {
    async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error> {
        let after = after.map_or(&[][..], Key::as_bytes); // no key is empty
        let values = [Bytes(after), Integer(sql_limit(limit))];
        let rows = self.rows(&self.statements().await?.page, &values).await?;
        page_of(&rows, limit)
    }

    async fn purge(&self, limit: usize) -> Result<Purged, Error> {
        let values = [Integer(sql_limit(limit))];
        let purged = self
            .written(&self.statements().await?.purge, &values)
            .await?;
        let purged = purged
            .map(|row| row.integer(0).map_err(reading))
            .transpose()?;
        let removed = usize::try_from(purged.unwrap_or(0)).unwrap_or(limit);
        Ok(Purged::removed(removed))
    }
}

/// The table.
impl fmt::Debug for GoPostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GoPostgres").field(&self.0.table).finish()
    }
}
