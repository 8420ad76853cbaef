//! The laws of a session in a cookie. Their numbers are those of the design's list.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use silverback::backend::Expiry;
use silverback::codec::{Codec, CodecOptions, Codecs, KeyPair, UnixTime};
use silverback::session::{CookieOptions, CookieStore, Error, Lifetime, SameSite, Session, Stores};

use super::client::Response;
use super::site::{Framework, Site};
use super::support::{Clock, TestGenerations, codecs, fresh_codecs, store, store_with};

for_each_framework!(
    law_1_no_write_sends_no_cookie,
    law_1_a_session_is_saved_once,
    law_1_an_early_save_and_later_changes_set_one_cookie,
    law_1_a_read_costs_no_write_until_a_tenth_of_the_idle_limit,
    law_1_the_handle_is_closed_after_the_response_head,
    law_2_absent_refused_and_unavailable_differ,
    law_2_an_outage_touches_no_cookie,
    law_2_an_outage_at_login_sends_no_cookie,
    law_3_a_login_drops_the_values_of_the_anonymous_session,
    law_7_the_idle_limit_counts_from_the_last_use,
    law_7_use_does_not_extend_the_absolute_limit,
    law_7_a_login_restarts_the_limits,
    law_7_a_session_can_have_its_own_deadline,
    law_7_remembered_sessions_have_their_own_limits,
    law_7_a_fresh_login_can_be_required,
    law_9_the_default_cookie_has_safe_attributes,
    law_9_a_removal_repeats_the_cookie,
    law_9_insecure_http_works_only_on_loopback,
    law_10_two_valid_cookies_open_no_session,
    law_10_one_valid_cookie_among_others_is_used,
    law_10_too_many_cookies_are_refused,
    law_11_a_revoked_owner_is_logged_out_everywhere,
    law_11_end_others_keeps_this_session,
    law_11_an_owner_without_a_record_is_refused,
    law_12_a_stale_cookie_is_sealed_again_with_its_date,
    law_13_a_cookie_cannot_prevent_replay,
    sessions_of_several_names,
    a_session_too_large_is_an_error_before_the_response,
);

const IDLE: u64 = 30 * 60;
const ABSOLUTE: u64 = 12 * 60 * 60;

async fn visits(session: &Session) -> Result<u64, Error> {
    session.update("visits", |visits: &mut u64| *visits += 1)
}

/// Returns a site where `/visit` counts, `/read` reads, and `/login` and `/logout` log in and out.
fn site(stores: impl Into<Stores>) -> Site {
    Site::new(stores)
        .on("/none", async |_| Ok(""))
        .on("/visit", async |sessions| {
            visits(&sessions.session().await?).await
        })
        .on("/read", async |sessions| {
            let session = sessions.session().await?;
            let refusal = session.refusal().map(|refusal| refusal.to_string());
            match session.get::<u64>("visits")? {
                Some(visits) => Ok(format!("{visits} {:?}", session.owner())),
                None => Ok(format!("new={} {refusal:?}", session.is_new())),
            }
        })
        .on("/login", async |sessions| {
            let session = sessions.session().await?;
            session.login("ape")?;
            visits(&session).await
        })
        .on("/logout", async |sessions| {
            sessions.session().await?.end()?;
            Ok("")
        })
}

fn law_1_no_write_sends_no_cookie(framework: Framework) {
    let mut browser = site(store())
        .on("/changes-nothing", async |sessions| {
            let session = sessions.session().await?;
            session.remove("nothing")?;
            session.clear()?;
            session.flashes::<String>()?;
            session.remember(false)?;
            session.save().await?;
            Ok("")
        })
        .on("/end", async |sessions| {
            let session = sessions.session().await?;
            session.insert("something", 1)?;
            session.end()?;
            Ok("")
        })
        .browse(framework);

    let untouched = browser.get("/none");
    assert_eq!(untouched.status, 200);
    for field in ["set-cookie", "cache-control", "vary"] {
        assert!(untouched.all(field).is_empty(), "{field}");
    }
    for path in ["/read", "/changes-nothing", "/end"] {
        let response = browser.get(path);
        assert_eq!(
            (response.status, response.set_cookies().len()),
            (200, 0),
            "{path}"
        );
    }
    browser.get("/visit");
    for path in ["/none", "/read"] {
        assert!(browser.get(path).set_cookies().is_empty(), "{path}");
    }
}

