//! The endpoints of [device bindings](crate::session::binding), for tower, axum and actix-web.
//!
//! [`BindingEndpoints`] goes inside of the session layer. It answers the two addresses of each store
//! with a binding, and passes all other requests on.
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # fn app(store: silverback::session::ServerStore) -> axum::Router {
//! use axum::{Router, routing::get};
//! use silverback::web::{binding::BindingEndpoints, tower::SessionLayer};
//!
//! Router::new()
//!     .route("/", get(async || "hello"))
//!     .layer(BindingEndpoints)
//!     .layer(SessionLayer::new(store))
//! # }
//! ```
//!
//! In actix-web, the last one added is the outer one, too:
//! `.wrap(BindingEndpoints).wrap(SessionMiddleware::new(store))`.
//!
//! The session layer must see the path of the endpoints: no router around it may strip a part of it.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`BindingEndpoints`] |
//! | `in_tower.rs`, `in_actix.rs` | the adapters |

#[cfg(feature = "actix")]
mod in_actix;
#[cfg(feature = "tower")]
mod in_tower;

#[cfg(feature = "actix")]
pub use in_actix::ActixEndpointService;
#[cfg(feature = "tower")]
pub use in_tower::{EndpointFuture, EndpointService};

/// A layer for tower and axum, and a middleware for actix-web, that answers the requests by which
/// browsers register keys and refresh bound cookies. The [module](self) has an example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct BindingEndpoints;
