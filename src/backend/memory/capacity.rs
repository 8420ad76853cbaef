//! [`Capacity`]: the limits of the number of records, and of records without an owner.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::super::{Error, Record};
use super::MemoryOptions;

/// Counts records, and refuses those beyond the limits. The counts are exact at any moment: a
/// record is counted before it is inserted, and until after it was removed.
pub(super) struct Capacity {
    capacity: usize,
    capacity_without_owner: usize,
    records: AtomicUsize,
    without_owner: AtomicUsize,
}

impl Capacity {
    pub(super) fn new(options: &MemoryOptions) -> Self {
        let share = options.capacity_without_owner;
        Capacity {
            capacity: options.capacity,
            capacity_without_owner: share.unwrap_or(options.capacity / 2),
            records: AtomicUsize::new(0),
            without_owner: AtomicUsize::new(0),
        }
    }

    /// Returns the number of records.
    pub(super) fn records(&self) -> usize {
        self.records.load(Relaxed)
    }

    /// Counts a new record, or refuses it.
    pub(super) fn reserve(&self, record: &Record) -> Result<(), Error> {
        let has_owner = record.owner().is_some();
        if !has_owner && !increment_below(&self.without_owner, self.capacity_without_owner) {
            return Err(Error::unavailable(format!(
                "the memory backend has no room for more than {} records without an owner: raise \
                 MemoryOptions::capacity_without_owner, or let them expire sooner",
                self.capacity_without_owner
            )));
        }
        if increment_below(&self.records, self.capacity) {
            return Ok(());
        }
        if !has_owner {
            self.without_owner.fetch_sub(1, Relaxed);
        }
        Err(Error::unavailable(format!(
            "the memory backend is full: it has {} records; raise MemoryOptions::capacity, or let \
             records expire sooner",
            self.capacity
        )))
    }

    /// Stops counting a record that was removed.
    pub(super) fn release(&self, record: &Record) {
        self.records.fetch_sub(1, Relaxed);
        if record.owner().is_none() {
            self.without_owner.fetch_sub(1, Relaxed);
        }
    }

    /// Counts a record in place of the one that it replaces. This never fails: the
    /// replacement of an owned record, such as a tombstone, may exceed the limit of records without
    /// an owner.
    pub(super) fn replace(&self, old: &Record, new: &Record) {
        match (old.owner(), new.owner()) {
            (Some(_), None) => drop(self.without_owner.fetch_add(1, Relaxed)),
            (None, Some(_)) => drop(self.without_owner.fetch_sub(1, Relaxed)),
            _ => {}
        }
    }
}