fn law_1_a_session_is_saved_once(framework: Framework) {
    let mut browser = site(store())
        .on("/often", async |sessions| {
            let (one, other) = (sessions.session().await?, sessions.session().await?);
            for _ in 0..3 {
                visits(&one).await?;
                visits(&other).await?;
            }
            Ok("")
        })
        .browse(framework);
    assert_eq!(browser.get("/often").set_cookies().len(), 1);
    assert_eq!(browser.get("/read").body, "6 None");
}

fn law_1_an_early_save_and_later_changes_set_one_cookie(framework: Framework) {
    let mut browser = site(store())
        .on("/early", async |sessions| {
            let session = sessions.session().await?;
            visits(&session).await?;
            session.save().await?;
            session.save().await?;
            let answer = session.transact(|values| {
                let visits = values.get::<u64>("visits")?.unwrap_or_default();
                values.insert("visits", visits + 10)?;
                Ok(visits)
            });
            let before = answer.await?;
            visits(&session).await?;
            Ok(before)
        })
        .on("/save-then-end", async |sessions| {
            let session = sessions.session().await?;
            session.insert("a", 1)?;
            session.save().await?;
            session.end()?;
            Ok("")
        })
        .browse(framework);
    let response = browser.get("/early");
    assert_eq!((&*response.body, response.set_cookies().len()), ("1", 1));
    assert_eq!(browser.get("/read").body, "12 None");
    let anonymous = browser.another().get("/save-then-end");
    assert!(anonymous.set_cookies().is_empty());
}

fn law_1_a_read_costs_no_write_until_a_tenth_of_the_idle_limit(framework: Framework) {
    let clock = Clock::new();
    let mut browser = site(clock.of(store())).browse(framework);
    browser.get("/visit");
    clock.pass(IDLE / 10 - 1);
    assert!(browser.get("/read").set_cookies().is_empty());
    clock.pass(1);
    assert!(
        browser.get("/none").set_cookies().is_empty(),
        "the generations are not read"
    );
    assert_eq!(browser.get("/read").set_cookies().len(), 1);
    assert!(browser.get("/read").set_cookies().is_empty(), "once");
}

fn law_1_the_handle_is_closed_after_the_response_head(framework: Framework) {
    let leaked: Arc<Mutex<Option<Session>>> = Arc::default();
    let leak = leaked.clone();
    let mut browser = site(store())
        .on("/leak", move |sessions| {
            let leak = leak.clone();
            async move {
                let session = sessions.session().await?;
                visits(&session).await?;
                *leak.lock().unwrap() = Some(session);
                Ok("")
            }
        })
        .browse(framework);
    browser.get("/leak");
    let session = leaked.lock().unwrap().take().unwrap();
    let refused = [
        session.insert("late", 1).unwrap_err(),
        session.remove("visits").unwrap_err(),
        session.clear().unwrap_err(),
        session.update("visits", |_: &mut u64| ()).unwrap_err(),
        session.add_flash("late").unwrap_err(),
        session.login("late").unwrap_err(),
        session.renew().unwrap_err(),
        session.end().unwrap_err(),
        session.remember(false).unwrap_err(),
        session.set_deadline(UnixTime::from_secs(1)).unwrap_err(),
        super::site::RUNTIME.block_on(session.save()).unwrap_err(),
    ];
    assert!(refused.iter().all(Error::is_closed));
    assert_eq!(
        session.get::<u64>("visits").unwrap(),
        Some(1),
        "the value can be read"
    );
    assert_eq!(browser.get("/read").body, "1 None");
}

fn law_2_absent_refused_and_unavailable_differ(framework: Framework) {
    let generations = TestGenerations::default();
    let codecs = fresh_codecs();
    let store = CookieStore::new(codecs.clone())
        .unwrap()
        .revocable(generations.clone());
    let mut browser = site(store).error_page("come back later").browse(framework);

    assert_eq!(browser.get("/read").body, "new=true None");
    assert_eq!(browser.get("/extracted").body, "true None");

    browser.get("/login");
    assert_eq!(browser.get("/read").body, "1 Some(\"ape\")");
    let cookie = browser.jar.get("__Host-id").unwrap().to_owned();
    let other = if cookie.ends_with("AA==") {
        "BA=="
    } else {
        "AA=="
    };
    let tampered = format!("{}{other}", &cookie[..cookie.len() - 4]);
    let mut tamperer = browser.another();
    tamperer.jar.set("__Host-id", &tampered);
    assert_eq!(tamperer.get("/read").body, "new=true Some(\"not valid\")");
    assert_eq!(tamperer.get("/extracted").body, "true Some(NotValid)");
    assert!(tamperer.get("/read").set_cookies().is_empty());
    assert_eq!(
        tamperer.get("/visit").set_cookies().len(),
        1,
        "a new session"
    );

    // An authentic cookie that holds no session.
    let strange = codecs.seal("__Host-id", b"no gob").unwrap();
    tamperer.jar.set("__Host-id", &strange);
    assert_eq!(tamperer.get("/read").body, "new=true Some(\"not valid\")");

    generations.is_down.store(true, Ordering::SeqCst);
    let broken = browser.get("/read");
    assert_eq!((broken.status, &*broken.body), (503, "come back later"));
    assert_eq!(broken.cache_control(), ["no-store"]);
    assert!(broken.set_cookies().is_empty());
    assert_eq!(browser.get("/extracted").status, 503);
    assert_eq!(
        browser.get("/none").status,
        200,
        "a page without a session still works"
    );
    assert_eq!(
        browser.another().get("/read").status,
        200,
        "anonymous sessions need no generation"
    );

    generations.is_down.store(false, Ordering::SeqCst);
    assert_eq!(
        browser.get("/read").body,
        "1 Some(\"ape\")",
        "nothing was lost"
    );
}

