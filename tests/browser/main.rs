//! The example `login` in a real browser: headless Chromium, driven by chromedriver. What
//! the browser says of the cookie is what counts.
//!
//! Where there is no chromedriver the test says so and passes, unless
//! `SILVERBACK_REQUIRE` names `chromedriver`. Screenshots are left in the target
//! directory's `tmp`.

mod driver;
#[path = "../../examples/login.rs"]
#[allow(dead_code)] // its `main`
mod login;
#[path = "../support/required.rs"]
mod required;

use std::net::SocketAddr;

use axum::Router;
use cookie::SameSite;
use driver::Browser;
use fantoccini::cookies::Cookie;
use silverback::codec::{Codecs, KeyPairs};
use silverback::session::{CookieStore, Error, Lifetime, Session};
use silverback::web::tower::SessionLayer;

async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A page that counts, with the default cookie, and can end the session.
fn default_app() -> Router {
    let visit = async |session: Session| {
        let visits = session.update("visits", |visits: &mut u64| *visits += 1)?;
        Ok::<_, Error>(format!("visit {visits}"))
    };
    let logout = async |session: Session| session.destroy();
    let codecs = Codecs::from_pairs(KeyPairs::generate(1).unwrap()).unwrap();
    let store = CookieStore::new(codecs).unwrap();
    Router::new()
        .route("/", axum::routing::get(visit))
        .route("/logout", axum::routing::get(logout))
        .layer(SessionLayer::new(store))
}

/// What the browser says of a cookie.
fn flags(cookie: &Cookie<'_>) -> (Option<bool>, Option<bool>, Option<SameSite>) {
    (cookie.http_only(), cookie.secure(), cookie.same_site())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_and_out() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let app = login::app(Lifetime::new().remember_me()).unwrap();
    let address = serve(app).await;
    let home = format!("http://{address}/");

    browser.open(&home).await;
    assert_eq!(browser.cookie("id").await, None, "nothing was written yet");
    browser.screenshot("login", 900, 700).await;
    browser.type_into("input[name=name]", "Koko <3").await;
    browser.click("#login").await;
    browser.sees("Hello, Koko <3").await;
    browser.sees("This message is shown once").await;
    browser.screenshot("welcome", 900, 700).await;
    browser.screenshot("welcome-on-a-phone", 390, 844).await;
    browser.click("#again").await;
    browser.sees("seen 2 times").await;
    browser.sees_no("shown once").await;

    let cookie = browser.cookie("id").await.unwrap();
    let lax = Some(SameSite::Lax);
    assert_eq!(flags(&cookie), (Some(true), Some(false), lax));
    assert_eq!(cookie.path(), Some("/"));
    assert_eq!(cookie.expires(), None, "it is gone with the browser");
    assert_eq!(browser.script("return document.cookie").await, "");

    browser.click("#rotate").await;
    browser
        .sees("came sealed by key 1 and leaves sealed by key 2")
        .await;
    browser.sees("seen 3 times").await;
    browser.screenshot("rotated", 900, 700).await;
    browser.click("#again").await;
    browser.sees("seen 4 times").await;
    browser.sees_no("came sealed").await;

    browser.click("#tamper").await;
    browser.sees("Your cookie was refused: not valid").await;
    browser.sees("Who are you?").await;
    browser.screenshot("tampered", 900, 700).await;

    browser.type_into("input[name=name]", "Koko").await;
    browser.click("input[name=remember]").await;
    browser.click("#login").await;
    browser.sees("seen 1 time since").await;
    browser
        .sees("ends in 30 days at the latest, and survives closing")
        .await;
    let remembered = browser.cookie("id").await.unwrap();
    assert!(remembered.expires().is_some());
    assert_eq!(flags(&remembered), (Some(true), Some(false), lax));

    browser.click("#logout").await;
    browser.sees("Who are you?").await;
    browser.sees_no("refused").await;
    assert_eq!(browser.cookie("id").await, None);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_cookie_is_what_the_browser_says_it_is() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    // Browsers take loopback for a secure origin, so Secure can be seen without TLS.
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
