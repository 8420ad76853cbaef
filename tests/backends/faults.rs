//! A way to a server that breaks, on any backend.

use std::time::{Duration, Instant};

use silverback::backend::{Backend, Created, Expiry, Generation, Key, Outcome, Record};

use super::servers::proxy::{Fault, Proxy};

/// What a backend is told to take at most.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(500);

/// What this machine may take longer than it should.
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

/// Every fault ends in time and is got over: `backend` goes by the proxy, and `straight` to the
/// same server.
pub(crate) async fn are_got_over(
    backend: &dyn Backend,
    straight: &dyn Backend,
    proxy: &Proxy,
) -> Result<(), libtest_mimic::Failed> {
    for fault in faults() {
        let key = key();
        let Created::Saved(seen) = backend.create(&key, &record("before")).await? else {
            panic!("it is the first");
        };
        proxy.set(fault);
        let began = Instant::now();
        let read = backend.load(&key).await;
        let pinged = backend.ping().await;
        let wrote = backend.swap(&key, &seen, &record("after")).await;
        let took = began.elapsed();
        assert!(took < 3 * TIMEOUT + SLACK, "{fault:?} took {took:?}");
        if !matches!(fault, Fault::ResetRequest(_) | Fault::ResetResponse(_)) {
            let refused = read.expect_err("there is no way");
            assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
            let refused = pinged.expect_err("there is no way");
            assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
            assert!(wrote.is_err(), "{fault:?}");
        }
        proxy.set(Fault::None);
        // What was acknowledged is so; what was refused is not; else it is one of the two.
        let healed = Instant::now();
        let stored = loop {
            match backend.load(&key).await {
                Ok(stored) => break stored.expect("it is there"),
                Err(error) => assert!(
                    healed.elapsed() < Duration::from_secs(1) + SLACK,
                    "{fault:?}: {error:?}"
                ),
            }
        };
        backend.ping().await?;
        match &wrote {
            Ok(Outcome::Done(_)) => assert_eq!(stored.record, record("after")),
            Ok(outcome) => panic!("{outcome:?} with nobody"),
            Err(error) if error.is_outcome_unknown() => {}
            Err(_) => assert_eq!(stored.record, record("before"), "{fault:?}"),
        }
        assert_eq!(straight.load(&key).await?, Some(stored.clone()));
        let again = backend
            .swap(&key, &stored.revision, &record("again"))
            .await?;
        assert!(matches!(again, Outcome::Done(_)));
    }
    Ok(())
}
