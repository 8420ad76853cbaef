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

/// Extracts all sessions of the request, without loading any.
impl<S: Send + Sync> FromRequestParts<S> for Sessions {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let sessions = parts.extensions.get::<Sessions>().cloned();
        sessions.ok_or_else(|| {
            let error =
                Error::usage("the handler has no sessions: add a SessionLayer around its route");
            // There is no layer to log it.
            error.log();
            error
        })
    }
}

/// Extracts the session of the first store. If the client's cookie was refused, the
/// [`Refusal`](crate::session::Refusal) is put into the request's extensions.
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

/// Extracts `Option<Sessions>`, which is `None` if there is no layer around the handler.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Sessions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Sessions>().cloned())
    }
}

/// Extracts `Option<Session>`, which is `None` if there is no layer around the handler. The
/// handler can then serve routes inside and outside of a layer. If a server behind the sessions
/// is unavailable, the result is an error, never `None`.
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

/// Makes a response with [the error's status](Error::status) and no body. The layer replaces it
/// by the page of [`on_error`](super::tower::SessionLayer::on_error), if one is set.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        failed(self)
    }
}

/// Returns the target of a request before any router stripped a part of it. It is `None` until
/// a router has handled the request.
pub(super) fn original_uri(request: &Parts) -> Option<&Uri> {
    let original = request.extensions.get::<OriginalUri>();
    original.map(|OriginalUri(uri)| uri)
}

/// Puts the text of a usage error into the response's body, in debug builds and if the body is
/// axum's.
pub(super) fn explain<B: 'static>(error: &Error, response: &mut http::Response<B>) {
    let body = (response.body_mut() as &mut dyn Any).downcast_mut::<Body>();
    if let (Some(body), Some(page)) = (body, page_for_developers(error)) {
        *body = page.into();
        let text = HeaderValue::from_static(TEXT);
        response.headers_mut().insert(CONTENT_TYPE, text);
    }
}
