//! [`DynamoDb`]: records in a table of Amazon DynamoDB.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | [`DynamoDb`]: the operations of a backend |
//! | `owners.rs`, `recent.rs` | whose records are whose, and the latest logins |
//! | `scan.rs` | looking at all records |
//! | `go.rs`, `go_items.rs` | [`GoDynamoDb`]: the same of tables that Go packages keep |
//! | `options.rs` | [`DynamoDbOptions`] |
//! | `items.rs` | what is in an item |
//! | `requests.rs` | requests, each within a time, and when they are repeated |
//! | `writes.rs` | writes with a condition |
//! | `table.rs` | the table, made and told to remove what has expired |
//! | `client.rs` | a client as AWS's own tools make theirs (feature `aws`) |
//! | `errors.rs` | what DynamoDB could not do |

#[cfg(feature = "aws")]
mod client;
mod errors;
mod go;
mod go_items;
mod items;
mod options;
mod owners;
mod recent;
mod requests;
mod scan;
mod table;
mod writes;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;

use super::{
    Backend, Created, Error, Expiry, Generation, Key, Outcome, Owners, Record, Revision, Scan,
    Stored,
};
#[cfg(all(feature = "aws", feature = "session"))]
pub(crate) use client::dynamodb_client;
pub use go::GoDynamoDb;
pub use go_items::GoItems;
use items::{Attributes, Ids, Item, bytes, time, time_to_live};
pub use options::DynamoDbOptions;
use options::{LONGEST_PREFIX, TimeToLive};
use owners::{Asked, Ownership, Seen};
use requests::Requests;
use table::{Index, Making};
use writes::{Beside, Changes, Written, removal};

/// What an item holds at most, with the names of its attributes: 400 KB.
const LARGEST_ITEM: usize = 400 * 1024;

/// Keeps records in a table of Amazon DynamoDB.
///
/// | operation | requests |
/// |---|---|
/// | load | one read; of an owned record two: the record, and its owner |
/// | create, swap, touch, remove | one write; of an owned record that was seen one transaction, which checks the owner (twice the capacity, for both items) |
/// | begin a login, extend or revoke an owner | one write; two for an owner without a record, or to keep it no longer than it is |
/// | list an owner's | a read of the owner, a query of an index, and a read for each login of the last minute that the index does not name |
///
/// All reads are consistent, except those of the index, which DynamoDB updates a moment later.
/// A list therefore reads the keys of the owner's latest logins from the owner's item, which
/// keeps those of the last minute, up to the latest 128: it names each of them as soon as its
/// record is there. It may lack the new key of a record that another one has just taken the place
/// of, and name what was removed, which a `ServerStore` then does not find.
///
/// A write that finds something else than it expects is told so by DynamoDB with the item
/// that is there, and asks no more unless that has an owner. A request that DynamoDB has no
/// capacity for at the moment is repeated, after a pause that grows, as long as its operation
/// may take; and no other request is: the client's own retries are turned off.
///
/// Records expire by this machine's clock, and DynamoDB removes them by itself, a day or more
/// after that (by `ttl`, if it was told to). A record has at most 400 KB, with its key and the
/// owner's name.
///
/// It counts no records: [strangers](super#records-of-strangers) can use up the table's write
/// capacity, or with capacity on demand money. Set a maximum throughput for the table.
///
/// It must be one table in one region: where a global table is written in two regions, the
/// later write wins, and sessions that were ended come back.
///
/// It asks for the rights to `GetItem`, `UpdateItem`, `DeleteItem`, `ConditionCheckItem` and
/// `Query`, to `Scan` where all records are looked at, to `DescribeTable`, and to `CreateTable`,
/// `DescribeTimeToLive` and `UpdateTimeToLive` where it is to make the table or change it.
///
/// # Logs
/// At the level TRACE, and at no other, AWS's SDK logs whole requests and answers under the target
/// `aws_smithy_runtime::client::orchestrator`: owners, keys and values, and
/// with the tables of Go packages the IDs of sessions. Keep that target at DEBUG:
/// `RUST_LOG=trace,aws_smithy_runtime=debug`.
///
/// Needs tokio.
///
/// ```no_run
/// # async fn open(client: aws_sdk_dynamodb::Client) -> Result<(), silverback::backend::Error> {
/// use silverback::backend::{DynamoDb, DynamoDbOptions};
///
/// let backend = DynamoDb::open(&client, DynamoDbOptions::new("sessions")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DynamoDb(Arc<Inner>);

