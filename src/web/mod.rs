//! Sessions in web frameworks: what moves header fields between a framework and
//! [`Sessions`](crate::session::Sessions), and nothing else; and, for applications that
//! stay with another crate's sessions, our backends beneath those.
//!
//! | module | framework | feature |
//! |---|---|---|
//! | [`tower`] | any tower service: [`SessionLayer`](tower::SessionLayer) | `tower` |
//! | `axum.rs` | axum: the extractors `Session` and `Sessions`, on top of the layer | `axum` |
//! | [`actix`] | actix-web: [`SessionMiddleware`](actix::SessionMiddleware) and the same extractors | `actix` |
//! | [`tower_sessions`] | applications on the `tower-sessions` crate: [`BackendStore`](tower_sessions::BackendStore) | `tower-sessions` |
//!
//! What a session is, which cookies count and what a response must carry is the
//! business of [`session`](crate::session); how its values travel is that of
//! [`codec`](crate::codec).
//!
//! # Logging in and out
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::{Form, response::Redirect};
//! use silverback::session::{Error, Session};
//!
//! #[derive(serde::Deserialize)]
//! struct Login { name: String, password: String, remember: Option<String> }
//!
//! async fn login(session: Session, Form(form): Form<Login>) -> Result<Redirect, Error> {
//!     if !password_is_right(&form.name, &form.password) {
//!         session.add_flash("That is not the password.")?;
//!         return Ok(Redirect::to("/login"));
//!     }
//!     session.login(form.name)?; // a new session: nothing planted before is in it
//!     session.remember(form.remember.is_some())?;
//!     Ok(Redirect::to("/"))
//! }
//!
//! async fn logout(session: Session) -> Result<Redirect, Error> {
//!     session.logout()?;
//!     session.add_flash("You are logged out.")?;
//!     Ok(Redirect::to("/"))
//! }
//!
//! async fn page(session: Session) -> Result<String, Error> {
//!     let flashes = session.flashes::<String>()?;
//!     let owner = session.owner().unwrap_or_else(|| "stranger".to_owned());
//!     Ok(format!("{} Hello, {owner}.", flashes.join(" ")))
//! }
//! # fn password_is_right(_: &str, _: &str) -> bool { true }
//! # let app: axum::Router = axum::Router::new().route("/", axum::routing::get(page))
//! #     .route("/login", axum::routing::post(login)).route("/logout", axum::routing::post(logout));
//! # }
//! ```
//!
//! # What a response carries
//!
//! If the request's session was written to, a Set-Cookie and `Cache-Control: no-store`;
//! if it was asked for, `Vary: Cookie` and `Cache-Control: private, no-cache`, unless the
//! application was stricter; else nothing. Bodies stream, connections upgrade: the
//! session is saved when the head is ready, and takes no changes after.
//!
//! # Cross-site requests
//!
//! `SameSite=Lax` keeps the cookie out of what other sites post. A handler that changes
//! something in answer to a GET is open to links from anywhere: let it be a POST.
//!
//! # When something fails
//!
//! A session error that reaches the layer, from a handler that returns it, from an
//! extractor or from saving, becomes a response with [its
//! status](crate::session::Error::status) and no body: 503, if a server behind the
//! sessions is unavailable. `on_error` makes another response of it. No session is saved
//! then, and no cookie touched; the error is logged as a `tracing` event.
//!
//! # Where the layer goes
//!
//! Around the handlers: in axum, `.layer(..)` after the routes it is for. A handler outside
//! of it that asks for a session gets a usage error, and the log says so.
//!
//! Layers nest. A layer within another takes the sessions that are there, and adds those of
//! its own names that are new; handlers inside reach both, and `Session` alone is the first
//! store of the innermost layer.

/// Marks a response that stands for a session error.
#[cfg(any(feature = "tower", feature = "actix"))]
#[derive(Clone)]
struct Failed {
    error: crate::session::Error,
    /// Whether a layer has made its own response of it: then the layers around only save
    /// nothing.
    is_answered: bool,
}

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "tower")]
pub mod tower;
#[cfg(feature = "tower-sessions")]
pub mod tower_sessions;
