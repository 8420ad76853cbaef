//! The laws as a browser sees them: no unnecessary write or cookie, no adopted ID, and a new cookie
//! only when it changes.

use std::sync::{Arc, Mutex};

use silverback::codec::{Codec, KeyPair};
use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, Lifetime, ServerOptions, ServerStore, Session, Sessions, Stores,
};

use super::super::client::Browser;
use super::super::site::{Framework, Site};
use super::super::support::codecs;
use super::{
    ABSOLUTE, COOKIE, IDLE, RUNTIME, Request, Server, count, jar_with, native, read, visit,
};

for_each_framework!(
    law_1_no_write_makes_no_row_and_no_cookie,
    law_1_each_change_makes_only_the_necessary_calls,
    law_1_a_read_costs_no_write_until_a_tenth_of_the_idle_limit,
    law_1_a_session_is_saved_once,
    law_3_an_unknown_id_is_never_adopted,
    law_3_a_login_drops_the_values_of_the_anonymous_session,
    law_4_the_old_cookie_opens_nothing,
    law_9_the_cookie_is_set_when_it_changes,
    law_9_a_removal_repeats_the_cookie,
    law_10_one_id_sealed_by_two_keys_is_one_session,
    law_10_cookies_of_two_sessions_open_no_session,
    law_12_a_stale_cookie_is_sealed_again_with_its_date,
    several_stores_share_one_backend,
);

pub(super) const MOVED: &str = "moved to another ID";

/// A site with a path for each change of the session.
pub(super) fn site(stores: impl Into<Stores>) -> Site {
    type Change = fn(&Session) -> Result<(), silverback::session::Error>;
    let changes: [(&str, Change); 8] = [
        ("/login", |session| session.login("ape")),
        ("/login-keeping", |session| {
            session.login_keeping_values("ape")
        }),
        ("/renew", |session| session.renew()),
        ("/logout", |session| session.logout()),
        ("/end", |session| session.end()),
        ("/remember", |session| session.remember(true)),
        ("/forget", |session| session.remember(false)),
        ("/nothing", |session| {
            session.remove("nothing")?;
            session.clear()?;
            session.flashes::<String>()?;
            session.remember(false)
        }),
    ];
    let site = Site::new(stores)
        .on("/none", async |_| Ok(""))
        .on("/count", async |sessions| {
            count(&sessions.session().await?, "count")
        })
        .on("/read", async |sessions| {
            let session = sessions.session().await?;
            Ok(match (session.refusal(), session.get::<u64>("count")?) {
                (Some(refusal), _) => refusal.to_string(),
                (None, count) => format!("{} {:?}", count.unwrap_or_default(), session.owner()),
            })
        })
        .on("/id", async |sessions| {
            Ok(sessions
                .session()
                .await?
                .id()
                .map_or_else(String::new, |id| id.to_string()))
        });
    changes.into_iter().fold(site, |site, (path, change)| {
        site.on(path, move |sessions: Sessions| async move {
            change(&sessions.session().await?)?;
            Ok("")
        })
    })
}

fn browse(server: &Server, framework: Framework) -> Browser {
    let lifetime = Lifetime::new();
    site(server.store_with(ServerOptions::new().lifetime(lifetime))).browse(framework)
}

fn law_1_no_write_makes_no_row_and_no_cookie(framework: Framework) {
    let server = Server::new();
    let mut browser = browse(&server, framework);
    for path in ["/none", "/read", "/nothing", "/logout", "/end"] {
        let response = browser.get(path);
        assert_eq!(
            (response.status, response.set_cookies().len()),
            (200, 0),
            "{path}"
        );
        assert_eq!(server.backend.calls(), "", "{path}");
    }
    browser.get("/count");
    server.backend.calls();
    assert!(browser.get("/none").set_cookies().is_empty());
    assert_eq!(server.backend.calls(), "");
    assert!(browser.get("/read").set_cookies().is_empty());
    assert_eq!(server.backend.calls(), "load");
}

