//! Law 11: an owner's sessions are revoked while their requests are at work.

use silverback::codec::{Codecs, KeyPair, UnixTime};
use silverback::session::testing::Jar;
use silverback::session::{Error, ServerOptions, Session};

use super::orders::on_each_backend;
use super::{RUNTIME, Request, Server, jar_with, native, read, visit};

fn login(session: &Session) -> Result<(), Error> {
    session.login("ape")
}

#[test]
fn law_11_saved_by_others_between_a_revocation_and_what_it_spares() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, login).await;
        // In another process.
        let late = Request::of(&jar, &server.store()).await;
        let request = Request::of(&jar, &store).await;
        request.session.end_others().unwrap();
        // Look, revoke, and then the swap.
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
fn law_11_who_loaded_before_a_revocation_is_gone() {
    type Change = fn(&Session) -> Result<(), Error>;
    // With whether the client is told by an error: it asked for an end that did not come.
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
            assert!(read(&since, &store, []).await.is_some(), "it ends nobody");
            assert_eq!(store.list("ape").await.unwrap().len(), 1);
            store.end_all("ape").await.unwrap();
        }
    });
}

#[test]
fn law_11_a_revocation_is_not_overtaken_by_one_that_spares() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        // Whatever it waits for: to look, to revoke, or to save.
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
            // An error unless it has ended the others.
            let finished = finished.await.unwrap();
            assert_eq!(finished.is_err(), call == 0, "{call}");
            assert_eq!(finished.unwrap_or_default(), [""; 0]);
            assert_eq!(read(&jar, &store, []).await, None, "{call}");
            let lives = read(&since, &store, []).await.is_some();
            assert_eq!(
                lives,
                call != 1,
                "who came between may be one of the others"
            );
        }
    });
}

#[test]
fn law_11_two_requests_of_one_session_end_the_others() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = jar_with(&store, login).await;
        let phone = jar_with(&store, login).await;
        let request = Request::of(&jar, &store).await;
        request.session.end_others().unwrap();
        // It revokes after a request of another process did.
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
fn law_11_end_others_spares_the_other_requests_of_the_session() {
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

/// Whichever of its calls the renewal has come to: the session is there, and is listed, once.
#[test]
fn law_11_end_others_spares_the_session_while_it_is_renewed() {
    on_each_backend(async |server| {
        let store = server.store();
        for call in 0..2 {
            let mut jar = jar_with(&store, login).await;
            let phone = jar_with(&store, login).await;
            let renewal = Request::of(&jar, &store).await;
            renewal.session.renew().unwrap();
            // The creation of the new row, and the end of the old one.
            let gate = server.backend.waits_at(call);
            let renewal = tokio::spawn(async move { renewal.finish().await });
            gate.is_reached().await;
            assert_eq!(store.list("ape").await.unwrap().len(), 2);
            // In another process: in one, requests of a session write one after the other.
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
fn law_11_the_end_of_one_device_ends_no_login_that_has_replaced_it() {
    on_each_backend(async |server| {
        let store = server.store();
        let mut jar = jar_with(&store, login).await;
        let id = store.list("ape").await.unwrap()[0].id().to_owned();
        // Look, and then the swap.
        let gate = server.backend.waits_at(1);
        let ending = store.clone();
        let ending = tokio::spawn(async move { ending.end("ape", &id).await });
        gate.is_reached().await;
        // In another process: in one, the login would wait for the end.
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
fn law_11_who_only_reads_finds_that_it_was_revoked_when_it_is_touched() {
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
fn law_11_what_cannot_be_written_revokes_nobody() {
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

/// A renewal that makes the session last longer extends its owner first. A revocation at any
/// moment before its last call ends it, and no row of it lives.
#[test]
fn law_11_a_revocation_while_a_session_is_renewed_ends_it() {
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

/// A login whose owner is revoked after it has begun has ended with the others, whatever it was
/// answered.
#[test]
fn law_11_a_revocation_after_a_login_has_begun_ends_it() {
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
