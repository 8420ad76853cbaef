//! A connection to the server that fails.

use std::time::{Duration, Instant};

use silverback::backend::{Backend, ConnectOptions, Etcd, EtcdOptions, connect_with};

use super::super::faults::{self, SLACK, TIMEOUT, key, record};
use super::super::servers::etcd::EtcdServer;
use super::super::servers::free_port;
use super::super::servers::proxy::{Fault, Proxy};
use super::Tried;

pub(super) fn url_at(port: u16) -> String {
    format!("etcd://127.0.0.1:{port}")
}

pub(super) async fn every_fault_ends_in_time_and_the_backend_recovers(
    server: &EtcdServer,
) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let options = EtcdOptions::new().timeout(TIMEOUT);
    let backend = Etcd::connect_with(&url_at(proxy.port()), options).await?;
    let direct = Etcd::connect(&server.url()).await?;
    faults::assert_recovery(&backend, &direct, &proxy).await
}

pub(super) async fn a_request_that_was_not_sent_was_not_applied(server: &EtcdServer) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let options = EtcdOptions::new().timeout(4 * TIMEOUT);
    let backend = Etcd::connect_with(&url_at(proxy.port()), options).await?;
    let key = key();
    proxy.set(Fault::Refuse);
    // The first requests may notice that the connection has ended.
    let healed = Instant::now();
    loop {
        let refused = backend.create(&key, &record("v")).await.unwrap_err();
        assert!(refused.is_unavailable());
        if !refused.is_outcome_unknown() {
            assert!(refused.to_string().contains("refused"), "{refused}");
            break;
        }
        assert!(healed.elapsed() < SLACK, "{refused}");
    }
    proxy.set(Fault::None);
    let created = backend.create(&key, &record("v")).await;
    assert!(created.is_ok(), "{created:?}");
    let missing = Etcd::connect(&url_at(free_port()?)).await.unwrap_err();
    assert!(missing.is_unavailable() && !missing.is_outcome_unknown());
    Ok(())
}

/// The first member is a proxy. Each fault of it ends in answers of the second member.
pub(super) async fn another_member_answers_if_one_does_not(server: &EtcdServer) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let url = format!("{},127.0.0.1:{}", url_at(proxy.port()), server.port());
    for fault in [Fault::Refuse, Fault::BlackHole] {
        let options = EtcdOptions::new().timeout(Duration::from_secs(4));
        let backend = Etcd::connect_with(&url, options.clone()).await?;
        proxy.set(fault);
        // A read is sent again, and later requests use the connection to the second member.
        assert_eq!(backend.load(&key()).await?, None, "{fault:?}");
        let began = Instant::now();
        let created = backend.create(&key(), &record("v")).await?;
        assert!(created.saved().is_some());
        assert!(began.elapsed() < Duration::from_secs(4));
        // A backend that begins now reaches the second member, too.
        let late = Etcd::connect_with(&url, options).await?;
        let created = late.create(&key(), &record("v")).await?;
        assert!(created.saved().is_some());
        proxy.set(Fault::None);
    }
    Ok(())
}

/// This test uses its own server. Requests go on while it restarts.
pub(super) async fn a_restarted_server_is_used_again(_: &EtcdServer) -> Tried {
    let mut server = EtcdServer::start()?;
    let options = ConnectOptions::new().timeout(Duration::from_secs(2));
    let backend = connect_with(&server.url(), options).await?;
    for _ in 0..3 {
        let key = key();
        let seen = backend.create(&key, &record("0")).await?.saved();
        let load = || {
            let (backend, key) = (backend.clone(), key.clone());
            tokio::spawn(async move { backend.load(&key).await })
        };
        let mut tasks: Vec<_> = (0..20).map(|_| load()).collect();
        server.kill(0);
        tasks.extend((0..20).map(|_| load()));
        for task in tasks {
            if let Err(error) = task.await? {
                assert!(error.is_unavailable() && !error.is_outcome_unknown());
            }
        }
        let refused = backend.load(&key).await.unwrap_err();
        assert!(refused.is_unavailable(), "{refused}");
        server.start_again(0)?;
        // The server has answered, so the next request is answered too.
        let stored = backend
            .load(&key)
            .await?
            .expect("the record was acknowledged");
        assert_eq!(Some(stored.revision), seen);
    }
    Ok(())
}
