//! [`LoginGuard`]: lets a request reach a route only with a login.

use std::sync::Arc;
use std::time::Duration;

use crate::session::{Error, Sessions};

use super::access::RequestAccess;
use super::denied::{Denied, RequestLine, address};

/// Returns a guard that lets only logged-in users reach its routes.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::{Router, routing::get};
/// use silverback::web::guard::require_login;
///
/// # let handler = || async {};
/// let app: Router = Router::new()
///     .route("/account", get(handler))
///     .route_layer(require_login()) // the routes above need a login, the routes below do not
///     .route("/", get(handler));
/// // .layer(SessionLayer::new(store).login_page("/login"))
/// # }
/// ```
///
/// In actix-web: `web::scope("/account").wrap(require_login())`.
#[doc(alias = "login_required")]
pub fn require_login() -> LoginGuard {
    LoginGuard {
        age: None,
        page: None,
    }
}

/// Returns a guard that lets only users reach its routes who logged in at most `age` ago. Use it for
/// a new password or an export of all data. Others are led to the layer's confirm page, where they
/// give their password once more. The handler of that page checks it, and then calls
/// [`login_keeping_values`](crate::session::Session::login_keeping_values), and
/// [`remember`](crate::session::Session::remember) and
/// [`bind_credentials`](crate::session::Session::bind_credentials) as at a login: a login removes
/// both.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use std::time::Duration;
/// use axum::{Router, routing::post};
/// use silverback::web::guard::require_fresh;
///
/// # let change_password = || async {};
/// let guard = require_fresh(Duration::from_secs(600));
/// let app: Router = Router::new()
///     .route("/password", post(change_password))
///     .route_layer(guard);
/// // .layer(SessionLayer::new(store).login_page("/login").confirm_page("/confirm"))
/// # }
/// ```
#[doc(alias = "step-up")]
#[doc(alias = "sudo")]
pub fn require_fresh(age: Duration) -> LoginGuard {
    LoginGuard {
        age: Some(age),
        page: None,
    }
}

/// A layer for tower and axum, and a middleware for actix-web, that lets a request reach its routes
/// only with a login. Made by [`require_login`] and [`require_fresh`]. The
/// [module](super#answers-to-a-request-without-a-login) lists its answers.
///
/// It checks the session of the first store of the innermost session layer around it. If that layer
/// has [`Users`](super::Users), the user must exist, too, and the credentials must be those of the
/// login.
#[derive(Clone, Debug)]
#[must_use]
pub struct LoginGuard {
    age: Option<Duration>,
    page: Option<Arc<str>>,
}

impl LoginGuard {
    /// Sets the page to which requests without a login are led, in place of the session layer's
    /// pages.
    pub fn page(self, page: impl Into<String>) -> Self {
        LoginGuard {
            page: address(page.into()),
            ..self
        }
    }

    /// Decides whether a request may pass.
    pub(super) async fn check(
        &self,
        sessions: Option<&Sessions>,
        access: &RequestAccess,
        request: &RequestLine<'_>,
    ) -> Result<Result<(), Denied>, Error> {
        let sessions = sessions.ok_or_else(|| {
            let error = Error::usage(
                "the guard has no sessions: add the session layer around it, not inside of it",
            );
            // There is no layer to log it.
            error.log();
            error
        })?;
        let session = sessions.session().await?;
        let reason = match access.check(&session, self.age).await? {
            Ok(()) => return Ok(Ok(())),
            Err(reason) => reason,
        };
        Ok(Err(access.denied(reason, self.page.as_deref(), request)))
    }
}
