//! [`Session::merge`]: one session takes over another one, and nothing is lost if a server fails in
//! between.

use std::time::Duration;

use silverback::codec::UnixTime;
use silverback::session::testing::Jar;
use silverback::session::{
    Dialect, Error, Lookup, Refusal, ServerOptions, ServerStore, Session, SessionStatus,
};

use tokio::task::JoinHandle;

use super::super::support;
use super::test_backend::{Fault, Gate};
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

/// Begins a merge, and returns when it has loaded the other session and waits to save.
async fn waiting_to_save(
    server: &Server,
    request: &Request,
    token: String,
) -> (Gate, JoinHandle<Result<Lookup<()>, Error>>) {
    let gate = server.backend.waits_at(1);
    let session = request.session.clone();
    let merge = tokio::spawn(async move { session.merge(&token).await });
    gate.is_reached().await;
    (gate, merge)
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
            let merged = request.session.merge(&cookie(&ape)).await.unwrap();
            assert_eq!(merged, Lookup::Refused(Refusal::OtherOwner));
            assert_eq!(request.session.status(), SessionStatus::Unmodified);
        }
        assert!(!ape.session(store.clone()).await.unwrap().is_new());
        // A session without a login may be taken over.
        let request = Request::of(&ape, &store).await;
        let merged = request.session.merge(&cookie(&anonymous)).await.unwrap();
        assert_eq!(merged, Lookup::Found(()));
        assert_eq!(read(&ape, &store, KEYS).await, BEFORE);
        assert_eq!(read(&anonymous, &store, KEYS).await, None);
    });
}

/// Otherwise a login could be made to last for ever.
#[test]
fn an_anonymous_session_does_not_prolong_a_login() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let own = jar_with(&store, |session| session.login("ape")).await;
        let before = own.session(store.clone()).await.unwrap();
        server.clock.pass(600);
        let other = jar_with(&store, |session| session.remember(true)).await;
        let request = Request::of(&own, &store).await;
        let merged = request.session.merge(&cookie(&other)).await.unwrap();
        assert_eq!(merged, Lookup::Found(()));
        let session = own.session(store.clone()).await.unwrap();
        assert_eq!(session.deadline(), before.deadline());
        assert!(!session.is_remembered());
    });
}

/// The session that a login or a logout replaces is not taken over: it would end the new session, or
/// bring back what was logged out.
#[test]
fn a_session_does_not_take_over_the_one_that_it_replaces() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        type Change = fn(&Session) -> Result<(), Error>;
        let changes: [Change; 2] = [|session| session.login("ape"), Session::logout];
        for change in changes {
            let (mut own, _) = two_sessions(&store).await;
            let own_cookie = cookie(&own);
            let request = Request::of(&own, &store).await;
            change(&request.session).unwrap();
            let error = request.session.merge(&own_cookie).await.unwrap_err();
            assert!(error.is_usage(), "{error}");
            let owner = request.session.owner();
            request.finish_into(&mut own).await;
            let session = own.session(store.clone()).await.unwrap();
            assert_eq!(session.owner(), owner);
            assert_eq!(session.is_new(), owner.is_none());
        }
        // A login may take over any other session.
        let (mut own, other) = two_sessions(&store).await;
        let request = Request::of(&own, &store).await;
        request.session.login("ape").unwrap();
        let merged = request.session.merge(&cookie(&other)).await.unwrap();
        assert_eq!(merged, Lookup::Found(()));
        request.finish_into(&mut own).await;
        assert_eq!(
            read(&own, &store, KEYS).await,
            Some([None, Some(3), Some(4)])
        );
        assert_eq!(read(&other, &store, KEYS).await, None);
    });
}

/// The handler has the cookie under which another request has renewed the session.
#[test]
fn a_renewed_session_is_not_taken_over_by_itself() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let (mut own, _) = two_sessions(&store).await;
        let request = Request::of(&own, &store).await;
        visit(&mut own, &store, |session| session.renew().unwrap()).await;
        let merged = request.session.merge(&cookie(&own)).await.unwrap();
        assert_eq!(merged, Lookup::Found(()));
        assert_eq!(read(&own, &store, KEYS).await, BEFORE);
    });
}

