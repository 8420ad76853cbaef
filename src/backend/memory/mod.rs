//! [`Memory`]: records in this process, which are lost when it ends.

mod capacity;
mod expiring;
mod options;

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use capacity::Capacity;
use expiring::{Expires, Expiring};
pub use options::MemoryOptions;

use super::owner_state::{OwnerChange, OwnerState};
use super::{
    Backend, Created, Entry, Error, Expiry, Generation, Generations, Key, Login, Outcome, Owner,
    OwnerName, Owners, Page, Purged, Record, Revision, Scan, Stored,
};

/// The number of parts that the records are divided into, each with a lock of its own.
const SHARDS: usize = 64;

/// The number of expired records that each new one removes: more than one, so that their number
/// falls.
const PURGED_BY_EACH: usize = 2;

/// Keeps records in memory: for tests, for experiments, and for a single process that may lose its
/// sessions when it ends.
///
/// It purges itself: each record that is created removes two expired ones, if there are any. It
/// never evicts a live record: when it is full, a creation is an
/// [unavailable](Error::is_unavailable) error.
///
/// Records without an owner fill at most half of it
/// ([`capacity_without_owner`](MemoryOptions::capacity_without_owner)). However many anonymous
/// sessions [strangers](super#records-of-strangers) begin, there is room for logins. The capacity
/// counts records, and not their bytes.
pub struct Memory {
    shards: Box<[Mutex<Shard>; SHARDS]>,
    owners: Mutex<Expiring<OwnerName, OwnerRecord>>,
    hasher: RandomState,
    revisions: AtomicU64,
    capacity: Capacity,
}

type Shard = Expiring<Key, VersionedRecord>;

struct VersionedRecord {
    record: Record,
    revision: u64,
}

impl Expires for VersionedRecord {
    fn expiry(&self) -> Expiry {
        self.record.expiry()
    }
}

struct OwnerRecord {
    state: OwnerState,
    /// The keys of records that were written with this owner. Some of the records may be gone.
    keys: HashSet<Key>,
}

impl Expires for OwnerRecord {
    fn expiry(&self) -> Expiry {
        self.state.expiry
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under the locks panics.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// Creates a backend that is empty, and holds a million records at most.
    #[must_use]
    pub fn new() -> Self {
        Memory::with_options(MemoryOptions::new())
    }

    /// Creates a backend that is empty, and holds as many records as the options allow.
    #[must_use]
    pub fn with_options(options: MemoryOptions) -> Self {
        Memory {
            shards: Box::new(std::array::from_fn(|_| Mutex::default())),
            owners: Mutex::default(),
            hasher: RandomState::new(),
            revisions: AtomicU64::new(0),
            capacity: Capacity::new(&options),
        }
    }

    #[expect(clippy::indexing_slicing)] // the place is less than there are shards
    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        let place = self.hasher.hash_one(key) as usize % self.shards.len();
        locked(&self.shards[place])
    }

    /// Returns the live record under the key.
    fn find(&self, key: &Key) -> Option<Stored> {
        let shard = self.shard(key);
        let kept = shard.get(key);
        let live = kept.filter(|kept| self.is_live(&kept.record, Expiry::now()));
        live.map(|kept| Stored {
            record: kept.record.clone(),
            revision: revision(kept.revision),
        })
    }

