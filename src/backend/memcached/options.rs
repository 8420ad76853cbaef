//! [`MemcachedOptions`].

use std::time::Duration;

/// The most bytes of an item that its value does not take: 250 of the key, and a header.
const KEY_AND_HEADER: usize = 250 + 128;

/// The settings of a [`Memcached`](super::Memcached) backend, and of a
/// [`GoMemcached`](super::GoMemcached).
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::MemcachedOptions;
///
/// let options = MemcachedOptions::new().prefix("shop:").timeout(Duration::from_secs(2));
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(default, deny_unknown_fields))]
#[must_use]
pub struct MemcachedOptions {
    pub(super) prefix: String,
    #[cfg_attr(
        feature = "config",
        serde(deserialize_with = "crate::duration_text::read")
    )]
    pub(super) timeout: Duration,
    pub(super) max_connections: usize,
    pub(super) max_item_size: usize,
}

impl Default for MemcachedOptions {
    fn default() -> Self {
        MemcachedOptions {
            prefix: "silverback:".to_owned(),
            timeout: Duration::from_secs(5),
            max_connections: 64,
            max_item_size: 1024 * 1024,
        }
    }
}

impl MemcachedOptions {
    /// Returns the number of bytes of the largest value. When the server refuses a larger one, it
    /// removes the present item.
    pub(super) fn max_value_size(&self) -> usize {
        self.max_item_size.saturating_sub(KEY_AND_HEADER)
    }

    /// Returns the defaults: the prefix `silverback:`, a timeout of 5 seconds, at most 64
    /// connections to each server, and items of at most 1 MiB.
    pub fn new() -> Self {
        MemcachedOptions::default()
    }

    /// Sets the beginning of all keys, so that several stores can share a server: at most 100
    /// letters, digits and other visible characters of ASCII. Default: `silverback:`.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        MemcachedOptions {
            prefix: prefix.into(),
            ..self
        }
    }

    /// Limits the time of an operation, with all its requests and with the wait for a connection.
    /// After it, the operation is [unavailable](crate::backend::Error::is_unavailable), or its
    /// outcome is unknown. Default: 5 seconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        MemcachedOptions { timeout, ..self }
    }

    /// Limits the number of connections to each server. A connection carries one request at a time;
    /// 0 counts as 1. Default: 64.
    pub fn max_connections(self, max_connections: usize) -> Self {
        MemcachedOptions {
            max_connections,
            ..self
        }
    }

    /// Sets the largest item that the server takes, in bytes, as its option `-I` does. A larger
    /// record is [too large](crate::backend::Error::is_too_large). Do not set more than the server
    /// takes: it removes the present record when it refuses a larger one. Default: 1 MiB.
    pub fn max_item_size(self, max_item_size: usize) -> Self {
        MemcachedOptions {
            max_item_size,
            ..self
        }
    }
}
