//! [`GoRedis`]: records under keys that a Go package keeps in Redis.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use redis::Value;

use super::super::effect::Effect::{Reads, Writes};
use super::super::go_keys::KeyServer;
use super::super::many::concurrently;
use super::super::moves::taken;
use super::super::{
    Backend, Changes, Created, Entry, Error, Expiry, GoKeys, Key, Layout, Moves, Outcome, Page,
    Purged, Record, Revision, Scan, Stored,
};
use super::address::Address;
use super::check_size;
use super::client::Client;
use super::errors::odd_answer;
use super::options::RedisOptions;
use super::record_keys::RecordKeys;
use super::records::{KEYS_AT_ONCE, load_rows};
use super::rows::{expiry_in, left_until};
use super::scripts::{
    GO_CREATE, GO_LOAD, GO_LOAD_MANY, GO_MOVE, GO_PEEK, GO_REMOVE, GO_SWAP, GO_TOUCH, Script,
};

/// Keeps records under the [keys](GoKeys) of a Go package in Redis 7 or newer, or in Valkey. The Go
/// program may use them at the same time. It is for a
/// [`ServerStore`](crate::session::ServerStore) of the dialect that matches the keys.
///
/// A row is what Go writes: the value, with a time to live. (dolab/session writes none, and removes
/// ours.) Our writes compare the whole row with the
/// one that was read, its expiry included. Go programs compare nothing: their concurrent write wins,
/// and it brings back a row that was removed.
///
/// An operation is one script. There are no owners. In a cluster, a session gets a new ID in two
/// steps: the new row is created, and then the old one is removed if it has not changed.
///
/// ```no_run
/// # #[cfg(feature = "session")]
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use silverback::backend::{GoKeys, GoRedis, RedisOptions};
/// use silverback::compat::SessionManager;
///
/// let (url, options) = ("redis://127.0.0.1:6379", RedisOptions::new());
/// let backend = GoRedis::connect_with(url, GoKeys::scs_redisstore(), options).await?;
/// let store = SessionManager::new(Arc::new(backend)).store()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct GoRedis(pub(super) Arc<GoInner>);

pub(super) struct GoInner {
    pub(super) client: Client,
    records: RecordKeys,
    keys: GoKeys,
}

/// The contents of a revision: the row as it was seen.
struct SeenRow<'r> {
    /// By the server's clock, as digits.
    expiry: String,
    value: &'r [u8],
}

impl<'r> SeenRow<'r> {
    fn of(revision: &'r Revision) -> Result<Self, Error> {
        let (expiry, value) = revision.split_first()?;
        Ok(SeenRow {
            expiry: i64::from_be_bytes(*expiry).to_string(),
            value,
        })
    }
}

fn revision(expiry: i64, value: &[u8]) -> Revision {
    Revision::new([&expiry.to_be_bytes()[..], value].concat())
}

/// The answer of a script that writes.
enum Written {
    /// The row has this expiry, by the server's clock.
    Done(i64),
    Conflict,
    Gone,
    Exists,
}

impl GoRedis {
    /// Connects to the servers that the URL names, which is that of
    /// [`Redis::connect`](super::Redis::connect). The prefix of the URL, if it has one, is used
    /// instead of that of the keys. The prefix of the options is not used.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error if the Go package has no keys in Redis, and the errors
    /// of [`Redis::connect_with`](super::Redis::connect_with).
    pub async fn connect_with(
        url: &str,
        keys: GoKeys,
        options: RedisOptions,
    ) -> Result<Self, Error> {
        keys.check(KeyServer::Redis)?;
        let mut address = Address::read(url)?;
        let keys = match address.prefix.take() {
            Some(prefix) => keys.with_prefix(prefix),
            None => keys,
        };
        let backend = GoRedis::new(address.client(&options)?, keys);
        backend.ping().await?;
        backend.0.client.check_durability(&options).await?;
        Ok(backend)
    }

    /// Connects as [`connect_with`](GoRedis::connect_with) does, with the default options.
    ///
    /// # Errors
    /// Returns the errors of [`connect_with`](GoRedis::connect_with).
    pub async fn connect(url: &str, keys: GoKeys) -> Result<Self, Error> {
        GoRedis::connect_with(url, keys, RedisOptions::new()).await
    }

    /// Keeps records in the server of your client, as
    /// [`Redis::from_client`](super::Redis::from_client) does.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error if an option is impossible, or the Go package has no
    /// keys in Redis.
    pub fn from_client(
        client: redis::Client,
        keys: GoKeys,
        options: RedisOptions,
    ) -> Result<Self, Error> {
        keys.check(KeyServer::Redis)?;
        let client = Client::of_primary(client, &options)?;
        Ok(GoRedis::new(client, keys))
    }

