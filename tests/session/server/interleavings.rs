//! Two requests of one session in difficult orders: one loads it, another runs completely, and then
//! the first continues. In memory and in files.

use std::path::Path;
use std::sync::Arc;

use silverback::backend::{Files, Generation, Memory};
use silverback::codec::UnixTime;
use silverback::session::testing::Jar;
use silverback::session::{Error, Lifetime, Refusal, ServerOptions, ServerStore, Session};

use super::{ABSOLUTE, IDLE, RUNTIME, Request, Server, count, jar_with, read, visit};

/// Runs a test with records in memory, and with records in files.
pub(super) fn on_each_backend(test: impl AsyncFn(Server)) {
    let unique = Generation::random().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique.to_string());
    RUNTIME.block_on(async {
        test(Server::over(Arc::new(Memory::new()))).await;
        test(Server::over(Arc::new(Files::open(&folder).unwrap()))).await;
    });
    std::fs::remove_dir_all(folder).unwrap();
}

pub(super) type Change = fn(&Session) -> Result<(), Error>;

/// Returns a request that has loaded a session of visits before a second request ran `theirs`
/// completely.
pub(super) async fn loaded_before(
    store: &ServerStore,
    theirs: impl FnOnce(&Session) -> Result<(), Error>,
) -> (Jar, Request, Jar) {
    let jar = jar_with(store, |session| session.insert("visits", 1)).await;
    let request = Request::of(&jar, store).await;
    let mut theirs_jar = jar.clone();
    visit(&mut theirs_jar, store, |session| theirs(session).unwrap()).await;
    (jar, request, theirs_jar)
}

const ENDS: [Change; 2] = [|session| session.end(), |session| session.logout()];

pub(super) const RENEWAL: Change = |session| session.renew();

#[test]
fn law_4_a_save_does_not_undo_a_logout() {
    let saves: [Change; 6] = [
        |session| session.insert("late", 1),
        |session| count(session, "visits").map(drop),
        |session| session.clear(),
        |session| session.add_flash("late"),
        |session| session.renew(),
        |session| session.set_deadline(UnixTime::now()),
    ];
    on_each_backend(async |server| {
        let store = server.store();
        for (end, save) in ENDS
            .into_iter()
            .flat_map(|end| saves.map(|save| (end, save)))
        {
            let (jar, request, theirs) = loaded_before(&store, end).await;
            let left = read(&theirs, &store, ["visits", "late"]).await;
            save(&request.session).unwrap();
            let mut again = Request::of(&jar, &store).await;
            assert_eq!(again.session.refusal(), Some(Refusal::Gone));
            assert_eq!(request.finish().await.unwrap(), [""; 0]);
            again = Request::of(&jar, &store).await;
            assert_eq!(again.session.refusal(), Some(Refusal::Gone));
            assert_eq!(read(&theirs, &store, ["visits", "late"]).await, left);
        }
    });
}

#[test]
fn law_4_a_gone_session_is_an_error_and_writes_nothing() {
    on_each_backend(async |server| {
        let store = server.store();
        for end in ENDS {
            let (_, request, _) = loaded_before(&store, end).await;
            let session = &request.session;
            session.insert("late", 1).unwrap();
            assert!(session.save().await.unwrap_err().is_gone());
            server.backend.calls();
            let refused = [
                session.insert("later", 1).unwrap_err(),
                session.renew().unwrap_err(),
                session.logout().unwrap_err(),
                session.save().await.unwrap_err(),
                session.transact(|_| Ok(())).await.unwrap_err(),
            ];
            assert!(refused.iter().all(Error::is_gone), "{refused:?}");
            assert_eq!(refused[0].status(), 409);
            session.end().unwrap();
            assert_eq!(request.finish().await.unwrap(), [""; 0]);
            assert_eq!(server.backend.calls(), "");
        }
    });
}

#[test]
fn law_4_a_touch_does_not_undo_a_logout_or_renewal() {
    on_each_backend(async |server| {
        let store = server.store();
        for end in ENDS.into_iter().chain([RENEWAL]) {
            let (_, request, _) = loaded_before(&store, end).await;
            server.clock.pass(600);
            server.backend.calls();
            assert_eq!(request.finish().await.unwrap(), [""; 0]);
            assert_eq!(server.backend.calls(), "touch");
        }
    });
}

#[test]
fn law_4_a_login_on_a_gone_session_starts_with_empty_values() {
    on_each_backend(async |server| {
        let store = server.store();
        let logins: [Change; 2] = [
            |session| session.login("ape"),
            |session| session.login_keeping_values("ape"),
        ];
        for (end, login) in ENDS
            .into_iter()
            .flat_map(|end| logins.map(|login| (end, login)))
        {
            // With and without a save that reports the end first.
            for knows in [false, true] {
                let (mut jar, request, _) = loaded_before(&store, end).await;
                request.session.insert("late", 1).unwrap();
                if knows {
                    assert!(request.session.save().await.unwrap_err().is_gone());
                }
                login(&request.session).unwrap();
                request.session.insert("new", 1).unwrap();
                request.finish_into(&mut jar).await;
                let [visits, new] = read(&jar, &store, ["visits", "new"]).await.unwrap();
                assert_eq!((visits, new), (None, Some(1)), "{knows}");
            }
        }
    });
}

