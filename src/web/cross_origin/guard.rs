//! [`CrossOriginGuard`]: refuses requests that another origin sends.

use std::sync::Arc;

use crate::session::Error;

use super::options::{CrossOriginOptions, Rules};
use super::origin::OriginUrl;
use super::page::{DefaultPage, OwnPage, RefusalPage};
use super::request::RequestFacts;

/// A layer for tower and axum, and a middleware for actix-web, that refuses requests of other
/// origins. The [module](super) has its rules.
///
/// It needs no session and no cookie. To use it with sessions, give it to
/// [`SessionLayer::cross_origin`](crate::web::tower::SessionLayer::cross_origin) or to
/// [`SessionMiddleware::cross_origin`](crate::web::actix::SessionMiddleware::cross_origin).
#[derive(Clone, Debug)]
#[must_use]
#[doc(alias = "CSRF")]
#[doc(alias = "CrossOriginProtection")]
pub struct CrossOriginGuard<P = DefaultPage> {
    rules: Arc<Rules>,
    page: P,
}

impl CrossOriginGuard {
    /// Makes a guard without exceptions.
    pub fn new() -> Self {
        CrossOriginGuard {
            rules: Arc::default(),
            page: DefaultPage,
        }
    }

    /// Makes a guard with exceptions.
    ///
    /// # Errors
    /// Returns a usage error for a trusted origin that is no origin, for a malformed pattern, and for
    /// two patterns that match some of the same requests if neither is more specific.
    pub fn with_options(options: CrossOriginOptions) -> Result<Self, Error> {
        Ok(CrossOriginGuard {
            rules: Arc::new(Rules::new(options)?),
            page: DefaultPage,
        })
    }
}

impl Default for CrossOriginGuard {
    fn default() -> Self {
        CrossOriginGuard::new()
    }
}

impl<P> CrossOriginGuard<P> {
    /// Sets the response to a request that may not pass. Default: 403, with one line of text.
    ///
    /// In tower and axum, `respond` is a `Fn(Refused, &http::request::Parts) -> http::Response<B>`, and
    /// in actix-web a `Fn(Refused, &actix_web::dev::RequestHead) -> actix_web::HttpResponse`. Write the
    /// types of its arguments. Send the status 403, and change nothing: the request is forged.
    ///
    /// ```
    /// # #[cfg(feature = "axum")] {
    /// use axum::http::{StatusCode, request::Parts};
    /// use axum::response::{Html, IntoResponse};
    /// use silverback::web::cross_origin::{CrossOriginGuard, Refused};
    ///
    /// let guard = CrossOriginGuard::new().on_refused(|_: Refused, request: &Parts| {
    ///     match request.uri.path().starts_with("/api/") {
    ///         true => StatusCode::FORBIDDEN.into_response(),
    ///         false => (StatusCode::FORBIDDEN, Html("<p>Please go back, and try again.")).into_response(),
    ///     }
    /// });
    /// let app: axum::Router = axum::Router::new().layer(guard);
    /// # }
    /// ```
    pub fn on_refused<F>(self, respond: F) -> CrossOriginGuard<OwnPage<F>> {
        CrossOriginGuard {
            rules: self.rules,
            page: OwnPage(Arc::new(respond)),
        }
    }

    /// Returns the response to a request that may not pass, or `None` for one that may.
    pub(super) fn refusal<Request, Response>(
        &self,
        facts: &RequestFacts<'_>,
        request: &Request,
    ) -> Option<Response>
    where
        P: RefusalPage<Request, Response>,
    {
        let refused = self.rules.check(facts).err()?;
        // Only the host: no other part of a request is surely free of secrets.
        let origin = OriginUrl::parse(facts.origin).unwrap_or_default().host;
        let origin = String::from_utf8_lossy(&origin);
        tracing::info!(reason = %refused, ?origin, "a request of another origin was refused");
        Some(self.page.respond(refused, request))
    }
}
