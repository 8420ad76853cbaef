//! Errors of SQLite and sqlx, as a backend's errors. Their texts name tables and never values.

use super::super::faults::KeyTaken;
use crate::backend::Error;

/// SQLite's primary result codes, <https://www.sqlite.org/rescode.html>.
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const NOTADB: i32 = 26;

/// Returns the primary code: the lowest byte of SQLite's code.
fn code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    Some(code.parse::<i32>().ok()? & 0xFF)
}

pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(BUSY | LOCKED))
}

/// Returns the error of a statement that only reads, or was not run.
///
/// A damaged file is unavailable: [corrupt](Error::is_corrupt) is about the record of one key.
pub(super) fn reading(error: sqlx::Error) -> Error {
    let is_taken = error
        .as_database_error()
        .is_some_and(|refused| refused.is_unique_violation());
    let unavailable = Error::unavailable(message(&error));
    match is_taken {
        true => unavailable.with_source(KeyTaken),
        false => unavailable.with_source(error),
    }
}

/// Returns the error of a write that was run. SQLite rolls a failed write back. After a disk
/// failure the log may still contain the write, and a recovery may apply it.
pub(super) fn writing(error: sqlx::Error) -> Error {
    let may_be_done = match &error {
        sqlx::Error::Database(_) => code(&error) == Some(IOERR),
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => false,
        _ => true,
    };
    match may_be_done {
        true => Error::outcome_unknown(message(&error)).with_source(error),
        false => reading(error),
    }
}

fn message(error: &sqlx::Error) -> &'static str {
    match code(error) {
        Some(BUSY | LOCKED) => "the database is locked by another connection",
        Some(READONLY) => "the database is read-only",
        Some(IOERR) => "the disk of the database failed",
        Some(CORRUPT | NOTADB) => "the file is not an SQLite database, or is damaged",
        Some(FULL) => "the disk of the database is full",
        Some(CANTOPEN) => "the file of the database cannot be opened",
        Some(_) => "the database refused the statement",
        None if matches!(error, sqlx::Error::PoolTimedOut) => {
            "no connection to the database was available in time"
        }
        None => "the database does not answer",
    }
}