#[test]
fn law_4_an_earlier_request_does_not_write_to_a_later_login() {
    on_each_backend(async |server| {
        let store = server.store();
        let logins: [Change; 2] = [
            |session| session.login("ape"),
            |session| session.login_keeping_values("ape"),
        ];
        for login in logins {
            let (_, request, theirs) = loaded_before(&store, login).await;
            request.session.insert("planted", 1).unwrap();
            assert_eq!(request.finish().await.unwrap(), [""; 0]);
            assert_eq!(read(&theirs, &store, ["planted"]).await, Some([None]));
        }
    });
}

#[test]
fn law_5_a_renewal_keeps_concurrent_values() {
    on_each_backend(async |server| {
        let store = server.store();
        let (mut jar, request, theirs) = loaded_before(&store, |session| {
            session.insert("theirs", 1)?;
            count(session, "visits").map(drop)
        })
        .await;
        count(&request.session, "visits").unwrap();
        request.session.renew().unwrap();
        let old = request.session.id();
        request.finish_into(&mut jar).await;
        assert_ne!(request.session.id(), old);
        let read_new = read(&jar, &store, ["visits", "theirs"]).await;
        assert_eq!(read_new, Some([Some(3), Some(1)]));
        assert_eq!(
            read(&theirs, &store, []).await,
            None,
            "the old ID is refused"
        );
    });
}

#[test]
fn law_5_a_logout_ends_a_concurrently_renewed_session() {
    on_each_backend(async |server| {
        let store = server.store();
        let renewals: [Change; 3] = [
            |session| session.renew(),
            |session| session.login("ape"),
            |session| session.login_keeping_values("ape"),
        ];
        for (renew, end) in renewals
            .into_iter()
            .flat_map(|renew| [ENDS[0], ENDS[1]].map(|end| (renew, end)))
        {
            let (_, request, mut theirs) = loaded_before(&store, renew).await;
            // A second renewal follows, and a request that already has the new ID.
            visit(&mut theirs, &store, |session| session.renew().unwrap()).await;
            let late = Request::of(&theirs, &store).await;
            end(&request.session).unwrap();
            let removal = request.finish().await.unwrap();
            assert!(removal[0].contains("Max-Age=0"), "{removal:?}");
            assert_eq!(read(&theirs, &store, []).await, None);
            late.session.insert("late", 1).unwrap();
            assert_eq!(late.finish().await.unwrap(), [""; 0]);
        }
    });
}

#[test]
fn law_5_a_logout_after_a_logout_removes_no_cookie() {
    on_each_backend(async |server| {
        let store = server.store();
        for end in [ENDS[0], ENDS[1]] {
            let (_, request, _) = loaded_before(&store, |session| session.end()).await;
            end(&request.session).unwrap();
            // The browser may already have another cookie.
            assert_eq!(request.finish().await.unwrap(), [""; 0]);
        }
    });
}

#[test]
fn law_5_the_last_of_two_logins_wins() {
    on_each_backend(async |server| {
        let store = server.store();
        for keeping in [false, true] {
            let (mut jar, request, theirs) =
                loaded_before(&store, |session| session.login("bonobo")).await;
            match keeping {
                true => request.session.login_keeping_values("ape").unwrap(),
                false => request.session.login("ape").unwrap(),
            }
            request.finish_into(&mut jar).await;
            let session = jar.session(store.clone()).await.unwrap();
            assert_eq!(session.owner().as_deref(), Some("ape"));
            // The session of that request has already ended.
            assert_eq!(session.get::<u64>("visits").unwrap(), None);
            assert_eq!(read(&theirs, &store, []).await, None);
            assert!(store.list("bonobo").await.unwrap().is_empty());
        }
    });
}

#[test]
fn law_5_a_login_keeping_values_keeps_concurrent_values() {
    on_each_backend(async |server| {
        let store = server.store();
        let saves: [Change; 2] = [
            |session| session.insert("theirs", 1),
            // The other request may also renew the ID.
            |session| session.insert("theirs", 1).and_then(|()| session.renew()),
        ];
        for save in saves {
            let (mut jar, request, theirs) = loaded_before(&store, save).await;
            count(&request.session, "visits").unwrap();
            request.session.login_keeping_values("ape").unwrap();
            count(&request.session, "visits").unwrap();
            request.finish_into(&mut jar).await;
            let read_new = read(&jar, &store, ["visits", "theirs"]).await;
            assert_eq!(read_new, Some([Some(3), Some(1)]));
            assert_eq!(read(&theirs, &store, []).await, None);
        }
    });
}

