//! The guard against requests of other origins, and `http.CrossOriginProtection` of Go: both decide
//! on the same random requests, with the same random exceptions.
//!
//! The random texts become a request of the crate `http`, as in a server of hyper, and of actix-web.
//! Texts that the crate refuses are left out. Go gets that request as the bytes of HTTP/1.1, and reads
//! them with `http.ReadRequest`, as its server does. Requests that Go does not read are left out, too.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll, Waker};

use actix_web::HttpResponse;
use actix_web::dev::{RequestHead, Service as _, ServiceRequest, Transform as _};
use actix_web::test::TestRequest;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, Response};
use serde_json::{Value, json};
use silverback::web::cross_origin::{CrossOriginGuard, CrossOriginOptions, OwnPage, Refused};
use tower_layer::Layer;
use tower_service::Service;

use crate::cases::{count, seed};
use crate::gorilla::Gorilla;
use crate::random_requests::{Dice, RandomRequest};

/// The number of requests in the default run.
const CASES: u64 = 20_000;
/// The number of requests with the same exceptions.
const REQUESTS: usize = 16;

/// A service that answers every request.
#[derive(Clone)]
struct Passes;

impl Service<Request<()>> for Passes {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new("passes".to_owned())))
    }
}

fn reason(refused: Refused) -> &'static str {
    match refused {
        Refused::SecFetchSite => "Sec-Fetch-Site",
        Refused::Origin => "Origin",
        other => panic!("{other}"),
    }
}

/// Returns the output of a future that does not wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the guard waits"),
    }
}

fn decision_in_tower(guard: &CrossOriginGuard, request: Request<()>) -> String {
    let respond = |refused, _: &Parts| Response::new(reason(refused).to_owned());
    let guard: CrossOriginGuard<OwnPage<_>> = guard.clone().on_refused(respond);
    now(guard.layer(Passes).call(request)).unwrap().into_body()
}

/// Returns the decision, or `None` if actix-web, which has an older version of the crate `http`,
/// refuses a text.
fn decision_in_actix(guard: &CrossOriginGuard, request: &RandomRequest) -> Option<String> {
    use actix_web::http::{Method, Uri, header::HeaderValue};

    request.target.parse::<Uri>().ok()?;
    let method = Method::from_bytes(request.method.as_bytes()).ok()?;
    let mut head = TestRequest::with_uri(&request.target).method(method);
    for (name, value) in &request.fields {
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        head = head.append_header((*name, value));
    }
    let respond = |refused, _: &RequestHead| HttpResponse::Forbidden().body(reason(refused));
    let passes = actix_web::dev::fn_service(async |request: ServiceRequest| {
        Ok(request.into_response(HttpResponse::Ok().body("passes")))
    });
    let guard = guard.clone().on_refused(respond);
    let service = now(guard.new_transform(passes)).unwrap();
    let response = now(service.call(head.to_srv_request())).unwrap();
    let body = now(actix_web::body::to_bytes(response.into_body())).ok()?;
    Some(String::from_utf8(body.to_vec()).unwrap())
}

/// Returns a request of the crate `http`, or `None` if it refuses a text.
fn http_request(random: &RandomRequest) -> Option<Request<()>> {
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(random.method.as_bytes()).ok()?;
    *request.uri_mut() = random.target.parse().ok()?;
    for (name, value) in &random.fields {
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        request.headers_mut().append(*name, value);
    }
    // RFC 9112 section 3.2.3: CONNECT has a bare host and port. Go reads `http://a` and `*`, which no
    // client sends, as hosts, too.
    let uri = request.uri();
    let is_misread = uri.scheme().is_some() || uri.path() == "*";
    let is_readable = !(request.method() == Method::CONNECT && is_misread);
    is_readable.then_some(request)
}

fn first_origin(request: &RandomRequest) -> String {
    let mut fields = request.fields.iter();
    let found = fields.find(|(name, _)| *name == "Origin");
    found.map(|(_, origin)| origin.clone()).unwrap_or_default()
}

/// Returns the request as a client sends it.
fn bytes_of(request: &Request<()>) -> Vec<u8> {
    let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri()).into_bytes();
    for (name, value) in request.headers() {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    bytes
}

/// Returns whether the guard refuses a pattern that Go accepts: one with an empty segment, which Go
/// lets match any segment, or with a wildcard whose name is not ASCII.
fn is_refused_on_purpose(pattern: &str) -> bool {
    let wildcards = pattern.split('{').skip(1);
    let mut names = wildcards.filter_map(|wildcard| wildcard.split('}').next());
    pattern.contains("//") || names.any(|name| !name.is_ascii())
}

