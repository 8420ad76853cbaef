//! [`Outcome`] and [`Created`]: the results of writes.

use super::Revision;

/// The result of an operation on a record that the caller saw at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The operation was applied.
    Done(T),
    /// The record has another revision by now. Nothing was done.
    Conflict,
    /// The record no longer exists. Nothing was done.
    Gone,
}

impl<T> Outcome<T> {
    /// Applies `with` to the answer in [`Done`](Outcome::Done).
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Outcome::Done(answer) => Outcome::Done(with(answer)),
            Outcome::Conflict => Outcome::Conflict,
            Outcome::Gone => Outcome::Gone,
        }
    }
}

/// The result of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// The record was saved, at this revision.
    Saved(Revision),
    /// The key has a live record already. Nothing was done.
    Exists,
}
