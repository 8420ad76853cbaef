//! [`Outcome`] and [`Created`]: the results of writes.

use super::Revision;

/// The result of an operation on a record that the caller saw at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a conflict or a record that is gone is no error: the operation was not applied"]
pub enum Outcome<T> {
    /// The operation was applied.
    Done(T),
    /// The record has another revision by now. Nothing was done.
    Conflict,
    /// The record no longer exists. Nothing was done.
    Gone,
}

impl<T> Outcome<T> {
    /// Returns the answer in [`Done`](Outcome::Done), or `None` if nothing was done.
    #[must_use]
    pub fn done(self) -> Option<T> {
        match self {
            Outcome::Done(answer) => Some(answer),
            Outcome::Conflict | Outcome::Gone => None,
        }
    }

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
#[must_use = "if the key has a live record already, nothing was saved"]
pub enum Created {
    /// The record was saved, at this revision.
    Saved(Revision),
    /// The key has a live record already. Nothing was done.
    Exists,
}

impl Created {
    /// Returns the revision in [`Saved`](Created::Saved), or `None` if nothing was done.
    #[must_use]
    pub fn saved(self) -> Option<Revision> {
        match self {
            Created::Saved(revision) => Some(revision),
            Created::Exists => None,
        }
    }
}
