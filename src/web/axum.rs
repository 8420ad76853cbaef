//! axum: [`Session`] and [`Sessions`] as extractors, and a session error as a response.
//! They work below a [`SessionLayer`](super::tower::SessionLayer).

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;

use crate::session::{Error, Session, Sessions, Typed, TypedValue};

use super::tower::failed;

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

/// Extracts the value of a type in the session of the first store.
impl<S: Send + Sync, T: TypedValue> FromRequestParts<S> for Typed<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let session = <Session as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        Ok(session.typed())
    }
}

/// Makes a response with [the error's status](Error::status) and no body. The layer replaces it
/// by the page of [`on_error`](super::tower::SessionLayer::on_error), if one is set.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        failed(self)
    }
}