    fn next_revision(&self) -> u64 {
        self.revisions.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns whether the record has no owner, or its login is live.
    fn is_login_live(&self, record: &Record, now: Expiry) -> bool {
        let Some(owner) = record.owner() else {
            return true;
        };
        let owners = locked(&self.owners);
        let current = owners.get(&owner.name).map(|of| &of.state);
        current.is_some_and(|of| of.is_live(now) && of.lets_live(&owner.login))
    }

    fn is_live(&self, record: &Record, now: Expiry) -> bool {
        record.expiry() > now && self.is_login_live(record, now)
    }

    /// Adds a record to its owner's list.
    fn add_to_owners_list(&self, key: &Key, record: &Record) {
        if let Some(owner) = record.owner()
            && let Some(of) = locked(&self.owners).get_mut(&owner.name)
        {
            of.keys.insert(key.clone());
        }
    }

    /// Removes a record from its owner's list.
    fn remove_from_owners_list(&self, key: &Key, record: &Record) {
        if let Some(owner) = record.owner()
            && let Some(of) = locked(&self.owners).get_mut(&owner.name)
        {
            of.keys.remove(key);
        }
    }

    /// Changes the owner's record. Returns the live state before, if there was one, and the state
    /// after the change.
    fn change_owner(
        &self,
        owner: &OwnerName,
        until: Expiry,
        change: OwnerChange,
    ) -> Result<(Option<OwnerState>, OwnerState), Error> {
        let fresh = Generation::random()?;
        let mut owners = locked(&self.owners);
        let now = Expiry::now();
        owners.purge(now, PURGED_BY_EACH);
        let (before, keys) = match owners.remove(owner) {
            Some(of) if of.state.is_live(now) => (Some(of.state), of.keys),
            _ => (None, HashSet::new()),
        };
        let after = OwnerState::after(change, before.as_ref(), until, fresh, now);
        let state = after.clone();
        owners.insert(owner.clone(), OwnerRecord { state, keys });
        Ok((before, after))
    }

    fn revoke_and_keep(
        &self,
        owner: &OwnerName,
        until: Expiry,
        keep: Option<Login>,
    ) -> Result<Generation, Error> {
        let change = OwnerChange::Revoke { keep };
        let (before, after) = self.change_owner(owner, until, change)?;
        if let Some(before) = before {
            let is_revoked = |login: &Login| before.lets_live(login) && !after.lets_live(login);
            self.expire_revoked(owner, is_revoked);
        }
        Ok(after.generation)
    }

    /// Returns the keys of records that were written with this owner. Some may be gone.
    fn listed_keys(&self, owner: &OwnerName) -> Vec<Key> {
        let owners = locked(&self.owners);
        let listed = owners.get(owner).map(|of| of.keys.iter().cloned());
        listed.map_or_else(Vec::new, Iterator::collect)
    }

    /// Expires the owner's records of the logins that a revocation ended, so that a purge finds
    /// them.
    fn expire_revoked(&self, owner: &OwnerName, is_revoked: impl Fn(&Login) -> bool) {
        for key in self.listed_keys(owner) {
            let mut shard = self.shard(&key);
            let is_revoked = shard.get(&key).is_some_and(|kept| {
                let of = kept.record.owner().filter(|of| of.name == *owner);
                of.is_some_and(|of| is_revoked(&of.login))
            });
            if is_revoked && let Some(kept) = shard.remove(&key) {
                self.remove_from_owners_list(&key, &kept.record);
                let record = kept.record.with_expiry(Expiry::from_millis(0));
                shard.insert(key, VersionedRecord { record, ..kept });
            }
        }
    }

    /// Applies `change` to the live record that was seen.
    fn change<T>(
        &self,
        key: &Key,
        seen: &Revision,
        change: impl FnOnce(&mut Shard) -> T,
    ) -> Outcome<T> {
        let mut shard = self.shard(key);
        let kept = shard.get(key);
        let Some(kept) = kept.filter(|kept| self.is_live(&kept.record, Expiry::now())) else {
            return Outcome::Gone;
        };
        match seen.as_bytes() == kept.revision.to_be_bytes() {
            true => Outcome::Done(change(&mut shard)),
            false => Outcome::Conflict,
        }
    }

    /// Removes at most `limit` expired records, and returns their number.
    fn purge_shard(&self, shard: &mut Shard, limit: usize) -> usize {
        let purged = shard.purge(Expiry::now(), limit);
        for kept in &purged {
            self.capacity.release(&kept.record);
        }
        purged.len()
    }

    /// Removes some expired records of each shard.
    fn purge_some(&self) {
        for shard in self.shards.iter() {
            self.purge_shard(&mut locked(shard), PURGED_BY_EACH);
        }
    }

    /// Saves a record under a key that has no live record, unless the backend is full.
    fn create_unless_full(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        let mut shard = self.shard(key);
        self.purge_shard(&mut shard, PURGED_BY_EACH);
        let is_live = |kept: &VersionedRecord| self.is_live(&kept.record, Expiry::now());
        if shard.get(key).is_some_and(is_live) {
            return Ok(Created::Exists);
        }
        if let Some(ended) = shard.remove(key) {
            self.capacity.release(&ended.record);
        }
        self.capacity.reserve(record)?;
        let number = self.next_revision();
        let kept = VersionedRecord {
            record: record.clone(),
            revision: number,
        };
        shard.insert(key.clone(), kept);
        self.add_to_owners_list(key, record);
        Ok(Created::Saved(revision(number)))
    }
}

impl Default for Memory {
    fn default() -> Self {
        Memory::new()
    }
}

fn revision(number: u64) -> Revision {
    Revision::new(number.to_be_bytes())
}

#[async_trait]
impl Backend for Memory {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        Ok(self.find(key))
    }

