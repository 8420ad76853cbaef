//! Guards and the current user: one table through both frameworks, over real HTTP.

use std::collections::HashMap;
use std::io::{Error as IoError, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use silverback::session::testing::Jar;
use silverback::session::{
    CookieOptions, CookieStore, Error, Factor, Lifetime, Session, Stores, Typed, TypedValue,
};
use silverback::web::guard::{
    CurrentUser, LoginGuard, Users, require_fresh, require_level, require_login,
};

use super::site::{Framework, RUNTIME};
use super::support::{Clock, TestGenerations, fresh_codecs, store_with};

for_each_framework!(
    a_request_without_a_login_gets_the_answer_of_the_table,
    a_login_lets_every_method_through,
    the_login_page_gets_only_paths_of_this_site,
    an_old_login_passes_only_guards_without_an_age,
    a_guard_of_a_level_leads_to_the_page_for_another_factor,
    a_user_is_loaded_once_in_a_request,
    changed_credentials_end_the_session,
    a_user_who_is_removed_has_no_access,
    an_outage_is_never_a_missing_user,
    a_guard_outside_of_the_session_layer_lets_no_request_through,
    a_handler_that_asks_for_another_type_gets_a_usage_error,
    a_typed_value_is_an_argument_of_a_handler,
);

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const FRESH: Duration = Duration::from_secs(600);

/// The users of the site, by name, with the hash of their password.
#[derive(Clone, Default)]
struct Directory {
    hashes: Arc<Mutex<HashMap<String, String>>>,
    loads: Arc<AtomicU64>,
    is_down: Arc<AtomicBool>,
}

struct User {
    name: String,
    hash: String,
}

impl Directory {
    fn set(&self, name: &str, hash: &str) {
        let mut hashes = self.hashes.lock().unwrap();
        hashes.insert(name.to_owned(), hash.to_owned());
    }

    fn hash(&self, name: &str) -> String {
        self.hashes.lock().unwrap()[name].clone()
    }
}

impl Users for Directory {
    type User = User;
    type Error = IoError;

    async fn find(&self, owner: &str) -> Result<Option<User>, IoError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        if self.is_down.load(Ordering::SeqCst) {
            return Err(IoError::other("the directory does not answer"));
        }
        let hashes = self.hashes.lock().unwrap();
        let hash = hashes.get(owner).cloned();
        Ok(hash.map(|hash| User {
            name: owner.to_owned(),
            hash,
        }))
    }

    fn credentials(user: &User) -> Option<&[u8]> {
        Some(user.hash.as_bytes())
    }
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Count(u8);

impl TypedValue for Count {
    const KEY: &'static str = "count";
}

fn counted(count: &Typed<Count>) -> Result<String, Error> {
    Ok(count.update(|count| count.0 += 1)?.0.to_string())
}

fn log_in(session: &Session, directory: &Directory) -> Result<(), Error> {
    session.login("ape")?;
    session.bind_credentials(directory.hash("ape"))
}

fn step_up(session: &Session, amr: &str) -> Result<(), Error> {
    session.authenticate(Factor::from_amr(amr))
}

fn name_of(user: Option<CurrentUser<User>>) -> String {
    user.map_or_else(|| "stranger".to_owned(), |user| user.name.clone())
}

fn axum_app(site: &Site) -> axum::Router {
    use axum::routing::{any, get};
    use silverback::web::tower::SessionLayer;

    async fn account(user: CurrentUser<User>, again: CurrentUser<User>) -> String {
        assert!(Arc::ptr_eq(&user.0, &again.0));
        user.name.clone()
    }
    async fn confirm(session: Session, factor: axum::extract::Path<String>) -> Result<(), Error> {
        step_up(&session, &factor)
    }
    let directory = site.directory.clone();
    let login = async move |session: Session| log_in(&session, &directory);
    let open = async |user: Option<CurrentUser<User>>| name_of(user);
    let guarded = |guard: LoginGuard| any(account).layer(guard);
    let layer = SessionLayer::new(site.stores.clone()).users(site.directory.clone());
    let layer = match site.has_pages {
        true => layer.login_page("/login").confirm_page("/confirm"),
        false => layer,
    };
    let inner = axum::Router::new().route("/account", guarded(require_login()));
    let app = axum::Router::new()
        .route("/login", get(login))
        .route("/open", get(open))
        .route("/extracted", get(account))
        .route("/account", guarded(require_login()))
        .route("//{*rest}", guarded(require_login()))
        .route("/fresh", guarded(require_fresh(FRESH)))
        .route("/level", guarded(require_level(2)))
        .route("/fresh-level", guarded(require_level(2).within(FRESH)))
        .route("/confirm/{factor}", get(confirm))
        .route("/admin", guarded(require_login().page("/admin/login")))
        .route("/wrong", get(async |_: CurrentUser<u8>| {}))
        .route("/count", get(async |count: Typed<Count>| counted(&count)))
        .nest("/nested", inner)
        .layer(layer);
    let outside = axum::Router::new()
        .route("/outside", get(async |_: Session| "passed"))
        .layer(SessionLayer::new(site.stores.clone()))
        .layer(require_login());
    app.merge(outside)
}

fn actix_routes(config: &mut actix_web::web::ServiceConfig, site: &Site) {
    use actix_web::web;
    use silverback::web::actix::SessionMiddleware;

    async fn account(users: (CurrentUser<User>, CurrentUser<User>)) -> String {
        assert!(Arc::ptr_eq(&users.0.0, &users.1.0));
        users.0.name.clone()
    }
    async fn open(user: Option<CurrentUser<User>>) -> String {
        name_of(user)
    }
    let directory = site.directory.clone();
    let login = move |session: Session| {
        let directory = directory.clone();
        async move { log_in(&session, &directory).map(|()| "") }
    };
    let guarded = |path: &str, guard: LoginGuard| web::resource(path).wrap(guard).to(account);
    let middleware = SessionMiddleware::new(site.stores.clone()).users(site.directory.clone());
    let middleware = match site.has_pages {
        true => middleware.login_page("/login").confirm_page("/confirm"),
        false => middleware,
    };
    let inner = web::scope("/nested").service(guarded("/account", require_login()));
    let outside = web::resource("/outside")
        .wrap(SessionMiddleware::new(site.stores.clone()))
        .wrap(require_login())
        .to(async |_: Session| "passed");
    let app = web::scope("")
        .wrap(middleware)
        .route("/login", web::get().to(login))
        .route("/open", web::get().to(open))
        .route("/extracted", web::get().to(account))
        .service(guarded("/account", require_login()))
        .service(guarded("//{rest:.*}", require_login()))
        .service(guarded("/fresh", require_fresh(FRESH)))
        .service(guarded("/level", require_level(2)))
        .service(guarded("/fresh-level", require_level(2).within(FRESH)))
        .route(
            "/confirm/{factor}",
            web::get().to(async |session: Session, factor: web::Path<String>| {
                step_up(&session, &factor).map(|()| "")
            }),
        )
        .service(guarded("/admin", require_login().page("/admin/login")))
        .route("/wrong", web::get().to(async |_: CurrentUser<u8>| ""))
        .route(
            "/count",
            web::get().to(async |count: Typed<Count>| counted(&count)),
        )
        .service(inner);
    config.service(outside).service(app);
}

#[derive(Clone)]
struct Site {
    stores: Stores,
    directory: Directory,
    has_pages: bool,
}

impl Site {
    fn new(stores: impl Into<Stores>) -> Self {
        let directory = Directory::default();
        directory.set("ape", "first hash");
        Site {
            stores: stores.into(),
            directory,
            has_pages: true,
        }
    }

    fn serve(&self, framework: Framework) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let site = self.clone();
        match framework {
            Framework::Axum => {
                listener.set_nonblocking(true).unwrap();
                RUNTIME.spawn(async move {
                    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                    axum::serve(listener, axum_app(&site)).await.unwrap();
                });
            }
            Framework::Actix => drop(std::thread::spawn(move || {
                let app = move || {
                    let app = actix_web::App::new();
                    app.configure(|config| actix_routes(config, &site))
                };
                let server = actix_web::HttpServer::new(app).workers(1).disable_signals();
                let server = server.listen(listener).unwrap().run();
                actix_web::rt::System::new().block_on(server).unwrap();
            })),
        }
        let jar = Jar::new();
        Client { address, jar }
    }
}

