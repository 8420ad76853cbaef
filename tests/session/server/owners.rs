//! Law 11: the owners of sessions, and the end of all sessions of an owner.

use std::sync::Arc;

use silverback::backend::{Backend, Memory, Outcome, OwnerName};
use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, Error, Lifetime, Refusal, ServerOptions, ServerStore, Session, SessionId,
    StoredSession, Stores,
};

use super::super::client::Browser;
use super::super::site::{Framework, Site};
use super::test_backend::Fault;
use super::{ABSOLUTE, COOKIE, RUNTIME, Request, Server, count, jar_with, read, visit};

for_each_framework!(
    law_11_a_revoked_owner_is_logged_out_everywhere,
    law_11_end_others_keeps_this_session,
    law_11_end_others_applies_even_if_this_session_also_changes,
    law_11_one_session_of_a_list_can_be_ended,
    law_11_a_login_beyond_the_limit_ends_the_oldest_session,
);

fn login(owner: &'static str) -> impl FnOnce(&Session) -> Result<(), Error> {
    move |session| session.login(owner)
}

fn site(store: &ServerStore) -> Site {
    let of_list = store.clone();
    let of_end = store.clone();
    Site::new(store.clone())
        .on("/login", async |sessions| {
            sessions.session().await?.login("ape")?;
            Ok("")
        })
        .on("/who", async |sessions| {
            let session = sessions.session().await?;
            Ok(match session.refusal() {
                Some(refusal) => refusal.to_string(),
                None => session.owner().unwrap_or_default(),
            })
        })
        .on("/others", async |sessions| {
            sessions.session().await?.end_others()?;
            Ok("")
        })
        .on("/renew", async |sessions| {
            sessions.session().await?.renew()?;
            Ok("")
        })
        .on("/count", async |sessions| {
            count(&sessions.session().await?, "count")
        })
        .on("/devices", move |_| {
            let store = of_list.clone();
            async move { Ok(store.list("ape").await?.len()) }
        })
        .on("/end-the-last", move |_| {
            let store = of_end.clone();
            async move {
                let last = store.list("ape").await?.pop().unwrap();
                let stranger = store.end("bonobo", last.id()).await?;
                let ended = store.end("ape", last.id()).await?;
                let again = store.end("ape", last.id()).await?;
                let unknown = store.end("ape", &SessionId::from("")).await?;
                Ok(format!("{stranger} {ended} {again} {unknown}"))
            }
        })
}

fn owner_of(browser: &mut Browser) -> String {
    browser.get("/who").body
}

fn law_11_a_revoked_owner_is_logged_out_everywhere(framework: Framework) {
    let store = Server::new().store();
    let mut browser = site(&store).browse(framework);
    let mut phone = browser.another();
    let mut anonymous = browser.another();
    anonymous.get("/count");
    for one in [&mut browser, &mut phone] {
        one.get("/login");
        assert_eq!(owner_of(one), "ape");
    }
    assert_eq!(anonymous.get("/devices").body, "2");
    RUNTIME.block_on(store.end_all("ape")).unwrap();
    assert_eq!(anonymous.get("/devices").body, "0");
    for one in [&mut browser, &mut phone] {
        assert_eq!(owner_of(one), "gone");
        one.get("/login");
        assert_eq!(owner_of(one), "ape");
    }
    assert_eq!(anonymous.get("/count").body, "2");
}

fn law_11_end_others_keeps_this_session(framework: Framework) {
    let server = Server::new();
    let store = server.store();
    let mut browser = site(&store).browse(framework);
    assert_eq!(browser.get("/others").status, 500, "there is no login");
    let mut phone = browser.another();
    browser.get("/login");
    for _ in 0..2 {
        phone.get("/login");
        let others = browser.get("/others");
        assert_eq!((others.status, others.set_cookies().len()), (200, 0));
        assert_eq!(
            (owner_of(&mut browser), owner_of(&mut phone)),
            ("ape".into(), "gone".into())
        );
        // Later changes of the session do not matter.
        assert_eq!(browser.get("/count").status, 200);
        server.clock.pass(600);
        assert_eq!(owner_of(&mut browser), "ape");
        assert_eq!(browser.get("/renew").set_cookies().len(), 1);
        assert_eq!(owner_of(&mut browser), "ape");
        assert_eq!(browser.get("/devices").body, "1");
    }
    // A later change does not protect the session again.
    RUNTIME.block_on(store.end_all("ape")).unwrap();
    assert_eq!(owner_of(&mut browser), "gone");
}

