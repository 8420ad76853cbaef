//! [`Sqlite`]: records in an SQLite database.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | [`Sqlite`] |
//! | `statements.rs` | the SQL of each operation |
//! | `connections.rs` | the engine: one connection that writes, several that read |
//! | `schema.rs`, `schema.sql` | the file and its tables |
//! | `errors.rs` | what SQLite could not do |

mod connections;
mod errors;
mod schema;
mod statements;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;

use super::delegate::backend_in_sql;
use super::table::Table;
use crate::backend::{
    Created, Error, Expiry, Generation, Key, Layout, Outcome, Page, Purged, Record, Revision,
    Stored,
};
use connections::Connections;
use errors::reading;

/// How long is waited for others who write, and for a connection.
const WAIT: Duration = Duration::from_secs(5);

/// Keeps records in an SQLite database (3.37 or newer): for one machine, and sessions that
/// outlive the process. Several processes may share the file, as long as its file system has
/// locks (network file systems often do not).
///
/// Each operation is one statement, which also asks whether the record's owner lets it live:
/// it is done whole or not at all, also when nobody waits for it any more. Who writes waits
/// for the others who do, in this process in the order they came; who reads waits for
/// nobody.
///
/// Records expire by this machine's clock, which is SQLite's too; expired ones stay until
/// they are purged ([`Cleanup`](super::Cleanup)). Purging costs what it removes: records are
/// found by their expiry, and when an owner is revoked, or purged, the owner's records
/// expire in the same statement (a trigger does that), which no later revocation that keeps
/// one of them undoes. The space is used again by later records; the file does not shrink
/// unless you `VACUUM` it.
///
/// A busy database is [unavailable](Error::is_unavailable) after 5 seconds, and so is a file
/// that is damaged or no database: [corrupt](Error::is_corrupt) is a row that is no record.
///
/// Needs tokio, and the Rust that sqlx 0.9 needs: 1.94.
///
/// ```no_run
/// # async fn open() -> Result<(), silverback::backend::Error> {
/// let backend = silverback::backend::Sqlite::open("/var/lib/shop/sessions.db").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sqlite(Arc<Table<Connections>>);

impl Sqlite {
    /// The tables, their indexes and triggers, as SQL: [`open`](Sqlite::open) makes what is
    /// missing, for a pool of your own you do. What is there already is left as it is.
    ///
    #[doc = concat!("```sql\n", include_str!("schema.sql"), "```")]
    pub const SCHEMA: &str = schema::SCHEMA;

    /// Records in the file at `path`. It is made if there is none, for its owner only (0600)
    /// where the system has modes, and so are the tables.
    ///
    /// The database keeps a write-ahead log beside the file, and every acknowledged write is
    /// synced to the disk before the answer (`journal_mode = WAL`, `synchronous = FULL`).
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for tables that are there with other columns, which it names;
    /// [unavailable](Error::is_unavailable), if the file cannot be made or opened, is no
    /// database, or lacks tables and is for reading only.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = schema::make_file(path.as_ref())?;
        let connections = Connections::open(&path);
        let mut writer = connections.writer().await?;
        schema::make_tables(&mut writer).await?;
        drop(writer);
        Ok(Sqlite(Arc::new(Table::new(connections))))
    }

    /// Records in the file at `path`, which is a store already. Makes nothing: for programs that
    /// look after the store of a service.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), if there is no such file, or its database has no tables of
    /// ours; [unavailable](Error::is_unavailable), if the user who runs this program may not
    /// read and write it, or it is no database.
    pub async fn open_existing(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = schema::find_file(path.as_ref())?;
        let connections = Connections::open(&path);
        let mut reader = connections.readers.acquire().await.map_err(reading)?;
        schema::find_tables(&mut reader, &path).await?;
        drop(reader);
        Ok(Sqlite(Arc::new(Table::new(connections))))
    }

    /// Records in the database of a pool of your own, which has the tables of
    /// [`SCHEMA`](Sqlite::SCHEMA) already, with their triggers: without those a later
    /// revocation could bring back what an earlier one ended.
    ///
    /// The pool's options are yours: without `synchronous = FULL` (or `EXTRA`) an
    /// acknowledged write may be lost when the power is, and without
    /// `journal_mode = WAL` readers and writers wait for each other.
    ///
    /// ```no_run
    /// # async fn open(pool: sqlx::SqlitePool) -> Result<(), sqlx::Error> {
    /// use silverback::backend::Sqlite;
    ///
    /// sqlx::raw_sql(Sqlite::SCHEMA).execute(&pool).await?; // or in a migration
    /// let backend = Sqlite::with_pool(pool);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_pool(pool: SqlitePool) -> Self {
        Sqlite(Arc::new(Table::new(Connections::of_pool(pool))))
    }
}

backend_in_sql!(Sqlite: owners, scan);

/// The file's path.
impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sqlite")
            .field(&self.0.engine.path())
            .finish()
    }
}
