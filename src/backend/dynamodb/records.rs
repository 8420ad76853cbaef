//! Records: each has one item.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::super::error::of_one;
use super::super::ownership::{Ownership, SeenRevision, revision as revision_of};
use super::super::{
    Backend, Created, Error, Expiry, Generation, Key, Outcome, Owners, Record, Revision, Scan,
    Stored,
};
use super::errors::invalid_record;
use super::items::{Attributes, Item, bytes, time, time_to_live};
use super::options::TimeToLive;
use super::owners::OwnerCache;
use super::writes::{Changes, OtherItem, WriteOutcome, removal};
use super::{DynamoDb, LARGEST_ITEM, check_length};

impl DynamoDb {
    /// Applies `changes` to the record that was seen, or removes it if there are no changes. Does
    /// nothing if the record has changed.
    async fn change(
        &self,
        key: &Key,
        seen: &Revision,
        changes: Option<Changes>,
    ) -> Result<Outcome<()>, Error> {
        const UNCHANGED: &str = "#revision = :seen AND #expiry > :now";
        let id = self.0.ids.of_session(key);
        let seen = SeenRevision::<16>::of(seen)?;
        let owner = seen.ownership.map(Ownership::check);
        let values = [(":seen", bytes(&seen.mark)), (":now", time(Expiry::now()))];
        let write = match changes {
            Some(changes) => changes.to(id, UNCHANGED, values),
            None => removal(id, UNCHANGED, values),
        };
        let operation = self.0.requests.operation();
        match operation.write(write, owner.map(OtherItem::Check)).await? {
            WriteOutcome::Done => Ok(Outcome::Done(())),
            WriteOutcome::OtherConflict | WriteOutcome::Conflict(None) => Ok(Outcome::Gone),
            WriteOutcome::Conflict(Some(item)) => {
                match OwnerCache::default().is_live(&operation, &item).await? {
                    true => Ok(Outcome::Conflict),
                    false => Ok(Outcome::Gone),
                }
            }
        }
    }

    /// Returns all attributes of a record, with a new revision.
    fn written(&self, key: &Key, record: &Record) -> Result<(Changes, Revision), Error> {
        let ids = &self.0.ids;
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
        Ok((changes, revision_of(mark.as_bytes(), ownership.as_ref())))
    }

    fn stored(&self, item: &Item) -> Result<Stored, Error> {
        let record = Record::new(item.bytes("value")?, item.expiry()?);
        let ownership = Ownership::in_item(item)?;
        let record = match &ownership {
            None => record,
            Some(ownership) => record.owned_by(ownership.owner(&self.0.ids)?),
        };
        let mark = item.bytes("revision")?;
        let mark = Generation::from_bytes(mark.try_into().map_err(|_| invalid_record())?);
        Ok(Stored {
            record,
            revision: revision_of(mark.as_bytes(), ownership.as_ref()),
        })
    }
}

/// Refuses a record that no item can hold, before it is sent.
fn check_size(id: &str, ownership: Option<&Ownership>, record: &Record) -> Result<(), Error> {
    let owner = ownership.map_or(0, Ownership::size);
    check_length(record, LARGEST_ITEM - id.len() - owner)
}

#[async_trait]
impl Backend for DynamoDb {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let operation = self.0.requests.operation();
        let Some(item) = operation.get(&self.0.ids.of_session(key)).await? else {
            return Ok(None);
        };
        match OwnerCache::default().is_live(&operation, &item).await? {
            true => Ok(Some(self.stored(&item)?)),
            false => Ok(None),
        }
    }

    async fn load_many(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
        let operation = self.0.requests.operation();
        let ids: BTreeSet<String> = keys.iter().map(|key| self.0.ids.of_session(key)).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        let items = operation.get_many(&ids).await?;
        let mut owners = OwnerCache::default();
        owners.read_for(&operation, items.values()).await?;
        let mut loaded = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(item) = items.get(&self.0.ids.of_session(key)) else {
                loaded.push(Ok(None));
                continue;
            };
            loaded.push(match of_one(owners.is_live(&operation, item).await)? {
                Ok(true) => self.stored(item).map(Some),
                Ok(false) => Ok(None),
                Err(error) => Err(error),
            });
        }
        Ok(loaded)
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        const FREE: &str = "attribute_not_exists(#id) OR #expiry <= :now";
        let (changes, revision) = self.written(key, record)?;
        let now = time(Expiry::now());
        let mut write = changes.to(self.0.ids.of_session(key), FREE, [(":now", now)]);
        let operation = self.0.requests.operation();
        loop {
            let there = match operation.write(write.clone(), None).await? {
                WriteOutcome::Done => return Ok(Created::Saved(revision)),
                WriteOutcome::Conflict(Some(item)) => item,
                // The item was removed just now: try again.
                WriteOutcome::Conflict(None) | WriteOutcome::OtherConflict => continue,
            };
            if OwnerCache::default().is_live(&operation, &there).await? {
                return Ok(Created::Exists);
            }
            // A revocation ended that record: it may be replaced, as long as it has that revision.
            write = write.only_if_revision(bytes(there.bytes("revision")?));
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
        let ownership = SeenRevision::<16>::of(seen)?.ownership;
        Ok(outcome.map(|()| revision_of(mark.as_bytes(), ownership.as_ref())))
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
