//! Backends, which keep the records of sessions: bytes with an expiry under a key, in a server, in
//! files or in memory.
//!
//! | to | use |
//! |---|---|
//! | keep sessions in this process | [`Memory`] |
//! | keep sessions on this machine | `Files` (feature `files`), `Sqlite` (feature `sqlite`) |
//! | share sessions between machines | `Postgres` (feature `postgres`), `Mysql` (feature `mysql`), `Redis` (feature `redis`), `Memcached` (feature `memcached`, loses sessions at any time), `DynamoDb` (feature `dynamodb`), `Etcd` (feature `etcd`), `Mssql` (feature `mssql`, not yet tested with a real server) |
//! | share sessions with a Go program | `GoPostgres` (feature `postgres`), `GoMysql` (feature `mysql`), `GoSqlite` (feature `sqlite`), `GoMssql` (feature `mssql`), `GoRedis` (feature `redis`), `GoMemcached` (feature `memcached`), `GoEtcd` (feature `etcd`), `GoDynamoDb` (feature `dynamodb`), `GorillaFiles` (feature `files`) |
//! | choose the backend by a URL | [`connect`], [`connect_with`]; for the table of a Go package `connect_go`, for its keys in another server `connect_go_keys` |
//! | remove expired records | [`Cleanup`], or [`Scan::purge`] once |
//! | list all records | [`Scan::page`] |
//! | hear of changed records | [`Changes`] |
//! | log a user out everywhere | `ServerStore::end_all`, which calls [`Generations::revoke`] |
//! | store the owners' marks of a revocable `CookieStore` yourself | [`Generations`] |
//! | write a backend of your own | [`Backend`], and [`conformance`] to test it (feature `conformance`) |
//!
//! The page `guide::stores` compares the backends.
//!
//! # Open a backend, and purge it
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), silverback::backend::Error> {
//! use std::time::Duration;
//! use silverback::backend::{self, Cleanup};
//!
//! let backend = backend::connect("memory:").await?; // or postgres://.., mysql://.., sqlite:PATH, ..
//! let interval = Duration::from_secs(300);
//! let cleanup = Cleanup::every(interval, backend.clone(), |error| eprintln!("{error}"));
//! // .. serve, with a ServerStore on the backend ..
//! cleanup.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! A backend does not interpret the bytes of a record. Sessions, tombstones and write IDs belong to
//! the layer above, `ServerStore`.
//!
//! # The laws
//!
//! Every backend keeps these laws, whatever other operations run at the same time. [`conformance`]
//! has tests for each.
//!
//! 1. **Missing is missing.** A load of a key that was never created, or was removed, returns
//!    `None`, which is an answer. A backend that cannot know returns an error.
//! 2. **Expired is missing**, from its expiry on, even before it is purged: [`load`](Backend::load)
//!    returns `None`, [`swap`](Backend::swap), [`touch`](Backend::touch) and
//!    [`remove`](Backend::remove) return [`Gone`](Outcome::Gone), and [`create`](Backend::create)
//!    may use the key.
//! 3. **Create has one winner.** Of any number of concurrent creations, one is saved.
//! 4. **Swap compares.** A swap is saved only if the record has the revision that the caller saw;
//!    otherwise it is a [`Conflict`](Outcome::Conflict). Of any number of concurrent swaps with the
//!    same revision, one is saved. Touch and remove compare in the same way.
//! 5. **Gone stays gone.** Only create brings a removed record back: swap and touch return `Gone`.
//!    A second remove also returns `Gone`, which is no failure.
//! 6. **Touch moves the expiry only**, and makes a new revision.
//! 7. **Bytes are bytes.** All of 0x00 to 0xFF survive in values and keys, and empty values do.
//!    Keys are not folded, trimmed or interpreted.
//! 8. **Expiries are exact** to the millisecond, or as exact as the backend documents. They are
//!    right beyond 2038 and beyond 30 days.
//! 9. **A purge removes only expired records**, in batches.
//! 10. **An owned record is live only while its owner allows it**: while the owner's record exists
//!     and has the generation of the record's login, or keeps that login. Otherwise the record
//!     counts as expired. Logins of an owner are numbered: each number is given once, and a login
//!     that begins later has a greater number.
//! 11. **A [move](Moves) is one step**, and compares as a swap does. It never replaces another
//!     record.
//! 12. **A [ping](Backend::ping) succeeds** if the server answers a load, and is
//!     [unavailable](Error::is_unavailable) if a load is. It leaves no record behind.
//! 13. **[Many loads](Backend::load_many) are loads**: each answer is that of a load of its key,
//!     whatever the order of the keys, and if a key occurs twice.
//! 14. **A change is [reported](Changes)** to each listener that wants it, unless its connection
//!     fails. This is no guarantee to build on: a report may also come without a change.
//!
//! # Records of strangers
//!
//! Anyone can begin anonymous sessions, by the million. Their records have no owner. The store
//! above bounds each of them: `NativeDialect::anonymous_idle` limits the time that it is kept
//! without use (10 minutes), and `NativeDialect::max_row_size` limits its size (64 KiB). The room
//! in the backend limits their number:
//!
//! - [`Memory`] counts records, and keeps half of its room for those with an owner, so that logins
//!   go on.
//! - The other backends do not count. At `n` new sessions a second they hold `600 n` anonymous
//!   records, and those that no purge has removed yet. Run a [`Cleanup`], give the store a volume
//!   or a quota of its own, watch its size, and limit the requests of each client before they begin
//!   a session.
//!
//! # Source files
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs`, `into_backend.rs` | [`Backend`], and [`IntoBackend`] |
//! | `record.rs`, `key.rs`, `expiry.rs` | [`Record`], [`Revision`], [`Key`], [`Expiry`] |
//! | `outcome.rs` | [`Outcome`], [`Created`]: the results of writes |
//! | `layout.rs` | [`Layout`]: the form of a backend's rows |
//! | `generations.rs` | [`Generations`]: the mark of each owner's live records |
//! | `owners.rs` | [`Owners`]: the records of each owner, and revoking all of them |
//! | `owner_name.rs` | [`OwnerName`]: the name of an owner |
//! | `owner_state.rs` | the rules of an owner's record |
//! | `changes.rs` | [`Changes`]: reports of changed records |
//! | `moves.rs` | [`Moves`]: moving a record to another key in one step |
//! | `many.rs` | loading many records when the server has no request for that |
//! | `scan.rs` | [`Scan`]: listing all records, and purging expired ones |
//! | `connect.rs` | [`connect`], [`connect_with`], `connect_go`, `connect_go_keys`: a backend chosen by a URL |
//! | `url.rs` | the host, the port and the escapes in the URLs of servers |
//! | `timeout.rs` | the check of a timeout, which all options share |
//! | `deadline.rs` | the moment at which an operation gives up |
//! | `envelope.rs` | a record as one run of bytes, for servers and disks that know only values |
//! | `cleanup.rs` | [`Cleanup`]: a task that purges at an interval |
//! | `access.rs`, `access/` | the owner and the mode of files that a store keeps on this machine |
//! | `memory/` | [`Memory`]: records in this process |
//! | `files/` | `Files`: a file for each record (feature `files`) |
//! | `go_keys.rs` | `GoKeys`: the keys of Go packages in Redis, Memcached and etcd |
//! | `effect.rs`, `ownership.rs` | parts that backends of servers share: the effect of a request, and the owner in a revision |
//! | `memcached/` | `Memcached`, `GoMemcached`: items of Memcached (feature `memcached`) |
//! | `redis/` | `Redis`, `GoRedis`: keys in Redis or Valkey (feature `redis`) |
//! | `dynamodb/` | `DynamoDb`: a table of Amazon DynamoDB (feature `dynamodb`) |
//! | `etcd/` | `Etcd`, `GoEtcd`: keys in etcd (feature `etcd`) |
//! | `sql/` | tables of SQL databases: `Postgres`, `GoPostgres` (feature `postgres`), `Mysql`, `GoMysql` (feature `mysql`), `Mssql`, `GoMssql` (feature `mssql`), `Sqlite`, `GoSqlite` (feature `sqlite`) |
//! | `conformance/` | [`conformance`]: tests of the laws, for backends of your own (feature `conformance`) |
//! | `error.rs` | [`Error`] |

#[cfg(any(feature = "files", feature = "sqlite"))]
mod access;
mod changes;
mod cleanup;
#[cfg(all(test, feature = "config", feature = "json"))]
mod config_tests;
#[cfg(feature = "conformance")]
pub mod conformance;
mod connect;
#[cfg(any(
    feature = "files",
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "dynamodb",
    feature = "redis",
    feature = "memcached",
    feature = "etcd",
    feature = "session"
))]
mod deadline;
#[cfg(feature = "dynamodb")]
mod dynamodb;
#[cfg(any(
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "dynamodb",
    feature = "redis",
    feature = "memcached",
    feature = "etcd"
))]
mod effect;
// Not every backend uses all of it.
#[cfg_attr(not(feature = "files"), allow(dead_code))]
#[cfg(any(feature = "files", feature = "memcached", feature = "etcd"))]
mod envelope;
mod error;
#[cfg(feature = "etcd")]
mod etcd;
mod expiry;
#[cfg(feature = "files")]
mod files;
mod generations;
#[cfg(any(feature = "redis", feature = "memcached", feature = "etcd"))]
mod go_keys;
mod into_backend;
mod key;
mod layout;
#[cfg(feature = "redis")]
mod many;
#[cfg(feature = "memcached")]
mod memcached;
mod memory;
mod moves;
mod outcome;
mod owner_name;
mod owner_state;
mod owners;
#[cfg(any(feature = "dynamodb", feature = "redis", feature = "memcached"))]
mod ownership;
mod record;
#[cfg(feature = "redis")]
mod redis;
mod scan;
#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "sqlite"
))]
mod sql;
mod timeout;
#[cfg(any(
    feature = "mssql",
    feature = "redis",
    feature = "memcached",
    feature = "etcd"
))]
mod url;

/// For implementations of [`Backend`], [`Generations`] and the other traits.
pub use async_trait::async_trait;

pub use changes::{Change, Changes, Listener};
pub use cleanup::Cleanup;
#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "sqlite"
))]
pub use connect::connect_go;
#[cfg(any(feature = "redis", feature = "memcached", feature = "etcd"))]
pub use connect::connect_go_keys;
pub use connect::{ConnectOptions, connect, connect_with};
#[cfg(feature = "session")]
pub(crate) use deadline::deadline_after;
#[cfg(all(feature = "aws", feature = "session"))]
pub(crate) use dynamodb::dynamodb_client;
#[cfg(feature = "dynamodb")]
pub use dynamodb::{DynamoDb, DynamoDbOptions, GoDynamoDb, GoItems};
pub use error::Error;
use error::of_one;
#[cfg(feature = "etcd")]
pub use etcd::{Etcd, EtcdOptions, GoEtcd};
pub use expiry::Expiry;
#[cfg(feature = "files")]
pub use files::{Files, FilesOptions, GorillaFiles};
pub use generations::{Generation, Generations};
#[cfg(any(feature = "redis", feature = "memcached", feature = "etcd"))]
pub use go_keys::GoKeys;
pub use into_backend::IntoBackend;
pub use key::Key;
pub use layout::Layout;
#[cfg(feature = "memcached")]
pub use memcached::{GoMemcached, Memcached, MemcachedOptions};
pub use memory::{Memory, MemoryOptions};
pub use moves::Moves;
pub use outcome::{Created, Outcome};
pub use owner_name::OwnerName;
pub use owners::{Login, Owner, Owners};
pub use record::{Record, Revision, Stored};
#[cfg(feature = "redis")]
pub use redis::{GoRedis, Redis, RedisOptions};
pub use scan::{Entry, Page, Purged, Scan};
#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "mssql",
    feature = "sqlite"
))]
pub use sql::GoTable;
#[cfg(feature = "mssql")]
pub use sql::{GoMssql, Mssql, MssqlOptions};
#[cfg(feature = "mysql")]
pub use sql::{GoMysql, Mysql, MysqlOptions};
#[cfg(feature = "postgres")]
pub use sql::{GoPostgres, Postgres, PostgresOptions};
#[cfg(feature = "sqlite")]
pub use sql::{GoSqlite, Sqlite, SqliteOptions};

/// Keeps records. This is the one trait that every backend implements. Its laws are those of the
/// [module](self).
///
/// An error means that the backend could not answer. If its [outcome is
/// unknown](Error::is_outcome_unknown), a write may or may not have been applied. A backend never
/// repeats such a write: only the caller knows whether that is safe.
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::{Backend, Created, Error, Expiry, Key, Memory, Outcome, Record};
///
/// # fn at_once<F: Future>(future: F) -> F::Output {
/// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #     match std::pin::pin!(future).poll(&mut context) {
/// #         std::task::Poll::Ready(done) => done, std::task::Poll::Pending => panic!() }
/// # }
/// # at_once(async {
/// let backend = Memory::new();
/// let key = Key::new("some key")?;
/// let record = Record::new("some bytes", Expiry::after(Duration::from_secs(60)));
/// let Created::Saved(seen) = backend.create(&key, &record).await? else { panic!("it is the first") };
/// let later = Record::new("others", record.expiry());
/// assert!(matches!(backend.swap(&key, &seen, &later).await?, Outcome::Done(_)));
/// assert_eq!(backend.swap(&key, &seen, &later).await?, Outcome::Conflict);
/// # Ok::<(), Error>(())
/// # })?;
/// # Ok::<(), Error>(())
/// ```
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Returns the live record under `key`, or `None`.
    ///
    /// # Errors
    /// Returns an [unavailable](Error::is_unavailable) error if the backend cannot answer, and a
    /// [corrupt](Error::is_corrupt) error if the data under the key is not a valid record.
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error>;

    /// Loads many records at once. Returns one answer for each key, in the order of `keys`: the one
    /// that [`load`](Backend::load) returns. The records need not be as they were at one moment.
    ///
    /// By default, loads one record after another. A backend of a server should ask for all of them
    /// in one request, or in few: a `ServerStore` loads all sessions that it watches this way, at
    /// each interval.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use silverback::backend::{Backend, Expiry, Key, Memory, Record};
    ///
    /// let backend = Memory::new();
    /// let (key, missing) = (Key::new("some key")?, Key::new("another key")?);
    /// backend.create(&key, &Record::new("some bytes", Expiry::NEVER)).await?;
    /// let loaded = backend.load_many(&[missing, key]).await?;
    /// assert!(matches!(&loaded[..], [Ok(None), Ok(Some(_))]));
    /// # Ok::<(), silverback::backend::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// Returns an [unavailable](Error::is_unavailable) error if the backend cannot answer. If one
    /// record cannot be read for another reason, as a [corrupt](Error::is_corrupt) one, only the
    /// answer for its key is an error.
    async fn load_many(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
        let mut loaded = Vec::with_capacity(keys.len());
        for key in keys {
            loaded.push(of_one(self.load(key).await)?);
        }
        Ok(loaded)
    }

    /// Saves a record under a key that has no live record.
    ///
    /// # Errors
    /// Returns an [unavailable](Error::is_unavailable) error if the backend could not write, a [too
    /// large](Error::is_too_large) error if the server does not take the record, and an [outcome
    /// unknown](Error::is_outcome_unknown) error if the server did not answer the write.
    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error>;

    /// Replaces the record that was `seen` with `record`.
    ///
    /// # Errors
    /// Returns the errors of [`create`](Backend::create).
    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error>;

    /// Gives the record that was `seen` another expiry.
    ///
    /// # Errors
    /// Returns the errors of [`create`](Backend::create).
    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error>;

    /// Removes the record that was `seen`.
    ///
    /// # Errors
    /// Returns the errors of [`create`](Backend::create).
    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error>;

    /// Checks whether this program can serve sessions now, in one cheap round trip that writes
    /// nothing. By default it loads a record that does not exist. A backend may have a better
    /// check.
    ///
    /// # Errors
    /// Returns the errors of [`load`](Backend::load).
    async fn ping(&self) -> Result<(), Error> {
        self.load(&Key::new("silverback-ping")?).await.map(drop)
    }

    /// Returns the form of the rows.
    fn layout(&self) -> Layout {
        Layout::Native
    }

    /// Returns whether records have an expiry. Otherwise they never expire by themselves, and a
    /// [touch](Backend::touch) changes nothing. By default, all [layouts](Backend::layout) but
    /// gorilla's have expiries.
    fn keeps_expiries(&self) -> bool {
        self.layout() != Layout::Gorilla
    }

    /// Returns the operations on owners, or `None` if the backend has no owners.
    fn owners(&self) -> Option<&dyn Owners> {
        None
    }

    /// Returns the operation that moves records to other keys, or `None` if the backend cannot move
    /// a record in one step, or its rows are [Silverback's own](Layout::Native).
    fn moves(&self) -> Option<&dyn Moves> {
        None
    }

    /// Returns the operations on all records, or `None` if the backend cannot list them, or its
    /// records have no expiry.
    fn scan(&self) -> Option<&dyn Scan> {
        None
    }

    /// Returns the reports of changes, or `None` if the server cannot report them.
    fn changes(&self) -> Option<&dyn Changes> {
        None
    }

    /// Returns whether the server removes expired records by itself. If it does, they need no
    /// [purge](Scan::purge), and a [`Cleanup`] does nothing.
    fn purges_itself(&self) -> bool {
        false
    }
}
