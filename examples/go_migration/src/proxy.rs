//! The proxy in front of both programs. It passes on each header field unchanged, except for those
//! of the connection.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName};
use axum::http::uri::PathAndQuery;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

use super::routes::{Program, Routes};
use super::watched::Watched;

const STYLE: &str = include_str!("../style.css");

/// The fields of one connection, which a proxy must not pass on (RFC 9110, section 7.6.1).
const OF_THE_CONNECTION: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[derive(Clone)]
pub(crate) struct Proxy {
    client: Client<HttpConnector, Body>,
    routes: Arc<Watched<Routes>>,
    go: SocketAddr,
    rust: SocketAddr,
}

impl Proxy {
    pub(crate) fn new(routes: Watched<Routes>, go: SocketAddr, rust: SocketAddr) -> Self {
        Proxy {
            client: Client::builder(TokioExecutor::new()).build_http(),
            routes: Arc::new(routes),
            go,
            rust,
        }
    }

    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/style.css", get(([(CONTENT_TYPE, "text/css")], STYLE)))
            .fallback(forward)
            .with_state(self)
    }

    fn target(&self, program: Program) -> (&'static str, SocketAddr) {
        match program {
            Program::Go => ("Go", self.go),
            Program::Rust => ("Rust", self.rust),
        }
    }
}

async fn forward(State(proxy): State<Proxy>, mut request: Request) -> Response {
    let found = proxy.routes.get().program(request.uri().path());
    let Some(program) = found.filter(|_| request.method() != Method::CONNECT) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let (name, address) = proxy.target(program);
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", PathAndQuery::as_str);
    let Ok(uri) = format!("http://{address}{path}").parse::<Uri>() else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    *request.uri_mut() = uri;
    remove_connection_fields(request.headers_mut());
    match proxy.client.request(request).await {
        Ok(mut response) => {
            remove_connection_fields(response.headers_mut());
            response.map(Body::new)
        }
        Err(error) => {
            eprintln!("the {name} program does not answer: {error}");
            let text = format!("The {name} program does not answer.");
            (StatusCode::BAD_GATEWAY, text).into_response()
        }
    }
}

/// Removes the fields of the connection, and those that `Connection` names.
fn remove_connection_fields(headers: &mut HeaderMap) {
    let named = headers.get_all(CONNECTION).iter();
    let named = named.filter_map(|value| value.to_str().ok());
    let named = named.flat_map(|value| value.split(','));
    let named: Vec<HeaderName> = named.filter_map(|name| name.trim().parse().ok()).collect();
    for name in named {
        headers.remove(name);
    }
    for name in OF_THE_CONNECTION {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::super::routes::Plan;
    use super::super::{listen, routes};
    use super::*;

    async fn serve(router: Router) -> SocketAddr {
        let listener = listen::bind(0).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    /// A program that sets three cookies, and answers with the fields and the body of the request.
    async fn answer(request: Request) -> impl IntoResponse {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1_000).await.unwrap();
        let text = format!("{} {} {:?} {body:?}", head.method, head.uri, head.headers);
        let cookies = ["a=1; Path=/", "b=2; Path=/; HttpOnly", "a=; Max-Age=0"];
        let cookies = cookies.map(|cookie| ("set-cookie", cookie));
        (
            StatusCode::IM_A_TEAPOT,
            axum::response::AppendHeaders(cookies),
            text,
        )
    }

    /// Starts a proxy in front of one program; the other does not run. The folder has its routes.
    async fn proxy(folder: &Path) -> SocketAddr {
        std::fs::create_dir_all(folder).unwrap();
        let path = folder.join(routes::FILE);
        routes::write(&path, Plan::Split).unwrap();
        let routes = Watched::open(path, Routes::parse).unwrap();
        let go = serve(Router::new().fallback(answer)).await;
        let nothing = SocketAddr::from(([127, 0, 0, 1], 1));
        serve(Proxy::new(routes, go, nothing).router()).await
    }

    /// Returns a folder for one test.
    fn folder(test: &str) -> PathBuf {
        std::env::temp_dir().join(format!("silverback-proxy-{test}-{}", std::process::id()))
    }

    async fn send(request: Request) -> (Response, String) {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request).await.unwrap().map(Body::new);
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 10_000).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        (Response::from_parts(head, Body::empty()), text)
    }

    #[tokio::test]
    async fn requests_and_responses_pass_unchanged_except_for_the_connection() {
        let folder = folder("fields");
        let request = Request::post(format!("http://{}/go/cart?a=b%20c", proxy(&folder).await))
            .header("host", "localhost:3000")
            .header("cookie", "shop=1")
            .header("cookie", "other=2")
            .header("connection", "x-only-here")
            .header("x-only-here", "1")
            .body("item=banana".into());
        let (response, text) = send(request.unwrap()).await;
        std::fs::remove_dir_all(folder).unwrap();
        assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
        let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
        assert_eq!(
            cookies,
            ["a=1; Path=/", "b=2; Path=/; HttpOnly", "a=; Max-Age=0"]
        );
        assert!(text.starts_with("POST /go/cart?a=b%20c "), "{text}");
        for part in [
            r#""host": "localhost:3000""#,
            r#""cookie": "shop=1""#,
            r#""cookie": "other=2""#,
            "item=banana",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("x-only-here"), "{text}");
    }

    #[tokio::test]
    async fn a_program_that_does_not_run_is_a_bad_gateway() {
        let folder = folder("gateway");
        let request = Request::get(format!("http://{}/rust/", proxy(&folder).await));
        let (response, text) = send(request.body(Body::empty()).unwrap()).await;
        std::fs::remove_dir_all(folder).unwrap();
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        assert_eq!(text, "The Rust program does not answer.");
    }
}
