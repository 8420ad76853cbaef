//! [`Moves`]: records that go from one key to another in one step.

use async_trait::async_trait;

use super::{Error, Key, Outcome, Record, Revision};

/// Moves a record to another key, as one step: whatever happens it is under one of the two.
///
/// Sessions get a new ID this way where their rows are a Go package's. (In rows of ours, what
/// ends leaves a tombstone, which needs a place of its own.)
///
/// ```no_run
/// # async fn renew(backend: &dyn silverback::backend::Backend) -> Result<(), silverback::backend::Error> {
/// use silverback::backend::{Key, Outcome};
///
/// let (old, new) = (Key::new("ABC234")?, Key::new("DEF567")?);
/// if let (Some(moves), Some(seen)) = (backend.moves(), backend.load(&old).await?) {
///     match moves.move_to(&old, &seen.revision, &new, &seen.record).await? {
///         Outcome::Done(revision) => println!("it is under the new key, at {revision:?}"),
///         Outcome::Conflict | Outcome::Gone => println!("somebody else was first"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Moves: Send + Sync {
    /// Puts `record` under the key `to`, and nothing under `key`, where the record that was
    /// `seen` was. `to` is fresh: where there is any record under it, living or not, nothing is
    /// done.
    ///
    /// # Errors
    /// As [`create`](super::Backend::create); [usage](Error::is_usage), if `to` is taken.
    async fn move_to(
        &self,
        key: &Key,
        seen: &Revision,
        to: &Key,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error>;
}

/// What is said of a key that has a record.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "dynamodb"))]
pub(super) fn taken() -> Error {
    Error::usage("another record has the new key")
}
