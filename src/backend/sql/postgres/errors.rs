//! Errors of Postgres and sqlx, as a backend's errors. Their texts name tables and never values.

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use super::super::faults::KeyTaken;
use super::super::with_sqlx::SqlxServer;
use crate::backend::Error;

impl SqlxServer for sqlx::Postgres {
    fn reading(error: sqlx::Error) -> Error {
        Error::unavailable(message(&error)).with_source(without_values(error))
    }

    fn writing(error: sqlx::Error) -> Error {
        match may_be_done(&error) {
            true => Error::outcome_unknown(message(&error)).with_source(without_values(error)),
            false => Self::reading(error),
        }
    }

    fn ends_a_connection(error: &sqlx::Error) -> bool {
        let refused = error.as_database_error();
        let refused = refused.and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
        refused
            .is_none_or(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic))
    }
}

/// Returns the class of an error code of the server or its pooler:
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn class(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error()?.code()?;
    code.get(..2).map(str::to_owned)
}

/// Returns whether a failed write may have been applied. A refused statement was not applied. If
/// the server or the connection failed, the statement may have been applied before.
fn may_be_done(error: &sqlx::Error) -> bool {
    match class(error).as_deref() {
        // Connection exceptions, operator intervention, system errors, internal errors.
        Some("08" | "57" | "58" | "XX") => true,
        Some(_) => false,
        None => !matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed),
    }
}

/// Returns whether the connection lacks this client's prepared statements, or has another client's.
/// This happens behind a pooler that does not track them.
fn is_about_prepared_statements(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("26000" | "42P05" | "08P01"))
}

fn message(error: &sqlx::Error) -> &'static str {
    match class(error).as_deref() {
        Some(_) if is_about_prepared_statements(error) => {
            "the database's pooler keeps no prepared statements: use PostgresOptions::unprepared"
        }
        Some("28") => "the database refused the login: check the user and the password",
        Some("25") => "the database is read-only: connect to the primary",
        Some("40") => "the database gave up the statement for a concurrent one: try again",
        Some("42") => "the tables are missing, or this user lacks the rights to them",
        Some("53") => "the database has no connections, memory or disk left",
        Some("08" | "57" | "58") => "the database ended the connection",
        Some(_) => "the database refused the statement",
        None if matches!(error, sqlx::Error::PoolTimedOut) => {
            "no connection to the database was available in time"
        }
        None => "the database does not answer",
    }
}

/// Drops the details of the server's errors: they quote the values of rows, and [`sqlx::Error`]
/// shows them in its `Debug` form.
fn without_values(error: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match error.as_database_error() {
        Some(refused) if refused.is_unique_violation() => KeyTaken.into(),
        Some(refused) => refused.message().to_owned().into(),
        None => error.into(),
    }
}
