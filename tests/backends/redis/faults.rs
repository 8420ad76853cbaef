//! A connection to the server that fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use silverback::backend::{Expiry, Redis, RedisOptions};

use super::super::counter::Counter;
use super::super::faults::{self, TIMEOUT, key};
use super::super::servers::proxy::Proxy;
use super::super::servers::redis::RedisServer;
use super::Tried;

pub(super) async fn every_fault_ends_in_time_and_the_backend_recovers(
    server: &RedisServer,
) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let options = RedisOptions::new().timeout(TIMEOUT);
    let backend = Redis::connect_with(&server.url_at(proxy.port()), options).await?;
    let direct = Redis::connect(&server.url()).await?;
    faults::assert_recovery(&backend, &direct, &proxy).await
}

pub(super) async fn an_abandoned_operation_holds_no_connection(server: &RedisServer) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let options = RedisOptions::new().timeout(TIMEOUT);
    let backend = Redis::connect_with(&server.url_at(proxy.port()), options).await?;
    faults::assert_no_connection_is_held(&backend, &proxy).await
}

/// The server forgets its scripts and ends connections while records are counted up.
pub(super) async fn killed_connections_and_forgotten_scripts_lose_no_write(
    _: &RedisServer,
) -> Tried {
    let server = Arc::new(RedisServer::start(&[])?);
    let backend = Redis::connect(&server.url()).await?;
    let counter = Counter::start(Arc::new(backend), key(), Expiry::NEVER);
    counter.counts(1).await?;
    let disturbing = server.clone();
    let disturb = tokio::task::spawn_blocking(move || {
        let end = Instant::now() + Duration::from_secs(2);
        let mut count = 0;
        while Instant::now() < end {
            disturbing.command("SCRIPT FLUSH SYNC").expect("an answer");
            disturbing
                .command("CLIENT KILL TYPE normal SKIPME yes")
                .expect("an answer");
            std::thread::sleep(Duration::from_millis(20));
            count += 1;
        }
        count
    });
    assert!(disturb.await? > 10);
    let counted = counter.finish().await?;
    assert!(counted.number > 100, "{counted:?}");
    super::super::disk::report(&format!(
        "redis, while connections were killed and scripts forgotten: {counted:?}, none lost"
    ));
    Ok(())
}
