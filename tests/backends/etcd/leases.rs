//! Leases: how many there are, and what they remove.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use etcd_client::Client;
use silverback::backend::{
    Backend, Etcd, Expiry, Key, Outcome, Owner, OwnerName, Owners, Record, Revision, Scan,
};

use super::super::disk::report;
use super::super::faults::key;
use super::super::operations::soon;
use super::super::servers::etcd::EtcdServer;
use super::requests::{fresh, keys_under};
use super::{Tried, counting_server};

pub(super) async fn leases(server: &EtcdServer) -> Result<Vec<i64>, libtest_mimic::Failed> {
    let mut client = Client::connect([server.endpoint()], None).await?;
    let leases = client.leases().await?;
    Ok(leases.leases().iter().map(|lease| lease.id()).collect())
}

fn done(outcome: Outcome<Revision>) -> Revision {
    let Outcome::Done(revision) = outcome else {
        panic!("{outcome:?} without a concurrent write");
    };
    revision
}

fn in_seconds(seconds: u64) -> Expiry {
    Expiry::after(Duration::from_secs(seconds))
}

/// Creates, touches, swaps and removes a record.
async fn live_and_end(backend: &Etcd, number: u64) -> Tried {
    let key = key();
    let seconds = 600 + number % 7;
    let record = Record::new("v", in_seconds(seconds));
    let mut seen = backend
        .create(&key, &record)
        .await?
        .saved()
        .expect("the key is new");
    for _ in 0..6 {
        seen = done(backend.touch(&key, &seen, in_seconds(seconds + 1)).await?);
        let later = Record::new("w", in_seconds(seconds + 2));
        seen = done(backend.swap(&key, &seen, &later).await?);
    }
    if number.is_multiple_of(2) {
        assert!(matches!(
            backend.remove(&key, &seen).await?,
            Outcome::Done(())
        ));
    }
    Ok(())
}

pub(super) async fn thousands_of_writes_need_few_leases(_: &EtcdServer) -> Tried {
    const RECORDS: u64 = 1_000;
    let server = counting_server().await?;
    let (backend, prefix) = fresh(&server).await?;
    let before = leases(&server).await?.len();
    let mut writes = tokio::task::JoinSet::new();
    for task in 0..8 {
        let backend = backend.clone();
        writes.spawn(async move {
            for number in (0..RECORDS).skip(task).step_by(8) {
                live_and_end(&backend, number).await?;
            }
            Ok::<(), libtest_mimic::Failed>(())
        });
    }
    while let Some(written) = writes.join_next().await {
        written??;
    }
    let granted = leases(&server).await?.len() - before;
    // 1,000 records got a lease, 500 of them each.
    assert!((2..=4).contains(&granted), "{granted} leases");
    let left = keys_under(&server, &prefix).await?.len();
    assert_eq!(left, 2 * 500, "each record that is left has two keys");
    report(&format!(
        "etcd: {granted} leases for {RECORDS} records and {} writes",
        RECORDS * 13 + RECORDS / 2
    ));
    Ok(())
}

pub(super) async fn all_keys_of_a_record_and_its_owner_have_its_lease(
    server: &EtcdServer,
) -> Tried {
    let (backend, prefix) = fresh(server).await?;
    let (key, name) = (Key::new("k")?, OwnerName::new("ape")?);
    let login = backend.begin(&name, in_seconds(600), &key).await?;
    let owner = Owner {
        name: name.clone(),
        login,
    };
    let record = Record::new("v", in_seconds(600)).owned_by(owner);
    let seen = backend
        .create(&key, &record)
        .await?
        .saved()
        .expect("the key is new");
    let used = async |count| -> Result<BTreeSet<i64>, libtest_mimic::Failed> {
        let keys = keys_under(server, &prefix).await?;
        assert_eq!(keys.len(), count);
        Ok(keys.iter().map(|pair| pair.lease()).collect())
    };
    let first = used(5).await?;
    assert_eq!(
        first.len(),
        1,
        "the owner's record expires at the same time"
    );
    // A touch moves all keys of the record to a longer lease.
    let seen = done(backend.touch(&key, &seen, in_seconds(6_000)).await?);
    assert_eq!(used(5).await?.len(), 2);
    backend
        .revoke_except(&name, in_seconds(6_000), &login)
        .await?;
    let second = used(6).await?;
    assert!(
        second.len() == 1 && second.is_disjoint(&first),
        "{second:?}"
    );
    // A record that expires earlier again must not keep the long lease.
    let seen = done(backend.touch(&key, &seen, in_seconds(600)).await?);
    assert_eq!(used(6).await?.union(&first).count(), 2);
    done(backend.touch(&key, &seen, Expiry::NEVER).await?);
    assert!(used(6).await?.contains(&0));
    Ok(())
}

