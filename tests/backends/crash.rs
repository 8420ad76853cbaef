//! A server of a database that is killed during writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libtest_mimic::Failed;
use silverback::backend::{
    Backend, ConnectOptions, Created, Expiry, Generation, Key, Outcome, Record, connect,
    connect_with,
};

use super::Tried;
use super::disk::{report, rounds};

const WRITERS: usize = 8;

/// A server that the test kills, and starts again with the same data.
pub(crate) trait Killable {
    fn url(&self) -> String;
    fn kill(&mut self);
    fn start_again(&mut self) -> Result<(), String>;
}

/// Counts upwards in its own record. Returns the last acknowledged number, and the number that was
/// attempted afterwards.
async fn write(
    backend: Arc<dyn Backend>,
    key: Key,
    known: u64,
    stop: Arc<AtomicBool>,
) -> (u64, u64) {
    let number = |value: &[u8]| u64::from_be_bytes(value.try_into().expect("8 bytes"));
    let Ok(stored) = backend.load(&key).await else {
        return (known, known); // the server was killed before the first write
    };
    let stored = stored.expect("the record exists");
    let (mut seen, mut acknowledged) = (stored.revision, number(stored.record.value()));
    while !stop.load(Ordering::Relaxed) {
        let next = Record::new((acknowledged + 1).to_be_bytes(), Expiry::NEVER);
        match backend.swap(&key, &seen, &next).await {
            Ok(Outcome::Done(revision)) => (seen, acknowledged) = (revision, acknowledged + 1),
            Ok(outcome) => panic!("{outcome:?} without a concurrent write"),
            Err(_) => return (acknowledged, acknowledged + 1),
        }
    }
    (acknowledged, acknowledged)
}

/// Checks that a server, which no other test uses, loses no acknowledged write.
pub(crate) async fn check_killed_server(name: &str, server: impl Killable) -> Tried {
    let lost = count_lost_writes(name, server).await?;
    assert_eq!(lost, 0, "{name} has lost acknowledged writes");
    Ok(())
}

/// Kills a server, which no other test uses, and returns the number of acknowledged writes that it
/// has lost.
pub(crate) async fn count_lost_writes(
    name: &str,
    mut server: impl Killable,
) -> Result<u64, Failed> {
    let keys = (0..WRITERS).map(|writer| Key::new(format!("writer {writer}")));
    let keys: Vec<Key> = keys.collect::<Result<_, _>>()?;
    let (mut writes, mut unknown, mut done, mut lost) = (0, 0, 0, 0);
    let mut known = vec![0; WRITERS];
    for round in 0..rounds() {
        let options = ConnectOptions::new().timeout(Duration::from_secs(2));
        let backend = connect_with(&server.url(), options).await?;
        for key in keys.iter().filter(|_| round == 0) {
            let zero = Record::new(0_u64.to_be_bytes(), Expiry::NEVER);
            let created = backend.create(key, &zero).await?;
            assert!(matches!(created, Created::Saved(_)));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = keys
            .iter()
            .zip(&known)
            .map(|(key, known)| (backend.clone(), key.clone(), *known, stop.clone()))
            .map(|(backend, key, known, stop)| tokio::spawn(write(backend, key, known, stop)))
            .collect();
        let chance = u16::from_be_bytes(*Generation::random()?.as_bytes().first_chunk().unwrap());
        tokio::time::sleep(Duration::from_millis(u64::from(chance % 250))).await;
        server.kill();
        stop.store(true, Ordering::Relaxed);
        let mut reached = Vec::new();
        for writer in writers {
            reached.push(writer.await?);
        }
        server.start_again()?;
        let after = connect(&server.url()).await?;
        for ((key, (acknowledged, tried)), known) in keys.iter().zip(reached).zip(&mut known) {
            let stored = after.load(key).await?.expect("the write was acknowledged");
            let found = u64::from_be_bytes(stored.record.value().try_into()?);
            assert!(found <= tried, "{found}, of {acknowledged} or {tried}");
            lost += acknowledged.saturating_sub(found);
            writes += acknowledged - *known;
            unknown += usize::from(tried > acknowledged);
            done += usize::from(found > acknowledged);
            *known = found;
        }
    }
    assert!(writes > 0, "the writers wrote no record");
    report(&format!(
        "{name}: {} kills under {WRITERS} writers, {writes} writes acknowledged and {lost} of \
         them lost, {unknown} begun and not acknowledged, of which {done} were done",
        rounds()
    ));
    Ok(lost)
}
