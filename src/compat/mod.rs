//! The session stores of Go programs by their own names and defaults, for services that move
//! from them, or beside them: constructors only, of what the other modules build.
//!
//! | file | what lives there |
//! |---|---|
//! | `dynamostore.rs` | [`dynamostore`]: pratikju/dynamostore (feature `aws`) |
//! | `pgstore.rs` | [`pgstore`]: rafaelespinoza/pgstore and antonlindstrom/pgstore (feature `postgres`) |
//! | `sessions.rs` | the settings that these two share |
//! | `scs.rs` | [`SessionManager`]: alexedwards/scs |
//!
//! Each takes the Go package's own lifetimes and persistence, so that no user is logged out,
//! and no cookie ends sooner, when one route moves. The cookies' flags are safe (HttpOnly,
//! Secure, SameSite=Lax) unless you say otherwise.

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
