//! Connections that fail, restarts and evictions.

use std::time::Duration;

use silverback::backend::{
    Backend, Created, Expiry, Generations, GoKeys, GoMemcached, Key, Memcached, MemcachedOptions,
    Outcome, Owner, OwnerName, Owners, Record,
};

use super::super::encoded::Encoded;
use super::super::faults::{self, TIMEOUT, key, record};
use super::super::servers::memcached::MemcachedServer;
use super::super::servers::proxy::Proxy;
use super::Tried;

async fn through_a_proxy(
    server: &MemcachedServer,
) -> Result<(Memcached, Proxy), libtest_mimic::Failed> {
    let proxy = Proxy::start(server.port()).await;
    let options = MemcachedOptions::new().timeout(TIMEOUT).max_connections(8);
    let backend = Memcached::connect_with(&server.url_at(proxy.port()), options).await?;
    Ok((backend, proxy))
}

pub(super) async fn every_fault_ends_in_time_and_the_backend_recovers(
    server: &MemcachedServer,
) -> Tried {
    let (backend, proxy) = through_a_proxy(server).await?;
    let direct = Memcached::connect(&server.url()).await?;
    faults::assert_recovery(&backend, &direct, &proxy).await
}

pub(super) async fn an_abandoned_operation_holds_no_connection(server: &MemcachedServer) -> Tried {
    let (backend, proxy) = through_a_proxy(server).await?;
    faults::assert_no_connection_is_held(&backend, &proxy).await
}

pub(super) async fn every_fault_ends_in_time_and_items_of_go_recover(
    server: &MemcachedServer,
) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let keys = GoKeys::gorilla_sessions_memcache("faults_");
    let options = MemcachedOptions::new().timeout(TIMEOUT);
    let url = server.url_at(proxy.port());
    let backend = GoMemcached::connect_with(&url, keys.clone(), options).await?;
    let direct = GoMemcached::connect(&server.url(), keys).await?;
    let [backend, direct] =
        [backend, direct].map(|opened| Encoded::of(std::sync::Arc::new(opened)));
    faults::assert_recovery(&*backend, &*direct, &proxy).await
}

/// This test uses its own server.
pub(super) async fn after_a_restart_sessions_of_go_are_missing(_: &MemcachedServer) -> Tried {
    let mut server = MemcachedServer::start(&[])?;
    let keys = GoKeys::gorilla_sessions_memcache("restart_");
    let backend = GoMemcached::connect(&server.url(), keys).await?;
    let key = Key::new("A".repeat(52))?;
    let created = backend.create(&key, &record("v")).await?;
    let seen = created.saved().expect("the key is new");
    server.restart()?;
    assert_eq!(backend.load(&key).await?, None);
    let swapped = backend.swap(&key, &seen, &record("w")).await?;
    let touched = backend.touch(&key, &seen, Expiry::NEVER).await?;
    assert_eq!([swapped, touched], [Outcome::Gone, Outcome::Gone]);
    assert_eq!(backend.remove(&key, &seen).await?, Outcome::Gone);
    // A Go program that did not see the restart saves the session again.
    server.command(&format!("set restart_{} 0 60 2\r\ngo", "A".repeat(52)))?;
    let stored = backend.load(&key).await?.expect("it was saved");
    assert_eq!(stored.record.value(), b"go");
    Ok(())
}

/// Without numbers, a comparison is always true. This test uses its own server.
pub(super) async fn a_server_without_numbers_is_refused(_: &MemcachedServer) -> Tried {
    let server = MemcachedServer::start(&["-C"])?;
    let native = Memcached::connect(&server.url()).await?;
    let keys = GoKeys::gorilla_sessions_memcache("");
    let go = GoMemcached::connect(&server.url(), keys).await?;
    let key = Key::new("A".repeat(52))?;
    for backend in [&native as &dyn Backend, &go] {
        let created = backend.create(&key, &record("v")).await.unwrap_err();
        assert!(created.is_outcome_unknown(), "{created}");
        let loaded = backend.load(&key).await.unwrap_err();
        assert!(loaded.to_string().contains("without CAS numbers"));
    }
    Ok(())
}

/// This test uses its own server.
pub(super) async fn after_a_restart_records_are_missing_and_owners_have_new_generations(
    _: &MemcachedServer,
) -> Tried {
    let mut server = MemcachedServer::start(&[])?;
    let backend = Memcached::connect(&server.url()).await?;
    let (key, ape) = (key(), OwnerName::new("ape")?);
    let login = backend.begin(&ape, Expiry::NEVER, &key).await?;
    let name = ape.clone();
    let owned = record("v").owned_by(Owner { name, login });
    let seen = backend
        .create(&key, &owned)
        .await?
        .saved()
        .expect("the key is new");
    server.restart()?;
    assert_eq!(backend.load(&key).await?, None);
    assert_eq!(backend.swap(&key, &seen, &owned).await?, Outcome::Gone);
    assert_eq!(
        backend.touch(&key, &seen, Expiry::NEVER).await?,
        Outcome::Gone
    );
    assert_eq!(backend.remove(&key, &seen).await?, Outcome::Gone);
    assert_eq!(backend.generation(&ape).await?, None);
    // A record of the time before, such as one that a slow request creates, stays dead.
    assert!(matches!(
        backend.create(&key, &owned).await?,
        Created::Saved(_)
    ));
    assert_eq!(backend.load(&key).await?, None);
    let again = backend.begin(&ape, Expiry::NEVER, &key).await?;
    assert_ne!(again.generation, login.generation);
    assert_eq!(backend.load(&key).await?, None);
    Ok(())
}

/// Writes more than the server holds: each record is whole or missing.
pub(super) async fn a_full_server_loses_whole_records(_: &MemcachedServer) -> Tried {
    let server = MemcachedServer::start(&["-m", "2"])?;
    let backend = Memcached::connect(&server.url()).await?;
    let until = Expiry::after(Duration::from_secs(600));
    let record = |number: u32| Record::new(vec![number.to_le_bytes()[0]; 10_000], until);
    let keys = (0..2_000).map(|number| Key::new(format!("record {number}")));
    let keys: Vec<Key> = keys.collect::<Result<_, _>>()?;
    for (number, key) in (0..).zip(&keys) {
        let created = backend.create(key, &record(number)).await?;
        assert!(matches!(created, Created::Saved(_)));
    }
    assert!(server.statistic("evictions")? > 0, "the server is not full");
    let mut missing = 0;
    for (number, key) in (0..).zip(&keys) {
        match backend.load(key).await? {
            Some(stored) => assert_eq!(stored.record.value(), record(number).value()),
            None => missing += 1,
        }
    }
    assert!(missing > 0 && missing < keys.len(), "{missing} are missing");
    Ok(())
}
