//! [`Lookup`]: the result of a search for a session, outside of requests.

use super::Refusal;

/// The result of a search for a stored session: the session, or the reason why there is none.
///
/// A server that does not answer is an error, and never a refusal.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    /// The session is live.
    Found(T),
    /// There is no such live session.
    Refused(Refusal),
}

impl<T> Lookup<T> {
    /// Returns the session, or `None` if there is none.
    #[must_use]
    pub fn found(self) -> Option<T> {
        match self {
            Lookup::Found(session) => Some(session),
            Lookup::Refused(_) => None,
        }
    }

    /// Returns the session, or the refusal as an error.
    ///
    /// # Errors
    /// Returns the reason why there is no such live session.
    pub fn into_result(self) -> Result<T, Refusal> {
        match self {
            Lookup::Found(session) => Ok(session),
            Lookup::Refused(refusal) => Err(refusal),
        }
    }
}

impl<T> From<Result<T, Refusal>> for Lookup<T> {
    fn from(found: Result<T, Refusal>) -> Self {
        match found {
            Ok(session) => Lookup::Found(session),
            Err(refusal) => Lookup::Refused(refusal),
        }
    }
}
