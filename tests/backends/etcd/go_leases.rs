//! The leases of the rows of scs's etcdstore: their number, their length, and which of them are
//! revoked.

use std::time::Duration;

use etcd_client::{LeaseTimeToLiveOptions, PutOptions};
use silverback::backend::{Backend, Expiry, GoEtcd, GoKeys, Key, Outcome, Record};

use super::super::disk::report;
use super::super::servers::etcd::EtcdServer;
use super::super::servers::proxy::{Fault, Proxy};
use super::faults::url_at;
use super::go_rows::{Failed, client, commit_as_go, create, done, fresh, in_seconds};
use super::leases::leases;
use super::requests::keys_under;
use super::{Tried, counting_server};

/// Returns the lease of a row, which the key of its expiry has too if Silverback wrote the row.
async fn lease_of(server: &EtcdServer, prefix: &str, name: &str) -> Result<i64, Failed> {
    let rows = keys_under(server, &format!("{prefix}{name}")).await?;
    assert_eq!(rows.len(), 1);
    Ok(rows[0].lease())
}

/// Creates, changes, moves and removes a session, whose row a Go program writes now and then.
async fn live_and_end(
    backend: &GoEtcd,
    server: &EtcdServer,
    prefix: &str,
    number: u64,
) -> Result<usize, Failed> {
    let (first, second) = (format!("{number}-a"), format!("{number}-b"));
    let (key, to) = (Key::new(&*first)?, Key::new(&*second)?);
    let other = Record::new("x", in_seconds(900));
    let mut until = in_seconds(600);
    let mut seen = create(backend, &key, "v", until).await?;
    for step in 0..8 {
        if step % 2 == 0 {
            until = in_seconds(600 + step);
            seen = done(backend.touch(&key, &seen, until).await?);
        }
        let stale = seen.clone();
        seen = done(backend.swap(&key, &seen, &Record::new("w", until)).await?);
        let refused = backend.swap(&key, &stale, &other).await?;
        assert_eq!(refused, Outcome::Conflict);
        if step % 3 == 0 {
            commit_as_go(server, &format!("{prefix}{first}"), "go", 600).await?;
            seen = backend.load(&key).await?.expect("it exists").revision;
        }
    }
    assert!(backend.create(&key, &other).await?.saved().is_none());
    let moves = backend.moves().expect("rows can be moved");
    let record = Record::new("moved", in_seconds(800 + number % 2));
    let moved = moves.move_to(&key, &seen, &to, &record).await?;
    match number % 3 {
        0 => Ok(1),
        _ => {
            assert_eq!(backend.remove(&to, &done(moved)).await?, Outcome::Done(()));
            Ok(0)
        }
    }
}

pub(super) async fn no_lease_is_left(_: &EtcdServer) -> Tried {
    const SESSIONS: u64 = 120;
    let server = counting_server().await?;
    let (backend, prefix) = fresh(&server).await?;
    let before = leases(&server).await?.len();
    let mut rows = 0;
    for number in 0..SESSIONS {
        rows += live_and_end(&backend, &server, &prefix, number).await?;
    }
    // A row that is left has one lease; a removed row, a conflict and a refused creation have none.
    assert_eq!(leases(&server).await?.len() - before, rows);
    assert_eq!(keys_under(&server, &prefix).await?.len(), rows);
    let own = keys_under(&server, &format!("silverback/expiry/{prefix}")).await?;
    assert_eq!(own.len(), rows);
    report(&format!(
        "scs etcdstore: {rows} leases for {rows} rows that are left of {SESSIONS}"
    ));
    Ok(())
}