fn law_1_each_change_makes_only_the_necessary_calls(framework: Framework) {
    let server = Server::new();
    let mut browser = browse(&server, framework);
    for (path, calls, cookies) in [
        ("/count", "create", 1),
        ("/read", "load", 0),
        ("/count", "load swap", 0),
        ("/renew", "load create swap", 1),
        ("/login", "load begin create swap", 1),
        ("/read", "load", 0),
        ("/count", "load swap", 0),
        ("/renew", "load create swap", 1),
        ("/remember", "load extend swap", 1),
        ("/forget", "load swap", 1),
        ("/end", "load swap", 1),
        ("/count", "create", 1),
        ("/logout", "load swap", 1),
        ("/login", "begin create", 1),
    ] {
        server.backend.calls();
        let response = browser.get(path);
        assert_eq!(
            (response.status, response.set_cookies().len()),
            (200, cookies),
            "{path}"
        );
        assert_eq!(server.backend.calls(), calls, "{path}");
    }
}

fn law_1_a_read_costs_no_write_until_a_tenth_of_the_idle_limit(framework: Framework) {
    let server = Server::new();
    let mut browser = browse(&server, framework);
    browser.get("/count");
    for _ in 0..3 {
        server.clock.pass(IDLE / 10 - 1);
        server.backend.calls();
        browser.get("/read");
        assert_eq!(server.backend.calls(), "load");
        server.clock.pass(1);
        browser.get("/none");
        assert_eq!(server.backend.calls(), "", "the session was not requested");
        assert!(browser.get("/read").set_cookies().is_empty());
        assert_eq!(server.backend.calls(), "load touch");
        browser.get("/read");
        assert_eq!(server.backend.calls(), "load", "once");
    }
}

fn law_1_a_session_is_saved_once(framework: Framework) {
    let server = Server::new();
    let leaked: Arc<Mutex<Option<Session>>> = Arc::default();
    let leak = leaked.clone();
    let mut browser = site(server.store())
        .on("/often", move |sessions| {
            let leak = leak.clone();
            async move {
                let (one, other) = (sessions.session().await?, sessions.session().await?);
                for session in [&one, &other, &one] {
                    count(session, "count")?;
                }
                *leak.lock().unwrap() = Some(one);
                Ok("")
            }
        })
        .on("/early", async |sessions| {
            let session = sessions.session().await?;
            count(&session, "count")?;
            session.save().await?;
            session.save().await?;
            let transaction = session.transact(|values| {
                let count = values.get::<u64>("count")?.unwrap_or_default();
                values.insert("count", count + 10)?;
                Ok(count)
            });
            transaction.await
        })
        .browse(framework);
    assert_eq!(browser.get("/often").set_cookies().len(), 1);
    assert_eq!(server.backend.calls(), "create");
    let session = leaked.lock().unwrap().take().unwrap();
    assert!(session.insert("late", 1).unwrap_err().is_closed());
    assert!(RUNTIME.block_on(session.save()).unwrap_err().is_closed());
    assert_eq!(server.backend.calls(), "");
    assert_eq!(browser.get("/early").body, "4");
    assert_eq!(server.backend.calls(), "load swap swap");
    assert_eq!(browser.get("/read").body, "14 None");
}

fn law_3_an_unknown_id_is_never_adopted(framework: Framework) {
    let server = Server::new();
    let mut browser = browse(&server, framework);
    // Such IDs come from another backend with the same keys, are ended, or are idle for too long.
    let elsewhere = Server {
        backend: Server::new().backend,
        ..server.clone()
    };
    let mut other = browse(&elsewhere, framework);
    other.get("/count");
    browser.jar = other.jar.clone();
    type End = fn(&Server, &mut Browser);
    // The number is that of the removals: while the tombstone exists, the client may already have a
    // good cookie.
    let refusals: [(&str, usize, End); 3] = [
        ("gone", 1, |_, _| ()),
        ("gone", 0, |_, browser| {
            let kept = browser.jar.clone();
            browser.get("/end");
            browser.jar = kept;
        }),
        ("idle for too long", 1, |server, _| server.clock.pass(IDLE)),
    ];
    for (refusal, removals, end) in refusals {
        end(&server, &mut browser);
        let planted = browser.jar.get(COOKIE).unwrap().to_owned();
        let response = browser.clone().get("/read");
        assert_eq!(
            (&*response.body, response.set_cookies().len()),
            (refusal, removals)
        );
        let mut victim = browser.clone();
        for (path, one) in [("/count", &mut browser), ("/login", &mut victim)] {
            assert_eq!(one.get(path).set_cookies().len(), 1, "{path}");
            assert_ne!(one.jar.get(COOKIE).unwrap(), planted);
            let mut thief = one.another();
            thief.jar.set(COOKIE, &planted);
            assert_eq!(thief.get("/read").body, refusal);
        }
    }
}

