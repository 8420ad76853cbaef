//! Where records live: bytes with an expiry under a key, in some server or in memory.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | [`Backend`], and what its operations answer |
//! | `record.rs` | [`Key`], [`Record`], [`Revision`], [`Expiry`] |
//! | `layout.rs` | [`Layout`]: whose rows a backend's records are |
//! | `owners.rs` | [`Owners`]: whose records are whose, and ending all of an owner's |
//! | `moves.rs` | [`Moves`]: records that go to another key in one step |
//! | `scan.rs` | [`Scan`]: looking at all records, and purging the expired |
//! | `connect.rs` | [`connect`], [`connect_existing`]: a backend chosen by a URL |
//! | `deadline.rs` | the moment at which an operation gives up |
//! | `cleanup.rs` | [`Cleanup`]: a task that purges, again and again |
//! | `access.rs`, `access/` | the owner and the mode of files that a store keeps on this machine |
//! | `memory/` | [`Memory`]: records in this process |
//! | `files/` | `Files`: a file per record (feature `files`) |
//! | `dynamodb/` | `DynamoDb`: a table of Amazon DynamoDB (feature `dynamodb`) |
//! | `sql/` | tables of SQL databases: `Postgres`, `GoPostgres` (feature `postgres`), `Sqlite` (feature `sqlite`) |
//! | `conformance/` | [`conformance`]: the laws as code, for backends of your own (feature `conformance`) |
//! | `error.rs` | [`Error`] |
//!
//! What a record's bytes mean is nobody's business here: sessions, tombstones and write
//! IDs are bytes of the layer above.
//!
//! # The laws
//!
//! What every backend keeps, whatever else asks it at the same time. [`conformance`] has a
//! test for each.
//!
//! 1. **Missing is missing.** A key that was never created, or was removed, loads as
//!    nothing. That is an answer; not to know is an error.
//! 2. **Expired is missing**, from its expiry on, also while it has not been purged:
//!    [`load`](Backend::load) finds nothing, [`swap`](Backend::swap),
//!    [`touch`](Backend::touch) and [`remove`](Backend::remove) are
//!    [`Gone`](Outcome::Gone), and [`create`](Backend::create) finds the place free.
//! 3. **Create has one winner.** Of any number at once, one is saved.
//! 4. **Swap compares.** It is saved only where the record still has the revision that was
//!    seen; else it is a [`Conflict`](Outcome::Conflict). Of any number at once that saw
//!    the same revision, one is saved. So do touch and remove.
//! 5. **Gone stays gone.** Nothing but create brings a removed record back: swap and touch
//!    answer Gone. So does a second remove, and that is no failure.
//! 6. **Touch moves the expiry and nothing else**, and is a new revision.
//! 7. **Bytes are bytes.** All of 0x00 to 0xFF survive in values and keys, and empty values
//!    do. Keys are not folded, trimmed or interpreted.
//! 8. **Expiries are exact** to the millisecond, or say in their documentation to what, and
//!    right beyond 2038 and beyond 30 days.
//! 9. **Purging takes the expired only**, in batches.
//! 10. **An owned record lives only while its owner allows it**: while the owner's record exists
//!     and has the generation of the record's login, or keeps that login. Otherwise the record
//!     counts as expired. Logins of an owner are numbered: each number is given once, and a
//!     login that begins later has a greater number.
//! 11. **A [move](Moves) is one step**, and compares as a swap does. Nothing is moved onto
//!     another record.
//! 12. **A [ping](Backend::ping) is answered** by a server that answers a load, and is
//!     [unavailable](Error::is_unavailable) where a load is. It leaves no record behind.

//!
//! # Records of strangers
//!
//! Anyone can begin anonymous sessions, by the million; their records have no owner. The store
//! above bounds each of them: `ServerOptions::anonymous_idle` says how long it is kept without use
//! (10 minutes), `ServerOptions::max_row_size` how many bytes it has (64 KiB). Their number is
//! bounded by what a backend has room for:
//!
//! - [`Memory`] counts records, and keeps half of its room for those with an owner: logins go on.
//! - The others count nothing. At `n` new sessions a second they hold `600 n` anonymous records
//!   and those that no purge has removed yet. Run a [`Cleanup`], give the store a volume or a quota
//!   of its own, watch its size, and limit the requests of each client before they begin a
//!   session.

