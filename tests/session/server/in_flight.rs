//! Changes of a session during a save.

use silverback::session::testing::Jar;
use silverback::session::{Error, Session};

use super::test_backend::Fault;
use super::{RUNTIME, Request, Server, count, jar_with, read, visit};

/// Saves a request, and runs `change` before its n-th backend call.
async fn while_saving(
    server: &Server,
    request: &Request,
    call: usize,
    change: impl FnOnce(&Session),
) -> Result<(), Error> {
    let gate = server.backend.waits_at(call);
    let saving = tokio::spawn({
        let session = request.session.clone();
        async move { session.save().await }
    });
    gate.is_reached().await;
    change(&request.session);
    gate.open();
    saving.await.unwrap()
}

#[test]
fn a_change_during_a_save_is_saved_next() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let request = Request::of(&jar, &store).await;
        count(&request.session, "a").unwrap();
        let saved = while_saving(&server, &request, 0, |session| {
            count(session, "a").unwrap();
            count(session, "b").unwrap();
        });
        saved.await.unwrap();
        request.finish_into(&mut jar).await;
        assert_eq!(
            read(&jar, &store, ["a", "b"]).await,
            Some([Some(3), Some(1)])
        );
    });
}

#[test]
fn a_change_during_a_conflict_loses_no_update() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let request = Request::of(&jar, &store).await;
        count(&request.session, "a").unwrap();
        visit(&mut jar, &store, |session| {
            count(session, "a").unwrap();
            count(session, "theirs").unwrap();
        })
        .await;
        // The calls are a swap, a load, and the swap of the merged result.
        let saved = while_saving(&server, &request, 2, |session| {
            count(session, "a").unwrap();
            session.insert("mine", 1).unwrap();
        });
        saved.await.unwrap();
        assert!(
            request.session.contains("mine"),
            "the handle keeps the unsaved change"
        );
        visit(&mut jar, &store, |session| {
            count(session, "theirs").unwrap()
        })
        .await;
        request.finish_into(&mut jar).await;
        let read = read(&jar, &store, ["a", "theirs"]).await;
        assert_eq!(read, Some([Some(4), Some(2)]));
    });
}

#[test]
fn a_login_during_a_save_keeps_concurrent_values() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let request = Request::of(&jar, &store).await;
        count(&request.session, "a").unwrap();
        visit(&mut jar, &store, |session| {
            count(session, "theirs").unwrap()
        })
        .await;
        let saved = while_saving(&server, &request, 2, |session| {
            session.login_keeping_values("ape").unwrap();
            count(session, "a").unwrap();
        });
        saved.await.unwrap();
        request.finish_into(&mut jar).await;
        let read = read(&jar, &store, ["a", "theirs"]).await;
        assert_eq!(read, Some([Some(3), Some(1)]));
    });
}

#[test]
fn a_login_on_a_gone_session_keeps_no_value() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = jar_with(&store, |session| session.insert("theirs", 1)).await;
        let request = Request::of(&jar, &store).await;
        count(&request.session, "a").unwrap();
        visit(&mut jar.clone(), &store, |session| session.end().unwrap()).await;
        let saved = while_saving(&server, &request, 0, |session| {
            session.login_keeping_values("ape").unwrap();
        });
        assert!(saved.await.unwrap_err().is_gone());
        request.finish_into(&mut jar).await;
        let read = read(&jar, &store, ["theirs"]).await;
        assert_eq!(read, Some([None]), "the login starts with empty values");
    });
}

#[test]
fn a_renewal_during_a_save_is_saved_next() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let old = jar.clone();
        let request = Request::of(&jar, &store).await;
        count(&request.session, "a").unwrap();
        visit(&mut jar, &store, |session| {
            count(session, "theirs").unwrap()
        })
        .await;
        let saved = while_saving(&server, &request, 2, |session| {
            session.renew().unwrap();
            count(session, "a").unwrap();
        });
        saved.await.unwrap();
        request.finish_into(&mut jar).await;
        assert_eq!(read(&old, &store, ["a"]).await, None);
        let read = read(&jar, &store, ["a", "theirs"]).await;
        assert_eq!(read, Some([Some(3), Some(1)]));
    });
}

#[test]
fn a_renewal_during_a_renewal_makes_another_id() {
    type Change = fn(&Session) -> Result<(), Error>;
    let changes: [Change; 2] = [|session| session.renew(), |session| session.login("ape")];
    for change in changes {
        RUNTIME.block_on(async {
            let server = Server::new();
            let store = server.store();
            let mut jar = jar_with(&store, |session| session.insert("a", 1)).await;
            let request = Request::of(&jar, &store).await;
            change(&request.session).unwrap();
            request.session.insert("b", 1).unwrap();
            let saved = while_saving(&server, &request, 1, |session| session.renew().unwrap());
            saved.await.unwrap();
            let first = request.session.id();
            assert_eq!(
                read(&jar, &store, ["a"]).await,
                None,
                "the old ID opens no session"
            );
            request.finish_into(&mut jar).await;
            assert_ne!(jar.session(store.clone()).await.unwrap().id(), first);
            assert_eq!(read(&jar, &store, ["b"]).await, Some([Some(1)]));
        });
    }
}

