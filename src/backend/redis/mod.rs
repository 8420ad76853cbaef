//! [`Redis`]: records in Redis or Valkey.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`Redis`]: its servers and keys |
//! | `records.rs` | the operations of a backend |
//! | `owners.rs` | owners, and the lists of their records |
//! | `scan.rs` | scans of all keys |
//! | `listener.rs` | changes of keys, as the server reports them |
//! | `go.rs` | [`GoRedis`]: the keys of Go packages |
//! | `options.rs`, `address.rs` | [`RedisOptions`], and the URL |
//! | `record_keys.rs`, `owner_keys.rs`, `rows.rs` | the keys and the rows in Redis |
//! | `scripts.rs`, `scripts/` | the scripts that the server runs |
//! | `client.rs` | scripts within a time limit |
//! | `primary.rs`, `cluster.rs` | connections to one server, directly or as sentinels name it, and to a cluster |
//! | `durability.rs` | whether the server may lose records |
//! | `errors.rs` | Redis' errors as a backend's |

mod address;
mod client;
mod cluster;
mod durability;
mod errors;
mod go;
mod listener;
mod options;
mod owner_keys;
mod owners;
mod primary;
mod record_keys;
mod records;
mod rows;
mod scan;
mod scripts;

use std::fmt;
use std::sync::Arc;

use super::{Backend, Error, Record};
use address::Address;
use client::Client;
pub use go::GoRedis;
pub use options::RedisOptions;
use owner_keys::OwnerKeys;
use record_keys::RecordKeys;

/// The largest value of a record, in bytes. Redis takes 512 MB, but a large command delays all
/// others.
const LARGEST: usize = 64 * 1024 * 1024;

/// Keeps records in Redis 6 or newer, or in Valkey: in one server, behind sentinels, or in a cluster.
///
/// | operation | round trips | in a cluster |
/// |---|---|---|
/// | load | one | one; two for an owned record: the record, and its owner |
/// | load many | one for 1,000 records | one for each record, or two, 64 at a time |
/// | create, swap, touch, remove | one | one; two for an owned record |
/// | begin a login, extend or revoke an owner | one | one |
/// | list an owner's records | two, and one for each record | the same |
///
/// Each is a script, which Redis applies whole or not at all. A server that does not know a script
/// gets its text, which takes one more round trip. All operations share one connection, and the
/// commands of concurrent requests go out together.
///
/// Records expire by the server's clock. Their expiry is in the record, and the key also has a time
/// to live, so that Redis removes it by itself. No [purge](super::Scan::purge) is needed.
///
/// A connection that has ended is opened again for the next operation. No write is repeated unless
/// the server has said that it did nothing.
///
/// # In a cluster
/// A record and its owner are on different nodes, which no script can read together. Each command
/// has the keys of one slot: a record alone, or an owner with its list, which share a hash tag. A
/// load reads the record first and then the owner. A write checks the owner, and then writes the
/// record. If a revocation comes between, the record is written and stays revoked, since it carries
/// the old generation. Only a write that also takes the record from its owner could bring it back;
/// what `ServerStore` then writes is a tombstone, which opens no session.
///
/// # What may be lost
/// Redis acknowledges a write before it is on the disk or on a replica. Then:
///
/// - **A restart** loses all records, unless the server writes an append-only file
///   (`appendonly yes`). With `appendfsync everysec` it may lose the last two seconds, even if only
///   the server is killed: 100 kills of a server with a busy disk lost 42,783 of 399,235 acknowledged
///   writes. With `always`, 100 kills lost none of 76,571.
/// - **A failover** (sentinels, a cluster, `FAILOVER`) loses the writes that the new primary had not
///   received. A revocation or a logout may be among them. [`RedisOptions::wait_for_replicas`]
///   makes that unlikely.
/// - **Eviction** (`maxmemory-policy` other than `noeviction`) ends sessions early.
///
/// On [connecting](Redis::connect), a warning is logged if the server evicts keys or writes no
/// append-only file. [`RedisOptions::require_durability`] refuses such a server.
///
/// The backend does not count records: [strangers](super#records-of-strangers) can fill the server's
/// memory. Set `maxmemory`, and give the store a server of its own.
///
/// A user of Redis' access control needs the commands `EVALSHA`, `EVAL`, `GET`, `SET`, `DEL`,
/// `GETRANGE`, `STRLEN`, `HMGET`, `HSET`, `ZADD`, `ZREM`, `ZRANGEBYSCORE`, `ZREVRANGE`,
/// `ZREMRANGEBYSCORE`, `PEXPIREAT`, `PERSIST`, `TIME`, `INFO`, `ROLE`; for scans `SCAN`; in a cluster
/// `CLUSTER SLOTS`; to wait for replicas `WAIT`; for [reports of changes](super::Changes)
/// `CLIENT|TRACKING`, `EXISTS`, `PING`.
///
/// # Reports of changes
/// While futures of `Session::ended` wait, one more connection asks the server for reports of their keys
/// (`CLIENT TRACKING`, in RESP3). The server remembers these keys, and no write costs more. A cluster
/// reports nothing here.
///
/// Needs tokio.
///
/// ```no_run
/// # async fn open() -> Result<(), silverback::backend::Error> {
/// use silverback::backend::Redis;
///
/// let backend = Redis::connect("redis://127.0.0.1:6379/0").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    client: Client,
    records: RecordKeys,
    owners: OwnerKeys,
}

