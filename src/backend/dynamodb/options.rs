//! [`DynamoDbOptions`].

use std::time::Duration;

/// The largest number of bytes that a [prefix](DynamoDbOptions::prefix) may have.
pub(super) const LONGEST_PREFIX: usize = 128;

/// The settings of a [`DynamoDb`](super::DynamoDb) or [`GoDynamoDb`](super::GoDynamoDb) backend.
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::DynamoDbOptions;
///
/// let options = DynamoDbOptions::new().prefix("session/").timeout(Duration::from_secs(2));
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(default, deny_unknown_fields))]
#[must_use]
pub struct DynamoDbOptions {
    pub(super) prefix: String,
    #[cfg_attr(
        feature = "config",
        serde(deserialize_with = "crate::duration_text::read")
    )]
    pub(super) timeout: Duration,
    #[cfg_attr(feature = "config", serde(skip))]
    pub(super) throughput: Option<Throughput>,
    #[cfg_attr(feature = "config", serde(skip))]
    pub(super) time_to_live: TimeToLive,
    #[cfg(feature = "aws")]
    pub(super) create_if_missing: bool,
}

/// The capacity of a provisioned table, in DynamoDB's units per second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Throughput {
    pub(super) reads: u32,
    pub(super) writes: u32,
}

/// The tables that DynamoDB is set to remove expired items from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeToLive {
    /// Only a table that this program creates.
    Created,
    /// Also a table that existed before.
    Always,
    Never,
}

impl Default for DynamoDbOptions {
    fn default() -> Self {
        DynamoDbOptions {
            prefix: String::new(),
            timeout: Duration::from_secs(5),
            throughput: None,
            time_to_live: TimeToLive::Created,
            #[cfg(feature = "aws")]
            create_if_missing: true,
        }
    }
}

impl DynamoDbOptions {
    /// Returns the defaults: a timeout of 5 seconds, no prefix; a missing table is created, with
    /// capacity on demand.
    pub fn new() -> Self {
        DynamoDbOptions::default()
    }

    /// Sets the beginning of the `id` of each item, for a table that also holds other things: at
    /// most 128 bytes.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        DynamoDbOptions {
            prefix: prefix.into(),
            ..self
        }
    }

    /// Limits the time of an operation, with all its requests to DynamoDB. After it, the operation
    /// is [unavailable](crate::backend::Error::is_unavailable), or its outcome is unknown. Default:
    /// 5 seconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        DynamoDbOptions { timeout, ..self }
    }

    /// Sets this many units of read and write capacity, instead of capacity on demand, for a table
    /// that is created. Its index gets as many.
    pub fn provisioned(self, reads: u32, writes: u32) -> Self {
        DynamoDbOptions {
            throughput: Some(Throughput { reads, writes }),
            ..self
        }
    }

    /// Sets whether [`DynamoDb::connect_with`](super::DynamoDb::connect_with) creates a missing table.
    /// Without that, it must exist, and the user needs no right to create or change one: for
    /// programs that maintain the store of a service. Default: true.
    ///
    /// Needs the feature `aws`.
    #[cfg(feature = "aws")]
    pub fn create_if_missing(self, create_if_missing: bool) -> Self {
        DynamoDbOptions {
            create_if_missing,
            ..self
        }
    }

    /// Sets whether DynamoDB is to remove items after their `ttl`. With `true`, it is set to do so,
    /// also for a table that existed before. With `false`, no table is changed. By default it is
    /// set to do so for a table that is created, and a table that existed before stays as it is.
    pub fn ttl_enabled(self, enabled: bool) -> Self {
        let time_to_live = match enabled {
            true => TimeToLive::Always,
            false => TimeToLive::Never,
        };
        DynamoDbOptions {
            time_to_live,
            ..self
        }
    }
}
