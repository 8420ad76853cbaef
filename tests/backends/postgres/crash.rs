//! A server that is killed during writes.

use super::super::crash::{Killable, check_killed_server};
use super::super::servers::postgres::PostgresServer;
use super::Tried;

impl Killable for PostgresServer {
    fn url(&self) -> String {
        PostgresServer::url(self)
    }

    fn kill(&mut self) {
        PostgresServer::kill(self);
    }

    fn start_again(&mut self) -> Result<(), String> {
        PostgresServer::start_again(self)
    }
}

/// This test uses its own server.
pub(super) async fn a_killed_server_loses_no_acknowledged_write(_: &PostgresServer) -> Tried {
    check_killed_server("postgres", PostgresServer::start()?).await
}
