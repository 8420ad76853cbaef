//! [`Client`]: requests to the servers, each within the time limit of its operation.

use memcache::exp::{
    AsyncMetaClient, Get, GetResult, Meta, MetaClientBuilder, MutationStatus,
    Result as ClientResult,
};
use tokio::time::{Instant, timeout_at};

use super::super::deadline::deadline_after;
use super::super::effect::Effect::{self, Reads, Writes};
use super::super::timeout::check_timeout;
use super::super::{Error, Expiry};
use super::errors::{failed, invalid_answer, too_late, without_numbers};
use super::go_servers::ServerList;
use super::options::MemcachedOptions;

/// The largest number of seconds that Memcached counts from now. It takes larger numbers for a
/// moment, in seconds since 1970 (Memcached's `doc/protocol.txt`, "Expiration times").
const LONGEST_RELATIVE: i64 = 30 * 24 * 60 * 60;

/// The latest moment that fits in 32 bits with a sign: the server takes later ones for the past.
const LATEST: i64 = i32::MAX as i64;

/// The number of items that one request reads.
const KEYS_AT_ONCE: usize = 1_000;

/// The number of all items of a server that runs without numbers (`-C`). A comparison with it always
/// succeeds there.
const WITHOUT_NUMBERS: u64 = 0;

pub(super) struct Client {
    servers: AsyncMetaClient,
    timeout: std::time::Duration,
}

/// One operation of a backend. Its requests share one time limit.
#[derive(Clone, Copy)]
pub(super) struct Operation<'o> {
    servers: &'o AsyncMetaClient,
    give_up: Instant,
}

/// An item, and the number that it got when it was written.
pub(super) struct Item {
    pub(super) value: Vec<u8>,
    pub(super) cas: u64,
}

/// An item, and the seconds until the server removes it, or -1 if it never does.
pub(super) struct TimedItem {
    pub(super) item: Item,
    pub(super) seconds_left: i64,
}

/// The condition of a write.
#[derive(Clone, Copy)]
pub(super) enum If {
    Missing,
    Unchanged { cas: u64 },
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The item has this number.
    Done(u64),
    /// There is an item already, or another than expected.
    Conflict,
    Gone,
}

impl Client {
    /// Opens no connection. Only the addresses are looked up.
    pub(super) async fn new(
        hosts: Vec<(String, u16)>,
        options: &MemcachedOptions,
    ) -> Result<Self, Error> {
        Client::build(AsyncMetaClient::builder(), hosts, options).await
    }

    /// Opens the servers as [`new`](Client::new) does. Each key is on the server that gomemcache
    /// chooses for it.
    pub(super) async fn with_servers_of_go(
        hosts: Vec<(String, u16)>,
        options: &MemcachedOptions,
    ) -> Result<Self, Error> {
        let builder = AsyncMetaClient::builder().router(ServerList);
        Client::build(builder, hosts, options).await
    }

    async fn build(
        builder: MetaClientBuilder,
        hosts: Vec<(String, u16)>,
        options: &MemcachedOptions,
    ) -> Result<Self, Error> {
        check_timeout(options.timeout)?;
        let servers = builder
            .max_connections(Some(options.max_connections.max(1)))
            .max_idle(options.max_connections.max(1))
            .connect_timeout(Some(options.timeout))
            .io_timeout(Some(options.timeout))
            .connect_multiple_async(hosts)
            .await
            .map_err(|error| failed(Reads, error))?;
        Ok(Client {
            servers,
            timeout: options.timeout,
        })
    }

    pub(super) fn operation(&self) -> Operation<'_> {
        Operation {
            servers: &self.servers,
            give_up: deadline_after(self.timeout),
        }
    }
}

