//! A connection to the server of scs's etcdstore that fails.

use std::sync::Arc;

use silverback::backend::{
    Backend, EtcdOptions, GoEtcd, GoKeys, Key, Outcome, Record, Revision, Scan,
};

use super::super::encoded::Encoded;
use super::super::faults::{self, TIMEOUT};
use super::super::operations::soon;
use super::super::servers::etcd::EtcdServer;
use super::super::servers::proxy::{Fault, Proxy};
use super::Tried;
use super::faults::url_at;
use super::go_rows::{create, done, fresh, in_seconds};

async fn through(proxy: &Proxy) -> Result<GoEtcd, silverback::backend::Error> {
    let options = EtcdOptions::new().timeout(TIMEOUT);
    GoEtcd::connect_with(&url_at(proxy.port()), GoKeys::scs_etcdstore(), options).await
}

pub(super) async fn every_fault_ends_in_time_and_the_backend_recovers(
    server: &EtcdServer,
) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let backend = Encoded::of(Arc::new(through(&proxy).await?));
    let direct = GoEtcd::connect(&server.url(), GoKeys::scs_etcdstore()).await?;
    let direct = Encoded::of(Arc::new(direct));
    faults::assert_recovery(&*backend, &*direct, &proxy).await
}

/// This test uses its own server.
pub(super) async fn a_dead_server_is_unavailable(_: &EtcdServer) -> Tried {
    let mut server = EtcdServer::start()?;
    let (backend, _) = fresh(&server).await?;
    let (key, until) = (Key::new("a")?, in_seconds(600));
    let seen = create(&backend, &key, "v", until).await?;
    server.kill(0);
    let record = Record::new("w", in_seconds(700));
    let moves = backend.moves().expect("rows can be moved");
    let refused = [
        backend.load(&key).await.err(),
        backend.ping().await.err(),
        backend.page(None, 10).await.err(),
        backend.create(&Key::new("b")?, &record).await.err(),
        backend.swap(&key, &seen, &record).await.err(),
        backend.touch(&key, &seen, soon()).await.err(),
        moves
            .move_to(&key, &seen, &Key::new("c")?, &record)
            .await
            .err(),
    ];
    for error in refused {
        let error = error.expect("there is no server");
        assert!(error.is_unavailable(), "{error:?}");
        assert!(!error.is_outcome_unknown(), "{error:?}");
    }
    server.start_again(0)?;
    assert_eq!(
        backend
            .load(&key)
            .await?
            .expect("it was acknowledged")
            .revision,
        seen
    );
    done(backend.swap(&key, &seen, &record).await?);
    Ok(())
}

pub(super) async fn a_lost_reply_is_an_unknown_outcome(server: &EtcdServer) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let direct = GoEtcd::connect(&server.url(), GoKeys::scs_etcdstore()).await?;
    let mut applied = 0;
    for round in 0..20 {
        let backend = through(&proxy).await?;
        let key = Key::new(format!("lost-{round}-{}", proxy.port()))?;
        let until = soon();
        let seen = create(&backend, &key, "before", until).await?;
        proxy.set(Fault::ResetResponse(0));
        // The expiry is the same, so that the write is the only request.
        let written: Result<Outcome<Revision>, _> = backend
            .swap(&key, &seen, &Record::new("after", until))
            .await;
        proxy.set(Fault::None);
        let lost = written.expect_err("no reply arrives");
        assert!(lost.is_outcome_unknown(), "{lost:?}");
        let stored = direct.load(&key).await?.expect("it exists");
        match stored.record.value() {
            b"after" => applied += 1,
            value => assert_eq!(value, b"before"),
        }
        done(direct.touch(&key, &stored.revision, until).await?);
    }
    assert!(applied > 0, "no write was applied");
    Ok(())
}
