//! The tables of [`Mssql`](super::Mssql): created if they are missing, checked if they exist.

use tiberius::error::Error as ClientError;

use super::columns::{check_types, read_columns};
use super::connections::{Connection, run_batch};
use crate::backend::Error;

pub(super) const SCHEMA: &str = include_str!("schema.sql");

/// Takes a lock that all programs on the database share, since concurrent creations of one table
/// fail. No other program uses this name. The lock ends with the transaction.
const LOCK: &str = "SET XACT_ABORT ON;
BEGIN TRANSACTION;
DECLARE @locked INT;
EXEC @locked = sp_getapplock @Resource = N'silverback_schema', @LockMode = 'Exclusive';
IF @locked < 0 THROW 50000, N'the lock of the schema was not granted', 1;
";

const UNLOCK: &str = "\nCOMMIT TRANSACTION;";

/// The columns, and the types that they must have.
const SESSIONS: (&str, &[(&str, &str)]) = (
    "silverback_sessions",
    &[
        ("key", "varbinary(250)"),
        ("key_length", "int"),
        ("revision", "varbinary(16)"),
        ("expiry", "bigint"),
        ("expiry_minute", "bigint"),
        ("owner", "varbinary(512)"),
        ("generation", "varbinary(16)"),
        ("login", "bigint"),
        ("value", "varbinary(max)"),
    ],
);
const OWNERS: (&str, &[(&str, &str)]) = (
    "silverback_owners",
    &[
        ("name", "varbinary(512)"),
        ("name_length", "int"),
        ("generation", "varbinary(16)"),
        ("expiry", "bigint"),
        ("logins", "bigint"),
        ("kept_generation", "varbinary(16)"),
        ("kept_login", "bigint"),
    ],
);

/// Creates the missing tables. If none is missing, it writes nothing and needs no right to write.
///
/// # Errors
/// The inner error is for a table that exists with other columns.
pub(super) async fn make_tables(
    connection: &mut Connection,
) -> Result<Result<(), Error>, ClientError> {
    let is_complete = match check_tables(connection).await? {
        Ok(is_complete) => is_complete,
        Err(error) => return Ok(Err(error)),
    };
    if !is_complete {
        run_under_lock(connection, SCHEMA).await?;
    }
    Ok(Ok(()))
}

/// Checks the columns of the existing tables. Returns whether both exist: each is created with its
/// indexes by one statement.
async fn check_tables(connection: &mut Connection) -> Result<Result<bool, Error>, ClientError> {
    let mut is_complete = true;
    for (table, wanted) in [SESSIONS, OWNERS] {
        let found = read_columns(connection, table).await?;
        is_complete &= found.is_some();
        if let Err(error) = check_types(found.as_ref(), table, wanted) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(is_complete))
}

/// Refuses a database without the tables. Creates nothing.
pub(super) async fn find_tables(
    connection: &mut Connection,
) -> Result<Result<(), Error>, ClientError> {
    for (table, _) in [SESSIONS, OWNERS] {
        if read_columns(connection, table).await?.is_none() {
            return Ok(Err(Error::usage(format!(
                "the database has no table {table} in the user's default schema (nothing was created)"
            ))));
        }
    }
    Ok(check_tables(connection).await?.map(drop))
}

/// Sends the statements as one batch: one transaction.
pub(super) async fn run_under_lock(
    connection: &mut Connection,
    statements: &str,
) -> Result<(), ClientError> {
    let batch = [LOCK, statements, UNLOCK].concat();
    run_batch(connection, &batch).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_creates_the_columns_that_are_checked() {
        for (table, columns) in [SESSIONS, OWNERS] {
            let begin = SCHEMA.find(&format!("CREATE TABLE {table} (")).unwrap();
            let definition = &SCHEMA[begin..][..SCHEMA[begin..].find("\n);").unwrap()];
            for (column, kind) in columns {
                let line = definition
                    .lines()
                    .map(|line| line.trim().replace(['[', ']'], ""))
                    .find(|line| line.starts_with(&format!("{column} ")))
                    .unwrap_or_else(|| panic!("{table} has no {column}"));
                let line = line.to_ascii_lowercase();
                let computed = line.contains(" as ");
                assert!(
                    computed || line.starts_with(&format!("{column} {kind} ")),
                    "{line}"
                );
            }
            let lines = definition.lines().filter(|line| {
                let line = line.trim_start();
                !["--", "PRIMARY", "INDEX", "CREATE"]
                    .iter()
                    .any(|other| line.starts_with(other))
            });
            assert_eq!(lines.count(), columns.len(), "{table}");
        }
    }
}
