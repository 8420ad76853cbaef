//! The other programs that are needed: Go's, and the databases of all.

use std::path::Path;
use std::process::Command;

use super::servers::postgres::PostgresServer;

/// None, where there is no Go.
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

/// A database of that server that nobody else uses.
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
