//! The client's side of SQL Server's protocol: connections, parameters, rows, errors, and answers
//! that are late or cut off. The mock server answers by the texts of statements, and runs no SQL.

#[allow(dead_code)] // written for the tests of other servers
#[path = "../support/servers/proxy.rs"]
mod proxy;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mssql_mock_tds::{
    ColumnDefinition, ColumnValue, ConnectionStore, LeadingError, MockTdsServer, QueryRegistry,
    QueryResponse, Row, SqlDataType, TerminalError,
};
use silverback::backend::{
    Backend, Created, Error, Expiry, GoMssql, GoTable, Key, Mssql, MssqlOptions, Outcome, Record,
    Revision,
};

use proxy::{Fault, Proxy};

/// A part of each statement on the native tables. The mock server finds answers by such parts,
/// which must be in capital letters.
const NATIVE: &str = "DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME())";

/// A part of each statement on a table of Go, and of `NATIVE`.
const TIME: &str = "SYSUTCDATETIME()";

/// A part of the query for the columns of a table, and of some of the other statements.
const CATALOG: &str = "SELECT 1";

const COLUMNS: &[(&str, &str, i64)] = &[
    ("key", "varbinary", 250),
    ("key_length", "int", 4),
    ("revision", "varbinary", 16),
    ("expiry", "bigint", 8),
    ("expiry_minute", "bigint", 8),
    ("owner", "varbinary", 512),
    ("generation", "varbinary", 16),
    ("login", "bigint", 8),
    ("value", "varbinary", -1),
    ("name", "varbinary", 512),
    ("name_length", "int", 4),
    ("logins", "bigint", 8),
    ("kept_generation", "varbinary", 16),
    ("kept_login", "bigint", 8),
];

/// Returns the answer to the query for the columns of a table: those of both native tables.
fn catalog(columns: &[(&str, &str, i64)]) -> QueryResponse {
    let types = [SqlDataType::NVarChar, SqlDataType::NVarChar];
    let types = types.into_iter().chain([SqlDataType::BigInt; 6]);
    let rows = columns.iter().map(|(name, kind, length)| {
        let texts = [name, kind].map(|text| ColumnValue::NVarChar((*text).to_owned()));
        let numbers = [*length, 0, 0, 0, 0, 1].map(ColumnValue::BigInt);
        Row::new(texts.into_iter().chain(numbers).collect())
    });
    QueryResponse::new(
        types.map(|kind| ColumnDefinition::new("c", kind)).collect(),
        rows.collect(),
    )
}

fn row(values: Vec<(SqlDataType, ColumnValue)>) -> QueryResponse {
    let (types, values): (Vec<_>, Vec<_>) = values.into_iter().unzip();
    let columns = types
        .into_iter()
        .map(|kind| ColumnDefinition::new("c", kind));
    QueryResponse::new(columns.collect(), vec![Row::new(values)])
}

fn number(number: i64) -> (SqlDataType, ColumnValue) {
    (SqlDataType::BigInt, ColumnValue::BigInt(number))
}

fn bytes(bytes: &[u8]) -> (SqlDataType, ColumnValue) {
    let chunks = bytes.chunks(3).map(<[u8]>::to_vec);
    (
        SqlDataType::VarBinaryMax,
        ColumnValue::VarBinaryMax(chunks.collect()),
    )
}

fn error(number: u32, severity: u8) -> QueryResponse {
    let text = format!("secret: the text of the error {number}");
    QueryResponse::error_only(TerminalError::new(number, severity, text))
}

/// A mock server, which runs as long as the test.
struct Server {
    port: u16,
    answers: Arc<tokio::sync::Mutex<QueryRegistry>>,
    connections: Arc<tokio::sync::Mutex<ConnectionStore>>,
}

impl Server {
    async fn start() -> Self {
        let server = MockTdsServer::new("127.0.0.1:0").await.unwrap();
        let (port, answers) = (server.local_addr().port(), server.query_registry());
        let connections = server.connection_store();
        tokio::spawn(server.run());
        Server {
            port,
            answers,
            connections,
        }
    }

    fn url_at(port: u16) -> String {
        format!("mssql://shop:secret@127.0.0.1:{port}/shop?encrypt=false")
    }

    /// Answers the statements that contain one of those parts.
    async fn answer(&self, parts: &[&str], answer: QueryResponse) {
        let mut answers = self.answers.lock().await;
        for part in parts {
            answers.register(*part, answer.clone());
        }
    }

