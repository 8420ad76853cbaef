//! Law 9: scans of all records, and purges.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::{Backend, Expiry, Key, Record};
use super::{KeySpace, create, load, scan_of, soon};

pub(super) async fn purge_removes_expired_records_only(backend: Arc<dyn Backend>, keys: KeySpace) {
    let scan = scan_of(&*backend);
    let past = Expiry::from_millis(Expiry::now().as_millis() - 1_000);
    for number in 0..30 {
        let until = if number % 3 == 0 { soon() } else { past };
        let key = keys.key(&number.to_string());
        create(&*backend, &key, &Record::new(number.to_string(), until)).await;
    }
    // Other tests may use the server, too: at least our twenty records have expired.
    let first = scan.purge(7).await.unwrap();
    assert!(first.removed <= 7);
    while scan.purge(7).await.unwrap().removed == 7 {}
    for number in 0..30 {
        let stored = load(&*backend, &keys.key(&number.to_string())).await;
        assert_eq!(stored.is_some(), number % 3 == 0, "{number}");
    }
}

pub(super) async fn a_scan_returns_the_live_records(backend: Arc<dyn Backend>, keys: KeySpace) {
    let scan = scan_of(&*backend);
    let past = Expiry::from_millis(Expiry::now().as_millis() - 1_000);
    let mut expected = BTreeSet::new();
    for number in 0..20 {
        let key = keys.key(&format!("{number:02}"));
        let until = if number % 2 == 0 { soon() } else { past };
        create(&*backend, &key, &Record::new("four", until)).await;
        if number % 2 == 0 {
            expected.insert(key);
        }
    }
    let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
    let mut after: Option<Key> = None;
    loop {
        let page = scan.page(after.as_ref(), 7).await.unwrap();
        assert!(page.entries.len() <= 7);
        for entry in &page.entries {
            assert!(
                seen.insert(entry.key.clone()),
                "the scan returned a key twice"
            );
            if expected.contains(&entry.key) {
                assert_eq!((entry.size, &entry.owner), (4, &None));
                found.insert(entry.key.clone());
            } else {
                assert!(
                    !entry.key.as_bytes().starts_with(keys.0.as_bytes()),
                    "the scan returned an expired record"
                );
            }
        }
        assert!(
            page.next != after || after.is_none(),
            "the scan returned the same page again"
        );
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(found, expected);
}