#[test]
fn law_5_a_login_that_drops_values_drops_concurrent_values() {
    on_each_backend(async |server| {
        let store = server.store();
        let (mut jar, request, theirs) =
            loaded_before(&store, |session| session.insert("planted", 1)).await;
        request.session.login("ape").unwrap();
        request.finish_into(&mut jar).await;
        let read_new = read(&jar, &store, ["visits", "planted"]).await;
        assert_eq!(read_new, Some([None, None]));
        assert_eq!(read(&theirs, &store, []).await, None);
    });
}

#[test]
fn law_9_a_renewed_cookie_respects_a_concurrent_remember() {
    on_each_backend(async |server| {
        let options = ServerOptions::new().lifetime(Lifetime::new());
        let store = server.store_with(options);
        let (mut jar, request, _) = loaded_before(&store, |session| session.remember(true)).await;
        request.session.renew().unwrap();
        let set = request.finish().await.unwrap();
        assert!(set[0].contains("; Max-Age="), "{set:?}");
        jar.receive(&set[0]);
        let request = Request::of(&jar, &store).await;
        visit(&mut jar, &store, |session| session.remember(false).unwrap()).await;
        request.session.renew().unwrap();
        let set = request.finish().await.unwrap();
        assert!(!set[0].contains("Max-Age"), "{set:?}");
    });
}

#[test]
fn law_7_a_deadline_survives_a_concurrent_save() {
    on_each_backend(async |server| {
        let store = server.store();
        let after = |seconds| UnixTime::from_secs(server.now().as_secs() + seconds);
        let jar = jar_with(&store, |session| session.insert("visits", 1)).await;
        server.clock.pass(600);
        // A session that begins now may last longer than the previous one.
        let mut jars = [jar.clone(), jar];
        let [ours, theirs] = &mut jars;
        let request = Request::of(ours, &store).await;
        visit(theirs, &store, |session| {
            session.insert("theirs", 1).unwrap()
        })
        .await;
        request.session.login_keeping_values("ape").unwrap();
        request.session.set_deadline(after(ABSOLUTE)).unwrap();
        request.finish_into(ours).await;
        let session = ours.session(store.clone()).await.unwrap();
        assert_eq!(session.deadline(), Some(after(ABSOLUTE)));
        assert_eq!(session.get::<u64>("theirs").unwrap(), Some(1));
    });
}

#[test]
fn law_7_a_deadline_is_cut_to_a_concurrent_limit() {
    on_each_backend(async |server| {
        let options = ServerOptions::new().lifetime(Lifetime::new());
        let store = server.store_with(options);
        let after = |seconds| UnixTime::from_secs(server.now().as_secs() + seconds);
        let mut jar = jar_with(&store, |session| session.remember(true)).await;
        let request = Request::of(&jar, &store).await;
        let week = after(7 * 86_400);
        request.session.set_deadline(week).unwrap();
        visit(&mut jar, &store, |session| session.remember(false).unwrap()).await;
        request.finish_into(&mut jar).await;
        assert_eq!(request.session.deadline(), Some(after(ABSOLUTE)));
        let session = jar.session(store.clone()).await.unwrap();
        assert_eq!(session.deadline(), Some(after(ABSOLUTE)));
    });
}

#[test]
fn law_6_a_save_after_a_concurrent_touch_reads_the_row_again() {
    on_each_backend(async |server| {
        let store = server.store();
        let theirs: [Change; 2] = [|session| session.insert("theirs", 1), |_| Ok(())];
        for theirs in theirs {
            let mut jar = jar_with(&store, |session| session.insert("visits", 1)).await;
            let request = Request::of(&jar, &store).await;
            server.clock.pass(600);
            visit(&mut jar, &store, |session| theirs(session).unwrap()).await;
            server.backend.calls();
            request.session.save().await.unwrap();
            count(&request.session, "visits").unwrap();
            request.finish_into(&mut jar).await;
            assert_eq!(server.backend.calls(), "touch load swap");
            assert_eq!(read(&jar, &store, ["visits"]).await, Some([Some(2)]));
        }
    });
}

#[test]
fn law_7_the_later_of_two_uses_is_saved() {
    on_each_backend(async |server| {
        let store = server.store();
        let (mut jar, request, _) =
            loaded_before(&store, |session| session.insert("theirs", 1)).await;
        server.clock.pass(600);
        request.session.insert("ours", 1).unwrap();
        request.finish_into(&mut jar).await;
        server.clock.pass(IDLE - 1);
        let keys = ["ours", "theirs"];
        assert_eq!(read(&jar, &store, keys).await, Some([Some(1); 2]));
    });
}

#[test]
fn law_1_a_write_after_a_touch_is_one_swap() {
    on_each_backend(async |server| {
        let store = server.store();
        let jar = jar_with(&store, |session| session.insert("visits", 1)).await;
        let request = Request::of(&jar, &store).await;
        server.clock.pass(600);
        server.backend.calls();
        request.session.save().await.unwrap();
        request.session.save().await.unwrap();
        count(&request.session, "visits").unwrap();
        request.finish().await.unwrap();
        assert_eq!(server.backend.calls(), "touch swap");
    });
}