    /// Connects through that port, with the native tables.
    async fn connect_at(&self, port: u16, timeout: Duration) -> Mssql {
        self.answer(&[CATALOG], catalog(COLUMNS)).await;
        let options = MssqlOptions::new().timeout(timeout);
        Mssql::connect_with(&Server::url_at(port), options)
            .await
            .unwrap()
    }

    async fn connect(&self) -> Mssql {
        self.connect_at(self.port, Duration::from_secs(30)).await
    }

    /// Answers all statements on the native tables.
    async fn answer_all(&self, answer: QueryResponse) {
        self.answer(&[CATALOG, NATIVE], answer).await;
    }
}

fn key() -> Key {
    Key::new("a secret key").unwrap()
}

fn record() -> Record {
    Record::new("a secret value", Expiry::after(Duration::from_secs(600)))
}

fn seen() -> Revision {
    Revision::new(*b"0123456789abcdef")
}

#[tokio::test]
async fn a_load_decodes_the_row() {
    let server = Server::start().await;
    let backend = server.connect().await;
    let value: Vec<u8> = (0..=255).collect();
    let owner = (SqlDataType::BigInt, ColumnValue::Null);
    let answer = |left| {
        row(vec![
            bytes(&value),
            number(left),
            bytes(b"revision"),
            owner.clone(),
            owner.clone(),
            number(0),
        ])
    };
    // The columns of the owner have another type.
    server.answer_all(answer(60_000)).await;
    let refused = backend.load(&key()).await.unwrap_err();
    assert!(refused.is_corrupt(), "{refused}");

    let answer = |left| {
        let owner = [bytes(b"ape"), bytes(&[7; 16]), number(3)];
        let record = [bytes(&value), number(left), bytes(b"revision")];
        row(record.into_iter().chain(owner).collect())
    };
    server.answer_all(answer(60_000)).await;
    let stored = backend.load(&key()).await.unwrap().unwrap();
    assert_eq!(stored.record.value(), value);
    assert_eq!(stored.revision, Revision::new(*b"revision"));
    let owner = stored.record.owner().unwrap();
    assert_eq!((owner.name.as_str(), owner.login.number), ("ape", 3));
    let left = stored.record.expiry().as_millis() - Expiry::now().as_millis();
    assert!((30_000..=60_000).contains(&left), "{left}");
    server.answer_all(answer(i64::MAX)).await;
    let stored = backend.load(&key()).await.unwrap().unwrap();
    assert_eq!(stored.record.expiry(), Expiry::NEVER);
}

#[tokio::test]
async fn a_load_without_a_row_finds_no_record() {
    let server = Server::start().await;
    let backend = server.connect().await;
    let columns = vec![ColumnDefinition::new("c", SqlDataType::VarBinaryMax)];
    server
        .answer_all(QueryResponse::new(columns, Vec::new()))
        .await;
    assert_eq!(backend.load(&key()).await.unwrap(), None);
}

#[tokio::test]
async fn the_number_of_written_rows_decides() {
    let server = Server::start().await;
    let backend = server.connect().await;
    server.answer_all(row(vec![number(1)])).await;
    assert!(matches!(
        backend.create(&key(), &record()).await.unwrap(),
        Created::Saved(_)
    ));
    assert!(matches!(
        backend.swap(&key(), &seen(), &record()).await.unwrap(),
        Outcome::Done(_)
    ));
    assert_eq!(
        backend.remove(&key(), &seen()).await.unwrap(),
        Outcome::Done(())
    );
    // The second statement, which looks for a live row, gets a row as well.
    server.answer_all(row(vec![number(0)])).await;
    assert_eq!(
        backend.create(&key(), &record()).await.unwrap(),
        Created::Exists
    );
    assert_eq!(
        backend.swap(&key(), &seen(), &record()).await.unwrap(),
        Outcome::Conflict
    );
    assert_eq!(
        backend.remove(&key(), &seen()).await.unwrap(),
        Outcome::Conflict
    );
}

