//! [`Sqlite`]: records in an SQLite database.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`Sqlite`] |
//! | `statements.rs` | the SQL of each operation |
//! | `options.rs` | [`SqliteOptions`] |
//! | `connections.rs` | the engine: one connection that writes, several that read |
//! | `schema.rs`, `schema.sql` | the file and its tables |
//! | `errors.rs` | SQLite's errors as a backend's |
//! | `go.rs`, `go_statements.rs` | [`GoSqlite`]: the table of a Go package, and the SQL for it |
//! | `columns.rs` | the columns of an existing table |

mod columns;
mod connections;
mod errors;
mod go;
mod go_statements;
mod options;
mod schema;
mod statements;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use sqlx::SqlitePool;

use super::delegate::backend_in_sql;
use super::table::Table;
use crate::backend::{
    Created, Error, Expiry, Generation, Key, Layout, Login, Outcome, OwnerName, Page, Purged,
    Record, Revision, Stored,
};
use connections::Connections;
use errors::reading;
pub use go::GoSqlite;
pub use options::SqliteOptions;

/// Keeps records in an SQLite database (3.37 or newer), for sessions on one machine that outlive
/// the process. Several processes may share the file if its file system has locks; network file
/// systems often have none.
///
/// Each operation is one statement, which also checks the record's owner. It is applied whole or
/// not at all, even if the caller stops waiting. Writes of one process run in the order of arrival,
/// and wait for writes of other processes. Reads wait for no write.
///
/// Records expire by this machine's clock. Expired records stay until they
/// are purged ([`Cleanup`](crate::backend::Cleanup)). The cost of a purge grows with the rows that
/// it removes: an index finds them by their expiry, and a trigger expires an owner's records when
/// the owner is revoked or purged. Later records use the space again; the file shrinks only if you
/// `VACUUM` it.
///
/// The backend does not count records: [strangers](crate::backend#records-of-strangers) can fill
/// the file system. Give the file a quota or a volume of its own.
///
/// A database that is busy for [5 seconds](SqliteOptions::timeout) is
/// [unavailable](Error::is_unavailable). A damaged file, or a file of another format, is
/// unavailable too. A row that is not a valid record is [corrupt](Error::is_corrupt).
///
/// Needs tokio, and Rust 1.94, as sqlx 0.9 does.
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
    /// The tables, their indexes and triggers, as SQL, for a migration of your own. The SQL does
    /// not change existing tables. [`open`](Sqlite::open) and [`migrate`](Sqlite::migrate) run it
    /// if a table is missing.
    ///
    #[doc = concat!("```sql\n", include_str!("schema.sql"), "```")]
    pub const SCHEMA: &str = schema::SCHEMA;

    /// Opens the database in the file at `path`, and creates the file and the tables if they are
    /// missing. The file's mode is 0600 on systems with modes.
    ///
    /// The database keeps a write-ahead log next to the file, and syncs every write to the disk
    /// before it acknowledges it (`journal_mode = WAL`, `synchronous = FULL`).
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error, which names the columns, if a table exists with
    /// other columns. Returns an [unavailable](Error::is_unavailable) error if the file cannot be
    /// created or opened, is not a database, or is read-only and lacks tables.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Sqlite::open_with(path, SqliteOptions::new()).await
    }

    /// Opens the database as [`open`](Sqlite::open) does, with options.
    ///
    /// # Errors
    /// Returns the errors of [`open`](Sqlite::open), and a [usage](Error::is_usage) error for a
    /// timeout of zero. If nothing may be [created](SqliteOptions::create_if_missing), returns a
    /// usage error if the file or its tables are missing, and an unavailable error if this program
    /// may not read and write the file.
    pub async fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, Error> {
        options.check()?;
        let connections = match options.create_if_missing {
            true => Sqlite::create(path.as_ref(), &options).await?,
            false => Sqlite::find(path.as_ref(), &options).await?,
        };
        Ok(Sqlite(Arc::new(Table::new(connections))))
    }

    async fn create(path: &Path, options: &SqliteOptions) -> Result<Connections, Error> {
        let connections = Connections::open(&schema::make_file(path)?, options);
        let mut writer = connections.writer().await?;
        schema::make_store(&mut writer, options.timeout).await?;
        drop(writer);
        Ok(connections)
    }

    async fn find(path: &Path, options: &SqliteOptions) -> Result<Connections, Error> {
        let path = schema::find_file(path)?;
        let connections = Connections::open(&path, options);
        let mut reader = connections.readers.acquire().await.map_err(reading)?;
        schema::find_tables(&mut reader, &path).await?;
        drop(reader);
        Ok(connections)
    }

    /// Keeps records in the database of your pool, which must have the tables and triggers of
    /// [`SCHEMA`](Sqlite::SCHEMA): run it, or call [`migrate`](Sqlite::migrate). Without the
    /// triggers, a later revocation could make records live again that an earlier one ended.
    ///
    /// The pool keeps its own settings. Without `synchronous = FULL` (or `EXTRA`) a power failure
    /// may lose acknowledged writes. Without `journal_mode = WAL` reads and writes wait for each
    /// other.
    ///
    /// ```no_run
    /// # async fn open(pool: sqlx::SqlitePool) -> Result<(), silverback::backend::Error> {
    /// use silverback::backend::{Sqlite, SqliteOptions};
    ///
    /// let backend = Sqlite::from_pool(pool, SqliteOptions::new())?;
    /// backend.migrate().await?;
    /// # Ok(())
    /// # }
    /// ```
    /// Nothing is created, whatever [`create_if_missing`](SqliteOptions::create_if_missing) says.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for a timeout of zero.
    pub fn from_pool(pool: SqlitePool, options: SqliteOptions) -> Result<Self, Error> {
        options.check()?;
        let connections = Connections::of_pool(pool, &options);
        Ok(Sqlite(Arc::new(Table::new(connections))))
    }

    /// Creates the missing tables, indexes and triggers. If none is missing, it writes nothing.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error, which names the columns, if a table exists with
    /// other columns. Returns an [unavailable](Error::is_unavailable) error if the database cannot
    /// be opened or written to.
    pub async fn migrate(&self) -> Result<(), Error> {
        let mut writer = self.0.engine.writer().await?;
        schema::make_tables(&mut writer).await
    }
}

backend_in_sql!(Sqlite: owners, scan);

/// Shows the file's path.
impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sqlite")
            .field(&self.0.engine.path())
            .finish()
    }
}
