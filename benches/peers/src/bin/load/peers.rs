//! The Go program, and the databases of all programs.

use std::path::Path;
use std::process::Command;

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

/// Creates a database of that server for one program.
pub(crate) fn database(server: &PostgresServer, name: &str) -> String {
    let made = Command::new("psql")
        .args([
            &server.url(),
            "-q",
            "-c",
            &format!("CREATE DATABASE {name}"),
        ])
        .status();
    assert!(made.expect("psql").success());
    server.url().replace("/postgres", &format!("/{name}"))
}
