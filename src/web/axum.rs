//! axum: [`Session`] and [`Sessions`] as extractors, and a session error as a response.
//! They work below a [`SessionLayer`](super::tower::SessionLayer).

use std::any::Any;
use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{FromRequestParts, OptionalFromRequestParts, OriginalUri};
use axum::response::{IntoResponse, Response};
use http::Uri;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;

use crate::session::{Error, Session, Sessions};

use super::tower::failed;
use super::{TEXT, page_for_developers};

/// All sessions of the request. Not one is loaded yet.
impl<S: Send + Sync> FromRequestParts<S> for Sessions {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let sessions = parts.extensions.get::<Sessions>().cloned();
        sessions.ok_or_else(|| {
            let error = Error::usage("there is no SessionLayer around this handler");
            // No layer will.
            error.log();
            error
        })
    }
}

/// The session of the first store. If the client's cookie was refused, the
/// [`Refusal`](crate::session::Refusal) is among the request's extensions from then on.
impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let sessions = <Sessions as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        let session = sessions.session().await?;
        if let Some(refusal) = session.refusal() {
            parts.extensions.insert(refusal);
        }
        Ok(session)
    }
}

/// `Option<Sessions>`: none, if there is no layer around the handler.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Sessions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Sessions>().cloned())
    }
}

/// `Option<Session>`: none, if there is no layer around the handler, so that it can serve
/// routes within a layer and without. A server behind the sessions that is unavailable is an
/// error here too, and never none.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Error> {
        if parts.extensions.get::<Sessions>().is_none() {
            return Ok(None);
        }
        let session = <Session as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        Ok(Some(session))
    }
}

/// [Its status](Error::status) and no body, and what the layer's
/// [`on_error`](super::tower::SessionLayer::on_error) makes of it.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        failed(self)
    }
}

/// The target of a request before routers stripped anything, once a router has seen it.
pub(super) fn original_uri(request: &Parts) -> Option<&Uri> {
    let original = request.extensions.get::<OriginalUri>();
    original.map(|OriginalUri(uri)| uri)
}

/// Says on the page of an error what the developer can do, in debug builds and where the body
/// is axum's.
pub(super) fn explain<B: 'static>(error: &Error, response: &mut http::Response<B>) {
    let body = (response.body_mut() as &mut dyn Any).downcast_mut::<Body>();
    if let (Some(body), Some(page)) = (body, page_for_developers(error)) {
        *body = page.into();
        let text = HeaderValue::from_static(TEXT);
        response.headers_mut().insert(CONTENT_TYPE, text);
    }
}
