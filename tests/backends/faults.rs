//! A connection to a server that fails, for any backend.

use std::time::{Duration, Instant};

use silverback::backend::{Backend, Created, Expiry, Generation, Key, Outcome, Record};

use super::servers::proxy::{Fault, Proxy};

/// The timeout of the backends in these tests.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(500);

/// The delay that a slow test machine may add.
pub(crate) const SLACK: Duration = Duration::from_secs(5);

fn faults() -> Vec<Fault> {
    let mut faults = vec![
        Fault::Refuse,
        Fault::BlackHole,
        Fault::Delay(2 * TIMEOUT),
        Fault::Trickle(TIMEOUT / 10),
    ];
    for after in [0, 1, 5, 6, 40, 100] {
        faults.push(Fault::ResetRequest(after));
        faults.push(Fault::ResetResponse(after));
    }
    faults
}

pub(crate) fn key() -> Key {
    let random = Generation::random().expect("randomness");
    Key::new(*random.as_bytes()).expect("16 bytes")
}

pub(crate) fn record(text: &str) -> Record {
    Record::new(text, Expiry::NEVER)
}

/// Checks that each fault ends in time and that the backend recovers. `backend` uses the proxy, and
/// `direct` is connected directly to the same server.
pub(crate) async fn assert_recovery(
    backend: &dyn Backend,
    direct: &dyn Backend,
    proxy: &Proxy,
) -> Result<(), libtest_mimic::Failed> {
    for fault in faults() {
        let key = key();
        let Created::Saved(seen) = backend.create(&key, &record("before")).await? else {
            panic!("the key is new");
        };
        proxy.set(fault);
        let began = Instant::now();
        let read = backend.load(&key).await;
        let pinged = backend.ping().await;
        let wrote = backend.swap(&key, &seen, &record("after")).await;
        let took = began.elapsed();
        assert!(took < 3 * TIMEOUT + SLACK, "{fault:?} took {took:?}");
        if !matches!(fault, Fault::ResetRequest(_) | Fault::ResetResponse(_)) {
            let refused = read.expect_err("there is no connection");
            assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
            let refused = pinged.expect_err("there is no connection");
            assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
            assert!(wrote.is_err(), "{fault:?}");
        }
        proxy.set(Fault::None);
        // An acknowledged write is stored, a refused write is not, and an unknown one may be
        // either.
        let healed = Instant::now();
        let stored = loop {
            match backend.load(&key).await {
                Ok(stored) => break stored.expect("the record exists"),
                Err(error) => assert!(
                    healed.elapsed() < Duration::from_secs(1) + SLACK,
                    "{fault:?}: {error:?}"
                ),
            }
        };
        backend.ping().await?;
        match &wrote {
            Ok(Outcome::Done(_)) => assert_eq!(stored.record, record("after")),
            Ok(outcome) => panic!("{outcome:?} without a concurrent write"),
            Err(error) if error.is_outcome_unknown() => {}
            Err(_) => assert_eq!(stored.record, record("before"), "{fault:?}"),
        }
        assert_eq!(direct.load(&key).await?, Some(stored.clone()));
        let again = backend
            .swap(&key, &stored.revision, &record("again"))
            .await?;
        assert!(matches!(again, Outcome::Done(_)));
    }
    Ok(())
}

/// Checks that operations whose callers stop waiting hold no connection. `backend` uses the proxy,
/// and has fewer than twelve connections.
#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "redis",
    feature = "memcached"
))]
pub(crate) async fn assert_no_connection_is_held(
    backend: &dyn Backend,
    proxy: &Proxy,
) -> Result<(), libtest_mimic::Failed> {
    let key = key();
    backend
        .create(&key, &record("v"))
        .await?
        .saved()
        .expect("the key is new");
    proxy.set(Fault::BlackHole);
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
