//! A server that is killed during writes.

use super::super::crash::{Killable, check_killed_server};
use super::super::servers::etcd::EtcdServer;
use super::Tried;

impl Killable for EtcdServer {
    fn url(&self) -> String {
        EtcdServer::url(self)
    }

    fn kill(&mut self) {
        EtcdServer::kill(self, 0);
    }

    fn start_again(&mut self) -> Result<(), String> {
        EtcdServer::start_again(self, 0)
    }
}

/// This test uses its own server.
pub(super) async fn a_killed_server_loses_no_acknowledged_write(_: &EtcdServer) -> Tried {
    check_killed_server("etcd", EtcdServer::start()?).await
}
