//! Requests to one table, each within the time limit of its operation, and DynamoDB's refusals.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::KeysAndAttributes;
use tokio::time::{Instant, timeout_at};

use super::super::deadline::deadline_after;
use super::super::effect::Effect::{self, Reads};
use super::super::{Error, Generation};
use super::errors::{busy, failed, invalid_record, is_passing, refused, too_late};
use super::items::{Attributes, Item, key_of};

/// The first pause before a request is repeated for which DynamoDB had no capacity. Each further
/// pause may be twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Requests {
    client: Client,
    pub(super) table: String,
    timeout: Duration,
}

impl Requests {
    /// Creates requests without the client's own retries, which could apply a write twice.
    pub(super) fn new(client: &Client, table: String, timeout: Duration) -> Self {
        let config = client.config().to_builder();
        let config = config
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled());
        Requests {
            client: Client::from_conf(config.build()),
            table,
            timeout,
        }
    }

    /// Begins an operation with the backend's time limit.
    pub(super) fn operation(&self) -> Operation<'_> {
        self.operation_of(self.timeout)
    }

    pub(super) fn operation_of(&self, time: Duration) -> Operation<'_> {
        Operation {
            client: &self.client,
            table: &self.table,
            give_up: deadline_after(time),
        }
    }
}

/// One operation of a backend. Its requests share one time limit.
pub(super) struct Operation<'r> {
    pub(super) client: &'r Client,
    pub(super) table: &'r str,
    pub(super) give_up: Instant,
}

/// The reason why a request was not done.
pub(super) enum Refusal<E> {
    /// DynamoDB refused it.
    ByServer(E),
    Failed(Error),
}

impl<E: ProvideErrorMetadata> Refusal<E> {
    /// Returns the error with DynamoDB's message. For requests that name no item, since a message
    /// may quote a key.
    pub(super) fn into_whole_error(self) -> Error {
        match &self {
            Refusal::ByServer(error) => match error.message() {
                Some(message) => refused(error).with_source(message.to_owned()),
                None => refused(error),
            },
            Refusal::Failed(_) => self.into_error(),
        }
    }

    /// Returns the error of a request that the caller does not expect to be refused.
    pub(super) fn into_error(self) -> Error {
        match self {
            Refusal::ByServer(error) => refused(&error),
            Refusal::Failed(error) => error,
        }
    }
}

/// Returns DynamoDB's code for the error, if it is a reason to repeat the request.
pub(super) fn passing<E: ProvideErrorMetadata>(error: &E) -> Option<String> {
    error
        .code()
        .filter(|code| is_passing(code))
        .map(str::to_owned)
}

impl Operation<'_> {
    /// Sends a request, and repeats it while DynamoDB refuses it for a `passing` reason. It is
    /// repeated for no other reason.
    pub(super) async fn send<T, E, F>(
        &self,
        effect: Effect,
        request: impl Fn() -> F,
        passing: fn(&E) -> Option<String>,
    ) -> Result<T, Refusal<E>>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match timeout_at(self.give_up, request()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
                Err(_) => return Err(Refusal::Failed(too_late(effect))),
            };
            let refusal = failed(effect, error).map_err(Refusal::Failed)?;
            let Some(code) = passing(&refusal) else {
                return Err(Refusal::ByServer(refusal));
            };
            let resumed = Instant::now() + jittered(pause).map_err(Refusal::Failed)?;
            if resumed >= self.give_up {
                return Err(Refusal::Failed(busy(&code)));
            }
            tokio::time::sleep_until(resumed).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Returns the item of that ID, after all writes that were acknowledged before.
    pub(super) async fn get(&self, id: &str) -> Result<Option<Item>, Error> {
        let request = self
            .client
            .get_item()
            .table_name(self.table)
            .set_key(Some(key_of(id)))
            .consistent_read(true);
        let answer = self
            .send(Reads, || request.clone().send(), passing)
            .await
            .map_err(Refusal::into_error)?;
        Ok(answer.item)
    }
}

/// The number of items that one request reads, which is DynamoDB's limit.
const ITEMS_AT_ONCE: usize = 100;

impl Operation<'_> {
    /// Returns the items of these IDs by ID, after all writes that were acknowledged before. `ids`
    /// has each ID once.
    pub(super) async fn get_many(&self, ids: &[String]) -> Result<HashMap<String, Item>, Error> {
        let mut found = HashMap::new();
        for ids in ids.chunks(ITEMS_AT_ONCE) {
            let mut left: Vec<Item> = ids.iter().map(|id| key_of(id)).collect();
            let mut pause = FIRST_PAUSE;
            loop {
                left = self.get_some(left, &mut found).await?;
                if left.is_empty() {
                    break;
                }
                // The answer has at most 16 MB, or the table had no more capacity.
                let resumed = Instant::now() + jittered(pause)?;
                if resumed >= self.give_up {
                    return Err(busy("UnprocessedKeys"));
                }
                tokio::time::sleep_until(resumed).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
        }
        Ok(found)
    }

    /// Adds the items of these keys to those that were `found`. Returns the keys that DynamoDB has
    /// not processed.
    async fn get_some(
        &self,
        keys: Vec<Item>,
        found: &mut HashMap<String, Item>,
    ) -> Result<Vec<Item>, Error> {
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .consistent_read(true);
        let wanted = wanted.build().map_err(|_| invalid_record())?;
        let request = self
            .client
            .batch_get_item()
            .request_items(self.table, wanted);
        let answer = self
            .send(Reads, || request.clone().send(), passing)
            .await
            .map_err(Refusal::into_error)?;
        for item in answer
            .responses
            .into_iter()
            .flatten()
            .flat_map(|(_, items)| items)
        {
            found.insert(item.text("id")?.to_owned(), item);
        }
        let left = answer.unprocessed_keys.into_iter().flatten();
        Ok(left.flat_map(|(_, of)| of.keys).collect())
    }
}

/// Returns a random pause of at least half this length, so that not all requests come back at once.
fn jittered(pause: Duration) -> Result<Duration, Error> {
    let chance = u32::from(Generation::random()?.as_bytes()[0]);
    Ok(pause / 2 + pause / 2 * chance / 255)
}

/// Returns the attribute names in the expressions: `#word` stands for `word`.
pub(super) fn names_in(expressions: &[&str]) -> HashMap<String, String> {
    let mut names = HashMap::new();
    for expression in expressions {
        for part in expression.split('#').skip(1) {
            let end = part
                .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
                .unwrap_or(part.len());
            if let Some(name) = part.get(..end) {
                names.insert(format!("#{name}"), name.to_owned());
            }
        }
    }
    names
}
