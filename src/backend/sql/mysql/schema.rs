//! The tables of [`Mysql`](super::Mysql): created if they are missing, checked if they exist.

use sqlx::MySqlConnection;

use super::super::columns::check_type;
use super::columns::{FoundTable, read_table};
use crate::backend::Error;

pub(super) const SCHEMA: &str = include_str!("schema.sql");

/// The columns, and the types that they must have. The first one is the key.
const SESSIONS: (&str, &[(&str, &str)]) = (
    "silverback_sessions",
    &[
        ("key", "varbinary(250)"),
        ("revision", "varbinary(16)"),
        ("expiry", "bigint"),
        ("expiry_minute", "bigint"),
        ("owner", "varbinary(512)"),
        ("generation", "varbinary(16)"),
        ("login", "bigint"),
        ("value", "mediumblob"),
    ],
);
const OWNERS: (&str, &[(&str, &str)]) = (
    "silverback_owners",
    &[
        ("name", "varbinary(512)"),
        ("generation", "varbinary(16)"),
        ("expiry", "bigint"),
        ("logins", "bigint"),
        ("kept_generation", "varbinary(16)"),
        ("kept_login", "bigint"),
    ],
);

/// The column that the server computes. Only one table has it.
const GENERATED: &str = "expiry_minute";

/// Creates the missing tables. If none is missing, it writes nothing and needs no right to write.
///
/// # Errors
/// The inner error is for a table that exists with other columns.
pub(super) async fn make_tables(
    connection: &mut MySqlConnection,
) -> Result<Result<(), Error>, sqlx::Error> {
    match missing_tables(connection).await? {
        Err(error) => Ok(Err(error)),
        Ok(missing) => {
            if !missing.is_empty() {
                sqlx::raw_sql(SCHEMA).execute(connection).await?;
            }
            Ok(Ok(()))
        }
    }
}

/// Refuses a database without the tables. Creates nothing.
pub(super) async fn find_tables(
    connection: &mut MySqlConnection,
) -> Result<Result<(), Error>, sqlx::Error> {
    let missing = missing_tables(connection).await?;
    Ok(missing.and_then(|missing| match missing.first() {
        None => Ok(()),
        Some(table) => Err(Error::usage(format!(
            "the database has no table {table} (nothing was created)"
        ))),
    }))
}

/// Returns the tables that are missing. Refuses tables with other columns.
async fn missing_tables(
    connection: &mut MySqlConnection,
) -> Result<Result<Vec<&'static str>, Error>, sqlx::Error> {
    let mut missing = Vec::new();
    for (table, wanted) in [SESSIONS, OWNERS] {
        match read_table(connection, None, table).await? {
            None => missing.push(table),
            Some(found) => {
                if let Err(error) = check_table(&found, table, wanted) {
                    return Ok(Err(error));
                }
            }
        }
    }
    Ok(Ok(missing))
}

fn check_table(found: &FoundTable, table: &str, wanted: &[(&str, &str)]) -> Result<(), Error> {
    found.check_engine(table)?;
    wanted.iter().try_for_each(|(column, wanted)| {
        let found = found.columns.get(*column).map(|found| &*found.shown);
        check_type(table, column, found, wanted)
    })?;
    if let Some((key, _)) = wanted.first() {
        found.check_unique(table, key)?;
    }
    found.check_generated(table, GENERATED)
}
