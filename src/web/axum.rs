//! axum: [`Session`] and [`Sessions`] as extractors, and a session error as a response.
//! They work below a [`SessionLayer`](super::tower::SessionLayer).

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::session::{Error, Session, Sessions};

use super::tower::failed;

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
        let sessions = Sessions::from_request_parts(parts, state).await?;
        let session = sessions.session().await?;
        if let Some(refusal) = session.refusal() {
            parts.extensions.insert(refusal);
        }
        Ok(session)
    }
}

/// [Its status](Error::status) and no body, and what the layer's
/// [`on_error`](super::tower::SessionLayer::on_error) makes of it.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        failed(self)
    }
}
