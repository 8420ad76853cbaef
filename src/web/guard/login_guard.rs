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
        level: 1,
        age: None,
        page: None,
    }
}

/// Returns a guard that lets only users reach its routes who logged in at most `age` ago. Use it for
/// a new password or an export of all data. Others are led to the layer's confirm page, where they
/// give their password once more. The handler of that page checks it, and then calls
/// [`authenticate`](crate::session::Session::authenticate).
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
        level: 1,
        age: Some(age),
        page: None,
    }
}

/// Returns a guard that lets only users reach its routes who have given that many
/// [kinds of factors](crate::session::Session::level) since the login. Others are led to the layer's
/// confirm page, where they give another one. The handler of that page checks it, and then calls
/// [`authenticate`](crate::session::Session::authenticate).
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use std::time::Duration;
/// use axum::{Router, routing::post};
/// use silverback::web::guard::require_level;
///
/// # let send_money = || async {};
/// let guard = require_level(2).within(Duration::from_secs(600));
/// let app: Router = Router::new()
///     .route("/payments", post(send_money))
///     .route_layer(guard);
/// // .layer(SessionLayer::new(store).login_page("/login").confirm_page("/confirm"))
/// # }
/// ```
#[doc(alias = "step-up")]
#[doc(alias = "mfa")]
pub fn require_level(level: u8) -> LoginGuard {
    LoginGuard {
        level,
        age: None,
        page: None,
    }
}

/// A layer for tower and axum, and a middleware for actix-web, that lets a request reach its routes
/// only with a login. Made by [`require_login`], [`require_fresh`] and [`require_level`]. The
/// [module](super#answers-to-a-request-without-a-login) lists its answers.
///
/// It checks the session of the first store of the innermost session layer around it. If that layer
/// has [`Users`](super::Users), the user must exist, too, and the credentials must be those of the
/// login.
#[derive(Clone, Debug)]
#[must_use]
pub struct LoginGuard {
    level: u8,
    age: Option<Duration>,
    page: Option<Arc<str>>,
}

impl LoginGuard {
    /// Counts only proofs of identity that are at most `age` old.
    pub fn within(self, age: Duration) -> Self {
        LoginGuard {
            age: Some(age),
            ..self
        }
    }

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
        let reason = match access.check(&session, self.level, self.age).await? {
            Ok(()) => return Ok(Ok(())),
            Err(reason) => reason,
        };
        Ok(Err(access.denied(reason, self.page.as_deref(), request)))
    }
}
