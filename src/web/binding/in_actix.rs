//! [`BindingEndpoints`] as a middleware of actix-web.

use std::pin::Pin;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::StatusCode;
use actix_web::{HttpMessage, HttpResponse, ResponseError};

use crate::session::Sessions;
use crate::session::binding::{Endpoint, EndpointAnswer, EndpointRequest};

use super::super::fields::Fields;
use super::BindingEndpoints;

impl<S, B> Transform<S, ServiceRequest> for BindingEndpoints
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = ActixEndpointService<S>;
    type InitError = ();
    type Future = std::future::Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        std::future::ready(Ok(ActixEndpointService { service }))
    }
}

/// The service that [`BindingEndpoints`] puts around another in actix-web.
#[derive(Debug)]
pub struct ActixEndpointService<S> {
    service: S,
}

impl<S, B> Service<ServiceRequest> for ActixEndpointService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let endpoint = {
            let extensions = request.extensions();
            let sessions = extensions.get::<Sessions>();
            sessions.and_then(Sessions::binding_endpoint)
        };
        match endpoint {
            None => {
                let response = self.service.call(request);
                Box::pin(async move { Ok(response.await?.map_into_left_body()) })
            }
            Some(endpoint) => Box::pin(async move {
                let response = answer(&endpoint, &request).await;
                Ok(request.into_response(response).map_into_right_body())
            }),
        }
    }
}

async fn answer(endpoint: &Endpoint, request: &ServiceRequest) -> HttpResponse {
    let field = |name: &'static str| request.headers().get(name)?.to_str().ok();
    let parts = EndpointRequest::new(request.method().as_str(), field);
    match endpoint.answer(&parts).await {
        Ok(answer) => response(answer),
        Err(error) => error.error_response(),
    }
}

fn response(answer: EndpointAnswer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status());
    let fields = answer.fields().to_vec();
    let mut response = HttpResponse::build(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .body(answer.into_body());
    for (name, value) in &fields {
        response.headers_mut().append_secret(name, value);
    }
    response
}
