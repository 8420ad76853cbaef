//! The parts of axum's requests and responses that the layer for tower reads and writes.

use std::any::Any;

use axum::body::Body;
use axum::extract::OriginalUri;
use http::Uri;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;

use crate::session::Error;

use super::{TEXT, page_for_developers};

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
    if let (Some(body), Some(page)) = (body, page_for_developers(error.is_usage(), error)) {
        *body = page.into();
        let text = HeaderValue::from_static(TEXT);
        response.headers_mut().insert(CONTENT_TYPE, text);
    }
}
