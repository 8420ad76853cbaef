//! The guard against requests of other origins: one table through both frameworks, over real HTTP,
//! alone and in the session layer. `tests/interop` compares its decisions with Go's.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use silverback::session::{CookieOptions, CookieStore, Error, Lifetime, Session};
use silverback::web::cross_origin::{CrossOriginGuard, CrossOriginOptions, Refused};

use super::errors::lines;
use super::site::{Framework, RUNTIME};
use super::support::store_with;

for_each_framework!(
    each_row_of_the_table_decides,
    a_refusal_is_one_line_of_text_and_calls_no_handler,
    a_page_of_your_own_answers,
    a_trusted_origin_passes,
    a_bypass_pattern_lets_only_direct_requests_pass,
    a_nested_route_is_matched_by_its_whole_path,
    a_login_from_another_origin_begins_no_session,
    a_refused_request_leaves_the_session_as_it_is,
    a_session_layer_without_the_guard_refuses_nothing,
    a_refusal_is_logged_without_secrets,
);

/// The place of the guard in an application.
#[derive(Clone, Copy, Debug)]
enum Place {
    Alone,
    InSessionLayer,
    /// There is only the session layer.
    Nowhere,
}

const BOTH: [Place; 2] = [Place::Alone, Place::InSessionLayer];

#[derive(Clone)]
struct App {
    place: Place,
    guard: CrossOriginGuard,
    /// The text of a page of the application's own, followed by the path.
    page: Option<&'static str>,
    store: CookieStore,
    calls: Arc<AtomicU64>,
}

fn login(session: &Session) -> Result<&'static str, Error> {
    session.login("attacker")?;
    Ok("welcome")
}

fn count(session: &Session) -> Result<String, Error> {
    let count = session.update("count", |count: &mut u64| *count += 1)?;
    Ok(count.to_string())
}

impl App {
    fn new(place: Place, options: CrossOriginOptions) -> Self {
        App {
            place,
            guard: CrossOriginGuard::with_options(options).unwrap(),
            page: None,
            store: store_with(CookieOptions::new().name("id").unwrap(), Lifetime::new()),
            calls: Arc::default(),
        }
    }

    fn axum(self) -> axum::Router {
        use axum::http::request::Parts;
        use axum::response::{IntoResponse, Response};
        use axum::routing::{any, post};
        use silverback::web::tower::SessionLayer;

        let App {
            guard, page, calls, ..
        } = self;
        let handler = any(async move || {
            calls.fetch_add(1, Ordering::SeqCst);
            "passed"
        });
        let sessions = axum::Router::new()
            .route("/login", post(async |session: Session| login(&session)))
            .route("/count", post(async |session: Session| count(&session)));
        let nested = axum::Router::new().fallback(handler.clone());
        let nested = match self.place {
            Place::Alone => nested.layer(guard.clone()),
            _ => nested,
        };
        let app = axum::Router::new().merge(sessions).fallback(handler);
        let app = app.nest("/nested", nested);
        let respond = move |refused: Refused, request: &Parts| -> Response {
            let page = format!(
                "{refused:?} {} {}",
                page.unwrap_or_default(),
                request.uri.path()
            );
            (axum::http::StatusCode::IM_A_TEAPOT, page).into_response()
        };
        let layer = SessionLayer::new(self.store);
        match (self.place, page) {
            (Place::Nowhere, _) => app.layer(layer),
            (Place::Alone, None) => app.layer(layer).layer(guard),
            (Place::Alone, Some(_)) => app.layer(layer).layer(guard.on_refused(respond)),
            (Place::InSessionLayer, None) => app.layer(layer.cross_origin(guard)),
            (Place::InSessionLayer, Some(_)) => {
                app.layer(layer.cross_origin(guard.on_refused(respond)))
            }
        }
    }

    fn actix(self, config: &mut actix_web::web::ServiceConfig) {
        use actix_web::dev::RequestHead;
        use actix_web::{HttpResponse, web};
        use silverback::web::actix::SessionMiddleware;

        let App {
            guard, page, calls, ..
        } = self;
        let handler = move || {
            calls.fetch_add(1, Ordering::SeqCst);
            async { "passed" }
        };
        let app = web::scope("")
            .route(
                "/login",
                web::post().to(async |session: Session| login(&session)),
            )
            .route(
                "/count",
                web::post().to(async |session: Session| count(&session)),
            )
            .default_service(web::to(handler));
        let respond = move |refused: Refused, request: &RequestHead| {
            let page = format!(
                "{refused:?} {} {}",
                page.unwrap_or_default(),
                request.uri.path()
            );
            HttpResponse::ImATeapot().body(page)
        };
        let middleware = SessionMiddleware::new(self.store);
        match (self.place, page) {
            (Place::Nowhere, _) => config.service(app.wrap(middleware)),
            (Place::Alone, None) => config.service(app.wrap(middleware).wrap(guard)),
            (Place::Alone, Some(_)) => {
                config.service(app.wrap(middleware).wrap(guard.on_refused(respond)))
            }
            (Place::InSessionLayer, None) => {
                config.service(app.wrap(middleware.cross_origin(guard)))
            }
            (Place::InSessionLayer, Some(_)) => {
                config.service(app.wrap(middleware.cross_origin(guard.on_refused(respond))))
            }
        };
    }

