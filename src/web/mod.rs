//! Sessions in web frameworks: what moves header fields between a framework and
//! [`Sessions`](crate::session::Sessions), and nothing else.
//!
//! | module | framework | feature |
//! |---|---|---|
//! | [`tower`] | any tower service: [`SessionLayer`](tower::SessionLayer) | `tower` |
//! | `axum.rs` | axum: the extractors `Session` and `Sessions`, on top of the layer | `axum` |
//! | [`actix`] | actix-web: [`SessionMiddleware`](actix::SessionMiddleware) and the same extractors | `actix` |
//!
//! What a session is, which cookies count and what a response must carry is the
//! business of [`session`](crate::session); how its values travel is that of
//! [`codec`](crate::codec).
//!
//! # axum in five lines
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use silverback::codec::{Codecs, KeyPairs};
//! use silverback::session::{CookieStore, Error, Session};
//! use silverback::web::tower::SessionLayer;
//!
//! async fn visit(session: Session) -> Result<String, Error> {
//!     let visits = session.update("visits", |visits: &mut u64| *visits += 1)?;
//!     Ok(format!("visit {visits}"))
//! }
//!
//! # fn app() -> Result<axum::Router, Box<dyn std::error::Error>> {
//! let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?; // or KeyPairs::from_env("SILVERBACK_KEYS")?
//! let store = CookieStore::new(codecs)?;
//! let app = axum::Router::new().route("/", axum::routing::get(visit)).layer(SessionLayer::new(store));
//! # Ok(app)
//! # }
//! # app().unwrap();
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
//! # When something fails
//!
//! A session error that reaches the layer, from a handler that returns it, from an
//! extractor or from saving, becomes a response with [its
//! status](crate::session::Error::status) and no body: 503, if a server behind the
//! sessions is unavailable. `on_error` makes another response of it. No session is saved
//! then, and no cookie touched; the error is logged as a `tracing` event.

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "tower")]
pub mod tower;
