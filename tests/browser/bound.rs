//! Sessions that are bound to the device of a real browser, over HTTPS with a certificate that the
//! test makes: Chromium's Device Bound Session Credentials, with a key in software.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::middleware::{self, Next};
use axum::response::{AppendHeaders, Html, Response};
use axum::routing::get;
use silverback::backend::Memory;
use silverback::codec::KeyPairs;
use silverback::session::binding::BindingOptions;
use silverback::session::{ClearSiteData, Error, ServerOptions, ServerStore, Session};
use silverback::web::binding::BindingEndpoints;
use silverback::web::tower::SessionLayer;

use crate::driver::Browser;
use crate::https::HttpsListener;

/// How long a bound cookie is good.
const COOKIE_LIFE: Duration = Duration::from_secs(4);
/// Longer than the server accepts a bound cookie.
const OVER: Duration = Duration::from_millis(5_500);
/// More than the browser ever takes, on any machine.
const WATCHDOG: Duration = Duration::from_secs(60);

/// The requests to the endpoints, each with its status, and whether it has ended the binding.
type Exchanges = Arc<Mutex<Vec<(String, u16, bool)>>>;

struct Site {
    address: SocketAddr,
    key_hash: String,
    store: ServerStore,
    exchanges: Exchanges,
}

async fn page(session: Session) -> String {
    let owner = session.owner().unwrap_or_else(|| "stranger".to_owned());
    format!("{owner} {:?}", session.binding())
}

async fn login(session: Session) -> Result<&'static str, Error> {
    session.login("ape")?;
    Ok("logged in")
}

async fn logout(session: Session) -> Result<&'static str, Error> {
    session.logout()?;
    Ok("logged out")
}

async fn logout_clearing(session: Session) -> Result<Html<&'static str>, Error> {
    session.logout_clearing([ClearSiteData::Storage, ClearSiteData::Cookies])?;
    Ok(Html("logged out"))
}

/// Sets the cookie in the query, as malware writes it into a profile.
async fn plant(RawQuery(cookie): RawQuery) -> AppendHeaders<[(&'static str, String); 1]> {
    let cookie = cookie.unwrap();
    AppendHeaders([("set-cookie", format!("{cookie}; Path=/; Secure; HttpOnly"))])
}

/// Notes the answers of the endpoints.
async fn note(State(exchanges): State<Exchanges>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    if !path.starts_with("/session/") {
        return response;
    }
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 10_000).await.unwrap();
    let is_end = String::from_utf8_lossy(&body).contains("\"continue\":false");
    let exchange = (path, head.status.as_u16(), is_end);
    exchanges.lock().unwrap().push(exchange);
    Response::from_parts(head, Body::from(body))
}

impl Site {
    async fn serve() -> Self {
        let binding = BindingOptions::new("/session").unwrap();
        let binding = binding.required(["/login"]).cookie_life(COOKIE_LIFE);
        let options = ServerOptions::new().binding(binding);
        let keys = KeyPairs::generate(1).unwrap();
        let store = ServerStore::with_options(keys, Memory::new(), options).unwrap();
        let exchanges = Exchanges::default();
        let app = Router::new()
            .route("/", get(page))
            .route("/login", get(login))
            .route("/logout", get(logout))
            .route("/logout-clearing", get(logout_clearing))
            .layer(BindingEndpoints)
            .layer(SessionLayer::new(store.clone()))
            .route("/plant", get(plant))
            .layer(middleware::from_fn_with_state(exchanges.clone(), note));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = HttpsListener::new(listener).unwrap();
        let key_hash = listener.key_hash.clone();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Site {
            address,
            key_hash,
            store,
            exchanges,
        }
    }

