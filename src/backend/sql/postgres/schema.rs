//! The tables of [`Postgres`](super::Postgres): created if they are missing, checked if they exist.

use sqlx::PgConnection;

use super::columns::{check_types, read_columns};
use crate::backend::Error;

pub(super) const SCHEMA: &str = include_str!("schema.sql");

/// Counts our tables, indexes and triggers.
const COUNT: &str = "SELECT
    (to_regclass('silverback_sessions') IS NOT NULL)::int
    + (to_regclass('silverback_sessions_by_expiry_minute') IS NOT NULL)::int
    + (to_regclass('silverback_sessions_by_owner') IS NOT NULL)::int
    + (to_regclass('silverback_owners') IS NOT NULL)::int
    + (to_regclass('silverback_owners_by_expiry') IS NOT NULL)::int
    + (SELECT count(*)::int FROM pg_trigger WHERE tgrelid = to_regclass('silverback_owners')
        AND tgname IN ('silverback_owner_revoked', 'silverback_owner_purged'))
    AS found";
const ALL: i32 = 7;

/// Takes a lock that all programs on the database share, since concurrent creations of one table
/// fail. No other program uses this number.
const LOCK: &str = "SELECT pg_advisory_xact_lock(6003956110211706209);";

/// The columns, and the types that they must have.
const SESSIONS: (&str, &[(&str, &str)]) = (
    "silverback_sessions",
    &[
        ("key", "bytea"),
        ("revision", "bytea"),
        ("expiry", "bigint"),
        ("expiry_minute", "bigint"),
        ("owner", "bytea"),
        ("generation", "bytea"),
        ("login", "bigint"),
        ("value", "bytea"),
    ],
);
const OWNERS: (&str, &[(&str, &str)]) = (
    "silverback_owners",
    &[
        ("name", "bytea"),
        ("generation", "bytea"),
        ("expiry", "bigint"),
        ("logins", "bigint"),
        ("kept_generation", "bytea"),
        ("kept_login", "bigint"),
    ],
);

/// Creates the missing tables. If none is missing, it writes nothing and needs no right to write.
///
/// # Errors
/// The inner error is for a table that exists with other columns.
pub(super) async fn make_tables(
    connection: &mut PgConnection,
) -> Result<Result<(), Error>, sqlx::Error> {
    if let Err(error) = check_tables(connection).await? {
        return Ok(Err(error));
    }
    if !is_complete(connection).await? {
        run_under_lock(connection, SCHEMA).await?;
    }
    Ok(Ok(()))
}

async fn check_tables(connection: &mut PgConnection) -> Result<Result<(), Error>, sqlx::Error> {
    for (table, wanted) in [SESSIONS, OWNERS] {
        let found = read_columns(connection, table).await?;
        if let Err(error) = check_types(found.as_ref(), table, wanted) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// Refuses a database without the tables. Creates nothing.
pub(super) async fn find_tables(
    connection: &mut PgConnection,
) -> Result<Result<(), Error>, sqlx::Error> {
    for (table, _) in [SESSIONS, OWNERS] {
        if read_columns(connection, table).await?.is_none() {
            return Ok(Err(Error::usage(format!(
                "the database has no table {table} in its search path (nothing was created)"
            ))));
        }
    }
    check_tables(connection).await
}

/// Sends the statements as one text: one transaction, on one connection behind any pooler.
pub(super) async fn run_under_lock(
    connection: &mut PgConnection,
    statements: &str,
) -> Result<(), sqlx::Error> {
    let all = sqlx::AssertSqlSafe([LOCK, statements].concat());
    sqlx::raw_sql(all).execute(connection).await?;
    Ok(())
}

/// Returns whether nothing is missing. The query is sent as text, without a prepared statement.
async fn is_complete(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    use sqlx::Row;
    let row = sqlx::raw_sql(COUNT).fetch_one(connection).await?;
    let found: i32 = row.try_get(0)?;
    Ok(found == ALL)
}
