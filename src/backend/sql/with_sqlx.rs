//! Statements for sqlx, and the errors of a server that is reached through sqlx.

#[cfg(any(feature = "postgres", feature = "mysql"))]
use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::{Arguments, Database, Encode, IntoArguments, SqlSafeStr, SqlStr, Type};
#[cfg(any(feature = "postgres", feature = "mysql"))]
use sqlx::{ConnectOptions, Connection};

#[cfg(any(feature = "postgres", feature = "mysql"))]
use super::server::{GivenPool, Server};
use super::statements::{Parameters, Sql, Statement, Value};
use crate::backend::Expiry;

/// The meaning of the errors of a server that is reached over a network through sqlx. It is then a
/// [`Server`].
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) trait SqlxServer: Database {
    /// Returns the error of a statement that only reads, or was not sent.
    fn reading(error: sqlx::Error) -> crate::backend::Error;

    /// Returns the error of a write that was sent.
    fn writing(error: sqlx::Error) -> crate::backend::Error;

    /// Returns whether the connection is unusable after this error.
    fn ends_a_connection(error: &sqlx::Error) -> bool;
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
impl<S: SqlxServer> Server for S {
    type Connection = <S as Database>::Connection;
    type Options = <<S as Database>::Connection as Connection>::Options;
    type Error = sqlx::Error;
    type Given = sqlx::Pool<S>;

    fn without_log(options: Self::Options) -> Self::Options {
        options.disable_statement_logging()
    }

    async fn open(options: &Self::Options) -> Result<Self::Connection, sqlx::Error> {
        options.connect().await
    }

    async fn ping(connection: &mut Self::Connection) -> Result<(), sqlx::Error> {
        connection.ping().await
    }

    fn reading(error: sqlx::Error) -> crate::backend::Error {
        <S as SqlxServer>::reading(error)
    }

    fn writing(error: sqlx::Error) -> crate::backend::Error {
        <S as SqlxServer>::writing(error)
    }

    fn ends_a_connection(error: &sqlx::Error) -> bool {
        <S as SqlxServer>::ends_a_connection(error)
    }
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
impl<S: SqlxServer> GivenPool<S> for sqlx::Pool<S> {
    type Leased = PoolConnection<S>;

    async fn acquire(&self) -> Result<PoolConnection<S>, sqlx::Error> {
        sqlx::Pool::acquire(self).await
    }

    fn connect_options(&self) -> <S as Server>::Options {
        (*sqlx::Pool::connect_options(self)).clone()
    }

    fn log_no_statements(&self) {
        let connect = (*sqlx::Pool::connect_options(self)).clone();
        self.set_connect_options(connect.disable_statement_logging());
    }

    async fn close(&self) {
        sqlx::Pool::close(self).await;
    }

    fn close_on_drop(leased: &mut PoolConnection<S>) {
        leased.close_on_drop();
    }
}

impl Sql {
    pub(super) fn for_sqlx(&self) -> SqlStr {
        match self {
            Sql::Fixed(text) => text.into_sql_str(),
            Sql::Generated(text) => sqlx::AssertSqlSafe(text.clone()).into_sql_str(),
        }
    }
}

/// The maximum number of bytes that a server's protocol adds to a value: its length, or the number.
const MOST_BESIDES: usize = 9;

/// Returns the statement with its values bound. `time` converts an expiry for the server.
pub(super) fn bound<'q, DB>(
    statement: &Statement,
    parameters: &Parameters<'q>,
    time: fn(Expiry) -> i64,
) -> Query<'q, DB, DB::Arguments>
where
    DB: Database,
    DB::Arguments: IntoArguments<DB>,
    i64: Encode<'q, DB> + Type<DB>,
    &'q [u8]: Encode<'q, DB> + Type<DB>,
    Option<&'q [u8]>: Encode<'q, DB> + Type<DB>,
{
    let values = || statement.values(parameters, time);
    let sizes = values().map(|value| MOST_BESIDES + value.bytes().len());
    let mut arguments = DB::Arguments::default();
    arguments.reserve(statement.binds.len(), sizes.sum());
    let query = sqlx::query_with(statement.sql.for_sqlx(), arguments);
    values().fold(query, |query, value| match value {
        Value::Integer(number) => query.bind(number),
        Value::Bytes(bytes) => query.bind(bytes),
        Value::Null => query.bind(None::<&[u8]>),
    })
}
