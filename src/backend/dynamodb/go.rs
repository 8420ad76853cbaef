//! [`GoDynamoDb`]: records in a table that a Go package keeps.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;

use super::super::layout::plain_key;
use super::super::moves::taken;
use super::super::{
    Backend, Created, Error, Expiry, Key, Layout, Moves, Outcome, Record, Revision, Stored,
};
use super::go_items::{GoItems, ItemState};
use super::items::Item;
use super::options::{DynamoDbOptions, TimeToLive};
use super::requests::Requests;
use super::table::{self, TableSpec};
use super::writes::{OtherItem, Write, WriteOutcome, removal};
use super::{LARGEST_ITEM, check_length};

/// Keeps records in a table of a Go package, which may use it at the same time. It is for a
/// [`ServerStore`](crate::session::ServerStore) of the dialect that matches the [items](GoItems).
///
/// An item has the attributes that Go gives it. It also has a random revision and the expiry in
/// milliseconds, which Go ignores, and removes when it writes. Our writes compare the whole item
/// with the one that was read. Go programs compare nothing: their concurrent write wins, and it
/// brings back an item that was removed.
///
/// An operation is one request, except for a creation that finds an expired item. There are no
/// owners and no scan. Expired items are missing, whether DynamoDB has removed them or not.
///
/// ```no_run
/// # #[cfg(feature = "session")]
/// # async fn open(client: aws_sdk_dynamodb::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use silverback::backend::{DynamoDbOptions, GoDynamoDb, GoItems};
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::{CookieOptions, Dialect, ServerOptions, ServerStore};
///
/// let codecs = Codecs::from_pairs(KeyPairs::from_env("SESSION_KEYS")?)?;
/// let (items, options) = (GoItems::dynamostore(), DynamoDbOptions::new());
/// let backend = GoDynamoDb::from_client(&client, "session-backend", items, options)?;
/// backend.migrate().await?; // creates the table if it is missing
/// let cookie = CookieOptions::new().name("session")?;
/// let options = ServerOptions::new().cookie(cookie);
/// let store = ServerStore::with_options(Dialect::gorilla(codecs), Arc::new(backend), options)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct GoDynamoDb(Arc<Inner>);

/// The condition that the item does not exist.
const FREE: &str = "attribute_not_exists(#id)";

struct Inner {
    requests: Requests,
    items: GoItems,
    options: DynamoDbOptions,
}

impl GoDynamoDb {
    /// Keeps records as those items in the table of that name, with the region and the credentials
    /// of your client. The table must exist, or [`migrate`](GoDynamoDb::migrate) creates it. Sends
    /// no request.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error for a prefix, which Go's items do not have, and for
    /// a name that cannot be an attribute's.
    pub fn from_client(
        client: &Client,
        table: impl Into<String>,
        items: GoItems,
        options: DynamoDbOptions,
    ) -> Result<Self, Error> {
        items.check()?;
        if !options.prefix.is_empty() {
            return Err(Error::usage(
                "the items of Go packages have no prefix: leave out DynamoDbOptions::prefix",
            ));
        }
        Ok(GoDynamoDb(Arc::new(Inner {
            requests: Requests::new(client, table.into(), options.timeout),
            items,
            options,
        })))
    }

    /// Creates the table as the Go package would, if it is missing. An existing table is treated as
    /// by [`DynamoDb::migrate`](super::DynamoDb::migrate).
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error if the table has another key. Returns an
    /// [unavailable](Error::is_unavailable) error if DynamoDB cannot be reached, does not give its
    /// user the rights, or does not create the table in time.
    pub async fn migrate(&self) -> Result<(), Error> {
        let Inner {
            requests,
            items,
            options,
        } = &*self.0;
        let spec = TableSpec {
            index: None,
            throughput: options.throughput,
            time_to_live: match items.ttl() {
                Some(_) => options.time_to_live,
                None => TimeToLive::Never,
            },
            ttl: items.ttl().unwrap_or_default(),
        };
        table::create_if_missing(requests, &spec).await
    }

    /// Checks the existing table, and creates nothing.
    #[cfg(feature = "aws")]
    pub(super) async fn find(&self) -> Result<(), Error> {
        table::check_existing(&self.0.requests, None).await
    }

    /// Returns the state of an item, if it is live.
    fn live_state(&self, item: Option<Item>) -> Result<Option<ItemState>, Error> {
        let state = item.map(|item| self.0.items.state(&item)).transpose()?;
        Ok(state.filter(ItemState::is_live))
    }

    /// Returns the write that changes the item of that key from the state that was seen to the next
    /// one, or removes it if there is no next state.
    fn change_if(
        &self,
        key: &Key,
        seen: &ItemState,
        next: Option<&ItemState>,
    ) -> Result<Write, Error> {
        let (condition, values) = self.0.items.is_in(seen)?;
        let id = plain_key(key)?.to_owned();
        Ok(match next {
            Some(next) => self.0.items.changes(next)?.to(id, &condition, values),
            None => removal(id, &condition, values),
        })
    }

