//! [`KeyedMap`]: a `map[interface {}]interface {}` with an index of its string keys.
//!
//! It holds values of all types, and each call takes the same time, even with ten thousand
//! keys. [`FlatMap`](super::FlatMap) is smaller and faster for a few basic values, which is
//! enough for most sessions.

use std::collections::HashMap;

use super::types::Defined;
use super::value::Composite;
use super::{GoString, Interface, Value};

/// The entries in their order, and the index.
#[derive(Clone)]
pub(crate) struct KeyedMap {
    of: Defined,
    /// The entries, with `None` for each removed one.
    entries: Vec<Option<(Value, Interface)>>,
    /// The number of removed entries in `entries`.
    holes: usize,
    /// The place of each string key in `entries`.
    places: HashMap<GoString, usize>,
}

impl Default for KeyedMap {
    fn default() -> Self {
        KeyedMap {
            of: Composite::map_of_interfaces().defined().clone(),
            entries: Vec::new(),
            holes: 0,
            places: HashMap::new(),
        }
    }
}

/// Returns the string of a key, if it is one. A named string type is another key.
fn string_of(key: &Value) -> Option<&GoString> {
    match key {
        Value::Interface(interface) if *interface.name() == *"string" => match interface.value() {
            Some(Value::String(string)) => Some(string),
            _ => None,
        },
        _ => None,
    }
}

impl KeyedMap {
    /// Indexes a map of interfaces, or returns `None` for another map.
    ///
    /// If a key occurs more than once, the last one counts, as in Go.
    pub(crate) fn from_composite(map: &Composite) -> Option<Self> {
        let mut keyed = KeyedMap::default();
        if map.defined().shape() != keyed.of.shape() {
            return None;
        }
        keyed.of = map.defined().clone();
        for (key, value) in map.entries() {
            let Value::Interface(value) = value else {
                return None;
            };
            match string_of(key) {
                Some(string) => keyed.insert(string.clone(), value.clone()),
                None => keyed.entries.push(Some((key.clone(), value.clone()))),
            }
        }
        Some(keyed)
    }

    /// Returns the interface under a string key.
    pub(crate) fn get(&self, key: &str) -> Option<&Interface> {
        let place = *self.places.get(key.as_bytes())?;
        let entry = self.entries.get(place)?.as_ref();
        entry.map(|(_, value)| value)
    }

    /// Sets the value under a string key.
    pub(crate) fn insert(&mut self, key: GoString, value: Interface) {
        let place = self.places.get(&key).copied();
        let there = place.and_then(|place| self.entries.get_mut(place)?.as_mut());
        if let Some((_, there)) = there {
            *there = value;
            return;
        }
        let key_value = Value::Interface(Interface::from(key.clone()));
        self.places.insert(key, self.entries.len());
        self.entries.push(Some((key_value, value)));
    }

