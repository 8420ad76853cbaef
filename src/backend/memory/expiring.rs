//! [`Expiring`]: a map that keeps its values in the order of their expiry. The cost of finding the
//! expired values depends on their number, and not on the number of live ones.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use super::super::Expiry;

/// A value that knows its expiry. The expiry changes only by [`Expiring::insert`].
pub(super) trait Expires {
    fn expiry(&self) -> Expiry;
}

pub(super) struct Expiring<K, V> {
    values: HashMap<K, V>,
    /// The values that expire at all, the first to expire first.
    by_expiry: BTreeSet<(Expiry, K)>,
}

impl<K: Hash + Ord + Clone, V: Expires> Expiring<K, V> {
    pub(super) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.values.get(key)
    }

    /// Returns a value that the caller may change, except for its expiry.
    pub(super) fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.values.get_mut(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.values.iter()
    }

    /// Inserts a value, and returns the value that it replaces.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let expiry = value.expiry();
        let before = self.values.insert(key.clone(), value);
        if before.as_ref().map(V::expiry) != Some(expiry) {
            if let Some(before) = &before {
                self.by_expiry.remove(&(before.expiry(), key.clone()));
            }
            if expiry != Expiry::NEVER {
                self.by_expiry.insert((expiry, key));
            }
        }
        before
    }

    pub(super) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (key, value) = self.values.remove_entry(key)?;
        self.by_expiry.remove(&(value.expiry(), key));
        Some(value)
    }

    /// Removes at most `limit` expired values, and returns them.
    pub(super) fn purge(&mut self, now: Expiry, limit: usize) -> Vec<V> {
        let mut purged = Vec::new();
        while purged.len() < limit
            && self
                .by_expiry
                .first()
                .is_some_and(|(first, _)| *first <= now)
        {
            if let Some((_, key)) = self.by_expiry.pop_first() {
                purged.extend(self.values.remove(&key));
            }
        }
        purged
    }
}

impl<K, V> Default for Expiring<K, V> {
    fn default() -> Self {
        Expiring {
            values: HashMap::new(),
            by_expiry: BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Expires for i64 {
        fn expiry(&self) -> Expiry {
            Expiry::from_millis(*self)
        }
    }

    #[test]
    fn values_are_purged_in_the_order_of_their_expiry() {
        let mut all = Expiring::default();
        for expiry in [5, 1, 9, 3, i64::MAX] {
            assert_eq!(all.insert(expiry, expiry), None);
        }
        // One value gets another expiry and is inserted again unchanged; another is removed.
        assert_eq!(all.insert(9, 2), Some(9));
        assert_eq!(all.insert(9, 2), Some(2));
        assert_eq!(all.remove(&3), Some(3));
        assert_eq!(all.remove(&3), None);
        let at = Expiry::from_millis;
        assert!(all.purge(at(0), 9).is_empty());
        assert_eq!(all.purge(at(4), 1), [1]);
        assert_eq!((all.get(&1), all.get(&9)), (None, Some(&2)));
        assert_eq!(all.purge(at(5), 9), [2, 5]);
        assert_eq!(all.iter().collect::<Vec<_>>(), [(&i64::MAX, &i64::MAX)]);
        assert!(all.by_expiry.is_empty());
    }
}
