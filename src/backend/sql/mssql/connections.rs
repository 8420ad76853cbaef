//! [`Connections`]: the engine of SQL Server, over connections of the crate tiberius.

use std::time::Duration;

use tiberius::error::Error as ClientError;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Query, Row};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use super::super::engine::Engine;
use super::super::pool::Pool;
use super::super::rows::{Columns, invalid_record};
use super::super::sender::Sender;
use super::super::server::{NoPool, Server};
use super::super::statements::{Parameters, Statement, Statements, Value};
use super::errors;
use super::options::MssqlOptions;
use super::rows::milliseconds_left;
use super::socket::Socket;
use super::statements::STATEMENTS;
#[cfg(feature = "tls")]
use super::tls::Tls;
use super::url::Address;
use crate::backend::Error;
use crate::backend::effect::Effect;

pub(super) type Connection = Client<Compat<Socket>>;

/// Returns the settings of each connection, whatever the server's defaults are. Statements depend
/// on them: indexes on computed columns, autocommit, and locks that are released after a read. A
/// statement whose caller has given up waits for no lock any more, and is not applied later.
fn settings(lock_timeout: Duration) -> String {
    let lock_timeout = i32::try_from(lock_timeout.as_millis()).unwrap_or(i32::MAX);
    format!(
        "SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL, \
         QUOTED_IDENTIFIER ON; SET NUMERIC_ROUNDABORT OFF; SET IMPLICIT_TRANSACTIONS OFF; \
         SET ROWCOUNT 0; SET TEXTSIZE 2147483647; SET LOCK_TIMEOUT {lock_timeout}; \
         SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
    )
}

/// The options of a connection.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: Address,
    lock_timeout: Duration,
    /// `None` for a connection in the clear.
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl Target {
    fn new(address: Address, lock_timeout: Duration) -> Result<Self, Error> {
        Ok(Target {
            #[cfg(feature = "tls")]
            tls: address.is_encrypted.then(Tls::new).transpose()?,
            address,
            lock_timeout,
        })
    }

    /// Connects to the server. The login and all that follows is encrypted, or nothing is.
    async fn socket(&self) -> Result<Socket, ClientError> {
        let stream = TcpStream::connect((&*self.address.host, self.address.port)).await?;
        stream.set_nodelay(true)?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let encrypted = tls.encrypt(&self.address.host, stream).await;
            return encrypted.map_err(|error| ClientError::Tls(error.to_string()));
        }
        Ok(Socket::new(stream))
    }
}

/// SQL Server, as the pool and the sender know it.
pub(super) enum SqlServer {}

impl Server for SqlServer {
    type Connection = Connection;
    type Options = Target;
    type Error = ClientError;
    type Given = NoPool;

    /// [`without_values`] turns the log off for each statement.
    fn without_log(options: Target) -> Target {
        options
    }

    async fn open(options: &Target) -> Result<Connection, ClientError> {
        let mut connection = without_values(connect(options)).await?;
        run_batch(&mut connection, &settings(options.lock_timeout)).await?;
        Ok(connection)
    }

    async fn ping(connection: &mut Connection) -> Result<(), ClientError> {
        run_batch(connection, "SELECT 1").await
    }

    fn reading(error: ClientError) -> Error {
        errors::reading(error)
    }

    fn writing(error: ClientError) -> Error {
        errors::writing(error)
    }

    fn ends_a_connection(error: &ClientError) -> bool {
        errors::ends_a_connection(error)
    }
}

/// Runs without a log. tiberius logs rows, and the texts of errors, which quote values. (Without any
/// subscriber, `tracing` would send them to the crate `log`. A subscriber that is set, even this
/// one, ends that.)
async fn without_values<T>(run: impl Future<Output = T>) -> T {
    run.with_subscriber(Dispatch::none()).await
}

async fn connect(target: &Target) -> Result<Connection, ClientError> {
    let address = &target.address;
    let mut config = Config::new();
    config.host(&address.host);
    config.port(address.port);
    config.database(&address.database);
    config.application_name("silverback");
    config.authentication(AuthMethod::sql_server(&address.user, &address.password));
    config.encryption(EncryptionLevel::NotSupported); // within the protocol
    config.handshake_timeout(None); // the time limit of the operation counts
    let socket = target.socket().await?;
    Client::connect(config, socket.compat_write()).await
}

/// Sends a batch without parameters, and discards its rows.
pub(super) async fn run_batch(connection: &mut Connection, batch: &str) -> Result<(), ClientError> {
    let run = async {
        connection
            .simple_query(batch.to_owned())
            .await?
            .into_results()
            .await
    };
    without_values(run).await.map(drop)
}

/// Sends a batch with parameters, and returns its rows. Reads the whole answer: an error may follow
/// the rows.
pub(super) async fn run_query(
    connection: &mut Connection,
    query: Query<'_>,
) -> Result<Vec<Row>, ClientError> {
    let run = async { query.query(connection).await?.into_results().await };
    let results = without_values(run).await?;
    Ok(results.into_iter().flatten().collect())
}

/// Returns the statement with its values bound.
fn bound<'v>(statement: &'v Statement, parameters: &Parameters<'v>) -> Query<'v> {
    let mut query = Query::new(statement.sql.as_str());
    for value in statement.values(parameters, milliseconds_left) {
        match value {
            Value::Integer(number) => query.bind(number),
            Value::Bytes(bytes) => query.bind(bytes),
            Value::Null => query.bind(None::<&[u8]>),
        }
    }
    query
}

pub(super) struct Connections {
    pub(super) sender: Sender<SqlServer>,
}

impl Connections {
    /// Returns connections to the database that the URL names. They are opened when they are
    /// needed.
    pub(super) fn open(url: &str, options: &MssqlOptions) -> Result<Self, Error> {
        let timeout = options.timeout;
        let target = Target::new(Address::parse(url)?, timeout)?;
        let pool = Pool::of(target, options.max_connections, timeout)?;
        Ok(Connections {
            sender: Sender { pool, timeout },
        })
    }
}

impl Engine for Connections {
    type Row = Row;

    /// An eighth of SQL Server's own limit, since the client holds several copies of a value.
    const LARGEST: usize = 256 * 1024 * 1024;

    async fn statements(&self) -> Result<&Statements, Error> {
        Ok(&STATEMENTS)
    }

    async fn rows(
        &self,
        effect: Effect,
        statement: &Statement,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        self.sender
            .send(effect, async |connection| {
                run_query(connection, bound(statement, parameters)).await
            })
            .await
    }

    /// Each statement that writes returns the number of rows in a row: the counts that the server
    /// sends itself include those of all statements of the batch, and of triggers.
    async fn written(
        &self,
        statement: &Statement,
        parameters: &Parameters<'_>,
    ) -> Result<u64, Error> {
        let rows = self.rows(Effect::Writes, statement, parameters).await?;
        let written = rows.first().and_then(|row| row.integer(0).ok());
        let written = written.and_then(|written| u64::try_from(written).ok());
        written.ok_or_else(invalid_record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_waits_for_a_lock_as_long_as_its_caller() {
        let text = settings(Duration::from_secs(5));
        assert!(text.contains("; SET LOCK_TIMEOUT 5000; "), "{text}");
        let text = settings(Duration::MAX);
        assert!(text.contains("; SET LOCK_TIMEOUT 2147483647; "), "{text}");
    }
}
