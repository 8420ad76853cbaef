//! `SealedCookies`: the changes of one request, the fields of its response, and its errors.

use axum::Router;
use axum::body::Body;
use axum::extract::FromRef;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cookie::Cookie;
use silverback::codec::{self, Codec, Codecs, KeyPairs, Opened, UnixTime};
use silverback::jar::{Error, SealedCookies, safe_cookie};
use silverback::web::Public;
use tower_service::Service;

use super::servers::codecs;

fn request(cookies: &str) -> SealedCookies {
    SealedCookies::of_request(codecs(), [cookies.as_bytes()])
}

fn sealed(name: &str, value: &str) -> String {
    format!("{name}={}", codecs().encode(name, value).unwrap())
}

fn value(cookies: &SealedCookies, name: &str) -> Option<String> {
    cookies.get(name).unwrap().map(Opened::into_value)
}

#[test]
fn a_changed_cookie_counts_at_once() {
    let cookies = request(&sealed("sid", "ape"));
    assert_eq!(value(&cookies, "sid").as_deref(), Some("ape"));
    assert!(cookies.set_cookies().unwrap().is_empty(), "nothing changed");

    let cookies = cookies.add(safe_cookie(("sid", "owl"))).unwrap();
    assert_eq!(value(&cookies, "sid").as_deref(), Some("owl"));
    let cookies = cookies.add_value(safe_cookie("n"), &7_u8).unwrap();
    assert_eq!(
        cookies.get_value::<u8>("n").unwrap().unwrap().into_value(),
        7
    );
    assert_eq!(cookies.set_cookies().unwrap().len(), 2);

    let cookies = cookies.remove(safe_cookie("sid")).remove(safe_cookie("n"));
    assert_eq!((value(&cookies, "sid"), value(&cookies, "n")), (None, None));
    let set_cookies = cookies.set_cookies().unwrap();
    assert_eq!(set_cookies.len(), 2);
    assert!(
        set_cookies.iter().all(|text| text.contains("; Max-Age=0;")),
        "{set_cookies:?}"
    );

    let cookies = cookies.add(safe_cookie(("sid", "elk"))).unwrap();
    assert_eq!(value(&cookies, "sid").as_deref(), Some("elk"));
    assert_eq!(cookies.set_cookies().unwrap().len(), 2, "one for each name");
}

#[test]
fn a_change_ends_an_ambiguity() {
    let both = format!("{}; {}", sealed("sid", "ape"), sealed("sid", "owl"));
    let cookies = request(&both);
    let refusal = cookies.get("sid").unwrap_err();
    assert!(matches!(refusal, Error::Ambiguous) && refusal.is_refused());
    assert_eq!(value(&cookies, "other"), None);
    let cookies = cookies.add(safe_cookie(("sid", "elk"))).unwrap();
    assert_eq!(value(&cookies, "sid").as_deref(), Some("elk"));
}

/// A codec without a key service: it cannot open the cookie that it is given second.
struct Failing(Codecs, std::sync::atomic::AtomicUsize);

impl Codec for Failing {
    fn seal_into(
        &self,
        name: &str,
        payload: &[u8],
        now: UnixTime,
        out: &mut String,
    ) -> Result<(), codec::Error> {
        self.0.seal_into(name, payload, now, out)
    }

    fn open_into(
        &self,
        name: &str,
        cookie: &str,
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<Opened, codec::Error> {
        match self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => self.0.open_into(name, cookie, now, out),
            _ => Err(codec::Error::internal("the key service does not answer")),
        }
    }
}

#[test]
fn a_cookie_that_cannot_be_examined_is_a_failure_and_no_refusal() {
    let both = format!("{}; {}", sealed("sid", "ape"), sealed("sid", "owl"));
    let codec = Failing(codecs(), Default::default());
    let error = SealedCookies::of_request(codec, [both.as_bytes()])
        .get("sid")
        .unwrap_err();
    assert!(!error.is_refused(), "{error}");
    assert_eq!(
        (error.status(), error.to_string().as_str()),
        (500, "the key service does not answer")
    );
}

#[test]
fn no_attribute_begins_another_field_or_attribute() {
    let path = |path: &'static str| {
        request("")
            .add(safe_cookie(("sid", "ape")).path(path))
            .unwrap()
    };
    assert!(path("/shop").set_cookies().is_ok());
    for wrong in [
        "/; Domain=example.com",
        "/\r\nSet-Cookie: a=b",
        "/\n",
        "/\u{e4}",
        "/\0",
    ] {
        let error = path(wrong).set_cookies().unwrap_err();
        assert!(
            !error.is_refused() && error.to_string().contains("semicolon"),
            "{wrong:?}: {error}"
        );
    }
    let domain = safe_cookie(("sid", "ape")).domain("example.com; Path=/");
    assert!(request("").add(domain).unwrap().set_cookies().is_err());
    for name in ["a b", "a;b", "a\r\nb: c", ""] {
        let removal = request("").remove(Cookie::from(name));
        assert!(removal.set_cookies().is_err(), "{name:?}");
    }
}

/// Calls a handler with a Cookie field, and returns its response.
async fn call(app: &Router, path: &str, cookie: &str) -> Response {
    let request = Request::builder().uri(path).header("cookie", cookie);
    let request = request.body(Body::empty()).unwrap();
    app.clone().call(request).await.unwrap()
}