fn law_3_a_login_drops_the_values_of_the_anonymous_session(framework: Framework) {
    let mut browser = browse(&Server::new(), framework);
    browser.get("/count");
    let mut planted = browser.clone();
    let mut keeping = browser.another();
    keeping.get("/count");
    let anonymous = keeping.clone();
    for (one, path, read) in [
        (&mut browser, "/login", "0 Some(\"ape\")"),
        (&mut keeping, "/login-keeping", "1 Some(\"ape\")"),
    ] {
        let id = one.get("/id").body;
        assert_eq!(one.get(path).set_cookies().len(), 1);
        assert_eq!(one.get("/read").body, read);
        let new_id = one.get("/id").body;
        assert!(!new_id.is_empty() && new_id != id);
    }
    // A client that planted the session does not see the login.
    assert_eq!(planted.get("/read").body, MOVED);
    assert_eq!(anonymous.clone().get("/read").body, MOVED);
}

fn law_4_the_old_cookie_opens_nothing(framework: Framework) {
    let mut browser = browse(&Server::new(), framework);
    for (path, refusal) in [
        ("/renew", MOVED),
        ("/login", MOVED),
        ("/login-keeping", MOVED),
        ("/logout", "gone"),
        ("/end", "gone"),
    ] {
        browser.get("/count");
        let mut old = browser.clone();
        assert_eq!(browser.get(path).set_cookies().len(), 1);
        assert_eq!(old.get("/read").body, refusal, "{path}");
        // A logout with the old cookie removes it, unless the client has another cookie by now.
        let removals = usize::from(refusal == "gone");
        assert_eq!(old.get("/logout").set_cookies().len(), removals, "{path}");
        // It ends the renewed session, but not the session of a later login.
        let left = browser.clone().get("/read").body;
        assert_eq!(left == "gone", path == "/renew", "{path}");
        browser.get("/logout");
        browser.jar.remove(COOKIE);
    }
}

fn law_9_the_cookie_is_set_when_it_changes(framework: Framework) {
    let mut browser = browse(&Server::new(), framework);
    let set = browser.get("/count").set_cookies()[0].to_owned();
    let (value, rest) = set.split_once(';').unwrap();
    assert!(value.starts_with("__Host-id=MT"));
    assert_eq!(rest, " Path=/; HttpOnly; Secure; SameSite=Lax");
    for (path, expected) in [
        ("/count", None),
        ("/renew", Some(None)),
        ("/remember", Some(Some(30 * 86_400))),
        ("/count", None),
        ("/renew", Some(Some(30 * 86_400))),
        ("/forget", Some(None)),
        ("/login", Some(None)),
        ("/count", None),
    ] {
        let response = browser.get(path);
        let max_age = |set: &&str| {
            let (_, after) = set.split_once("Max-Age=")?;
            after.split(';').next()?.parse::<u64>().ok()
        };
        let set = response.set_cookies();
        assert_eq!(set.first().map(max_age), expected, "{path}");
        let cached = if set.is_empty() {
            "private, no-cache"
        } else {
            "no-store"
        };
        assert_eq!(response.cache_control(), [cached], "{path}");
        assert_eq!(response.all("vary"), ["Cookie"]);
    }
}

fn law_9_a_removal_repeats_the_cookie(framework: Framework) {
    let cookie = CookieOptions::new().name("sid").unwrap();
    let cookie = cookie.path("/").unwrap().domain("example.com").unwrap();
    let options = ServerOptions::new().cookie(cookie);
    let mut browser = site(Server::new().store_with(options)).browse(framework);
    browser.get("/count");
    let removed = browser.get("/end");
    let flags = "Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax; Max-Age=0; \
                 Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    assert_eq!(removed.set_cookies(), [format!("sid=; {flags}")]);
}

