//! A record that is counted upwards while its server fails: no acknowledged write is lost, no write is
//! applied twice, and none that was refused. A write with an unknown outcome may be lost even after it
//! was read: the primary that applied it may fail before a replica has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use silverback::backend::{Backend, Expiry, Key, Outcome, Record, Revision, Stored};

use super::Tried;

/// Longer than any recovery takes.
const WATCHDOG: Duration = Duration::from_secs(60);

/// A task that counts.
pub(crate) struct Counter {
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    counting: tokio::task::JoinHandle<Result<Counted, String>>,
}

/// The result of a counter.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// The last number, which is in the record.
    pub(crate) number: u64,
    /// The number of writes that were refused.
    pub(crate) unavailable: u64,
    /// The number of writes with an unknown outcome.
    pub(crate) unknown: u64,
    /// The longest time between two acknowledged writes.
    pub(crate) longest_pause: Duration,
}

impl Counter {
    /// Creates the record, and counts until [`Counter::finish`].
    pub(crate) fn start(backend: Arc<dyn Backend>, key: Key, until: Expiry) -> Self {
        let (acknowledged, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let counting = count(backend, key, until, acknowledged.clone(), stop.clone());
        Counter {
            acknowledged,
            stop,
            counting: tokio::spawn(counting),
        }
    }

    /// Returns the last acknowledged number.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until this many more writes are acknowledged.
    pub(crate) async fn counts(&self, more: u64) -> Tried {
        let (wanted, watchdog) = (self.acknowledged() + more, Instant::now() + WATCHDOG);
        while self.acknowledged() < wanted && !self.counting.is_finished() {
            assert!(
                Instant::now() < watchdog,
                "the counter does not reach {wanted}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    pub(crate) async fn finish(self) -> Result<Counted, libtest_mimic::Failed> {
        self.stop.store(true, Ordering::Relaxed);
        Ok(self.counting.await??)
    }
}

pub(crate) fn number_in(record: &Record) -> u64 {
    u64::from_be_bytes(record.value().try_into().expect("8 bytes"))
}

async fn count(
    backend: Arc<dyn Backend>,
    key: Key,
    until: Expiry,
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) -> Result<Counted, String> {
    let record = |number: u64| Record::new(number.to_be_bytes(), until);
    let created = backend.create(&key, &record(0)).await;
    let created = created.map_err(|error| format!("{error:?}"))?.saved();
    let mut seen: Revision = created.ok_or("the key is not new")?;
    let (mut counted, mut last) = (Counted::default(), Instant::now());
    while !stop.load(Ordering::Relaxed) {
        let (next, sure) = (counted.number + 1, acknowledged.load(Ordering::Relaxed));
        let possible = match backend.swap(&key, &seen, &record(next)).await {
            Ok(Outcome::Done(revision)) => {
                (seen, counted.number) = (revision, next);
                acknowledged.store(next, Ordering::Relaxed);
                counted.longest_pause = counted.longest_pause.max(last.elapsed());
                last = Instant::now();
                continue;
            }
            // A write with an unknown outcome was read, and is lost.
            Ok(Outcome::Conflict) if counted.number > sure => sure..=counted.number,
            Ok(outcome) => return Err(format!("{outcome:?} without a concurrent write")),
            Err(error) if !error.is_unavailable() => return Err(format!("{error:?}")),
            Err(error) if error.is_outcome_unknown() => {
                counted.unknown += 1;
                sure..=next
            }
            Err(_) => {
                counted.unavailable += 1;
                sure..=counted.number
            }
        };
        // Only a read tells whether the write was applied.
        let stored = read(&*backend, &key, last + WATCHDOG).await?;
        let found = number_in(&stored.record);
        if !possible.contains(&found) {
            return Err(format!("{found} was found, not one of {possible:?}"));
        }
        (seen, counted.number) = (stored.revision, found);
    }
    Ok(counted)
}

/// Reads the record as soon as the server answers again.
async fn read(backend: &dyn Backend, key: &Key, watchdog: Instant) -> Result<Stored, String> {
    loop {
        match backend.load(key).await {
            Ok(stored) => return stored.ok_or("an acknowledged record is missing".to_owned()),
            Err(error) if !error.is_unavailable() || error.is_outcome_unknown() => {
                return Err(format!("{error:?}"));
            }
            Err(_) if Instant::now() > watchdog => return Err("there is no recovery".to_owned()),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
