//! [`Effect`]: what a request does, which decides the meaning of a missing answer.

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
    pub(super) fn unanswered(
        self,
        message: impl Into<std::borrow::Cow<'static, str>>,
    ) -> super::Error {
        match self {
            Effect::Reads => super::Error::unavailable(message),
            Effect::Writes => super::Error::outcome_unknown(message),
        }
    }
}
