//! Requests that are in progress while a key ring gets other keys.

use std::sync::{Arc, Mutex};

use silverback::codec::{KeyPairs, KeyRing, KeyRingOptions, KeySource};
use silverback::session::testing::Jar;
use silverback::session::{CookieStore, Error, Session};

use super::site::RUNTIME;

/// A ring, and the keys that it loads next.
fn ring() -> (KeyRing, Arc<Mutex<KeyPairs>>) {
    let pairs = Arc::new(Mutex::new(KeyPairs::generate(1).unwrap()));
    let next = pairs.clone();
    let source = KeySource::function(move || Ok(next.lock().unwrap().clone()));
    let ring = KeyRing::with_options(source, KeyRingOptions::new()).unwrap();
    (ring, pairs)
}

/// Returns the pairs of two lists as one list.
fn joined(newer: &KeyPairs, older: &KeyPairs) -> KeyPairs {
    KeyPairs::new(newer.iter().chain(older).cloned()).unwrap()
}

type Change = fn(&Session) -> Result<(), Error>;

/// A request has opened a session with a key that leaked, and saves it after the key was removed.
#[test]
fn a_session_of_a_removed_key_is_not_sealed_by_a_newer_one() {
    let changes: [(Change, bool); 4] = [
        (|session| session.insert("n", 1), false),
        (|session| session.renew(), false),
        (|session| session.login_keeping_values("kong"), false),
        (|session| session.login("kong"), true),
    ];
    RUNTIME.block_on(async {
        for (place, (change, is_saved)) in changes.into_iter().enumerate() {
            let (ring, pairs) = ring();
            let store = CookieStore::new(ring.clone()).unwrap();
            let mut jar = Jar::with(store.clone(), |session| session.login("ape"))
                .await
                .unwrap();
            let sessions = jar.sessions(store.clone());
            let session = sessions.session().await.unwrap();
            *pairs.lock().unwrap() = KeyPairs::generate(1).unwrap();
            assert!(ring.reload().unwrap());
            change(&session).unwrap();
            let saved = session.save().await;
            match is_saved {
                true => saved.unwrap(),
                false => assert!(saved.unwrap_err().is_gone(), "change {place}"),
            }
            let fields = sessions.finish().await.unwrap().unwrap();
            jar.receive_all(fields.set_cookies());
            let owner = jar.session(store).await.unwrap().owner();
            assert_eq!(
                owner.as_deref(),
                is_saved.then_some("kong"),
                "change {place}"
            );
        }
    });
}

/// A rotation keeps the key that opened the session, so the request saves it.
#[test]
fn a_rotation_refuses_no_request_in_progress() {
    RUNTIME.block_on(async {
        let (ring, pairs) = ring();
        let store = CookieStore::new(ring.clone()).unwrap();
        let mut jar = Jar::with(store.clone(), |session| session.login("ape"))
            .await
            .unwrap();
        let old = pairs.lock().unwrap().clone();
        let new = KeyPairs::generate(1).unwrap();
        for chain in [joined(&old, &new), joined(&new, &old)] {
            let sessions = jar.sessions(store.clone());
            let session = sessions.session().await.unwrap();
            *pairs.lock().unwrap() = chain;
            assert!(ring.reload().unwrap());
            session.update("n", |n: &mut u8| *n += 1).unwrap();
            let fields = sessions.finish().await.unwrap().unwrap();
            jar.receive_all(fields.set_cookies());
        }
        let session = jar.session(store).await.unwrap();
        assert_eq!(session.get::<u8>("n").unwrap(), Some(2));
    });
}
