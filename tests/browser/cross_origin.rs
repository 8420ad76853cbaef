//! Pages of another host forge requests in the browser of a logged-in user. Without the guard, some
//! succeed in spite of SameSite. With the guard, the server refuses all. The application's own forms
//! and scripts work in both cases.
//!
//! The attacker's hosts are `evil.site0.localhost`, in the site of the application, and
//! `evil.attacker0.localhost`, in another site. Chromium treats them as loopback and as secure, and
//! sends Sec-Fetch-Site. Over plain HTTP to other names it sends Origin alone.

use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use silverback::codec::KeyPairs;
use silverback::session::{CookieStore, Error, Session};
use silverback::web::cross_origin::CrossOriginGuard;
use silverback::web::tower::SessionLayer;

use super::driver::Browser;
use super::serve;

/// A page of the application, with its own forms, and a button of its own script.
const HOME: &str = "<!doctype html><title>Bank</title><p id=state>STATE</p>
<form method=post action=/login><button id=login name=name value=victim>Log in</button></form>
<form method=post action=/transfer><button id=transfer>Transfer</button></form>
<button id=script onclick=\"fetch('/transfer', {method: 'POST'})
  .then(response => document.body.append('sent: ' + response.ok))\">Transfer by script</button>";

/// A page of the attacker: a form and a script for each forged request.
const ATTACK: &str = "<!doctype html><title>Kittens</title>
<form method=post action=APP/transfer><button id=form-transfer>Kittens</button></form>
<form method=post action=APP/login><button id=form-login name=name value=attacker>More</button></form>
<button id=fetch-transfer onclick=\"fetch('APP/transfer',
  {method: 'POST', mode: 'no-cors', credentials: 'include', body: 'forged'})
  .finally(() => document.body.append('sent'))\">All</button>";

#[derive(serde::Deserialize)]
struct Login {
    name: String,
}

fn state(session: &Session) -> Result<String, Error> {
    let owner = session.owner().unwrap_or_else(|| "stranger".to_owned());
    let transfers = session.get::<u64>("transfers")?.unwrap_or_default();
    Ok(format!("{owner} {transfers}"))
}

async fn home(session: Session) -> Result<Html<String>, Error> {
    Ok(Html(HOME.replace("STATE", &state(&session)?)))
}

async fn login(session: Session, Form(form): Form<Login>) -> Result<Redirect, Error> {
    session.login(form.name)?;
    Ok(Redirect::to("/"))
}

async fn transfer(session: Session) -> Result<Response, Error> {
    if session.owner().is_none() {
        return Ok(StatusCode::UNAUTHORIZED.into_response());
    }
    session.update("transfers", |transfers: &mut u64| *transfers += 1)?;
    Ok(Redirect::to("/").into_response())
}

/// A POST request that the application got.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Post {
    path: String,
    /// The [`sender`].
    from: String,
    status: u16,
}

/// The application, and the server of the attacker's pages.
struct Site {
    /// The addresses of the application, and of the attacker in the same site and in another.
    app: String,
    attackers: [String; 2],
    posts: Arc<Mutex<Vec<Post>>>,
}

impl Site {
    /// Serves an application on the host `app.SITE` and the attacker's pages on two hosts.
    async fn serve(guard: Option<CrossOriginGuard>, [site, other]: [&str; 2]) -> Self {
        let layer = SessionLayer::new(CookieStore::new(KeyPairs::generate(1).unwrap()).unwrap());
        let layer = match guard {
            Some(guard) => layer.cross_origin(guard),
            None => layer,
        };
        let posts = Arc::new(Mutex::new(Vec::new()));
        let app = Router::new()
            .route("/", get(home))
            .route("/login", post(login))
            .route("/transfer", post(transfer))
            .layer(layer)
            .layer(from_fn({
                let posts = posts.clone();
                move |request, next| record(posts.clone(), request, next)
            }));
        let app = format!("http://app.{site}:{}", serve(app).await.port());
        let page = ATTACK.replace("APP", &app);
        let evil = Router::new().route("/", get(async move || Html(page)));
        let port = serve(evil).await.port();
        Site {
            app,
            attackers: [site, other].map(|site| format!("http://evil.{site}:{port}")),
            posts,
        }
    }

    /// Clicks a button of the application's page, and returns the state that the page shows.
    async fn use_page(&self, browser: &Browser, button: &str) -> String {
        browser.open(&self.app).await;
        browser.click(button).await;
        self.posted().await;
        self.state(browser).await
    }

    async fn state(&self, browser: &Browser) -> String {
        browser.open(&self.app).await;
        browser
            .script("return document.querySelector('#state').innerText")
            .await
    }

