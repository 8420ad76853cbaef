//! Records: each has one item.

use async_trait::async_trait;

use super::super::envelope::RecordEnvelope;
use super::super::ownership::{Ownership, SeenRevision, revision};
use super::super::{
    Backend, Created, Error, Expiry, Generation, Key, Outcome, Owner, OwnerName, Owners, Record,
    Revision, Stored,
};
use super::Memcached;
use super::client::{If, Item, Operation, Written};
use super::errors::invalid_record;
use super::owners::OwnerStates;

/// A record as it was read.
struct Seen {
    record: Record,
    cas: u64,
}

impl Seen {
    fn into_stored(self) -> Stored {
        let revision = revision_of(self.cas, &self.record);
        Stored::new(self.record, revision)
    }
}

/// Returns whether the login of an unexpired record is live, by owners that were read after it.
fn is_live_with(record: &Record, states: &OwnerStates) -> Result<bool, Error> {
    let Some(owner) = record.owner() else {
        return Ok(true);
    };
    match states.get(&owner.name) {
        Some(Ok(state)) => Ok(state.as_ref().is_some_and(|of| of.lets_live(&owner.login))),
        Some(Err(_)) | None => Err(invalid_record()),
    }
}

impl Memcached {
    /// Reads the live record under the key.
    async fn read(&self, operation: &Operation<'_>, key: &Key) -> Result<Option<Seen>, Error> {
        let item = operation.get(&self.0.keys.of_record(key)).await?;
        let Some(seen) = item.map(|item| seen_in(key, &item)).transpose()? else {
            return Ok(None);
        };
        match self.is_live(operation, &seen.record).await? {
            true => Ok(Some(seen)),
            false => Ok(None),
        }
    }

    async fn is_live(&self, operation: &Operation<'_>, record: &Record) -> Result<bool, Error> {
        match record.owner() {
            _ if record.expiry() <= Expiry::now() => Ok(false),
            None => Ok(true),
            Some(owner) => self.lets_live(operation, owner).await,
        }
    }

    /// Returns whether the record that was seen is still live, unless it has changed.
    async fn seen_is_live(
        &self,
        operation: &Operation<'_>,
        seen: &SeenRecord,
    ) -> Result<bool, Error> {
        match &seen.ownership {
            _ if seen.expiry <= Expiry::now() => Ok(false),
            None => Ok(true),
            Some(Ownership { id, login }) => {
                let foreign = |_| Error::foreign_revision();
                let owner = Owner {
                    name: OwnerName::new(id.as_str()).map_err(foreign)?,
                    login: *login,
                };
                self.lets_live(operation, &owner).await
            }
        }
    }

    /// Returns the answer to a write that found another item than the one that was seen.
    async fn missed<T>(&self, operation: &Operation<'_>, key: &Key) -> Result<Outcome<T>, Error> {
        match self.read(operation, key).await? {
            Some(_) => Ok(Outcome::Conflict),
            None => Ok(Outcome::Gone),
        }
    }

    /// Returns the item's value for a record, if the server takes it.
    fn item_of(&self, key: &Key, record: &Record) -> Result<Vec<u8>, Error> {
        let revision = *Generation::random()?.as_bytes();
        let envelope = RecordEnvelope {
            key: key.clone(),
            revision,
            record: record.clone(),
        };
        let value = envelope.to_vec();
        let most = self.0.max_value_size;
        match value.len() <= most {
            true => Ok(value),
            false => {
                let rest = value.len() - record.value().len();
                Err(Error::too_large(
                    record.value().len(),
                    most.saturating_sub(rest),
                ))
            }
        }
    }

    /// Replaces the item that was seen.
    async fn replace(
        &self,
        operation: &Operation<'_>,
        key: &Key,
        cas: u64,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        let value = self.item_of(key, record)?;
        let condition = If::Unchanged { cas };
        let name = self.0.keys.of_record(key);
        match operation
            .set(&name, &value, record.expiry(), condition)
            .await?
        {
            Written::Done(cas) => Ok(Outcome::Done(revision_of(cas, record))),
            Written::Conflict => self.missed(operation, key).await,
            Written::Gone => Ok(Outcome::Gone),
        }
    }
}

/// Reads an item, which must be the record of that key.
fn seen_in(key: &Key, item: &Item) -> Result<Seen, Error> {
    let envelope = RecordEnvelope::parse(&item.value).filter(|found| found.key == *key);
    let envelope = envelope.ok_or_else(invalid_record)?;
    Ok(Seen {
        record: envelope.record,
        cas: item.cas,
    })
}

