//! The file and its tables: created if they are missing, checked if they exist.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;

use super::super::columns::check_type;
use super::errors::{is_busy, reading};
use crate::backend::Error;
use crate::backend::access::{Access, another_users, failed};

pub(super) const SCHEMA: &str = include_str!("schema.sql");

/// Counts our tables, indexes and triggers.
const COUNT: &str = "SELECT count(*) FROM sqlite_schema WHERE name IN (
    'silverback_sessions', 'silverback_sessions_by_expiry', 'silverback_sessions_by_owner',
    'silverback_owners', 'silverback_owners_by_expiry',
    'silverback_owner_revoked', 'silverback_owner_purged')";
const ALL: i64 = 7;

/// Returns the absolute path, and creates a missing file there, with the mode 0600 if the system
/// has modes. SQLite gives its other files the same mode.
pub(super) fn make_file(path: &Path) -> Result<PathBuf, Error> {
    // Closing a file drops all locks of this process on it, also SQLite's. The file that was
    // created here is closed before another task can open the database.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let path = absolute(path)?;
    if path.is_file() {
        return Ok(path);
    }
    let access = Access::of(&path, path.parent().unwrap_or(&path))?;
    match access.new_file(&path) {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(path),
        Err(error) => Err(failed("created", &path, error)),
    }
}

/// Makes the path absolute, so that SQLite reads it neither as `:memory:` nor as a URI.
fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|error| failed("found", path, error))
}

/// Returns the absolute path of an existing file that this program may use.
pub(super) fn find_file(path: &Path) -> Result<PathBuf, Error> {
    let path = absolute(path)?;
    match fs::metadata(&path) {
        Ok(found) if found.is_file() && Access::may_use_file(&path) => Ok(path),
        Ok(found) if found.is_file() => Err(another_users(&path)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Err(failed("found", &path, error))
        }
        Ok(_) | Err(_) => Err(missing_store(&path)),
    }
}

fn missing_store(path: &Path) -> Error {
    Error::usage(format!(
        "{path:?} contains no session store: check the path (nothing was created)"
    ))
}

/// The tables, and the types that their columns must have. With other types, SQLite would store and
/// compare numbers as text.
const COLUMNS: [(&str, &[(&str, &str)]); 2] = [
    (
        "silverback_sessions",
        &[
            ("key", "BLOB"),
            ("revision", "BLOB"),
            ("expiry", "INTEGER"),
            ("owner", "BLOB"),
            ("generation", "BLOB"),
            ("login", "INTEGER"),
            ("value", "BLOB"),
        ],
    ),
    (
        "silverback_owners",
        &[
            ("name", "BLOB"),
            ("generation", "BLOB"),
            ("expiry", "INTEGER"),
            ("logins", "INTEGER"),
            ("kept_generation", "BLOB"),
            ("kept_login", "INTEGER"),
        ],
    ),
];

/// Refuses a database without the tables, or with other tables of their names. Creates nothing.
pub(super) async fn find_tables(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), Error> {
    match check_tables(connection).await? == COLUMNS.len() {
        true => Ok(()),
        false => Err(missing_store(path)),
    }
}

/// Returns the number of tables that exist. Refuses tables with other columns.
async fn check_tables(connection: &mut SqliteConnection) -> Result<usize, Error> {
    const TYPES: &str = "SELECT name, upper(type) FROM pragma_table_info(?1)";
    let mut existing = 0;
    for (table, wanted) in COLUMNS {
        let found: Vec<(String, String)> = sqlx::query_as(TYPES)
            .bind(table)
            .fetch_all(&mut *connection)
            .await
            .map_err(reading)?;
        if found.is_empty() {
            continue;
        }
        existing += 1;
        for (column, wanted) in wanted {
            let found = found.iter().find(|(name, _)| name == column);
            check_type(table, column, found.map(|(_, kind)| &**kind), wanted)?;
        }
    }
    Ok(existing)
}

/// Creates the missing tables. If none is missing, it writes nothing and needs no right to. Refuses a
/// database with other tables of our names.
pub(super) async fn make_tables(connection: &mut SqliteConnection) -> Result<(), Error> {
    check_tables(connection).await?;
    create_missing(connection).await
}

/// Turns on the write-ahead log, and creates the missing tables. Refuses a database with other
/// tables of the same names, and does not change it.
pub(super) async fn make_store(
    connection: &mut SqliteConnection,
    timeout: Duration,
) -> Result<(), Error> {
    check_tables(connection).await?;
    enable_wal(connection, timeout).await?;
    create_missing(connection).await
}

async fn create_missing(connection: &mut SqliteConnection) -> Result<(), Error> {
    let found: i64 = sqlx::query_scalar(COUNT)
        .fetch_one(&mut *connection)
        .await
        .map_err(reading)?;
    if found < ALL {
        let made = sqlx::raw_sql(SCHEMA).execute(connection).await;
        made.map_err(reading)?;
    }
    Ok(())
}

/// Turns on the write-ahead log, so that reads wait for no write. The setting stays in the file.
pub(super) async fn enable_wal(
    connection: &mut SqliteConnection,
    timeout: Duration,
) -> Result<(), Error> {
    let give_up = Instant::now() + timeout;
    loop {
        let kept = sqlx::raw_sql("PRAGMA journal_mode = WAL")
            .execute(&mut *connection)
            .await;
        match kept {
            Ok(_) => return Ok(()),
            // SQLite does not wait for a concurrent change of the journal mode.
            Err(error) if is_busy(&error) && Instant::now() < give_up => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => return Err(reading(error)),
        }
    }
}