/// A client that sends the target of a request as it is.
struct Client {
    address: SocketAddr,
    jar: Jar,
}

struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(of, _)| of.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn outcome(&self) -> (u16, Option<&str>) {
        (self.status, self.field("location"))
    }
}

impl Client {
    fn send(&mut self, method: &str, target: &str, accept: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let cookie = self.jar.cookie();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Accept: {accept}\r\nCookie: {cookie}\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let field = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        };
        let answer = Answer {
            status: status.parse().unwrap(),
            fields: lines.map(field).collect(),
            body: body.to_owned(),
        };
        let set_cookies = answer
            .fields
            .iter()
            .filter(|(name, _)| name == "set-cookie");
        self.jar.receive_all(set_cookies.map(|(_, value)| value));
        answer
    }

    fn get(&mut self, target: &str) -> Answer {
        self.send("GET", target, BROWSER)
    }
}

fn store() -> CookieStore {
    store_with(CookieOptions::new(), Lifetime::new())
}

fn a_request_without_a_login_gets_the_answer_of_the_table(framework: Framework) {
    let mut client = Site::new(store()).serve(framework);
    let next = |page: &str, path: &str| Some(format!("{page}?next={path}"));
    let page = |page: &str| Some(page.to_owned());
    for (method, target, accept, status, location) in [
        (
            "GET",
            "/account",
            BROWSER,
            303,
            next("/login", "%2Faccount"),
        ),
        (
            "HEAD",
            "/account",
            BROWSER,
            303,
            next("/login", "%2Faccount"),
        ),
        (
            "GET",
            "/account?a=b&c",
            BROWSER,
            303,
            next("/login", "%2Faccount%3Fa%3Db%26c"),
        ),
        (
            "GET",
            "/nested/account",
            BROWSER,
            303,
            next("/login", "%2Fnested%2Faccount"),
        ),
        (
            "GET",
            "/admin",
            BROWSER,
            303,
            next("/admin/login", "%2Fadmin"),
        ),
        (
            "GET",
            "/extracted",
            BROWSER,
            303,
            next("/login", "%2Fextracted"),
        ),
        ("GET", "/fresh", BROWSER, 303, next("/login", "%2Ffresh")),
        ("POST", "/account", BROWSER, 303, page("/login")),
        ("PUT", "/account", BROWSER, 303, page("/login")),
        ("DELETE", "/account", BROWSER, 303, page("/login")),
        ("OPTIONS", "/account", "*/*", 401, None),
        ("PURGE", "/account", "*/*", 401, None),
        ("GET", "/account", "*/*", 401, None),
        ("GET", "/account", "application/json", 401, None),
        ("GET", "/account", "text/html;q=0, */*", 401, None),
        ("POST", "/account", "application/json", 401, None),
        ("GET", "/extracted", "*/*", 401, None),
        ("GET", "/fresh", "*/*", 401, None),
        ("GET", "/open", "*/*", 200, None),
    ] {
        let answer = client.send(method, target, accept);
        let case = format!("{method} {target} {accept}");
        assert_eq!(answer.outcome(), (status, location.as_deref()), "{case}");
        let expected = if status == 200 { "stranger" } else { "" };
        assert_eq!(answer.body, expected, "{case}");
        if status != 200 {
            assert_eq!(answer.field("cache-control"), Some("no-store"), "{case}");
            let vary = answer.fields.iter().filter(|(name, _)| name == "vary");
            let vary: Vec<&str> = vary.map(|(_, value)| value.as_str()).collect();
            assert_eq!(vary, ["Accept", "Cookie"], "{case}");
        }
        assert_eq!(answer.field("www-authenticate").is_some(), status == 401);
    }
    let mut without_pages = Site::new(store());
    without_pages.has_pages = false;
    let mut client = without_pages.serve(framework);
    assert_eq!(client.get("/account").outcome(), (401, None));
    let location = client.get("/admin").field("location").map(str::to_owned);
    assert_eq!(location, next("/admin/login", "%2Fadmin"));
}

