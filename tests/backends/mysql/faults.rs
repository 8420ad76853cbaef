//! A connection to the server that fails.

use silverback::backend::{Mysql, MysqlOptions};

use super::super::faults::{self, TIMEOUT};
use super::super::servers::mariadb::MariaDbServer;
use super::super::servers::proxy::Proxy;
use super::Tried;

pub(super) async fn every_fault_ends_in_time_and_the_backend_recovers(
    server: &MariaDbServer,
) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let options = MysqlOptions::new().timeout(TIMEOUT);
    let backend = Mysql::connect_with(&server.url_at(proxy.port()), options).await?;
    let direct = Mysql::connect(&server.url()).await?;
    faults::assert_recovery(&backend, &direct, &proxy).await
}

pub(super) async fn an_abandoned_operation_holds_no_connection(server: &MariaDbServer) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let backend = Mysql::connect(&server.url_at(proxy.port())).await?;
    faults::assert_no_connection_is_held(&backend, &proxy).await
}
