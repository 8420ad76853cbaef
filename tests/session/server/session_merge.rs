//! [`Session::merge`]: one session takes over another one, and nothing is lost if a server fails in
//! between.

use std::time::Duration;

use silverback::codec::UnixTime;
use silverback::session::testing::Jar;
use silverback::session::{Dialect, Lookup, Refusal, ServerOptions, ServerStore, SessionStatus};

use super::super::support;
use super::test_backend::Fault;
use super::{COOKIE, RUNTIME, Request, Server, jar_with, read, visit};

/// Returns the value of the session's cookie.
fn cookie(jar: &Jar) -> String {
    jar.get(COOKIE).unwrap().to_owned()
}

/// Returns the jars of a session with the values `a` and `b`, and of another with `b` and `c`.
async fn two_sessions(store: &ServerStore) -> (Jar, Jar) {
    let own = jar_with(store, |session| {
        session.insert("a", 1)?;
        session.insert("b", 2)
    });
    let other = jar_with(store, |session| {
        session.insert("b", 3)?;
        session.insert("c", 4)
    });
    (own.await, other.await)
}

const KEYS: [&str; 3] = ["a", "b", "c"];
const BEFORE: Option<[Option<u64>; 3]> = Some([Some(1), Some(2), None]);
const MERGED: Option<[Option<u64>; 3]> = Some([Some(1), Some(3), Some(4)]);

#[test]
fn a_merge_takes_over_the_values_and_ends_the_other_session() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let (own, other) = two_sessions(&store).await;
        let request = Request::of(&own, &store).await;
        let id = request.session.id();
        let merged = request.session.merge(&cookie(&other)).await.unwrap();
        assert_eq!(merged, Lookup::Found(()));
        assert_eq!(request.session.id(), id);
        assert_eq!(request.session.status(), SessionStatus::Unmodified);
        assert_eq!(request.finish().await.unwrap(), [""; 0]);
        assert_eq!(read(&own, &store, KEYS).await, MERGED);
        assert_eq!(read(&other, &store, KEYS).await, None);
    });
}

#[test]
fn a_new_session_takes_over_another_one() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let (_, other) = two_sessions(&store).await;
        let mut jar = Jar::new();
        let request = Request::of(&jar, &store).await;
        let merged = request.session.merge(&cookie(&other)).await.unwrap();
        assert_eq!(merged, Lookup::Found(()));
        request.finish_into(&mut jar).await;
        assert_ne!(jar.get(COOKIE), other.get(COOKIE));
        assert_eq!(
            read(&jar, &store, KEYS).await.unwrap()[1..],
            MERGED.unwrap()[1..]
        );
        assert_eq!(read(&other, &store, KEYS).await, None);
    });
}

/// Go's `MergeSession` does nothing then.
#[test]
fn a_merge_with_itself_changes_nothing() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let (own, _) = two_sessions(&store).await;
        let request = Request::of(&own, &store).await;
        server.backend.calls();
        let merged = request.session.merge(&cookie(&own)).await.unwrap();
        assert_eq!(merged, Lookup::Found(()));
        assert_eq!(server.backend.calls(), "load");
        assert_eq!(read(&own, &store, KEYS).await, BEFORE);
    });
}

#[test]
fn a_cookie_that_opens_no_session_is_refused() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let (own, mut other) = two_sessions(&store).await;
        let renewed = cookie(&other);
        visit(&mut other, &store, |session| session.renew().unwrap()).await;
        let ended = cookie(&other);
        visit(&mut other, &store, |session| session.end().unwrap()).await;
        let request = Request::of(&own, &store).await;
        for (cookie, refusal) in [
            ("nonsense", Refusal::NotValid),
            (&renewed, Refusal::Moved),
            (&ended, Refusal::Gone),
        ] {
            let merged = request.session.merge(cookie).await.unwrap();
            assert_eq!(merged, Lookup::Refused(refusal));
        }
        assert_eq!(read(&own, &store, KEYS).await, BEFORE);
    });
}

/// The session is saved before the other one ends. So a failure loses nothing, and the merge can be
/// repeated.
#[test]
fn a_merge_that_is_interrupted_loses_nothing() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        for (call, fault, saved) in [(1, Fault::Fails, BEFORE), (2, Fault::Fails, MERGED)] {
            let (own, other) = two_sessions(&store).await;
            let request = Request::of(&own, &store).await;
            server.backend.at(call, fault);
            let error = request.session.merge(&cookie(&other)).await.unwrap_err();
            assert!(error.is_unavailable(), "{error}");
            server.backend.calls();
            assert_eq!(read(&own, &store, KEYS).await, saved);
            assert!(read(&other, &store, KEYS).await.is_some());
            let again = Request::of(&own, &store).await;
            let merged = again.session.merge(&cookie(&other)).await.unwrap();
            assert_eq!(merged, Lookup::Found(()));
            assert_eq!(read(&own, &store, KEYS).await, MERGED);
            assert_eq!(read(&other, &store, KEYS).await, None);
        }
    });
}

