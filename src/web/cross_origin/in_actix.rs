//! [`CrossOriginGuard`] as a middleware of actix-web.

use std::pin::Pin;

use actix_web::HttpResponse;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{
    RequestHead, Service, ServiceRequest, ServiceResponse, Transform, forward_ready,
};
use actix_web::http::uri;

use super::guard::CrossOriginGuard;
use super::page::{DefaultPage, FIELDS, OwnPage, RefusalPage};
use super::refused::Refused;
use super::request::{RequestFacts, Target};

impl RefusalPage<RequestHead, HttpResponse> for DefaultPage {
    fn respond(&self, refused: Refused, _: &RequestHead) -> HttpResponse {
        let mut response = HttpResponse::Forbidden();
        for field in FIELDS {
            response.insert_header(field);
        }
        response.body(refused.text())
    }
}

impl<F> RefusalPage<RequestHead, HttpResponse> for OwnPage<F>
where
    F: Fn(Refused, &RequestHead) -> HttpResponse,
{
    fn respond(&self, refused: Refused, request: &RequestHead) -> HttpResponse {
        (self.0)(refused, request)
    }
}

impl<P: RefusalPage<RequestHead, HttpResponse>> CrossOriginGuard<P> {
    /// Returns the response to a request that may not pass, or `None` for one that may.
    pub(in super::super) fn refuse_in_actix(&self, request: &RequestHead) -> Option<HttpResponse> {
        let uri = &request.uri;
        let target = Target {
            scheme: uri.scheme_str(),
            authority: uri.authority().map(uri::Authority::as_str),
            path: uri.path(),
        };
        let facts = RequestFacts::new(request.method.as_str(), &target, &request.headers);
        self.refusal(&facts, request)
    }
}

impl<S, P, B> Transform<S, ServiceRequest> for CrossOriginGuard<P>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    P: RefusalPage<RequestHead, HttpResponse> + Clone + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = ActixCrossOriginService<S, P>;
    type InitError = ();
    type Future = std::future::Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        std::future::ready(Ok(ActixCrossOriginService {
            service,
            guard: self.clone(),
        }))
    }
}

/// The service that [`CrossOriginGuard`] puts around another in actix-web.
#[derive(Debug)]
pub struct ActixCrossOriginService<S, P = DefaultPage> {
    service: S,
    guard: CrossOriginGuard<P>,
}

impl<S, P, B> Service<ServiceRequest> for ActixCrossOriginService<S, P>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    P: RefusalPage<RequestHead, HttpResponse> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        if let Some(refusal) = self.guard.refuse_in_actix(request.head()) {
            let response = request.into_response(refusal).map_into_right_body();
            return Box::pin(std::future::ready(Ok(response)));
        }
        let response = self.service.call(request);
        Box::pin(async move { Ok(response.await?.map_into_left_body()) })
    }
}