/// This test uses its own server.
pub(super) async fn a_lease_that_is_gone_is_replaced(_: &EtcdServer) -> Tried {
    let server = EtcdServer::start()?;
    let (backend, prefix) = fresh(&server).await?;
    let record = Record::new("v", in_seconds(600));
    let before = backend.create(&key(), &record).await?.saved();
    let mut client = Client::connect([server.endpoint()], None).await?;
    for lease in leases(&server).await? {
        client.lease_revoke(lease).await?;
    }
    assert!(before.is_some() && keys_under(&server, &prefix).await?.is_empty());
    let created = backend.create(&key(), &record).await?;
    assert!(created.saved().is_some());
    assert_eq!(leases(&server).await?.len(), 1);
    Ok(())
}

pub(super) async fn etcd_removes_expired_records_with_their_owners(server: &EtcdServer) -> Tried {
    let (backend, prefix) = fresh(server).await?;
    let (key, name) = (Key::new("k")?, OwnerName::new("ape")?);
    let until = in_seconds(1);
    let login = backend.begin(&name, until, &key).await?;
    let record = Record::new("v", until).owned_by(Owner { name, login });
    assert!(backend.create(&key, &record).await?.saved().is_some());
    let keys = keys_under(server, &prefix).await?;
    let lease = keys[0].lease();
    let mut client = Client::connect([server.endpoint()], None).await?;
    let time = client.lease_time_to_live(lease, None).await?.ttl();
    assert!((55..=70).contains(&time), "the lease has {time} s left");
    // The end of the lease, which the server would reach later.
    client.lease_revoke(lease).await?;
    let watchdog = Instant::now() + Duration::from_secs(60);
    while !keys_under(server, &prefix).await?.is_empty() {
        assert!(Instant::now() < watchdog, "keys remain");
    }
    Ok(())
}

pub(super) async fn records_that_never_expire_have_no_lease(_: &EtcdServer) -> Tried {
    let server = counting_server().await?;
    let (backend, prefix) = fresh(&server).await?;
    let before = leases(&server).await?.len();
    let far = Expiry::from_millis(i64::MAX - 1);
    for until in [Expiry::NEVER, far] {
        let key = key();
        let record = Record::new("v", until);
        let seen = backend
            .create(&key, &record)
            .await?
            .saved()
            .expect("the key is new");
        done(backend.touch(&key, &seen, until).await?);
        assert_eq!(backend.load(&key).await?.expect("it exists").record, record);
    }
    assert_eq!(leases(&server).await?.len(), before);
    let keys = keys_under(&server, &prefix).await?;
    assert!(keys.iter().all(|pair| pair.lease() == 0));
    // The longest lease that etcd grants.
    let longest = Record::new("v", in_seconds(8_000_000_000));
    assert!(backend.create(&key(), &longest).await?.saved().is_some());
    Ok(())
}

pub(super) async fn nothing_remains_of_removed_records(server: &EtcdServer) -> Tried {
    let (backend, prefix) = fresh(server).await?;
    let [ape, bonobo] = ["ape", "bonobo"].map(OwnerName::new);
    let (ape, bonobo) = (ape?, bonobo?);
    let key = key();
    let mut owned = Vec::new();
    for name in [&ape, &bonobo] {
        let login = backend.begin(name, soon(), &key).await?;
        let owner = Owner {
            name: name.clone(),
            login,
        };
        owned.push(Record::new("v", soon()).owned_by(owner));
    }
    let owners = keys_under(server, &prefix).await?.len();
    let plain = Record::new("v", soon());
    // The record changes its owner, loses it, and is removed.
    let mut seen = backend
        .create(&key, &owned[0])
        .await?
        .saved()
        .expect("the key is new");
    for (record, keys) in [(&owned[1], 3), (&plain, 2), (&owned[0], 3), (&owned[1], 3)] {
        seen = done(backend.swap(&key, &seen, record).await?);
        assert_eq!(keys_under(server, &prefix).await?.len(), owners + keys);
    }
    assert!(matches!(
        backend.remove(&key, &seen).await?,
        Outcome::Done(())
    ));
    assert_eq!(keys_under(server, &prefix).await?.len(), owners);
    // A creation over a revoked record, and over an expired one.
    assert!(backend.create(&key, &owned[0]).await?.saved().is_some());
    silverback::backend::Generations::revoke(&backend, &ape, soon()).await?;
    let past = owned[1].clone().with_expiry(Expiry::from_millis(1_000));
    assert!(backend.create(&key, &past).await?.saved().is_some());
    assert_eq!(keys_under(server, &prefix).await?.len(), owners + 3);
    assert!(backend.create(&key, &plain).await?.saved().is_some());
    assert_eq!(keys_under(server, &prefix).await?.len(), owners + 2);
    // A purge removes the keys of expired and of revoked records.
    for record in [&owned[0], &past] {
        let fresh = super::super::faults::key();
        assert!(backend.create(&fresh, record).await?.saved().is_some());
    }
    assert_eq!(backend.purge(1_000).await?.removed, 2);
    assert_eq!(keys_under(server, &prefix).await?.len(), owners + 2);
    Ok(())
}
