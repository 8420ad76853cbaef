//! [`FlatMap`]: a `map[interface {}]interface {}` with string keys and basic values, kept as
//! its gob bytes.
//!
//! Most sessions are such maps, and a request reads only one or two of their values. Therefore
//! the bytes are checked once, a value is decoded when it is requested, and a changed value is
//! appended. A `FlatMap` reads only the exact form that this crate writes. For all other input
//! (other type ids, values of other types, a duplicate key), use [`Value`].

use std::ops::Range;
use std::sync::LazyLock;

use super::decode::take_basic;
use super::registered::{Basic, basic, name};
use super::value::Composite;
use super::wire::{put_message, put_uint, swap_float, take_bytes, take_int, take_uint, zigzag};
use super::{Error, Interface, Value};

/// The largest number of entries, which are searched linearly.
const MAX_ENTRIES: usize = 64;

/// The type of a key in an interface: the name, and the id 6 as a signed integer.
const STRING: &[u8] = b"\x06string\x0c";

/// The bytes before the entries: the message that defines the map's type, and the type at the
/// beginning of the value's message.
static HEAD: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let mut rest = &*Value::Composite(Composite::map_of_interfaces()).to_vec();
    let mut definition = Vec::new();
    put_message(&mut definition, take_bytes(&mut rest).unwrap_or_default());
    let message = take_bytes(&mut rest).unwrap_or_default();
    // The last byte is the number of entries, which is zero.
    let of = message.split_last().map_or(message, |(_, of)| of);
    (definition, of.to_vec())
});

/// The bytes of the map, and the ranges of its entries. The bytes between the entries belong to
/// replaced and removed ones.
#[derive(Clone, Default)]
pub(crate) struct FlatMap {
    bytes: Vec<u8>,
    entries: Vec<FlatEntry>,
}

#[derive(Clone)]
struct FlatEntry {
    /// The key's text.
    key: Range<usize>,
    /// The value, as an interface.
    value: Range<usize>,
    /// The key and the value, each as an interface.
    whole: Range<usize>,
}

impl FlatMap {
    /// Creates a map from its bytes, or returns the bytes if a flat map cannot hold them.
    pub(crate) fn from_vec(bytes: Vec<u8>) -> Result<Self, Vec<u8>> {
        match entries(&bytes) {
            Some(entries) => Ok(FlatMap { bytes, entries }),
            None => Err(bytes),
        }
    }

    fn place(&self, key: &str) -> Option<usize> {
        let is_it = |entry: &FlatEntry| self.bytes.get(entry.key.clone()) == Some(key.as_bytes());
        self.entries.iter().position(is_it)
    }

    /// Returns the keys that are UTF-8.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|entry| {
            let key = self.bytes.get(entry.key.clone())?;
            std::str::from_utf8(key).ok()
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.place(key).is_some()
    }

    /// Returns the interface under `key`.
    pub(crate) fn get(&self, key: &str) -> Option<Interface> {
        let entry = self.entries.get(self.place(key)?)?;
        read_interface(self.bytes.get(entry.value.clone())?)
    }

    /// Returns the text under `key`, if the value is a string of UTF-8.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        let entry = self.entries.get(self.place(key)?)?;
        let text = take_string(&mut self.bytes.get(entry.value.clone())?)?;
        std::str::from_utf8(text).ok()
    }

    /// Sets the value under `key`. Returns `false` if a flat map cannot hold it.
    pub(crate) fn insert(&mut self, key: &str, value: &Interface) -> bool {
        let place = self.place(key);
        if !is_flat(value) || (place.is_none() && self.entries.len() == MAX_ENTRIES) {
            return false;
        }
        let entry = put_entry(&mut self.bytes, key, value);
        match place.and_then(|place| self.entries.get_mut(place)) {
            Some(there) => *there = entry,
            None => self.entries.push(entry),
        }
        self.compact();
        true
    }

    /// Removes `key`. Returns whether it existed.
    pub(crate) fn remove(&mut self, key: &str) -> bool {
        let place = self.place(key);
        place.map(|place| self.entries.remove(place)).is_some()
    }

    /// Returns the number of bytes in entries.
    fn entry_bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.whole.len()).sum()
    }

    /// Writes the map again if more than half of its bytes belong to no entry.
    fn compact(&mut self) {
        if self.bytes.len() > 2 * self.entry_bytes() + 1024
            && let Ok(map) = FlatMap::from_vec(self.to_vec(None))
        {
            *self = map;
        }
    }

    /// Returns the gob of the map, with one more entry if `more` is given.
    pub(crate) fn to_vec(&self, more: Option<(&str, &Interface)>) -> Vec<u8> {
        let (definition, of) = &*HEAD;
        let mut last = Vec::new();
        if let Some((key, value)) = more {
            put_entry(&mut last, key, value);
        }
        let mut count = Vec::with_capacity(2);
        put_uint(
            &mut count,
            (self.entries.len() + usize::from(more.is_some())) as u64,
        );
        let length = of.len() + count.len() + self.entry_bytes() + last.len();
        let mut out = Vec::with_capacity(definition.len() + length + 9);
        out.extend_from_slice(definition);
        put_uint(&mut out, length as u64);
        out.extend_from_slice(of);
        out.extend_from_slice(&count);
        let entries = self.entries.iter();
        for entry in entries.filter_map(|entry| self.bytes.get(entry.whole.clone())) {
            out.extend_from_slice(entry);
        }
        out.extend_from_slice(&last);
        out
    }

    /// Returns the map as a composite, which can hold values of all types.
    pub(crate) fn to_composite(&self) -> Result<Composite, Error> {
        match Value::from_slice(&self.to_vec(None))? {
            Value::Composite(map) => Ok(map),
            _ => Err(Error::new("the value is not a map")),
        }
    }
}