    fn serve(&self, framework: Framework) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let app = self.clone();
        match framework {
            Framework::Axum => {
                listener.set_nonblocking(true).unwrap();
                RUNTIME.spawn(async move {
                    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                    axum::serve(listener, app.axum()).await.unwrap();
                });
            }
            Framework::Actix => drop(std::thread::spawn(move || {
                let app = move || {
                    let app = app.clone();
                    actix_web::App::new().configure(|config| app.actix(config))
                };
                let server = actix_web::HttpServer::new(app).workers(1).disable_signals();
                let server = server.listen(listener).unwrap().run();
                actix_web::rt::System::new().block_on(server).unwrap();
            })),
        }
        Client(address)
    }
}

/// A client that sends exactly these texts.
struct Client(SocketAddr);

struct Answer {
    status: u16,
    /// In lower case.
    head: String,
    body: String,
}

const HOST: &str = "shop.example:8443";

impl Client {
    fn send(&self, method: &str, target: &str, fields: &[(&str, &str)]) -> Answer {
        let mut stream = TcpStream::connect(self.0).unwrap();
        let fields = fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"));
        let fields: String = fields.collect();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\
             Content-Length: 0\r\n{fields}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    /// Returns whether a request passes.
    fn passes(&self, method: &str, target: &str, fields: &[(&str, &str)]) -> bool {
        let answer = self.send(method, target, fields);
        assert!(
            [200, 403].contains(&answer.status),
            "{target}: {}",
            answer.status
        );
        answer.status == 200
    }
}

const SITE: &str = "Sec-Fetch-Site";
const FORGED: [(&str, &str); 2] = [(SITE, "cross-site"), ("Origin", "https://evil.example")];

fn each_row_of_the_table_decides(framework: Framework) {
    let own = "https://shop.example:8443";
    let rows: [(&[(&str, &str)], bool); 25] = [
        (&[], true),
        (&[(SITE, "same-origin")], true),
        (&[(SITE, "none")], true),
        (&[(SITE, "same-site")], false),
        (&[(SITE, "cross-site")], false),
        (&[(SITE, "Same-Origin")], false),
        (&[(SITE, "same-origin, cross-site")], false),
        (&[(SITE, "cross-site"), (SITE, "same-origin")], false),
        (&[(SITE, "same-origin"), (SITE, "cross-site")], true),
        (&[(SITE, "cross-site"), ("Origin", own)], false),
        (
            &[(SITE, "same-origin"), ("Origin", "https://evil.example")],
            true,
        ),
        (&[("Origin", own)], true),
        (&[(SITE, ""), ("Origin", own)], true),
        (&[(SITE, ""), ("Origin", "https://evil.example")], false),
        (&[("Origin", "http://shop.example:8443")], true),
        (&[("Origin", "")], true),
        (&[("Origin", "null")], false),
        (&[("Origin", "https://evil.example")], false),
        (&[("Origin", "https://shop.example")], false),
        (&[("Origin", "https://shop.example:443")], false),
        (&[("Origin", "https://SHOP.example:8443")], false),
        (
            &[("Origin", "https://shop.example:8443.evil.example")],
            false,
        ),
        (
            &[("Origin", "https://shop.example:8443@evil.example")],
            false,
        ),
        (&[("Origin", "shop.example:8443")], false),
        (
            &[("Origin", "https://evil.example"), ("Origin", own)],
            false,
        ),
    ];
    for place in BOTH {
        let client = App::new(place, CrossOriginOptions::new()).serve(framework);
        for (fields, passes) in rows {
            for method in ["POST", "PUT", "PATCH", "DELETE", "PURGE", "get"] {
                let case = format!("{place:?} {method} {fields:?}");
                assert_eq!(client.passes(method, "/", fields), passes, "{case}");
            }
            for method in ["GET", "HEAD", "OPTIONS"] {
                assert!(
                    client.passes(method, "/", fields),
                    "{place:?} {method} {fields:?}"
                );
            }
        }
        // The host of the target counts, and not that of the field.
        let target = "http://evil.example/";
        assert!(client.passes("POST", target, &[("Origin", "https://evil.example")]));
        assert!(!client.passes("POST", target, &[("Origin", own)]));
    }
}

fn a_refusal_is_one_line_of_text_and_calls_no_handler(framework: Framework) {
    for place in BOTH {
        let app = App::new(place, CrossOriginOptions::new());
        let client = app.serve(framework);
        for (field, named) in [(FORGED[0], "(Sec-Fetch-Site)"), (FORGED[1], "(Origin)")] {
            let answer = client.send("POST", "/", &[field]);
            assert_eq!(answer.status, 403);
            assert!(answer.body.contains(named), "{}", answer.body);
            assert_eq!(answer.body.lines().count(), 1);
            for field in [
                "content-type: text/plain; charset=utf-8",
                "x-content-type-options: nosniff",
            ] {
                assert!(answer.head.contains(field), "{}", answer.head);
            }
        }
        assert_eq!(app.calls.load(Ordering::SeqCst), 0);
        assert!(client.passes("POST", "/", &[]));
        assert_eq!(app.calls.load(Ordering::SeqCst), 1);
    }
}

fn a_page_of_your_own_answers(framework: Framework) {
    for place in BOTH {
        let mut app = App::new(place, CrossOriginOptions::new());
        app.page = Some("own page");
        let client = app.serve(framework);
        for (field, reason) in [(FORGED[0], "SecFetchSite"), (FORGED[1], "Origin")] {
            let answer = client.send("POST", "/path", &[field]);
            assert_eq!(answer.status, 418);
            assert_eq!(answer.body, format!("{reason} own page /path"));
        }
        assert!(client.passes("POST", "/path", &[]));
    }
}

fn a_trusted_origin_passes(framework: Framework) {
    let options = CrossOriginOptions::new()
        .trusted_origin("https://accounts.example")
        .trusted_origin("http://localhost:3000");
    for place in BOTH {
        let client = App::new(place, options.clone()).serve(framework);
        for (origin, passes) in [
            ("https://accounts.example", true),
            ("http://localhost:3000", true),
            ("http://accounts.example", false),
            ("https://accounts.example:443", false),
            ("https://accounts.example/", false),
            ("HTTPS://accounts.example", false),
            ("https://evil.accounts.example", false),
            ("null", false),
        ] {
            let fields = [(SITE, "cross-site"), ("Origin", origin)];
            for fields in [&fields[..], &fields[1..]] {
                assert_eq!(client.passes("POST", "/", fields), passes, "{fields:?}");
            }
        }
        assert!(!client.passes("POST", "/", &[(SITE, "cross-site")]));
    }
}

fn a_bypass_pattern_lets_only_direct_requests_pass(framework: Framework) {
    let patterns = [
        "POST /hooks/{provider}",
        "/tree/",
        "/exact/{$}",
        "/rest/{path...}",
        "shop.example/host",
        "other.example/other",
    ];
    let options = patterns
        .iter()
        .fold(CrossOriginOptions::new(), |options, pattern| {
            options.bypass(*pattern)
        });
    for place in BOTH {
        let client = App::new(place, options.clone()).serve(framework);
        for (method, target, passes) in [
            ("POST", "/", false),
            ("POST", "/hooks/a", true),
            ("POST", "/hooks/a?query", true),
            ("POST", "/hooks/%2Fa", true),
            ("PUT", "/hooks/a", false),
            ("POST", "/hooks/", false),
            ("POST", "/hooks/a/", false),
            ("POST", "/hooks/a/b", false),
            ("POST", "//hooks/a", false),
            ("POST", "/x/../hooks/a", false),
            ("POST", "/hooks/./a", false),
            ("POST", "/HOOKS/a", false),
            ("POST", "/tree", false),
            ("POST", "/tree/", true),
            ("POST", "/tree/a/b", true),
            ("POST", "/tree//", false),
            ("PURGE", "/tree/a", true),
            ("POST", "/exact", false),
            ("POST", "/exact/", true),
            ("POST", "/exact/a", false),
            ("POST", "/rest/a/b/", true),
            ("POST", "/host", true),
            ("POST", "/other", false),
            ("POST", "http://other.example/other", true),
        ] {
            let case = format!("{place:?} {method} {target}");
            assert_eq!(client.passes(method, target, &FORGED), passes, "{case}");
        }
    }
}

fn a_nested_route_is_matched_by_its_whole_path(framework: Framework) {
    for (pattern, passes) in [("/nested/hook", true), ("/hook", false)] {
        let options = CrossOriginOptions::new().bypass(pattern);
        for place in BOTH {
            let client = App::new(place, options.clone()).serve(framework);
            let found = client.passes("POST", "/nested/hook", &FORGED);
            assert_eq!(found, passes, "{place:?} {pattern}");
        }
    }
}

fn a_login_from_another_origin_begins_no_session(framework: Framework) {
    for place in BOTH {
        let client = App::new(place, CrossOriginOptions::new()).serve(framework);
        for field in FORGED {
            let answer = client.send("POST", "/login", &[field]);
            assert_eq!(answer.status, 403);
            assert!(!answer.head.contains("set-cookie"), "{}", answer.head);
        }
        let answer = client.send("POST", "/login", &[(SITE, "same-origin")]);
        assert_eq!((answer.status, &*answer.body), (200, "welcome"));
        assert!(answer.head.contains("set-cookie: id="), "{}", answer.head);
    }
}

/// Returns the cookie that an answer sets.
fn cookie_of(answer: &Answer) -> Option<String> {
    let (_, field) = answer.head.split_once("set-cookie: ")?;
    field.split(';').next().map(str::to_owned)
}

fn a_refused_request_leaves_the_session_as_it_is(framework: Framework) {
    use silverback::session::testing::Jar;

    for place in BOTH {
        let app = App::new(place, CrossOriginOptions::new());
        let client = app.serve(framework);
        let filled = Jar::with(app.store.clone(), |session| session.insert("count", 7_u64));
        let jar = RUNTIME.block_on(filled).unwrap();
        let cookie = jar.cookie();
        for field in FORGED {
            let answer = client.send("POST", "/count", &[field, ("Cookie", &cookie)]);
            assert_eq!((answer.status, cookie_of(&answer)), (403, None));
        }
        let answer = client.send("POST", "/count", &[("Cookie", &cookie)]);
        assert_eq!((answer.status, &*answer.body), (200, "8"));
        assert!(cookie_of(&answer).is_some());
    }
}

fn a_session_layer_without_the_guard_refuses_nothing(framework: Framework) {
    let client = App::new(Place::Nowhere, CrossOriginOptions::new()).serve(framework);
    for target in ["/", "/nested/hook", "/login"] {
        assert!(client.passes("POST", target, &FORGED), "{target}");
    }
}

fn a_refusal_is_logged_without_secrets(framework: Framework) {
    const REFUSED: &str = "a request of another origin was refused";
    lines(REFUSED); // begins the log
    let host = format!("evil-{framework:?}.example").to_lowercase();
    let origin = format!("https://user:secret@{host}/secret");
    let client = App::new(Place::Alone, CrossOriginOptions::new()).serve(framework);
    let fields = [("Origin", &*origin), ("Cookie", "id=secret")];
    assert!(!client.passes("POST", "/secret?token=secret", &fields));
    let logged = lines(&host);
    assert_eq!(logged.len(), 1);
    assert!(logged[0].contains(REFUSED), "{logged:?}");
    assert!(logged[0].contains("Origin is not the host"), "{logged:?}");
    assert!(!logged[0].contains("secret"), "{logged:?}");
}

/// HTTP/2 has no field Host: the target has the authority (RFC 9113 section 8.3.1).
#[test]
fn the_authority_of_http_2_is_the_host() {
    use axum::body::Body;
    use axum::http::{Request, Version};
    use tower_service::Service;

    RUNTIME.block_on(async {
        let mut app = App::new(Place::Alone, CrossOriginOptions::new()).axum();
        for (origin, status) in [("https://a.example:1", 200), ("https://a.example", 403)] {
            let request = Request::post("https://a.example:1/path").version(Version::HTTP_2);
            let request = request.header("origin", origin).body(Body::empty());
            let response = app.call(request.unwrap()).await.unwrap();
            assert_eq!(response.status(), status, "{origin}");
        }
    });
}

#[test]
fn wrong_exceptions_are_usage_errors() {
    for (options, named) in [
        (
            CrossOriginOptions::new().trusted_origin("https://a.example/"),
            "https://a.example/",
        ),
        (CrossOriginOptions::new().bypass("hooks"), "hooks"),
        (
            CrossOriginOptions::new().bypass("/{a}/b").bypass("/a/{b}"),
            "/{a}/b",
        ),
    ] {
        let error = CrossOriginGuard::with_options(options).unwrap_err();
        assert!(error.is_usage());
        assert!(error.to_string().contains(named), "{error}");
    }
}