fn law_2_an_outage_touches_no_cookie(framework: Framework) {
    let clock = Clock::new();
    let generations = TestGenerations::default();
    let carts = CookieOptions::new().name("__Host-cart").unwrap();
    let carts = clock.of(store_with(carts, Lifetime::new()));
    let stores = Stores::from(clock.of(store()).revocable(generations.clone()));
    let mut browser = site(stores.and(carts).unwrap())
        .on("/both", async |sessions| {
            visits(&sessions.get("__Host-cart").await?).await?;
            visits(&sessions.session().await?).await
        })
        .browse(framework);
    browser.get("/login");
    generations.is_down.store(true, Ordering::SeqCst);
    clock.pass(IDLE / 2);
    let response = browser.get("/both");
    assert_eq!((response.status, response.set_cookies().len()), (503, 0));
    assert_eq!(response.body, "", "the default page is empty");
}

fn law_2_an_outage_at_login_sends_no_cookie(framework: Framework) {
    let generations = TestGenerations::default();
    let mut browser = site(store().revocable(generations.clone())).browse(framework);
    generations.is_down.store(true, Ordering::SeqCst);
    let response = browser.get("/login");
    assert_eq!((response.status, response.set_cookies().len()), (503, 0));
}

fn law_3_a_login_drops_the_values_of_the_anonymous_session(framework: Framework) {
    let mut browser = site(store())
        .on("/login-keeping", async |sessions| {
            let session = sessions.session().await?;
            session.login_keeping_values("ape")?;
            visits(&session).await
        })
        .browse(framework);
    browser.get("/visit");
    browser.get("/visit");
    let mut keeping = browser.clone();
    assert_eq!(browser.get("/login").body, "1");
    assert_eq!(keeping.get("/login-keeping").body, "3");
    // After the logout, the browser is anonymous again.
    browser.get("/logout");
    assert_eq!(browser.jar.cookie(), "");
    assert_eq!(browser.get("/read").body, "new=true None");
}

fn law_7_the_idle_limit_counts_from_the_last_use(framework: Framework) {
    let clock = Clock::new();
    let mut browser = site(clock.of(store())).browse(framework);
    browser.get("/visit");
    for _ in 0..5 {
        clock.pass(IDLE - 1);
        assert_eq!(browser.get("/read").body, "1 None");
    }
    clock.pass(IDLE);
    assert_eq!(
        browser.get("/read").body,
        "new=true Some(\"idle for too long\")"
    );
}

fn law_7_use_does_not_extend_the_absolute_limit(framework: Framework) {
    let clock = Clock::new();
    let mut browser = site(clock.of(store())).browse(framework);
    browser.get("/visit");
    let mut left = ABSOLUTE;
    while left > IDLE {
        clock.pass(IDLE - 1);
        left -= IDLE - 1;
        assert_ne!(browser.get("/visit").body, "1");
    }
    clock.pass(left - 1);
    assert_ne!(browser.get("/visit").body, "1", "at the last second");
    clock.pass(1);
    assert_eq!(browser.get("/read").body, "new=true Some(\"expired\")");
}

