//! A way to the server that breaks.

use std::time::{Duration, Instant};

use silverback::backend::{Backend, Postgres, PostgresOptions};

use super::super::faults::{self, SLACK, TIMEOUT, key, record};
use super::super::servers::pgbouncer::PgBouncer;
use super::super::servers::postgres::PostgresServer;
use super::super::servers::proxy::{Fault, Proxy};
use super::Tried;

pub(super) async fn every_fault_ends_in_time_and_is_got_over(server: &PostgresServer) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let options = PostgresOptions::new().timeout(TIMEOUT);
    let backend = Postgres::connect_with(&server.url_at(proxy.port()), options).await?;
    let straight = Postgres::connect(&server.url()).await?;
    faults::are_got_over(&backend, &straight, &proxy).await
}

pub(super) async fn what_nobody_waits_for_holds_no_connection(server: &PostgresServer) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let backend = Postgres::connect(&server.url_at(proxy.port())).await?;
    let key = key();
    backend
        .create(&key, &record("v"))
        .await?
        .saved()
        .expect("the key is new");
    proxy.set(Fault::BlackHole);
    // More than there are connections.
    for _ in 0..12 {
        let wait = Duration::from_millis(20);
        let answer = tokio::time::timeout(wait, backend.load(&key)).await;
        assert!(answer.is_err(), "there is no way");
    }
    proxy.set(Fault::None);
    let healed = Instant::now();
    while backend.load(&key).await.is_err() {
        let took = healed.elapsed();
        assert!(took < Duration::from_secs(1) + SLACK, "it takes {took:?}");
    }
    Ok(())
}

/// What a firewall does to connections that were idle for long: the first of them to be asked
/// speaks for all.
pub(super) async fn connections_that_were_forgotten_cost_one_operation_its_patience(
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
    // Within its time.
    assert!(backend.load(&key).await?.is_some());
    let found_out = Instant::now();
    for _ in 0..20 {
        assert!(backend.load(&key).await?.is_some());
    }
    assert!(found_out.elapsed() < SLACK, "{:?}", found_out.elapsed());
    Ok(())
}

pub(super) async fn a_pooler_without_prepared_statements_is_named(
    server: &PostgresServer,
) -> Tried {
    let pooler = match PgBouncer::start(server) {
        Ok(pooler) => pooler,
        Err(_) if !super::super::required::is_required("pgbouncer") => return Ok(()),
        Err(why) => return Err(why.into()),
    };
    // Two programs, whose transactions the pooler hands to one connection of its own.
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
