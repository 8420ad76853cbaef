//! Law 11: an owner's sessions are revoked during their requests.

use silverback::codec::{Codecs, KeyPair, UnixTime};
use silverback::session::testing::Jar;
use silverback::session::{Error, ServerOptions, Session};

use super::interleavings::on_each_backend;
use super::{RUNTIME, Request, Server, jar_with, native, read, visit};

fn login(session: &Session) -> Result<(), Error> {
    session.login("ape")
}

#[test]
fn law_11_end_others_keeps_a_concurrent_save() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, login).await;
        // The late request runs in another process.
        let late = Request::of(&jar, &server.store()).await;
        let request = Request::of(&jar, &store).await;
        request.session.end_others().unwrap();
        // The calls are a load, a revoke, and then the swap.
        let gate = server.backend.waits_at(2);
        let finished = tokio::spawn(async move { request.finish().await });
        gate.is_reached().await;
        late.session.insert("late", 1).unwrap();
        late.finish().await.unwrap();
        gate.open();
        finished.await.unwrap().unwrap();
        assert_eq!(read(&jar, &store, ["late"]).await, Some([Some(1)]));
        store.end_all("ape").await.unwrap();
        assert_eq!(read(&jar, &store, []).await, None);
    });
}

#[test]
fn law_11_a_request_that_loaded_before_a_revocation_is_gone() {
    type Change = fn(&Session) -> Result<(), Error>;
    // The flag is true if the client gets an error: it requested an end that failed.
    let changes: [(Change, bool); 4] = [
        (|session| session.insert("late", 1), false),
        (|session| session.renew(), false),
        (|session| session.end_others(), true),
        (|_| Ok(()), false),
    ];
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        for (change, is_error) in changes {
            let jar = jar_with(&store, login).await;
            let request = Request::of(&jar, &store).await;
            store.end_all("ape").await.unwrap();
            let since = jar_with(&store, login).await;
            server.clock.pass(600);
            change(&request.session).unwrap();
            match is_error {
                true => assert!(request.finish().await.unwrap_err().is_gone()),
                false => assert_eq!(request.finish().await.unwrap(), [""; 0]),
            }
            assert_eq!(read(&jar, &store, []).await, None);
            assert!(
                read(&since, &store, []).await.is_some(),
                "later logins are kept"
            );
            assert_eq!(store.list("ape").await.unwrap().len(), 1);
            store.end_all("ape").await.unwrap();
        }
    });
}

#[test]
fn law_11_end_others_does_not_undo_a_revocation() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        // The request waits before its load, its revoke, or its save.
        for call in 0..3 {
            let jar = jar_with(&store, login).await;
            let request = Request::of(&jar, &store).await;
            request.session.end_others().unwrap();
            let gate = server.backend.waits_at(call);
            let finished = tokio::spawn(async move { request.finish().await });
            gate.is_reached().await;
            store.end_all("ape").await.unwrap();
            let since = jar_with(&store, login).await;
            gate.open();
            // The request fails unless it has ended the others.
            let finished = finished.await.unwrap();
            assert_eq!(finished.is_err(), call == 0, "{call}");
            assert_eq!(finished.unwrap_or_default(), [""; 0]);
            assert_eq!(read(&jar, &store, []).await, None, "{call}");
            let is_open = read(&since, &store, []).await.is_some();
            assert_eq!(
                is_open,
                call != 1,
                "a login in between may be one of the others"
            );
        }
    });
}

#[test]
fn law_11_two_requests_of_one_session_can_end_the_others() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = jar_with(&store, login).await;
        let phone = jar_with(&store, login).await;
        let request = Request::of(&jar, &store).await;
        request.session.end_others().unwrap();
        // The request revokes after a request of another process has revoked.
        let gate = server.backend.waits_at(1);
        let finished = tokio::spawn(async move { request.finish().await });
        gate.is_reached().await;
        visit(&mut jar, &server.store(), |session| {
            session.end_others().unwrap()
        })
        .await;
        gate.open();
        assert_eq!(finished.await.unwrap().unwrap(), [""; 0]);
        assert!(read(&jar, &store, []).await.is_some());
        assert_eq!(read(&phone, &store, []).await, None);
    });
}

#[test]
fn law_11_end_others_keeps_other_requests_of_the_session() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let mut jar = jar_with(&store, login).await;
        let request = Request::of(&jar, &store).await;
        visit(&mut jar, &store, |session| session.end_others().unwrap()).await;
        request.session.insert("late", 1).unwrap();
        request.session.save().await.unwrap();
        assert_eq!(read(&jar, &store, ["late"]).await, Some([Some(1)]));
    });
}

