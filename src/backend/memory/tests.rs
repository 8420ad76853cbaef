//! Tests of the room of a [`Memory`], and of its records in order.

use std::time::Duration;

use super::super::Owner;
use super::*;

fn key(number: usize) -> Key {
    Key::new(number.to_string()).unwrap()
}

async fn create(backend: &Memory, number: usize, until: Expiry) -> Result<Created, Error> {
    backend.create(&key(number), &Record::new("v", until)).await
}

#[tokio::test]
async fn creations_purge_expired_records() {
    let backend = Memory::new();
    for number in 0..50_000 {
        let created = create(&backend, number, Expiry::from_millis(0)).await;
        assert!(matches!(created, Ok(Created::Saved(_))));
    }
    let left = backend.capacity.records();
    assert!(left < 20_000, "{left} expired records");
    backend.purge(usize::MAX).await.unwrap();
    assert_eq!(backend.capacity.records(), 0);
}

#[tokio::test]
async fn a_full_backend_refuses_creations_and_evicts_no_record() {
    let options = MemoryOptions::new().capacity(100);
    let backend = Memory::with_options(options.capacity_without_owner(100));
    let soon = Expiry::after(Duration::from_secs(600));
    for number in 0..100 {
        create(&backend, number, soon)
            .await
            .unwrap()
            .saved()
            .unwrap();
    }
    let refused = create(&backend, 100, soon).await.unwrap_err();
    assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
    assert_eq!(create(&backend, 7, soon).await.unwrap(), Created::Exists);
    let stored = backend.load(&key(7)).await.unwrap().unwrap();
    backend
        .remove(&key(7), &stored.revision)
        .await
        .unwrap()
        .done()
        .unwrap();
    create(&backend, 100, soon).await.unwrap().saved().unwrap();
    for number in (0..=100).filter(|number| *number != 7) {
        assert!(backend.load(&key(number)).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_removed_or_revoked_record_leaves_its_owners_list() {
    let backend = Memory::new();
    let soon = Expiry::after(Duration::from_secs(600));
    let mut logins = Vec::new();
    let ape = OwnerName::new("ape").unwrap();
    for number in 0..10 {
        logins.push(backend.begin(&ape, soon, &key(number)).await.unwrap());
    }
    let mut revisions = Vec::new();
    for (number, login) in logins.iter().enumerate() {
        let (name, login) = (ape.clone(), *login);
        let owned = Record::new("v", soon).owned_by(Owner { name, login });
        match backend.create(&key(number), &owned).await.unwrap() {
            Created::Saved(revision) => revisions.push(revision),
            Created::Exists => panic!("the key is new"),
        }
    }
    let listed = |backend: &Memory| backend.listed_keys(&ape).len();
    backend
        .remove(&key(0), &revisions[0])
        .await
        .unwrap()
        .done()
        .unwrap();
    assert_eq!(listed(&backend), 9);
    let revoked = backend.revoke_except(&ape, soon, &logins[1]).await;
    revoked.unwrap();
    assert_eq!(listed(&backend), 1);
    assert_eq!(backend.purge(usize::MAX).await.unwrap().removed, 8);
    assert!(backend.load(&key(1)).await.unwrap().is_some());
    backend.revoke(&ape, soon).await.unwrap();
    assert_eq!(backend.purge(usize::MAX).await.unwrap().removed, 1);
}

#[tokio::test]
async fn an_owner_whose_record_has_expired_begins_with_an_empty_list() {
    let backend = Memory::new();
    let owner = |number: usize| OwnerName::new(number.to_string()).unwrap();
    let at = Expiry::from_millis;
    // There are more expired owners than one change of an owner purges.
    for number in 0..4 {
        let fresh = Generation::random().unwrap();
        let state = OwnerState::after(OwnerChange::Begin, None, at(2), fresh, at(1));
        let keys = HashSet::from([key(number)]);
        locked(&backend.owners).insert(owner(number), OwnerRecord { state, keys });
    }
    let soon = Expiry::after(Duration::from_secs(600));
    backend.begin(&owner(3), soon, &key(4)).await.unwrap();
    assert_eq!(backend.listed_keys(&owner(3)), []);
}

#[tokio::test]
async fn owners_and_scans_are_offered_through_the_trait() {
    let memory = Memory::new();
    let backend: &dyn Backend = &memory;
    let soon = Expiry::after(Duration::from_secs(600));
    create(&memory, 1, soon).await.unwrap().saved().unwrap();
    let page = backend.scan().unwrap().page(None, 9).await.unwrap();
    let keys: Vec<Key> = page.entries.into_iter().map(|entry| entry.key).collect();
    assert_eq!(keys, [key(1)]);
    assert!(backend.owners().is_some());
}

#[tokio::test]
async fn the_debug_form_counts_the_records() {
    let backend = Memory::new();
    let soon = Expiry::after(Duration::from_secs(600));
    for number in 0..2 {
        let created = create(&backend, number, soon).await.unwrap();
        created.saved().unwrap();
    }
    assert_eq!(format!("{backend:?}"), "Memory(2 records)");
}
