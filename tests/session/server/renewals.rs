//! Renewals with concurrent requests that have the old ID: requests that loaded the session before
//! continue, and later requests open no session and never replace the new cookie.

use std::time::Duration;

use silverback::codec::UnixTime;
use silverback::session::testing::Jar;
use silverback::session::{Refusal, ServerOptions, Session};

use super::super::client::Browser;
use super::super::site::Framework;
use super::interleavings::{Change, RENEWAL, loaded_before, on_each_backend};
use super::laws::{MOVED, site};
use super::{COOKIE, IDLE, RUNTIME, Request, Server, count, jar_with, read, visit};

for_each_framework!(a_late_request_never_replaces_a_good_cookie);

const LOGINS: [Change; 2] = [
    |session| session.login("ape"),
    |session| session.login_keeping_values("ape"),
];

/// Returns a time before the absolute limit.
fn in_an_hour() -> UnixTime {
    UnixTime::from_secs(UnixTime::now().as_secs() + 3_600)
}

fn remembering() -> ServerOptions {
    ServerOptions::new()
}

#[test]
fn law_4_a_save_follows_a_renewal() {
    type Holds = fn(&Session) -> bool;
    let saves: [(Change, Holds); 7] = [
        (
            |session| session.insert("late", 1),
            |session| session.contains("late"),
        ),
        (
            |session| count(session, "visits").map(drop),
            |session| session.get("visits").unwrap() == Some(2_u64),
        ),
        (
            |session| session.clear(),
            |session| session.keys().is_empty(),
        ),
        (
            |session| session.add_flash("late"),
            |session| session.contains("_flash"),
        ),
        (
            |session| session.remember(true),
            |session| session.is_remembered(),
        ),
        (
            |session| session.set_deadline(in_an_hour()),
            |session| session.deadline() <= Some(in_an_hour()),
        ),
        // The ID is already new: the other response contains it.
        (RENEWAL, |session| session.contains("visits")),
    ];
    on_each_backend(async |server| {
        let store = server.store_with(remembering());
        for (save, holds) in saves {
            let (jar, request, theirs) = loaded_before(&store, RENEWAL).await;
            save(&request.session).unwrap();
            assert_eq!(request.finish().await.unwrap(), [""; 0]);
            assert!(holds(&theirs.session(store.clone()).await.unwrap()));
            let late = Request::of(&jar, &store).await;
            assert_eq!(late.session.refusal(), Some(Refusal::Moved));
        }
    });
}

#[test]
fn law_4_remember_after_a_renewal_is_sent_with_the_next_response() {
    on_each_backend(async |server| {
        let store = server.store_with(remembering());
        let (_, request, theirs) = loaded_before(&store, RENEWAL).await;
        request.session.remember(true).unwrap();
        assert_eq!(request.finish().await.unwrap(), [""; 0]);
        // A page that writes nothing sets the cookie again, with the remaining lifetime.
        let next = Request::of(&theirs, &store).await;
        let [set] = &next.finish().await.unwrap()[..] else {
            panic!("the cookie is not set again");
        };
        assert!(set.contains("; Max-Age=2592000"), "{set}");
        assert!(set.starts_with(&format!("{COOKIE}=")));
        let after = Request::of(&theirs, &store).await;
        assert_eq!(after.finish().await.unwrap(), [""; 0], "once");
    });
}

/// The request may or may not have saved before.
#[test]
fn law_4_a_cookie_from_before_a_renewal_is_not_sent_after_it() {
    on_each_backend(async |server| {
        let store = server.store();
        let mut theirs = jar_with(&store, |session| session.insert("visits", 1)).await;
        let request = Request::of(&theirs, &store).await;
        request.session.remember(true).unwrap();
        request.session.save().await.unwrap();
        visit(&mut theirs, &store, |session| session.renew().unwrap()).await;
        count(&request.session, "visits").unwrap();
        assert_eq!(request.finish().await.unwrap(), [""; 0]);
        assert_eq!(read(&theirs, &store, ["visits"]).await, Some([Some(2)]));
    });
}

