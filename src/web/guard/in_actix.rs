//! [`LoginGuard`] as a middleware of actix-web, and [`CurrentUser`] as an extractor.

use std::pin::Pin;
use std::rc::Rc;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{
    Payload, RequestHead, Service, ServiceRequest, ServiceResponse, Transform, forward_ready,
};
use actix_web::http::header::ACCEPT;
use actix_web::http::{Method, StatusCode};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError};

use crate::session::{Session, Sessions};

use super::super::actix::keep_failure;
use super::access::RequestAccess;
use super::current_user::CurrentUser;
use super::denied::{Denied, Reason, RequestLine, accepts_html};
use super::login_guard::LoginGuard;

type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

impl<S, B> Transform<S, ServiceRequest> for LoginGuard
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = ActixGuardService<S>;
    type InitError = ();
    type Future = std::future::Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        std::future::ready(Ok(ActixGuardService {
            service: Rc::new(service),
            guard: self.clone(),
        }))
    }
}

/// The service that [`LoginGuard`] puts around another in actix-web.
#[derive(Debug)]
pub struct ActixGuardService<S> {
    service: Rc<S>,
    guard: LoginGuard,
}

impl<S, B> Service<ServiceRequest> for ActixGuardService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = LocalFuture<Result<Self::Response, Self::Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (service, guard) = (self.service.clone(), self.guard.clone());
        Box::pin(async move {
            let sessions = request.extensions().get::<Sessions>().cloned();
            let access = access_of(request.request());
            let checked = {
                let line = request_line(request.head());
                guard.check(sessions.as_ref(), &access, &line).await
            };
            let response = match checked {
                Ok(Ok(())) => return Ok(service.call(request).await?.map_into_left_body()),
                Ok(Err(denied)) => denied.error_response(),
                Err(error) => error.error_response(),
            };
            Ok(request.into_response(response).map_into_right_body())
        })
    }
}

/// Returns the middleware's settings and the user of a request.
fn access_of(request: &HttpRequest) -> RequestAccess {
    let access = request.extensions().get::<RequestAccess>().cloned();
    access.unwrap_or_default()
}

fn request_line(request: &RequestHead) -> RequestLine<'_> {
    let accept = request.headers.get_all(ACCEPT);
    let target = request.uri.path_and_query();
    RequestLine {
        is_safe: matches!(request.method, Method::GET | Method::HEAD),
        accepts_html: accepts_html(accept.filter_map(|field| field.to_str().ok())),
        target: target.map_or("/", |target| target.as_str()),
    }
}

impl<U: Send + Sync + 'static> FromRequest for CurrentUser<U> {
    type Error = actix_web::Error;
    type Future = LocalFuture<Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let session = Session::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let access = access_of(&request);
            let user = access.user::<U>(&session.await?).await;
            let user = user.map_err(|error| keep_failure(&request, error))?;
            user.map(CurrentUser).ok_or_else(|| {
                let line = request_line(request.head());
                access.denied(Reason::NoLogin, None, &line).into()
            })
        })
    }
}

impl ResponseError for Denied {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::UNAUTHORIZED)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.status_code());
        for field in self.fields() {
            response.append_header(field);
        }
        response.finish()
    }
}