/// Adds one, unless the count has reached `limit`.
fn increment_below(count: &AtomicUsize, limit: usize) -> bool {
    let one_more = |count: usize| (count < limit).then_some(count + 1);
    count.fetch_update(Relaxed, Relaxed, one_more).is_ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::super::{
        Backend, Created, Expiry, Generations, Key, Outcome, Owner, OwnerName, Owners, Scan,
    };
    use super::super::{Memory, locked};
    use super::*;

    const CAPACITY: usize = 12;
    const SHARE: usize = 5;
    const KEYS: u8 = 24;

    fn memory() -> Memory {
        let options = MemoryOptions::new().capacity(CAPACITY);
        Memory::with_options(options.capacity_without_owner(SHARE))
    }

    fn key(number: u8) -> Key {
        Key::new([number]).unwrap()
    }

    fn ape() -> OwnerName {
        OwnerName::new("ape").unwrap()
    }

    fn soon() -> Expiry {
        Expiry::after(Duration::from_secs(600))
    }

    #[derive(Clone, Debug)]
    struct Action {
        key: u8,
        operation: Operation,
        is_owned: bool,
        is_expired: bool,
    }

    #[derive(Clone, Copy, Debug)]
    enum Operation {
        Create,
        Swap,
        Touch,
        Remove,
        Revoke,
        Purge,
    }

    fn action() -> impl Strategy<Value = Action> {
        let operation = prop_oneof![
            8 => Just(Operation::Create),
            4 => Just(Operation::Swap),
            2 => Just(Operation::Touch),
            2 => Just(Operation::Remove),
            1 => Just(Operation::Revoke),
            1 => Just(Operation::Purge),
        ];
        let is_expired = prop::bool::weighted(0.2);
        (0..KEYS, operation, any::<bool>(), is_expired).prop_map(
            |(key, operation, is_owned, is_expired)| Action {
                key,
                operation,
                is_owned,
                is_expired,
            },
        )
    }

    /// Counts the stored records, and those without an owner.
    fn recount(memory: &Memory) -> (usize, usize) {
        let (mut records, mut without_owner) = (0, 0);
        for shard in memory.shards.iter() {
            for (_, kept) in locked(shard).iter() {
                records += 1;
                without_owner += usize::from(kept.record.owner().is_none());
            }
        }
        (records, without_owner)
    }

    fn counted(memory: &Memory) -> (usize, usize) {
        let without_owner = memory.capacity.without_owner.load(Relaxed);
        (memory.capacity.records(), without_owner)
    }

    async fn perform(memory: &Memory, action: &Action) -> Result<(), Error> {
        let key = key(action.key);
        let expiry = if action.is_expired {
            Expiry::now()
        } else {
            soon()
        };
        let record = Record::new("v", expiry);
        let record = match action.is_owned {
            true => record.owned_by(Owner {
                name: ape(),
                login: memory.begin(&ape(), soon(), &key).await?,
            }),
            false => record,
        };
        let seen = memory.load(&key).await?.map(|stored| stored.revision);
        match (action.operation, seen) {
            (Operation::Create, _) => memory.create(&key, &record).await.map(drop),
            (Operation::Revoke, _) => memory.revoke(&ape(), soon()).await.map(drop),
            (Operation::Purge, _) => memory.purge(3).await.map(drop),
            (_, None) => Ok(()),
            (Operation::Swap, Some(seen)) => memory.swap(&key, &seen, &record).await.map(drop),
            (Operation::Touch, Some(seen)) => memory.touch(&key, &seen, expiry).await.map(drop),
            (Operation::Remove, Some(seen)) => memory.remove(&key, &seen).await.map(drop),
        }
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(future)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn counts_are_exact_and_only_a_full_backend_refuses(
            actions in prop::collection::vec(action(), 1..120),
        ) {
            let memory = memory();
            for action in &actions {
                let is_create = matches!(action.operation, Operation::Create);
                let done = block_on(perform(&memory, action));
                prop_assert_eq!(counted(&memory), recount(&memory));
                let (records, without_owner) = recount(&memory);
                prop_assert!(records <= CAPACITY);
                if let Err(error) = done {
                    prop_assert!(is_create && error.is_unavailable(), "{:?}: {}", action, error);
                    let is_share_full = !action.is_owned && without_owner >= SHARE;
                    prop_assert!(records == CAPACITY || is_share_full, "{:?}: {}", action, error);
                }
            }
            block_on(memory.purge(usize::MAX)).unwrap();
            prop_assert_eq!(counted(&memory), recount(&memory));
        }
    }

    #[test]
    fn counts_are_exact_after_concurrent_writes() {
        let memory = memory();
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let memory = &memory;
                scope.spawn(move || {
                    block_on(async {
                        for round in 0..5_000_u32 {
                            let [one, two, ..] = (round.wrapping_mul(2_654_435_761)).to_be_bytes();
                            let all = [
                                Operation::Create,
                                Operation::Swap,
                                Operation::Remove,
                                Operation::Create,
                            ];
                            let action = Action {
                                key: one % KEYS,
                                operation: all[usize::from(two % 4)],
                                is_owned: (thread ^ one) % 2 == 0,
                                is_expired: two > 200,
                            };
                            let _ = perform(memory, &action).await;
                            assert!(memory.capacity.records() <= CAPACITY);
                        }
                    });
                });
            }
        });
        assert_eq!(counted(&memory), recount(&memory));
    }

    #[tokio::test]
    async fn records_without_an_owner_leave_capacity_for_owned_ones() {
        let memory = memory();
        let mut refused = 0;
        for number in 0..KEYS {
            let record = Record::new("v", soon());
            refused += usize::from(memory.create(&key(number), &record).await.is_err());
        }
        assert_eq!(refused, usize::from(KEYS) - SHARE);
        let mut revisions = Vec::new();
        for number in 100..100 + (CAPACITY - SHARE) as u8 {
            let login = memory.begin(&ape(), soon(), &key(number)).await.unwrap();
            let name = ape();
            let owned = Record::new("v", soon()).owned_by(Owner { name, login });
            match memory.create(&key(number), &owned).await.unwrap() {
                Created::Saved(revision) => revisions.push((key(number), revision)),
                Created::Exists => panic!("the key is new"),
            }
        }
        // A swap needs no capacity.
        let tombstone = Record::new("", soon());
        for (key, revision) in &revisions {
            let swapped = memory.swap(key, revision, &tombstone).await.unwrap();
            assert!(matches!(swapped, Outcome::Done(_)));
        }
        assert_eq!(counted(&memory), (CAPACITY, CAPACITY));
        assert_eq!(counted(&memory), recount(&memory));
    }

    #[tokio::test]
    async fn an_expired_record_of_any_shard_frees_capacity() {
        let options = MemoryOptions::new().capacity(1).capacity_without_owner(1);
        for number in 0..100 {
            let memory = Memory::with_options(options.clone());
            let expired = Record::new("v", Expiry::now());
            memory
                .create(&key(number), &expired)
                .await
                .unwrap()
                .saved()
                .unwrap();
            let created = memory.create(&key(200), &Record::new("v", soon())).await;
            assert!(matches!(created, Ok(Created::Saved(_))), "{created:?}");
        }
    }
}