#[test]
fn an_end_during_a_save_ends_the_session() {
    type End = fn(&Session) -> Result<(), Error>;
    let ends: [End; 2] = [|session| session.logout(), |session| session.end()];
    for (end, is_login) in ends.into_iter().flat_map(|end| [(end, false), (end, true)]) {
        RUNTIME.block_on(async {
            let server = Server::new();
            let store = server.store();
            let jar = jar_with(&store, |session| session.insert("a", 1)).await;
            let request = Request::of(&jar, &store).await;
            match is_login {
                true => request.session.login("ape").unwrap(),
                false => request.session.insert("a", 2).unwrap(),
            }
            let saved = while_saving(&server, &request, 0, |session| end(session).unwrap());
            saved.await.unwrap();
            let set = request.finish().await.unwrap();
            assert!(set.len() == 1 && set[0].contains("Max-Age=0"), "{set:?}");
            assert_eq!(read(&jar, &store, ["a"]).await, None);
            let left = store.list("ape").await.unwrap();
            assert!(left.is_empty(), "{left:?}");
        });
    }
}

#[test]
fn an_end_of_a_gone_session_removes_no_cookie() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let request = Request::of(&jar, &store).await;
        request.session.insert("a", 2).unwrap();
        visit(&mut jar.clone(), &store, |session| session.end().unwrap()).await;
        let saved = while_saving(&server, &request, 0, |session| session.logout().unwrap());
        assert!(saved.await.unwrap_err().is_gone());
        // The browser may already have another cookie.
        assert_eq!(request.finish().await.unwrap(), [""; 0]);
    });
}

#[test]
fn a_write_during_a_logout_is_in_another_session() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let old = jar.clone();
        let request = Request::of(&jar, &store).await;
        request.session.logout().unwrap();
        let saved = while_saving(&server, &request, 0, |session| {
            session.insert("b", 1).unwrap();
        });
        saved.await.unwrap();
        request.finish_into(&mut jar).await;
        assert_eq!(read(&old, &store, ["a"]).await, None);
        assert_eq!(read(&jar, &store, ["a", "b"]).await, Some([None, Some(1)]));
    });
}

#[test]
fn a_login_during_a_login_replaces_it() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = Jar::new();
        let request = Request::of(&jar, &store).await;
        request.session.login("ape").unwrap();
        let saved = while_saving(&server, &request, 1, |session| {
            session.login("bonobo").unwrap();
        });
        saved.await.unwrap();
        request.finish_into(&mut jar).await;
        let session = jar.session(store.clone()).await.unwrap();
        assert_eq!(session.owner().as_deref(), Some("bonobo"));
        assert!(store.list("ape").await.unwrap().is_empty());
    });
}

/// Runs a transaction, and runs `change` before its n-th backend call.
async fn while_transacting(
    server: &Server,
    request: &Request,
    call: usize,
    change: impl FnOnce(&Session),
) -> Result<(), Error> {
    let gate = server.backend.and_waits_at(call);
    let saving = tokio::spawn({
        let session = request.session.clone();
        async move { session.transact(|values| values.insert("bought", 1)).await }
    });
    gate.is_reached().await;
    change(&request.session);
    gate.open();
    saving.await.unwrap()
}

#[test]
fn a_failed_transaction_undoes_no_later_change() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let request = Request::of(&jar, &store).await;
        visit(&mut jar, &store, |session| {
            session.insert("a", "text").unwrap()
        })
        .await;
        count(&request.session, "a").unwrap();
        // After a swap and a load, the change fails on the new value.
        server.backend.calls();
        let failed = while_transacting(&server, &request, 1, |session| {
            session.insert("mine", 1).unwrap();
        });
        assert!(failed.await.unwrap_err().is_wrong_type());
        assert!(request.session.contains("mine"));
    });
}

#[test]
fn a_transaction_does_not_restore_a_gone_session() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let request = Request::of(&jar, &store).await;
        visit(&mut jar.clone(), &store, |session| session.end().unwrap()).await;
        let session = &request.session;
        let gone = session.transact(|values| values.insert("bought", 1)).await;
        assert!(gone.unwrap_err().is_gone());
        assert!(session.insert("late", 1).unwrap_err().is_gone());
        assert_eq!(request.finish().await.unwrap(), [""; 0]);
    });
}

#[test]
fn a_transaction_of_unknown_outcome_is_not_repeated() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let request = Request::of(&jar, &store).await;
        server.backend.at(0, Fault::LosesReply);
        server.backend.and_at(1, Fault::Fails);
        let session = &request.session;
        let unknown = session.transact(|values| values.insert("bought", 1)).await;
        assert!(unknown.unwrap_err().is_outcome_unknown());
        assert!(session.insert("late", 1).unwrap_err().is_outcome_unknown());
        assert!(request.finish().await.unwrap_err().is_outcome_unknown());
        assert_eq!(
            read(&jar, &store, ["bought", "late"]).await,
            Some([Some(1), None])
        );
    });
}
