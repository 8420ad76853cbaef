//! A connection to the server that fails.

use std::time::{Duration, Instant};

use silverback::backend::{Backend, Postgres, PostgresOptions};

use super::super::faults::{self, SLACK, TIMEOUT, key, record};
use super::super::servers::pgbouncer::PgBouncer;
use super::super::servers::postgres::PostgresServer;
use super::super::servers::proxy::{Fault, Proxy};
use super::Tried;

pub(super) async fn every_fault_ends_in_time_and_the_backend_recovers(
    server: &PostgresServer,
) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let options = PostgresOptions::new().timeout(TIMEOUT);
    let backend = Postgres::connect_with(&server.url_at(proxy.port()), options).await?;
    let direct = Postgres::connect(&server.url()).await?;
    faults::assert_recovery(&backend, &direct, &proxy).await
}

pub(super) async fn an_abandoned_operation_holds_no_connection(server: &PostgresServer) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let backend = Postgres::connect(&server.url_at(proxy.port())).await?;
    faults::assert_no_connection_is_held(&backend, &proxy).await
}

/// A firewall that forgets idle connections: the first operation on one of them shows that all are
/// dead.
pub(super) async fn forgotten_connections_delay_only_one_operation(
    server: &PostgresServer,
) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let options = PostgresOptions::new().timeout(TIMEOUT);
    let backend = Postgres::connect_with(&server.url_at(proxy.port()), options).await?;
    let key = key();
    backend
        .create(&key, &record("v"))
        .await?
        .saved()
        .expect("the key is new");
    let at_once = (0..8).map(|_| {
        let (backend, key) = (backend.clone(), key.clone());
        tokio::spawn(async move { backend.load(&key).await })
    });
    for load in at_once.collect::<Vec<_>>() {
        load.await??;
    }
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    proxy.set(Fault::Forget);
    // The operation succeeds within its timeout.
    assert!(backend.load(&key).await?.is_some());
    let detected = Instant::now();
    for _ in 0..20 {
        assert!(backend.load(&key).await?.is_some());
    }
    assert!(detected.elapsed() < SLACK, "{:?}", detected.elapsed());
    Ok(())
}

pub(super) async fn the_error_names_a_pooler_without_prepared_statements(
    server: &PostgresServer,
) -> Tried {
    let pooler = match PgBouncer::start(server) {
        Ok(pooler) => pooler,
        Err(_) if !super::super::required::is_required("pgbouncer") => return Ok(()),
        Err(why) => return Err(why.into()),
    };
    // The pooler runs the transactions of two programs on the same connection.
    let url = server.url_at(pooler.port());
    let backends = [
        Postgres::connect(&url).await?,
        Postgres::connect(&url).await?,
    ];
    let mut refusals = 0;
    for turn in 0..20 {
        if let Err(refused) = backends[turn % 2].load(&key()).await {
            assert!(refused.is_unavailable(), "{refused:?}");
            assert!(refused.to_string().contains("unprepared"), "{refused:?}");
            refusals += 1;
        }
    }
    assert!(refusals > 0, "this pooler keeps prepared statements");
    Ok(())
}
