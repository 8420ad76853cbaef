//! [`Effect`]: what a request does, which decides the meaning of a missing answer.

use super::Error;

/// The effect of a request. A write that was sent but not answered may have been applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Reads,
    Writes,
}

impl Effect {
    /// Returns the error of a request that was sent and not answered.
    pub(super) fn unanswered(self, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        match self {
            Effect::Reads => Error::unavailable(message),
            Effect::Writes => Error::outcome_unknown(message),
        }
    }
}
