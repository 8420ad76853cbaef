//! What Postgres could not do, as a backend's error. Its texts name tables and never values.

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::backend::Error;

/// Of a statement that writes nothing, or had no connection.
pub(super) fn reading(error: sqlx::Error) -> Error {
    Error::unavailable(message(&error)).with_source(without_values(error))
}

/// Of a statement that writes, and was sent.
pub(super) fn writing(error: sqlx::Error) -> Error {
    match may_be_done(&error) {
        true => Error::outcome_unknown(message(&error)).with_source(without_values(error)),
        false => reading(error),
    }
}

/// Nobody answered in time.
pub(super) fn too_late(writes: bool) -> Error {
    const MESSAGE: &str = "the database does not answer in time";
    match writes {
        true => Error::outcome_unknown(MESSAGE),
        false => Error::unavailable(MESSAGE),
    }
}

/// The class of what the server or a pooler before it says,
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn class(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error()?.code()?;
    code.get(..2).map(str::to_owned)
}

/// A statement that the server refused is undone. Where the server or the connection was going
/// down, the statement may have been done before.
fn may_be_done(error: &sqlx::Error) -> bool {
    match class(error).as_deref() {
        // Connection exceptions, operator intervention, system errors, internal errors.
        Some("08" | "57" | "58" | "XX") => true,
        Some(_) => false,
        None => !matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed),
    }
}

/// Nothing more is said over a connection after this.
pub(super) fn ends_a_connection(error: &sqlx::Error) -> bool {
    let refused = error.as_database_error();
    let refused = refused.and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    refused.is_none_or(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}

/// Prepared statements are not where they were prepared, or somebody else's are there.
fn is_about_prepared_statements(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("26000" | "42P05" | "08P01"))
}

/// Whether the error is that of a row whose key another has.
pub(super) fn is_not_unique(error: &Error) -> bool {
    error.cause().is_some_and(|cause| cause.is::<NotUnique>())
}

/// Another row has the key.
#[derive(Debug)]
struct NotUnique;

impl std::fmt::Display for NotUnique {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("another row has the key")
    }
}

impl std::error::Error for NotUnique {}

fn message(error: &sqlx::Error) -> &'static str {
    match class(error).as_deref() {
        Some(_) if is_about_prepared_statements(error) => {
            "the database's pooler keeps no prepared statements: see PostgresOptions::unprepared"
        }
        Some("28") => "the database does not let us in",
        Some("25") => "the database is for reading only",
        Some("40") => "the database gave way to another statement",
        Some("42") => "the database has not the tables, or not the rights to them",
        Some("53") => "the database has no room",
        Some("08" | "57" | "58") => "the database is going down",
        Some(_) => "the database refused the statement",
        None if matches!(error, sqlx::Error::PoolTimedOut) => "the database is busy, or not there",
        None => "the database does not answer",
    }
}

/// What Postgres says of a row in the details of an error holds its values, which
/// [`sqlx::Error`] shows in its `Debug` form.
fn without_values(error: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match error.as_database_error() {
        Some(refused) if refused.is_unique_violation() => NotUnique.into(),
        Some(refused) => refused.message().to_owned().into(),
        None => error.into(),
    }
}