fn law_11_end_others_applies_even_if_this_session_also_changes(framework: Framework) {
    type Ending = fn(&Session) -> Result<(), Error>;
    let endings: [(&str, Ending, &str, bool); 6] = [
        ("/stay", |_| Ok(()), "ape", false),
        ("/renewed", |session| session.renew(), "ape", true),
        ("/leave", |session| session.logout(), "", true),
        ("/end", |session| session.end(), "", true),
        ("/again", |session| session.login("ape"), "ape", true),
        ("/other", |session| session.login("bonobo"), "bonobo", true),
    ];
    for (path, ending, owner, sets_cookie) in endings {
        let mut browser = site(&Server::new().store())
            .on(path, move |sessions| async move {
                let session = sessions.session().await?;
                session.end_others()?;
                ending(&session)?;
                Ok("")
            })
            .browse(framework);
        let mut phone = browser.another();
        for one in [&mut browser, &mut phone] {
            one.get("/login");
        }
        let response = browser.get(path);
        assert_eq!(response.status, 200, "{path}");
        assert_eq!(!response.set_cookies().is_empty(), sets_cookie, "{path}");
        assert_eq!(
            (owner_of(&mut browser), owner_of(&mut phone)),
            (owner.into(), "gone".into())
        );
        let devices = usize::from(owner == "ape").to_string();
        assert_eq!(browser.get("/devices").body, devices, "{path}");
    }
}

fn law_11_one_session_of_a_list_can_be_ended(framework: Framework) {
    let server = Server::new();
    let mut browser = site(&server.store()).browse(framework);
    browser.get("/login");
    server.clock.pass(60);
    let mut phone = browser.another();
    phone.get("/login");
    // No other owner's session is listed, and each session once.
    let ended = phone.get("/end-the-last").body;
    assert_eq!(ended, "false true false false");
    assert_eq!(
        (owner_of(&mut browser), owner_of(&mut phone)),
        ("gone".into(), "ape".into())
    );
}

fn law_11_a_login_beyond_the_limit_ends_the_oldest_session(framework: Framework) {
    for seconds_between in [0, 1] {
        let server = Server::new();
        let store = server.store_with(ServerOptions::new().max_sessions(3));
        let first = site(&store).browse(framework);
        let mut browsers: Vec<Browser> = Vec::new();
        for number in 0..8 {
            let mut browser = first.another();
            browser.get("/login");
            assert_eq!(owner_of(&mut browser), "ape", "the latest login is kept");
            browsers.push(browser);
            server.clock.pass(seconds_between);
            let devices = (number + 1).min(3).to_string();
            assert_eq!(first.get_with("/devices", []).body, devices);
        }
        let who = browsers
            .iter_mut()
            .map(owner_of)
            .collect::<Vec<_>>()
            .join(" ");
        assert_eq!(who, "gone gone gone gone gone ape ape ape");
    }
}

#[test]
fn law_11_a_login_succeeds_even_if_the_oldest_cannot_be_ended() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store_with(ServerOptions::new().max_sessions(1));
        let first = jar_with(&store, login("ape")).await;
        server.backend.calls();
        // The calls are a begin, a create, keys, a load for each key, and a swap for the oldest.
        let calls = [2, 3, 4, 5];
        for (call, fault) in calls
            .into_iter()
            .flat_map(|call| [(call, Fault::Fails), (call, Fault::LosesRequest)])
        {
            server.backend.at(call, fault);
            let mut jar = Jar::new();
            visit(&mut jar, &store, |session| session.login("ape").unwrap()).await;
            assert!(read(&jar, &store, []).await.is_some(), "{call}");
        }
        jar_with(&store, login("ape")).await;
        assert_eq!(
            store.list("ape").await.unwrap().len(),
            1,
            "the next login ends it"
        );
        assert_eq!(read(&first, &store, []).await, None);
    });
}

