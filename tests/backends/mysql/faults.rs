//! A connection to the server that fails.

use std::time::{Duration, Instant};

use silverback::backend::{Backend, Mysql, MysqlOptions};

use super::super::faults::{self, SLACK, TIMEOUT, key, record};
use super::super::servers::mariadb::MariaDbServer;
use super::super::servers::proxy::{Fault, Proxy};
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
    let key = key();
    let created = backend.create(&key, &record("v")).await?;
    created.saved().expect("the key is new");
    proxy.set(Fault::BlackHole);
    // There are fewer connections.
    for _ in 0..12 {
        let wait = Duration::from_millis(20);
        let answer = tokio::time::timeout(wait, backend.load(&key)).await;
        assert!(answer.is_err(), "there is no connection");
    }
    proxy.set(Fault::None);
    let healed = Instant::now();
    while backend.load(&key).await.is_err() {
        let took = healed.elapsed();
        assert!(
            took < Duration::from_secs(1) + SLACK,
            "the recovery takes {took:?}"
        );
    }
    Ok(())
}
