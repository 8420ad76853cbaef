//! [`Effect`]: what a request does, which decides the meaning of a missing answer.

#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "dynamodb",
    feature = "redis",
    feature = "memcached",
    feature = "etcd"
))]
use super::Error;

/// The effect of a request. A write that was sent but not answered may have been applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Reads,
    Writes,
}

#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "dynamodb",
    feature = "redis",
    feature = "memcached",
    feature = "etcd"
))]
impl Effect {
    /// Returns the error of a request that was sent and not answered.
    pub(super) fn unanswered(self, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        match self {
            Effect::Reads => Error::unavailable(message),
            Effect::Writes => Error::outcome_unknown(message),
        }
    }
}
