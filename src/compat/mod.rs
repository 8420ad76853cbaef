//! The session stores of Go programs by their own names and defaults, for services that move
//! from them, or beside them: constructors only, of what the other modules build.
//!
//! | file | what lives there |
//! |---|---|
//! | `pgstore.rs` | [`pgstore`]: rafaelespinoza/pgstore and antonlindstrom/pgstore (feature `postgres`) |

#[cfg(feature = "postgres")]
mod pgstore;

#[cfg(feature = "postgres")]
pub use pgstore::{PgStore, pgstore};
