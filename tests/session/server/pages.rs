//! [`ServerStore::page`]: all sessions of a store, page by page.

use std::collections::BTreeSet;
use std::time::Duration;

use silverback::backend::{Backend, Expiry, Key, Record};
use silverback::session::{Refusal, ServerStore, StoredPage};

use super::{RUNTIME, Server, jar_with, visit};

/// Returns the pages of at most `limit` rows.
async fn pages(store: &ServerStore, limit: usize) -> Vec<StoredPage> {
    let mut pages: Vec<StoredPage> = Vec::new();
    loop {
        let after = pages.last().and_then(|page| page.next.clone());
        let page = store.page(after.as_ref(), limit).await.unwrap();
        let is_last = page.next.is_none();
        pages.push(page);
        if is_last {
            return pages;
        }
    }
}

#[test]
fn each_live_session_is_in_one_page() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jars = Vec::new();
        for number in 0..10_u64 {
            jars.push(jar_with(&store, move |session| session.insert("n", number)).await);
        }
        // Each of them leaves a tombstone, which is not a session.
        visit(&mut jars[0], &store, |session| session.renew().unwrap()).await;
        visit(&mut jars[1], &store, |session| session.end().unwrap()).await;
        for limit in [1, 3, 100] {
            let pages = pages(&store, limit).await;
            assert!(pages.iter().all(|page| page.sessions.len() <= limit));
            let sessions = pages.iter().flat_map(|page| &page.sessions);
            let found: Vec<u64> = sessions
                .map(|session| session.values().get("n").unwrap().unwrap())
                .collect();
            assert_eq!(found.len(), 9, "limit {limit}");
            let found: BTreeSet<u64> = found.into_iter().collect();
            assert_eq!(found, (0..10).filter(|n| *n != 1).collect());
            assert!(pages.iter().all(|page| page.refused.is_empty()));
        }
    });
}

/// A page holds the keys by which a condition's sessions can be ended.
#[test]
fn the_sessions_of_a_page_can_be_ended() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        for number in 0..5_u64 {
            jar_with(&store, move |session| session.insert("n", number)).await;
        }
        for page in pages(&store, 2).await {
            for session in page.sessions {
                if session.values().get("n").unwrap() != Some(3_u64) {
                    let ended = store.end_by_key(session.key()).await.unwrap();
                    assert_eq!(ended.found().unwrap().id(), session.id());
                }
            }
        }
        let left = pages(&store, 10).await;
        assert_eq!(left[0].sessions.len(), 1);
    });
}

#[test]
fn a_row_of_another_store_is_named_and_skipped() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        jar_with(&store, |session| session.insert("n", 1)).await;
        let foreign = Key::new("foreign").unwrap();
        let soon = Expiry::now() + Duration::from_secs(60);
        let record = Record::new(b"no session".to_vec(), soon);
        let _ = server.backend.create(&foreign, &record).await.unwrap();
        let pages = pages(&store, 10).await;
        assert_eq!(pages[0].sessions.len(), 1);
        assert_eq!(pages[0].refused, [(foreign, Refusal::NotValid)]);
    });
}

#[test]
fn a_session_past_its_limits_is_in_no_page() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        jar_with(&store, |session| session.insert("n", 1)).await;
        server.clock.pass(super::ABSOLUTE + 1);
        assert_eq!(pages(&store, 10).await[0].sessions.len(), 0);
    });
}