#[test]
fn law_11_a_failed_end_does_not_stop_the_other_ends() {
    RUNTIME.block_on(async {
        let server = Server::new();
        for _ in 0..3 {
            jar_with(&server.store(), login("ape")).await;
        }
        let store = server.store_with(ServerOptions::new().max_sessions(1));
        // The calls are a begin, a create, keys, four loads, and then three swaps.
        server.backend.at(7, Fault::Fails);
        jar_with(&store, login("ape")).await;
        assert_eq!(store.list("ape").await.unwrap().len(), 2);
    });
}

#[test]
fn law_11_concurrent_logins_leave_one_session() {
    RUNTIME.block_on(async {
        for _ in 0..20 {
            let server = Server::new();
            let store = server.store_with(ServerOptions::new().max_sessions(1));
            let logins: Vec<_> = (0..4)
                .map(|_| store.clone())
                .map(|store| tokio::spawn(async move { jar_with(&store, login("ape")).await }))
                .collect();
            let mut jars = Vec::new();
            for login in logins {
                jars.push(login.await.unwrap());
            }
            let mut standing = 0;
            for jar in &jars {
                standing += usize::from(read(jar, &store, []).await.is_some());
            }
            assert_eq!(standing, 1);
        }
    });
}

/// A browser that logs in again has two sessions until the previous one has ended.
#[test]
fn law_11_a_browser_that_logs_in_again_counts_once() {
    RUNTIME.block_on(async {
        for is_cut_off in [false, true] {
            let server = Server::new();
            let store = server.store_with(ServerOptions::new().max_sessions(3));
            let oldest = jar_with(&store, login("ape")).await;
            let jar = jar_with(&store, login("ape")).await;
            let anew = Request::of(&jar, &store).await;
            anew.session.login("ape").unwrap();
            // The calls are a begin, a create, and the end of the previous session.
            let gate = server.backend.waits_at(2);
            let anew = tokio::spawn(async move { anew.finish().await });
            gate.is_reached().await;
            if is_cut_off {
                // A login that takes longer than a request is not completed.
                server.clock.pass(61);
            }
            let other = jar_with(&store, login("ape")).await;
            assert_eq!(read(&oldest, &store, []).await.is_none(), is_cut_off);
            gate.open();
            assert_eq!(anew.await.unwrap().unwrap().len(), 1);
            assert!(read(&other, &store, []).await.is_some());
            let left = 3 - usize::from(is_cut_off);
            assert_eq!(store.list("ape").await.unwrap().len(), left);
        }
    });
}

#[test]
fn law_11_no_renewal_ends_newer_sessions_when_fewer_are_allowed() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let mut oldest = jar_with(&server.store(), login("ape")).await;
        server.clock.pass(60);
        let newer = jar_with(&server.store(), login("ape")).await;
        let store = server.store_with(ServerOptions::new().max_sessions(1));
        visit(&mut oldest, &store, |session| session.renew().unwrap()).await;
        assert!(read(&newer, &store, []).await.is_some());
        assert!(read(&oldest, &store, []).await.is_some());
    });
}

#[test]
fn law_11_a_renewal_extends_the_owners_record() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let options = ServerOptions::new().lifetime(Lifetime::new());
        let store = server.store_with(options);
        let mut jar = jar_with(&store, login("ape")).await;
        visit(&mut jar, &store, |session| {
            session.remember(true).unwrap();
            session.renew().unwrap();
        })
        .await;
        let deadline = jar.session(store.clone()).await.unwrap().deadline();
        let until = server.backend.last_owner_expiry();
        let deadline = i64::try_from(deadline.unwrap().as_secs()).unwrap();
        assert!(until.unwrap().as_millis() >= deadline * 1_000);
    });
}

#[test]
fn law_11_a_limit_of_zero_sessions_is_refused() {
    let server = Server::new();
    let options = ServerOptions::new().max_sessions(0);
    let refused = ServerStore::with_options(server.codecs(), Arc::new(Memory::new()), options);
    assert!(refused.err().unwrap().is_usage());
}

