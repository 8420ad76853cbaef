//! [`CurrentUser`] as an extractor of axum.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;

use crate::session::{Error, Session};

use super::current_user::CurrentUser;
use super::denied::{Denied, Reason};
use super::in_tower::{access_of, request_line};

impl<S, U> FromRequestParts<S> for CurrentUser<U>
where
    S: Send + Sync,
    U: Send + Sync + 'static,
{
    /// The response to a session error, or of [`Denied`].
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let user = <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await;
        user.map_err(Error::into_response)?.ok_or_else(|| {
            let access = access_of(parts);
            let denied = access.denied(Reason::NoLogin, None, &request_line(parts));
            denied.into_response()
        })
    }
}

/// Extracts `Option<CurrentUser<U>>`, which is `None` without a login. If the server behind the
/// sessions or the users does not answer, the result is an error, never `None`.
impl<S, U> OptionalFromRequestParts<S> for CurrentUser<U>
where
    S: Send + Sync,
    U: Send + Sync + 'static,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Error> {
        let session = <Session as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        let user = access_of(parts).user::<U>(&session).await?;
        Ok(user.map(CurrentUser))
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        self.response()
    }
}
