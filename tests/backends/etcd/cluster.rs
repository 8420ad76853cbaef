//! A cluster of three members, whose leader is killed again and again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use etcd_client::Client;
use silverback::backend::{Backend, Etcd, EtcdOptions, Expiry, Key};

use super::super::counter::{Counted, Counter, number_in};
use super::super::disk::{report, rounds};
use super::super::faults::{key, record};
use super::super::servers::etcd::EtcdServer;
use super::Tried;

const WRITERS: usize = 8;

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
    let until = Expiry::after(Duration::from_secs(6_000));
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
        let counter = Counter::start(Arc::new(backend), key.clone(), until);
        writers.push((key, counter));
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
    let after = Etcd::connect(&server.url()).await?;
    let mut total = Counted::default();
    for (key, writer) in writers {
        let written = writer.finish().await?;
        let stored = after
            .load(&key)
            .await?
            .expect("the record was acknowledged");
        assert_eq!(number_in(&stored.record), written.number);
        assert!(written.number > 0, "a writer wrote no record");
        total.number += written.number;
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
        total.number,
        total.unavailable,
        total.unknown,
        total.longest_pause,
        recoveries.get(kills / 2).unwrap_or(&Duration::ZERO),
        recoveries.last().unwrap_or(&Duration::ZERO),
    ));
    Ok(())
}