    /// Returns the write that creates an item in that state if the key is free.
    fn creation(&self, key: &Key, state: &ItemState) -> Result<Write, Error> {
        let id = plain_key(key)?.to_owned();
        Ok(self.0.items.changes(state)?.to(id, FREE, []))
    }

    /// Changes the item that was seen, if it has not changed since, in one transaction with the write
    /// of the `other` item.
    async fn change(
        &self,
        key: &Key,
        seen: &ItemState,
        next: Option<&ItemState>,
        other: Option<OtherItem>,
    ) -> Result<Outcome<()>, Error> {
        let operation = self.0.requests.operation();
        let item = match seen.is_live() {
            false => operation.get(plain_key(key)?).await?,
            true => {
                let write = self.change_if(key, seen, next)?;
                match operation.write(write, other).await? {
                    WriteOutcome::Done => return Ok(Outcome::Done(())),
                    WriteOutcome::Conflict(item) => item,
                    WriteOutcome::OtherConflict => return Err(taken()),
                }
            }
        };
        Ok(match self.live_state(item)? {
            Some(_) => Outcome::Conflict,
            None => Outcome::Gone,
        })
    }

    /// Returns the state of an item that holds the record, if an item can.
    fn state_for(&self, key: &Key, record: &Record) -> Result<ItemState, Error> {
        check_length(record, LARGEST_ITEM - plain_key(key)?.len())?;
        let value = std::str::from_utf8(record.value())
            .map_err(|_| Error::usage("the value of an item of a Go package must be UTF-8"))?;
        self.0.items.state_of(value, record.expiry())
    }
}

#[async_trait]
impl Backend for GoDynamoDb {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let item = self.0.requests.operation().get(plain_key(key)?).await?;
        Ok(self.live_state(item)?.map(ItemState::into_stored))
    }

    async fn load_many(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
        let ids = keys.iter().filter_map(|key| plain_key(key).ok());
        let ids: BTreeSet<String> = ids.map(str::to_owned).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        let items = self.0.requests.operation().get_many(&ids).await?;
        let answer = |key| {
            let item = items.get(plain_key(key)?).cloned();
            Ok(self.live_state(item)?.map(ItemState::into_stored))
        };
        Ok(keys.iter().map(answer).collect())
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        let state = self.state_for(key, record)?;
        let create = self.creation(key, &state)?;
        let operation = self.0.requests.operation();
        loop {
            let existing = match operation.write(create.clone(), None).await? {
                WriteOutcome::Done => break,
                WriteOutcome::Conflict(Some(item)) => self.0.items.state(&item)?,
                // The item was removed just now: try again.
                WriteOutcome::Conflict(None) | WriteOutcome::OtherConflict => continue,
            };
            if existing.is_live() {
                return Ok(Created::Exists);
            }
            let replace = self.change_if(key, &existing, Some(&state))?;
            if let WriteOutcome::Done = operation.write(replace, None).await? {
                break;
            }
        }
        Ok(Created::Saved(state.revision()))
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        let next = self.state_for(key, record)?;
        let outcome = self
            .change(key, &ItemState::of(seen)?, Some(&next), None)
            .await?;
        Ok(outcome.map(|()| next.revision()))
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        let seen = ItemState::of(seen)?;
        let next = self.0.items.state_of(seen.value(), until)?;
        let outcome = self.change(key, &seen, Some(&next), None).await?;
        Ok(outcome.map(|()| next.revision()))
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        self.change(key, &ItemState::of(seen)?, None, None).await
    }

    fn layout(&self) -> Layout {
        self.0.items.layout()
    }

    fn keeps_expiries(&self) -> bool {
        self.0.items.ttl().is_some()
    }

    fn moves(&self) -> Option<&dyn Moves> {
        Some(self)
    }

    fn purges_itself(&self) -> bool {
        true
    }
}

/// A move is one transaction: it removes the item of the old key, if it is as it was seen, and
/// creates one under the new key.
#[async_trait]
impl Moves for GoDynamoDb {
    async fn move_to(
        &self,
        key: &Key,
        seen: &Revision,
        to: &Key,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        let next = self.state_for(to, record)?;
        let make = Some(OtherItem::Write(self.creation(to, &next)?));
        let outcome = self.change(key, &ItemState::of(seen)?, None, make).await?;
        Ok(outcome.map(|()| next.revision()))
    }
}

/// Shows the table and the form of its items.
impl fmt::Debug for GoDynamoDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoDynamoDb")
            .field("table", &self.0.requests.table)
            .field("items", &self.0.items)
            .finish_non_exhaustive()
    }
}