    async fn load_many(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
        Ok(keys.iter().map(|key| Ok(self.find(key))).collect())
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        if let Ok(created) = self.create_unless_full(key, record) {
            return Ok(created);
        }
        self.purge_some();
        self.create_unless_full(key, record)
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        let number = self.next_revision();
        Ok(self.change(key, seen, |shard| {
            let kept = VersionedRecord {
                record: record.clone(),
                revision: number,
            };
            if let Some(before) = shard.insert(key.clone(), kept) {
                self.capacity.replace(&before.record, record);
                self.remove_from_owners_list(key, &before.record);
            }
            self.add_to_owners_list(key, record);
            revision(number)
        }))
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        let number = self.next_revision();
        Ok(self.change(key, seen, |shard| {
            if let Some(kept) = shard.remove(key) {
                let record = kept.record.with_expiry(until);
                let revision = number;
                shard.insert(key.clone(), VersionedRecord { record, revision });
            }
            revision(number)
        }))
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        Ok(self.change(key, seen, |shard| {
            if let Some(kept) = shard.remove(key) {
                self.remove_from_owners_list(key, &kept.record);
                self.capacity.release(&kept.record);
            }
        }))
    }

    fn owners(&self) -> Option<&dyn Owners> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }
}

#[async_trait]
impl Generations for Memory {
    async fn generation(&self, owner: &OwnerName) -> Result<Option<Generation>, Error> {
        let owners = locked(&self.owners);
        let live = owners.get(owner).map(|of| &of.state);
        let live = live.filter(|of| of.is_live(Expiry::now()));
        Ok(live.map(|of| of.generation))
    }

    async fn extend(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
        let (_, extended) = self.change_owner(owner, until, OwnerChange::Extend)?;
        Ok(extended.generation)
    }

    async fn revoke(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
        self.revoke_and_keep(owner, until, None)
    }
}

#[async_trait]
impl Owners for Memory {
    async fn begin(&self, owner: &OwnerName, until: Expiry, _: &Key) -> Result<Login, Error> {
        let (_, begun) = self.change_owner(owner, until, OwnerChange::Begin)?;
        Ok(begun.last_login())
    }

    async fn revoke_except(
        &self,
        owner: &OwnerName,
        until: Expiry,
        keep: &Login,
    ) -> Result<Generation, Error> {
        self.revoke_and_keep(owner, until, Some(*keep))
    }

    async fn keys(&self, owner: &OwnerName) -> Result<Vec<Key>, Error> {
        let now = Expiry::now();
        let is_live = |key: &Key| {
            let shard = self.shard(key);
            let kept = shard.get(key);
            kept.is_some_and(|kept| {
                // A record that has lost its owner since may name the key that it moved to.
                let is_listed = |of: &Owner| of.name == *owner;
                kept.record.owner().is_none_or(is_listed) && self.is_live(&kept.record, now)
            })
        };
        let listed = self.listed_keys(owner);
        let (live, gone): (Vec<Key>, Vec<Key>) = listed.into_iter().partition(is_live);
        if let Some(of) = locked(&self.owners).get_mut(owner) {
            for key in &gone {
                of.keys.remove(key);
            }
        }
        Ok(live)
    }
}

#[async_trait]
impl Scan for Memory {
    async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error> {
        let now = Expiry::now();
        let mut entries = Vec::new();
        for shard in self.shards.iter() {
            let shard = locked(shard);
            let live = shard.iter().filter(|(key, kept)| {
                after.is_none_or(|after| *key > after) && self.is_live(&kept.record, now)
            });
            entries.extend(live.map(|(key, kept)| Entry {
                key: key.clone(),
                expiry: kept.record.expiry(),
                owner: kept.record.owner().map(|of| of.name.clone()),
                size: kept.record.value().len(),
            }));
        }
        Ok(Page::first_of(entries, limit))
    }

    async fn purge(&self, limit: usize) -> Result<Purged, Error> {
        locked(&self.owners).purge(Expiry::now(), usize::MAX);
        let mut purged = 0;
        for shard in self.shards.iter() {
            purged += self.purge_shard(&mut locked(shard), limit - purged);
            if purged == limit {
                break;
            }
        }
        Ok(Purged::removed(purged))
    }
}

/// Shows the number of records.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} records)", self.capacity.records())
    }
}

#[cfg(test)]
mod tests;
