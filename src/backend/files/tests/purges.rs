//! Purges that continue where the last one stopped, and that read a file again under its lock.

use super::*;

#[tokio::test]
async fn a_purge_continues_where_the_last_one_stopped() {
    let folder = Temporary::new();
    let backend = Files::open(&folder.0).unwrap();
    let expired = Record::new("v", Expiry::from_millis(0));
    for number in 0..300 {
        let name = format!("expired {number}");
        create(&backend, &key(&name), &expired).await;
    }
    for removed in [100, 100] {
        assert_eq!(backend.purge(100).await.unwrap().removed, removed);
    }
    // A purge also finds records that are created in parts it has already passed.
    for number in 300..400 {
        let name = format!("expired {number}");
        create(&backend, &key(&name), &expired).await;
    }
    assert_eq!(backend.purge(300).await.unwrap().removed, 200);
    assert_eq!(folder.files().len(), 0);
}

/// Runs a purge that has read all files and waits for a lock, and calls `write` during the wait.
async fn while_a_purge_waits(backend: &Files, lock: Lock, write: impl FnOnce(&Folder)) -> usize {
    let lock = backend.0.folder().try_lock(lock).unwrap();
    assert!(lock.is_some(), "the lock is free");
    let purging = backend.clone();
    let purge = tokio::spawn(async move { purging.purge(10).await.unwrap().removed });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!purge.is_finished(), "the purge waits for the lock");
    write(backend.0.folder());
    drop(lock);
    purge.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_reads_each_file_again_under_its_lock() {
    let folder = Temporary::new();
    let backend = Files::open(&folder.0).unwrap();
    let (key, name) = (key("a"), HashedName::of(b"a"));
    let (past, record) = (Expiry::from_millis(0), Record::new("new", soon()));
    // A concurrent login replaces an expired record.
    create(&backend, &key, &Record::new("old", past)).await;
    let removed = while_a_purge_waits(&backend, Lock::record(&name), |folder| {
        folder.write_record(&name, &key, &record).unwrap();
    });
    assert_eq!(removed.await, 0);
    assert!(backend.load(&key).await.unwrap().is_some());
    // A concurrent write renews an expired owner.
    let ape = owner_name("ape");
    backend.extend(&ape, past).await.unwrap();
    while_a_purge_waits(&backend, Lock::owner(&ape), |folder| {
        folder
            .change_owner(&ape, soon(), OwnerChange::Extend)
            .unwrap();
    })
    .await;
    let generation = backend.generation(&ape).await.unwrap().unwrap();
    // A record is written after its mark.
    let owned = owned("ape", Login::new(generation, 1));
    let (marked, of_marked) = (super::tests::key("marked"), HashedName::of(b"marked"));
    create(&backend, &marked, &owned).await;
    fs::remove_file(backend.0.folder().record_path(&of_marked)).unwrap();
    while_a_purge_waits(&backend, Lock::record(&of_marked), |folder| {
        folder
            .write_record(&of_marked, &marked, &owned)
            .map(drop)
            .unwrap();
    })
    .await;
    assert_eq!(backend.keys(&owner_name("ape")).await.unwrap(), [marked]);
}
