//! [`GoMemcached`]: records under keys that a Go package keeps in Memcached.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::super::go_keys::KeyServer;
use super::super::{
    Backend, Created, Error, Expiry, GoKeys, Key, Layout, Outcome, Record, Revision, Stored,
};
use super::client::{Client, If, Item, Operation, TimedItem, Written};
use super::options::MemcachedOptions;
use super::{Address, read_url};

/// The most bytes of a key in Memcached.
const LONGEST_KEY: usize = 250;

/// The number of characters of an ID of gorilla/sessions.
const ID: usize = 52;

/// A number that no item has: a comparison with it always fails.
const NO_ITEM: u64 = 0;

/// The time left of an item that the server never removes.
const NEVER: i64 = -1;

/// Keeps records under the [keys](GoKeys) of a Go package in Memcached 1.6 or newer. The Go program
/// may use them at the same time. It is for a [`ServerStore`](crate::session::ServerStore) of the
/// dialect that matches the keys: [`Dialect::gorilla`](crate::session::Dialect::gorilla), or
/// [`Dialect::redistore`](crate::session::Dialect::redistore) for rows
/// [in the clear](GoKeys::in_the_clear), or `Dialect::dolab` for those of
/// [dolab/session](GoKeys::dolab_memcache).
///
/// A row is what Go writes: an item with the value, flags of 0 and an expiry. An operation is one
/// request. A write that finds another item takes a second request, to learn whether there is one.
///
/// Our writes compare the item's CAS number. Go programs compare nothing: their concurrent write
/// wins. gorilla-sessions-memcache returns an error for a missing item, and keeps the ID: if the
/// handler then saves, the Go program brings back a session that has ended.
///
/// Sessions may be lost at any time, as with [`Memcached`](super::Memcached): Memcached removes
/// records if its memory is full, and a restart removes all of them. A restart also begins the CAS
/// numbers again: if a Go program then saves a session, and the item gets the number that a request
/// has seen before the restart, the write of this request replaces the item.
///
/// There are no owners, no [scan](Backend::scan), and no [moves](Backend::moves): a session gets a new
/// ID in two steps, a creation and a removal.
///
/// # Expiries
/// Memcached counts whole seconds by its own clock, and the value has no expiry. A row is not removed
/// before its expiry, and is missing from two seconds after it. The expiry that a load returns is up
/// to three seconds late.
///
/// - Exactly 30 days, Go's default, are the longest time that Memcached counts. Such a row may be
///   removed up to a second early, as in Go.
/// - More than 30 days become a moment by this machine's clock, in 2038 at the latest, and may be two
///   seconds later than other expiries. A Go program with such a `MaxAge` loses each session at once.
/// - A row that a Go program saves with a `MaxAge` of 0, or with dolab/session, never expires. Our next
///   write gives it an expiry.
/// - A write with an expiry in the past removes the item.
///
/// ```no_run
/// # #[cfg(feature = "session")]
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use silverback::backend::{GoKeys, GoMemcached, MemcachedOptions};
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::{CookieOptions, Dialect, ServerOptions, ServerStore};
///
/// let keys = GoKeys::gorilla_sessions_memcache("session_prefix_");
/// let (url, options) = ("memcached://127.0.0.1:11211", MemcachedOptions::new());
/// let backend = Arc::new(GoMemcached::connect_with(url, keys, options).await?);
/// let codecs = Codecs::from_pairs(KeyPairs::from_env("SESSION_KEYS")?)?;
/// let options = ServerOptions::new().cookie(CookieOptions::new().name("session-name")?);
/// let store = ServerStore::with_options(Dialect::gorilla(codecs), backend, options)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct GoMemcached {
    servers: Arc<Servers>,
    keys: GoKeys,
}

struct Servers {
    client: Client,
    max_value_size: usize,
}

/// The contents of a revision: the item as it was seen.
struct SeenItem<'r> {
    /// The item's number, or [`NO_ITEM`] if the record had expired when it was written.
    cas: u64,
    value: &'r [u8],
}

impl<'r> SeenItem<'r> {
    fn of(revision: &'r Revision) -> Result<Self, Error> {
        let (cas, value) = revision.split_first()?;
        Ok(SeenItem {
            cas: u64::from_be_bytes(*cas),
            value,
        })
    }
}

