//! Records: each has a header and its bytes, under two keys, and a third key if it has an owner.

use async_trait::async_trait;
use etcd_client::{Compare, CompareOp, KeyValue, PutOptions, Txn, TxnOp, TxnResponse};

use super::super::effect::Effect::Writes;
use super::super::error::of_one;
use super::super::{
    Backend, Changes, Created, Error, Expiry, Key, Outcome, OwnerName, Owners, Record, Revision,
    Scan, Stored,
};
use super::Etcd;
use super::errors::invalid_record;
use super::header::{Header, Seen};
use super::owners::{OwnerCache, SeenOwner};
use super::requests::{HEADERS, Operation};
use super::responses::{found_in, revision_of};

/// The number of bytes in a request, at least, that are not the record's own: keys, the owner's
/// name, comparisons.
const REST: usize = 64 * 1024;

/// The number of records that one transaction reads: a header and a value each.
const RECORDS_AT_ONCE: usize = HEADERS / 2;

/// A record's header, and its bytes if they are there.
type FoundRecord = (Seen, Option<KeyValue>);

/// A write of a record.
struct Change<'c> {
    key: &'c Key,
    header: Header,
    /// The bytes, if they are written too.
    bytes: Option<&'c [u8]>,
}

impl Etcd {
    /// Returns the operations of a write over the record that was seen, if there was one.
    fn puts(&self, change: &Change<'_>, seen: Option<&Seen>, lease: i64) -> Vec<TxnOp> {
        let (keys, key) = (&self.0.keys, change.key);
        let with_lease = PutOptions::new().with_lease(lease);
        let put = |key, value| TxnOp::put(key, value, Some(with_lease.clone()));
        let mut operations = vec![put(keys.header(key), change.header.to_vec())];
        let has_lease = seen.is_some_and(|seen| seen.lease == lease);
        match change.bytes {
            Some(bytes) => operations.push(put(keys.value(key), bytes.to_vec())),
            None if has_lease => {}
            None => {
                let moved = with_lease.clone().with_ignore_value();
                operations.push(TxnOp::put(keys.value(key), "", Some(moved)));
            }
        }
        let (before, after) = (
            seen.and_then(|seen| name_in(&seen.header)),
            name_in(&change.header),
        );
        if let Some(name) = after.filter(|after| !has_lease || before != Some(after)) {
            operations.push(put(keys.owner(name).record(key), Vec::new()));
        }
        operations.extend(self.unlisted(key, before.filter(|before| after != Some(before))));
        operations
    }

    /// Returns the operations that remove the record that was seen.
    pub(super) fn deletes(&self, key: &Key, seen: &Header) -> Vec<TxnOp> {
        let keys = [self.0.keys.header(key), self.0.keys.value(key)];
        let mut operations: Vec<TxnOp> = keys
            .into_iter()
            .map(|key| TxnOp::delete(key, None))
            .collect();
        operations.extend(self.unlisted(key, name_in(seen)));
        operations
    }

    /// Returns the operation that removes a record from the list of its former owner.
    fn unlisted(&self, key: &Key, owner: Option<&OwnerName>) -> Option<TxnOp> {
        let keys = self.0.keys.owner(owner?);
        Some(TxnOp::delete(keys.record(key), None))
    }

    /// Returns the transaction that runs the operations if the record is the one that was seen and
    /// its login is live. Otherwise it reads what is there instead.
    fn if_unchanged(&self, key: &Key, seen: &Seen, operations: Vec<TxnOp>) -> Txn {
        let header = self.0.keys.header(key);
        let is_unchanged = Compare::mod_revision(&*header, CompareOp::Equal, seen.mod_revision);
        let (mut conditions, mut reads) = (vec![is_unchanged], vec![TxnOp::get(header, None)]);
        if let Some(owner) = seen.header.owner() {
            let keys = self.0.keys.owner(&owner.name);
            conditions.extend(keys.is_live(&owner.login));
            reads.push(SeenOwner::get(&keys));
        }
        Txn::new()
            .when(conditions)
            .and_then(operations)
            .or_else(reads)
    }