#[test]
fn law_4_a_due_cookie_is_sent_with_a_later_response() {
    on_each_backend(async |server| {
        let store = server.store();
        for saves_first in [false, true] {
            let (_, request, theirs) = loaded_before(&store, RENEWAL).await;
            let session = &request.session;
            if saves_first {
                count(session, "visits").unwrap();
                session.save().await.unwrap();
            }
            session.remember(true).unwrap();
            session.save().await.unwrap();
            count(session, "visits").unwrap();
            assert_eq!(request.finish().await.unwrap(), [""; 0]);
            let next = Request::of(&theirs, &store).await.finish().await.unwrap();
            assert!(next[0].contains("Max-Age=2592000"), "{next:?}");
        }
    });
}

#[test]
fn law_4_a_late_logout_after_a_login_is_an_error() {
    on_each_backend(async |server| {
        let store = server.store();
        let ends: [Change; 3] = [
            |session| session.logout(),
            |session| session.end(),
            |session| {
                session.logout()?;
                session.add_flash("Goodbye.")
            },
        ];
        for end in ends {
            let (jar, _, theirs) = loaded_before(&store, LOGINS[0]).await;
            let late = Request::of(&jar, &store).await;
            end(&late.session).unwrap();
            assert_eq!(late.finish().await.unwrap_err().status(), 409);
            assert!(read(&theirs, &store, []).await.is_some());
        }
    });
}

#[test]
fn law_4_many_renewals_cause_no_error() {
    on_each_backend(async |server| {
        let store = server.store();
        let (old, _, mut theirs) = loaded_before(&store, RENEWAL).await;
        for _ in 0..20 {
            visit(&mut theirs, &store, |session| session.renew().unwrap()).await;
        }
        let late = Request::of(&old, &store).await;
        assert_eq!(late.session.refusal(), Some(Refusal::Moved));
        assert_eq!(late.finish().await.unwrap(), [""; 0]);
    });
}

#[test]
fn law_4_a_request_that_loaded_before_a_renewal_can_save() {
    on_each_backend(async |server| {
        let store = server.store();
        let (_, request, mut theirs) = loaded_before(&store, RENEWAL).await;
        let session = &request.session;
        count(session, "visits").unwrap();
        session.save().await.unwrap();
        // The session is renewed again.
        visit(&mut theirs, &store, |session| session.renew().unwrap()).await;
        session
            .transact(|values| values.insert("more", 1))
            .await
            .unwrap();
        count(session, "visits").unwrap();
        assert_eq!(
            session.id(),
            theirs.session(store.clone()).await.unwrap().id()
        );
        assert_eq!(request.finish().await.unwrap(), [""; 0]);
        assert_eq!(
            read(&theirs, &store, ["visits", "more"]).await,
            Some([Some(3), Some(1)])
        );
    });
}

#[test]
fn law_4_a_logout_after_a_renewal_ends_the_session() {
    let ends: [Change; 3] = [
        |session| session.logout(),
        |session| session.end(),
        |session| {
            session.logout()?;
            session.add_flash("Goodbye.")
        },
    ];
    on_each_backend(async |server| {
        let store = server.store();
        for end in ends {
            let (jar, request, theirs) = loaded_before(&store, RENEWAL).await;
            // The request loaded the session before the renewal, or arrives after it.
            end(&request.session).unwrap();
            assert_eq!(request.finish().await.unwrap().len(), 1);
            assert_eq!(read(&theirs, &store, []).await, None);

            let (jar_of_late, _, theirs) = loaded_before(&store, RENEWAL).await;
            let late = Request::of(&jar_of_late, &store).await;
            end(&late.session).unwrap();
            assert_eq!(late.finish().await.unwrap(), [""; 0]);
            assert_eq!(read(&theirs, &store, []).await, None);
            drop(jar);
        }
    });
}