#[test]
fn a_change_of_the_other_session_is_taken_over_too() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let (own, mut other) = two_sessions(&store).await;
        let token = cookie(&other);
        let request = Request::of(&own, &store).await;
        let (gate, merge) = waiting_to_save(&server, &request, token).await;
        visit(&mut other, &store, |session| {
            session.insert("c", 5).unwrap()
        })
        .await;
        gate.open();
        assert_eq!(merge.await.unwrap().unwrap(), Lookup::Found(()));
        assert_eq!(
            read(&own, &store, KEYS).await,
            Some([Some(1), Some(3), Some(5)])
        );
        assert_eq!(read(&other, &store, KEYS).await, None);
    });
}

/// A login that replaces the other session belongs to its client.
#[test]
fn a_merge_ends_no_login_that_has_replaced_the_other_session() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let (own, mut other) = two_sessions(&store).await;
        let token = cookie(&other);
        let request = Request::of(&own, &store).await;
        let (gate, merge) = waiting_to_save(&server, &request, token).await;
        visit(&mut other, &store, |session| session.login("ape").unwrap()).await;
        gate.open();
        assert_eq!(merge.await.unwrap().unwrap(), Lookup::Found(()));
        assert_eq!(read(&own, &store, KEYS).await, MERGED);
        let session = other.session(store.clone()).await.unwrap();
        assert_eq!(session.owner().as_deref(), Some("ape"));
    });
}

/// Two requests merge two sessions in opposite directions: one of them is left, with all values.
#[test]
fn opposite_merges_lose_no_value() {
    RUNTIME.block_on(async {
        let server = Server::new();
        server.backend.takes(Duration::from_millis(1));
        let store = server.store();
        for round in 0..50 {
            let (one, other) = two_sessions(&store).await;
            let (first, second) = (
                Request::of(&one, &store).await,
                Request::of(&other, &store).await,
            );
            let (one_cookie, other_cookie) = (cookie(&one), cookie(&other));
            let merges = tokio::join!(
                first.session.merge(&other_cookie),
                second.session.merge(&one_cookie),
            );
            let left = [
                read(&one, &store, KEYS).await,
                read(&other, &store, KEYS).await,
            ];
            let left: Vec<_> = left.into_iter().flatten().collect();
            assert!(!left.is_empty(), "round {round}: {merges:?}");
            let has_all = |values: &[Option<u64>; 3]| values.iter().all(Option::is_some);
            assert!(
                left.iter().any(has_all),
                "round {round}: {left:?} {merges:?}"
            );
        }
    });
}

/// The other session ends even if the client hangs up after this one was saved.
#[test]
fn a_merge_whose_caller_is_dropped_is_finished() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let (own, other) = two_sessions(&store).await;
        let token = cookie(&other);
        let request = Request::of(&own, &store).await;
        let (gate, merge) = waiting_to_save(&server, &request, token).await;
        merge.abort();
        assert!(merge.await.unwrap_err().is_cancelled());
        gate.open();
        store.drain().await;
        assert_eq!(read(&own, &store, KEYS).await, MERGED);
        assert_eq!(read(&other, &store, KEYS).await, None);
    });
}

#[test]
fn a_value_under_a_reserved_key_is_taken_over() {
    use silverback::backend::{Backend, Expiry, Key, Layout, Memory, Record};
    use silverback::gob::{Composite, Value};

    RUNTIME.block_on(async {
        let layout = crate::in_layout::InLayout::new(Memory::new(), Layout::GorillaClear);
        let rows = std::sync::Arc::new(layout);
        let dialect = Dialect::rbcervilla_redisstore();
        let store = ServerStore::with_options(dialect, rows.clone(), ServerOptions::new()).unwrap();
        let id = "A".repeat(103);
        let mut map = Composite::map_of_interfaces();
        map.insert("_session", "a value of the Go program".into())
            .unwrap();
        let record = Record::new(Value::Composite(map).to_vec(), Expiry::NEVER);
        let _ = rows
            .create(&Key::new(id.as_str()).unwrap(), &record)
            .await
            .unwrap();
        let own = jar_with(&store, |session| session.insert("a", 1)).await;
        let request = Request::of(&own, &store).await;
        assert_eq!(request.session.merge(&id).await.unwrap(), Lookup::Found(()));
        let session = own.session(store.clone()).await.unwrap();
        let values = session.values();
        assert_eq!(values.len(), 2);
        assert_eq!(
            values.get("_session").unwrap(),
            Some("a value of the Go program".to_owned())
        );
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