/// Returns stores under an old key, and under a new key that knows the old one.
fn rotated(server: &Server) -> [ServerStore; 2] {
    let new = KeyPair::generate().unwrap();
    let old = server.pair.clone();
    let chain = codecs([new, old.clone()]);
    [codecs([old]), chain].map(|codecs| server.store_of(native(codecs), ServerOptions::new()))
}

fn law_10_one_id_sealed_by_two_keys_is_one_session(framework: Framework) {
    let server = Server::new();
    let [old, new] = rotated(&server);
    let mut browser = site(old).browse(framework);
    browser.get("/count");
    let stale = browser.jar.cookie();
    let mut later = site(new).browse(framework);
    later.jar = browser.jar.clone();
    assert_eq!(later.get("/count").set_cookies().len(), 1);
    let fresh = later.jar.cookie();
    assert_ne!(stale, fresh);
    for two in [format!("{stale}; {fresh}"), format!("{fresh}; {stale}")] {
        let response = later.get_with("/read", [("Cookie", &*two)]);
        assert_eq!(
            (&*response.body, response.set_cookies().len()),
            ("2 None", 0)
        );
    }
}

fn law_10_cookies_of_two_sessions_open_no_session(framework: Framework) {
    let server = Server::new();
    let mut browser = browse(&server, framework);
    let mut other = browser.another();
    browser.get("/count");
    other.get("/count");
    let two = format!("{}; {}", browser.jar.cookie(), other.jar.cookie());
    let response = browser.get_with("/read", [("Cookie", &*two)]);
    assert_eq!(response.body, "several valid cookies");
    server.backend.calls();
    // Only a login is saved. Under this name no other host can set a cookie, so no cookie is
    // removed.
    let response = browser.get_with("/count", [("Cookie", &*two)]);
    assert_eq!((&*response.body, response.set_cookies().len()), ("1", 0));
    assert_eq!(server.backend.calls(), "load load");
    let response = browser.get_with("/login", [("Cookie", &*two)]);
    assert_eq!(response.status, 200);
    assert!(
        response
            .set_cookies()
            .last()
            .unwrap()
            .starts_with("__Host-id=MT")
    );
    let calls = server.backend.calls();
    assert!(calls.ends_with("create"), "{calls}");
    // One session has ended: the cookies open the other one.
    other.get("/end");
    let response = browser.get_with("/read", [("Cookie", &*two)]);
    assert_eq!(
        (&*response.body, response.set_cookies().len()),
        ("1 None", 0)
    );
}

fn law_12_a_stale_cookie_is_sealed_again_with_its_date(framework: Framework) {
    let server = Server::new();
    let new = KeyPair::generate().unwrap();
    let chain = codecs([new.clone(), server.pair.clone()]);
    let store_of = |codecs| server.store_of(native(codecs), ServerOptions::new());
    let mut browser = site(server.store()).browse(framework);
    browser.get("/login");
    let sealed_at = server.now();
    let jar = browser.jar.clone();
    server.clock.pass(IDLE / 10 - 1);
    let mut browser = site(store_of(chain.clone())).browse(framework);
    browser.jar = jar;
    assert!(
        browser.get("/read").set_cookies().is_empty(),
        "no value is saved"
    );
    let mut touched = browser.clone();
    assert_eq!(browser.get("/count").set_cookies().len(), 1);
    server.clock.pass(IDLE / 10);
    assert_eq!(touched.get("/read").set_cookies().len(), 1, "a touch");
    for browser in [&mut browser, &mut touched] {
        let cookie = browser.jar.get(COOKIE).unwrap();
        let opened = chain.open_at(COOKIE, cookie, server.now()).unwrap();
        assert_eq!((opened.is_stale(), opened.issued_at()), (false, sealed_at));
        assert!(browser.get("/count").set_cookies().is_empty(), "once");
    }
    // The old key can be removed: the row uses the new one, too.
    let mut later = site(store_of(codecs([new]))).browse(framework);
    later.jar = browser.jar.clone();
    assert_eq!(later.get("/read").body, "3 Some(\"ape\")");
}

