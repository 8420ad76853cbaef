//! A sibling host plants cookies in the browser of a logged-in user, and the test sends the user's
//! next requests: no request is in the attacker's session, and the second request at the latest has
//! the user's own session.
//!
//! The hosts are `app.site0.localhost` and `evil.site0.localhost`, and so on, with a site for each
//! case: Chromium treats them as loopback and as secure.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::header::SET_COOKIE;
use axum::response::AppendHeaders;
use axum::routing::get;
use silverback::backend::Memory;
use silverback::codec::{Codecs, KeyPairs};
use silverback::session::{
    CookieOptions, CookieStore, Error, Lifetime, ServerOptions, ServerStore, Session, Stores,
    testing::Jar,
};
use silverback::web::tower::SessionLayer;

use super::driver::Browser;
use super::serve;

/// A site with an application on one host and an attacker on another.
struct Site {
    number: usize,
    port: u16,
    name: String,
    /// The cookie of the attacker's own session.
    attackers: String,
    planted: Arc<Mutex<Vec<String>>>,
}

async fn who(session: Session) -> String {
    let owner = session.owner().unwrap_or_else(|| "anonymous".to_owned());
    let refusal = session.refusal().map(|refusal| format!(" ({refusal})"));
    owner + &refusal.unwrap_or_default()
}

/// Returns two stores of that cookie name: in the cookie, and in a server.
fn stores_of(name: &str) -> [Stores; 2] {
    let cookie = CookieOptions::new().name(name).unwrap();
    let codecs = || Codecs::from_pairs(KeyPairs::generate(1).unwrap()).unwrap();
    let in_cookie = CookieStore::with_options(codecs(), cookie.clone(), Lifetime::new());
    let options = ServerOptions::new().cookie(cookie);
    let in_server = ServerStore::with_options(codecs(), Arc::new(Memory::new()), options);
    [in_cookie.unwrap().into(), in_server.unwrap().into()]
}

impl Site {
    async fn of(stores: Stores, name: &str, number: usize) -> Self {
        let attackers = Jar::with(stores.clone(), |session| session.login("attacker")).await;
        let planted = Arc::new(Mutex::new(Vec::<String>::new()));
        let plant = {
            let planted = planted.clone();
            async move || {
                let planted: Vec<String> = planted.lock().unwrap().clone();
                (
                    AppendHeaders(planted.into_iter().map(|text| (SET_COOKIE, text))),
                    "planted",
                )
            }
        };
        let login = async |session: Session| {
            session.login("victim")?;
            Ok::<_, Error>("welcome")
        };
        let app = Router::new()
            .route("/login", get(login))
            .fallback(get(who))
            .layer(SessionLayer::new(stores))
            .route("/plant", get(plant));
        Site {
            number,
            port: serve(app).await.port(),
            name: name.to_owned(),
            attackers: attackers.unwrap().get(name).unwrap().to_owned(),
            planted,
        }
    }

    fn url(&self, host: &str, path: &str) -> String {
        let Site { number, port, .. } = self;
        format!("http://{host}.site{number}.localhost:{port}{path}")
    }

    async fn login(&self, browser: &Browser) {
        browser.open(&self.url("app", "/login")).await;
        browser.sees("welcome").await;
    }

    /// Sets cookies from the attacker's host. `ID` stands for the name and value, and `SITE` for
    /// the Domain of all hosts of the site.
    async fn plant(&self, browser: &Browser, cookies: &[&str]) {
        let id = format!("{}={}", self.name, self.attackers);
        let site = format!("Domain=site{}.localhost", self.number);
        let texts = cookies
            .iter()
            .map(|cookie| cookie.replace("ID", &id).replace("SITE", &site));
        *self.planted.lock().unwrap() = texts.collect();
        browser.open(&self.url("evil", "/plant")).await;
        browser.sees("planted").await;
    }

    /// Returns the owner of the session in each of three requests.
    async fn visits(&self, browser: &Browser, path: &str) -> [String; 3] {
        let mut visits = [const { String::new() }; 3];
        for visit in &mut visits {
            browser.open(&self.url("app", path)).await;
            *visit = browser.page().await;
        }
        visits
    }
}