fn field<'r>(response: &'r Response, name: &str) -> Vec<&'r str> {
    let fields = response.headers().get_all(name).into_iter();
    fields.map(|field| field.to_str().unwrap()).collect()
}

#[tokio::test]
async fn shared_caches_keep_no_response_with_sealed_cookies() {
    let cached = [
        ("cache-control", "public, max-age=600"),
        ("cdn-cache-control", "max-age=600"),
    ];
    let read = move |cookies: SealedCookies| async move { (cached, cookies, "page") };
    let write = move |cookies: SealedCookies| async move {
        let cookies = cookies.add(safe_cookie(("sid", "ape")))?;
        Ok::<_, Error>((cached, cookies, "page"))
    };
    let public = move |cookies: SealedCookies| async move {
        (axum::Extension(Public), cached, cookies, "page")
    };
    let app = Router::new()
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/public", get(public))
        .with_state(codecs());
    let cookie = sealed("sid", "ape");
    for (path, cache_control, vary) in [
        ("/read", "private, no-cache", true),
        ("/write", "no-store", true),
        ("/public", "public, max-age=600", false),
    ] {
        let response = call(&app, path, &cookie).await;
        assert_eq!(field(&response, "cache-control"), [cache_control], "{path}");
        assert_eq!(!field(&response, "vary").is_empty(), vary, "{path}");
        assert_eq!(
            field(&response, "cdn-cache-control").is_empty(),
            vary,
            "{path}"
        );
        let sets = field(&response, "set-cookie").len();
        assert_eq!(sets, usize::from(path == "/write"), "{path}");
    }
}

#[tokio::test]
async fn an_error_becomes_a_response_with_its_status() {
    let read = |cookies: SealedCookies| async move {
        let opened = cookies.get("sid")?;
        Ok::<_, Error>(opened.map_or_else(String::new, Opened::into_value))
    };
    let wrong = |cookies: SealedCookies| async move { cookies.add(("a b", "ape")) };
    let late =
        |cookies: SealedCookies| async move { cookies.add(safe_cookie(("sid", "ape")).path("/;")) };
    let app = Router::new()
        .route("/read", get(read))
        .route("/wrong", get(wrong))
        .route("/late", get(late))
        .with_state(codecs());
    let cookie = sealed("sid", "ape");
    assert_eq!(call(&app, "/read", &cookie).await.status(), StatusCode::OK);
    assert_eq!(call(&app, "/read", "").await.status(), StatusCode::OK);
    assert_eq!(
        call(&app, "/read", "sid=forged").await.status(),
        StatusCode::BAD_REQUEST
    );
    for (path, remedy) in [("/wrong", "token"), ("/late", "semicolon")] {
        let response = call(&app, path, "").await;
        assert_eq!(
            response.status(),
            StatusCode::INTERNAL_SERVER_ERROR,
            "{path}"
        );
        assert!(field(&response, "set-cookie").is_empty(), "{path}");
        let page = axum::body::to_bytes(response.into_body(), 1000)
            .await
            .unwrap();
        let page = String::from_utf8(page.to_vec()).unwrap();
        assert!(page.contains(remedy), "{path}: {page}");
    }
    let refusal = call(&app, "/read", "sid=forged").await;
    let page = axum::body::to_bytes(refusal.into_body(), 1000)
        .await
        .unwrap();
    assert!(page.is_empty(), "a client learns nothing of a refusal");
}

/// Two sets of keys in one state.
#[derive(Clone)]
struct AppState {
    codecs: Codecs,
    partner: Partner,
}

#[derive(Clone)]
struct Partner(Codecs);

impl FromRef<AppState> for Codecs {
    fn from_ref(state: &AppState) -> Self {
        state.codecs.clone()
    }
}

impl FromRef<AppState> for std::sync::Arc<Codecs> {
    fn from_ref(state: &AppState) -> Self {
        std::sync::Arc::new(state.partner.0.clone())
    }
}

#[tokio::test]
async fn the_codec_is_chosen_by_its_type() {
    let own = |cookies: SealedCookies| async move { cookies.get("sid").is_ok().to_string() };
    let partner = |cookies: SealedCookies<std::sync::Arc<Codecs>>| async move {
        cookies.get("sid").is_ok().to_string()
    };
    let pairs = KeyPairs::generate(1).unwrap();
    let state = AppState {
        codecs: codecs(),
        partner: Partner(Codecs::from_pairs(pairs).unwrap()),
    };
    let app = Router::new()
        .route("/own", get(own))
        .route("/partner", get(partner))
        .with_state(state);
    for (path, opens) in [("/own", "true"), ("/partner", "false")] {
        let body = call(&app, path, &sealed("sid", "ape")).await.into_body();
        assert_eq!(
            axum::body::to_bytes(body, 10).await.unwrap(),
            opens,
            "{path}"
        );
    }
}

#[test]
fn a_response_without_a_body_sets_cookies_too() {
    let cookies = request("").add(safe_cookie(("sid", "ape"))).unwrap();
    assert_eq!(field(&cookies.into_response(), "set-cookie").len(), 1);
}

#[test]
fn no_value_and_no_key_is_shown() {
    let cookies = request(&sealed("sid", "ape"))
        .add(safe_cookie(("a", "secret")))
        .unwrap();
    assert_eq!(format!("{cookies:?}"), "SealedCookies(1 changed cookies)");
}
