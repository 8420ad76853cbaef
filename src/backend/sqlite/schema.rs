//! The file and the tables in it, made where they are missing.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;

use super::super::Error;
use super::super::access::{Access, another_users, failed};
use super::WAIT;
use super::errors::{is_busy, reading};

pub(super) const SCHEMA: &str = include_str!("schema.sql");

/// Tables, indexes and triggers of ours that are there, and their number.
const COUNT: &str = "SELECT count(*) FROM sqlite_schema WHERE name IN (
    'silverback_sessions', 'silverback_sessions_by_expiry', 'silverback_sessions_by_owner',
    'silverback_owners', 'silverback_owners_by_expiry',
    'silverback_owner_revoked', 'silverback_owner_purged')";
const ALL: i64 = 7;

/// The path from the root, and a file there, for nobody else where the system has modes.
/// SQLite gives its other files the same mode.
pub(super) fn make_file(path: &Path) -> Result<PathBuf, Error> {
    // Closing a file ends all locks that this process has on it, SQLite's too: only the one
    // who made it closes it, before anybody who waits here goes on to open it.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let path = from_root(path)?;
    if path.is_file() {
        return Ok(path);
    }
    let access = Access::of(&path, path.parent().unwrap_or(&path))?;
    match access.new_file(&path) {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(path),
        Err(error) => Err(failed("made", &path, error)),
    }
}

/// From the root, no path is read as `:memory:` or as a URI.
fn from_root(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|error| failed("found", path, error))
}

/// The path from the root of a file that is there, and that this program may use.
pub(super) fn find_file(path: &Path) -> Result<PathBuf, Error> {
    let path = from_root(path)?;
    match fs::metadata(&path) {
        Ok(found) if found.is_file() && Access::may_use_file(&path) => Ok(path),
        Ok(found) if found.is_file() => Err(another_users(&path)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Err(failed("found", &path, error))
        }
        Ok(_) | Err(_) => Err(no_store(&path)),
    }
}

fn no_store(path: &Path) -> Error {
    Error::usage(format!(
        "{path:?} holds no store of sessions: nothing was made"
    ))
}

/// Whether the database has the tables.
pub(super) async fn find_tables(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), Error> {
    const TABLES: &str = "SELECT count(*) FROM sqlite_schema
        WHERE type = 'table' AND name IN ('silverback_sessions', 'silverback_owners')";
    let found: i64 = sqlx::query_scalar(TABLES)
        .fetch_one(connection)
        .await
        .map_err(reading)?;
    match found {
        2 => Ok(()),
        _ => Err(no_store(path)),
    }
}

/// Makes what is missing. Where all is there it writes nothing, and needs no right to.
pub(super) async fn make_tables(connection: &mut SqliteConnection) -> Result<(), Error> {
    keep_a_log(connection).await?;
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

/// Readers then wait for no writer. The file remembers it.
async fn keep_a_log(connection: &mut SqliteConnection) -> Result<(), Error> {
    let give_up = Instant::now() + WAIT;
    loop {
        let kept = sqlx::raw_sql("PRAGMA journal_mode = WAL")
            .execute(&mut *connection)
            .await;
        match kept {
            Ok(_) => return Ok(()),
            // Two who change it at once do not wait for each other: SQLite's own waiting is
            // for writes.
            Err(error) if is_busy(&error) && Instant::now() < give_up => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => return Err(reading(error)),
        }
    }
}
