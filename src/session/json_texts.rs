//! [`JsonTexts`]: the JSON of the values that were read from JSON and have not changed since.
//!
//! A number of JSON may have more digits than a Rust number, and its text may differ from the one that
//! Rust would write. So the texts stay as they were read, and are written again.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::gob::{Composite, Interface, KeyedMap, Value};

use super::any_format::{Part, interface_from_json, text_key};

/// Go's name of a JSON text among other values: `type RawMessage []byte` of encoding/json.
const RAW_MESSAGE: &str = "encoding/json.RawMessage";

/// The texts, by the keys of the values.
#[derive(Clone, Default)]
pub(super) struct JsonTexts(Arc<HashMap<String, Box<RawValue>>>);

impl JsonTexts {
    /// Reads the values of a JSON object, and their texts. Returns `None` if the bytes are something
    /// else. A value that no Rust type can hold, such as 1e400, becomes a `json.RawMessage`. If a key
    /// occurs more than once, the last one counts, as in Go.
    pub(super) fn read(bytes: &[u8]) -> Option<(KeyedMap, Self)> {
        let Entries(entries) = serde_json::from_slice(bytes).ok()?;
        let (mut values, mut texts) = (KeyedMap::default(), HashMap::new());
        for (key, text) in entries {
            let value = interface_from_json(text.get()).unwrap_or_else(|| raw_message(&text));
            values.insert(key.as_str().into(), value);
            texts.insert(key, text);
        }
        Some((values, JsonTexts(Arc::new(texts))))
    }

    /// Returns the values of the map as JSON, with these texts.
    pub(super) fn with<'v>(&'v self, map: &'v Composite) -> ToJson<'v> {
        ToJson { map, texts: self }
    }

    /// Returns the text of the value under `key`, unless the value has changed.
    fn get(&self, key: &str) -> Option<&RawValue> {
        self.0.get(key).map(|text| &**text)
    }

    /// Takes over the text of a value that comes from other values, or forgets the text if there is
    /// none.
    pub(super) fn take_over(&mut self, key: &str, others: &Self) {
        match others.get(key) {
            Some(text) => {
                Arc::make_mut(&mut self.0).insert(key.to_owned(), text.to_owned());
            }
            None => self.forget(key),
        }
    }

    /// Returns the text of the value under `key`: as it was read, or that of the changed value.
    pub(super) fn text_of(&self, key: &str, value: &Value) -> Option<String> {
        match self.get(key) {
            Some(text) => Some(text.get().to_owned()),
            None => serde_json::to_string(&Part::entry(value)).ok(),
        }
    }

    /// Forgets the text of a value that is changed.
    pub(super) fn forget(&mut self, key: &str) {
        if self.0.contains_key(key) {
            Arc::make_mut(&mut self.0).remove(key);
        }
    }
}

/// Values that can be written as JSON.
pub(super) struct ToJson<'v> {
    map: &'v Composite,
    texts: &'v JsonTexts,
}

impl Serialize for ToJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.map.entries();
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in entries {
            let key = text_key(key)?;
            match self.texts.get(key) {
                Some(text) => map.serialize_entry(key, text)?,
                None => map.serialize_entry(key, &Part::entry(value))?,
            }
        }
        map.end()
    }
}

fn raw_message(text: &RawValue) -> Interface {
    Interface::of(RAW_MESSAGE, Value::Bytes(text.get().into()))
}

/// The entries of a JSON object, in order, each value as its text.
pub(super) struct Entries(pub(super) Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor).map(Entries)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Vec<(String, Box<RawValue>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut read = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            read.push(entry);
        }
        Ok(read)
    }
}
