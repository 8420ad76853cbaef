//! The Go program, and the server with the databases of all programs.

use std::path::Path;
use std::process::Command;

use super::servers::mariadb::MariaDbServer;
use super::servers::postgres::PostgresServer;

/// Returns the Go program, or `None` if Go is missing.
pub(crate) fn go_program() -> Option<Command> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(module)
        .status();
    if !built.is_ok_and(|status| status.success()) {
        return None;
    }
    Some(Command::new(program))
}

/// A server of this run.
pub(crate) enum DatabaseServer {
    Postgres(PostgresServer),
    MariaDb(MariaDbServer),
}

impl DatabaseServer {
    /// Starts a server with its defaults, which sync each commit, or returns the reason why not.
    pub(crate) fn start(is_mariadb: bool) -> Result<Self, String> {
        match is_mariadb {
            true => MariaDbServer::start().map(DatabaseServer::MariaDb),
            false => PostgresServer::start().map(DatabaseServer::Postgres),
        }
    }

    /// Creates a database for one program, and returns its URL.
    pub(crate) fn database(&self, name: &str) -> String {
        match self {
            DatabaseServer::Postgres(server) => {
                run(&server.url(), &format!("CREATE DATABASE {name}"));
                server.url().replace("/postgres", &format!("/{name}"))
            }
            DatabaseServer::MariaDb(server) => {
                run(&server.url(), &format!("CREATE DATABASE {name}"));
                server.url_of(name)
            }
        }
    }
}

/// Runs SQL with the server's own client.
pub(crate) fn run(url: &str, sql: &str) {
    let status = match url.strip_prefix("mysql://silverback@127.0.0.1:") {
        None => Command::new("psql").args([url, "-q", "-c", sql]).status(),
        Some(rest) => {
            let (port, database) = rest.split_once('/').expect("a URL with a database");
            let port = format!("--port={port}");
            let server = [
                "--no-defaults",
                "--host=127.0.0.1",
                &port,
                "--user=silverback",
            ];
            let client = Command::new("mariadb")
                .args(server)
                .args([database, "-e", sql])
                .status();
            client
        }
    };
    assert!(status.expect("the server's client").success());
}

/// Returns the URL in the form of the Go program.
pub(crate) fn for_go(url: &str) -> String {
    match url.strip_prefix("mysql://silverback@") {
        None => url.to_owned(),
        Some(rest) => {
            let (address, database) = rest.split_once('/').expect("a URL with a database");
            format!("mysql:silverback@tcp({address})/{database}?parseTime=true")
        }
    }
}