fn law_7_a_login_restarts_the_limits(framework: Framework) {
    let clock = Clock::new();
    let mut browser = site(clock.of(store()))
        .on("/renew", async |sessions| {
            let session = sessions.session().await?;
            session.renew()?;
            Ok(session.deadline().unwrap().as_secs())
        })
        .browse(framework);
    let begin = clock.now().as_secs();
    browser.get("/visit");
    clock.pass(1_000);
    assert_eq!(browser.get("/renew").body, (begin + ABSOLUTE).to_string());
    browser.get("/login");
    let renewed = browser.get("/renew");
    assert_eq!(renewed.body, (begin + 1_000 + ABSOLUTE).to_string());
    assert_eq!(renewed.set_cookies().len(), 1);
}

fn law_7_a_session_can_have_its_own_deadline(framework: Framework) {
    let clock = Clock::new();
    let set = clock.clone();
    let mut browser = site(clock.of(store()))
        .on("/short", move |sessions| {
            let now = set.now().as_secs();
            async move {
                let session = sessions.session().await?;
                visits(&session).await?;
                let limit = UnixTime::from_secs(now + ABSOLUTE);
                session.set_deadline(limit)?;
                let beyond = session.set_deadline(UnixTime::from_secs(now + ABSOLUTE + 1));
                assert!(beyond.unwrap_err().is_usage());
                session.set_deadline(UnixTime::from_secs(now + 60))?;
                Ok("")
            }
        })
        .browse(framework);
    browser.get("/short");
    clock.pass(59);
    assert_eq!(browser.get("/visit").body, "2");
    clock.pass(1);
    assert_eq!(browser.get("/read").body, "new=true Some(\"expired\")");
}

fn law_7_remembered_sessions_have_their_own_limits(framework: Framework) {
    const DAY: u64 = 24 * 60 * 60;
    let clock = Clock::new();
    let lifetime = Lifetime::new();
    let remember = |remembered| {
        move |sessions: silverback::session::Sessions| async move {
            let session = sessions.session().await?;
            session.login("ape")?;
            session.remember(remembered)?;
            visits(&session).await
        }
    };
    let mut browser = site(clock.of(store_with(CookieOptions::new(), lifetime)))
        .on("/remember", remember(true))
        .on("/forget", remember(false))
        .on("/refused", async |sessions| {
            let session = sessions.session().await?;
            Ok(session.is_remembered())
        })
        .browse(framework);
    let max_age = |set_cookies: Vec<&str>| {
        let found = set_cookies[0].split_once("Max-Age=");
        found.map(|(_, seconds)| seconds.parse::<u64>().unwrap())
    };
    let cookie = browser.get("/remember");
    assert_eq!(max_age(cookie.set_cookies()), Some(30 * DAY));
    clock.pass(14 * DAY - 1);
    let visit = browser.get("/visit");
    assert_eq!(visit.body, "2");
    assert_eq!(
        max_age(visit.set_cookies()),
        Some(16 * DAY + 1),
        "the remaining time"
    );
    assert_eq!(browser.get("/refused").body, "true");
    clock.pass(14 * DAY);
    assert_eq!(
        browser.get("/read").body,
        "new=true Some(\"idle for too long\")"
    );

    assert_eq!(max_age(browser.get("/forget").set_cookies()), None);
    clock.pass(IDLE);
    assert_eq!(
        browser.get("/read").body,
        "new=true Some(\"idle for too long\")"
    );
}

fn law_7_a_fresh_login_can_be_required(framework: Framework) {
    let clock = Clock::new();
    let mut browser = site(clock.of(store()))
        .on("/pay", async |sessions| {
            let session = sessions.session().await?;
            session.require_fresh(Duration::from_secs(60))?;
            Ok("paid")
        })
        .browse(framework);
    assert_eq!(browser.get("/pay").status, 403);
    browser.get("/login");
    clock.pass(60);
    assert_eq!(browser.get("/pay").body, "paid");
    clock.pass(1);
    assert_eq!(browser.get("/pay").status, 403);
}

fn law_9_the_default_cookie_has_safe_attributes(framework: Framework) {
    let response = site(store()).browse(framework).get("/visit");
    let (pair, attributes) = response.set_cookies()[0].split_once("; ").unwrap();
    assert!(pair.starts_with("__Host-id="));
    assert_eq!(attributes, "Path=/; HttpOnly; Secure; SameSite=Lax");
}

