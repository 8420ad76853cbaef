//! Owners: each has a few small keys, which etcd compares in the transactions of the owner's
//! records.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use etcd_client::{
    Compare, CompareOp, DeleteOptions, GetOptions, KeyValue, PutOptions, Txn, TxnOp,
};

use super::super::owner_state::{OwnerChange, OwnerState, owners_by_state};
use super::super::{Error, Expiry, Generation, Generations, Key, Login, Owner, OwnerName, Owners};
use super::Etcd;
use super::errors::{invalid_record, invalid_response};
use super::header::{Header, Seen};
use super::keys::{OwnerKeys, OwnerPart, expiry_value, parse_expiry};
use super::requests::{HEADERS, Operation};
use super::responses::found_in;

/// The largest number of keys that one request lists.
const PAGE: i64 = 1_000;

/// The keys of an owner as they were read.
pub(super) struct SeenOwner {
    pub(super) state: OwnerState,
    /// etcd's revision of the last write to the key `expiry`, which each change writes.
    mod_revision: i64,
    lease: i64,
}

impl SeenOwner {
    /// Reads the keys of an owner. Returns `None` if the owner has no record.
    pub(super) fn of_pairs(keys: &OwnerKeys, pairs: &[KeyValue]) -> Result<Option<Self>, Error> {
        let (mut record, mut generation, mut kept) = (None, None, None);
        for pair in pairs {
            match keys.part_in(pair.key())? {
                OwnerPart::Expiry => record = Some((pair, parse_expiry(pair.value())?)),
                OwnerPart::Live(present) => generation = Some(present),
                OwnerPart::Kept(login) => kept = Some(login),
                OwnerPart::Record(_) => {}
            }
        }
        let Some((pair, (expiry, logins))) = record else {
            return Ok(None);
        };
        Ok(Some(SeenOwner {
            state: OwnerState {
                generation: generation.ok_or_else(invalid_record)?,
                logins,
                kept,
                expiry,
            },
            mod_revision: pair.mod_revision(),
            lease: pair.lease(),
        }))
    }

    /// Returns the operation that reads the keys.
    pub(super) fn get(keys: &OwnerKeys) -> TxnOp {
        let (first, end) = keys.all_but_records();
        TxnOp::get(first, Some(GetOptions::new().with_range(end)))
    }

    async fn read(operation: &Operation<'_>, keys: &OwnerKeys) -> Result<Option<Self>, Error> {
        let (first, end) = keys.all_but_records();
        let answer = operation
            .get(&first, GetOptions::new().with_range(end))
            .await?;
        SeenOwner::of_pairs(keys, answer.kvs())
    }

    pub(super) fn lets_live(&self, login: &Login) -> bool {
        self.state.is_live(Expiry::now()) && self.state.lets_live(login)
    }
}

/// The owners that an operation has read, each of them once. An owner is read after its record: an
/// owner that was read before the record was created may lack the record's generation.
#[derive(Default)]
pub(super) struct OwnerCache(HashMap<OwnerName, Option<SeenOwner>>);

impl OwnerCache {
    /// Adds an owner that was read.
    pub(super) fn insert(&mut self, name: OwnerName, owner: Option<SeenOwner>) {
        self.0.insert(name, owner);
    }
}

impl Etcd {
    /// Returns whether the record is live: it has not expired, and its login is not revoked.
    pub(super) async fn is_live(
        &self,
        operation: &Operation<'_>,
        header: &Header,
        owners: &mut OwnerCache,
    ) -> Result<bool, Error> {
        if !header.is_unexpired() {
            return Ok(false);
        }
        let Some(owner) = header.owner() else {
            return Ok(true);
        };
        if !owners.0.contains_key(&owner.name) {
            let keys = self.0.keys.owner(&owner.name);
            let seen = SeenOwner::read(operation, &keys).await?;
            owners.insert(owner.name.clone(), seen);
        }
        let seen = owners.0.get(&owner.name).and_then(Option::as_ref);
        Ok(seen.is_some_and(|seen| seen.lets_live(&owner.login)))
    }

    /// Reads the owners of many records, at most as many as one transaction reads. An owner whose keys
    /// are not valid is left out.
    pub(super) async fn read_owners(
        &self,
        operation: &Operation<'_>,
        names: BTreeSet<OwnerName>,
        owners: &mut OwnerCache,
    ) -> Result<(), Error> {
        if names.is_empty() {
            return Ok(());
        }
        let keys: Vec<OwnerKeys> = names.iter().map(|name| self.0.keys.owner(name)).collect();
        let gets: Vec<TxnOp> = keys.iter().map(SeenOwner::get).collect();
        let found = found_in(&operation.read(Txn::new().and_then(gets)).await?);
        for ((name, keys), pairs) in names.into_iter().zip(&keys).zip(found) {
            if let Ok(seen) = SeenOwner::of_pairs(keys, &pairs) {
                owners.insert(name, seen);
            }
        }
        Ok(())
    }

    async fn live_owner(&self, name: &OwnerName) -> Result<Option<OwnerState>, Error> {
        let keys = self.0.keys.owner(name);
        let seen = SeenOwner::read(&self.0.requests.operation(), &keys).await?;
        let live = seen.filter(|seen| seen.state.is_live(Expiry::now()));
        Ok(live.map(|seen| seen.state))
    }

