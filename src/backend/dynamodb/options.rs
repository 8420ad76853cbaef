//! [`DynamoDbOptions`].

use std::time::Duration;

/// The largest number of bytes that a [prefix](DynamoDbOptions::prefix) may have.
pub(super) const LONGEST_PREFIX: usize = 128;

/// How a [`DynamoDb`](super::DynamoDb) keeps its records.
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::DynamoDbOptions;
///
/// let options = DynamoDbOptions::new("shop").prefix("session/").timeout(Duration::from_secs(2));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct DynamoDbOptions {
    pub(super) table: String,
    pub(super) prefix: String,
    pub(super) timeout: Duration,
    pub(super) throughput: Option<Throughput>,
    pub(super) time_to_live: TimeToLive,
}

/// What a provisioned table can do, in DynamoDB's units per second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Throughput {
    pub(super) reads: u32,
    pub(super) writes: u32,
}

/// When DynamoDB is told to remove expired items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeToLive {
    /// With the table that is made.
    Made,
    /// In a table that was there, too.
    Always,
    Never,
}

impl DynamoDbOptions {
    /// The table of that name: on demand if it is made, five seconds, no prefix.
    pub fn new(table: impl Into<String>) -> Self {
        DynamoDbOptions {
            table: table.into(),
            prefix: String::new(),
            timeout: Duration::from_secs(5),
            throughput: None,
            time_to_live: TimeToLive::Made,
        }
    }

    /// What the `id` of each item begins with, where the table holds other things, too: at
    /// most 128 bytes.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        DynamoDbOptions {
            prefix: prefix.into(),
            ..self
        }
    }

    /// How long an operation takes at most, with all requests to DynamoDB that it makes; then
    /// it is [unavailable](crate::backend::Error::is_unavailable), or its outcome unknown.
    pub fn timeout(self, timeout: Duration) -> Self {
        DynamoDbOptions { timeout, ..self }
    }

    /// Makes the table, if it is to be made, with so many units of read and write capacity,
    /// and not on demand. Its index gets as many.
    pub fn provisioned(self, reads: u32, writes: u32) -> Self {
        DynamoDbOptions {
            throughput: Some(Throughput { reads, writes }),
            ..self
        }
    }

    /// Whether DynamoDB is told to remove items whose `ttl` has passed, also in a table that
    /// was there before. Unless this is said, it is told so for a table that is made, and
    /// one that was there is left as it is.
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