#[test]
fn law_11_a_renewal_ends_no_session() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store_with(ServerOptions::new().max_sessions(2));
        let mut jars = Vec::new();
        for _ in 0..2 {
            jars.push(jar_with(&store, login("ape")).await);
        }
        for jar in &mut jars {
            visit(jar, &store, |session| session.renew().unwrap()).await;
        }
        for jar in &jars {
            assert!(read(jar, &store, []).await.is_some());
        }
    });
}

#[test]
fn law_11_a_list_describes_each_session() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let lifetime = Lifetime::new();
        let store = server.store_with(ServerOptions::new().lifetime(lifetime));
        let begin = server.now();
        let laptop = jar_with(&store, |session| {
            session.login("ape")?;
            session.insert("device", "laptop")
        })
        .await;
        server.clock.pass(100);
        jar_with(&store, |session| {
            session.login("ape")?;
            session.remember(true)?;
            session.insert("device", "phone")
        })
        .await;
        jar_with(&store, login("bonobo")).await;
        let list = store.list("ape").await.unwrap();
        let device = |of: &StoredSession| of.values().get::<String>("device").unwrap().unwrap();
        let devices: Vec<String> = list.iter().map(device).collect();
        assert_eq!(devices, ["phone", "laptop"], "the latest login is first");
        let [phone, ours] = &list[..] else { panic!() };
        assert_eq!((phone.is_remembered(), ours.is_remembered()), (true, false));
        assert_eq!(ours.authenticated_at(), Some(begin));
        assert_eq!(
            ours.deadline().unwrap().as_secs(),
            begin.as_secs() + ABSOLUTE
        );
        let session = laptop.session(store.clone()).await.unwrap();
        assert!(ours.is_same_session(&session) && !phone.is_same_session(&session));
        // Its use is saved.
        assert_eq!(ours.last_seen(), begin);
        server.clock.pass(600);
        visit(&mut laptop.clone(), &store, |_| ()).await;
        let seen = store.list("ape").await.unwrap()[1].last_seen();
        assert_eq!(seen, server.now());
    });
}

#[test]
fn law_11_an_expired_session_is_in_no_list() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store();
        let jar = jar_with(&store, login("ape")).await;
        server.clock.pass(super::IDLE);
        let refusal = jar.session(store.clone()).await.unwrap().refusal();
        assert_eq!(refusal, Some(Refusal::Idle));
        assert!(store.list("ape").await.unwrap().is_empty());
    });
}

#[test]
fn law_11_an_owned_session_without_its_owners_record_is_refused() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let jar = jar_with(&server.store(), login("ape")).await;
        let (key, stored) = server.row(&jar, &server.store()).await;
        // The row exists, and the owner's record does not.
        let bare = Arc::new(Memory::new());
        bare.create(&key, &stored.record)
            .await
            .unwrap()
            .saved()
            .unwrap();
        let other = Server {
            backend: super::TestBackend::new(bare),
            ..server.clone()
        };
        let refusal = jar.session(other.store()).await.unwrap().refusal();
        assert_eq!(refusal, Some(Refusal::Gone));
    });
}

#[test]
fn law_11_the_owners_record_outlives_the_last_session() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let lifetime = Lifetime::new();
        let store = server.store_with(ServerOptions::new().lifetime(lifetime));
        let begin = server.now().as_secs();
        let known_for = || {
            let until = server.backend.last_owner_expiry().unwrap().as_millis() / 1_000;
            u64::try_from(until).unwrap() - begin
        };
        let month = 30 * 86_400;
        let mut jar = jar_with(&store, login("ape")).await;
        assert_eq!(known_for(), ABSOLUTE + 60);
        visit(&mut jar, &store, |session| session.remember(true).unwrap()).await;
        assert_eq!(known_for(), month + 60);
        visit(&mut jar, &store, |session| {
            session.remember(false).unwrap();
            session.end_others().unwrap();
        })
        .await;
        assert_eq!(known_for(), ABSOLUTE + 60);
        store.end_all("ape").await.unwrap();
        assert_eq!(known_for(), month + 60, "the longest possible expiry");
    });
}