/// That of an owner's records.
const INDEX: Index<'static> = Index {
    name: DynamoDb::OWNERS_INDEX,
    attribute: "owner",
    projected: &["expiry", "generation", "login"],
};

struct Inner {
    requests: Requests,
    ids: Ids,
    options: DynamoDbOptions,
}

impl DynamoDb {
    /// The index of the table that lists of an owner's records come from: with the hash key
    /// `owner` (a string), and the attributes `expiry`, `generation` and `login` projected.
    pub const OWNERS_INDEX: &str = "owners";

    /// Records in the table of the options, which is made if it is missing.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for options that do not go together;
    /// [unavailable](Error::is_unavailable), if DynamoDB cannot be reached or does not let
    /// its user.
    pub async fn open(client: &Client, options: DynamoDbOptions) -> Result<Self, Error> {
        let backend = DynamoDb::with_client(client, options)?;
        backend.make_table().await?;
        Ok(backend)
    }

    /// Records in the table of the options, which is there already, or is
    /// [made](DynamoDb::make_table). Asks nobody.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for a prefix that is too long.
    pub fn with_client(client: &Client, options: DynamoDbOptions) -> Result<Self, Error> {
        if options.prefix.len() > LONGEST_PREFIX {
            return Err(Error::usage(format!(
                "the prefix of a table's items has at most {LONGEST_PREFIX} bytes"
            )));
        }
        Ok(DynamoDb(Arc::new(Inner {
            requests: Requests::new(client, options.table.clone(), options.timeout),
            ids: Ids::with_prefix(&options.prefix),
            options,
        })))
    }

    /// Makes the table if it is missing, waits until it can be used, and tells DynamoDB to
    /// remove expired items as [the options](DynamoDbOptions::ttl_enabled) say. A table that is
    /// there is not changed else: one of yours has the hash key `id` (a string) and no sort
    /// key, and, if there are owners, the [index](DynamoDb::OWNERS_INDEX). Several may at once.
    ///
    /// It may take a minute.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for a table or an index with another key, which it names;
    /// [unavailable](Error::is_unavailable).
    pub async fn make_table(&self) -> Result<(), Error> {
        let DynamoDbOptions {
            throughput,
            time_to_live,
            ..
        } = self.0.options;
        let making = Making {
            index: Some(INDEX),
            throughput,
            time_to_live,
            ttl: "ttl",
        };
        table::make(&self.0.requests, &making).await
    }

    #[cfg(feature = "aws")]
    async fn find_table(&self) -> Result<(), Error> {
        table::find(&self.0.requests, Some(&INDEX)).await
    }

    /// Does something to the record that was seen, if it still is as it was.
    async fn change(
        &self,
        key: &Key,
        seen: &Revision,
        changes: Option<Changes>,
    ) -> Result<Outcome<()>, Error> {
        const AS_SEEN: &str = "#revision = :seen AND #expiry > :now";
        let id = self.0.ids.of_session(key);
        let seen = Seen::of(seen)?;
        let owner = seen.ownership.map(Ownership::check);
        let values = [(":seen", bytes(seen.mark)), (":now", time(Expiry::now()))];
        let write = match changes {
            Some(changes) => changes.to(id, AS_SEEN, values),
            None => removal(id, AS_SEEN, values),
        };
        let operation = self.0.requests.operation();
        match operation.write(write, owner.map(Beside::Check)).await? {
            Written::Done => Ok(Outcome::Done(())),
            Written::Refused | Written::NotAsSeen(None) => Ok(Outcome::Gone),
            Written::NotAsSeen(Some(item)) => {
                match Asked::default().lives(&operation, &item).await? {
                    true => Ok(Outcome::Conflict),
                    false => Ok(Outcome::Gone),
                }
            }
        }
    }