#[tokio::test]
async fn a_revision_of_the_server_is_returned() {
    let server = Server::start().await;
    let columns = [
        ("token", "char", 43),
        ("data", "varbinary", -1),
        ("expiry", "datetime2", 8),
    ];
    let mut answer = catalog(&columns);
    answer.rows[2].values[3] = ColumnValue::BigInt(6); // the scale
    server.answer(&[CATALOG], answer).await;
    let url = Server::url_at(server.port);
    let backend = GoMssql::connect(&url, GoTable::scs_mssqlstore())
        .await
        .unwrap();
    let revision = Revision::new([9; 32]);
    server
        .answer(&[CATALOG, TIME], row(vec![bytes(&[9; 32])]))
        .await;
    let created = backend
        .create(&Key::new("token").unwrap(), &record())
        .await
        .unwrap();
    assert_eq!(created, Created::Saved(revision));
    // Another row has the key, in the order of the column's collation.
    server.answer(&[CATALOG, TIME], error(2627, 14)).await;
    let created = backend
        .create(&Key::new("token").unwrap(), &record())
        .await
        .unwrap();
    assert_eq!(created, Created::Exists);
}

#[tokio::test]
async fn a_table_with_other_columns_is_refused() {
    let server = Server::start().await;
    let wrong = COLUMNS.iter().map(|column| match *column {
        ("value", kind, _) => ("value", kind, 8_000),
        column => column,
    });
    let wrong: Vec<_> = wrong.collect();
    server.answer(&[CATALOG], catalog(&wrong)).await;
    let refused = Mssql::connect(&Server::url_at(server.port))
        .await
        .unwrap_err();
    assert!(refused.is_usage(), "{refused}");
    let text = refused.to_string();
    assert!(
        text.contains("varbinary(8000)") && text.contains("varbinary(max)"),
        "{text}"
    );
}

/// The number of an error, its severity, whether a write may have been applied, and a part of its
/// text.
const ERRORS: &[(u32, u8, bool, &str)] = &[
    (1205, 13, false, "gave up the statement"),
    (3960, 16, false, "gave up the statement"),
    (1222, 16, false, "locked the row"),
    (208, 16, false, "the tables are missing"),
    (229, 14, false, "lacks the rights"),
    (262, 14, false, "lacks the rights"),
    (3906, 16, false, "read-only"),
    (9002, 17, false, "disk left"),
    (701, 17, false, "memory"),
    (8152, 16, false, "too short"),
    (2628, 16, false, "too short"),
    (2627, 14, false, "refused the statement"),
    (50000, 16, false, "refused the statement"),
    (596, 21, true, "ended the connection"),
    (6005, 14, true, "ended the connection"),
    (4014, 20, true, "ended the connection"),
];

#[tokio::test]
async fn each_error_tells_whether_a_write_was_applied() {
    let server = Server::start().await;
    let backend = server.connect().await;
    for (number, severity, is_unknown, text) in ERRORS {
        server.answer_all(error(*number, *severity)).await;
        let read = backend.load(&key()).await.unwrap_err();
        let written = backend.swap(&key(), &seen(), &record()).await.unwrap_err();
        for refused in [&read, &written] {
            assert!(refused.is_unavailable(), "{number}: {refused}");
            assert!(refused.to_string().contains(text), "{number}: {refused}");
            // Only the texts of errors about tables and rights contain no values.
            let may_quote = matches!(number, 208 | 229 | 262);
            let shown = format!("{refused} {refused:?}");
            assert_eq!(shown.contains("secret"), may_quote, "{shown}");
        }
        assert!(!read.is_outcome_unknown(), "{number}");
        assert_eq!(written.is_outcome_unknown(), *is_unknown, "{number}");
    }
    // The backend works on.
    server.answer_all(row(vec![number(1)])).await;
    assert!(backend.remove(&key(), &seen()).await.is_ok());
}

/// A statement of a batch fails, and the batch goes on.
#[tokio::test]
async fn an_error_before_a_row_is_an_error() {
    let server = Server::start().await;
    let backend = server.connect().await;
    let error = LeadingError::new(1222, 16, "a text");
    let answer = row(vec![number(1)]).with_leading_error(error);
    server.answer_all(answer).await;
    let refused = backend.remove(&key(), &seen()).await.unwrap_err();
    assert!(refused.to_string().contains("locked the row"), "{refused}");
    server.answer_all(row(vec![number(1)])).await;
    assert!(backend.remove(&key(), &seen()).await.is_ok());
}

#[tokio::test]
async fn a_connection_that_may_have_an_open_transaction_is_closed() {
    let server = Server::start().await;
    let backend = server.connect().await;
    for (number, severity, is_closed) in [
        (1205, 13, false),
        (2627, 14, false),
        (208, 16, true),
        (50000, 16, true),
    ] {
        server.answer_all(error(number, severity)).await;
        let before = server.connections.lock().await.count();
        backend.swap(&key(), &seen(), &record()).await.unwrap_err();
        backend.swap(&key(), &seen(), &record()).await.unwrap_err();
        let opened = server.connections.lock().await.count() - before;
        assert_eq!(opened > 0, is_closed, "{number}");
    }
}

