//! [`Moves`]: moving a record from one key to another in one step.

use async_trait::async_trait;

use super::{Error, Key, Outcome, Record, Revision};

/// Moves a record to another key in one step: at every moment it is under one of the two keys.
///
/// Sessions in the rows of a Go package get a new ID this way. (Silverback's own rows are not
/// moved: a renewed session leaves a tombstone under its old key.)
///
/// ```no_run
/// # async fn renew(backend: &dyn silverback::backend::Backend) -> Result<(), silverback::backend::Error> {
/// use silverback::backend::{Key, Outcome};
///
/// let (old, new) = (Key::new("ABC234")?, Key::new("DEF567")?);
/// if let (Some(moves), Some(seen)) = (backend.moves(), backend.load(&old).await?) {
///     match moves.move_to(&old, &seen.revision, &new, &seen.record).await? {
///         Outcome::Done(revision) => println!("it is under the new key, at {revision:?}"),
///         Outcome::Conflict | Outcome::Gone => println!("the record has changed or is gone"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Moves: Send + Sync {
    /// Puts `record` under the key `to`, and removes the record that was `seen` under `key`. `to`
    /// must be a new key: if any record is under it, even an expired one, nothing is done.
    ///
    /// # Errors
    /// Returns the errors of [`create`](super::Backend::create), and a [usage](Error::is_usage)
    /// error if `to` is taken.
    async fn move_to(
        &self,
        key: &Key,
        seen: &Revision,
        to: &Key,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error>;
}

/// Returns the error of a move to a key that has a record.
#[cfg(any(
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "dynamodb",
    feature = "redis",
    feature = "etcd"
))]
pub(super) fn taken() -> Error {
    Error::usage("another record has the new key: use a random key")
}
