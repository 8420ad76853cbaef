//! The ends of sessions and their consequences: logouts, revocations, refusals, failures.

use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use silverback::codec::Codec;
use silverback::session::{CookieOptions, CookieStore, Error, Lifetime, Session, Sessions};

use super::client::Browser;
use super::site::{Framework, Site};
use super::support::{Clock, TestGenerations, codecs, fresh_codecs, store, store_with};

for_each_framework!(
    a_flash_can_be_added_after_a_logout,
    a_logout_removes_a_refused_cookie_too,
    only_a_login_follows_an_ended_session,
    end_others_applies_even_if_this_session_also_changes,
    an_error_of_the_handler_still_saves_the_session,
    a_session_error_saves_nothing_and_closes_the_session,
    a_session_is_closed_after_the_response_head,
    the_response_to_a_handled_outage_varies_by_cookie,
    a_read_succeeds_even_if_the_touch_fails,
    a_login_has_a_new_date,
    the_host_of_the_request_line_is_used,
);

fn named(owner: &str) -> String {
    format!("{owner:?}")
}

fn site(store: CookieStore) -> Site {
    Site::new(store)
        .on("/login", async |sessions| {
            sessions.session().await?.login("ape")?;
            Ok("")
        })
        .on("/who", async |sessions| {
            let session = sessions.session().await?;
            Ok(session
                .owner()
                .map_or("anonymous".to_owned(), |owner| named(&owner)))
        })
        .on("/logout", async |sessions| {
            sessions.session().await?.logout()?;
            Ok("")
        })
}

fn owner_of(browser: &mut Browser) -> String {
    browser.get("/who").body
}

fn a_flash_can_be_added_after_a_logout(framework: Framework) {
    let mut browser = site(store())
        .on("/goodbye", async |sessions| {
            let session = sessions.session().await?;
            session.insert("left", "behind")?;
            session.logout()?;
            assert_eq!(session.owner(), None);
            assert!(!session.contains("left"));
            session.add_flash("goodbye")?;
            Ok("")
        })
        .on("/flash", async |sessions| {
            let flashes = sessions.session().await?.flashes::<String>()?;
            Ok(flashes.concat())
        })
        .browse(framework);
    browser.get("/login");
    let response = browser.get("/logout");
    assert!(response.set_cookies()[0].contains("Max-Age=0"));
    assert_eq!(browser.jar.cookie(), "");
    assert!(browser.get("/logout").set_cookies().is_empty());

    browser.get("/login");
    let response = browser.get("/goodbye");
    assert_eq!(response.set_cookies().len(), 1);
    assert_eq!(owner_of(&mut browser), "anonymous");
    assert_eq!(browser.get("/flash").body, "goodbye");
    assert_eq!(browser.get("/flash").body, "");
}

fn a_logout_removes_a_refused_cookie_too(framework: Framework) {
    let mut browser = site(store())
        .on("/end", async |sessions| {
            sessions.session().await?.end()?;
            Ok("")
        })
        .browse(framework);
    for path in ["/logout", "/end"] {
        browser.jar.set("__Host-id", "tampered");
        assert_eq!(browser.get(path).set_cookies().len(), 1);
        assert_eq!(browser.jar.cookie(), "");
    }
}

fn only_a_login_follows_an_ended_session(framework: Framework) {
    let mut browser = site(store())
        .on("/switch", async |sessions| {
            let session = sessions.session().await?;
            session.insert("a", 1)?;
            session.end()?;
            assert_eq!((session.owner(), session.contains("a")), (None, false));
            assert!(session.insert("b", 1).unwrap_err().is_closed());
            assert!(session.remember(false).unwrap_err().is_closed());
            assert!(session.logout().unwrap_err().is_closed());
            session.login("bonobo")?;
            session.insert("c", 1)?;
            Ok(session.keys().concat())
        })
        .browse(framework);
    browser.get("/login");
    assert_eq!(browser.get("/switch").body, "c");
    assert_eq!(owner_of(&mut browser), named("bonobo"));
}

fn end_others_applies_even_if_this_session_also_changes(framework: Framework) {
    type Ending = fn(&Session) -> Result<(), Error>;
    let endings: [(&str, Ending, &str); 5] = [
        ("/stay", |_| Ok(()), "ape"),
        ("/leave", |session| session.logout(), ""),
        ("/end", |session| session.end(), ""),
        ("/again", |session| session.login("ape"), "ape"),
        ("/other", |session| session.login("bonobo"), "bonobo"),
    ];
    for (path, ending, owner) in endings {
        let mut browser = site(store().revocable(TestGenerations::default()))
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
        assert_eq!(browser.get(path).status, 200, "{path}");
        assert_eq!(owner_of(&mut phone), "anonymous", "{path}");
        let expected = if owner.is_empty() {
            "anonymous".to_owned()
        } else {
            named(owner)
        };
        assert_eq!(owner_of(&mut browser), expected, "{path}");
    }
}