fn a_login_lets_every_method_through(framework: Framework) {
    let mut client = Site::new(store()).serve(framework);
    client.get("/login");
    for path in ["/account", "/nested/account", "/admin", "/fresh"] {
        for method in ["GET", "POST", "PUT", "DELETE", "PURGE"] {
            let answer = client.send(method, path, "*/*");
            assert_eq!(
                (answer.status, &*answer.body),
                (200, "ape"),
                "{method} {path}"
            );
        }
    }
    assert_eq!(client.get("/extracted").body, "ape");
    assert_eq!(client.get("/open").body, "ape");
}

fn the_login_page_gets_only_paths_of_this_site(framework: Framework) {
    let mut client = Site::new(store()).serve(framework);
    for target in [
        "//evil.example",
        "//evil.example/a",
        "//evil.example/%2e%2e",
    ] {
        assert_eq!(
            client.get(target).outcome(),
            (303, Some("/login")),
            "{target}"
        );
    }
    let answer = client.get("/account?next=//evil.example");
    let next = "/login?next=%2Faccount%3Fnext%3D%2F%2Fevil.example";
    assert_eq!(answer.outcome(), (303, Some(next)));
}

fn an_old_login_passes_only_guards_without_an_age(framework: Framework) {
    let clock = Clock::new();
    let mut client = Site::new(clock.of(store())).serve(framework);
    client.get("/login");
    clock.pass(FRESH.as_secs());
    assert_eq!(client.get("/fresh").body, "ape");
    clock.pass(1);
    let confirm = "/confirm?next=%2Ffresh";
    assert_eq!(client.get("/fresh").outcome(), (303, Some(confirm)));
    assert_eq!(client.send("GET", "/fresh", "*/*").outcome(), (403, None));
    assert_eq!(client.get("/account").body, "ape");
    client.get("/login");
    assert_eq!(client.get("/fresh").body, "ape");
}

