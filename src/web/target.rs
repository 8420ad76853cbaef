//! The target of a request in tower and axum.

use http::Uri;
use http::request::Parts;

/// Returns the request's target as the client sent it. Nested routers of axum strip the part that the
/// outer router matched.
pub(super) fn uri_of(request: &Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = super::axum_parts::original_uri(request) {
        return original;
    }
    &request.uri
}
