//! [`KeyedMap`]: a `map[interface {}]interface {}` that finds its string keys by an index,
//! whatever the values are and however many.
//!
//! [`FlatMap`](super::FlatMap) is smaller and quicker for the few basic values that most
//! sessions hold; this one holds everything, and each call takes the same time in a map of
//! ten thousand keys.

use std::collections::HashMap;

use super::types::Defined;
use super::value::Composite;
use super::{GoString, Interface, Value};

/// Entries in their order, with holes where some were removed.
#[derive(Clone)]
pub(crate) struct KeyedMap {
    of: Defined,
    entries: Vec<Option<(Value, Interface)>>,
    holes: usize,
    /// The places of string keys.
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

/// The string of a key, if it is one: a named string is another key.
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
    /// Takes a map of interfaces. Of a key that is there twice the last one counts, as in Go.
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

    /// The interface under a string key.
    pub(crate) fn get(&self, key: &str) -> Option<&Interface> {
        let place = *self.places.get(key.as_bytes())?;
        let entry = self.entries.get(place)?.as_ref();
        entry.map(|(_, value)| value)
    }

    /// Sets a string key.
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

    /// Removes a string key, and says whether it was there.
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

    /// Moves the entries together where half of the places are holes or more, so that a
    /// removal costs the same on average.
    fn close_holes(&mut self) {
        if self.holes <= self.len() + 64 {
            return;
        }
        self.entries.retain(Option::is_some);
        self.holes = 0;
        let keys = self.entries.iter().map(|entry| string_of(&entry.as_ref()?.0));
        let places = keys.enumerate().filter_map(|(place, key)| Some((key?.clone(), place)));
        self.places = places.collect();
    }

    /// All entries, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Value, &Interface)> {
        let entries = self.entries.iter().flatten();
        entries.map(|(key, value)| (key, value))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.holes
    }

    /// The same map as a value, with one more entry if wanted.
    pub(crate) fn to_composite(&self, more: Option<(&str, Interface)>) -> Composite {
        let pair = |key: Value, value: Interface| [key, Value::Interface(value)];
        let entries = self.entries().map(|(key, value)| pair(key.clone(), value.clone()));
        let more = more.map(|(key, value)| pair(Value::Interface(key.into()), value));
        Composite::new(self.of.clone(), entries.chain(more).flatten().collect())
    }
}