fn law_9_a_removal_repeats_the_cookie(framework: Framework) {
    let options = CookieOptions::new().name("sid").unwrap();
    let options = options
        .domain("example.com")
        .unwrap()
        .path("/shop")
        .unwrap();
    let options = options.same_site(SameSite::Strict);
    let mut browser = site(store_with(options, Lifetime::new())).browse(framework);
    let set = browser.get("/login").set_cookies()[0].to_owned();
    let (_, attributes) = set.split_once("; ").unwrap();
    assert_eq!(
        attributes,
        "Path=/shop; Domain=example.com; HttpOnly; Secure; SameSite=Strict"
    );
    let removal = format!("sid=; {attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
    let logout = browser.get("/logout");
    assert_eq!(logout.set_cookies(), [removal.as_str()]);
    assert_eq!(logout.cache_control(), ["no-store"]);
    assert!(
        browser.get("/logout").set_cookies().is_empty(),
        "there is no cookie to remove"
    );
}

fn law_9_insecure_http_works_only_on_loopback(framework: Framework) {
    let insecure = |options| site(store_with(options, Lifetime::new())).browse(framework);
    let on_loopback = insecure(CookieOptions::new().insecure_http());
    let set = on_loopback.get_with("/visit", [("Host", "localhost:3000")]);
    assert!(set.set_cookies()[0].starts_with("id="));
    assert!(set.set_cookies()[0].ends_with("; Path=/; HttpOnly; SameSite=Lax"));
    let refused = on_loopback.get_with("/visit", [("Host", "example.com")]);
    assert_eq!((refused.status, refused.set_cookies().len()), (500, 0));
    // A developer sees the remedy, and a client of a release build sees nothing.
    let says_what_to_do = refused.body.contains("insecure_http_everywhere()");
    assert_eq!(says_what_to_do, cfg!(debug_assertions));
    assert_eq!(refused.body.is_empty(), !cfg!(debug_assertions));
    // A proxy on the same machine serves clients from anywhere.
    for forwarded in [
        ("X-Forwarded-Host", "example.com"),
        ("Forwarded", "for=192.0.2.1;host=example.com"),
    ] {
        let fields = [("Host", "localhost:3000"), forwarded];
        let refused = on_loopback.get_with("/visit", fields);
        assert_eq!((refused.status, refused.set_cookies().len()), (500, 0));
    }
    assert_eq!(
        on_loopback
            .get_with("/read", [("Host", "example.com")])
            .status,
        200
    );

    let everywhere = insecure(CookieOptions::new().insecure_http_everywhere());
    let set = everywhere.get_with("/visit", [("Host", "example.com")]);
    assert_eq!((set.status, set.set_cookies().len()), (200, 1));
}

fn law_10_two_valid_cookies_open_no_session(framework: Framework) {
    let options = CookieOptions::new().name("sid").unwrap();
    let options = options.former_scope("/old", Some("example.com")).unwrap();
    let site = site(store_with(options, Lifetime::new())).on("/save", async |sessions| {
        let session = sessions.session().await?;
        session.insert("n", 1)?;
        session.save().await?;
        Ok("")
    });
    let mut browser = site.browse(framework);
    let mut other = browser.another();
    browser.get("/visit");
    other.get("/visit");
    let two = format!("{}; {}", browser.jar.cookie(), other.jar.cookie());
    let at = |path| browser.get_with(path, [("Cookie", &*two), ("Host", "shop.example.com")]);
    // The scopes that may hold the good cookie get no removal.
    let removals = |path: &str| {
        let paths = [format!("{path}/"), path.to_owned(), "/".to_owned()];
        let domains = ["", "; Domain=shop.example.com", "; Domain=example.com"];
        let all = paths
            .iter()
            .flat_map(|path| domains.map(|domain| (path, domain)));
        let foreign = all.filter(|(path, domain)| *path != "/" || domain.ends_with("=example.com"));
        let texts = foreign.flat_map(|(path, domain)| {
            ["", "; Partitioned"].map(|partitioned| {
                format!("sid=; Path={path}{domain}; Secure{partitioned}; Max-Age=0")
            })
        });
        texts.collect::<BTreeSet<String>>()
    };
    let set = |response: &Response| -> BTreeSet<String> {
        let all = response.set_cookies().into_iter();
        all.map(str::to_owned).collect()
    };
    let response = at("/read");
    assert_eq!(response.body, "new=true Some(\"several valid cookies\")");
    assert_eq!(set(&response), removals("/read"));
    assert_eq!(response.cache_control(), ["no-store"]);
    // Changes of an anonymous session are not saved.
    let response = at("/visit");
    assert_eq!((response.status, &*response.body), (200, "1"));
    assert_eq!(set(&response), removals("/visit"));
    // A logout without a known session is an error, and so is an explicit save.
    for path in ["/logout", "/save"] {
        let response = at(path);
        assert_eq!(response.status, 409, "{path}");
        assert_eq!(set(&response), removals(path));
        assert_eq!(response.cache_control(), ["no-store"]);
    }
    // A login replaces the application's own cookies, and those in similar scopes.
    let response = at("/login");
    let mut set_cookies = set(&response);
    assert!(response.set_cookies().last().unwrap().starts_with("sid=MT"));
    set_cookies.retain(|set_cookie| set_cookie.starts_with("sid=;"));
    let former = "sid=; Path=/old; Domain=example.com; HttpOnly; Secure; SameSite=Lax; Max-Age=0; \
                  Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    let like_own = [
        "sid=; Path=/; Secure; Partitioned; Max-Age=0",
        "sid=; Path=/; Domain=shop.example.com; Secure; Max-Age=0",
        "sid=; Path=/; Domain=shop.example.com; Secure; Partitioned; Max-Age=0",
    ];
    let more = like_own
        .iter()
        .chain([&former])
        .map(|text| (*text).to_owned());
    assert_eq!(
        set_cookies,
        removals("/login").into_iter().chain(more).collect()
    );
    // Two equal cookies count as one.
    let cookie = browser.jar.cookie();
    let twice = [("Cookie", &*cookie), ("Cookie", &*cookie)];
    assert_eq!(browser.get_with("/read", twice).body, "1 None");
}

