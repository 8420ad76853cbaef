//! [`Connections`]: the engine of MySQL and MariaDB. A statement is prepared. Several statements
//! are sent as one text with their values in it, as one transaction and one round trip.

use std::fmt::Write;
use std::str::FromStr;
use std::time::Duration;

use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, MySql, MySqlConnection, MySqlPool, Row};
use tokio::sync::OnceCell;

use super::super::engine::Engine;
use super::super::faults::KeyTaken;
use super::super::pool::Pool;
use super::super::rows::{Columns, milliseconds_left};
use super::super::sender::Sender;
use super::super::statements::{Parameters, Statement, Statements, Value};
use super::super::with_sqlx::{SqlxServer, bound};
use super::errors::is_deadlock;
use super::options::MysqlOptions;
use super::statements::STATEMENTS;
use crate::backend::Error;
use crate::backend::effect::Effect;

/// The number of times that a statement runs if the server rolls it back for a concurrent one.
const ATTEMPTS: u64 = 10;

/// More bytes than a statement adds to a row: the owner's name twice, and the parameters' types.
const REST_OF_PACKET: usize = 1024;

/// The server's `completion_type` would otherwise decide whether another transaction begins.
const COMMIT: &str = "COMMIT AND NO CHAIN NO RELEASE";
const ROLLBACK: &str = "ROLLBACK AND NO CHAIN NO RELEASE";

/// Runs a statement again, after a pause, if the server has rolled it back for a concurrent one: it
/// was not applied. Returns from the function with its answer.
macro_rules! undisturbed {
    ($run:expr) => {{
        for attempt in 1..ATTEMPTS {
            match $run.await {
                Err(error) if is_deadlock(&error) => {
                    tokio::time::sleep(Duration::from_millis(attempt)).await;
                }
                answer => return answer,
            }
        }
        $run.await
    }};
}

pub(super) struct Connections {
    pub(super) sender: Sender<MySql>,
    /// The server's `max_allowed_packet`, set once a connection was found to commit each statement.
    max_packet: OnceCell<usize>,
}

impl Connections {
    /// Returns connections to the database that the URL names. They are opened when they are
    /// needed.
    pub(super) fn open(url: &str, options: &MysqlOptions) -> Result<Self, Error> {
        let invalid = |_| {
            Error::usage(
                "the URL of the MySQL database is not valid: write mysql://USER:PASSWORD@HOST:PORT/DATABASE",
            )
        };
        let connect = MySqlConnectOptions::from_str(url).map_err(invalid)?;
        // Everything else stays as the server has it. Go's packages count on its time zone.
        let connect = connect.pipes_as_concat(false).no_engine_substitution(false);
        let connect = match url.contains("timezone=") || url.contains("time-zone=") {
            true => connect,
            false => connect.timezone(None),
        };
        let pool = Pool::of(connect, options.max_connections, options.timeout)?;
        Ok(Connections::with_pool(pool, options))
    }

    pub(super) fn of_pool(pool: MySqlPool, options: &MysqlOptions) -> Self {
        let pool = Pool::Given(pool);
        pool.log_no_statements();
        Connections::with_pool(pool, options)
    }

    fn with_pool(pool: Pool<MySql>, options: &MysqlOptions) -> Self {
        let timeout = options.timeout;
        Connections {
            sender: Sender { pool, timeout },
            max_packet: OnceCell::new(),
        }
    }

    /// Refuses connections that do not commit each statement: its write would be lost when the
    /// connection closes. The first call asks one connection, since all are opened alike. It also
    /// reads the size of the largest packet.
    pub(super) async fn check_settings(&self) -> Result<(), Error> {
        const SETTINGS: &str =
            "SELECT CAST(@@autocommit AS SIGNED), CAST(@@max_allowed_packet AS SIGNED)";
        let ask = async |connection: &mut MySqlConnection| {
            let settings = sqlx::raw_sql(SETTINGS).fetch_one(connection).await?;
            Ok((
                settings.try_get::<i64, _>(0)?,
                settings.try_get::<i64, _>(1)?,
            ))
        };
        let check = async || match self.sender.make(ask).await? {
            (1, max_packet) => Ok(usize::try_from(max_packet).unwrap_or(usize::MAX)),
            _ => Err(Error::usage(
                "the connections to the database have autocommit off: turn it on",
            )),
        };
        self.max_packet.get_or_try_init(check).await.map(drop)
    }
}

impl Engine for Connections {
    type Row = MySqlRow;

    /// The type of the column (MEDIUMBLOB) limits a row.
    const LARGEST: usize = 16 * 1024 * 1024 - REST_OF_PACKET;