    /// Clicks a button of an attacker's page, and returns the forged request.
    async fn attack(&self, browser: &Browser, attacker: &str, button: &str) -> Post {
        browser.open(attacker).await;
        browser.click(button).await;
        self.posted().await
    }

    /// Waits for the next POST request, and returns it.
    async fn posted(&self) -> Post {
        for _ in 0..6_000 {
            if let Some(post) = self.posts.lock().unwrap().pop() {
                return post;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the browser sent no request");
    }
}

/// Returns Sec-Fetch-Site, or else Origin.
fn sender(fields: &HeaderMap) -> String {
    let text = |name: &str| Some(fields.get(name)?.to_str().unwrap().to_owned());
    let origin = || Some(format!("Origin: {}", text("origin")?));
    text("sec-fetch-site").or_else(origin).unwrap_or_default()
}

async fn record(posts: Arc<Mutex<Vec<Post>>>, request: Request, next: Next) -> Response {
    let is_post = request.method() == Method::POST;
    let path = request.uri().path().to_owned();
    let from = sender(request.headers());
    let response = next.run(request).await;
    if is_post {
        let status = response.status().as_u16();
        posts.lock().unwrap().push(Post { path, from, status });
    }
    response
}

/// The forged requests: the button, whether the attacker is in another site, and the state
/// afterwards if there is no guard. The user is `victim` and has made one transfer.
const ATTACKS: [(&str, bool, &str); 6] = [
    ("#form-transfer", false, "victim 2"),
    ("#fetch-transfer", false, "victim 2"),
    ("#form-login", false, "attacker 0"),
    ("#form-login", true, "attacker 0"),
    // SameSite=Lax protects the session.
    ("#form-transfer", true, "victim 1"),
    ("#fetch-transfer", true, "victim 1"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_refuses_the_forged_requests_that_succeed_without_it() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    for (number, (button, is_other_site, state)) in ATTACKS.into_iter().enumerate() {
        for guard in [None, Some(CrossOriginGuard::new())] {
            let case = format!("{button}, another site: {is_other_site}, {guard:?}");
            let number = 2 * number + usize::from(guard.is_some());
            let sites = [
                format!("site{number}.localhost"),
                format!("attacker{number}.localhost"),
            ];
            let is_guarded = guard.is_some();
            let site = Site::serve(guard, [&sites[0], &sites[1]]).await;
            assert_eq!(
                site.use_page(&browser, "#login").await,
                "victim 0",
                "{case}"
            );
            assert_eq!(
                site.use_page(&browser, "#transfer").await,
                "victim 1",
                "{case}"
            );
            let attacker = &site.attackers[usize::from(is_other_site)];
            let forged = site.attack(&browser, attacker, button).await;
            assert_eq!(
                forged.path,
                button.replace("#form-", "/").replace("#fetch-", "/")
            );
            assert_eq!(
                forged.from,
                if is_other_site {
                    "cross-site"
                } else {
                    "same-site"
                }
            );
            assert_eq!(forged.status == 403, is_guarded, "{case}: {forged:?}");
            let expected = if is_guarded { "victim 1" } else { state };
            assert_eq!(site.state(&browser).await, expected, "{case}");
            if is_guarded {
                assert_eq!(
                    site.use_page(&browser, "#transfer").await,
                    "victim 2",
                    "{case}"
                );
                assert_eq!(
                    site.use_page(&browser, "#script").await,
                    "victim 3",
                    "{case}"
                );
                assert_eq!(
                    site.use_page(&browser, "#login").await,
                    "victim 0",
                    "{case}"
                );
            }
        }
    }
    browser.close().await;
}

/// Browsers send Sec-Fetch-Site only to secure origins, and to `localhost`.
#[tokio::test(flavor = "multi_thread")]
async fn origin_decides_over_plain_http() {
    let rule = "--host-resolver-rules=MAP *.example 127.0.0.1".to_owned();
    let Some(browser) = Browser::start_with(&[rule]).await else {
        return;
    };
    let guard = Some(CrossOriginGuard::new());
    let site = Site::serve(guard, ["bank.example", "attacker.example"]).await;
    for attacker in &site.attackers {
        for button in ["#form-transfer", "#form-login", "#fetch-transfer"] {
            let forged = site.attack(&browser, attacker, button).await;
            assert_eq!(forged.from, format!("Origin: {attacker}"));
            assert_eq!(forged.status, 403, "{button}");
        }
    }
    for (button, status) in [("#login", 303), ("#transfer", 401), ("#script", 401)] {
        browser.open(&site.app).await;
        browser.click(button).await;
        let own = site.posted().await;
        // No session begins without Secure, and each request reaches its handler.
        assert_eq!(
            (own.from, own.status),
            (format!("Origin: {}", site.app), status)
        );
    }
    browser.close().await;
}
