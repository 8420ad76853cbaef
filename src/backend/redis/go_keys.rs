//! [`GoKeys`]: the keys of Go's session stores in Redis as data.

use super::super::Layout;

/// The keys of a Go package in Redis: their prefix, and the format of their values.
///
/// | preset | Go package | keys |
/// |---|---|---|
/// | [`scs_redisstore`](GoKeys::scs_redisstore) | `alexedwards/scs/redisstore` | `scs:session:` and the token |
/// | [`scs_goredisstore`](GoKeys::scs_goredisstore) | `alexedwards/scs/goredisstore` | the same |
///
/// The keys, the values and the times to live are those of `redisstore.go` and `goredisstore.go` at
/// commit 209de6e426de of scs.
///
/// ```
/// use silverback::backend::GoKeys;
///
/// let keys = GoKeys::scs_redisstore().with_prefix("scs:session:2:"); // Go: NewWithPrefix
/// assert_ne!(keys, GoKeys::scs_redisstore());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct GoKeys {
    pub(super) prefix: String,
    pub(super) layout: Layout,
}

impl GoKeys {
    /// The keys of scs's `redisstore`, which uses gomodule/redigo.
    pub fn scs_redisstore() -> Self {
        GoKeys {
            prefix: "scs:session:".to_owned(),
            layout: Layout::Scs,
        }
    }

    /// The keys of scs's `goredisstore`, which uses redis/go-redis. They are those of `redisstore`.
    ///
    /// This Go package writes a session that has already expired without a time to live, so that it
    /// stays in Redis forever. The deadline in the value still ends it here; Go serves it.
    pub fn scs_goredisstore() -> Self {
        GoKeys::scs_redisstore()
    }

    /// Sets another prefix, as Go's `NewWithPrefix` does.
    #[doc(alias = "NewWithPrefix")]
    pub fn with_prefix(self, prefix: impl Into<String>) -> Self {
        GoKeys {
            prefix: prefix.into(),
            ..self
        }
    }
}
