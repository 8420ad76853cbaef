//! The file and the tables in it, made where they are missing.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;

use super::super::columns::check_type;
use super::WAIT;
use super::errors::{is_busy, reading};
use crate::backend::Error;
use crate::backend::access::{Access, another_users, failed};

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

/// The tables, their columns, and the types that those must have: with others SQLite would
/// take numbers for texts, which are compared otherwise.
const COLUMNS: [(&str, &[(&str, &str)]); 2] = [
    (
        "silverback_sessions",
        &[
            ("key", "BLOB"),
            ("revision", "BLOB"),
            ("expiry", "INTEGER"),
            ("owner", "BLOB"),
            ("generation", "BLOB"),
            ("value", "BLOB"),
        ],
    ),
    (
        "silverback_owners",
        &[
            ("name", "BLOB"),
            ("generation", "BLOB"),
            ("expiry", "INTEGER"),
            ("kept", "BLOB"),
        ],
    ),
];

/// Refuses a database without the tables, or with other ones of their names. Makes nothing.
pub(super) async fn find_tables(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), Error> {
    match check_tables(connection).await? == COLUMNS.len() {
        true => Ok(()),
        false => Err(no_store(path)),
    }
}

/// Refuses tables that are there with other columns, and says how many of them are there.
async fn check_tables(connection: &mut SqliteConnection) -> Result<usize, Error> {
    const TYPES: &str = "SELECT name, upper(type) FROM pragma_table_info(?1)";
    let mut are_there = 0;
    for (table, wanted) in COLUMNS {
        let found: Vec<(String, String)> = sqlx::query_as(TYPES)
            .bind(table)
            .fetch_all(&mut *connection)
            .await
            .map_err(reading)?;
        if found.is_empty() {
            continue;
        }
        are_there += 1;
        for (column, wanted) in wanted {
            let found = found.iter().find(|(name, _)| name == column);
            check_type(table, column, found.map(|(_, kind)| &**kind), wanted)?;
        }
    }
    Ok(are_there)
}

/// Makes what is missing. Where all is there it writes nothing, and needs no right to.
pub(super) async fn make_tables(connection: &mut SqliteConnection) -> Result<(), Error> {
    check_tables(connection).await?;
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