impl Redis {
    /// Connects to the servers that the URL names.
    ///
    /// | URL | servers |
    /// |---|---|
    /// | `redis://USER:PASSWORD@HOST:PORT/DATABASE` | one server |
    /// | `redis+sentinel://USER:PASSWORD@HOST,HOST/SERVICE/DATABASE` | the primary that sentinels name |
    /// | `redis+cluster://USER:PASSWORD@HOST,HOST` | a cluster |
    ///
    /// The login, the ports and the database may be missing; without a user, write
    /// `:PASSWORD@HOST`. `rediss` instead of `redis` means TLS, which needs the feature `tls`.
    /// `valkey` and `valkeys` mean the same as `redis` and `rediss`. A URL may continue with `?` and
    /// these parts, joined by `&`:
    ///
    /// - `prefix=TEXT`, as in [`RedisOptions::prefix`];
    /// - `sentinel_user=TEXT` and `sentinel_password=TEXT`, the login at the sentinels.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error if the URL is malformed, or TLS is needed and this
    /// build lacks it. Returns an [unavailable](Error::is_unavailable) error if no server can be
    /// reached, it refuses the password, or it is a replica.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Redis::connect_with(url, RedisOptions::new()).await
    }

    /// Connects as [`connect`](Redis::connect) does, with options. The prefix of the URL, if it has
    /// one, is used instead of that of the options.
    ///
    /// ```no_run
    /// # async fn open() -> Result<(), silverback::backend::Error> {
    /// use silverback::backend::{Redis, RedisOptions};
    ///
    /// let options = RedisOptions::new().require_durability(true);
    /// let url = "redis+sentinel://cache1.example,cache2.example,cache3.example/sessions";
    /// let backend = Redis::connect_with(url, options).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`connect`](Redis::connect), and a [usage](Error::is_usage) error if an
    /// option is impossible, or the server may lose records and [durability is
    /// required](RedisOptions::require_durability).
    pub async fn connect_with(url: &str, options: RedisOptions) -> Result<Self, Error> {
        let mut address = Address::read(url)?;
        let options = match address.prefix.take() {
            Some(prefix) => options.prefix(prefix),
            None => options,
        };
        let backend = Redis::new(address.client(&options)?, &options)?;
        backend.ping().await?;
        backend.0.client.check_durability(&options).await?;
        Ok(backend)
    }

    /// Keeps records in the server of your client, which must be a primary. Opens no connection, and
    /// does not check the server's durability.
    ///
    /// Let the client speak RESP3 (`?protocol=resp3` in its URL). Otherwise a write that finds the
    /// connection closed has an unknown outcome, although it was not sent.
    ///
    /// ```
    /// use silverback::backend::{Redis, RedisOptions};
    ///
    /// let client = redis::Client::open("redis://127.0.0.1/?protocol=resp3")?;
    /// let backend = Redis::from_client(client, RedisOptions::new().prefix("shop:"))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error if an option is impossible.
    pub fn from_client(client: redis::Client, options: RedisOptions) -> Result<Self, Error> {
        Redis::new(Client::of_primary(client, &options)?, &options)
    }

    fn new(client: Client, options: &RedisOptions) -> Result<Self, Error> {
        Ok(Redis(Arc::new(Inner {
            client,
            owners: OwnerKeys::with_prefix(&options.prefix)?,
            records: RecordKeys::with_prefix(&format!("{}session:", options.prefix)),
        })))
    }
}

/// Shows only the prefix.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("owners", &self.0.owners)
            .finish_non_exhaustive()
    }
}

fn check_size(record: &Record) -> Result<(), Error> {
    match record.value().len() <= LARGEST {
        true => Ok(()),
        false => Err(Error::too_large(record.value().len(), LARGEST)),
    }
}