/// During each call of the renewal, the session exists and is listed once.
#[test]
fn law_11_end_others_keeps_the_session_during_its_renewal() {
    on_each_backend(async |server| {
        let store = server.store();
        for call in 0..2 {
            let mut jar = jar_with(&store, login).await;
            let phone = jar_with(&store, login).await;
            let renewal = Request::of(&jar, &store).await;
            renewal.session.renew().unwrap();
            // The calls are the creation of the new row, and the end of the old one.
            let gate = server.backend.waits_at(call);
            let renewal = tokio::spawn(async move { renewal.finish().await });
            gate.is_reached().await;
            assert_eq!(store.list("ape").await.unwrap().len(), 2);
            // The other request runs in another process: in one process, writes to a session are
            // serialized.
            visit(&mut jar.clone(), &server.store(), |session| {
                session.end_others().unwrap()
            })
            .await;
            assert_eq!(store.list("ape").await.unwrap().len(), 1);
            gate.open();
            for set_cookie in renewal.await.unwrap().unwrap() {
                jar.receive(&set_cookie);
            }
            assert!(read(&jar, &store, []).await.is_some(), "{call}");
            assert_eq!(read(&phone, &store, []).await, None);
            assert_eq!(store.list("ape").await.unwrap().len(), 1);
            store.end_all("ape").await.unwrap();
            assert_eq!(read(&jar, &store, []).await, None);
        }
    });
}

#[test]
fn law_11_the_end_of_one_session_ends_no_later_login() {
    on_each_backend(async |server| {
        let store = server.store();
        let mut jar = jar_with(&store, login).await;
        let id = store.list("ape").await.unwrap()[0].id().to_owned();
        // The calls are a load and then the swap.
        let gate = server.backend.waits_at(1);
        let ending = store.clone();
        let ending = tokio::spawn(async move { ending.end("ape", &id).await });
        gate.is_reached().await;
        // The login runs in another process: in one process, it would wait for the end.
        visit(&mut jar, &server.store(), |session| {
            session.login("bonobo").unwrap()
        })
        .await;
        gate.open();
        assert!(!ending.await.unwrap().unwrap(), "the session was replaced");
        assert_eq!(store.list("ape").await.unwrap().len(), 0);
        assert_eq!(store.list("bonobo").await.unwrap().len(), 1);
        assert!(read(&jar, &store, []).await.is_some());
    });
}

#[test]
fn law_11_end_others_and_a_login_keep_the_new_session() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let other = jar_with(&store, login).await;
        let mut jar = Jar::new();
        visit(&mut jar, &store, |session| {
            session.login("ape").unwrap();
            session.end_others().unwrap();
        })
        .await;
        assert_eq!(read(&other, &store, []).await, None);
        assert_eq!(store.list("ape").await.unwrap().len(), 1);
        visit(&mut jar, &store, |session| session.login("bonobo").unwrap()).await;
        assert!(store.list("ape").await.unwrap().is_empty());
    });
}

#[test]
fn law_11_a_touch_reports_a_revocation_to_a_reader() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, login).await;
        let request = Request::of(&jar, &store).await;
        server.clock.pass(600);
        store.end_all("ape").await.unwrap();
        request.session.save().await.unwrap();
        assert!(request.session.insert("late", 1).unwrap_err().is_gone());
        assert_eq!(request.finish().await.unwrap(), [""; 0]);
    });
}

#[test]
fn law_11_a_session_too_large_revokes_no_owner() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let short = Codecs::from_pairs([KeyPair::generate().unwrap()]).unwrap();
        let rows = native(server.codecs()).row_codec(short);
        let store = server.store_of(rows, ServerOptions::new());
        let phone = jar_with(&store, login).await;
        let jar = jar_with(&store, login).await;
        let request = Request::of(&jar, &store).await;
        request.session.end_others().unwrap();
        request.session.insert("large", "x".repeat(5_000)).unwrap();
        assert!(request.finish().await.unwrap_err().is_too_large());
        for jar in [&phone, &jar] {
            assert!(read(jar, &store, []).await.is_some());
        }
    });
}

/// A renewal that extends the session extends its owner first. A revocation before its last call
/// ends the session and leaves no row.
#[test]
fn law_11_a_revocation_during_a_renewal_ends_the_session() {
    RUNTIME.block_on(async {
        for call in 0..3 {
            let server = Server::new();
            let store = server.store();
            let now = server.now().as_secs();
            let until = |seconds: u64| UnixTime::from_secs(now + seconds);
            let jar = jar_with(&store, |session| {
                session.login("ape")?;
                session.set_deadline(until(600))
            })
            .await;
            let request = Request::of(&jar, &store).await;
            request.session.renew().unwrap();
            request.session.set_deadline(until(1_200)).unwrap();
            let gate = server.backend.waits_at(call);
            let finished = tokio::spawn(async move { request.finish().await });
            gate.is_reached().await;
            store.end_all("ape").await.unwrap();
            gate.open();
            assert_eq!(finished.await.unwrap().unwrap(), [""; 0]);
            let calls = server.backend.calls();
            assert!(
                calls.starts_with("extend ") && calls.contains("create"),
                "{calls}"
            );
            assert_eq!(store.list("ape").await.unwrap().len(), 0);
            assert_eq!(read(&jar, &store, []).await, None);
        }
    });
}

/// A revocation after a login has begun also ends that login, even if its response is a success.
#[test]
fn law_11_a_revocation_during_a_login_ends_the_login() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let gate = server.backend.waits_at(1);
        let login = {
            let store = store.clone();
            tokio::spawn(async move { jar_with(&store, login).await })
        };
        gate.is_reached().await;
        assert_eq!(server.backend.calls(), "begin create");
        store.end_all("ape").await.unwrap();
        gate.open();
        let jar = login.await.unwrap();
        assert_eq!(read(&jar, &store, []).await, None);
        assert_eq!(store.list("ape").await.unwrap().len(), 0);
    });
}