fn an_error_of_the_handler_still_saves_the_session(framework: Framework) {
    let mut browser = site(store()).error_page("no {path}").browse(framework);
    let refused = browser.get("/guarded");
    assert_eq!((refused.status, refused.set_cookies().len()), (401, 1));
    assert_eq!(refused.cache_control(), ["no-store"]);
    assert_eq!(refused.all("vary"), ["Cookie"]);
    let refused = browser.get("/guarded-fresh");
    let page = "no /guarded-fresh";
    assert_eq!((refused.status, &*refused.body), (403, page));
    assert_eq!(refused.cache_control(), ["no-store"]);
}

fn a_session_error_saves_nothing_and_closes_the_session(framework: Framework) {
    let leaked: Arc<Mutex<Option<Session>>> = Arc::default();
    let leak = leaked.clone();
    let mut browser = site(store())
        .on("/fails", move |sessions: Sessions| {
            let leak = leak.clone();
            async move {
                let session = sessions.session().await?;
                session.insert("a", 1)?;
                *leak.lock().unwrap() = Some(session.clone());
                session.get::<String>("a").map(Option::unwrap_or_default)
            }
        })
        .browse(framework);
    let failed = browser.get("/fails");
    assert_eq!((failed.status, failed.set_cookies().len()), (500, 0));
    let session = leaked.lock().unwrap().take().unwrap();
    assert!(session.insert("b", 1).unwrap_err().is_closed());
}

fn a_session_is_closed_after_the_response_head(framework: Framework) {
    let leaked: Arc<Mutex<Vec<Sessions>>> = Arc::default();
    let leak = leaked.clone();
    let mut browser = site(store())
        .on("/leak", move |sessions: Sessions| {
            leak.lock().unwrap().push(sessions);
            async { Ok("") }
        })
        .browse(framework);
    browser.get("/leak");
    let sessions = leaked.lock().unwrap().pop().unwrap();
    super::site::RUNTIME.block_on(async {
        let session = sessions.session().await.unwrap();
        assert!(session.insert("late", 1).unwrap_err().is_closed());
        assert!(session.save().await.unwrap_err().is_closed());
    });
}

fn the_response_to_a_handled_outage_varies_by_cookie(framework: Framework) {
    let generations = TestGenerations::default();
    let mut browser = site(store().revocable(generations.clone()))
        .on("/plain", async |sessions| match sessions.session().await {
            Ok(_) => Ok("a session"),
            Err(_) => Ok("come back later"),
        })
        .browse(framework);
    browser.get("/login");
    generations.is_down.store(true, Ordering::SeqCst);
    let response = browser.get("/plain");
    assert_eq!((response.status, &*response.body), (200, "come back later"));
    assert_eq!(response.all("vary"), ["Cookie"]);
    assert_eq!(response.cache_control(), ["private, no-cache"]);
    assert!(response.set_cookies().is_empty());
}

fn a_read_succeeds_even_if_the_touch_fails(framework: Framework) {
    let clock = Clock::new();
    let options = CookieOptions::new().insecure_http();
    let store = clock.of(store_with(options, Lifetime::new()));
    let mut browser = site(store).browse(framework);
    browser.get("/login");
    clock.pass(600);
    let cookie = browser.jar.cookie();
    let by_name = [("Cookie", &*cookie), ("Host", "example.com")];
    let response = browser.get_with("/who", by_name);
    assert_eq!((response.status, &*response.body), (200, &*named("ape")));
    assert!(response.set_cookies().is_empty());
}

fn a_login_has_a_new_date(framework: Framework) {
    let clock = Clock::new();
    let codecs = fresh_codecs();
    let mut browser = site(clock.of(CookieStore::new(codecs.clone()).unwrap())).browse(framework);
    let mut date = || {
        browser.get("/login");
        let cookie = browser.jar.get("__Host-id").unwrap().to_owned();
        codecs
            .open_at("__Host-id", &cookie, clock.now())
            .unwrap()
            .issued_at()
    };
    assert_eq!(date(), clock.now());
    clock.pass(100);
    assert_eq!(date(), clock.now());
}

fn the_host_of_the_request_line_is_used(framework: Framework) {
    let options = CookieOptions::new().insecure_http();
    let store = CookieStore::with_options(
        codecs([silverback::codec::KeyPair::generate().unwrap()]),
        options,
        Lifetime::new(),
    );
    let address = site(store.unwrap()).serve(framework);
    for (host, status) in [("localhost", "200"), ("example.com", "500")] {
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        let request = format!(
            "GET http://{host}/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        connection.read_to_string(&mut response).unwrap();
        assert!(response[..15].contains(status), "{host}: {response}");
    }
}