const NAMES: [&str; 3] = ["__Host-id", "__Secure-id", "id"];

/// The scopes in which a sibling host plants the attacker's cookie, and the page that the victim
/// opens.
const PLANTS: [(&str, &[&str], &str); 5] = [
    ("at the page", &["ID; SITE; Path=/get; Secure"], "/get"),
    ("at the root", &["ID; SITE; Path=/; Secure"], "/get"),
    (
        "in every scope",
        &[
            "ID; SITE; Path=/; Secure",
            "ID; SITE; Path=/get; Secure",
            "ID; SITE; Path=/get/; Secure",
            "ID; SITE; Path=/get/a; Secure",
        ],
        "/get/a",
    ),
    (
        "in a partition",
        &["ID; SITE; Path=/get; Secure; Partitioned"],
        "/get",
    ),
    ("without a name", &["=ID; SITE; Path=/get; Secure"], "/get"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_cookie_is_never_used() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let mut verdicts = Vec::new();
    let mut number = 0;
    for name in NAMES {
        for (store, stores) in ["cookie", "server"].into_iter().zip(stores_of(name)) {
            for (plant, cookies, page) in PLANTS {
                number += 1;
                let site = Site::of(stores.clone(), name, number).await;
                site.login(&browser).await;
                site.plant(&browser, cookies).await;
                let visits = site.visits(&browser, page).await;
                let is_safe = visits.iter().all(|visit| !visit.contains("attacker"))
                    && visits[1..].iter().all(|visit| visit == "victim");
                verdicts.push((
                    is_safe,
                    format!("{name} in the {store}, {plant}: {visits:?}"),
                ));
            }
        }
    }
    browser.close().await;
    assert_all_safe(&verdicts);
}

fn assert_all_safe(verdicts: &[(bool, String)]) {
    let lost = verdicts.iter().filter(|(is_safe, _)| !is_safe);
    let lost: Vec<&str> = lost.map(|(_, verdict)| verdict.as_str()).collect();
    let (lost, all, list) = (lost.len(), verdicts.len(), lost.join("\n"));
    assert_eq!(lost, 0, "lost, of {all}:\n{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_foreign_cookies_hide_no_session() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let heap: Vec<String> = (0..20)
        .map(|number| format!("heap{number}={}; SITE; Path=/; Secure", "x".repeat(3_900)))
        .collect();
    let heap: Vec<&str> = heap.iter().map(String::as_str).collect();
    let mut verdicts = Vec::new();
    let mut number = 100;
    for name in NAMES {
        for (store, stores) in ["cookie", "server"].into_iter().zip(stores_of(name)) {
            number += 1;
            let site = Site::of(stores, name, number).await;
            site.login(&browser).await;
            site.plant(&browser, &heap).await;
            let before = site.visits(&browser, "/get").await;
            site.login(&browser).await;
            let after = site.visits(&browser, "/get").await;
            let is_safe = before.iter().chain(&after).all(|visit| visit == "victim");
            verdicts.push((
                is_safe,
                format!("{name} in the {store}: {before:?}, after a login {after:?}"),
            ));
        }
    }
    browser.close().await;
    assert_all_safe(&verdicts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_with_planted_cookies_opens_the_victims_session() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let paths = ["/", "/get", "/get/", "/get/a"];
    let many: Vec<String> = paths
        .iter()
        .flat_map(|path| {
            ["", "; Partitioned"].map(|more| format!("ID; SITE; Path={path}; Secure{more}"))
        })
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut verdicts = Vec::new();
    let mut number = 200;
    for name in NAMES {
        for (store, stores) in ["cookie", "server"].into_iter().zip(stores_of(name)) {
            number += 1;
            let site = Site::of(stores, name, number).await;
            site.login(&browser).await;
            site.plant(&browser, &many).await;
            site.login(&browser).await;
            let visits = site.visits(&browser, "/get/a").await;
            let is_safe = visits.iter().all(|visit| !visit.contains("attacker"))
                && visits[1..].iter().all(|visit| visit == "victim");
            verdicts.push((is_safe, format!("{name} in the {store}: {visits:?}")));
        }
    }
    browser.close().await;
    assert_all_safe(&verdicts);
}
