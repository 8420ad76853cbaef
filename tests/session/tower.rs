//! Features of tower and axum only: response bodies without a default, and extractors that work
//! without a layer.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use silverback::session::testing::Jar;
use silverback::session::{CookieOptions, Error, Lifetime, Session, Sessions};
use silverback::web::tower::SessionLayer;
use tower_layer::Layer;
use tower_service::Service;

use super::site::RUNTIME;
use super::support::{TestGenerations, store, store_with};

/// A body that has no default.
struct Text(String);

#[derive(Clone)]
struct FailingService;

impl Service<Request<()>> for FailingService {
    type Response = Response<Text>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Text>, Infallible>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        Box::pin(async move {
            let sessions: &Sessions = request.extensions().get().unwrap();
            let session = sessions.session().await.unwrap();
            session.login("ape").unwrap();
            Ok(Response::new(Text("welcome".to_owned())))
        })
    }
}

fn unavailable_generations() -> TestGenerations {
    let generations = TestGenerations::default();
    generations.is_down.store(true, Ordering::SeqCst);
    generations
}

#[test]
fn a_body_needs_no_default() {
    let layer = |store| {
        SessionLayer::with_on_error(store, |error, request| {
            let text = Text(format!("no session for {}", request.uri));
            let mut response = Response::new(text);
            *response.status_mut() = StatusCode::from_u16(error.status()).unwrap();
            response
        })
    };
    let answer = |layer: SessionLayer<Text>| {
        let request = Request::builder().uri("/page?1").body(()).unwrap();
        let response = layer.layer(FailingService).call(request);
        let response = RUNTIME.block_on(response).unwrap();
        (response.status().as_u16(), response.into_body().0)
    };
    assert_eq!(answer(layer(store())), (200, "welcome".to_owned()));
    let failing = layer(store().revocable(unavailable_generations()));
    assert_eq!(answer(failing), (503, "no session for /page?1".to_owned()));
}

#[test]
fn an_optional_session_is_none_only_without_a_layer() {
    async fn page(session: Option<Session>, sessions: Option<Sessions>) -> Result<String, Error> {
        assert_eq!(session.is_some(), sessions.is_some());
        Ok(match session {
            Some(session) => format!("session of {:?}", session.owner()),
            None => "no sessions here".to_owned(),
        })
    }
    async fn login(session: Option<Session>) -> Result<(), Error> {
        session.unwrap().login("ape")
    }
    let app = || {
        axum::Router::new()
            .route("/", get(page))
            .route("/login", get(login))
    };
    let visit = |app: axum::Router, path: &str, cookie: &str| {
        let request = Request::builder().uri(path).header("cookie", cookie);
        let request = request.body(Body::empty()).unwrap();
        RUNTIME.block_on(async {
            let response = app.clone().call(request).await.unwrap();
            let cookie = response.headers().get("set-cookie").map(|field| {
                let pair = field.to_str().unwrap().split(';').next();
                pair.unwrap().to_owned()
            });
            let status = response.status().as_u16();
            let body = to_bytes(response.into_body(), 1_000).await.unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap(), cookie)
        })
    };
    let (status, body, _) = visit(app(), "/", "");
    assert_eq!((status, &*body), (200, "no sessions here"));

    let generations = TestGenerations::default();
    let layer = SessionLayer::new(store().revocable(generations.clone()));
    let app = app().layer(layer);
    let (_, body, _) = visit(app.clone(), "/", "");
    assert_eq!(body, "session of None");
    let (_, _, cookie) = visit(app.clone(), "/login", "");
    let cookie = cookie.unwrap();
    let (_, body, _) = visit(app.clone(), "/", &cookie);
    assert_eq!(body, "session of Some(\"ape\")");
    generations.is_down.store(true, Ordering::SeqCst);
    assert_eq!(visit(app, "/", &cookie).0, 503, "never none");
}

#[test]
fn a_layer_in_a_nested_router_knows_the_whole_path() {
    let store = store_with(CookieOptions::new().name("id").unwrap(), Lifetime::new());
    let read = async |session: Session| format!("{:?}", session.refusal());
    let router = Router::new().route("/page", get(read));
    let router = router.layer(SessionLayer::new(store.clone()));
    let app = Router::new().nest("/admin", Router::new().nest("/users", router));
    RUNTIME.block_on(async {
        let jar = || Jar::with(store.clone(), |session| session.login("ape"));
        let two = [jar().await.unwrap().cookie(), jar().await.unwrap().cookie()].join("; ");
        let request = Request::builder()
            .uri("/admin/users/page")
            .header("cookie", two);
        let request = request.body(Body::empty()).unwrap();
        let response = app.clone().call(request).await.unwrap();
        let fields = response.headers().get_all("set-cookie").iter();
        let fields: Vec<&str> = fields.map(|field| field.to_str().unwrap()).collect();
        for path in [
            "/admin",
            "/admin/",
            "/admin/users",
            "/admin/users/",
            "/admin/users/page",
        ] {
            let removal = format!("id=; Path={path}; Secure; Max-Age=0");
            assert!(fields.contains(&&*removal), "{path}: {fields:?}");
        }
        let body = to_bytes(response.into_body(), 100).await.unwrap();
        assert_eq!(body, "Some(Ambiguous)");
    });
}