#[tokio::test]
async fn a_refused_login_is_unavailable() {
    let server = Server::start().await;
    server.answer(&[CATALOG], error(18456, 14)).await;
    let refused = Mssql::connect(&Server::url_at(server.port))
        .await
        .unwrap_err();
    assert!(refused.is_unavailable(), "{refused}");
    assert!(
        refused.to_string().contains("refused the login"),
        "{refused}"
    );
}

fn is_unknown(refused: &Error) -> bool {
    refused.is_outcome_unknown()
}

#[tokio::test]
async fn an_answer_that_is_cut_off_leaves_a_write_unknown() {
    let server = Server::start().await;
    let proxy = Proxy::start(server.port).await;
    let connect = async || {
        let timeout = Duration::from_secs(30);
        let backend = server.connect_at(proxy.port(), timeout).await;
        server.answer_all(row(vec![number(1)])).await;
        backend
    };
    let mut backend = connect().await;
    let mut whole = 0;
    for length in 0..64 {
        proxy.set(Fault::ResetResponse(length));
        let cut_off = backend.remove(&key(), &seen()).await;
        proxy.set(Fault::None);
        match cut_off {
            Err(refused) => {
                assert!(is_unknown(&refused), "{length}: {refused}");
                // No answer to an earlier statement is left on a connection.
                let removed = backend.remove(&key(), &seen()).await;
                assert_eq!(removed.unwrap(), Outcome::Done(()), "{length}");
            }
            // The answer was whole, and the connection was reset after it.
            Ok(removed) => {
                assert_eq!(removed, Outcome::Done(()), "{length}");
                whole += 1;
                backend = connect().await;
            }
        }
    }
    assert!(whole > 0 && whole < 64, "{whole}");
    proxy.set(Fault::ResetResponse(10));
    let refused = backend.load(&key()).await.unwrap_err();
    assert!(
        refused.is_unavailable() && !is_unknown(&refused),
        "{refused}"
    );
}

#[tokio::test]
async fn a_late_answer_is_given_up_and_not_read_by_the_next_operation() {
    let server = Server::start().await;
    let backend = server.connect_at(server.port, Duration::from_secs(2)).await;
    server
        .answer_all(row(vec![number(0)]).with_delay(Duration::from_secs(20)))
        .await;
    let begun = Instant::now();
    let refused = backend.remove(&key(), &seen()).await.unwrap_err();
    assert!(is_unknown(&refused), "{refused}");
    let refused = backend.load(&key()).await.unwrap_err();
    assert!(
        refused.is_unavailable() && !is_unknown(&refused),
        "{refused}"
    );
    assert!(begun.elapsed() < Duration::from_secs(30));
    server.answer_all(row(vec![number(1)])).await;
    assert_eq!(
        backend.remove(&key(), &seen()).await.unwrap(),
        Outcome::Done(())
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_unavailable() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = unused.local_addr().unwrap().port();
    let options = MssqlOptions::new().timeout(Duration::from_millis(300));
    let refused = Mssql::connect_with(&Server::url_at(port), options)
        .await
        .unwrap_err();
    assert!(refused.is_unavailable(), "{refused}"); // it accepts, and says nothing
    drop(unused);
    let refused = Mssql::connect(&Server::url_at(port)).await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused}");
    assert!(!format!("{refused:?}").contains("secret"));
}

/// The log of all threads.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// tiberius logs rows, and the texts of errors. The mock server logs requests in this process, but
/// without their contents.
#[tokio::test]
async fn the_log_contains_no_value() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    tracing::info!("the log works");
    let server = Server::start().await;
    let backend = server.connect().await;
    let owner = [bytes(b"ape"), bytes(&[7; 16]), number(3)];
    let stored = [bytes(b"a secret value"), number(60_000), bytes(b"revision")];
    server
        .answer_all(row(stored.into_iter().chain(owner).collect()))
        .await;
    backend.load(&key()).await.unwrap().unwrap();
    server.answer_all(error(2627, 14)).await;
    backend.swap(&key(), &seen(), &record()).await.unwrap_err();
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("the log works"), "{log}");
    assert!(!log.contains("secret"), "{log}");
    assert!(!log.contains("[97, 32, 115"), "{log}"); // the same as numbers
}
