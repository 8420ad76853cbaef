//! [`Connections`]: one that writes at a time, since SQLite has room for one, and several
//! that read.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Sqlite, SqlitePool};
use tokio::sync::{Mutex, MutexGuard};

use super::super::Error;
use super::WAIT;
use super::errors::reading;

/// How many read at once.
const READERS: u32 = 4;

/// A statement with its parameters.
pub(super) type Statement = Query<'static, Sqlite, SqliteArguments>;

pub(super) struct Connections {
    pub(super) readers: SqlitePool,
    writers: SqlitePool,
    /// Who writes next. SQLite lets those who wait try again now and then, and has no
    /// queue: of many, some would wait for too long. Other processes' are waited for so.
    turn: Mutex<()>,
}

/// The connection that may write, until it is dropped.
pub(super) struct Writer<'a> {
    connection: PoolConnection<Sqlite>,
    _turn: MutexGuard<'a, ()>,
}

impl Connections {
    /// Connections to a file, of which one only writes: it knows what it has written, where
    /// the others have to read what it changed.
    pub(super) fn open(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(WAIT)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let pool = |connections| {
            // Nothing is between us and the file that could fail while a connection idles.
            let pool = SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(WAIT)
                .test_before_acquire(false)
                .max_lifetime(None);
            pool.connect_lazy_with(options.clone())
        };
        Connections {
            readers: pool(READERS),
            writers: pool(1),
            turn: Mutex::new(()),
        }
    }

    pub(super) fn of_pool(pool: SqlitePool) -> Self {
        Connections {
            readers: pool.clone(),
            writers: pool,
            turn: Mutex::new(()),
        }
    }

    /// Waits until it may write.
    pub(super) async fn writer(&self) -> Result<Writer<'_>, Error> {
        let turn = tokio::time::timeout(WAIT, self.turn.lock()).await;
        let turn = turn.map_err(|_| reading(sqlx::Error::PoolTimedOut))?;
        Ok(Writer {
            connection: self.writers.acquire().await.map_err(reading)?,
            _turn: turn,
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