impl Operation<'_> {
    pub(super) async fn get(&self, key: &str) -> Result<Option<Item>, Error> {
        let got = self.read(key, Meta::NONE.cas()).await?;
        item_of(got)
    }

    pub(super) async fn get_with_time_left(&self, key: &str) -> Result<Option<TimedItem>, Error> {
        timed_item_of(self.read(key, Meta::NONE.cas().ttl()).await?)
    }

    /// Reads many items, in one request to each server.
    pub(super) async fn get_many(
        &self,
        keys: &[String],
    ) -> Result<Vec<Result<Option<Item>, Error>>, Error> {
        let got = self.read_many(keys, Meta::NONE.cas()).await?;
        Ok(got.into_iter().map(item_of).collect())
    }

    /// Reads many items with the seconds that they have left, in one request to each server.
    pub(super) async fn get_many_with_time_left(
        &self,
        keys: &[String],
    ) -> Result<Vec<Result<Option<TimedItem>, Error>>, Error> {
        let got = self.read_many(keys, Meta::NONE.cas().ttl()).await?;
        Ok(got.into_iter().map(timed_item_of).collect())
    }

    async fn read_many(&self, keys: &[String], meta: Meta) -> Result<Vec<GetResult>, Error> {
        let mut read = Vec::with_capacity(keys.len());
        for keys in keys.chunks(KEYS_AT_ONCE) {
            let gets = keys.iter().map(|key| Get::new(key).meta(meta));
            let got = self.within(Reads, self.servers.run_many(gets)).await?;
            for got in got {
                read.push(got.map_err(|error| failed(Reads, error))?);
            }
        }
        Ok(read)
    }

    async fn read(&self, key: &str, meta: Meta) -> Result<GetResult, Error> {
        self.within(Reads, self.servers.get(key).meta(meta).send())
            .await
    }

    /// Writes an item that expires no earlier than `expiry`.
    pub(super) async fn set(
        &self,
        key: &str,
        value: &[u8],
        expiry: Expiry,
        condition: If,
    ) -> Result<Written, Error> {
        let set = self
            .servers
            .set(key, value)
            .ttl_raw(time_to_live(expiry, Expiry::now()));
        let set = match condition {
            If::Missing => set.add(),
            If::Unchanged { cas } => set.compare_cas(cas),
        };
        let result = self.within(Writes, set.return_cas().send()).await?;
        match (result.status, result.cas) {
            (MutationStatus::Applied, Some(cas)) if cas != WITHOUT_NUMBERS => {
                Ok(Written::Done(cas))
            }
            (MutationStatus::Applied, _) => Err(Error::outcome_unknown(
                "Memcached wrote a record without its number",
            )),
            (MutationStatus::NotFound, _) => Ok(Written::Gone),
            (_, _) => Ok(Written::Conflict),
        }
    }

    pub(super) async fn delete(&self, key: &str, cas: u64) -> Result<Written, Error> {
        let delete = self.servers.delete(key).compare_cas(cas);
        let result = self.within(Writes, delete.send()).await?;
        match result.status {
            MutationStatus::Applied => Ok(Written::Done(cas)),
            MutationStatus::NotFound => Ok(Written::Gone),
            _ => Ok(Written::Conflict),
        }
    }

    async fn within<T>(
        &self,
        effect: Effect,
        request: impl Future<Output = ClientResult<T>>,
    ) -> Result<T, Error> {
        match timeout_at(self.give_up, request).await {
            Ok(answer) => answer.map_err(|error| failed(effect, error)),
            Err(_) => Err(too_late(effect)),
        }
    }
}

/// Returns an item that can be compared.
fn item_of(got: GetResult) -> Result<Option<Item>, Error> {
    match (got.value, got.item.cas) {
        (Some(_), Some(WITHOUT_NUMBERS)) => Err(without_numbers()),
        (Some(value), Some(cas)) => Ok(Some(Item { value, cas })),
        _ => Ok(None),
    }
}

fn timed_item_of(got: GetResult) -> Result<Option<TimedItem>, Error> {
    let seconds_left = got.item.ttl;
    let Some(item) = item_of(got)? else {
        return Ok(None);
    };
    let seconds_left = seconds_left.ok_or_else(invalid_answer)?;
    Ok(Some(TimedItem { item, seconds_left }))
}

/// Returns the time to live of an item, as Memcached reads it. Memcached counts whole seconds, and
/// an item may go up to a second early, so one more is added.
///
/// The longest time is that of Go's default `MaxAge`, 30 days. It is not made longer, since it would
/// then be a moment by this machine's clock: such an item goes up to a second early.
fn time_to_live(expiry: Expiry, now: Expiry) -> u32 {
    const NEVER: u32 = 0;
    if expiry == Expiry::NEVER {
        return NEVER;
    }
    let left = expiry.saturating_duration_since(now).as_secs();
    let left = i64::try_from(left).unwrap_or(i64::MAX);
    let now = now.as_millis() / 1_000;
    let until = now.saturating_add(left).saturating_add(2).min(LATEST);
    let seconds = match left > LONGEST_RELATIVE && until > now.saturating_add(LONGEST_RELATIVE) {
        true => until,
        false => left.saturating_add(2).min(LONGEST_RELATIVE),
    };
    u32::try_from(seconds).unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn a_time_to_live_is_not_shorter_than_the_time_left() {
        let now = Expiry::now().as_millis();
        let time_to_live = |expiry| i64::from(time_to_live(expiry, Expiry::from_millis(now)));
        for left in [-5_000, 0, 1, 999, 1_000, 60_000, 29 * DAY] {
            let seconds = time_to_live(Expiry::from_millis(now + left));
            assert!((1..=LONGEST_RELATIVE).contains(&seconds));
            assert!((seconds - 1) * 1_000 >= left, "{left}: {seconds}");
        }
        for left in [30 * DAY - 1, 30 * DAY] {
            let seconds = time_to_live(Expiry::from_millis(now + left));
            assert_eq!(seconds, LONGEST_RELATIVE, "{left}");
        }
        for left in [30 * DAY + 1_000, 31 * DAY, 365 * DAY] {
            let seconds = time_to_live(Expiry::from_millis(now + left));
            assert!(seconds > LONGEST_RELATIVE && (seconds - 1) * 1_000 >= now + left);
        }
        // After 2038 a record lasts until then, or forever.
        for late in [4_102_444_800_000, i64::MAX - 1] {
            assert_eq!(time_to_live(Expiry::from_millis(late)), LATEST);
        }
        assert_eq!(time_to_live(Expiry::NEVER), 0);
    }

    /// A moment in the past would remove the item.
    #[test]
    fn from_2038_on_a_time_to_live_is_at_most_30_days() {
        for now in [LATEST - 86_400, LATEST, LATEST + 1, 4_102_444_800] {
            let now = Expiry::from_millis(now * 1_000);
            let expiry = now + std::time::Duration::from_secs(365 * 86_400);
            assert_eq!(i64::from(time_to_live(expiry, now)), LONGEST_RELATIVE);
        }
    }
}