    /// Sets all entries of another map.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (key, value) in other.entries() {
            match string_of(key) {
                Some(string) => self.insert(string.clone(), value.clone()),
                None => self.insert_other(key, value.clone()),
            }
        }
    }

    /// Sets the value under a key that is not a string.
    fn insert_other(&mut self, key: &Value, value: Interface) {
        let bytes = key.to_vec();
        let mut entries = self.entries.iter_mut().flatten();
        match entries.find(|(there, _)| there.to_vec() == bytes) {
            Some((_, there)) => *there = value,
            None => self.entries.push(Some((key.clone(), value))),
        }
    }

    /// Removes a string key. Returns whether it existed.
    pub(crate) fn remove(&mut self, key: &str) -> bool {
        let Some(place) = self.places.remove(key.as_bytes()) else {
            return false;
        };
        if let Some(entry) = self.entries.get_mut(place) {
            *entry = None;
            self.holes += 1;
        }
        self.close_holes();
        true
    }

    /// Closes the holes once they are more than the entries, so that a removal takes constant
    /// time on average.
    fn close_holes(&mut self) {
        if self.holes <= self.len() + 64 {
            return;
        }
        self.entries.retain(Option::is_some);
        self.holes = 0;
        let keys = self
            .entries
            .iter()
            .map(|entry| string_of(&entry.as_ref()?.0));
        let places = keys
            .enumerate()
            .filter_map(|(place, key)| Some((key?.clone(), place)));
        self.places = places.collect();
    }

    /// Returns all entries, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Value, &Interface)> {
        let entries = self.entries.iter().flatten();
        entries.map(|(key, value)| (key, value))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.holes
    }

    /// Returns the map as a value, with one more entry if `more` is given.
    pub(crate) fn to_composite(&self, more: Option<(&str, Interface)>) -> Composite {
        let pair = |key: Value, value: Interface| [key, Value::Interface(value)];
        let entries = self
            .entries()
            .map(|(key, value)| pair(key.clone(), value.clone()));
        let more = more.map(|(key, value)| pair(Value::Interface(key.into()), value));
        Composite::new(self.of.clone(), entries.chain(more).flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(map: &KeyedMap) -> Vec<u8> {
        Value::Composite(map.to_composite(None)).to_vec()
    }

    /// Returns a map with that value under a string, a number and nil.
    fn map_of(value: i64) -> KeyedMap {
        let mut map = KeyedMap::default();
        map.insert("a".into(), value.into());
        for key in [Interface::from(7_i64), Interface::nil()] {
            map.entries
                .push(Some((Value::Interface(key), value.into())));
        }
        map
    }

    #[test]
    fn the_entries_of_another_map_replace_those_of_their_keys() {
        let (mut map, mut expected) = (map_of(1), map_of(3));
        for map in [&mut map, &mut expected] {
            map.insert("b".into(), 2_i64.into());
        }
        map.merge(&map_of(3));
        assert_eq!(bytes(&map), bytes(&expected));
    }

    proptest! {
        #[test]
        fn an_indexed_map_changes_as_a_plain_map_does(
            changes in proptest::collection::vec((".{0,2}", any::<i64>(), any::<bool>()), 0..400),
        ) {
            let mut expected = Composite::map_of_interfaces();
            let odd_key = Value::map_of_interfaces([("odd", 1_i64.into())]);
            let mut map = KeyedMap::from_composite(&expected).unwrap();
            map.entries.push(Some((odd_key.clone(), Interface::nil())));
            for (key, value, removes) in changes {
                if removes {
                    prop_assert_eq!(map.remove(&key), expected.remove(&key));
                } else {
                    map.insert(key.as_str().into(), value.into());
                    expected.insert(&key, value.into()).unwrap();
                }
                prop_assert_eq!(map.get(&key).is_some(), expected.get(&key).is_some());
                prop_assert_eq!(map.len(), expected.entries().count() + 1);
            }
            let (key, _) = map.entries[0].take().unwrap();
            prop_assert_eq!(key.to_vec(), odd_key.to_vec());
            let expected = Value::Composite(expected);
            prop_assert_eq!(bytes(&map), expected.to_vec());
            let again = KeyedMap::from_composite(&map.to_composite(None)).unwrap();
            prop_assert_eq!(bytes(&again), expected.to_vec());
        }
    }

    #[test]
    fn closing_holes_keeps_the_index_correct() {
        let mut map = KeyedMap::default();
        for round in 0..20_i64 {
            for number in 0..500 {
                map.insert(format!("{round} {number}").as_str().into(), round.into());
            }
            for number in 0..499 {
                assert!(map.remove(&format!("{round} {number}")));
            }
        }
        assert_eq!(map.len(), 20);
        assert!(
            map.entries.len() <= 2 * 20 + 64 + 500,
            "{}",
            map.entries.len()
        );
        assert!((0..20).all(|round| map.get(&format!("{round} 499")).is_some()));
    }

    #[test]
    fn a_key_of_a_named_string_type_is_another_key() {
        let named = Interface::of("main.Key", Value::String("a".into()));
        let parts = ["a".into(), 1_i64.into(), named, 2_i64.into()];
        let of = Composite::map_of_interfaces().defined().clone();
        let map = Composite::new(of, parts.map(Value::Interface).into());
        let keyed = KeyedMap::from_composite(&map).unwrap();
        assert_eq!(keyed.len(), 2);
        let value = keyed.get("a").and_then(Interface::value);
        assert!(matches!(value, Some(Value::Int(1))));
    }
}