pub(super) async fn a_lease_is_kept_while_the_expiry_stays(server: &EtcdServer) -> Tried {
    let (backend, prefix) = fresh(server).await?;
    let (key, until) = (Key::new("a")?, in_seconds(600));
    let mut seen = create(&backend, &key, "v", until).await?;
    let lease = lease_of(server, &prefix, "a").await?;
    for _ in 0..5 {
        seen = done(backend.swap(&key, &seen, &Record::new("w", until)).await?);
        seen = done(backend.touch(&key, &seen, until).await?);
        assert_eq!(lease_of(server, &prefix, "a").await?, lease);
    }
    let to = Key::new("b")?;
    let moves = backend.moves().expect("rows can be moved");
    let record = Record::new("x", until);
    let seen = done(moves.move_to(&key, &seen, &to, &record).await?);
    assert_eq!(lease_of(server, &prefix, "b").await?, lease);
    done(backend.touch(&to, &seen, in_seconds(601)).await?);
    assert_ne!(lease_of(server, &prefix, "b").await?, lease);
    assert!(!leases(server).await?.contains(&lease));
    Ok(())
}

/// A Go program knows no expiry but the lease.
pub(super) async fn a_lease_ends_with_its_row(server: &EtcdServer) -> Tried {
    let (backend, prefix) = fresh(server).await?;
    let mut client = client(server).await?;
    let key = Key::new("a")?;
    let mut seen = create(&backend, &key, "v", in_seconds(600)).await?;
    for seconds in [600_u64, 300, 86_400, 31_536_000, 7_500_000_000] {
        let until = Expiry::after(Duration::from_millis(seconds * 1_000 - 300));
        seen = done(backend.touch(&key, &seen, until).await?);
        let lease = lease_of(server, &prefix, "a").await?;
        let granted = client.lease_time_to_live(lease, None).await?.granted_ttl();
        let seconds = i64::try_from(seconds)?;
        // The time left has become shorter since then.
        assert!((seconds - 60..=seconds).contains(&granted), "{granted}");
    }
    // Longer than any lease of etcd: Go's Grant would fail, and Go would panic.
    let far = Expiry::from_millis(i64::MAX - 1);
    seen = done(backend.touch(&key, &seen, far).await?);
    let lease = lease_of(server, &prefix, "a").await?;
    let granted = client.lease_time_to_live(lease, None).await?.granted_ttl();
    assert_eq!(granted, 9_000_000_000);
    let stored = backend.load(&key).await?.expect("it exists");
    assert_eq!(stored.record.expiry(), far);
    done(backend.touch(&key, &seen, Expiry::NEVER).await?);
    assert_eq!(lease_of(server, &prefix, "a").await?, 0);
    assert!(!leases(server).await?.contains(&lease));
    Ok(())
}

pub(super) async fn a_lease_of_go_that_another_key_has_is_not_revoked(
    server: &EtcdServer,
) -> Tried {
    let (backend, prefix) = fresh(server).await?;
    let mut client = client(server).await?;
    for name in ["swapped", "removed"] {
        let key = Key::new(name)?;
        let lease = commit_as_go(server, &format!("{prefix}{name}"), "go", 600).await?;
        let other = format!("other/{prefix}{name}");
        let with_lease = PutOptions::new().with_lease(lease);
        client.put(&*other, "kept", Some(with_lease)).await?;
        let seen = backend.load(&key).await?.expect("it exists").revision;
        if name == "removed" {
            assert_eq!(backend.remove(&key, &seen).await?, Outcome::Done(()));
        } else {
            let record = Record::new("ours", in_seconds(600));
            done(backend.swap(&key, &seen, &record).await?);
        }
        assert_eq!(keys_under(server, &other).await?.len(), 1, "{name}");
        let with_keys = LeaseTimeToLiveOptions::new().with_keys();
        let lease = client.lease_time_to_live(lease, Some(with_keys)).await?;
        assert_eq!(lease.keys(), [other.into_bytes()]);
    }
    Ok(())
}

pub(super) async fn a_lease_that_is_gone_is_replaced(server: &EtcdServer) -> Tried {
    let (backend, prefix) = fresh(server).await?;
    let mut client = client(server).await?;
    let (key, until) = (Key::new("a")?, in_seconds(600));
    let first = create(&backend, &key, "v", until).await?;
    let lease = lease_of(server, &prefix, "a").await?;
    client.lease_revoke(lease).await?;
    assert_eq!(backend.load(&key).await?, None);
    let late = Record::new("late", until);
    assert_eq!(backend.swap(&key, &first, &late).await?, Outcome::Gone);
    // An operator copies a row without its lease, as a mirror of etcd does.
    let second = create(&backend, &key, "v", until).await?;
    client.put(format!("{prefix}a"), "copy", None).await?;
    assert_eq!(backend.swap(&key, &second, &late).await?, Outcome::Conflict);
    let copy = backend.load(&key).await?.expect("it exists");
    assert_eq!(copy.record, Record::new("copy", Expiry::NEVER));
    done(backend.swap(&key, &copy.revision, &late).await?);
    let stored = backend.load(&key).await?.expect("it exists");
    assert_eq!(stored.record, late);
    Ok(())
}

