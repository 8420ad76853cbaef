//! Requests to one table, each within the time of its operation, and what DynamoDB says.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use tokio::time::{Instant, timeout_at};

use super::super::deadline::deadline_after;
use super::super::{Error, Generation};
use super::errors::Effect::{self, Reads};
use super::errors::{busy, failed, is_passing, refused, too_late};
use super::items::{Item, key_of};

/// The first pause before a request is repeated that DynamoDB had no capacity for; each one
/// after may be twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Requests {
    client: Client,
    table: String,
    timeout: Duration,
}

impl Requests {
    /// The client's own retries are off: they would write twice.
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

    /// An operation, which has to end in time.
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

/// One operation of a backend: its requests share a time.
pub(super) struct Operation<'r> {
    pub(super) client: &'r Client,
    pub(super) table: &'r str,
    pub(super) give_up: Instant,
}

/// Why a request was not done.
pub(super) enum Refusal<E> {
    /// DynamoDB said so.
    Said(E),
    Failed(Error),
}

impl<E: ProvideErrorMetadata> Refusal<E> {
    /// The same with all that DynamoDB says: of a request that names no item.
    pub(super) fn into_whole_error(self) -> Error {
        match &self {
            Refusal::Said(error) => match error.message() {
                Some(message) => refused(error).with_source(message.to_owned()),
                None => refused(error),
            },
            Refusal::Failed(_) => self.into_error(),
        }
    }

    /// Of a request that nobody expects to be refused.
    pub(super) fn into_error(self) -> Error {
        match self {
            Refusal::Said(error) => refused(&error),
            Refusal::Failed(error) => error,
        }
    }
}

/// What DynamoDB calls it, if it is a reason to ask again.
pub(super) fn passing<E: ProvideErrorMetadata>(error: &E) -> Option<String> {
    error
        .code()
        .filter(|code| is_passing(code))
        .map(str::to_owned)
}

impl Operation<'_> {
    /// Sends a request, again while DynamoDB says that it is for a `passing` reason that it
    /// does not do it, and for no other.
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
            let said = failed(effect, error).map_err(Refusal::Failed)?;
            let Some(code) = passing(&said) else {
                return Err(Refusal::Said(said));
            };
            let resumed = Instant::now() + jittered(pause).map_err(Refusal::Failed)?;
            if resumed >= self.give_up {
                return Err(Refusal::Failed(busy(&code)));
            }
            tokio::time::sleep_until(resumed).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// The item of that ID, as whoever wrote last left it.
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

/// A pause that is half as long at least, so that not all come back at once.
fn jittered(pause: Duration) -> Result<Duration, Error> {
    let chance = u32::from(Generation::random()?.as_bytes()[0]);
    Ok(pause / 2 + pause / 2 * chance / 255)
}

/// The attributes that expressions name: `#word` stands for `word`.
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
