//! [`Sqlite`]: records in an SQLite database.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | [`Sqlite`]: the operations of a backend |
//! | `statements.rs` | their SQL |
//! | `connections.rs` | who writes, and who reads |
//! | `rows.rs` | what is in a row |
//! | `schema.rs`, `schema.sql` | the file and its tables |
//! | `errors.rs` | what SQLite could not do |

mod connections;
mod errors;
mod rows;
mod schema;
mod statements;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::SqlitePool;

use super::sql::{
    check_size, generation_of, key_of, login_of, new_revision, page_of, sql_limit, sql_number,
    stored_of,
};
use super::{
    Backend, Created, Error, Expiry, Generation, Key, Login, Outcome, Owner, Owners, Page, Purged,
    Record, Revision, Scan, Stored,
};
use connections::{Connections, Statement};
use errors::{reading, writing};

/// How long is waited for others who write, and for a connection.
const WAIT: Duration = Duration::from_secs(5);

/// What SQLite takes in one row, unless it was built to take less.
const LARGEST: usize = 1_000_000_000;

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
/// It counts no records: [strangers](super#records-of-strangers) can fill the file system. Give
/// the file a quota or a volume of its own.
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
pub struct Sqlite(Arc<Connections>);

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
        Ok(Sqlite(Arc::new(connections)))
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
        Ok(Sqlite(Arc::new(connections)))
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
        Sqlite(Arc::new(Connections::of_pool(pool)))
    }

    /// Does something to a row that was seen, if it still is as it was.
    ///
    /// The time is that of its turn to write: what expired while it waited is gone.
    async fn change<T>(
        &self,
        key: &Key,
        statement: impl FnOnce(i64) -> Statement,
        done: T,
    ) -> Result<Outcome<T>, Error> {
        let mut writer = self.0.writer().await?;
        let now = Expiry::now().as_millis();
        let changed = statement(now)
            .execute(&mut *writer)
            .await
            .map_err(writing)?;
        if changed.rows_affected() > 0 {
            return Ok(Outcome::Done(done));
        }
        // A revision never comes back, so what was not as it had been seen is not so again:
        // whatever lives here now is another state, and nothing is as good as gone.
        let living = sqlx::query(statements::FIND)
            .bind(now)
            .bind(key.as_bytes())
            .fetch_optional(&mut *writer)
            .await;
        match living.map_err(reading)? {
            Some(_) => Ok(Outcome::Conflict),
            None => Ok(Outcome::Gone),
        }
    }
}

fn generation_in(owner: &Owner) -> &[u8] {
    owner.login.generation.as_bytes()
}

fn number_in(owner: &Owner) -> i64 {
    sql_number(owner.login.number)
}

#[async_trait]
impl Backend for Sqlite {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let row = sqlx::query(statements::LOAD)
            .bind(Expiry::now().as_millis())
            .bind(key.as_bytes())
            .fetch_optional(&self.0.readers)
            .await;
        row.map_err(reading)?.as_ref().map(stored_of).transpose()
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        check_size(key, record, LARGEST)?;
        let revision = new_revision()?;
        let mut writer = self.0.writer().await?;
        let owner = record.owner();
        let created = sqlx::query(statements::CREATE)
            .bind(Expiry::now().as_millis())
            .bind(key.as_bytes())
            .bind(revision.as_bytes())
            .bind(record.expiry().as_millis())
            .bind(owner.map(|owner| owner.name.as_bytes()))
            .bind(owner.map(generation_in))
            .bind(owner.map(number_in))
            .bind(record.value())
            .execute(&mut *writer)
            .await;
        match created.map_err(writing)?.rows_affected() {
            0 => Ok(Created::Exists),
            _ => Ok(Created::Saved(revision)),
        }
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        check_size(key, record, LARGEST)?;
        let revision = new_revision()?;
        let owner = record.owner();
        let swap = |now| {
            sqlx::query(statements::SWAP)
                .bind(now)
                .bind(key.as_bytes())
                .bind(seen.as_bytes())
                .bind(record.expiry().as_millis())
                .bind(owner.map(|owner| owner.name.as_bytes()))
                .bind(owner.map(generation_in))
                .bind(owner.map(number_in))
                .bind(record.value())
                .bind(revision.as_bytes())
        };
        self.change(key, swap, revision.clone()).await
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        let revision = new_revision()?;
        let touch = |now| {
            sqlx::query(statements::TOUCH)
                .bind(now)
                .bind(key.as_bytes())
                .bind(seen.as_bytes())
                .bind(revision.as_bytes())
                .bind(until.as_millis())
        };
        self.change(key, touch, revision.clone()).await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        let remove = |now| {
            sqlx::query(statements::REMOVE)
                .bind(now)
                .bind(key.as_bytes())
                .bind(seen.as_bytes())
        };
        self.change(key, remove, ()).await
    }

    fn owners(&self) -> Option<&dyn Owners> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }
}