fn law_10_one_valid_cookie_among_others_is_used(framework: Framework) {
    let mut browser = site(store()).browse(framework);
    browser.get("/visit");
    let cookie = browser.jar.cookie();
    for among in [
        format!("__Host-id=planted; {cookie}"),
        format!("{cookie}; __Host-id=planted"),
        format!("__host-id=x; a=b; {cookie}; c"),
        format!("__Host-id; __Host-id=; {cookie}"),
    ] {
        let response = browser.get_with("/read", [("Cookie", &*among)]);
        assert_eq!(response.body, "1 None", "{among}");
    }
}

fn law_10_too_many_cookies_are_refused(framework: Framework) {
    let mut browser = site(store()).browse(framework);
    browser.get("/visit");
    let cookie = browser.jar.cookie();
    let heaps = [
        (format!("{cookie}{}", "; __Host-id=x".repeat(7)), true),
        (format!("{cookie}{}", "; __Host-id=x".repeat(8)), false),
        (format!("{}{cookie}", "a; ".repeat(4_095)), true),
        (format!("{}{cookie}", "a; ".repeat(4_096)), false),
    ];
    for (heap, is_fine) in heaps {
        let response = browser.get_with("/read", [("Cookie", &*heap)]);
        let expected = match is_fine {
            true => "1 None",
            false => "new=true Some(\"too many cookies\")",
        };
        assert_eq!(response.body, expected);
        // No other host can set a cookie of that name: there is no cookie to remove.
        assert!(response.set_cookies().is_empty());
    }
}

fn law_11_a_revoked_owner_is_logged_out_everywhere(framework: Framework) {
    let generations = TestGenerations::default();
    let store = store().revocable(generations.clone());
    let mut browser = site(store.clone()).browse(framework);
    let mut phone = browser.another();
    let mut anonymous = browser.another();
    anonymous.get("/visit");
    for one in [&mut browser, &mut phone] {
        one.get("/login");
        assert_eq!(one.get("/read").body, "1 Some(\"ape\")");
    }
    let asked = generations.asked.load(Ordering::SeqCst);
    anonymous.get("/visit");
    assert_eq!(
        generations.asked.load(Ordering::SeqCst),
        asked,
        "that browser has no login"
    );

    super::site::RUNTIME.block_on(store.end_all("ape")).unwrap();
    for one in [&mut browser, &mut phone] {
        assert_eq!(one.get("/read").body, "new=true Some(\"revoked\")");
        one.get("/login");
        assert_eq!(one.get("/read").body, "1 Some(\"ape\")");
    }
    assert_eq!(anonymous.get("/visit").body, "3");
}

fn law_11_end_others_keeps_this_session(framework: Framework) {
    let generations = TestGenerations::default();
    let others = async |sessions: silverback::session::Sessions| {
        let session = sessions.session().await?;
        session.end_others()?;
        Ok("")
    };
    let mut browser = site(store().revocable(generations.clone()))
        .on("/others", others)
        .on("/others-too-large", async |sessions| {
            let session = sessions.session().await?;
            session.insert("large", "x".repeat(5_000))?;
            session.end_others()?;
            Ok("")
        })
        .browse(framework);
    assert_eq!(browser.get("/others").status, 500, "there is no login");
    let mut phone = browser.another();
    browser.get("/login");
    phone.get("/login");
    assert_eq!(browser.get("/others-too-large").status, 500);
    assert_eq!(
        phone.get("/read").body,
        "1 Some(\"ape\")",
        "a failed save ends no session"
    );
    assert_eq!(browser.get("/others").status, 200);
    assert_eq!(browser.get("/read").body, "1 Some(\"ape\")");
    assert_eq!(phone.get("/read").body, "new=true Some(\"revoked\")");

    let mut without = site(store()).on("/others", others).browse(framework);
    without.get("/login");
    assert_eq!(
        without.get("/others").status,
        500,
        "the store is not revocable"
    );
}