fn a_guard_of_a_level_leads_to_the_page_for_another_factor(framework: Framework) {
    let clock = Clock::new();
    let mut client = Site::new(clock.of(store())).serve(framework);
    let login = "/login?next=%2Flevel";
    assert_eq!(client.get("/level").outcome(), (303, Some(login)));
    client.get("/login");
    client.get("/confirm/pwd");
    let confirm = "/confirm?next=%2Flevel";
    assert_eq!(client.get("/level").outcome(), (303, Some(confirm)));
    assert_eq!(client.send("GET", "/level", "*/*").outcome(), (403, None));
    client.get("/confirm/otp");
    assert_eq!(client.get("/level").body, "ape");
    assert_eq!(client.get("/fresh-level").body, "ape");
    clock.pass(FRESH.as_secs() + 1);
    assert_eq!(client.get("/level").body, "ape");
    let confirm = "/confirm?next=%2Ffresh-level";
    assert_eq!(client.get("/fresh-level").outcome(), (303, Some(confirm)));
    client.get("/confirm/otp");
    assert_eq!(client.get("/fresh").body, "ape", "a proof, and not a login");
    assert_eq!(client.get("/fresh-level").outcome(), (303, Some(confirm)));
    client.get("/confirm/pwd");
    assert_eq!(client.get("/fresh-level").body, "ape");
}

fn a_user_is_loaded_once_in_a_request(framework: Framework) {
    let site = Site::new(store());
    let mut client = site.serve(framework);
    let loads = || site.directory.loads.swap(0, Ordering::SeqCst);
    client.get("/login");
    assert_eq!(loads(), 0, "a login loads no user");
    for (path, expected) in [("/account", 1), ("/nested/account", 1), ("/extracted", 1)] {
        assert_eq!(client.get(path).body, "ape");
        assert_eq!(loads(), expected, "{path}");
    }
    client.jar = Jar::new();
    client.get("/account");
    assert_eq!(loads(), 0, "without a login there is no user to load");
}

