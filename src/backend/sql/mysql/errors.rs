//! Errors of the server and sqlx, as a backend's errors. Their texts name tables and never values.
//!
//! The numbers are those of MySQL and MariaDB:
//! <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>,
//! <https://mariadb.com/kb/en/mariadb-error-code-reference/>.

use sqlx::MySql;
use sqlx::mysql::MySqlDatabaseError;

use super::super::faults::KeyTaken;
use super::super::with_sqlx::SqlxServer;
use crate::backend::Error;

impl SqlxServer for MySql {
    fn reading(error: sqlx::Error) -> Error {
        let because = message(&error);
        let fault = match number(&error) {
            Some(1153) => Error::too_large_for_server(because),
            _ => Error::unavailable(because),
        };
        fault.with_source(without_values(error))
    }

    fn writing(error: sqlx::Error) -> Error {
        match may_be_done(&error) {
            true => Error::outcome_unknown(message(&error)).with_source(without_values(error)),
            false => <Self as SqlxServer>::reading(error),
        }
    }

    fn ends_a_connection(error: &sqlx::Error) -> bool {
        // Also a server that has become a replica, or has left its cluster: the name may lead to
        // another one.
        number(error).is_none_or(|number| {
            matches!(
                number,
                1047 | 1053 | 1152..=1161 | 1184 | 1290 | 1792 | 1836 | 1927 | 4031
            )
        })
    }
}

/// Returns the number of an error that the server sent.
fn number(error: &sqlx::Error) -> Option<u16> {
    let sent = error.as_database_error()?;
    let sent = sent.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(sent.number())
}

/// Returns whether a failed write may have been applied. A refused statement was not applied. If
/// the server or the connection failed, the statement may have been applied before.
fn may_be_done(error: &sqlx::Error) -> bool {
    match number(error) {
        // An internal error, a shutdown, an error during the commit, a lost connection, an end of
        // the statement or of its connection by another user.
        Some(1053 | 1105 | 1152 | 1158..=1161 | 1180 | 1184 | 1317 | 1927 | 4031) => true,
        Some(_) => false,
        None => !matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed),
    }
}

/// Returns whether the server rolled the statement back, since it and another one waited for each
/// other, or (in a cluster) since another node wrote the same row.
pub(super) fn is_deadlock(error: &sqlx::Error) -> bool {
    matches!(number(error), Some(1213 | 3101))
}

fn message(error: &sqlx::Error) -> &'static str {
    match number(error) {
        Some(1040 | 1203 | 1226) => "the database has no connections left",
        Some(1044 | 1045 | 1698) => {
            "the database refused the login: check the user, the password and the database's name"
        }
        Some(1046) => "the URL names no database: write mysql://USER:PASSWORD@HOST:PORT/DATABASE",
        Some(1049) => "the server has no database of that name",
        Some(1054 | 1142 | 1143 | 1146) => {
            "the tables are missing, or this user lacks the rights to them"
        }
        Some(1153) => "too large: the row is larger than the server's max_allowed_packet",
        Some(1205) => "the row was locked for too long: try again",
        Some(1213 | 3101) => "the database gave up the statement for a concurrent one: try again",
        Some(1290 | 1792 | 1836) => "the database is read-only: connect to the primary",
        Some(1021 | 1037 | 1038 | 1041 | 1114 | 1206) => "the database has no memory or disk left",
        Some(1047) => "the node does not belong to the cluster at the moment",
        Some(1053 | 1152 | 1158..=1161 | 1184 | 1317 | 1927 | 4031) => {
            "the database ended the connection"
        }
        Some(_) => "the database refused the statement",
        None if matches!(error, sqlx::Error::PoolTimedOut) => {
            "no connection to the database was available in time"
        }
        None => "the database does not answer",
    }
}

/// Drops the texts of errors that quote the values of rows, such as the key of a duplicate.
fn without_values(error: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match error.as_database_error() {
        Some(refused) if refused.is_unique_violation() => KeyTaken.into(),
        Some(_) => {
            let number = number(&error).unwrap_or_default();
            format!("the server's error {number}").into()
        }
        None => error.into(),
    }
}
