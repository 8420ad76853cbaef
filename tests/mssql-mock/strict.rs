//! `encrypt=strict`: TLS below the protocol. Each client is a process of its own, since the
//! environment says which authorities the system trusts.

use std::path::{Path, PathBuf};
use std::process::Command;

use mssql_mock_tds::{
    ColumnDefinition, ColumnValue, MockTdsServer, QueryResponse, Row, SqlDataType,
    create_test_identity,
};
use silverback::backend::Mssql;

/// Creates a certificate for `localhost` that is its own authority, and its key.
fn certificate(name: &str) -> (PathBuf, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let [certificate, key] = ["crt", "key"].map(|kind| folder.join(format!("{name}.{kind}")));
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout".as_ref(), key.as_os_str()])
        .args(["-out".as_ref(), certificate.as_os_str()])
        .output()
        .expect("openssl");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    (certificate, key)
}

/// Answers the query for the columns of a table with a view, which has none: a client that reads
/// this answer reports a missing column.
fn catalog() -> QueryResponse {
    let columns = (0..8).map(|_| ColumnDefinition::new("c", SqlDataType::BigInt));
    let values = (0..8).map(|_| ColumnValue::BigInt(0));
    QueryResponse::new(columns.collect(), vec![Row::new(values.collect())])
}

async fn start(certificate: &Path, key: &Path) -> u16 {
    let [certificate, key] = [certificate, key].map(|path| std::fs::read(path).unwrap());
    let identity = create_test_identity(&certificate, &key).unwrap();
    let server = MockTdsServer::new_with_strict_tls("127.0.0.1:0", identity).await;
    let server = server.unwrap();
    let port = server.local_addr().port();
    let answers = server.query_registry();
    answers.lock().await.register("SELECT 1", catalog());
    tokio::spawn(server.run());
    port
}

/// Returns the error of a client that trusts that certificate.
async fn error_of_client(host: &str, port: u16, trusted: &Path) -> String {
    let url = format!("mssql://shop:secret@{host}:{port}/shop?encrypt=strict");
    let client = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "client", "--ignored", "--nocapture"])
        .env("MSSQL_URL", url)
        .env("SSL_CERT_FILE", trusted)
        .env_remove("SSL_CERT_DIR")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let output = tokio::task::spawn_blocking(|| client.wait_with_output());
    String::from_utf8(output.await.unwrap().unwrap().stderr).unwrap()
}

#[tokio::test]
#[ignore = "the other tests run it in a process of its own"]
async fn client() {
    let url = std::env::var("MSSQL_URL").expect("another test runs this");
    let error = Mssql::connect(&url).await.unwrap_err();
    eprintln!("usage {}: {error}", error.is_usage());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_must_prove_its_identity() {
    let ((certificate, key), (other, _)) = (certificate("server"), certificate("other"));
    let port = start(&certificate, &key).await;
    // The mock server has no columns: the error arises after the login.
    let error = error_of_client("localhost", port, &certificate).await;
    assert!(error.contains("usage true: the table"), "{error}");
    for (host, trusted) in [("localhost", &other), ("127.0.0.1", &certificate)] {
        let error = error_of_client(host, port, trusted).await;
        assert!(error.contains("cannot be encrypted"), "{error}");
        assert!(error.contains("usage false"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_refused() {
    let (certificate, _) = certificate("clear");
    let server = MockTdsServer::new("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().port();
    tokio::spawn(server.run());
    let error = error_of_client("localhost", port, &certificate).await;
    assert!(error.contains("cannot be encrypted"), "{error}");
}
