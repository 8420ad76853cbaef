//! A proxy in front of a server: it records the requests, and answers some of them itself.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;

#[derive(Clone)]
pub(super) struct RecordingProxy(Arc<Inner>);

struct Inner {
    server: u16,
    client: Client<HttpConnector, Body>,
    requests: Mutex<Vec<String>>,
    answers: Mutex<VecDeque<Option<Answer>>>,
}

/// An answer of the proxy: a status, and a body of JSON.
type Answer = (u16, String);

impl RecordingProxy {
    /// Starts a proxy to the server at that port, and returns the proxy's port.
    pub(super) async fn start(server: u16) -> Result<(Self, u16), std::io::Error> {
        let proxy = RecordingProxy(Arc::new(Inner {
            server,
            client: Client::builder(TokioExecutor::new()).build_http(),
            requests: Mutex::default(),
            answers: Mutex::default(),
        }));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let app = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok((proxy, port))
    }

    /// Returns the requests since the last call of this method.
    pub(super) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.requests.lock().expect("no thread panicked"))
    }

    /// Forwards the next request to the server.
    pub(super) fn pass(&self) {
        self.next(None);
    }

    /// Answers the next request with this error.
    pub(super) fn fail(&self, status: u16, error: &str) {
        let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{error}"}}"#);
        self.answer(status, body);
    }

    pub(super) fn answer(&self, status: u16, body: String) {
        self.next(Some((status, body)));
    }

    fn next(&self, answer: Option<Answer>) {
        let mut answers = self.0.answers.lock().expect("no thread panicked");
        answers.push_back(answer);
    }
}

async fn pass(State(proxy): State<RecordingProxy>, request: Request) -> Response {
    let target = request.headers().get("x-amz-target");
    let target = target.and_then(|target| target.to_str().ok()?.split_once('.'));
    let operation = target.expect("an operation").1.to_owned();
    proxy
        .0
        .requests
        .lock()
        .expect("no thread panicked")
        .push(operation.clone());
    let answer = proxy
        .0
        .answers
        .lock()
        .expect("no thread panicked")
        .pop_front();
    if let Some((status, body)) = answer.flatten() {
        let response = Response::builder()
            .status(status)
            .header("content-type", "application/x-amz-json-1.0");
        return response.body(Body::from(body)).expect("a response");
    }
    let (mut head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    if matches!(&*operation, "GetItem" | "Scan") {
        let body = String::from_utf8_lossy(&body);
        assert!(body.contains(r#""ConsistentRead":true"#), "{body}");
    }
    let uri = format!("http://127.0.0.1:{}{}", proxy.0.server, head.uri.path());
    head.uri = uri.parse::<Uri>().expect("a URI");
    let request = Request::from_parts(head, Body::from(body));
    let response = proxy.0.client.request(request).await;
    response.expect("the server answers").map(Body::new)
}