    /// Starts a browser with a profile of its own, which binds sessions by a key in software.
    async fn browser(&self) -> Option<Browser> {
        let features = "DeviceBoundSessions:RequireOriginTrialTokens/false/RefreshQuota/false,\
                        EnableBoundSessionCredentialsSoftwareKeysForManualTesting";
        Browser::start_with(&[
            format!("--enable-features={features}"),
            format!("--ignore-certificate-errors-spki-list={}", self.key_hash),
            // Without these, Chromium looks for updates at its start.
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--no-first-run".to_owned(),
        ])
        .await
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    fn count(&self, path: &str, status: u16) -> usize {
        let exchanges = self.exchanges.lock().unwrap();
        let found = exchanges
            .iter()
            .filter(|(of, code, _)| of == path && *code == status);
        found.count()
    }

    fn ends(&self) -> usize {
        let exchanges = self.exchanges.lock().unwrap();
        exchanges.iter().filter(|(_, _, is_end)| *is_end).count()
    }

    /// Logs in, and waits until the browser has registered its key.
    async fn log_in(&self, browser: &Browser) {
        let before = self.count("/session/registration", 200);
        browser.open(&self.url("/login")).await;
        browser.sees("logged in").await;
        let begin = std::time::Instant::now();
        while self.count("/session/registration", 200) == before {
            assert!(
                begin.elapsed() < WATCHDOG,
                "{:?}",
                self.exchanges.lock().unwrap()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn sees(&self, browser: &Browser, text: &str) {
        browser.open(&self.url("/")).await;
        browser.sees(text).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_stays_bound_and_a_copied_jar_is_refused() {
    let site = Site::serve().await;
    let Some(browser) = site.browser().await else {
        return;
    };
    site.log_in(&browser).await;
    site.sees(&browser, "ape Bound").await;
    // The browser of a thief has all cookies, and no key.
    let thief = site.browser().await.unwrap();
    thief.open(&site.url("/")).await;
    thief.sees("stranger").await;
    for name in ["__Host-id", "__Host-id_bound"] {
        let cookie = browser.cookie(name).await.unwrap();
        assert!(cookie.http_only() == Some(true) && cookie.secure() == Some(true));
        thief
            .open(&site.url(&format!("/plant?{name}={}", cookie.value())))
            .await;
    }
    for round in 0..3 {
        let refreshes = site.count("/session/refresh", 200);
        tokio::time::sleep(OVER).await;
        site.sees(&browser, "ape Bound").await;
        assert!(site.count("/session/refresh", 200) > refreshes, "{round}");
    }
    thief.open(&site.url("/")).await;
    thief.sees("403").await;
    thief.sees_no("ape").await;
    thief.close().await;
    // A user who has lost the key logs in again.
    browser.delete_cookie("__Host-id_bound").await;
    site.log_in(&browser).await;
    site.sees(&browser, "ape Bound").await;
    println!(
        "refreshes: {} with success, {} challenges",
        site.count("/session/refresh", 200),
        site.count("/session/refresh", 403)
    );
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_end_of_a_session_ends_the_binding_in_the_browser() {
    let site = Site::serve().await;
    let Some(browser) = site.browser().await else {
        return;
    };
    for (index, end) in ["logout", "revocation"].into_iter().enumerate() {
        site.log_in(&browser).await;
        site.sees(&browser, "ape Bound").await;
        match end {
            "logout" => browser.open(&site.url("/logout")).await,
            _ => site.store.end_all("ape").await.unwrap(),
        }
        tokio::time::sleep(OVER).await;
        site.sees(&browser, "stranger").await;
        assert!(
            site.ends() > index,
            "{end}: {:?}",
            site.exchanges.lock().unwrap()
        );
        // The browser has dropped the binding: it refreshes nothing any more.
        let before = site.exchanges.lock().unwrap().len();
        tokio::time::sleep(OVER).await;
        site.sees(&browser, "stranger").await;
        assert_eq!(site.exchanges.lock().unwrap().len(), before, "{end}");
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_clears_what_the_page_has_stored() {
    let site = Site::serve().await;
    let Some(browser) = site.browser().await else {
        return;
    };
    site.log_in(&browser).await;
    let stored = "return localStorage.getItem('draft') || 'nothing'";
    browser
        .script("localStorage.setItem('draft', 'secret')")
        .await;
    browser
        .script("document.cookie = 'theme=dark; Secure; Path=/'")
        .await;
    site.sees(&browser, "ape").await;
    assert_eq!(browser.script(stored).await, "secret");
    assert!(browser.cookie("theme").await.is_some());
    browser.open(&site.url("/logout-clearing")).await;
    browser.sees("logged out").await;
    site.sees(&browser, "stranger").await;
    assert_eq!(browser.script(stored).await, "nothing");
    assert_eq!(browser.cookie("theme").await, None);
    browser.close().await;
}