/// The contents of a revision.
struct SeenRecord {
    cas: u64,
    /// An item outlives its record, which has expired by then.
    expiry: Expiry,
    ownership: Option<Ownership>,
}

impl SeenRecord {
    fn of(revision: &Revision) -> Result<Self, Error> {
        let SeenRevision { mark, ownership } = SeenRevision::<16>::of(revision)?;
        let mark = u128::from_be_bytes(mark);
        Ok(SeenRecord {
            cas: (mark >> 64) as u64,
            expiry: Expiry::from_millis(mark as i64),
            ownership,
        })
    }
}

/// Returns the revision of a record in an item of that number.
fn revision_of(cas: u64, record: &Record) -> Revision {
    let ownership = record.owner().map(|owner| Ownership {
        id: owner.name.as_str().to_owned(),
        login: owner.login,
    });
    let mark = [cas.to_be_bytes(), record.expiry().as_millis().to_be_bytes()];
    revision(mark.as_flattened(), ownership.as_ref())
}

#[async_trait]
impl Backend for Memcached {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let seen = self.read(&self.0.client.operation(), key).await?;
        Ok(seen.map(Seen::into_stored))
    }

    async fn load_many(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
        let operation = self.0.client.operation();
        let names: Vec<String> = keys.iter().map(|key| self.0.keys.of_record(key)).collect();
        let items = operation.get_many(&names).await?;
        let seen = keys.iter().zip(items).map(|(key, item)| {
            let seen = item?.map(|item| seen_in(key, &item)).transpose()?;
            Ok(seen.filter(|seen| seen.record.expiry() > Expiry::now()))
        });
        let seen: Vec<Result<Option<Seen>, Error>> = seen.collect();
        let owners = seen.iter().flatten().flatten();
        let owners = owners.filter_map(|seen| Some(&seen.record.owner()?.name));
        let states = self.owner_states(&operation, owners).await?;
        let live = seen.into_iter().map(|seen| match seen? {
            Some(seen) => {
                is_live_with(&seen.record, &states).map(|is_live| is_live.then_some(seen))
            }
            None => Ok(None),
        });
        Ok(live.map(|live| Ok(live?.map(Seen::into_stored))).collect())
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        let value = self.item_of(key, record)?;
        let operation = self.0.client.operation();
        let name = self.0.keys.of_record(key);
        let mut condition = If::Missing;
        loop {
            let written = operation
                .set(&name, &value, record.expiry(), condition)
                .await?;
            if let Written::Done(cas) = written {
                return Ok(Created::Saved(revision_of(cas, record)));
            }
            // An item that is not live may be replaced.
            condition = match operation.get(&name).await? {
                None => If::Missing,
                Some(item) => {
                    let seen = seen_in(key, &item)?;
                    if self.is_live(&operation, &seen.record).await? {
                        return Ok(Created::Exists);
                    }
                    If::Unchanged { cas: seen.cas }
                }
            };
        }
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        let seen = SeenRecord::of(seen)?;
        let operation = self.0.client.operation();
        if !self.seen_is_live(&operation, &seen).await? {
            return Ok(Outcome::Gone);
        }
        self.replace(&operation, key, seen.cas, record).await
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        let cas = SeenRecord::of(seen)?.cas;
        let operation = self.0.client.operation();
        match self.read(&operation, key).await? {
            None => Ok(Outcome::Gone),
            Some(found) if found.cas != cas => Ok(Outcome::Conflict),
            Some(found) => {
                let record = found.record.with_expiry(until);
                self.replace(&operation, key, cas, &record).await
            }
        }
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        let seen = SeenRecord::of(seen)?;
        let operation = self.0.client.operation();
        if !self.seen_is_live(&operation, &seen).await? {
            return Ok(Outcome::Gone);
        }
        match operation
            .delete(&self.0.keys.of_record(key), seen.cas)
            .await?
        {
            Written::Done(_) => Ok(Outcome::Done(())),
            Written::Conflict => self.missed(&operation, key).await,
            Written::Gone => Ok(Outcome::Gone),
        }
    }

    fn owners(&self) -> Option<&dyn Owners> {
        Some(self)
    }

    fn purges_itself(&self) -> bool {
        true
    }
}