    fn new(client: Client, keys: GoKeys) -> Self {
        GoRedis(Arc::new(GoInner {
            client,
            records: RecordKeys::with_prefix(&keys.prefix),
            keys,
        }))
    }

    pub(super) fn key(&self, key: &Key) -> Result<Vec<u8>, Error> {
        self.0.keys.text(key)?;
        Ok(self.0.records.of(key))
    }

    /// Runs a script that writes the rows of these keys.
    async fn write(
        &self,
        script: &Script,
        keys: &[&[u8]],
        arguments: &[&[u8]],
    ) -> Result<Written, Error> {
        let operation = self.0.client.operation();
        let answer = operation.run(script, keys, arguments).await?;
        match answer.as_sequence().unwrap_or_default() {
            [Value::BulkString(status), Value::Int(expiry)] if status == b"done" => {
                Ok(Written::Done(*expiry))
            }
            [Value::BulkString(status)] => match status.as_slice() {
                b"conflict" => Ok(Written::Conflict),
                b"gone" => Ok(Written::Gone),
                b"exists" => Ok(Written::Exists),
                _ => Err(odd_answer(Writes)),
            },
            _ => Err(odd_answer(Writes)),
        }
    }

    /// Writes the row that was seen.
    async fn write_seen(
        &self,
        script: &Script,
        keys: &[&[u8]],
        seen: &SeenRow<'_>,
        rest: &[&[u8]],
    ) -> Result<Outcome<i64>, Error> {
        let arguments = [&[seen.expiry.as_bytes(), seen.value], rest].concat();
        match self.write(script, keys, &arguments).await? {
            Written::Done(expiry) => Ok(Outcome::Done(expiry)),
            Written::Conflict => Ok(Outcome::Conflict),
            Written::Gone => Ok(Outcome::Gone),
            Written::Exists => Err(taken()),
        }
    }

    /// Moves a row in a cluster, where no script writes both keys.
    async fn move_between_nodes(
        &self,
        key: &[u8],
        seen: &SeenRow<'_>,
        to: &[u8],
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        let left = left_until(record.expiry());
        let created = [record.value(), left.as_bytes()];
        let expiry = match self.write(&GO_CREATE, &[to], &created).await? {
            Written::Done(expiry) => expiry,
            _ => return Err(taken()),
        };
        let removed = self.write_seen(&GO_REMOVE, &[key], seen, &[]).await?;
        if !matches!(removed, Outcome::Done(_)) {
            let made = SeenRow {
                expiry: expiry.to_string(),
                value: record.value(),
            };
            let _ = self.write_seen(&GO_REMOVE, &[to], &made, &[]).await?;
        }
        Ok(removed.map(|_| revision(expiry, record.value())))
    }

    /// Reads the record under a key. Without a prefix, keys of other programs are listed, too.
    async fn entry(&self, key: Key) -> Result<Option<Entry>, Error> {
        if self.0.keys.text(&key).is_err() {
            return Ok(None);
        }
        let operation = self.0.client.operation();
        let answer = operation
            .run(&GO_PEEK, &[&self.0.records.of(&key)], &[])
            .await?;
        match answer.as_sequence().unwrap_or_default() {
            [Value::Int(0), ..] => Ok(None),
            [Value::Int(length), Value::Int(expiry), Value::Int(now)] => {
                let size = usize::try_from(*length).unwrap_or_default();
                Ok(Some(Entry::new(key, expiry_in(*expiry, *now), size)))
            }
            _ => Err(odd_answer(Reads)),
        }
    }
}

/// Returns the record in an answer of [`GO_LOAD_MANY`], if there is one.
fn stored_in(answer: &Value, now: i64) -> Result<Option<Stored>, Error> {
    match answer {
        Value::Nil => Ok(None),
        row => stored_of(row.as_sequence().unwrap_or_default(), now).map(Some),
    }
}

/// Returns the record of a row that the server read at `now`: its value and its expiry.
fn stored_of(row: &[Value], now: i64) -> Result<Stored, Error> {
    match row {
        [Value::BulkString(value), Value::Int(expiry)] => {
            let record = Record::new(value.as_slice(), expiry_in(*expiry, now));
            Ok(Stored::new(record, revision(*expiry, value)))
        }
        _ => Err(odd_answer(Reads)),
    }
}

