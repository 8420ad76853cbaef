//! Statements for sqlx, and the errors of a server that is reached through sqlx.

use sqlx::query::Query;
use sqlx::{Database, Encode, SqlSafeStr, SqlStr, Type};

use super::statements::{Parameters, Sql, Statement, Value};
use crate::backend::Expiry;

/// The meaning of the errors of a server that is reached over a network.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) trait Server: Database {
    /// Returns the error of a statement that only reads, or was not sent.
    fn reading(error: sqlx::Error) -> crate::backend::Error;

    /// Returns the error of a write that was sent.
    fn writing(error: sqlx::Error) -> crate::backend::Error;

    /// Returns whether the connection is unusable after this error.
    fn ends_a_connection(error: &sqlx::Error) -> bool;
}

impl Sql {
    pub(super) fn for_sqlx(&self) -> SqlStr {
        match self {
            Sql::Fixed(text) => text.into_sql_str(),
            Sql::Generated(text) => sqlx::AssertSqlSafe(text.clone()).into_sql_str(),
        }
    }
}

/// Returns the statement with its values bound. `time` converts an expiry for the server.
pub(super) fn bound<'q, DB>(
    statement: &Statement,
    parameters: &Parameters<'q>,
    time: fn(Expiry) -> i64,
) -> Query<'q, DB, DB::Arguments>
where
    DB: Database,
    i64: Encode<'q, DB> + Type<DB>,
    &'q [u8]: Encode<'q, DB> + Type<DB>,
    Option<&'q [u8]>: Encode<'q, DB> + Type<DB>,
{
    let query = sqlx::query(statement.sql.for_sqlx());
    let values = statement.values(parameters, time);
    values.fold(query, |query, value| match value {
        Value::Integer(number) => query.bind(number),
        Value::Bytes(bytes) => query.bind(bytes),
        Value::Null => query.bind(None::<&[u8]>),
    })
}
