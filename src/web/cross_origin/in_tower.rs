//! [`CrossOriginGuard`] as a layer for tower services, and so for axum.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode, uri};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::super::target::uri_of;
use super::guard::CrossOriginGuard;
use super::page::{DefaultPage, FIELDS, OwnPage, RefusalPage};
use super::refused::Refused;
use super::request::{RequestFacts, Target};

impl<B: From<&'static str>> RefusalPage<Parts, Response<B>> for DefaultPage {
    fn respond(&self, refused: Refused, _: &Parts) -> Response<B> {
        let mut response = Response::new(B::from(refused.text()));
        *response.status_mut() = StatusCode::FORBIDDEN;
        for (name, value) in FIELDS {
            let value = HeaderValue::from_static(value);
            let name = HeaderName::from_static(name);
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl<F, B> RefusalPage<Parts, Response<B>> for OwnPage<F>
where
    F: Fn(Refused, &Parts) -> Response<B>,
{
    fn respond(&self, refused: Refused, request: &Parts) -> Response<B> {
        (self.0)(refused, request)
    }
}

impl<P> CrossOriginGuard<P> {
    /// Returns the response to a request that may not pass, or `None` for one that may.
    pub(in super::super) fn refuse<B>(&self, request: &Parts) -> Option<Response<B>>
    where
        P: RefusalPage<Parts, Response<B>>,
    {
        let uri = uri_of(request);
        let target = Target {
            scheme: uri.scheme_str(),
            authority: uri.authority().map(uri::Authority::as_str),
            path: uri.path(),
        };
        let facts = RequestFacts::new(request.method.as_str(), &target, &request.headers);
        self.refusal(&facts, request)
    }
}

impl<S, P: Clone> Layer<S> for CrossOriginGuard<P> {
    type Service = CrossOriginService<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        CrossOriginService {
            inner,
            guard: self.clone(),
        }
    }
}

/// The service that [`CrossOriginGuard`] puts around another.
#[derive(Clone, Debug)]
pub struct CrossOriginService<S, P = DefaultPage> {
    inner: S,
    guard: CrossOriginGuard<P>,
}

impl<S, P, Body, B> Service<Request<Body>> for CrossOriginService<S, P>
where
    S: Service<Request<Body>, Response = Response<B>>,
    P: RefusalPage<Parts, Response<B>>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = CrossOriginFuture<S::Future, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (parts, body) = request.into_parts();
        CrossOriginFuture::new(self.guard.refuse(&parts), || {
            self.inner.call(Request::from_parts(parts, body))
        })
    }
}

pin_project! {
    /// The future of a response: of the inner service, or of the guard.
    pub struct CrossOriginFuture<F, B> {
        #[pin]
        inner: Option<F>,
        refusal: Option<Response<B>>,
    }
}

impl<F, B> CrossOriginFuture<F, B> {
    /// Makes a future of the refusal. Without one, calls the inner service.
    pub(in super::super) fn new(refusal: Option<Response<B>>, call: impl FnOnce() -> F) -> Self {
        CrossOriginFuture {
            inner: refusal.is_none().then(call),
            refusal,
        }
    }
}

impl<F, B, E> Future for CrossOriginFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match (this.inner.as_pin_mut(), this.refusal.take()) {
            (_, Some(refusal)) => Poll::Ready(Ok(refusal)),
            (Some(inner), None) => inner.poll(context),
            (None, None) => Poll::Pending,
        }
    }
}

impl<F, B> fmt::Debug for CrossOriginFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrossOriginFuture").finish_non_exhaustive()
    }
}