#[test]
fn a_merge_keeps_the_changes_of_other_requests() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let (mut own, other) = two_sessions(&store).await;
        let request = Request::of(&own, &store).await;
        visit(&mut own, &store, |session| session.insert("a", 9).unwrap()).await;
        let merged = request.session.merge(&cookie(&other)).await.unwrap();
        assert_eq!(merged, Lookup::Found(()));
        assert_eq!(
            read(&own, &store, KEYS).await,
            Some([Some(9), Some(3), Some(4)])
        );
    });
}

#[test]
fn the_later_deadline_of_two_sessions_counts() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let soon = |minutes: u64| server.now() + Duration::from_secs(60 * minutes);
        for (own, other, later) in [(10, 20, 20), (20, 10, 20)] {
            let with = |minutes| {
                let deadline: UnixTime = soon(minutes);
                jar_with(&store, move |session| {
                    session.login("ape")?;
                    session.set_deadline(deadline)
                })
            };
            let (own, other) = (with(own).await, with(other).await);
            let request = Request::of(&own, &store).await;
            let _ = request.session.merge(&cookie(&other)).await.unwrap();
            let session = own.session(store.clone()).await.unwrap();
            assert_eq!(session.deadline(), Some(soon(later)));
            assert_eq!(session.owner().as_deref(), Some("ape"));
        }
        // A session that takes over a younger one lasts as long as that one.
        let old = jar_with(&store, |session| session.insert("a", 1)).await;
        server.clock.pass(600);
        let young = jar_with(&store, |session| session.insert("a", 1)).await;
        let deadline = young.session(store.clone()).await.unwrap().deadline();
        let request = Request::of(&old, &store).await;
        let _ = request.session.merge(&cookie(&young)).await.unwrap();
        let session = old.session(store.clone()).await.unwrap();
        assert_eq!(session.deadline(), deadline);
    });
}

#[test]
fn a_session_that_takes_over_a_remembered_one_is_remembered() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let with = |remembered| jar_with(&store, move |session| session.remember(remembered));
        let plain = || jar_with(&store, |session| session.insert("a", 1));
        for (own, other) in [
            (with(true).await, plain().await),
            (plain().await, with(true).await),
        ] {
            let request = Request::of(&own, &store).await;
            let _ = request.session.merge(&cookie(&other)).await.unwrap();
            assert!(own.session(store.clone()).await.unwrap().is_remembered());
        }
    });
}

#[test]
fn the_session_of_another_owner_is_not_taken_over() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let (anonymous, _) = two_sessions(&store).await;
        let login = |owner| jar_with(&store, move |session| session.login(owner));
        let (ape, gibbon) = (login("ape").await, login("gibbon").await);
        for jar in [&anonymous, &gibbon] {
            let request = Request::of(jar, &store).await;
            let error = request.session.merge(&cookie(&ape)).await.unwrap_err();
            assert!(error.is_usage(), "{error}");
            assert_eq!(request.session.status(), SessionStatus::Unmodified);
        }
        assert!(!ape.session(store.clone()).await.unwrap().is_new());
        // A session without a login may be taken over.
        let request = Request::of(&ape, &store).await;
        let _ = request.session.merge(&cookie(&anonymous)).await.unwrap();
        assert_eq!(read(&ape, &store, KEYS).await, BEFORE);
        assert_eq!(read(&anonymous, &store, KEYS).await, None);
    });
}

#[test]
fn a_session_in_its_cookie_is_not_taken_over() {
    RUNTIME.block_on(async {
        let store = support::store();
        let with = |value: u64| Jar::with(store.clone(), move |session| session.insert("a", value));
        let (own, other) = (with(1).await.unwrap(), with(2).await.unwrap());
        let session = own.session(store.clone()).await.unwrap();
        let error = session.merge(&cookie(&other)).await.unwrap_err();
        assert!(error.is_usage(), "{error}");
        assert_eq!(session.get("a").unwrap(), Some(1_u64));
    });
}

/// A value of JSON that no Rust type can hold keeps its text.
#[test]
fn a_number_of_json_keeps_its_digits_in_a_merge() {
    use silverback::backend::{Backend, Expiry, Key, Layout, Memory, Record};

    RUNTIME.block_on(async {
        let rows = std::sync::Arc::new(crate::in_layout::InLayout::new(Memory::new(), Layout::Scs));
        let store = ServerStore::with_options(
            Dialect::scs().json_rows(),
            rows.clone(),
            ServerOptions::new(),
        );
        let store = store.unwrap();
        let token = "eJ1qkSSuPNYyk62zwqROJ0Rfrv2TM6HWV4QqKfCkNSc";
        let row = r#"{"Deadline":"2200-01-01T00:00:00Z","Values":{"c":1e400}}"#;
        let record = Record::new(row.as_bytes().to_vec(), Expiry::NEVER);
        let key = Key::new(token).unwrap();
        let _ = rows.create(&key, &record).await.unwrap();
        let own = jar_with(&store, |session| session.insert("a", 1)).await;
        let request = Request::of(&own, &store).await;
        let merged = request.session.merge(token).await.unwrap();
        assert_eq!(merged, Lookup::Found(()));
        let key = Key::new(own.get(COOKIE).unwrap()).unwrap();
        let stored = rows.load(&key).await.unwrap().unwrap();
        let text = String::from_utf8(stored.record.value().to_vec()).unwrap();
        assert!(
            text.contains(r#""c":1e400"#) && text.contains(r#""a":1"#),
            "{text}"
        );
    });
}