fn changed_credentials_end_the_session(framework: Framework) {
    for path in ["/account", "/extracted", "/open"] {
        let site = Site::new(store());
        let mut client = site.serve(framework);
        client.get("/login");
        assert_eq!(client.get(path).body, "ape");
        site.directory.set("ape", "second hash");
        let answer = client.get(path);
        assert_ne!(answer.body, "ape", "{path}");
        let removed = answer.field("set-cookie").unwrap();
        assert!(removed.contains("Max-Age=0"), "{path}: {removed}");
        // The old hash does not bring the session back.
        site.directory.set("ape", "first hash");
        assert_eq!(client.get("/open").body, "stranger");
        client.get("/login");
        assert_eq!(client.get(path).body, "ape");
    }
}

fn a_user_who_is_removed_has_no_access(framework: Framework) {
    let site = Site::new(store());
    let mut client = site.serve(framework);
    client.get("/login");
    site.directory.hashes.lock().unwrap().clear();
    for path in ["/account", "/extracted", "/fresh", "/admin"] {
        assert_eq!(client.get(path).status, 303, "{path}");
    }
    assert_eq!(client.get("/open").body, "stranger");
    site.directory.set("ape", "first hash");
    assert_eq!(client.get("/account").body, "ape", "the session stayed");
}

fn an_outage_is_never_a_missing_user(framework: Framework) {
    let generations = TestGenerations::default();
    let revocable = store().revocable(Arc::new(generations.clone()));
    let site = Site::new(revocable);
    let mut client = site.serve(framework);
    client.get("/login");
    let outages = [&site.directory.is_down, &generations.is_down];
    for is_down in outages {
        is_down.store(true, Ordering::SeqCst);
        for path in ["/account", "/extracted", "/open", "/fresh"] {
            let answer = client.get(path);
            assert_eq!(answer.outcome(), (503, None), "{path}");
            assert_eq!(answer.field("set-cookie"), None, "{path}");
            assert_eq!(answer.body, "", "{path}");
        }
        is_down.store(false, Ordering::SeqCst);
        assert_eq!(client.get("/account").body, "ape");
    }
}

fn a_guard_outside_of_the_session_layer_lets_no_request_through(framework: Framework) {
    let mut client = Site::new(store()).serve(framework);
    client.get("/login");
    let answer = client.get("/outside");
    assert_eq!(answer.status, 500);
    assert!(!answer.body.contains("passed"), "{}", answer.body);
}

fn a_handler_that_asks_for_another_type_gets_a_usage_error(framework: Framework) {
    let mut client = Site::new(store()).serve(framework);
    client.get("/login");
    let answer = client.get("/wrong");
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("asks for u8"), "{}", answer.body);
}

fn a_typed_value_is_an_argument_of_a_handler(framework: Framework) {
    let mut client = Site::new(store()).serve(framework);
    assert_eq!(client.get("/count").body, "1");
    assert_eq!(client.get("/count").body, "2");
}

/// An inner layer that sets only a page keeps the users of the layer around it.
#[test]
fn an_inner_layer_has_the_users_of_the_outer_one() {
    use axum::routing::get;
    use silverback::web::tower::SessionLayer;

    RUNTIME.block_on(async {
        let store = store();
        let directory = Directory::default();
        directory.set("ape", "second hash");
        let app = axum::Router::new()
            .route("/", get(async || "passed"))
            .route("/admin/login", get(async || "passed"))
            .layer(require_login())
            .layer(SessionLayer::new(store.clone()).login_page("/admin/login"))
            .layer(
                SessionLayer::new(store.clone())
                    .users(directory)
                    .login_page("/login"),
            );
        let fill = |session: &Session| {
            session.login("ape")?;
            session.bind_credentials("first hash")
        };
        let mut jar = Jar::with(store, fill).await.unwrap();
        let request = |path: &str| {
            let request = axum::http::Request::get(path).header("accept", BROWSER);
            request.body(axum::body::Body::empty()).unwrap()
        };
        let response = jar.send(&app, request("/")).await.unwrap();
        assert_eq!(response.headers()["location"], "/admin/login?next=%2F");
        // A redirect to the guarded page itself would never end.
        let response = jar.send(&app, request("/admin/login")).await.unwrap();
        assert_eq!(response.status(), 401);
    });
}

