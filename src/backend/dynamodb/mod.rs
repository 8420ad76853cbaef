//! [`DynamoDb`]: records in a table of Amazon DynamoDB.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`DynamoDb`]: its table |
//! | `records.rs` | the operations of a backend |
//! | `owners.rs`, `recent.rs` | owners, and their latest logins |
//! | `scan.rs` | scans of the whole table |
//! | `go.rs`, `go_items.rs` | [`GoDynamoDb`]: the tables of Go packages |
//! | `options.rs` | [`DynamoDbOptions`] |
//! | `items.rs` | the attributes of an item |
//! | `requests.rs` | requests within a time limit, and when they are repeated |
//! | `writes.rs` | writes with a condition |
//! | `table.rs` | the table: created, checked, and set to remove expired items |
//! | `client.rs` | a client configured as AWS's own tools are (feature `aws`) |
//! | `errors.rs` | DynamoDB's errors as a backend's |

#[cfg(feature = "aws")]
mod client;
mod errors;
mod go;
mod go_items;
mod items;
mod options;
mod owners;
mod recent;
mod records;
mod requests;
mod scan;
mod table;
mod writes;

use std::fmt;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;

use super::{Error, Record};
#[cfg(all(feature = "aws", feature = "session"))]
pub(crate) use client::dynamodb_client;
pub use go::GoDynamoDb;
pub use go_items::GoItems;
use items::Ids;
pub use options::DynamoDbOptions;
use options::LONGEST_PREFIX;
use requests::Requests;
use table::{Index, TableSpec};

/// The largest size of an item, the names of its attributes included: 400 KB.
const LARGEST_ITEM: usize = 400 * 1024;

/// Keeps records in a table of Amazon DynamoDB.
///
/// | operation | requests |
/// |---|---|
/// | load | one read; two for an owned record: the record, and its owner |
/// | create, swap, touch, remove | one write; if the record that was seen is owned, one transaction, which checks the owner (twice the capacity, for both items) |
/// | begin a login, extend or revoke an owner | one write; two if the owner has no record, or is to be kept no longer than it is; some logins need one more, which removes old entries of the owner's list |
/// | list an owner's records | a read of the owner, a query of an index, and a read for each login of the last minute that the index does not name |
///
/// All reads are consistent, except those of the index, which DynamoDB updates a moment later.
/// Therefore the owner's item holds the keys of the owner's logins of the last minute (at least the
/// latest 128 of them), and a list names each of them as soon as its record exists. A list may lack
/// a record that has just been created under another key than its login named. It may also name a
/// record that has just been removed; a `ServerStore` then finds no session there.
///
/// If a write finds an item other than it expects, DynamoDB's answer contains that item. A further
/// request is needed only if that item has an owner.
///
/// If DynamoDB has no capacity for a request at the moment, or another request works on the same
/// item, the request is repeated within the time limit of its operation, after a pause that grows.
/// No other request is repeated: the client's own retries are turned off.
///
/// Records expire by this machine's clock. DynamoDB removes them by itself a day or more later, by
/// the attribute `ttl`, if the table is set to do so. A record has at most 400 KB, its key and the
/// owner's name included.
///
/// The backend does not count records: [strangers](super#records-of-strangers) can use up the
/// table's write capacity or, with capacity on demand, cost money. Set a maximum throughput for the
/// table.
///
/// The table must be in a single region. If a global table is written in two regions, the later
/// write wins, and ended sessions come back.
///
/// The backend needs the rights to `GetItem`, `BatchGetItem`, `UpdateItem`, `DeleteItem`, `ConditionCheckItem` and
/// `Query`, and to `Scan` for scans. It needs the right to `DescribeTable`, and to create or change
/// the table those to `CreateTable`, `DescribeTimeToLive` and `UpdateTimeToLive`.
///
/// # Logs
/// At the level TRACE only, AWS's SDK logs whole requests and responses, under the target
/// `aws_smithy_runtime::client::orchestrator`. They contain owners, keys and values, and for the
/// tables of Go packages the IDs of sessions. Keep that target at DEBUG:
/// `RUST_LOG=trace,aws_smithy_runtime=debug`.
///
/// Needs tokio.
///
/// ```no_run
/// # async fn open(client: aws_sdk_dynamodb::Client) -> Result<(), silverback::backend::Error> {
/// use silverback::backend::{DynamoDb, DynamoDbOptions};
///
/// let backend = DynamoDb::from_client(&client, "sessions", DynamoDbOptions::new())?;
/// backend.migrate().await?; // creates the table if it is missing
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DynamoDb(Arc<Inner>);

/// The index of each owner's records.
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
    /// The name of the index that lists an owner's records. Its hash key is `owner` (a string), and
    /// it projects the attributes `expiry`, `generation` and `login`.
    pub const OWNERS_INDEX: &str = "owners";

    /// Keeps records in the table of that name, with the region and the credentials of your client.
    /// The table must exist, or [`migrate`](DynamoDb::migrate) creates it. Sends no request.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error if the prefix is too long.
    pub fn from_client(
        client: &Client,
        table: impl Into<String>,
        options: DynamoDbOptions,
    ) -> Result<Self, Error> {
        if options.prefix.len() > LONGEST_PREFIX {
            return Err(Error::usage(format!(
                "the prefix of the table's items has {} bytes; at most {LONGEST_PREFIX} are possible",
                options.prefix.len()
            )));
        }
        Ok(DynamoDb(Arc::new(Inner {
            requests: Requests::new(client, table.into(), options.timeout),
            ids: Ids::with_prefix(&options.prefix),
            options,
        })))
    }

    /// Creates the table if it is missing, and waits until it can be used, which may take a minute.
    /// Sets DynamoDB to remove expired items as [the options](DynamoDbOptions::ttl_enabled) say,
    /// and changes nothing more in an existing table. Several programs may call this at once.
    ///
    /// A table of your own must have the hash key `id` (a string) and no sort key. For owners, it
    /// must also have the [index](DynamoDb::OWNERS_INDEX).
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error if the table or the index has another key, or the
    /// index lacks an attribute; the error names it. Returns an
    /// [unavailable](Error::is_unavailable) error if DynamoDB cannot be reached, does not give its
    /// user the rights, or does not create the table in time.
    pub async fn migrate(&self) -> Result<(), Error> {
        let DynamoDbOptions {
            throughput,
            time_to_live,
            ..
        } = self.0.options;
        let spec = TableSpec {
            index: Some(INDEX),
            throughput,
            time_to_live,
            ttl: "ttl",
        };
        table::create_if_missing(&self.0.requests, &spec).await
    }

    #[cfg(feature = "aws")]
    async fn find(&self) -> Result<(), Error> {
        table::check_existing(&self.0.requests, Some(&INDEX)).await
    }
}

/// Refuses a record that leaves no room for the other attributes within `limit` bytes.
fn check_length(record: &Record, limit: usize) -> Result<(), Error> {
    const REST: usize = 256; // the names of the attributes, the numbers, the random bytes
    let limit = limit - REST;
    match record.value().len() <= limit {
        true => Ok(()),
        false => Err(Error::too_large(record.value().len(), limit)),
    }
}

/// Shows the table and the prefix.
impl fmt::Debug for DynamoDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDb")
            .field("table", &self.0.requests.table)
            .field("prefix", &self.0.options.prefix)
            .finish_non_exhaustive()
    }
}