    /// All attributes of a record, under a new revision.
    fn written(&self, key: &Key, record: &Record) -> Result<(Changes, Revision), Error> {
        let Inner { ids, .. } = &*self.0;
        let owner = record.owner();
        let ownership = owner.map(|owner| Ownership::of(owner, ids)).transpose()?;
        check_size(&ids.of_session(key), ownership.as_ref(), record)?;
        let mark = Generation::random()?;
        let changes = Changes::default()
            .set("revision", Some(bytes(mark.as_bytes())))
            .set("expiry", Some(time(record.expiry())))
            .set("ttl", time_to_live(record.expiry()))
            .set("value", Some(bytes(record.value())))
            .set("owner", ownership.as_ref().map(Ownership::id))
            .set("generation", ownership.as_ref().map(Ownership::generation))
            .set("login", ownership.as_ref().map(Ownership::number));
        Ok((changes, owners::revision(mark, ownership.as_ref())))
    }

    fn stored(&self, item: &Item) -> Result<Stored, Error> {
        let record = Record::new(item.bytes("value")?, item.expiry()?);
        let ownership = Ownership::in_item(item)?;
        let record = match &ownership {
            None => record,
            Some(ownership) => record.owned_by(ownership.owner(&self.0.ids)?),
        };
        let mark = item.bytes("revision")?;
        let mark = Generation::from_bytes(mark.try_into().map_err(|_| errors::no_record())?);
        Ok(Stored {
            record,
            revision: owners::revision(mark, ownership.as_ref()),
        })
    }
}

/// Refuses what no item can hold, before it is sent.
fn check_size(id: &str, ownership: Option<&Ownership>, record: &Record) -> Result<(), Error> {
    let owner = ownership.map_or(0, Ownership::size);
    check_length(record, LARGEST_ITEM - id.len() - owner)
}

/// Refuses what leaves no place for the rest within so many bytes.
fn check_length(record: &Record, limit: usize) -> Result<(), Error> {
    const REST: usize = 256; // the names of the attributes, the numbers, the random bytes
    let limit = limit - REST;
    match record.value().len() <= limit {
        true => Ok(()),
        false => Err(Error::too_large(record.value().len(), limit)),
    }
}

#[async_trait]
impl Backend for DynamoDb {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let operation = self.0.requests.operation();
        let Some(item) = operation.get(&self.0.ids.of_session(key)).await? else {
            return Ok(None);
        };
        match Asked::default().lives(&operation, &item).await? {
            true => Ok(Some(self.stored(&item)?)),
            false => Ok(None),
        }
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        const FREE: &str = "attribute_not_exists(#id) OR #expiry <= :now";
        let (changes, revision) = self.written(key, record)?;
        let now = time(Expiry::now());
        let mut write = changes.to(self.0.ids.of_session(key), FREE, [(":now", now)]);
        let operation = self.0.requests.operation();
        loop {
            let there = match operation.write(write.clone(), None).await? {
                Written::Done => return Ok(Created::Saved(revision)),
                Written::NotAsSeen(Some(item)) => item,
                // It was removed at this moment.
                Written::NotAsSeen(None) | Written::Refused => continue,
            };
            if Asked::default().lives(&operation, &there).await? {
                return Ok(Created::Exists);
            }
            // Its owner ended it: its place is free, as long as it is that one.
            write = write.instead_of(bytes(there.bytes("revision")?));
        }
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        let (changes, revision) = self.written(key, record)?;
        let outcome = self.change(key, seen, Some(changes)).await?;
        Ok(outcome.map(|()| revision))
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        let mark = Generation::random()?;
        let changes = Changes::default()
            .set("revision", Some(bytes(mark.as_bytes())))
            .set("expiry", Some(time(until)))
            .set("ttl", time_to_live(until));
        let outcome = self.change(key, seen, Some(changes)).await?;
        let ownership = Seen::of(seen)?.ownership;
        Ok(outcome.map(|()| owners::revision(mark, ownership.as_ref())))
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        self.change(key, seen, None).await
    }

    fn owners(&self) -> Option<&dyn Owners> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }

    fn purges_itself(&self) -> bool {
        self.0.options.time_to_live != TimeToLive::Never
    }
}

/// The table and the prefix.
impl fmt::Debug for DynamoDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDb")
            .field("table", &self.0.options.table)
            .field("prefix", &self.0.options.prefix)
            .finish_non_exhaustive()
    }
}