/// Checks the bytes of a whole map, and finds its entries.
fn entries(bytes: &[u8]) -> Option<Vec<FlatEntry>> {
    let (definition, of) = &*HEAD;
    let mut rest = bytes.strip_prefix(definition.as_slice())?;
    let mut message = take_bytes(&mut rest).ok()?.strip_prefix(of.as_slice())?;
    let count = usize::try_from(take_uint(&mut message).ok()?).ok()?;
    if !rest.is_empty() || count > MAX_ENTRIES {
        return None;
    }
    let mut entries: Vec<FlatEntry> = Vec::with_capacity(count);
    for _ in 0..count {
        let start = bytes.len() - message.len();
        let text = take_string(&mut message)?;
        let key_end = bytes.len() - message.len();
        let key = key_end - text.len()..key_end;
        let is_duplicate = |entry: &FlatEntry| bytes.get(entry.key.clone()) == Some(text);
        if entries.iter().any(is_duplicate) {
            return None;
        }
        take_value(&mut message)?;
        let end = bytes.len() - message.len();
        entries.push(FlatEntry {
            key,
            value: key_end..end,
            whole: start..end,
        });
    }
    message.is_empty().then_some(entries)
}

/// Takes the text of an interface that holds a string.
fn take_string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    *rest = rest.strip_prefix(STRING)?;
    let mut held = take_held(rest)?;
    let text = take_bytes(&mut held).ok()?;
    held.is_empty().then_some(text)
}

/// Takes the content of an interface after its name and type: the byte count, the zero before
/// a value that is not a struct, and the value, which is returned.
fn take_held<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    take_bytes(rest).ok()?.strip_prefix(&[0])
}

/// Takes an interface that holds a basic value, or is nil. Returns its type's name and the
/// value.
fn take_value<'a>(rest: &mut &'a [u8]) -> Option<Option<(&'a str, BasicValue<'a>)>> {
    let name = take_bytes(rest).ok()?;
    if name.is_empty() {
        return Some(None);
    }
    let name = std::str::from_utf8(name).ok()?;
    let basic = basic(name)?;
    if take_int(rest).ok()? != basic.id() {
        return None;
    }
    let mut held = take_held(rest)?;
    let value = BasicValue::take(basic, &mut held)?;
    held.is_empty().then_some(Some((name, value)))
}

impl Basic {
    /// Returns the id of the type on the wire.
    fn id(self) -> i64 {
        match self {
            Basic::Bool => 1,
            Basic::Int(_) => 2,
            Basic::Uint(_) => 3,
            Basic::Float(_) => 4,
            Basic::Bytes => 5,
            Basic::String => 6,
            Basic::Complex(_) => 7,
        }
    }
}