/// etcd lets each lease begin again when it restarts. This test uses its own server.
pub(super) async fn a_restart_prolongs_leases_and_no_sessions(_: &EtcdServer) -> Tried {
    let mut server = EtcdServer::start()?;
    let (backend, prefix) = fresh(&server).await?;
    let (short, long, of_go) = (Key::new("short")?, Key::new("long")?, Key::new("go")?);
    let until = Expiry::after(Duration::from_secs(12));
    create(&backend, &short, "v", until).await?;
    let seen = create(&backend, &long, "v", in_seconds(600)).await?;
    commit_as_go(&server, &format!("{prefix}go"), "go", 600).await?;
    let lease = lease_of(&server, &prefix, "short").await?;
    let mut client = client(&server).await?;
    // The lease must be well under its length before the restart.
    while client.lease_time_to_live(lease, None).await?.ttl() > 6 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.kill(0);
    server.start_again(0)?;
    // The expiry is the same as before, and the row expires at it, although etcd has it still.
    if let Some(stored) = backend.load(&short).await? {
        assert_eq!(stored.record.expiry(), until);
    }
    while Expiry::now() < until {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(backend.load(&short).await?, None);
    let rows = keys_under(&server, &format!("{prefix}short")).await?.len();
    let is_slow = Expiry::now() > until + Duration::from_secs(2);
    assert!(
        rows == 1 || is_slow,
        "the restart has not prolonged the lease"
    );
    // Sessions that are live are used and changed as before, with their leases.
    let others = async || -> Result<usize, Failed> {
        let leases = leases(&server).await?;
        Ok(leases.iter().filter(|other| **other != lease).count())
    };
    assert_eq!(others().await?, 2);
    let seen = done(backend.touch(&long, &seen, in_seconds(700)).await?);
    let stored = backend.load(&of_go).await?.expect("it is live");
    let record = Record::new("ours", in_seconds(700));
    done(backend.swap(&of_go, &stored.revision, &record).await?);
    assert_eq!(others().await?, 2);
    assert_eq!(backend.remove(&long, &seen).await?, Outcome::Done(()));
    assert_eq!(others().await?, 1);
    Ok(())
}

/// The readers' requests are slow, so that the lease is often gone when they ask for its time.
pub(super) async fn a_session_is_never_missing_while_its_lease_is_replaced(
    server: &EtcdServer,
) -> Tried {
    let (backend, prefix) = fresh(server).await?;
    let (row, key) = (format!("{prefix}a"), Key::new("a")?);
    commit_as_go(server, &row, "go", 600).await?;
    let proxy = Proxy::start(server.port()).await;
    let keys = GoKeys::scs_etcdstore().with_prefix(&*prefix);
    let slow = GoEtcd::connect(&url_at(proxy.port()), keys).await?;
    proxy.set(Fault::Delay(Duration::from_millis(30)));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (backend, key) = (slow.clone(), key.clone());
            tokio::spawn(async move {
                for _ in 0..20 {
                    let stored = backend.load(&key).await.expect("the server works");
                    let record = stored.expect("the session is live").record;
                    assert_ne!(record.expiry(), Expiry::NEVER);
                }
            })
        })
        .collect();
    while !readers.iter().all(tokio::task::JoinHandle::is_finished) {
        let seen = backend.load(&key).await?.expect("it is live").revision;
        done(backend.touch(&key, &seen, in_seconds(600)).await?);
        commit_as_go(server, &row, "go", 600).await?;
    }
    for reader in readers {
        reader.await?;
    }
    Ok(())
}
