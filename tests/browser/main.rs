//! The demo, and the shop that moves from Go, in a real browser, headless Chromium, driven by
//! chromedriver. The tests check the cookie that the browser reports.
//!
//! Without chromedriver the tests print a message and pass, unless `SILVERBACK_REQUIRE` names
//! `chromedriver`. Screenshots are saved in the target directory's `tmp`.

mod bound;
mod cross_origin;
#[path = "../../examples/demo/src/main.rs"]
#[allow(dead_code, unexpected_cfgs)] // its `main`, and its own features
mod demo;
mod driver;
mod go_migration;
#[path = "../../examples/demo/src/https.rs"]
mod https;
mod planted;
#[path = "../support/required.rs"]
mod required;
#[path = "../support/scratch.rs"]
mod scratch;
#[path = "../../examples/go_migration/src/main.rs"]
#[allow(dead_code)] // its `main`
mod shop;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use cookie::SameSite;
use driver::Browser;
use fantoccini::cookies::Cookie;
use silverback::backend::{Backend, Memory};
use silverback::codec::{Codecs, KeyPairs};
use silverback::session::{CookieStore, Error, Session};
use silverback::web::tower::SessionLayer;

async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Returns the demo's application with its own keys.
fn demo_app(backend: Option<Arc<dyn Backend>>) -> Router {
    let keys = demo::Keys::new(KeyPairs::generate(1).unwrap()).unwrap();
    demo::app(keys, backend, demo::Transport::Http).unwrap()
}

/// Returns a page that counts, with the default cookie, and that can end the session.
fn default_app() -> Router {
    let visit = async |session: Session| {
        let visits = session.update("visits", |visits: &mut u64| *visits += 1)?;
        Ok::<_, Error>(format!("visit {visits}"))
    };
    let logout = async |session: Session| session.end();
    let codecs = Codecs::from_pairs(KeyPairs::generate(1).unwrap()).unwrap();
    let store = CookieStore::new(codecs).unwrap();
    Router::new()
        .route("/", axum::routing::get(visit))
        .route("/logout", axum::routing::get(logout))
        .layer(SessionLayer::new(store))
}

