//! The session stores of Go programs by their own names and defaults, for services that move
//! from them, or beside them: constructors only, of what the other modules build.
//!
//! | file | what lives there |
//! |---|---|
//! | `dynamostore.rs` | [`dynamostore`]: pratikju/dynamostore (feature `aws`) |
//! | `pgstore.rs` | [`pgstore`]: rafaelespinoza/pgstore and antonlindstrom/pgstore (feature `postgres`) |
//! | `sessions.rs` | what both are told alike |

#[cfg(feature = "aws")]
mod dynamostore;
#[cfg(feature = "postgres")]
mod pgstore;
mod sessions;

#[cfg(feature = "aws")]
pub use dynamostore::{DynamoStore, DynamoStoreConfig, dynamostore};
#[cfg(feature = "postgres")]
pub use pgstore::{PgStore, pgstore};
