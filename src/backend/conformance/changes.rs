//! Law 14: reports of changes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::super::{Backend, Change, Changes, Error, Listener};
use super::{KeySpace, begin_login, create, expect_done, load, owners_of, record, soon};

const WATCHDOG: Duration = Duration::from_secs(30);

fn changes_of(backend: &dyn Backend) -> &dyn Changes {
    backend.changes().expect("this law needs Backend::changes")
}

/// Waits until the listener has reported the change.
async fn expect_report(listener: &mut dyn Listener, expected: &Change) {
    let reported = async { while listener.next().await.unwrap() != *expected {} };
    let in_time = timeout(WATCHDOG, reported).await;
    in_time.unwrap_or_else(|_| panic!("{expected:?} was not reported"));
}

async fn announce(backend: &dyn Backend, change: &Change) -> Result<(), Error> {
    changes_of(backend).announce(change).await
}

pub(super) async fn a_changed_record_is_reported(backend: Arc<dyn Backend>, keys: KeySpace) {
    let (key, missing) = (keys.key("changed"), keys.key("missing"));
    let seen = create(&*backend, &key, &record(b"one")).await;
    let [change, creation] = [&key, &missing].map(|key| Change::Record(key.clone()));
    let mut listener = changes_of(&*backend).listen().await.unwrap();
    let both = HashSet::from([change.clone(), creation.clone()]);
    listener.listen_for(&both).await.unwrap();
    let swapped = backend.swap(&key, &seen, &record(b"two")).await;
    let seen = expect_done(swapped);
    announce(&*backend, &change).await.unwrap();
    expect_report(&mut *listener, &change).await;
    // A report is of the next change only, unless the caller listens again.
    listener.listen_for(&both).await.unwrap();
    create(&*backend, &missing, &record(b"new")).await;
    announce(&*backend, &creation).await.unwrap();
    expect_report(&mut *listener, &creation).await;
    listener.listen_for(&both).await.unwrap();
    expect_done(backend.remove(&key, &seen).await);
    announce(&*backend, &change).await.unwrap();
    expect_report(&mut *listener, &change).await;
    assert_eq!(load(&*backend, &key).await, None);
}

pub(super) async fn a_dropped_wait_loses_no_report(backend: Arc<dyn Backend>, keys: KeySpace) {
    let mut listener = changes_of(&*backend).listen().await.unwrap();
    for round in 0..5 {
        let key = keys.key(&format!("dropped-{round}"));
        let change = Change::Record(key.clone());
        let wanted = HashSet::from([change.clone()]);
        listener.listen_for(&wanted).await.unwrap();
        let writing = async {
            create(&*backend, &key, &record(b"new")).await;
            announce(&*backend, &change).await.unwrap();
        };
        let mut writing = std::pin::pin!(writing);
        let mut is_reported = false;
        loop {
            tokio::select! {
                () = &mut writing => break,
                reported = timeout(Duration::from_micros(50), listener.next()) => {
                    is_reported |= reported.is_ok_and(|reported| reported.unwrap() == change);
                }
            }
        }
        if !is_reported {
            expect_report(&mut *listener, &change).await;
        }
    }
}

pub(super) async fn a_revocation_is_reported(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owner = keys.owner("revoked");
    let change = Change::Owner(owner.clone());
    begin_login(&*backend, &keys, &owner).await;
    let mut listener = changes_of(&*backend).listen().await.unwrap();
    let wanted = HashSet::from([change.clone()]);
    listener.listen_for(&wanted).await.unwrap();
    owners_of(&*backend).revoke(&owner, soon()).await.unwrap();
    announce(&*backend, &change).await.unwrap();
    expect_report(&mut *listener, &change).await;
    // The login that a revocation keeps is another change.
    let kept = begin_login(&*backend, &keys, &owner).await;
    listener.listen_for(&wanted).await.unwrap();
    let owners = owners_of(&*backend);
    owners.revoke_except(&owner, soon(), &kept).await.unwrap();
    announce(&*backend, &change).await.unwrap();
    expect_report(&mut *listener, &change).await;
}

pub(super) async fn two_thousand_changes_can_be_wanted(backend: Arc<dyn Backend>, keys: KeySpace) {
    let key = |number: usize| keys.key(&format!("wanted-{number}"));
    let wanted = |from: usize| -> HashSet<Change> {
        (from..from + 2_000)
            .map(|number| Change::Record(key(number)))
            .collect()
    };
    let mut listener = changes_of(&*backend).listen().await.unwrap();
    listener.listen_for(&wanted(0)).await.unwrap();
    listener.listen_for(&wanted(1_000)).await.unwrap();
    for number in [1_000, 1_999, 2_999] {
        let change = Change::Record(key(number));
        create(&*backend, &key(number), &record(b"new")).await;
        announce(&*backend, &change).await.unwrap();
        expect_report(&mut *listener, &change).await;
    }
}
