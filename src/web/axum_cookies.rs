//! axum: [`SealedCookies`] as an extractor and as a part of a response, and its error as a response.

use std::convert::Infallible;

use axum::extract::{FromRef, FromRequestParts};
use axum::response::{IntoResponse, IntoResponseParts, Response, ResponseParts};
use http::StatusCode;
use http::header::{CONTENT_TYPE, COOKIE, HeaderValue};
use http::request::Parts;

use crate::codec::Codec;
use crate::jar::{Error, SealedCookies};
use crate::session::ResponseFields;

use super::{Public, TEXT, fields, log_cookie_error, page_for_developers};

/// Extracts the sealed cookies of the request. The codec comes from the router's state.
impl<S, C> FromRequestParts<S> for SealedCookies<C>
where
    S: Send + Sync,
    C: Codec + FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let cookies = parts.headers.get_all(COOKIE).into_iter();
        let cookies = cookies.map(HeaderValue::as_bytes);
        Ok(SealedCookies::of_request(C::from_ref(state), cookies))
    }
}

/// Adds the changed cookies to the response, and the fields that keep it out of shared caches.
impl<C> IntoResponseParts for SealedCookies<C> {
    type Error = Error;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Error> {
        let cookies = ResponseFields::new(self.set_cookies()?);
        let cookies = match parts.extensions().get::<Public>() {
            Some(Public) => cookies.of_public_response(),
            None => cookies,
        };
        fields::add_to(parts.headers_mut(), &cookies);
        Ok(parts)
    }
}

impl<C> IntoResponse for SealedCookies<C> {
    fn into_response(self) -> Response {
        (self, ()).into_response()
    }
}

/// Makes a response with [the error's status](Error::status) and no body. In debug builds, the page
/// of a usage error shows its text, which names the remedy.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        log_cookie_error(&self);
        let status = StatusCode::from_u16(self.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match page_for_developers(self.is_usage(), &self) {
            Some(page) => (status, [(CONTENT_TYPE, TEXT)], page).into_response(),
            None => status.into_response(),
        }
    }
}
