//! The session stores of Go packages, under their own names and with their own defaults: for
//! services that move from Go to Rust, or run next to a Go program.
//!
//! - Share the sessions of alexedwards/scs: [`SessionManager`].
//! - Share the sessions of pgstore: [`pgstore`] (feature `postgres`).
//! - Share the sessions of dynamostore: [`dynamostore`] (feature `aws`).
//!
//! Each page has a table from the Go package's items to ours. For other Go stores, and for
//! settings that the Go package does not have, use a
//! [`ServerStore`](crate::session::ServerStore) with a [`Dialect`](crate::session::Dialect):
//! this module adds only constructors.
//!
//! Each constructor has the lifetimes and the cookie persistence of its Go package. When one
//! route moves from Go to Rust, no user is logged out, and no cookie ends sooner. The cookies'
//! flags are safe (HttpOnly, Secure, SameSite=Lax) unless you change them.
//!
//! The page `guide::from_gorilla` moves an application from Go, route by route. The page
//! `guide::from_tower_sessions` moves one from tower-sessions.
//!
//! # Source files
//!
//! | file | contents |
//! |---|---|
//! | `scs.rs` | [`SessionManager`]: alexedwards/scs |
//! | `pgstore.rs` | [`pgstore`]: rafaelespinoza/pgstore and antonlindstrom/pgstore |
//! | `dynamostore.rs` | [`dynamostore`]: pratikju/dynamostore |
//! | `sessions.rs` | the settings that `pgstore.rs` and `dynamostore.rs` share |

#![doc(alias = "gorilla")]

#[cfg(feature = "aws")]
mod dynamostore;
#[cfg(feature = "postgres")]
mod pgstore;
mod scs;
#[cfg(any(feature = "aws", feature = "postgres"))]
mod sessions;

#[cfg(feature = "aws")]
pub use dynamostore::{DynamoStore, DynamoStoreConfig, dynamostore};
#[cfg(feature = "postgres")]
pub use pgstore::{PgStore, pgstore};
pub use scs::SessionManager;