/// A basic value, borrowed from the bytes of the map.
enum BasicValue<'a> {
    Number(Value),
    Bytes(&'a [u8]),
    String(&'a [u8]),
}

impl<'a> BasicValue<'a> {
    fn take(of: Basic, held: &mut &'a [u8]) -> Option<Self> {
        let number = match of {
            Basic::String => return take_bytes(held).ok().map(BasicValue::String),
            Basic::Bytes => return take_bytes(held).ok().map(BasicValue::Bytes),
            number => take_basic(number.id(), held).ok()?,
        };
        of.holds(&number).then_some(BasicValue::Number(number))
    }

    fn into_value(self) -> Value {
        match self {
            BasicValue::Number(value) => value,
            BasicValue::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            BasicValue::String(text) => Value::String(text.into()),
        }
    }
}

fn read_interface(mut bytes: &[u8]) -> Option<Interface> {
    Some(match take_value(&mut bytes)? {
        None => Interface::nil(),
        Some((of, value)) => Interface::of(name(of.as_bytes()), value.into_value()),
    })
}

/// Returns whether the interface is nil, or holds a basic value that matches its name.
fn is_flat(interface: &Interface) -> bool {
    let Some(value) = interface.value() else {
        return true;
    };
    let of = interface.name().to_str().and_then(basic);
    of.is_some_and(|of| of.has_type(&value.value_type()) && of.holds(value))
}

/// Appends an entry, and returns its ranges.
fn put_entry(out: &mut Vec<u8>, key: &str, value: &Interface) -> FlatEntry {
    let start = out.len();
    out.extend_from_slice(STRING);
    let mut held = Vec::with_capacity(key.len() + 10);
    put_string(&mut held, key.as_bytes());
    put_message(out, &held);
    let key_end = out.len();
    put_interface(out, value, held);
    FlatEntry {
        key: key_end - key.len()..key_end,
        value: key_end..out.len(),
        whole: start..out.len(),
    }
}

/// Appends an interface for which [`is_flat`] is true. `held` is a buffer for its content.
fn put_interface(out: &mut Vec<u8>, interface: &Interface, mut held: Vec<u8>) {
    let name = interface.name();
    put_message(out, name.as_bytes());
    let (Some(value), Some(of)) = (interface.value(), name.to_str().and_then(basic)) else {
        return;
    };
    put_uint(out, zigzag(of.id()));
    held.clear();
    held.push(0);
    match value {
        Value::Bool(bool) => put_uint(&mut held, u64::from(*bool)),
        Value::Int(int) => put_uint(&mut held, zigzag(*int)),
        Value::Uint(uint) => put_uint(&mut held, *uint),
        Value::Float(float) => put_uint(&mut held, swap_float(float.to_bits())),
        Value::Complex(re, im) => {
            put_uint(&mut held, swap_float(re.to_bits()));
            put_uint(&mut held, swap_float(im.to_bits()));
        }
        Value::Bytes(bytes) => put_message(&mut held, bytes),
        Value::String(string) => put_message(&mut held, string.as_bytes()),
        Value::Interface(_) | Value::Composite(_) | Value::SelfEncoded(..) => {}
    }
    put_message(out, &held);
}

/// Appends a string as the content of an interface: the zero, and the text with its length.
fn put_string(held: &mut Vec<u8>, text: &[u8]) {
    held.push(0);
    put_message(held, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_interface() -> impl Strategy<Value = Interface> {
        prop_oneof![
            Just(Interface::nil()),
            any::<bool>().prop_map(Interface::from),
            any::<i8>().prop_map(Interface::from),
            any::<i64>().prop_map(Interface::from),
            any::<isize>().prop_map(Interface::from),
            any::<u16>().prop_map(Interface::from),
            any::<u64>().prop_map(Interface::from),
            any::<f32>().prop_map(Interface::from),
            any::<f64>().prop_map(Interface::from),
            (any::<f64>(), any::<f64>())
                .prop_map(|(re, im)| Interface::of("complex128", Value::Complex(re, im))),
            ".{0,300}".prop_map(Interface::from),
            any::<Vec<u8>>().prop_map(Interface::from),
        ]
    }

    fn any_map() -> impl Strategy<Value = Vec<(String, Interface)>> {
        proptest::collection::btree_map(".{0,8}", any_interface(), 0..8)
            .prop_map(|map| map.into_iter().collect())
    }

    fn bytes_of(entries: &[(String, Interface)]) -> Vec<u8> {
        let entries = entries
            .iter()
            .map(|(key, value)| (key.as_str(), value.clone()));
        Value::map_of_interfaces(entries).to_vec()
    }

    fn flat(bytes: Vec<u8>) -> FlatMap {
        FlatMap::from_vec(bytes).unwrap_or_else(|bytes| panic!("not flat: {bytes:02x?}"))
    }

    /// Returns the bytes of an interface, for comparing: values have no equality.
    fn bytes_of_one(interface: Interface) -> Vec<u8> {
        Value::slice_of_interfaces([interface]).to_vec()
    }

    proptest! {
        #[test]
        fn a_flat_map_equals_the_decoded_map(entries in any_map()) {
            let bytes = bytes_of(&entries);
            let map = flat(bytes.clone());
            prop_assert_eq!(map.to_vec(None), bytes);
            prop_assert_eq!(map.keys().count(), entries.len());
            prop_assert_eq!(map.len(), entries.len());
            prop_assert!(!map.contains("a key with more than 8 letters"));
            for (key, value) in entries {
                prop_assert!(map.contains(&key));
                let found = map.get(&key).map(bytes_of_one);
                prop_assert_eq!(found, Some(bytes_of_one(value.clone())));
                let text = match value.value() {
                    Some(Value::String(text)) => text.to_str().map(str::to_owned),
                    _ => None,
                };
                prop_assert_eq!(map.text(&key), text.as_deref());
            }
        }

        #[test]
        fn a_flat_map_changes_as_the_decoded_map_does(
            before in any_map(),
            changes in proptest::collection::vec((".{0,2}", any_interface(), any::<bool>()), 0..40),
        ) {
            let mut map = flat(bytes_of(&before));
            let mut expected = map.to_composite().unwrap();
            for (key, value, removes) in changes {
                if removes {
                    prop_assert_eq!(map.remove(&key), expected.remove(&key));
                } else {
                    prop_assert!(map.insert(&key, &value));
                    expected.insert(&key, value).unwrap();
                }
            }
            let expected = Value::Composite(expected).to_vec();
            prop_assert_eq!(map.to_vec(None), expected);
        }

        /// The decoder reads everything that a flat map reads, and writes the same bytes.
        #[test]
        fn a_flat_map_is_read_only_from_valid_gob(
            entries in any_map(),
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<bool>(),
        ) {
            let mut bytes = bytes_of(&entries);
            let place = place.index(bytes.len());
            match cut {
                true => bytes.truncate(place),
                false => bytes[place] = byte,
            }
            if let Ok(map) = FlatMap::from_vec(bytes.clone()) {
                let value = Value::from_slice(&bytes).unwrap();
                prop_assert_eq!(value.to_vec(), bytes.clone());
                prop_assert_eq!(map.to_vec(None), bytes);
            }
        }
    }

    #[test]
    fn one_more_entry_is_written_as_if_it_were_inserted() {
        let mut map = FlatMap::default();
        assert!(map.insert("a", &1_i64.into()));
        let written = map.to_vec(Some(("b", &"text".into())));
        assert!(map.insert("b", &"text".into()));
        assert_eq!(written, map.to_vec(None));
    }

    #[test]
    fn other_values_and_duplicate_keys_are_refused() {
        let list = Interface::of("[]interface {}", Value::slice_of_interfaces([]));
        let named = Interface::of("main.UserID", Value::Int(7));
        for other in [list, named] {
            let bytes = bytes_of(&[("a".to_owned(), other.clone())]);
            assert!(FlatMap::from_vec(bytes).is_err());
            assert!(!FlatMap::default().insert("a", &other));
        }
        let wrong = Interface::of("int8", Value::Int(1_000));
        assert!(!FlatMap::default().insert("a", &wrong));
        let twice = [
            ("a".to_owned(), 1_i64.into()),
            ("a".to_owned(), 2_i64.into()),
        ];
        assert!(FlatMap::from_vec(bytes_of(&twice)).is_err());
        assert!(FlatMap::from_vec(Vec::new()).is_err());
    }

    #[test]
    fn no_more_than_64_entries_are_kept_flat() {
        let entry = |number: usize| (number.to_string(), Interface::from(1_i64));
        let many: Vec<_> = (0..65).map(entry).collect();
        assert!(FlatMap::from_vec(bytes_of(&many)).is_err());
        assert!(FlatMap::from_vec(bytes_of(&many[..64])).is_ok());
        let mut map = FlatMap::default();
        for (key, value) in &many[..64] {
            assert!(map.insert(key, value));
        }
        assert!(!map.insert("64", &1_i64.into()));
        assert!(map.insert("63", &2_i64.into()), "it replaces a value");
        assert!(map.remove("0") && map.insert("64", &1_i64.into()));
    }

    #[test]
    fn a_value_that_changes_often_does_not_grow_the_map() {
        let mut map = FlatMap::default();
        for number in 0..10_000_i64 {
            assert!(map.insert("a", &number.into()));
        }
        assert!(map.bytes.len() < 2_000);
        assert_eq!(map.entries.len(), 1);
    }
}
