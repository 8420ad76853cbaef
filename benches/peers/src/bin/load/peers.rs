//! The Go program, and the server with the databases of all programs.

use std::path::Path;
use std::process::Command;

use super::servers::mariadb::MariaDbServer;
use super::servers::postgres::PostgresServer;
use super::servers::redis::RedisServer;

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

/// A kind of server.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Postgres,
    MariaDb,
    Redis,
}

/// A server of this run.
pub(crate) enum DatabaseServer {
    Postgres(PostgresServer),
    MariaDb(MariaDbServer),
    Redis(RedisServer),
}

impl DatabaseServer {
    /// Starts a server with its defaults, or returns the reason why not. Postgres and MariaDB sync each
    /// commit; Redis keeps all in memory.
    pub(crate) fn start(kind: Kind) -> Result<Self, String> {
        match kind {
            Kind::Postgres => PostgresServer::start().map(DatabaseServer::Postgres),
            Kind::MariaDb => MariaDbServer::start().map(DatabaseServer::MariaDb),
            Kind::Redis => RedisServer::start(&[]).map(DatabaseServer::Redis),
        }
    }

    /// Returns the names of the Rust programs that are compared in this server.
    pub(crate) fn programs(&self) -> &'static [&'static str] {
        match self {
            DatabaseServer::Postgres(_) | DatabaseServer::MariaDb(_) => {
                &["silverback", "tower-sessions"]
            }
            DatabaseServer::Redis(_) => &[
                "silverback",
                "tower-sessions",
                "silverback, actix",
                "actix-session",
            ],
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
            // The programs have keys of their own.
            DatabaseServer::Redis(server) => server.url(),
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
        None => url.to_owned(), // that of Postgres, or redis://ADDRESS
        Some(rest) => {
            let (address, database) = rest.split_once('/').expect("a URL with a database");
            format!("mysql:silverback@tcp({address})/{database}?parseTime=true")
        }
    }
}
