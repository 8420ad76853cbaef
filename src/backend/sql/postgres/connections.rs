//! [`Connections`]: the engine of Postgres. It sends each statement within a time limit.

use std::fmt::Write;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres};
use tokio::time::{Instant, timeout, timeout_at};

use super::super::engine::{Effect, Engine};
use super::super::statements::{Parameters, Statement, Statements, Value};
use super::errors::{ends_a_connection, reading, too_late, writing};
use super::options::PostgresOptions;
use super::pool::{Lease, Pool};
use super::rows::left_of;
use super::statements::STATEMENTS;
use crate::backend::Error;
use crate::backend::deadline::deadline_after;

/// sqlx's URL option for connections that prepare no statements.
const UNPREPARED: &str = "statement-cache-capacity=0";

pub(super) struct Connections {
    pub(super) pool: Pool,
    pub(super) timeout: Duration,
    /// Statements are prepared: no pooler is in between that would lose them.
    pub(super) prepares: bool,
}

impl Connections {
    /// Connections to the database that the URL names, opened when they are needed.
    pub(super) fn open(url: &str, options: &PostgresOptions) -> Result<Self, Error> {
        let connect = PgConnectOptions::from_str(url)
            .map_err(|_| Error::usage("the URL of the Postgres database is not valid: write postgres://USER:PASSWORD@HOST:PORT/DATABASE"))?;
        let said = url.split_once('?').unwrap_or_default().1;
        let prepares = !said.split('&').any(|option| option == UNPREPARED);
        Ok(Connections {
            pool: Pool::of(connect, options)?,
            timeout: options.timeout,
            prepares: options.prepares && prepares,
        })
    }

    pub(super) fn of_pool(pool: PgPool, options: &PostgresOptions) -> Self {
        Connections {
            pool: Pool::given(pool, options),
            timeout: options.timeout,
            prepares: options.prepares,
        }
    }

    /// Creates or checks tables, within the time limit of an operation.
    pub(super) async fn make<T>(
        &self,
        make: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, Error> {
        let give_up = deadline_after(self.timeout);
        let mut lease = self.lease(give_up).await?;
        let made = timeout_at(give_up, make(lease.connection()?)).await;
        let made = made.map_err(|_| too_late(false))?;
        if made.is_ok() {
            lease.answered();
        }
        made.map_err(reading)
    }

    /// Sends a statement within the time limit of an operation, and takes its answer by `receive`.
    async fn send<T>(
        &self,
        effect: Effect,
        receive: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, Error> {
        let give_up = deadline_after(self.timeout);
        let mut lease = self.lease(give_up).await?;
        let sent = receive(lease.connection()?);
        let Ok(answer) = timeout_at(give_up, sent).await else {
            self.pool.lose();
            return Err(too_late(effect == Effect::Writes));
        };
        match &answer {
            Err(error) if ends_a_connection(error) => self.pool.lose(),
            _ => lease.answered(),
        }
        answer.map_err(|error| match effect {
            Effect::Reads => reading(error),
            Effect::Writes => writing(error),
        })
    }

    /// Closes the pool. Waits for running operations at most as long as one may take.
    pub(super) async fn close(&self) {
        let _ = timeout(self.timeout, self.pool.close()).await;
    }

    async fn lease(&self, give_up: Instant) -> Result<Lease, Error> {
        match timeout_at(give_up, self.pool.lease()).await {
            Ok(lease) => lease,
            Err(_) => Err(too_late(false)),
        }
    }
}

impl Engine for Connections {
    type Row = PgRow;

    /// A quarter of Postgres' own limit: a statement sent as text has the value twice as long.
    const LARGEST: usize = 256 * 1024 * 1024;

    async fn statements(&self) -> Result<&Statements, Error> {
        Ok(&STATEMENTS)
    }

    async fn rows(
        &self,
        effect: Effect,
        statement: &Statement,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<PgRow>, Error> {
        self.send(effect, async |connection| match self.prepares {
            true => prepared(statement, parameters).fetch_all(connection).await,
            false => {
                let text = in_one_text(statement, parameters);
                sqlx::raw_sql(text).fetch_all(connection).await
            }
        })
        .await
    }

    async fn written(
        &self,
        statement: &Statement,
        parameters: &Parameters<'_>,
    ) -> Result<u64, Error> {
        let done = self.send(Effect::Writes, async |connection| match self.prepares {
            true => prepared(statement, parameters).execute(connection).await,
            false => {
                let text = in_one_text(statement, parameters);
                sqlx::raw_sql(text).execute(connection).await
            }
        });
        Ok(done.await?.rows_affected())
    }
}

fn values<'v>(
    statement: &Statement,
    parameters: &Parameters<'v>,
) -> impl Iterator<Item = Value<'v>> {
    let binds = statement.binds.iter();
    binds.map(|bind| parameters.value(*bind, left_of))
}

fn prepared<'v>(
    statement: &Statement,
    parameters: &Parameters<'v>,
) -> Query<'v, Postgres, PgArguments> {
    let query = sqlx::query(statement.sql.for_sqlx());
    values(statement, parameters).fold(query, |query, value| match value {
        Value::Integer(number) => query.bind(number),
        Value::Bytes(bytes) => query.bind(bytes),
        Value::Null => query.bind(None::<&[u8]>),
    })
}

/// The statement with its values in its text.
fn in_one_text(statement: &Statement, parameters: &Parameters<'_>) -> AssertSqlSafe<String> {
    let values: Vec<_> = values(statement, parameters).collect();
    AssertSqlSafe(with_values(statement.sql.as_str(), &values))
}

/// Puts values in a text as digits and hex digits, which end no literal.
fn with_values(statement: &str, values: &[Value<'_>]) -> String {
    let mut whole = String::with_capacity(statement.len());
    // Every other part is a quoted name, where a `$` is a letter. A quote within a name is doubled,
    // which makes an empty part.
    for (number, part) in statement.split('"').enumerate() {
        if number > 0 {
            whole.push('"');
        }
        match number % 2 {
            0 => push_with_values(&mut whole, part, values),
            _ => whole.push_str(part),
        }
    }
    whole
}

fn push_with_values(whole: &mut String, part: &str, values: &[Value<'_>]) {
    let mut pieces = part.split('$');
    whole.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = piece.split_at(digits);
        let place = number.parse().unwrap_or(0_usize).checked_sub(1);
        push_value(whole, place.and_then(|place| values.get(place)));
        whole.push_str(rest);
    }
}

fn push_value(whole: &mut String, value: Option<&Value<'_>>) {
    let written = match value {
        Some(Value::Integer(number)) => write!(whole, "({number})"),
        Some(Value::Bytes(bytes)) => {
            let hex = base16ct::lower::encode_string(bytes);
            write!(whole, "decode('{hex}', 'hex')")
        }
        Some(Value::Null) | None => write!(whole, "NULL::bytea"),
    };
    debug_assert!(written.is_ok(), "writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_no_literal_and_names_keep_their_letters() {
        let values = [Value::Bytes(b"'; DROP"), Value::Integer(-7), Value::Null];
        let whole = with_values(
            r#"SELECT "a""$1" FROM t WHERE k = $1 AND n > $2::bigint AND o = $3"#,
            &values,
        );
        assert_eq!(
            whole,
            r#"SELECT "a""$1" FROM t WHERE k = decode('273b2044524f50', 'hex') AND n > (-7)::bigint AND o = NULL::bytea"#
        );
    }
}
