//! A way to the server that breaks.

use std::time::{Duration, Instant};

use silverback::backend::{
    Backend, Created, Expiry, Generation, Key, Outcome, Postgres, PostgresOptions, Record,
};

use super::super::servers::pgbouncer::PgBouncer;
use super::super::servers::postgres::PostgresServer;
use super::super::servers::proxy::{Fault, Proxy};
use super::Tried;

const TIMEOUT: Duration = Duration::from_millis(500);
/// What this machine may take longer than it should.
const SLACK: Duration = Duration::from_secs(5);

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

fn key() -> Key {
    let random = Generation::random().expect("randomness");
    Key::new(*random.as_bytes()).expect("16 bytes")
}

fn record(text: &str) -> Record {
    Record::new(text, Expiry::NEVER)
}

pub(super) async fn every_fault_ends_in_time_and_is_got_over(server: &PostgresServer) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let options = PostgresOptions::new().timeout(TIMEOUT);
    let backend = Postgres::connect_with(&server.url_at(proxy.port()), options).await?;
    let straight = Postgres::connect(&server.url()).await?;
    for fault in faults() {
        let key = key();
        let Created::Saved(seen) = backend.create(&key, &record("before")).await? else {
            panic!("it is the first");
        };
        proxy.set(fault);
        let began = Instant::now();
        let read = backend.load(&key).await;
        let wrote = backend.swap(&key, &seen, &record("after")).await;
        let took = began.elapsed();
        assert!(took < 2 * TIMEOUT + SLACK, "{fault:?} took {took:?}");
        if !matches!(fault, Fault::ResetRequest(_) | Fault::ResetResponse(_)) {
            let refused = read.expect_err("there is no way");
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

pub(super) async fn what_nobody_waits_for_holds_no_connection(server: &PostgresServer) -> Tried {
    let proxy = Proxy::start(server.port()).await;
    let backend = Postgres::connect(&server.url_at(proxy.port())).await?;
    let key = key();
    backend.create(&key, &record("v")).await?;
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

pub(super) async fn a_pooler_without_prepared_statements_is_named(
    server: &PostgresServer,
) -> Tried {
    let pooler = match PgBouncer::start(server) {
        Ok(pooler) => pooler,
        Err(_) if !super::super::required::is_required("pgbouncer") => return Ok(()),
        Err(why) => return Err(why.into()),
    };
    let backend = Postgres::connect(&server.url_at(pooler.port())).await?;
    let mut refusals = 0;
    for _ in 0..20 {
        if let Err(refused) = backend.load(&key()).await {
            assert!(refused.is_unavailable(), "{refused:?}");
            assert!(refused.to_string().contains("unprepared"), "{refused:?}");
            refusals += 1;
        }
    }
    assert!(refusals > 0, "this pooler keeps prepared statements");
    Ok(())
}
