//! [`Connections`]: the engine of Postgres. Statements are prepared, or contain their values as
//! text.

use std::fmt::Write;
use std::str::FromStr;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgPool, Postgres};

use super::super::engine::Engine;
use super::super::pool::Pool;
use super::super::rows::milliseconds_left;
use super::super::sender::Sender;
use super::super::statements::{Parameters, Statement, Statements, Value};
use super::super::with_sqlx::bound;
use super::options::PostgresOptions;
use super::statements::STATEMENTS;
use crate::backend::Error;
use crate::backend::effect::Effect;

/// sqlx's URL option for connections that prepare no statements.
const UNPREPARED: &str = "statement-cache-capacity=0";

pub(super) struct Connections {
    pub(super) sender: Sender<Postgres>,
    /// True if statements are prepared. A pooler between the client and the server may lose them.
    prepares: bool,
    /// True if changes are announced and reported.
    pub(super) notifies: bool,
}

impl Connections {
    /// Returns connections to the database that the URL names. They are opened when they are
    /// needed.
    pub(super) fn open(url: &str, options: &PostgresOptions) -> Result<Self, Error> {
        let connect = PgConnectOptions::from_str(url)
            .map_err(|_| Error::usage("the URL of the Postgres database is not valid: write postgres://USER:PASSWORD@HOST:PORT/DATABASE"))?;
        let parameters = url.split_once('?').unwrap_or_default().1;
        let prepares = !parameters.split('&').any(|option| option == UNPREPARED);
        let pool = Pool::of(connect, options.max_connections, options.timeout)?;
        Ok(Connections::with_pool(
            pool,
            options,
            options.prepares && prepares,
        ))
    }

    pub(super) fn of_pool(pool: PgPool, options: &PostgresOptions) -> Self {
        Connections::with_pool(Pool::Given(pool), options, options.prepares)
    }

    fn with_pool(pool: Pool<Postgres>, options: &PostgresOptions, prepares: bool) -> Self {
        if !prepares {
            pool.log_no_statements();
        }
        let timeout = options.timeout;
        Connections {
            sender: Sender { pool, timeout },
            prepares,
            notifies: options.notify,
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
        self.sender
            .send(effect, async |connection| match self.prepares {
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
        let done = self
            .sender
            .send(Effect::Writes, async |connection| match self.prepares {
                true => prepared(statement, parameters).execute(connection).await,
                false => {
                    let text = in_one_text(statement, parameters);
                    sqlx::raw_sql(text).execute(connection).await
                }
            });
        Ok(done.await?.rows_affected())
    }
}

fn prepared<'v>(
    statement: &Statement,
    parameters: &Parameters<'v>,
) -> Query<'v, Postgres, PgArguments> {
    bound(statement, parameters, milliseconds_left)
}

/// Returns the statement with its values in its text.
fn in_one_text(statement: &Statement, parameters: &Parameters<'_>) -> AssertSqlSafe<String> {
    let values: Vec<_> = statement.values(parameters, milliseconds_left).collect();
    AssertSqlSafe(with_values(statement.sql.as_str(), &values))
}

/// Puts values in a text as digits and hex digits, which cannot end a literal.
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
    fn values_are_encoded_and_quoted_names_are_unchanged() {
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
