//! Replicas, failovers, and slots that move.

use std::sync::Arc;
use std::time::Duration;

use silverback::backend::{Backend, Expiry, Key, Outcome, Redis, RedisOptions, connect};

use super::super::counter::Counter;
use super::super::disk::report;
use super::super::faults::{key, record};
use super::super::servers::redis::{RedisSentinel, RedisServer};
use super::{Tried, cluster};

fn replica_of(server: &RedisServer) -> Result<RedisServer, String> {
    let port = server.port().to_string();
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port])?;
    replica.wait_for("INFO replication", "master_link_status:up")?;
    Ok(replica)
}

pub(super) async fn a_replica_is_refused(server: &RedisServer) -> Tried {
    let replica = replica_of(server)?;
    let refused = Redis::connect(&replica.url()).await.unwrap_err();
    assert!(
        refused.is_unavailable() && refused.to_string().contains("replica"),
        "{refused}"
    );
    Ok(())
}

/// Makes a replica the primary. The server refuses this until it knows the replica.
fn hand_over(from: &RedisServer, to: &RedisServer) -> Result<(), String> {
    from.wait_for(&format!("FAILOVER TO 127.0.0.1 {}", to.port()), "OK")
}

pub(super) async fn a_demoted_primary_is_left(_: &RedisServer) -> Tried {
    let primary = RedisServer::start(&[])?;
    let replica = replica_of(&primary)?;
    let backend = Redis::connect(&primary.url()).await?;
    let key = key();
    let seen = backend
        .create(&key, &record("v"))
        .await?
        .saved()
        .expect("the key is new");
    hand_over(&primary, &replica)?;
    primary.wait_for("INFO replication", "role:slave")?;
    let refused = backend.swap(&key, &seen, &record("w")).await.unwrap_err();
    assert!(
        refused.is_unavailable() && !refused.is_outcome_unknown(),
        "{refused}"
    );
    let refused = backend.load(&key).await.unwrap_err();
    assert!(
        refused.is_unavailable() && refused.to_string().contains("replica"),
        "{refused}"
    );
    let other = Redis::connect(&replica.url()).await?;
    assert!(matches!(
        other.swap(&key, &seen, &record("w")).await?,
        Outcome::Done(_)
    ));
    hand_over(&replica, &primary)?;
    primary.wait_for("INFO replication", "role:master")?;
    assert_eq!(
        backend.load(&key).await?.expect("it exists").record,
        record("w")
    );
    Ok(())
}

pub(super) async fn a_write_that_no_replica_receives_is_unknown(server: &RedisServer) -> Tried {
    let options = RedisOptions::new()
        .wait_for_replicas(1)
        .prefix("alone:")
        .timeout(Duration::from_millis(200));
    let backend = Redis::connect_with(&server.url(), options).await?;
    let key = key();
    let created = backend.create(&key, &record("v")).await.unwrap_err();
    assert!(created.is_outcome_unknown(), "{created}");
    assert!(backend.load(&key).await?.is_some());
    let options = RedisOptions::new().wait_for_replicas(1);
    let refused = Redis::connect_with("redis+cluster://127.0.0.1", options).await;
    assert!(refused.unwrap_err().is_usage());
    Ok(())
}

/// This test uses its own sentinel.
pub(super) async fn a_sentinel_names_the_new_primary(_: &RedisServer) -> Tried {
    let sentinel = RedisSentinel::start()?;
    let options = RedisOptions::new()
        .wait_for_replicas(1)
        .timeout(Duration::from_secs(1));
    let backend = Redis::connect_with(&sentinel.url(), options).await?;
    let counter = Counter::start(Arc::new(backend), key(), Expiry::NEVER);
    counter.counts(50).await?;
    sentinel.fail_over()?;
    sentinel
        .replica
        .wait_for("INFO replication", "role:master")?;
    sentinel
        .primary
        .wait_for("INFO replication", "role:slave")?;
    counter.counts(50).await?;
    let counted = counter.finish().await?;
    report(&format!(
        "redis behind a sentinel, a failover under a writer: {counted:?}, none lost"
    ));
    Ok(())
}

/// Moves the slot of a record from node to node while the record is written.
pub(super) async fn a_slot_moves_under_load(_: &RedisServer) -> Tried {
    let cluster = cluster()?;
    let backend = connect(&cluster.url()).await?;
    let name = "a-record-that-moves";
    let counter = Counter::start(backend, Key::new(name)?, Expiry::NEVER);
    let in_redis = format!("silverback:session:{name}");
    let trimmed = |text: String| text.trim().trim_start_matches([':', '+']).to_owned();
    let slot = trimmed(cluster.nodes[0].command(&format!("CLUSTER KEYSLOT {in_redis}"))?);
    let ids = cluster
        .nodes
        .iter()
        .map(|node| node.command("CLUSTER MYID").map(trimmed));
    let ids: Vec<String> = ids.collect::<Result<_, _>>()?;
    let mut from = [5461, 10_923, 16_384]
        .iter()
        .position(|end| slot.parse::<i32>().unwrap() < *end);
    for _ in 0..6 {
        counter.counts(30).await?;
        let source = from.expect("a slot below 16,384");
        let target = (source + 1) % 3;
        let [one, other] = [source, target].map(|number| &cluster.nodes[number]);
        let (source_id, target_id) = (&ids[source], &ids[target]);
        other.command(&format!("CLUSTER SETSLOT {slot} IMPORTING {source_id}"))?;
        one.command(&format!("CLUSTER SETSLOT {slot} MIGRATING {target_id}"))?;
        one.command(&format!(
            "MIGRATE 127.0.0.1 {} {in_redis} 0 5000",
            other.port()
        ))?;
        // Now the source says that the target is to be asked.
        counter.counts(20).await?;
        for node in [other, one] {
            node.command(&format!("CLUSTER SETSLOT {slot} NODE {target_id}"))?;
        }
        from = Some(target);
    }
    let counted = counter.finish().await?;
    report(&format!(
        "redis cluster, a slot moved 6 times under a writer: {counted:?}, none lost"
    ));
    Ok(())
}