fn revision(cas: u64, value: &[u8]) -> Revision {
    Revision::new([&cas.to_be_bytes()[..], value].concat())
}

/// The revision of a record that had expired when it was written.
fn without_item(value: &[u8]) -> Revision {
    revision(NO_ITEM, value)
}

impl GoMemcached {
    /// Connects to the servers that the URL names, which is that of
    /// [`Memcached::connect`](super::Memcached::connect). Several servers must be named in the order
    /// in which the Go program names them to `memcache.New`, since gomemcache chooses a key's server
    /// by its place.
    ///
    /// The prefix of the URL, if it has one, is used instead of that of the keys. The prefix of the
    /// options is not used.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error if the Go package has no keys in Memcached, or if the
    /// prefix has a space, a control character, or more than 198 bytes: Go's client refuses such keys.
    /// Returns the errors of [`Memcached::connect_with`](super::Memcached::connect_with).
    pub async fn connect_with(
        url: &str,
        keys: GoKeys,
        options: MemcachedOptions,
    ) -> Result<Self, Error> {
        keys.check(KeyServer::Memcached)?;
        let Address { hosts, prefix } = read_url(url)?;
        let keys = match prefix {
            Some(prefix) => keys.with_prefix(prefix),
            None => keys,
        };
        check_prefix(&keys.prefix)?;
        let servers = Arc::new(Servers {
            client: Client::with_servers_of_go(hosts, &options).await?,
            max_value_size: options.max_value_size(),
        });
        let backend = GoMemcached { servers, keys };
        backend.ping().await?;
        Ok(backend)
    }

    /// Connects as [`connect_with`](GoMemcached::connect_with) does, with the default options.
    ///
    /// # Errors
    /// Returns the errors of [`connect_with`](GoMemcached::connect_with).
    pub async fn connect(url: &str, keys: GoKeys) -> Result<Self, Error> {
        GoMemcached::connect_with(url, keys, MemcachedOptions::new()).await
    }

    /// Returns the same keys with values that are neither signed nor encrypted, over the same
    /// connections: see [`GoKeys::in_the_clear`].
    #[must_use]
    pub fn in_the_clear(self) -> Self {
        GoMemcached {
            keys: self.keys.in_the_clear(),
            ..self
        }
    }

    /// Returns the same keys with signed values.
    #[cfg(feature = "session")]
    pub(crate) fn sealed(self) -> Self {
        let keys = GoKeys::gorilla_sessions_memcache(self.keys.prefix);
        GoMemcached { keys, ..self }
    }

    fn operation(&self) -> Operation<'_> {
        self.servers.client.operation()
    }

    fn key(&self, key: &Key) -> Result<String, Error> {
        let key = format!("{}{}", self.keys.prefix, self.keys.text(key)?);
        match key.len() <= LONGEST_KEY {
            true => Ok(key),
            false => Err(Error::usage(format!(
                "the key does not fit Memcached: with its prefix it has more than {LONGEST_KEY} bytes"
            ))),
        }
    }

    fn check_size(&self, value: &[u8]) -> Result<(), Error> {
        let most = self.servers.max_value_size;
        match value.len() <= most {
            true => Ok(()),
            false => Err(Error::too_large(value.len(), most)),
        }
    }

    /// Replaces the item that was seen.
    async fn replace(
        &self,
        key: &Key,
        seen: &SeenItem<'_>,
        value: &[u8],
        expiry: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        if is_past(expiry) {
            let removed = self.delete(key, seen).await?;
            return Ok(removed.map(|()| without_item(value)));
        }
        let (name, operation) = (self.key(key)?, self.operation());
        let condition = If::Unchanged { cas: seen.cas };
        match operation.set(&name, value, expiry, condition).await? {
            Written::Done(cas) => Ok(Outcome::Done(revision(cas, value))),
            Written::Conflict => missed(&operation, &name).await,
            Written::Gone => Ok(Outcome::Gone),
        }
    }

    async fn delete(&self, key: &Key, seen: &SeenItem<'_>) -> Result<Outcome<()>, Error> {
        let (name, operation) = (self.key(key)?, self.operation());
        match operation.delete(&name, seen.cas).await? {
            Written::Done(_) => Ok(Outcome::Done(())),
            Written::Conflict => missed(&operation, &name).await,
            Written::Gone => Ok(Outcome::Gone),
        }
    }
}