#[test]
fn law_11_end_others_after_a_renewal_ends_the_others() {
    on_each_backend(async |server| {
        let store = server.store();
        let phone = jar_with(&store, |session| session.login("ape")).await;
        let mut jar = jar_with(&store, |session| session.login("ape")).await;
        let request = Request::of(&jar, &store).await;
        visit(&mut jar, &store, |session| session.renew().unwrap()).await;
        request.session.end_others().unwrap();
        assert_eq!(request.finish().await.unwrap(), [""; 0]);
        assert_eq!(read(&phone, &store, []).await, None);
        assert!(read(&jar, &store, []).await.is_some());
        assert_eq!(store.list("ape").await.unwrap().len(), 1);
        store.end_all("ape").await.unwrap();
    });
}

/// Writes that are dropped if the ID has moved.
const WRITES: [Change; 6] = [
    |session| session.insert("late", 1),
    |session| count(session, "visits").map(drop),
    |session| session.add_flash("late"),
    |session| session.remember(true),
    |session| session.renew(),
    |session| session.set_deadline(in_an_hour()),
];

#[test]
fn law_4_a_write_with_an_old_id_sets_no_cookie() {
    on_each_backend(async |server| {
        let store = server.store_with(remembering());
        for moves in LOGINS.into_iter().chain([RENEWAL]) {
            let (jar, _, theirs) = loaded_before(&store, moves).await;
            let left = read(&theirs, &store, ["visits", "late"]).await;
            for write in WRITES {
                let late = Request::of(&jar, &store).await;
                let session = &late.session;
                assert_eq!(session.refusal(), Some(Refusal::Moved));
                assert!(session.is_new() && session.owner().is_none() && session.id().is_none());
                assert!(session.keys().is_empty());
                write(session).unwrap();
                assert!(session.save().await.unwrap_err().is_gone());
                let change = session.transact(|values| values.insert("late", 1)).await;
                assert!(change.unwrap_err().is_gone());
                let fields = late.sessions.finish().await.unwrap().unwrap();
                assert!(fields.set_cookies().is_empty());
                assert_eq!(
                    fields.cache_control(["private, max-age=60"]),
                    Some("no-store")
                );
            }
            assert_eq!(read(&theirs, &store, ["visits", "late"]).await, left);
        }
    });
}

#[test]
fn law_4_a_login_with_an_old_id_makes_a_separate_session() {
    on_each_backend(async |server| {
        let store = server.store();
        for moves in LOGINS.into_iter().chain([RENEWAL]) {
            for login in LOGINS {
                let (mut jar, _, theirs) = loaded_before(&store, moves).await;
                let late = Request::of(&jar, &store).await;
                late.session.insert("late", 1).unwrap();
                login(&late.session).unwrap();
                late.session.insert("new", 1).unwrap();
                late.finish_into(&mut jar).await;
                let own = read(&jar, &store, ["visits", "late", "new"]).await;
                assert_eq!(own, Some([None, None, Some(1)]));
                // It replaces the renewed session, but not another login.
                let is_replaced = read(&theirs, &store, []).await.is_none();
                let was_renewed = store.list("ape").await.unwrap().len() == 1;
                assert_eq!(is_replaced, was_renewed);
                store.end_all("ape").await.unwrap();
            }
        }
    });
}

#[test]
fn law_4_a_tombstone_expires_after_the_longest_request() {
    on_each_backend(async |server| {
        let options = ServerOptions::new().longest_request(Duration::from_secs(1));
        let store = server.store_with(options);
        let (jar, _, _) = loaded_before(&store, RENEWAL).await;
        std::thread::sleep(Duration::from_millis(2_100));
        let late = Request::of(&jar, &store).await;
        assert_eq!(late.session.refusal(), Some(Refusal::Gone));
        // No browser sends this ID legitimately any more: the client should remove it.
        let removal = late.finish().await.unwrap();
        assert!(removal[0].contains("Max-Age=0"), "{removal:?}");
    });
}