#[async_trait]
impl Backend for GoRedis {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let key = self.key(key)?;
        let operation = self.0.client.operation();
        let answer = operation.run(&GO_LOAD, &[&key], &[]).await?;
        match answer.as_sequence().unwrap_or_default() {
            [row @ .., Value::Int(now)] => stored_of(row, *now).map(Some),
            _ if answer == Value::Nil => Ok(None),
            _ => Err(odd_answer(Reads)),
        }
    }

    async fn load_many(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
        if self.0.client.is_cluster() {
            return concurrently(self, keys).await;
        }
        let mut loaded: Vec<Result<Option<Stored>, Error>> = Vec::with_capacity(keys.len());
        for keys in keys.chunks(KEYS_AT_ONCE) {
            let named: Vec<Result<Vec<u8>, Error>> = keys.iter().map(|key| self.key(key)).collect();
            let names: Vec<Vec<u8>> = named.iter().flatten().cloned().collect();
            let (rows, now) = load_rows(&self.0.client, &GO_LOAD_MANY, &names, &[]).await?;
            let mut rows = rows.iter();
            for name in named {
                loaded.push(match name {
                    Ok(_) => rows.next().map_or(Ok(None), |row| stored_in(row, now)),
                    Err(error) => Err(error),
                });
            }
        }
        Ok(loaded)
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        check_size(record)?;
        let left = left_until(record.expiry());
        let arguments = [record.value(), left.as_bytes()];
        match self
            .write(&GO_CREATE, &[&self.key(key)?], &arguments)
            .await?
        {
            Written::Done(expiry) => Ok(Created::Saved(revision(expiry, record.value()))),
            Written::Exists => Ok(Created::Exists),
            Written::Conflict | Written::Gone => Err(odd_answer(Writes)),
        }
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        check_size(record)?;
        let (key, seen) = (self.key(key)?, SeenRow::of(seen)?);
        let left = left_until(record.expiry());
        let rest = [record.value(), left.as_bytes()];
        let written = self.write_seen(&GO_SWAP, &[&key], &seen, &rest).await?;
        Ok(written.map(|expiry| revision(expiry, record.value())))
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        let (key, seen) = (self.key(key)?, SeenRow::of(seen)?);
        let left = left_until(until);
        let written = self
            .write_seen(&GO_TOUCH, &[&key], &seen, &[left.as_bytes()])
            .await?;
        Ok(written.map(|expiry| revision(expiry, seen.value)))
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        let (key, seen) = (self.key(key)?, SeenRow::of(seen)?);
        let removed = self.write_seen(&GO_REMOVE, &[&key], &seen, &[]).await?;
        Ok(removed.map(|_| ()))
    }

    async fn ping(&self) -> Result<(), Error> {
        let operation = self.0.client.operation();
        operation
            .run(&GO_LOAD, &[b"silverback-ping"], &[])
            .await
            .map(drop)
    }

    fn layout(&self) -> Layout {
        self.0.keys.layout
    }

    fn moves(&self) -> Option<&dyn Moves> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }

    fn changes(&self) -> Option<&dyn Changes> {
        self.0.client.reports_changes().then_some(self)
    }

    fn purges_itself(&self) -> bool {
        true
    }
}

#[async_trait]
impl Moves for GoRedis {
    async fn move_to(
        &self,
        key: &Key,
        seen: &Revision,
        to: &Key,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        check_size(record)?;
        let (key, seen, to) = (self.key(key)?, SeenRow::of(seen)?, self.key(to)?);
        if self.0.client.is_cluster() {
            return self.move_between_nodes(&key, &seen, &to, record).await;
        }
        let left = left_until(record.expiry());
        let rest = [record.value(), left.as_bytes()];
        let moved = self
            .write_seen(&GO_MOVE, &[&key, &to], &seen, &rest)
            .await?;
        Ok(moved.map(|expiry| revision(expiry, record.value())))
    }
}

#[async_trait]
impl Scan for GoRedis {
    #[doc(alias = "All")]
    async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error> {
        let entry = |key| self.entry(key);
        self.0
            .records
            .page(&self.0.client, after, limit, entry)
            .await
    }

    /// Removes nothing: Redis removes expired records by itself.
    async fn purge(&self, _: usize) -> Result<Purged, Error> {
        Ok(Purged::default())
    }
}

/// Shows the Go package and its keys.
impl fmt::Debug for GoRedis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoRedis")
            .field("keys", &self.0.keys)
            .finish_non_exhaustive()
    }
}