/// Exceptions, as far as both accept them.
struct Exceptions {
    options: CrossOriginOptions,
    guard: CrossOriginGuard,
    /// Which of the texts the guard accepted.
    origins: Vec<bool>,
    patterns: Vec<bool>,
}

impl Exceptions {
    fn new(origins: &[String], patterns: &[String]) -> Self {
        let mut exceptions = Exceptions {
            options: CrossOriginOptions::new(),
            guard: CrossOriginGuard::new(),
            origins: Vec::new(),
            patterns: Vec::new(),
        };
        for origin in origins {
            let options = exceptions.options.clone().trusted_origin(origin);
            let is_accepted = exceptions.try_options(options);
            exceptions.origins.push(is_accepted);
        }
        for pattern in patterns {
            let options = exceptions.options.clone().bypass(pattern);
            let is_accepted = exceptions.try_options(options);
            exceptions.patterns.push(is_accepted);
        }
        exceptions
    }

    fn try_options(&mut self, options: CrossOriginOptions) -> bool {
        let Ok(guard) = CrossOriginGuard::with_options(options.clone()) else {
            return false;
        };
        (self.guard, self.options) = (guard, options);
        true
    }
}

/// The number of requests by what happened to them.
#[derive(Debug, Default)]
struct Counts(BTreeMap<String, u64>);

impl Counts {
    fn add(&mut self, outcome: &str) {
        *self.0.entry(outcome.to_owned()).or_default() += 1;
    }
}

fn texts(answer: &Value) -> Vec<&str> {
    let texts = answer.as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn the_guard_decides_as_cross_origin_protection_of_go() {
    let Some(mut go) = Gorilla::start_cross_origin() else {
        return;
    };
    let cases = count(CASES);
    let mut dice = Dice(seed());
    let mut counts = Counts::default();
    let mut compared = 0;
    while compared < cases {
        let origins = dice.some(3, |dice| dice.origin("example.com"));
        let mut patterns = dice.some(6, Dice::pattern);
        patterns.retain(|pattern| {
            let is_refused = is_refused_on_purpose(pattern);
            let options = CrossOriginOptions::new().bypass(pattern);
            assert!(!is_refused || CrossOriginGuard::with_options(options).is_err());
            !is_refused
        });
        let exceptions = Exceptions::new(&origins, &patterns);
        let requests = std::iter::repeat_with(|| {
            let mut request = dice.request();
            // Trusted origins are rarely hit otherwise.
            if let ([origin, ..], true) = (&*origins, dice.is_one_of(2)) {
                request.fields.push(("Origin", origin.trim().to_owned()));
            }
            request
        });
        let requests = requests.filter_map(|random| Some((http_request(&random)?, random)));
        let requests: Vec<_> = requests.take(REQUESTS).collect();
        let sent = requests.iter().map(|(request, _)| bytes_of(request));
        let sent: Vec<String> = sent
            .map(|bytes| base16ct::lower::encode_string(&bytes))
            .collect();
        let answer = go.send(&json!({"origins": origins, "patterns": patterns, "requests": sent}));
        let accepted = |of: &[bool]| {
            if of.is_empty() {
                Value::Null
            } else {
                json!(of)
            }
        };
        assert_eq!(
            accepted(&exceptions.origins),
            answer["origins"],
            "{origins:?}"
        );
        assert_eq!(
            accepted(&exceptions.patterns),
            answer["patterns"],
            "{patterns:?}"
        );
        for ((request, random), in_go) in requests.into_iter().zip(texts(&answer["decisions"])) {
            if in_go == "unreadable" {
                counts.add("unreadable in Go");
                continue;
            }
            let strict = decision_in_tower(&CrossOriginGuard::new(), request.clone());
            let in_tower = decision_in_tower(&exceptions.guard, request);
            let case = format!("{random:?}, {origins:?}, {patterns:?}");
            assert_eq!(in_tower, in_go, "in tower: {case}");
            if let Some(in_actix) = decision_in_actix(&exceptions.guard, &random) {
                assert_eq!(in_actix, in_go, "in actix-web: {case}");
                counts.add("also in actix-web");
            }
            counts.add(match strict == in_go {
                true => in_go,
                false if origins.contains(&first_origin(&random)) => "passes by its origin",
                false => "passes by its path",
            });
            compared += 1;
        }
    }
    println!("{compared} requests are decided alike: {counts:?}");
    for outcome in [
        "passes",
        "passes by its origin",
        "passes by its path",
        "Sec-Fetch-Site",
        "Origin",
    ] {
        let found = counts.0.get(outcome).copied().unwrap_or_default();
        assert!(found > compared / 50, "{outcome}: {counts:?}");
    }
}
