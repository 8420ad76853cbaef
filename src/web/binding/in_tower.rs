//! [`BindingEndpoints`] as a layer for tower services, and so for axum.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::session::Sessions;
use crate::session::binding::{Endpoint, EndpointAnswer, EndpointRequest};

use super::super::fields::Fields;
use super::super::tower::failed;
use super::BindingEndpoints;

impl<S> Layer<S> for BindingEndpoints {
    type Service = EndpointService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        EndpointService { inner }
    }
}

/// The service that [`BindingEndpoints`] puts around another.
#[derive(Clone, Debug)]
pub struct EndpointService<S> {
    inner: S,
}

impl<S, Body, B> Service<Request<Body>> for EndpointService<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    B: Default + From<String> + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = EndpointFuture<S::Future, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let sessions = request.extensions().get::<Sessions>();
        let answers = match sessions.and_then(Sessions::binding_endpoint) {
            None => Answers::Inner {
                response: self.inner.call(request),
            },
            Some(endpoint) => {
                let (parts, _) = request.into_parts();
                Answers::Endpoint {
                    response: Box::pin(answer(endpoint, parts)),
                }
            }
        };
        EndpointFuture { answers }
    }
}

pin_project! {
    /// The future of a response: of the inner service, or of an endpoint.
    pub struct EndpointFuture<F, B> {
        #[pin]
        answers: Answers<F, B>,
    }
}

pin_project! {
    /// The source of a response.
    #[project = Projected]
    enum Answers<F, B> {
        Inner {
            #[pin]
            response: F,
        },
        Endpoint {
            response: Pin<Box<dyn Future<Output = Response<B>> + Send>>,
        },
    }
}

impl<F, B, E> Future for EndpointFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().answers.project() {
            Projected::Inner { response } => response.poll(context),
            Projected::Endpoint { response } => response.as_mut().poll(context).map(Ok),
        }
    }
}

impl<F, B> fmt::Debug for EndpointFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointFuture").finish_non_exhaustive()
    }
}

async fn answer<B>(endpoint: Endpoint, parts: Parts) -> Response<B>
where
    B: Default + From<String> + 'static,
{
    let field = |name: &'static str| parts.headers.get(name)?.to_str().ok();
    let request = EndpointRequest::new(parts.method.as_str(), field);
    match endpoint.answer(&request).await {
        Ok(answer) => response(answer),
        Err(error) => failed(error),
    }
}

fn response<B: From<String>>(answer: EndpointAnswer) -> Response<B> {
    let status = StatusCode::from_u16(answer.status());
    let fields = answer.fields().to_vec();
    let mut response = Response::new(B::from(answer.into_body()));
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &fields {
        response.headers_mut().append_secret(name, value);
    }
    response
}