    /// Returns the outcome of a write whose conditions did not hold.
    async fn refused<T>(
        &self,
        operation: &Operation<'_>,
        key: &Key,
        seen: &Seen,
        response: &TxnResponse,
    ) -> Result<Outcome<T>, Error> {
        let mut found = found_in(response).into_iter();
        let Some(pair) = found.next().and_then(|pairs| pairs.into_iter().next()) else {
            return Ok(Outcome::Gone);
        };
        let there = Seen::of_pair(&pair, key)?;
        if there.mod_revision == seen.mod_revision {
            return Ok(Outcome::Gone); // the owner's condition did not hold
        }
        let mut owners = OwnerCache::default();
        if let (Some(name), Some(pairs)) = (name_in(&seen.header), found.next()) {
            let owner = SeenOwner::of_pairs(&self.0.keys.owner(name), &pairs)?;
            owners.insert(name.clone(), owner);
        }
        match self.is_live(operation, &there.header, &mut owners).await? {
            true => Ok(Outcome::Conflict),
            false => Ok(Outcome::Gone),
        }
    }

    /// Returns the outcome of a write to a record that has expired since it was seen.
    async fn expired<T>(&self, operation: &Operation<'_>, key: &Key) -> Result<Outcome<T>, Error> {
        match self.find_live(operation, key).await? {
            Some(_) => Ok(Outcome::Conflict),
            None => Ok(Outcome::Gone),
        }
    }

    /// Returns the live record under a key, and its bytes.
    async fn find_live(
        &self,
        operation: &Operation<'_>,
        key: &Key,
    ) -> Result<Option<FoundRecord>, Error> {
        let keys = [self.0.keys.header(key), self.0.keys.value(key)];
        let both = Txn::new().and_then(keys.map(|key| TxnOp::get(key, None)));
        let mut found = found_in(&operation.read(both).await?).into_iter();
        let mut next = || found.next().and_then(|pairs| pairs.into_iter().next());
        let Some(header) = next() else {
            return Ok(None);
        };
        let seen = Seen::of_pair(&header, key)?;
        let owners = &mut OwnerCache::default();
        let is_live = self.is_live(operation, &seen.header, owners).await?;
        Ok(is_live.then(|| (seen, next())))
    }

    /// Loads as many records as one transaction reads, and then their owners.
    async fn load_some(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
        let operation = self.0.requests.operation().with_records(RECORDS_AT_ONCE);
        let gets = keys
            .iter()
            .flat_map(|key| [self.0.keys.header(key), self.0.keys.value(key)]);
        let gets: Vec<TxnOp> = gets.map(|key| TxnOp::get(key, None)).collect();
        let found = found_in(&operation.read(Txn::new().and_then(gets)).await?);
        let (pairs, _) = found.as_chunks::<2>();
        let seen = keys.iter().zip(pairs).map(|(key, [header, value])| {
            let Some(header) = header.first() else {
                return Ok(None);
            };
            Ok(Some((Seen::of_pair(header, key)?, value.first().cloned())))
        });
        let seen: Vec<Result<Option<FoundRecord>, Error>> = seen.collect();
        let headers = seen
            .iter()
            .flatten()
            .flatten()
            .map(|(seen, _)| &seen.header);
        let names = headers
            .filter(|header| header.is_unexpired())
            .filter_map(name_in);
        let mut owners = OwnerCache::default();
        self.read_owners(&operation, names.cloned().collect(), &mut owners)
            .await?;
        let mut loaded = Vec::with_capacity(keys.len());
        for seen in seen {
            loaded.push(match seen {
                Ok(Some((seen, value))) => {
                    let is_live = self.is_live(&operation, &seen.header, &mut owners).await;
                    match of_one(is_live)? {
                        Ok(true) => stored(seen, value).map(Some),
                        Ok(false) => Ok(None),
                        Err(error) => Err(error),
                    }
                }
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            });
        }
        Ok(loaded)
    }