const GRACE: u64 = 10;

fn with_grace() -> ServerOptions {
    remembering().renewal_grace(Duration::from_secs(GRACE))
}

/// Returns a jar with a login and visits from before its renewal, and one from after it.
async fn renewed_login(store: &silverback::session::ServerStore) -> (Jar, Jar) {
    let old = jar_with(store, |session| {
        session.login("ape")?;
        session.insert("visits", 1)
    })
    .await;
    let mut new = old.clone();
    visit(&mut new, store, |session| session.renew().unwrap()).await;
    (old, new)
}

#[test]
fn a_renewal_grace_reads_the_current_session() {
    on_each_backend(async |server| {
        let store = server.store_with(with_grace());
        let (old, mut new) = renewed_login(&store).await;
        visit(&mut new, &store, |session| {
            count(session, "visits").unwrap()
        })
        .await;
        visit(&mut new, &store, |session| session.renew().unwrap()).await;
        for write in WRITES {
            let late = Request::of(&old, &store).await;
            let session = &late.session;
            assert_eq!(session.refusal(), Some(Refusal::Moved));
            assert_eq!(session.owner().as_deref(), Some("ape"));
            assert_eq!(session.get::<u64>("visits").unwrap(), Some(2));
            write(session).unwrap();
            assert!(session.save().await.unwrap_err().is_gone());
            assert_eq!(late.finish().await.unwrap(), [""; 0]);
        }
        // A live handle is not available after the response.
        let late = Request::of(&old, &store).await;
        assert!(late.session.live().unwrap_err().is_gone());
        // A read alone writes nothing, and does not count as use.
        server.clock.pass(GRACE);
        let late = Request::of(&old, &store).await;
        assert_eq!(late.session.owner().as_deref(), Some("ape"));
        server.backend.calls();
        assert_eq!(late.finish().await.unwrap(), [""; 0]);
        assert_eq!(server.backend.calls(), "");
        // A failed end is an error.
        let late = Request::of(&old, &store).await;
        late.session.end_others().unwrap();
        assert!(late.finish().await.unwrap_err().is_gone());
        assert_eq!(read(&new, &store, ["visits"]).await, Some([Some(2)]));
        server.clock.pass(1);
        let late = Request::of(&old, &store).await;
        assert_eq!(late.session.owner(), None, "the grace has ended");
        store.end_all("ape").await.unwrap();
    });
}

#[test]
fn a_renewal_grace_never_applies_to_a_login_or_an_end() {
    let ends: [Change; 5] = [
        |session| session.login("ape"),
        |session| session.login_keeping_values("bonobo"),
        |session| session.logout(),
        |session| session.end(),
        |session| {
            session.logout()?;
            session.insert("anonymous", 1)
        },
    ];
    on_each_backend(async |server| {
        let store = server.store_with(with_grace());
        let sees = async |jar: &Jar| {
            let session = jar.session(store.clone()).await.unwrap();
            session.owner().is_some() || !session.keys().is_empty()
        };
        for end in ends {
            let (old, mut new) = renewed_login(&store).await;
            assert!(sees(&old).await);
            visit(&mut new, &store, |session| end(session).unwrap()).await;
            assert!(!sees(&old).await);
            store.end_all("ape").await.unwrap();
        }
        let (old, _) = renewed_login(&store).await;
        store.end_all("ape").await.unwrap();
        assert!(!sees(&old).await, "revoked");
        // The grace does not apply to the renewal of a session without a login.
        let (old, _, _) = loaded_before(&store, RENEWAL).await;
        assert!(!sees(&old).await, "anonymous");
        let (old, _, _) = loaded_before(&store, LOGINS[1]).await;
        assert!(!sees(&old).await, "a login");
    });
}

