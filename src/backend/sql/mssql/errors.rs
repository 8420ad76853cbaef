//! Errors of SQL Server and tiberius, as a backend's errors. Their texts never contain values.

use std::fmt;

use tiberius::error::{Error as ClientError, TokenError};

use super::super::faults::KeyTaken;
use crate::backend::Error;

/// The lowest severity of errors that end the connection.
const FATAL: u8 = 20;

/// Returns the error of a statement that only reads, or was not sent.
pub(super) fn reading(error: ClientError) -> Error {
    Error::unavailable(message(&error)).with_source(without_values(error))
}

/// Returns the error of a write that was sent.
pub(super) fn writing(error: ClientError) -> Error {
    match may_be_done(&error) {
        true => Error::outcome_unknown(message(&error)).with_source(without_values(error)),
        false => reading(error),
    }
}

/// Returns whether the connection is unusable after this error. Errors at run time roll the
/// transaction back (`XACT_ABORT`), but those of a late compilation may not, such as a missing
/// table. So only errors that are known to arise at run time leave the connection in use. The
/// server rolls the transaction of a closed connection back.
pub(super) fn ends_a_connection(error: &ClientError) -> bool {
    match error {
        ClientError::Server(refused) => {
            refused.class() >= FATAL
                || !matches!(
                    Reason::of(refused.code()),
                    Some(
                        Reason::ReadOnly
                            | Reason::GaveUp
                            | Reason::LockTimeout
                            | Reason::Resources
                            | Reason::TooShort
                            | Reason::Taken
                    )
                )
        }
        _ => true,
    }
}

/// Returns whether a failed write may have been applied. A refused statement was not applied: it,
/// or its transaction, was rolled back. If the server or the connection failed, the statement may
/// have been applied before.
fn may_be_done(error: &ClientError) -> bool {
    match error {
        ClientError::Server(refused) => {
            refused.class() >= FATAL || Reason::of(refused.code()) == Some(Reason::Ended)
        }
        _ => true,
    }
}

/// The reason for an error of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Login,
    Database,
    ReadOnly,
    GaveUp,
    LockTimeout,
    Rights,
    Resources,
    TooShort,
    Taken,
    Ended,
}

impl Reason {
    /// Returns the reason for a numbered error:
    /// <https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors>.
    fn of(code: u32) -> Option<Self> {
        Some(match code {
            // Login failed; untrusted domain; disabled account; password expired or must change.
            18_452 | 18_456 | 18_470 | 18_486 | 18_487 | 18_488 => Reason::Login,
            // The database cannot be opened: missing, not allowed, offline, or in recovery.
            911 | 916 | 922 | 927 | 942 | 945 | 4_060 | 4_064 => Reason::Database,
            // Read-only database; a secondary replica; not the primary.
            976 | 978 | 979 | 982 | 983 | 3_906 | 3_908 => Reason::ReadOnly,
            // Deadlock victim; conflict of snapshots.
            1_205 | 3_960 => Reason::GaveUp,
            1_222 => Reason::LockTimeout,
            // No column, no object, no permission.
            207 | 208 | 229 | 230 | 262 | 297 | 300 | 371 | 15_247 => Reason::Rights,
            // Memory, locks, space in tempdb or a file, log full, connections, quotas.
            701
            | 802
            | 1_101
            | 1_105
            | 1_204
            | 8_645
            | 8_651
            | 9_002
            | 10_928
            | 10_929
            | 17_300
            | 17_809
            | 40_501
            | 40_544
            | 49_918..=49_920 => Reason::Resources,
            2_628 | 8_152 => Reason::TooShort,
            2_601 | 2_627 => Reason::Taken,
            // A killed session; shutdown; a failover.
            596 | 6_005 | 6_006 | 40_197 | 40_613 => Reason::Ended,
            _ => return None,
        })
    }

    fn message(self) -> &'static str {
        match self {
            Reason::Login => "the database refused the login: check the user and the password",
            Reason::Database => {
                "the database cannot be opened: check its name and the rights of the user"
            }
            Reason::ReadOnly => "the database is read-only: connect to the primary",
            Reason::GaveUp => "the database gave up the statement for a concurrent one: try again",
            Reason::LockTimeout => "another statement locked the row for too long: try again",
            Reason::Rights => "the tables are missing, or this user lacks the rights to them",
            Reason::Resources => "the database has no connections, memory, locks or disk left",
            Reason::TooShort => "a column of the table is too short for the value",
            Reason::Taken => "the database refused the statement",
            Reason::Ended => "the database ended the connection",
        }
    }
}

fn message(error: &ClientError) -> &'static str {
    match error {
        ClientError::Server(refused) => match Reason::of(refused.code()) {
            Some(reason) => reason.message(),
            None if refused.class() >= FATAL => Reason::Ended.message(),
            None => "the database refused the statement",
        },
        ClientError::Tls(_) => {
            "the connection to the database cannot be encrypted: check the certificate, and that \
             the server has TDS 8.0"
        }
        ClientError::Routing { .. } => {
            "the database redirects connections to another server: connect to that one"
        }
        _ => "the database does not answer",
    }
}

/// An error of the server: its number, and its text only if that names tables and no values.
#[derive(Debug)]
struct Refused {
    code: u32,
    class: u8,
    state: u8,
    text: Option<String>,
}

impl Refused {
    fn of(error: &TokenError) -> Self {
        let names_no_values = Reason::of(error.code()) == Some(Reason::Rights);
        Refused {
            code: error.code(),
            class: error.class(),
            state: error.state(),
            text: names_no_values.then(|| error.message().to_owned()),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused {
            code, class, state, ..
        } = self;
        write!(f, "error {code}, severity {class}, state {state}")?;
        match &self.text {
            Some(text) => write!(f, ": {text}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refused {}

/// Drops the texts that quote values: those of most errors of the server (2627 quotes the key,
/// 2628 the value), and of failed conversions in the client.
fn without_values(error: ClientError) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        ClientError::Server(refused) if Reason::of(refused.code()) == Some(Reason::Taken) => {
            KeyTaken.into()
        }
        ClientError::Server(refused) => Refused::of(&refused).into(),
        ClientError::Conversion(_) | ClientError::Encoding(_) => {
            "the client could not convert a value".into()
        }
        error => error.into(),
    }
}
