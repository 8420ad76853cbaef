//! A server that is killed during writes.

use super::super::crash::{Killable, check_killed_server};
use super::super::servers::mariadb::MariaDbServer;
use super::Tried;

impl Killable for MariaDbServer {
    fn url(&self) -> String {
        MariaDbServer::url(self)
    }

    fn kill(&mut self) {
        MariaDbServer::kill(self);
    }

    fn start_again(&mut self) -> Result<(), String> {
        MariaDbServer::start_again(self)
    }
}

/// This test uses its own server.
pub(super) async fn a_killed_server_loses_no_acknowledged_write(_: &MariaDbServer) -> Tried {
    check_killed_server("mariadb", MariaDbServer::start()?).await
}
