//! One request that changes its session several times, and saves more than once.

use silverback::codec::Codec;
use silverback::session::testing::Jar;
use silverback::session::{Lifetime, ServerOptions};

use super::{COOKIE, RUNTIME, Request, Server, jar_with, read, visit};

#[test]
fn a_second_save_does_not_revoke_again() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, |session| session.login("ape")).await;
        let request = Request::of(&jar, &store).await;
        server.backend.calls();
        request.session.end_others().unwrap();
        request.session.save().await.unwrap();
        request.session.insert("a", 1).unwrap();
        request.finish().await.unwrap();
        assert_eq!(server.backend.calls(), "load revoke swap swap");
    });
}

#[test]
fn the_owners_record_is_extended_once() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let lifetime = Lifetime::new();
        let store = server.store_with(ServerOptions::new().lifetime(lifetime));
        let jar = jar_with(&store, |session| session.login("ape")).await;
        let request = Request::of(&jar, &store).await;
        server.backend.calls();
        request.session.remember(true).unwrap();
        request.session.save().await.unwrap();
        request.session.insert("a", 1).unwrap();
        assert_eq!(request.finish().await.unwrap().len(), 1);
        assert_eq!(server.backend.calls(), "extend swap swap");
    });
}

#[test]
fn a_renewed_cookie_keeps_the_first_date() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = Jar::new();
        let request = Request::of(&jar, &store).await;
        let begin = server.now();
        request.session.insert("a", 1).unwrap();
        request.session.save().await.unwrap();
        server.clock.pass(100);
        request.session.renew().unwrap();
        request.finish_into(&mut jar).await;
        let cookie = jar.get(COOKIE).unwrap();
        let opened = server
            .codecs()
            .open_at(COOKIE, cookie, server.now())
            .unwrap();
        assert_eq!(opened.issued_at(), begin);
    });
}

#[test]
fn the_id_is_that_of_the_saved_session() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let request = Request::of(&Jar::new(), &store).await;
        let session = &request.session;
        assert_eq!(session.id(), None);
        session.insert("a", 1).unwrap();
        assert_eq!(session.id(), None);
        session.save().await.unwrap();
        let first = session.id().unwrap();
        session.renew().unwrap();
        assert_eq!(
            session.id().as_ref(),
            Some(&first),
            "the ID is kept until the save"
        );
        session.save().await.unwrap();
        assert_ne!(session.id().unwrap(), first);
        session.login("ape").unwrap();
        assert_eq!(session.id(), None, "the session is another one");
        session.save().await.unwrap();
        session.logout().unwrap();
        assert_eq!(session.id(), None);
    });
}

#[test]
fn a_second_login_keeps_the_values_after_the_first() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = jar_with(&store, |session| session.insert("a", 1)).await;
        let request = Request::of(&jar, &store).await;
        visit(&mut jar, &store, |session| {
            session.insert("planted", 1).unwrap()
        })
        .await;
        request.session.login("ape").unwrap();
        request.session.insert("between", 1).unwrap();
        request.session.login_keeping_values("bonobo").unwrap();
        request.finish_into(&mut jar).await;
        let keys = ["a", "planted", "between"];
        assert_eq!(read(&jar, &store, keys).await, Some([None, None, Some(1)]));
    });
}

#[test]
fn sessions_can_end_and_begin_in_each_order() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let mut jar = jar_with(&store, |session| session.login("ape")).await;
        let old = jar.clone();
        let request = Request::of(&jar, &store).await;
        let session = &request.session;
        session.logout().unwrap();
        session.save().await.unwrap();
        assert_eq!(read(&old, &store, []).await, None);
        session.insert("farewell", 1).unwrap();
        session.save().await.unwrap();
        session.login("bonobo").unwrap();
        session.save().await.unwrap();
        session.end().unwrap();
        session.save().await.unwrap();
        assert!(session.insert("late", 1).unwrap_err().is_closed());
        session.login("gibbon").unwrap();
        let set = request.finish().await.unwrap();
        assert_eq!(set.len(), 1, "{set:?}");
        jar.receive(&set[0]);
        let last = jar.session(store.clone()).await.unwrap();
        assert_eq!(last.owner().as_deref(), Some("gibbon"));
        for owner in ["ape", "bonobo"] {
            assert!(store.list(owner).await.unwrap().is_empty(), "{owner}");
        }
    });
}