#[async_trait]
impl Owners for Sqlite {
    async fn generation(&self, owner: &str) -> Result<Option<Generation>, Error> {
        let row = sqlx::query(statements::GENERATION)
            .bind(Expiry::now().as_millis())
            .bind(owner.as_bytes())
            .fetch_optional(&self.0.readers)
            .await;
        let row = row.map_err(reading)?;
        row.as_ref().map(generation_of).transpose()
    }

    async fn begin(&self, owner: &str, until: Expiry, _: &Key) -> Result<Login, Error> {
        self.count_logins(owner, until, 1).await
    }

    async fn extend(&self, owner: &str, until: Expiry) -> Result<Generation, Error> {
        Ok(self.count_logins(owner, until, 0).await?.generation)
    }

    async fn revoke(
        &self,
        owner: &str,
        until: Expiry,
        keep: Option<&Login>,
    ) -> Result<Generation, Error> {
        Owner::check_name(owner)?;
        let generation = Generation::random()?;
        let mut writer = self.0.writer().await?;
        let revoked = sqlx::query(statements::REVOKE)
            .bind(Expiry::now().as_millis())
            .bind(owner.as_bytes())
            .bind(&generation.as_bytes()[..])
            .bind(until.as_millis())
            .bind(keep.map(|login| &login.generation.as_bytes()[..]))
            .bind(keep.map(|login| sql_number(login.number)))
            .execute(&mut *writer)
            .await;
        revoked.map_err(writing)?;
        Ok(generation)
    }

    async fn keys(&self, owner: &str) -> Result<Vec<Key>, Error> {
        let rows = sqlx::query(statements::KEYS)
            .bind(Expiry::now().as_millis())
            .bind(owner.as_bytes())
            .fetch_all(&self.0.readers)
            .await;
        rows.map_err(reading)?.iter().map(key_of).collect()
    }
}

#[async_trait]
impl Scan for Sqlite {
    async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error> {
        let rows = sqlx::query(statements::PAGE)
            .bind(Expiry::now().as_millis())
            .bind(after.map_or(&[][..], Key::as_bytes)) // no key is empty
            .bind(sql_limit(limit))
            .fetch_all(&self.0.readers)
            .await;
        page_of(&rows.map_err(reading)?, limit)
    }

    /// Owners that are over go first, all of them: their records are then over too.
    async fn purge(&self, limit: usize) -> Result<Purged, Error> {
        let owners = limit.max(1);
        while self.purge_some(statements::PURGE_OWNERS, owners).await? == owners {}
        let removed = self.purge_some(statements::PURGE, limit).await?;
        Ok(Purged::removed(removed))
    }
}

impl Sqlite {
    /// Keeps the owner's record, and adds to its number of logins.
    async fn count_logins(&self, owner: &str, until: Expiry, more: i64) -> Result<Login, Error> {
        Owner::check_name(owner)?;
        let fresh = Generation::random()?;
        let mut writer = self.0.writer().await?;
        // All rows, though there is one: who stops at the first does not hear of it when the
        // write behind it fails.
        let rows = sqlx::query(statements::BEGIN)
            .bind(Expiry::now().as_millis())
            .bind(owner.as_bytes())
            .bind(&fresh.as_bytes()[..])
            .bind(until.as_millis())
            .bind(more)
            .fetch_all(&mut *writer)
            .await;
        match rows.map_err(writing)?.as_slice() {
            [row] => login_of(row),
            _ => Err(Error::corrupt("an owner has not one row")),
        }
    }

    async fn purge_some(&self, statement: &'static str, limit: usize) -> Result<usize, Error> {
        let mut writer = self.0.writer().await?;
        let purged = sqlx::query(statement)
            .bind(Expiry::now().as_millis())
            .bind(sql_limit(limit))
            .execute(&mut *writer)
            .await;
        let purged = purged.map_err(writing)?.rows_affected();
        Ok(usize::try_from(purged).unwrap_or(limit))
    }
}

/// The file's path.
impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sqlite").field(&self.0.path()).finish()
    }
}