#[test]
fn a_tower_service_gets_the_user_of_its_request() {
    use silverback::web::tower::SessionLayer;

    RUNTIME.block_on(async {
        let (store, directory) = (store(), Directory::default());
        directory.set("ape", "first hash");
        let greet = async |request: axum::extract::Request| {
            let user = CurrentUser::<User>::of_request(request.extensions());
            name_of(user.await.unwrap())
        };
        let app = axum::Router::new()
            .fallback(greet)
            .layer(SessionLayer::new(store.clone()).users(directory.clone()));
        let fill = |session: &Session| log_in(session, &directory);
        let known = Jar::with(store, fill).await.unwrap();
        for (mut jar, expected) in [(known, "ape"), (Jar::new(), "stranger")] {
            let request = axum::http::Request::new(axum::body::Body::empty());
            let response = jar.send(&app, request).await.unwrap();
            let body = axum::body::to_bytes(response.into_body(), 100)
                .await
                .unwrap();
            assert_eq!(body, expected);
        }
    });
}

/// Two stores have a session of the same user. The credentials of each login count.
#[test]
fn each_session_has_its_own_credentials() {
    use axum::routing::get;
    use silverback::web::tower::SessionLayer;

    RUNTIME.block_on(async {
        let of = |name: &str| store_with(CookieOptions::new().name(name).unwrap(), Lifetime::new());
        let (outer, inner) = (of("outer"), of("inner"));
        let directory = Directory::default();
        directory.set("ape", "second hash");
        let user = async |user: Option<CurrentUser<User>>| name_of(user);
        let app = axum::Router::new()
            .route("/", get(user))
            .layer(SessionLayer::new(inner.clone()))
            .layer(require_login())
            .layer(SessionLayer::new(outer.clone()).users(directory));
        let log_in = |hash: &'static str| {
            move |session: &Session| {
                session.login("ape")?;
                session.bind_credentials(hash)
            }
        };
        for (hash, expected) in [("second hash", "ape"), ("first hash", "stranger")] {
            let mut jar = Jar::with(outer.clone(), log_in("second hash"))
                .await
                .unwrap();
            let other = Jar::with(inner.clone(), log_in(hash)).await.unwrap();
            jar.set("inner", other.get("inner").unwrap());
            let request = axum::http::Request::new(axum::body::Body::empty());
            let response = jar.send(&app, request).await.unwrap();
            let body = axum::body::to_bytes(response.into_body(), 100)
                .await
                .unwrap();
            assert_eq!(body, expected);
        }
    });
}

/// Another session of the same user ends, and the one that changed the password stays.
#[test]
fn a_new_password_ends_the_other_sessions_in_a_server() {
    use silverback::backend::Memory;
    use silverback::session::ServerStore;

    RUNTIME.block_on(async {
        let memory = Arc::new(Memory::new());
        let store = ServerStore::new(fresh_codecs(), memory).unwrap();
        let log_in = |hash: &'static str| {
            move |session: &Session| {
                session.login("ape")?;
                session.bind_credentials(hash)
            }
        };
        let phone = Jar::with(store.clone(), log_in("old")).await.unwrap();
        let laptop = Jar::with(store.clone(), log_in("old")).await.unwrap();
        let unbound = Jar::with(store.clone(), |session| session.login("ape"));
        let unbound = unbound.await.unwrap();
        let in_request = async |jar: &Jar, change: &dyn Fn(&Session)| {
            let sessions = jar.sessions(store.clone());
            change(&sessions.session().await.unwrap());
            sessions.finish().await.unwrap();
        };
        in_request(&laptop, &|session| {
            assert!(session.check_credentials("old").unwrap());
            session.bind_credentials("new").unwrap();
        })
        .await;
        for (jar, is_current) in [(&phone, false), (&laptop, true), (&unbound, false)] {
            in_request(jar, &|session| {
                let checked = session.check_credentials("new").unwrap();
                assert_eq!(checked, is_current);
                assert_eq!(session.owner().is_some(), is_current);
            })
            .await;
            let session = jar.session(store.clone()).await.unwrap();
            assert_eq!(session.owner().is_some(), is_current);
        }
        assert_eq!(store.list("ape").await.unwrap().len(), 1);
        let stranger = Jar::new().session(store.clone()).await.unwrap();
        assert!(stranger.bind_credentials("new").unwrap_err().is_usage());
        assert!(!stranger.check_credentials("new").unwrap());
    });
}