    /// Applies the change to the owner's record, and returns the record after it.
    async fn change_owner(
        &self,
        name: &OwnerName,
        until: Expiry,
        change: OwnerChange,
    ) -> Result<OwnerState, Error> {
        let (keys, fresh) = (self.0.keys.owner(name), Generation::random()?);
        let operation = self.0.requests.operation();
        let mut seen = SeenOwner::read(&operation, &keys).await?;
        loop {
            let before = seen.as_ref().map(|seen| &seen.state);
            let after = OwnerState::after(change, before, until, fresh, Expiry::now());
            if before == Some(&after) {
                return Ok(after);
            }
            let lease = seen.as_ref().map_or(0, |seen| seen.lease);
            let write = |lease| owner_write(&keys, seen.as_ref(), &after, lease);
            let written = self.0.leases.write(&operation, after.expiry, lease, write);
            let (response, _) = written.await?;
            if response.succeeded() {
                return Ok(after);
            }
            seen = SeenOwner::of_pairs(&keys, &found_in(&response).concat())?;
        }
    }

    /// Returns an owner, and the keys of the records that name it. Returns `None` if the owner has
    /// no live record.
    async fn owner_with_records(
        &self,
        operation: &Operation<'_>,
        keys: &OwnerKeys,
    ) -> Result<Option<(SeenOwner, Vec<Key>)>, Error> {
        let (mut from, end) = keys.all();
        let (mut seen, mut records) = (None, Vec::new());
        // All pages are read as of the first one: a record that moves meets one of them.
        let mut revision = 0;
        loop {
            let page = GetOptions::new().with_range(&*end).with_limit(PAGE);
            let answer = operation.get(&from, page.with_revision(revision)).await?;
            if revision == 0 {
                revision = answer.header().ok_or_else(invalid_response)?.revision();
            }
            if seen.is_none() {
                // The first page begins with the owner's record.
                let found = SeenOwner::of_pairs(keys, answer.kvs())?;
                seen = found.filter(|seen| seen.state.is_live(Expiry::now()));
            }
            let Some(owner) = seen else {
                return Ok(None);
            };
            for pair in answer.kvs() {
                if let OwnerPart::Record(key) = keys.part_in(pair.key())? {
                    records.push(key);
                }
            }
            match answer.kvs().last() {
                Some(last) if answer.more() => from = [last.key(), &[0]].concat(),
                _ => return Ok(Some((owner, records))),
            }
            seen = Some(owner);
        }
    }

    /// Returns those of the keys whose headers `is_wanted` accepts.
    async fn with_headers(
        &self,
        operation: &Operation<'_>,
        keys: Vec<Key>,
        is_wanted: impl Fn(&Header) -> bool + Send,
    ) -> Result<Vec<Key>, Error> {
        let mut wanted = Vec::new();
        for some in keys.chunks(HEADERS) {
            let gets = some
                .iter()
                .map(|key| TxnOp::get(self.0.keys.header(key), None));
            let gets: Vec<TxnOp> = gets.collect();
            let response = operation.read(Txn::new().and_then(gets)).await?;
            for (key, found) in some.iter().zip(found_in(&response)) {
                // A record that cannot be read is reported by a load of its key.
                let seen = found.first().map(|pair| Seen::of_pair(pair, key));
                if let Some(Ok(seen)) = seen
                    && is_wanted(&seen.header)
                {
                    wanted.push(key.clone());
                }
            }
        }
        Ok(wanted)
    }
}

/// Returns the transaction that writes all keys of the owner except those under `record/`, if the
/// owner's record is the one that was seen. Otherwise it reads these keys.
fn owner_write(keys: &OwnerKeys, seen: Option<&SeenOwner>, after: &OwnerState, lease: i64) -> Txn {
    let mut live = vec![keys.live(after.generation)];
    live.extend(after.kept.as_ref().map(|login| keys.kept(login)));
    live.sort();
    let with_lease = Some(PutOptions::new().with_lease(lease));
    let mut operations = Vec::new();
    // All other keys under `live/` are deleted: a transaction may not delete a key that it puts.
    let (mut from, end) = keys.live_keys();
    for key in live {
        operations.push(delete(from, key.clone()));
        from = [&*key, &[0]].concat();
        operations.push(TxnOp::put(key, "", with_lease.clone()));
    }
    operations.push(delete(from, end));
    let value = expiry_value(after.expiry, after.logins);
    operations.push(TxnOp::put(keys.expiry(), value, with_lease));
    let revision = seen.map_or(0, |seen| seen.mod_revision);
    let is_unchanged = Compare::mod_revision(keys.expiry(), CompareOp::Equal, revision);
    Txn::new()
        .when([is_unchanged])
        .and_then(operations)
        .or_else([SeenOwner::get(keys)])
}

fn delete(from: Vec<u8>, end: Vec<u8>) -> TxnOp {
    TxnOp::delete(from, Some(DeleteOptions::new().with_range(end)))
}

owners_by_state!(Etcd {
    async fn keys(&self, owner: &OwnerName) -> Result<Vec<Key>, Error> {
        let (keys, operation) = (self.0.keys.owner(owner), self.0.requests.operation());
        let Some((seen, records)) = self.owner_with_records(&operation, &keys).await? else {
            return Ok(Vec::new());
        };
        let is_live = |header: &Header| {
            // A record that has lost its owner since may name the key that it moved to.
            let is_owners = |of: &Owner| of.name == *owner && seen.lets_live(&of.login);
            header.is_unexpired() && header.owner().is_none_or(is_owners)
        };
        self.with_headers(&operation, records, is_live).await
    }
});
