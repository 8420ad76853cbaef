//! A cluster of three members, whose leader is killed again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use etcd_client::Client;
use silverback::backend::{Backend, Created, Etcd, EtcdOptions, Expiry, Key, Outcome, Record};

use super::super::disk::{report, rounds};
use super::super::faults::{key, record};
use super::super::servers::etcd::EtcdServer;
use super::Tried;

const WRITERS: usize = 8;

/// The result of a writer.
#[derive(Default)]
struct Written {
    acknowledged: u64,
    unavailable: usize,
    unknown: usize,
    /// The longest time between two acknowledged writes.
    longest_pause: Duration,
}

fn number(record: &Record) -> u64 {
    u64::from_be_bytes(record.value().try_into().expect("8 bytes"))
}

/// Counts upwards in its own record, whatever errors it gets.
async fn write(backend: Etcd, key: Key, stop: Arc<AtomicBool>) -> Result<Written, String> {
    let mut written = Written::default();
    let zero = Record::new(
        0_u64.to_be_bytes(),
        Expiry::after(Duration::from_secs(6_000)),
    );
    let created = backend.create(&key, &zero).await;
    let Ok(Created::Saved(mut seen)) = created else {
        return Err(format!("{created:?}"));
    };
    let mut last = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let next = (written.acknowledged + 1).to_be_bytes();
        let record = Record::new(next, zero.expiry());
        let error = match backend.swap(&key, &seen, &record).await {
            Ok(Outcome::Done(revision)) => {
                seen = revision;
                written.acknowledged += 1;
                written.longest_pause = written.longest_pause.max(last.elapsed());
                last = Instant::now();
                continue;
            }
            Ok(outcome) => return Err(format!("{outcome:?} without a concurrent write")),
            Err(error) => error,
        };
        if !error.is_unavailable() {
            return Err(format!("{error:?}"));
        }
        if !error.is_outcome_unknown() {
            written.unavailable += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        }
        written.unknown += 1;
        // Only a read tells whether the write was applied.
        let stored = loop {
            match backend.load(&key).await {
                Ok(stored) => break stored,
                Err(error) if error.is_outcome_unknown() => return Err(format!("{error:?}")),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        let stored = stored.ok_or("an acknowledged record is missing")?;
        let found = number(&stored.record);
        if found != written.acknowledged && found != written.acknowledged + 1 {
            return Err(format!(
                "{found}, after {} was acknowledged",
                written.acknowledged
            ));
        }
        (written.acknowledged, seen) = (found, stored.revision);
    }
    Ok(written)
}

/// Returns the number of the member that leads, once there is one.
async fn leader(server: &EtcdServer) -> Result<usize, libtest_mimic::Failed> {
    let watchdog = Instant::now() + Duration::from_secs(60);
    loop {
        for member in 0..server.members() {
            let Ok(mut client) = Client::connect([server.endpoint_of(member)], None).await else {
                continue;
            };
            let Ok(status) = client.status().await else {
                continue;
            };
            let own = status.header().map(|header| header.member_id());
            if own == Some(status.leader()) {
                return Ok(member);
            }
        }
        assert!(Instant::now() < watchdog, "no member leads");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Returns the time until a new write succeeds. Each attempt creates another record.
async fn recovery(backend: &Etcd) -> Result<Duration, libtest_mimic::Failed> {
    let (began, watchdog) = (Instant::now(), Duration::from_secs(60));
    loop {
        match backend.create(&key(), &record("v")).await {
            Ok(_) => return Ok(began.elapsed()),
            Err(error) => assert!(error.is_unavailable(), "{error:?}"),
        }
        assert!(began.elapsed() < watchdog, "the cluster does not recover");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// This test uses its own servers.
pub(super) async fn a_killed_leader_loses_no_acknowledged_write(_: &EtcdServer) -> Tried {
    let mut server = EtcdServer::start_cluster(3)?;
    let options = EtcdOptions::new().timeout(Duration::from_secs(3));
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        // Each has its own connection, to any of the members.
        let url = server.url();
        let (scheme, members) = url.split_once("://").expect("a URL");
        let mut members: Vec<&str> = members.split(',').collect();
        let first = writer % members.len();
        members.rotate_left(first);
        let url = format!("{scheme}://{}", members.join(","));
        let backend = Etcd::connect_with(&url, options.clone()).await?;
        let key = Key::new(format!("writer {writer}"))?;
        let task = tokio::spawn(write(backend, key.clone(), stop.clone()));
        writers.push((key, task));
    }
    let short = EtcdOptions::new().timeout(Duration::from_millis(500));
    let prober = Etcd::connect_with(&server.url(), short).await?;
    let mut recoveries = Vec::new();
    let kills = rounds().min(20);
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let leading = leader(&server).await?;
        server.kill(leading);
        recoveries.push(recovery(&prober).await?);
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.start_again(leading)?;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);
    let after = Etcd::connect(&server.url()).await?;
    let mut total = Written::default();
    for (key, writer) in writers {
        let written = writer.await??;
        let stored = after
            .load(&key)
            .await?
            .expect("the record was acknowledged");
        assert_eq!(number(&stored.record), written.acknowledged);
        assert!(written.acknowledged > 0, "a writer wrote no record");
        total.acknowledged += written.acknowledged;
        total.unavailable += written.unavailable;
        total.unknown += written.unknown;
        total.longest_pause = total.longest_pause.max(written.longest_pause);
    }
    recoveries.sort();
    report(&format!(
        "etcd: {kills} kills of the leader of three under {WRITERS} writers: {} writes \
         acknowledged and all of them there, {} refused as unavailable, {} unknown; the longest \
         time without an acknowledged write of a writer was {:?}; a new write succeeded after {:?} \
         (median), {:?} (longest)",
        total.acknowledged,
        total.unavailable,
        total.unknown,
        total.longest_pause,
        recoveries.get(kills / 2).unwrap_or(&Duration::ZERO),
        recoveries.last().unwrap_or(&Duration::ZERO),
    ));
    Ok(())
}