/// Refuses a prefix whose keys gomemcache refuses (`memcache/memcache.go`, `legalKey`).
fn check_prefix(prefix: &str) -> Result<(), Error> {
    const LONGEST_PREFIX: usize = LONGEST_KEY - ID;
    let is_legal = prefix.bytes().all(|byte| byte > b' ' && byte != 0x7F);
    match is_legal && prefix.len() <= LONGEST_PREFIX {
        true => Ok(()),
        false => Err(Error::usage(format!(
            "the prefix of the Go package's keys must have at most {LONGEST_PREFIX} bytes, without \
             spaces and control characters: Memcached does not take such keys from Go, either"
        ))),
    }
}

fn is_past(expiry: Expiry) -> bool {
    expiry <= Expiry::now()
}

/// Returns the record in an item.
fn stored_in(TimedItem { item, seconds_left }: TimedItem) -> Stored {
    let Item { value, cas } = item;
    let revision = revision(cas, &value);
    Stored::new(Record::new(value, expiry_of(seconds_left)), revision)
}

/// Returns the expiry of an item.
fn expiry_of(seconds_left: i64) -> Expiry {
    match u64::try_from(seconds_left) {
        Ok(left) => Expiry::after(Duration::from_secs(left)),
        Err(_) if seconds_left == NEVER => Expiry::NEVER,
        Err(_) => Expiry::now(),
    }
}

/// Returns the answer to a write that found another item than the one that was seen.
async fn missed<T>(operation: &Operation<'_>, name: &str) -> Result<Outcome<T>, Error> {
    match operation.get(name).await? {
        Some(_) => Ok(Outcome::Conflict),
        None => Ok(Outcome::Gone),
    }
}

#[async_trait]
impl Backend for GoMemcached {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let found = self.operation().get_with_time_left(&self.key(key)?).await?;
        Ok(found.map(stored_in))
    }

    async fn load_many(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
        let named: Vec<Result<String, Error>> = keys.iter().map(|key| self.key(key)).collect();
        let names: Vec<String> = named.iter().flatten().cloned().collect();
        let items = self.operation().get_many_with_time_left(&names).await?;
        let mut items = items.into_iter();
        let answers = named.into_iter().map(|name| match name {
            Ok(_) => items
                .next()
                .map_or(Ok(None), |item| Ok(item?.map(stored_in))),
            Err(error) => Err(error),
        });
        Ok(answers.collect())
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        let (name, value) = (self.key(key)?, record.value());
        self.check_size(value)?;
        let operation = self.operation();
        if is_past(record.expiry()) {
            return Ok(match operation.get(&name).await? {
                Some(_) => Created::Exists,
                None => Created::Saved(without_item(value)),
            });
        }
        let expiry = record.expiry();
        match operation.set(&name, value, expiry, If::Missing).await? {
            Written::Done(cas) => Ok(Created::Saved(revision(cas, value))),
            Written::Conflict | Written::Gone => Ok(Created::Exists),
        }
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        self.check_size(record.value())?;
        let seen = SeenItem::of(seen)?;
        self.replace(key, &seen, record.value(), record.expiry())
            .await
    }

    /// Writes the value again: Memcached has no command that compares and moves the expiry only.
    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        let seen = SeenItem::of(seen)?;
        self.replace(key, &seen, seen.value, until).await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        self.delete(key, &SeenItem::of(seen)?).await
    }

    async fn ping(&self) -> Result<(), Error> {
        let name = format!("{}silverback-ping", self.keys.prefix);
        self.operation().get(&name).await.map(drop)
    }

    fn layout(&self) -> Layout {
        self.keys.layout
    }

    fn keeps_expiries(&self) -> bool {
        true
    }

    fn purges_itself(&self) -> bool {
        true
    }
}

/// Shows the Go package and its keys.
impl fmt::Debug for GoMemcached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoMemcached")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