#[cfg(any(feature = "files", feature = "sqlite"))]
mod access;
mod cleanup;
#[cfg(feature = "conformance")]
pub mod conformance;
mod connect;
#[cfg(any(feature = "files", feature = "postgres", feature = "dynamodb"))]
mod deadline;
#[cfg(feature = "dynamodb")]
mod dynamodb;
mod error;
#[cfg(feature = "files")]
mod files;
mod layout;
mod memory;
mod moves;
mod owners;
mod record;
mod scan;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;

use async_trait::async_trait;

pub use cleanup::Cleanup;
pub use connect::{connect, connect_existing};
#[cfg(all(feature = "aws", feature = "session"))]
pub(crate) use dynamodb::dynamodb_client;
#[cfg(feature = "dynamodb")]
pub use dynamodb::{DynamoDb, DynamoDbOptions, GoDynamoDb, GoItems};
pub use error::Error;
#[cfg(feature = "files")]
pub use files::{Files, FilesOptions, GorillaFiles};
pub use layout::Layout;
pub use memory::{Memory, MemoryOptions};
pub use moves::Moves;
pub use owners::{Generation, Login, Owner, Owners};
pub use record::{Expiry, Key, Record, Revision, Stored};
pub use scan::{Entry, Page, Purged, Scan};
#[cfg(feature = "sqlite")]
pub use sql::Sqlite;
#[cfg(feature = "postgres")]
pub use sql::{GoPostgres, GoTable, Postgres, PostgresOptions};

/// What became of an operation on a record that was seen at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It was done.
    Done(T),
    /// The record has another revision by now: nothing was done.
    Conflict,
    /// There is no such record any more: nothing was done.
    Gone,
}

impl<T> Outcome<T> {
    /// The same, of what `with` makes of the answer.
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Outcome::Done(answer) => Outcome::Done(with(answer)),
            Outcome::Conflict => Outcome::Conflict,
            Outcome::Gone => Outcome::Gone,
        }
    }
}

/// What became of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// The record is there, at this revision.
    Saved(Revision),
    /// There is one already: nothing was done.
    Exists,
}

/// Keeps records: the one trait a server has to answer for. Its laws are those of the
/// [module](self).
///
/// An error means that nobody can tell, not even, if it
/// [says so](Error::is_outcome_unknown), whether a write was done. No operation is tried
/// again by itself: the layer above knows what a second try would do.
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
    /// The living record under `key`.
    ///
    /// # Errors
    /// [Unavailable](Error::is_unavailable), if nobody can tell.
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error>;

    /// Puts a record where there is none.
    ///
    /// # Errors
    /// Unavailable; [too large](Error::is_too_large);
    /// [outcome unknown](Error::is_outcome_unknown).
    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error>;

    /// Puts a record in place of the one that was `seen`.
    ///
    /// # Errors
    /// As [`create`](Backend::create).
    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error>;

    /// Gives the record that was `seen` another expiry.
    ///
    /// # Errors
    /// As [`create`](Backend::create).
    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error>;

    /// Removes the record that was `seen`.
    ///
    /// # Errors
    /// As [`create`](Backend::create).
    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error>;

    /// Asks for an answer, in one cheap round trip that writes nothing: to see whether this
    /// program can serve sessions now. Loads a record that is not there, unless a backend
    /// knows a better question.
    ///
    /// # Errors
    /// As [`load`](Backend::load).
    async fn ping(&self) -> Result<(), Error> {
        self.load(&Key::new("silverback-ping")?).await.map(drop)
    }

    /// Whose rows the records are.
    fn layout(&self) -> Layout {
        Layout::Native
    }

    /// Whose records are whose; none for a backend that cannot know.
    fn owners(&self) -> Option<&dyn Owners> {
        None
    }

    /// Moving records to other keys; none for a backend that cannot in one step, or whose
    /// records are [its own](Layout::Native).
    fn moves(&self) -> Option<&dyn Moves> {
        None
    }

    /// All records; none for a backend that cannot list them, or whose records have no expiry.
    fn scan(&self) -> Option<&dyn Scan> {
        None
    }

    /// Whether the server removes expired records by itself, so that nobody has to
    /// [purge](Scan::purge) them: a [`Cleanup`] then does nothing.
    fn purges_itself(&self) -> bool {
        false
    }
}
