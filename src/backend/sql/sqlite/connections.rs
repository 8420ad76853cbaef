//! [`Connections`]: the engine of SQLite. One connection writes, since SQLite allows one writer at
//! a time, and several read.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row, Sqlite, SqlitePool};
use tokio::sync::{Mutex, MutexGuard};

use super::super::engine::Engine;
use super::super::rows::{Columns, Undecodable};
use super::super::statements::{Parameters, Statement, Statements};
use super::super::with_sqlx::bound;
use super::errors::{reading, writing};
use super::options::SqliteOptions;
use super::statements::STATEMENTS;
use crate::backend::effect::Effect;
use crate::backend::{Error, Expiry};

/// The number of connections that read.
const READERS: u32 = 4;

pub(super) struct Connections {
    pub(super) readers: SqlitePool,
    writers: SqlitePool,
    /// The lock of the writer, taken in the order of arrival. SQLite itself has no queue: its
    /// writers poll, and some of many would wait too long. Only other processes' writers are polled
    /// for.
    write_lock: Mutex<()>,
    /// The limit of each wait.
    pub(super) timeout: Duration,
}

/// The connection that writes, under its lock.
pub(super) struct Writer<'a> {
    connection: PoolConnection<Sqlite>,
    _lock: MutexGuard<'a, ()>,
}

impl Connections {
    /// Returns connections to a file. One of them does all writes, so that its page cache stays
    /// valid.
    pub(super) fn open(path: &Path, options: &SqliteOptions) -> Self {
        let timeout = options.timeout;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(timeout)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let pool = |connections| {
            // There is no network that could fail while a connection is idle.
            let pool = SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(timeout)
                .test_before_acquire(false)
                .max_lifetime(None);
            pool.connect_lazy_with(options.clone())
        };
        Connections {
            readers: pool(READERS),
            writers: pool(1),
            write_lock: Mutex::new(()),
            timeout,
        }
    }

    pub(super) fn of_pool(pool: SqlitePool, options: &SqliteOptions) -> Self {
        Connections {
            readers: pool.clone(),
            writers: pool,
            write_lock: Mutex::new(()),
            timeout: options.timeout,
        }
    }

    /// Waits for the lock of the writer.
    pub(super) async fn writer(&self) -> Result<Writer<'_>, Error> {
        let write_lock = tokio::time::timeout(self.timeout, self.write_lock.lock()).await;
        let write_lock = write_lock.map_err(|_| reading(sqlx::Error::PoolTimedOut))?;
        Ok(Writer {
            connection: self.writers.acquire().await.map_err(reading)?,
            _lock: write_lock,
        })
    }

    pub(super) fn path(&self) -> PathBuf {
        let options = self.writers.connect_options();
        options.get_filename().to_owned()
    }
}

impl Deref for Writer<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Writer<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

impl Engine for Connections {
    type Row = SqliteRow;

    /// SQLite's limit, unless it was built with a lower one.
    const LARGEST: usize = 1_000_000_000;

    async fn statements(&self) -> Result<&Statements, Error> {
        Ok(&STATEMENTS)
    }

    /// Fetches all rows, even of a write that returns one: `fetch_one` stops at that row, and
    /// misses the error of a commit that fails after it.
    async fn rows(
        &self,
        effect: Effect,
        statement: &Statement,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<SqliteRow>, Error> {
        match effect {
            Effect::Reads => {
                let rows = prepared(statement, parameters).fetch_all(&self.readers);
                rows.await.map_err(reading)
            }
            Effect::Writes => {
                let mut writer = self.writer().await?;
                let rows = prepared(statement, parameters).fetch_all(&mut *writer);
                rows.await.map_err(writing)
            }
        }
    }

    async fn written(
        &self,
        statement: &Statement,
        parameters: &Parameters<'_>,
    ) -> Result<u64, Error> {
        let mut writer = self.writer().await?;
        let done = prepared(statement, parameters).execute(&mut *writer);
        Ok(done.await.map_err(writing)?.rows_affected())
    }
}

/// Values are bound after the wait for the lock: a record that expired in the meantime is gone.
fn prepared<'q>(
    statement: &Statement,
    parameters: &Parameters<'q>,
) -> Query<'q, Sqlite, SqliteArguments> {
    bound(statement, parameters, Expiry::as_millis)
}

impl Columns for SqliteRow {
    /// SQLite itself reads NULL as 0.
    fn integer(&self, index: usize) -> Result<i64, Undecodable> {
        let number: Option<i64> = self.try_get(index)?;
        Ok(number.ok_or(sqlx::error::UnexpectedNullError)?)
    }

    fn bytes(&self, index: usize) -> Result<Option<Vec<u8>>, Undecodable> {
        Ok(self.try_get(index)?)
    }

    fn expiry(&self, index: usize) -> Result<Expiry, Undecodable> {
        Ok(Expiry::from_millis(self.integer(index)?))
    }
}