/// Returns the flags of a cookie that the browser reports.
fn flags(cookie: &Cookie<'_>) -> (Option<bool>, Option<bool>, Option<SameSite>) {
    (cookie.http_only(), cookie.secure(), cookie.same_site())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_logs_in_and_out() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let address = serve(demo_app(None)).await;
    let home = format!("http://{address}/");

    browser.open(&home).await;
    assert_eq!(browser.cookie("id").await, None, "no value was written yet");
    browser.screenshot("login", 900, 700).await;
    browser.type_into("input[name=name]", "Koko <3").await;
    browser.click("#login").await;
    browser.sees("Hello, Koko <3").await;
    browser.sees("This message is shown once").await;
    for fact in [
        "after 30 minutes without use, after 12 hours in any case, or when you close the browser",
        "HttpOnly",
        "SameSite=Lax",
        "of 4,096 bytes",
    ] {
        browser.sees(fact).await;
    }
    browser.screenshot("welcome", 900, 700).await;
    browser.screenshot("welcome-on-a-phone", 390, 844).await;
    browser.click("#again").await;
    browser.sees("Seen 2 times").await;
    browser.sees_no("shown once").await;

    let cookie = browser.cookie("id").await.unwrap();
    let lax = Some(SameSite::Lax);
    assert_eq!(flags(&cookie), (Some(true), Some(false), lax));
    assert_eq!(cookie.path(), Some("/"));
    assert_eq!(cookie.expires(), None, "the cookie ends with the browser");
    assert_eq!(browser.script("return document.cookie").await, "");

    browser.click("#rotate").await;
    browser.sees("The keys were rotated").await;
    browser.sees("Signed by an older key").await;
    browser.sees("Seen 3 times").await;
    browser.screenshot("rotated", 900, 1400).await;
    browser.click("#again").await;
    browser.sees("Seen 4 times").await;
    browser.sees_no("The keys were rotated").await;

    browser.sees("Encrypted and signed").await;
    browser.sees_no("signed and not encrypted").await;
    browser.click("#encryption").await;
    browser.sees("signed and not encrypted").await;
    browser.sees("Chrome on Linux").await;
    browser.screenshot("signed", 900, 1400).await;

    let value = browser.cookie("id").await.unwrap().value().to_owned();
    browser.sees(&value).await;
    browser.click("#tamper").await;
    browser.sees("Your cookie was refused: its signature").await;
    assert!(browser.alert().await.contains("refused"));
    browser.sees("Who are you?").await;
    browser.sees(&value).await;
    let forged = browser.cookie("id").await.unwrap().value().to_owned();
    browser.sees(&forged).await;
    assert_ne!(value, forged);
    browser.screenshot("tampered", 900, 700).await;

    browser.type_into("input[name=name]", "Koko").await;
    browser.click("input[name=remember]").await;
    browser.click("#login").await;
    browser.sees("Seen 1 time since").await;
    browser
        .sees("after 14 days without use, after 30 days in any case")
        .await;
    let remembered = browser.cookie("id").await.unwrap();
    assert!(remembered.expires().is_some());
    assert_eq!(flags(&remembered), (Some(true), Some(false), lax));

    browser.click("#logout").await;
    browser.sees("Who are you?").await;
    browser.sees_no("refused").await;
    browser.sees("No cookie yet").await;
    assert_eq!(browser.cookie("id").await, None);

    browser.open(&format!("{home}nowhere")).await;
    browser.sees("There is no page at /nowhere").await;
    let status = "return `${performance.getEntriesByType('navigation')[0].responseStatus}`";
    assert_eq!(browser.script(status).await, "404");
    browser.screenshot("not-found", 900, 700).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_reports_the_default_cookie() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    // Browsers treat loopback as a secure origin, so Secure can be tested without TLS.
    let home = format!("http://localhost:{}/", serve(default_app()).await.port());
    browser.open(&home).await;
    browser.sees("visit 1").await;
    browser.open(&home).await;
    browser.sees("visit 2").await;
    let cookie = browser.cookie("__Host-id").await.unwrap();
    assert_eq!(
        flags(&cookie),
        (Some(true), Some(true), Some(SameSite::Lax))
    );
    assert_eq!(cookie.expires(), None);
    browser.open(&format!("{home}logout")).await;
    assert_eq!(browser.cookie("__Host-id").await, None);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_logs_other_devices_out() {
    let Some(laptop) = Browser::start().await else {
        return;
    };
    let home = format!(
        "http://{}/",
        serve(demo_app(Some(Arc::new(Memory::new())))).await
    );
    log_in(&laptop, &home).await;
    laptop.screenshot("in-a-server", 900, 700).await;
    laptop.click("#devices").await;
    laptop.sees("Chrome on Linux").await;
    laptop.sees("this device").await;
    laptop.sees_no("Log out").await;

    let phone = Browser::start_as(PHONE).await.unwrap();
    let tablet = Browser::start_as(TABLET).await.unwrap();
    log_in(&phone, &home).await;
    log_in(&tablet, &home).await;

    phone.click("#devices").await;
    for device in [
        "Chrome on Linux",
        "Safari on an iPhone",
        "Firefox on Android",
    ] {
        phone.sees(device).await;
    }
    phone.screenshot("devices-on-a-phone", 390, 844).await;
    phone
        .click("button[aria-label='Log out Firefox on Android']")
        .await;
    phone.sees("That device is logged out").await;
    phone.sees_no("Firefox on Android").await;
    tablet.click("#again").await;
    tablet
        .sees("You are logged out: your session has ended")
        .await;
    tablet.screenshot("ended", 900, 700).await;

    log_in(&tablet, &home).await;
    tablet.click("#rotate").await;
    tablet.sees("The keys were rotated").await;
    laptop.open(&format!("{home}devices")).await;
    laptop.sees("Firefox on Android").await;
    laptop.screenshot("devices", 900, 700).await;
    laptop.click("#end-others").await;
    laptop.sees("All other devices are logged out").await;
    laptop.screenshot("alone", 900, 700).await;
    for other in [&phone, &tablet] {
        other.open(&format!("{home}devices")).await;
        other
            .sees("You are logged out: your session has ended")
            .await;
        other.sees("Who are you?").await;
        assert!(other.alert().await.contains("your session has ended"));
        other.sees_no("The keys were rotated").await;
    }
    laptop.click("#back").await;
    laptop.sees("Hello, Koko").await;
    for browser in [laptop, phone, tablet] {
        browser.close().await;
    }
}

/// A page with a script that sends a late request: it has the cookie from before the change, and the
/// server handles it only after the response to the change has arrived.
const PARALLEL: &str = "<!doctype html><title>Parallel</title><pre id=log></pre><script>
// Chrome lets requests for one URL wait for each other, unless the cache is disabled.
const text = async path => (await fetch(path, {cache: 'no-store'})).text();
const log = line => document.getElementById('log').append(line + '\\n');
(async () => {
  await text('/count');
  for (const change of ['/login', '/renew', '/login-again', '/renew']) {
    const late = [text('/late'), text('/late'), text('/late')];
    await text('/late-ones-are-here');
    await text(change);
    await text('/release');
    log(change + ', late: ' + await Promise.all(late) + ', then: ' + await text('/who'));
  }
  log('done');
})();
</script>";

/// Returns an application with sessions in a server, and requests that wait before they load
/// theirs.
fn parallel_app() -> Router {
    use axum::response::Html;
    use axum::routing::get;
    use silverback::session::{ServerStore, Sessions};
    use tokio::sync::Semaphore;

    let (arrived, released) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let late = {
        let (arrived, released) = (arrived.clone(), released.clone());
        async move |sessions: Sessions| {
            arrived.add_permits(1);
            released.acquire().await.unwrap().forget();
            let session = sessions.session().await?;
            session.update("count", |count: &mut u64| *count += 1)?;
            let refusal = session.refusal().map(|refusal| refusal.to_string());
            Ok::<_, Error>(refusal.unwrap_or_default())
        }
    };
    let all_arrived = async move || arrived.acquire_many(3).await.unwrap().forget();
    let release = async move || released.add_permits(3);
    let who = async |session: Session| session.owner().unwrap_or("anonymous".to_owned());
    let count = async |session: Session| session.insert("count", 1);
    let login = async |session: Session| session.login("ape");
    let again = async |session: Session| session.login("bonobo");
    let renew = async |session: Session| session.renew();
    let codecs = Codecs::from_pairs(KeyPairs::generate(1).unwrap()).unwrap();
    let store = ServerStore::new(codecs, Arc::new(Memory::new())).unwrap();
    Router::new()
        .route("/", get(async || Html(PARALLEL)))
        .route("/late", get(late))
        .route("/late-ones-are-here", get(all_arrived))
        .route("/release", get(release))
        .route("/who", get(who))
        .route("/count", get(count))
        .route("/login", get(login))
        .route("/login-again", get(again))
        .route("/renew", get(renew))
        .layer(SessionLayer::new(store))
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_requests_during_a_login_or_a_renewal_log_no_user_out() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let address = serve(parallel_app()).await;
    browser
        .open(&format!("http://localhost:{}/", address.port()))
        .await;
    browser.sees("done").await;
    let moved = "moved to another ID,moved to another ID,moved to another ID";
    for (change, owner) in [
        ("/login", "ape"),
        ("/renew", "ape"),
        ("/login-again", "bonobo"),
        ("/renew", "bonobo"),
    ] {
        browser
            .sees(&format!("{change}, late: {moved}, then: {owner}"))
            .await;
    }
    browser.close().await;
}

const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 \
                     (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1";
const TABLET: &str = "Mozilla/5.0 (Android 16; Tablet; rv:145.0) Gecko/145.0 Firefox/145.0";

async fn log_in(browser: &Browser, home: &str) {
    browser.open(home).await;
    browser.type_into("input[name=name]", "Koko").await;
    browser.click("#login").await;
    browser.sees("Hello, Koko").await;
}