fn law_11_an_owner_without_a_record_is_refused(framework: Framework) {
    let (generations, codecs) = (TestGenerations::default(), fresh_codecs());
    let plain = CookieStore::new(codecs.clone()).unwrap();
    let asking = plain.clone().revocable(generations.clone());
    let mut before = site(plain).browse(framework);
    let mut browser = site(asking).browse(framework);
    // The login happened before the store used generations.
    before.get("/login");
    browser.jar = before.jar.clone();
    assert_eq!(browser.get("/read").body, "new=true Some(\"revoked\")");
    // The record was lost.
    browser.get("/login");
    let until = generations.records.lock().unwrap()["ape"].1;
    let least = UnixTime::from_secs(UnixTime::now().as_secs() + ABSOLUTE - 60);
    assert!(until >= Expiry::from(least));
    generations.records.lock().unwrap().clear();
    assert_eq!(browser.get("/read").body, "new=true Some(\"revoked\")");
    // A store without generations does not remove the cookie.
    browser.get("/login");
    before.jar = browser.jar.clone();
    assert_eq!(before.get("/read").body, "new=true Some(\"revoked\")");
}

fn law_12_a_stale_cookie_is_sealed_again_with_its_date(framework: Framework) {
    let clock = Clock::new();
    let (old, new) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let by = |codecs: &Codecs| clock.of(CookieStore::new(codecs.clone()).unwrap());
    let rotated = codecs([new.clone(), old.clone()]);
    let mut browser = site(by(&codecs([old]))).browse(framework);
    browser.get("/visit");
    let sealed_at = clock.now();
    let jar = browser.jar.clone();

    clock.pass(IDLE / 10 - 1);
    let mut browser = site(by(&rotated)).browse(framework);
    browser.jar = jar;
    assert!(
        browser.get("/read").set_cookies().is_empty(),
        "no value is saved"
    );
    assert_eq!(rotated.openings(), [1]);
    let opened = |browser: &super::client::Browser| {
        let cookie = browser.jar.get("__Host-id").unwrap();
        rotated.open_at("__Host-id", cookie, clock.now()).unwrap()
    };
    assert!(opened(&browser).is_stale());

    let mut touched = browser.clone();
    assert_eq!(browser.get("/visit").set_cookies().len(), 1);
    clock.pass(1);
    assert_eq!(touched.get("/read").set_cookies().len(), 1, "a touch");
    for browser in [&browser, &touched] {
        let opened = opened(browser);
        assert!(!opened.is_stale());
        assert_eq!(opened.issued_at(), sealed_at);
    }
    // The old key can be removed.
    let jar = browser.jar.clone();
    let mut browser = site(by(&codecs([new]))).browse(framework);
    browser.jar = jar;
    assert_eq!(browser.get("/read").body, "2 None");
}

fn law_13_a_cookie_cannot_prevent_replay(framework: Framework) {
    // As the documentation of CookieStore says: a copy outlives a logout, and a late response wins.
    let mut browser = site(store()).browse(framework);
    browser.get("/login");
    let mut copy = browser.clone();
    browser.get("/logout");
    assert_eq!(copy.get("/read").body, "1 Some(\"ape\")");
    let mut late = copy.clone();
    assert_eq!(
        (copy.get("/visit").body, late.get("/visit").body),
        ("2".into(), "2".into())
    );
}