    /// Writes over the record that was seen.
    async fn change(&self, change: Change<'_>, seen: &Seen) -> Result<Outcome<Revision>, Error> {
        let operation = self.0.requests.operation();
        let key = change.key;
        if !seen.header.is_unexpired() {
            return self.expired(&operation, key).await;
        }
        let write = |lease| self.if_unchanged(key, seen, self.puts(&change, Some(seen), lease));
        let until = change.header.expiry();
        let written = self.0.leases.write(&operation, until, seen.lease, write);
        let (response, lease) = written.await?;
        match response.succeeded() {
            true => Ok(Outcome::Done(revision(change.header, &response, lease)?)),
            false => self.refused(&operation, key, seen, &response).await,
        }
    }
}

/// Returns a record that was read, whose bytes must be there.
fn stored(seen: Seen, value: Option<KeyValue>) -> Result<Stored, Error> {
    let (_, bytes) = value.ok_or_else(invalid_record)?.into_key_value();
    seen.into_stored(bytes)
}

fn name_in(header: &Header) -> Option<&OwnerName> {
    header.owner().map(|owner| &owner.name)
}

/// Returns the revision of a header that was written.
fn revision(header: Header, response: &TxnResponse, lease: i64) -> Result<Revision, Error> {
    let seen = Seen {
        header,
        mod_revision: revision_of(response)?,
        lease,
    };
    Ok(seen.revision())
}

#[async_trait]
impl Backend for Etcd {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let operation = self.0.requests.operation();
        let Some((seen, value)) = self.find_live(&operation, key).await? else {
            return Ok(None);
        };
        stored(seen, value).map(Some)
    }

    async fn load_many(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
        let mut loaded = Vec::with_capacity(keys.len());
        for keys in keys.chunks(RECORDS_AT_ONCE) {
            loaded.extend(self.load_some(keys).await?);
        }
        Ok(loaded)
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        self.0.options.check_size(record, REST)?;
        let operation = self.0.requests.operation();
        let change = Change {
            key,
            header: Header::of(key, record),
            bytes: Some(record.value()),
        };
        let header = self.0.keys.header(key);
        // A record that is there may be replaced if it is not live.
        let mut there: Option<Seen> = None;
        loop {
            let revision_there = there.as_ref().map_or(0, |there| there.mod_revision);
            let write = |lease| {
                let is_unchanged =
                    Compare::mod_revision(&*header, CompareOp::Equal, revision_there);
                Txn::new()
                    .when([is_unchanged])
                    .and_then(self.puts(&change, there.as_ref(), lease))
                    .or_else([TxnOp::get(&*header, None)])
            };
            let lease = there.as_ref().map_or(0, |there| there.lease);
            let written = self
                .0
                .leases
                .write(&operation, record.expiry(), lease, write);
            let (response, lease) = written.await?;
            if response.succeeded() {
                return Ok(Created::Saved(revision(change.header, &response, lease)?));
            }
            let pairs = found_in(&response).concat();
            let Some(pair) = pairs.first() else {
                there = None; // it was removed just now
                continue;
            };
            let found = Seen::of_pair(pair, key)?;
            let owners = &mut OwnerCache::default();
            if self.is_live(&operation, &found.header, owners).await? {
                return Ok(Created::Exists);
            }
            there = Some(found);
        }
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        self.0.options.check_size(record, REST)?;
        let change = Change {
            key,
            header: Header::of(key, record),
            bytes: Some(record.value()),
        };
        self.change(change, &Seen::of_revision(seen)?).await
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        let seen = Seen::of_revision(seen)?;
        let change = Change {
            key,
            header: seen.header.clone().with_expiry(until),
            bytes: None,
        };
        self.change(change, &seen).await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        let (operation, seen) = (self.0.requests.operation(), Seen::of_revision(seen)?);
        if !seen.header.is_unexpired() {
            return self.expired(&operation, key).await;
        }
        let txn = self.if_unchanged(key, &seen, self.deletes(key, &seen.header));
        let response = operation.write(&txn).await;
        let response = response.map_err(|failure| failure.into_error(Writes))?;
        match response.succeeded() {
            true => Ok(Outcome::Done(())),
            false => self.refused(&operation, key, &seen, &response).await,
        }
    }

    fn owners(&self) -> Option<&dyn Owners> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }

    fn changes(&self) -> Option<&dyn Changes> {
        Some(self)
    }

    fn purges_itself(&self) -> bool {
        true
    }
}