fn several_stores_share_one_backend(framework: Framework) {
    let server = Server::new();
    let named = |name: &str| {
        let cookie = CookieOptions::new().name(name).unwrap();
        server.store_with(ServerOptions::new().cookie(cookie))
    };
    let cookies = silverback::session::CookieStore::new(server.codecs()).unwrap();
    let stores = Stores::from(named("users")).and(named("carts")).unwrap();
    assert!(stores.clone().and(named("carts")).unwrap_err().is_usage());
    let mut browser = Site::new(stores.and(cookies).unwrap())
        .on("/all", async |sessions| {
            let mut counts = Vec::new();
            for name in ["users", "carts", COOKIE] {
                counts.push(count(&sessions.get(name).await?, "count")?);
            }
            count(&sessions.session().await?, "count")?;
            Ok(format!("{counts:?}"))
        })
        .on("/carts", async |sessions| {
            count(&sessions.get("carts").await?, "count")
        })
        .on("/logout", async |sessions| {
            sessions.get("users").await?.end()?;
            Ok("")
        })
        .browse(framework);
    assert_eq!(browser.get("/all").set_cookies().len(), 3);
    assert_eq!(browser.get("/all").body, "[3, 2, 2]");
    assert_eq!(browser.get("/carts").body, "3");
    // The cookie of one name is not valid under another, even with the same keys and backend.
    let users = browser.jar.get("users").unwrap().to_owned();
    let mut confused = browser.another();
    confused.jar.set("carts", &users);
    assert_eq!(confused.get("/carts").body, "1");
    browser.get("/logout");
    assert_eq!(browser.get("/all").body, "[1, 4, 3]");
}

#[test]
fn law_12_no_cookie_is_sealed_again_for_a_gone_session() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let [old, new] = rotated(&server);
        let ends: [fn(&Session); 2] = [
            |session| session.end().unwrap(),
            |session| session.renew().unwrap(),
        ];
        for (end, writes) in ends.into_iter().flat_map(|end| [(end, true), (end, false)]) {
            let jar = jar_with(&old, |session| session.insert("a", 1)).await;
            server.clock.pass(600);
            let request = Request::of(&jar, &new).await;
            visit(&mut jar.clone(), &old, end).await;
            if writes {
                request.session.insert("late", 1).unwrap();
            }
            assert_eq!(request.finish().await.unwrap(), [""; 0]);
        }
    });
}

#[test]
fn law_12_near_the_deadline_a_read_saves_and_seals_nothing() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let [old, new] = rotated(&server);
        let mut jar = Jar::new();
        let soon = silverback::codec::UnixTime::from_secs(server.now().as_secs() + IDLE);
        const { assert!(IDLE < ABSOLUTE) };
        visit(&mut jar, &old, |session| {
            session.set_deadline(soon).unwrap()
        })
        .await;
        server.clock.pass(600);
        server.backend.calls();
        let request = Request::of(&jar, &new).await;
        assert_eq!(request.finish().await.unwrap(), [""; 0]);
        assert_eq!(server.backend.calls(), "load");
        assert!(read(&jar, &new, []).await.is_some());
    });
}

/// So the older key can be removed once the idle limit has passed, even if no session is changed.
#[test]
fn law_12_a_noted_use_seals_the_row_with_the_newest_key() {
    RUNTIME.block_on(async {
        let server = Server::new();
        let (pair, older) = (KeyPair::generate().unwrap(), server.pair.clone());
        let chains = [
            codecs([older.clone()]),
            codecs([pair.clone(), older]),
            codecs([pair]),
        ];
        let stores = chains.map(|codecs| server.store_of(native(codecs), ServerOptions::new()));
        let [old, both, new] = stores;
        let mut jar = jar_with(&old, |session| session.insert("a", 1)).await;
        server.clock.pass(600);
        visit(&mut jar, &both, |_| ()).await;
        assert!(read(&jar, &new, []).await.is_some());
    });
}