    /// Returns what the server's `max_allowed_packet` (16 MiB by default in MariaDB) holds.
    fn largest(&self) -> usize {
        let max_packet = self.max_packet.get();
        max_packet.map_or(Self::LARGEST, |max_packet| {
            Self::LARGEST.min(max_packet.saturating_sub(REST_OF_PACKET))
        })
    }

    async fn statements(&self) -> Result<&Statements, Error> {
        self.check_settings().await?;
        Ok(&STATEMENTS)
    }

    async fn rows(
        &self,
        effect: Effect,
        statement: &Statement,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<MySqlRow>, Error> {
        self.sender
            .send(effect, async |connection| {
                undisturbed!(rows(connection, statement, parameters))
            })
            .await
    }

    async fn written(
        &self,
        statement: &Statement,
        parameters: &Parameters<'_>,
    ) -> Result<u64, Error> {
        if statement.is_transaction {
            let rows = self.rows(Effect::Writes, statement, parameters).await?;
            let counted = rows.first().and_then(|row| row.integer(0).ok());
            return Ok(counted.map_or(0, i64::unsigned_abs));
        }
        self.sender
            .send(Effect::Writes, async |connection| {
                undisturbed!(written(connection, statement, parameters))
            })
            .await
    }

    fn is_taken(error: &Error) -> bool {
        KeyTaken::is_cause_of(error)
    }
}

async fn rows(
    connection: &mut MySqlConnection,
    statement: &Statement,
    parameters: &Parameters<'_>,
) -> Result<Vec<MySqlRow>, sqlx::Error> {
    match statement.is_transaction {
        true => transaction(connection, statement, parameters).await,
        false => prepared(statement, parameters).fetch_all(connection).await,
    }
}

async fn written(
    connection: &mut MySqlConnection,
    statement: &Statement,
    parameters: &Parameters<'_>,
) -> Result<u64, sqlx::Error> {
    let done = prepared(statement, parameters).execute(connection).await?;
    Ok(done.rows_affected())
}

fn prepared<'v>(
    statement: &Statement,
    parameters: &Parameters<'v>,
) -> Query<'v, MySql, MySqlArguments> {
    bound(statement, parameters, milliseconds_left)
}

/// Runs several statements as one transaction, and returns their rows.
async fn transaction(
    connection: &mut MySqlConnection,
    statement: &Statement,
    parameters: &Parameters<'_>,
) -> Result<Vec<MySqlRow>, sqlx::Error> {
    let values: Vec<_> = statement.values(parameters, milliseconds_left).collect();
    let text = with_values(statement.sql.as_str(), &values);
    let text = AssertSqlSafe(["START TRANSACTION; ", &text, "; ", COMMIT].concat());
    match sqlx::raw_sql(text).fetch_all(&mut *connection).await {
        // The server stops at a statement that fails, and leaves the transaction open.
        Err(error) if !<MySql as SqlxServer>::ends_a_connection(&error) => {
            sqlx::raw_sql(ROLLBACK).execute(connection).await?;
            Err(error)
        }
        done => done,
    }
}

/// Puts the values in the text as digits and hex digits, which cannot end a literal.
fn with_values(statement: &str, values: &[Value<'_>]) -> String {
    let mut whole = String::with_capacity(statement.len());
    let mut values = values.iter();
    // Every other part is a quoted name, where a `?` is a letter. A quote within a name is doubled,
    // which makes an empty part.
    for (number, part) in statement.split('`').enumerate() {
        if number > 0 {
            whole.push('`');
        }
        if number % 2 == 1 {
            whole.push_str(part);
            continue;
        }
        let mut pieces = part.split('?');
        whole.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            push_value(&mut whole, values.next());
            whole.push_str(piece);
        }
    }
    whole
}

fn push_value(whole: &mut String, value: Option<&Value<'_>>) {
    let written = match value {
        Some(Value::Integer(number)) if *number < 0 => write!(whole, "({number})"),
        // A limit must not have parentheses.
        Some(Value::Integer(number)) => write!(whole, "{number}"),
        Some(Value::Bytes(bytes)) => {
            let hex = base16ct::lower::encode_string(bytes);
            write!(whole, "x'{hex}'")
        }
        Some(Value::Null) | None => write!(whole, "NULL"),
    };
    debug_assert!(written.is_ok(), "writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_and_quoted_names_are_unchanged() {
        let values = [Value::Bytes(b"'; DROP"), Value::Integer(-7), Value::Null];
        let whole = with_values(
            "SELECT `a``?` FROM t WHERE k = ? AND n > ? AND o = ?",
            &values,
        );
        assert_eq!(
            whole,
            "SELECT `a``?` FROM t WHERE k = x'273b2044524f50' AND n > (-7) AND o = NULL"
        );
    }
}