#[test]
fn a_renewal_grace_is_no_longer_than_the_longest_request() {
    let server = Server::new();
    let options = ServerOptions::new()
        .longest_request(Duration::from_secs(5))
        .renewal_grace(Duration::from_secs(6));
    let backend = std::sync::Arc::new(server.backend.clone());
    let refused = silverback::session::ServerStore::with_options(server.codecs(), backend, options);
    assert!(refused.unwrap_err().is_usage());
}

#[test]
fn with_fail_when_gone_lost_changes_are_an_error() {
    RUNTIME.block_on(async {
        for fails in [false, true] {
            let options = match fails {
                true => ServerOptions::new().fail_when_gone(),
                false => ServerOptions::new(),
            };
            let store = Server::new().store_with(options);
            let ends: [Change; 2] = [|session| session.end(), LOGINS[0]];
            for end in ends {
                let (_, request, _) = loaded_before(&store, end).await;
                request.session.insert("late", 1).unwrap();
                assert_eq!(request.finish().await.is_err(), fails);
            }
            let (jar, _, _) = loaded_before(&store, RENEWAL).await;
            let late = Request::of(&jar, &store).await;
            late.session.insert("late", 1).unwrap();
            let finished = late.finish().await;
            assert_eq!(finished.is_err_and(|error| error.status() == 409), fails);
            // A request that only reads loses nothing.
            let late = Request::of(&jar, &store).await;
            assert_eq!(late.finish().await.unwrap(), [""; 0]);
        }
    });
}

#[test]
fn a_passive_request_does_not_count_as_use() {
    on_each_backend(async |server| {
        let store = server.store();
        let idle_at = |session: &Session| session.idle_at().unwrap().as_secs();
        for (is_passive, refusal) in [(true, Some(Refusal::Idle)), (false, None)] {
            let jar = jar_with(&store, |session| session.insert("visits", 1)).await;
            server.clock.pass(IDLE - 1);
            let poll = Request::of(&jar, &store).await;
            if is_passive {
                poll.session.passive();
            }
            assert_eq!(poll.finish().await.unwrap(), [""; 0]);
            server.clock.pass(1);
            let session = jar.session(store.clone()).await.unwrap();
            assert_eq!(session.refusal(), refusal);
        }

        // Its writes are saved and do not count as use; the same holds for sessions that it loads
        // later.
        let mut jar = jar_with(&store, |session| session.insert("visits", 1)).await;
        let before = idle_at(&jar.session(store.clone()).await.unwrap());
        server.clock.pass(IDLE / 2);
        let sessions = jar.sessions(store.clone());
        sessions.passive();
        count(&sessions.session().await.unwrap(), "visits").unwrap();
        sessions.finish().await.unwrap();
        let session = jar.session(store.clone()).await.unwrap();
        assert_eq!(
            (idle_at(&session), session.get("visits").unwrap()),
            (before, Some(2_u64))
        );
        visit(&mut jar, &store, |_| ()).await;
        let session = jar.session(store.clone()).await.unwrap();
        assert_eq!(idle_at(&session), server.now().as_secs() + IDLE);
    });
}

fn a_late_request_never_replaces_a_good_cookie(framework: Framework) {
    let server = Server::new();
    let mut browser: Browser = site(server.store_with(remembering())).browse(framework);
    for path in ["/renew", "/login", "/login-keeping"] {
        browser.get("/count");
        let mut late = browser.clone();
        browser.get(path);
        for write in ["/count", "/renew", "/remember", "/read", "/id", "/nothing"] {
            let response = late.get(write);
            assert_eq!(
                (response.status, response.set_cookies().len()),
                (200, 0),
                "{write}"
            );
            assert_eq!(response.cache_control(), ["no-store"], "{write}");
        }
        assert_eq!(late.get("/read").body, MOVED);
        assert_ne!(browser.get("/id").body, "", "{path}");
    }
}