fn sessions_of_several_names(framework: Framework) {
    let named = |name: &str| CookieOptions::new().name(name).unwrap();
    let codecs = fresh_codecs();
    let store = |name| CookieStore::with_options(codecs.clone(), named(name), Lifetime::new());
    let stores = Stores::from(store("one").unwrap())
        .and(store("other").unwrap())
        .unwrap();
    let twice = stores.clone().and(store("one").unwrap());
    assert!(twice.unwrap_err().is_usage());
    let mut browser = Site::new(stores)
        .on("/both", async |sessions| {
            let other = sessions.get("other").await?;
            visits(&other).await?;
            visits(&other).await?;
            visits(&sessions.get("one").await?).await?;
            visits(&sessions.session().await?).await
        })
        .on("/other", async |sessions| {
            visits(&sessions.get("other").await?).await
        })
        .on("/unknown", async |sessions| {
            visits(&sessions.get("unknown").await?).await
        })
        .browse(framework);
    let both = browser.get("/both");
    assert_eq!((&*both.body, both.set_cookies().len()), ("2", 2));
    let other = browser.get("/other");
    assert_eq!((&*other.body, other.set_cookies().len()), ("3", 1));
    assert_eq!(browser.get("/unknown").status, 500);
    // The cookie of one name is not valid under another, even with the same keys.
    let one = browser.jar.get("one").unwrap().to_owned();
    browser.jar.set("other", &one);
    assert_eq!(browser.get("/other").body, "1");
}

fn a_session_too_large_is_an_error_before_the_response(framework: Framework) {
    let large = async |sessions: silverback::session::Sessions| {
        let session = sessions.session().await?;
        session.insert("large", "x".repeat(3_000))?;
        Ok("done")
    };
    let said = async |sessions: silverback::session::Sessions| {
        let session = sessions.session().await?;
        session.insert("large", "x".repeat(3_000))?;
        let error = session.save().await.unwrap_err();
        assert!(error.is_too_large());
        session.remove("large")?;
        Ok(error)
    };
    let mut browser = site(store())
        .on("/large", large)
        .on("/said", said)
        .browse(framework);
    browser.get("/visit");
    let response = browser.get("/large");
    assert_eq!((response.status, &*response.body), (500, ""));
    assert!(response.set_cookies().is_empty());
    assert_eq!(
        browser.get("/read").body,
        "1 None",
        "the session is unchanged"
    );
    let said = browser.get("/said");
    assert_eq!(said.status, 200);
    let figures: Vec<usize> = said
        .body
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|figure| figure.parse().ok())
        .collect();
    let [length, limit] = figures[..] else {
        panic!("{}", said.body);
    };
    assert!(length > limit && limit == 4_096, "{}", said.body);
}

#[test]
fn law_7_the_codec_accepts_cookies_as_long_as_sessions_last() {
    let codec = |hours: u64| {
        let options = CodecOptions::new().max_age(Duration::from_secs(hours * 3_600));
        Codecs::from_pairs_with([KeyPair::generate().unwrap()], &options).unwrap()
    };
    let store = |hours, lifetime| {
        let store = CookieStore::with_options(codec(hours), CookieOptions::new(), lifetime);
        store.map(drop).map_err(|error| error.to_string())
    };
    let unremembered = || Lifetime::new().without_remembering();
    assert_eq!(store(12, unremembered()), Ok(()));
    let error = store(11, unremembered()).unwrap_err();
    assert!(
        error.contains("39600 s") && error.contains("43200 s"),
        "{error}"
    );
    assert_eq!(store(30 * 24, Lifetime::new()), Ok(()));
    let error = store(30 * 24 - 1, Lifetime::new()).unwrap_err();
    assert!(
        error.contains("2592000 s") && error.contains("without_remembering"),
        "{error}"
    );
    assert_eq!(store(0, Lifetime::new().without_absolute()), Ok(()));
    // Without a deadline, use renews the cookie's date: the idle limit counts.
    let sliding = Lifetime::new().without_absolute().without_remembering();
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    assert_eq!(store(12, sliding.clone().idle(hours(12))), Ok(()));
    let error = store(12, sliding.clone().idle(hours(13))).unwrap_err();
    assert!(error.contains("idle limit of 46800 s"), "{error}");
    assert!(store(12, sliding.without_idle()).is_err());

    let seconds = Duration::from_secs;
    for impossible in [
        Lifetime::new().idle(Duration::ZERO),
        Lifetime::new().absolute(Duration::from_millis(1_500)),
        Lifetime::new().remembered(seconds(60), seconds(400 * 24 * 3_600 + 1)),
    ] {
        assert!(store(0, impossible).is_err());
    }
}

#[test]
fn law_9_incompatible_options_build_no_store() {
    let refused = [
        CookieOptions::new().domain("example.com").unwrap(),
        CookieOptions::new().path("/a").unwrap(),
        CookieOptions::new()
            .insecure_http()
            .same_site(SameSite::None),
        CookieOptions::new()
            .insecure_http()
            .name("__Host-id")
            .unwrap(),
    ];
    for options in refused {
        let store = CookieStore::with_options(fresh_codecs(), options, Lifetime::new());
        assert!(store.unwrap_err().is_usage());
    }
}
