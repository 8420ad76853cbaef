//! [`RedisOptions`].

use std::time::Duration;

/// The settings of a [`Redis`](super::Redis) backend.
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::RedisOptions;
///
/// let options = RedisOptions::new().prefix("shop:").timeout(Duration::from_secs(2));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RedisOptions {
    pub(super) prefix: String,
    pub(super) timeout: Duration,
    pub(super) connections: usize,
    pub(super) replicas: usize,
    pub(super) require_durability: bool,
}

impl Default for RedisOptions {
    fn default() -> Self {
        RedisOptions {
            prefix: "silverback:".to_owned(),
            timeout: Duration::from_secs(5),
            connections: 1,
            replicas: 0,
            require_durability: false,
        }
    }
}

impl RedisOptions {
    /// Returns the defaults: the prefix `silverback:`, a timeout of 5 seconds, one connection to
    /// each server. A write waits for no replica. A server that may lose records is used, with a
    /// warning in the log.
    pub fn new() -> Self {
        RedisOptions::default()
    }

    /// Sets the beginning of all keys, so that several stores can share a server. Default:
    /// `silverback:`.
    ///
    /// A prefix that contains `{` must contain a whole hash tag of a cluster, such as `{shop}:`. It
    /// places all keys on one node.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        RedisOptions {
            prefix: prefix.into(),
            ..self
        }
    }

    /// Limits the time of an operation, with all its commands and with the wait for a connection.
    /// After it, the operation is [unavailable](crate::backend::Error::is_unavailable), or its
    /// outcome is unknown. Default: 5 seconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        RedisOptions { timeout, ..self }
    }

    /// Sets the number of connections to a server, 1 at least. One connection carries any number of
    /// concurrent commands, and is the fastest for a server on one core. More connections help if
    /// large records delay small ones. A cluster has one connection to each node. Default: 1.
    pub fn connections(self, connections: usize) -> Self {
        RedisOptions {
            connections,
            ..self
        }
    }

    /// Waits until this many replicas have received each write (the command `WAIT`), so that a
    /// failover to one of them does not lose it. If fewer have within the timeout, the outcome of
    /// the write is [unknown](crate::backend::Error::is_outcome_unknown). A write then takes a
    /// second round trip. Not possible in a cluster. Default: 0.
    pub fn wait_for_replicas(self, replicas: usize) -> Self {
        RedisOptions { replicas, ..self }
    }

    /// Sets whether a server that may lose records is refused: one that evicts keys if its memory
    /// is full, or that does not write an append-only file. Otherwise such a server is used, with a
    /// warning in the log. Default: false.
    pub fn require_durability(self, require: bool) -> Self {
        RedisOptions {
            require_durability: require,
            ..self
        }
    }
}
