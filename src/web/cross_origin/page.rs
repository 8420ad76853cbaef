//! [`RefusalPage`]: the answer to a request that may not pass.

use std::sync::Arc;

use super::refused::Refused;

/// The answer to a request that may not pass: [`DefaultPage`], or a function in an [`OwnPage`].
/// `Request` is the head of a request of the framework.
///
/// Only this crate implements it.
pub trait RefusalPage<Request, Response>: sealed::Sealed {
    /// Makes the response.
    #[doc(hidden)]
    fn respond(&self, refused: Refused, request: &Request) -> Response;
}

/// The status 403 with one line of text. In a tower service, the body of a response must have
/// `From<&'static str>`, as those of axum and `String` do.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultPage;

/// A function that makes the answer, set by [`on_refused`](super::CrossOriginGuard::on_refused).
pub struct OwnPage<F>(pub(super) Arc<F>);

impl<F> Clone for OwnPage<F> {
    fn clone(&self) -> Self {
        OwnPage(self.0.clone())
    }
}

impl<F> std::fmt::Debug for OwnPage<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnPage").finish_non_exhaustive()
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::DefaultPage {}
    impl<F> Sealed for super::OwnPage<F> {}
}

/// The header fields of the default page (`http.Error` in Go).
pub(super) const FIELDS: [(&str, &str); 2] = [
    ("content-type", "text/plain; charset=utf-8"),
    ("x-content-type-options", "nosniff"),
];