#[test]
fn law_11_one_revocation_ends_the_sessions_of_all_stores() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let cookie = CookieOptions::new().name("__Host-admin").unwrap();
        let admin = server.store_with(ServerOptions::new().cookie(cookie));
        let users = server.store();
        let jars = [
            jar_with(&admin, login("ape")).await,
            jar_with(&users, login("ape")).await,
        ];
        // Each store lists its own sessions.
        assert_eq!(users.list("ape").await.unwrap().len(), 1);
        let id = admin.list("ape").await.unwrap()[0].id().to_owned();
        assert!(!users.end("ape", &id).await.unwrap());
        users.end_all("ape").await.unwrap();
        assert_eq!(read(&jars[0], &admin, []).await, None);
        assert_eq!(read(&jars[1], &users, []).await, None);
        let stores = Stores::from(users).and(admin).unwrap();
        assert_eq!(
            format!("{stores:?}"),
            format!("[{COOKIE:?}, \"__Host-admin\"]")
        );
    });
}

/// A stale index may name a session that now belongs to another owner, and an attacker who can
/// write rows can add one to another owner's list. A row names its owner twice: in the clear for
/// the backend, and sealed.
#[test]
fn law_11_a_list_contains_only_the_owners_sessions() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let store = server.store_with(ServerOptions::new().max_sessions(1));
        let ape = jar_with(&store, login("ape")).await;
        let bonobo = jar_with(&store, login("bonobo")).await;
        let (key, stored) = server.row(&bonobo, &store).await;
        let id = std::str::from_utf8(key.as_bytes()).unwrap();
        let owners = async || {
            let listed = store.list("ape").await.unwrap();
            let owners = listed
                .iter()
                .map(|session| session.owner().map(str::to_owned));
            owners.collect::<Vec<_>>()
        };
        server.backend.lists(key.clone());
        assert_eq!(owners().await, [Some("ape".to_owned())]);
        assert!(
            !store.end("ape", &SessionId::from(id)).await.unwrap(),
            "the session belongs to another owner"
        );
        // The limit is one session for each owner: a second login of ape ends the first.
        let again = jar_with(&store, login("ape")).await;
        assert_eq!(read(&ape, &store, []).await, None);
        assert!(read(&bonobo, &store, []).await.is_some());
        // The owner in the clear is forged.
        let (_, of_ape) = server.row(&again, &store).await;
        let apes = of_ape.record.owner().unwrap().clone();
        let forged = stored.record.owned_by(apes);
        let swapped = store.backend().swap(&key, &stored.revision, &forged).await;
        assert!(matches!(swapped.unwrap(), Outcome::Done(_)));
        assert_eq!(owners().await, [Some("ape".to_owned())]);
        assert!(!store.end("ape", &SessionId::from(id)).await.unwrap());
    });
}

#[test]
fn an_owner_name_too_long_to_index_is_a_usage_error() {
    RUNTIME.block_on(async {
        let store = Server::new().store();
        let longest = "x".repeat(OwnerName::MAX_LEN);
        let jar = jar_with(&store, |session| session.login(&*longest)).await;
        assert_eq!(store.list(&longest).await.unwrap().len(), 1);
        store.end_all(&longest).await.unwrap();
        assert_eq!(read(&jar, &store, []).await, None);
        for refused in [String::new(), longest + "x"] {
            let login = jar_with(&store, |session| session.insert("a", 1)).await;
            let session = login.session(store.clone()).await.unwrap();
            for error in [
                session.login(&*refused).unwrap_err(),
                session.login_keeping_values(&*refused).unwrap_err(),
                store.list(&refused).await.unwrap_err(),
                store.end_all(&refused).await.unwrap_err(),
            ] {
                assert!(error.is_usage(), "{error}");
                assert!(error.to_string().contains("1 to 512"), "{error}");
            }
            assert_eq!(
                session.get::<u64>("a").unwrap(),
                Some(1),
                "the session is unchanged"
            );
        }
    });
}
