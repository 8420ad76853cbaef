//! [`Values`]: the values of a session.
//!
//! In memory, values are always gob, whatever the codec's serializer is. So everything that a Go
//! program put there stays, with its types. If all values are basic, their bytes stay as they were
//! read. Values that were read from JSON keep their texts, too. This module does not use cookies.

use std::any::type_name;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, Serializer, UnixTime};
use crate::gob::{self, Composite, Draft, FlatMap, GoString, Interface, KeyedMap, Value};

use super::Error;
use super::any_format::{FromAnyFormat, ToAnyFormat};
use super::data_model::DataModel;
#[cfg(feature = "json")]
use super::json_texts::JsonTexts;

/// The keys for the session's metadata. The first key that no Go program uses for a value of its
/// own counts.
const METADATA: [&str; 2] = ["_session", "_silverback"];

/// A session's values: any serde types under string keys, and any other entries that a Go program
/// put into the `map[interface{}]interface{}`, which stay unchanged.
///
/// A clone is cheap: its contents are shared until they are changed.
///
/// ```
/// use silverback::session::Values;
///
/// let mut values = Values::new();
/// values.insert("visits", 7)?;
/// assert_eq!(values.get::<u64>("visits")?, Some(7));
/// assert_eq!(values.get::<u64>("nothing")?, None);
/// assert!(values.get::<String>("visits").unwrap_err().is_wrong_type());
/// # Ok::<(), silverback::session::Error>(())
/// ```
///
/// # How values come back
///
/// If no Go program reads a session, structs are stored as maps of all their fields. Empty lists,
/// zeros, `None` and `Some(0)` come back unchanged. A missing field takes serde's default or is an
/// error, as in JSON.
///
/// If a Go program reads the session too ([`Dialect`](super::Dialect),
/// [`CookieStore::shared_with_go`](super::CookieStore::shared_with_go)), structs are Go's, and gob
/// leaves out their zero fields:
/// - `Some(0)`, `Some(false)` and `Some("")` in a field are refused on insertion.
/// - An empty list and `None` come back unchanged. But a field with a `#[serde(default = ..)]` of
///   its own comes back as that default: serde does not show the type of an empty value, so the
///   field cannot be named in the gob.
/// - An enum with a `#[serde(tag)]`, or an untagged one, does not come back if it contains an empty
///   list or map.
#[derive(Clone, Default)]
pub struct Values {
    form: Form,
    model: DataModel,
    /// The JSON of the values, if they were read from JSON.
    #[cfg(feature = "json")]
    texts: JsonTexts,
}

#[derive(Clone)]
enum Form {
    /// Only basic values, as in most sessions.
    Flat(Arc<FlatMap>),
    /// Any values that a Go map can hold.
    Keyed(Arc<KeyedMap>),
}

impl Default for Form {
    fn default() -> Self {
        Form::Flat(Arc::default())
    }
}

impl Values {
    /// Returns an empty set of values.
    #[must_use]
    pub fn new() -> Self {
        Values::default()
    }

    /// Returns an empty set of values with that data model.
    pub(super) fn of_model(model: DataModel) -> Self {
        Values::of(Form::default(), model)
    }

    pub(super) fn model(&self) -> &DataModel {
        &self.model
    }

    /// Returns the value under `key`, or `None` if there is no value or a nil interface.
    ///
    /// # Errors
    /// Returns a [wrong type](Error::is_wrong_type) error if the value is not a `T`, or if it is a
    /// struct that has no field in common with `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.interface(key)
            .map_or(Ok(None), |value| read(key, &value))
    }

    /// Returns the value under `key`. If the value is not a `T`, removes it and returns `None`. Use
    /// it for values that an earlier version of the program left behind.
    ///
    /// Do not use it for keys that a Go program writes: it would remove that program's value.
    ///
    /// ```
    /// # let mut values = silverback::session::Values::new();
    /// values.insert("cart", "an older version had a string here")?;
    /// assert_eq!(values.get_or_remove::<Vec<u64>>("cart"), None);
    /// assert!(!values.contains("cart"));
    /// # Ok::<(), silverback::session::Error>(())
    /// ```
    pub fn get_or_remove<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        self.get(key).unwrap_or_else(|_| {
            self.remove(key);
            None
        })
    }

    /// Returns the value under `key`, as gob.
    pub(super) fn interface(&self, key: &str) -> Option<Interface> {
        match &self.form {
            Form::Flat(map) => map.get(key),
            Form::Keyed(map) => map.get(key).cloned(),
        }
    }

    /// Stores `value` under `key`, and replaces the old value.
    ///
    /// The Go type of the old value stays if the new value fits it: a number by its width, a struct
    /// by its fields, a text of RFC 3339 as a `time.Time`, and the same for the values inside
    /// ([`gob::to_interface_like`]). A new key gets the type that [`gob::to_interface`] gives it:
    /// `i64` is Go's `int64`.
    ///
    /// # Errors
    /// Returns a usage error for:
    /// - a value that cannot be written. Serializers other than gob also refuse a map with keys
    ///   that are not strings, and a number that is not finite;
    /// - the keys `_session` and `_silverback`, which the session uses itself;
    /// - a type that a Go program which reads the session does not know;
    /// - a struct that would [come back changed](Values#how-values-come-back) because a Go program
    ///   reads the session.
    pub fn insert<T: Serialize>(&mut self, key: &str, value: T) -> Result<(), Error> {
        let value = TypedDraft::of(&self.model, key, &value)?;
        self.put(key, &value, false)
    }

    /// Stores a value of exactly this Go type under `key`, whatever was there. Use it for types
    /// that Go programs assert on and serde does not have, such as `int`:
    ///
    /// ```
    /// # let mut values = silverback::session::Values::new();
    /// values.insert_gob("visits", 7_isize)?; // an `int` to Go
    /// assert_eq!(values.get::<u64>("visits")?, Some(7));
    /// # Ok::<(), silverback::session::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns a usage error if the type name does not fit the value, for the keys `_session` and
    /// `_silverback`, and for a type that a Go program which reads the session does not know.
    pub fn insert_gob(&mut self, key: &str, value: impl Into<Interface>) -> Result<(), Error> {
        let value = value.into();
        let alone = Value::slice_of_interfaces([value.clone()]);
        let checked = alone.check();
        checked.map_err(|error| Error::unwritable(key, value.name().to_string_lossy(), error))?;
        self.insert_interface(key, value)
    }

    /// Stores a value in place of the old one: see [`DataModel::place`].
    pub(super) fn put(
        &mut self,
        key: &str,
        value: &TypedDraft,
        keeps_fields: bool,
    ) -> Result<(), Error> {
        let there = self.interface(key);
        let placed = self.model.place(&value.draft, there.as_ref(), keeps_fields);
        let placed = placed.map_err(|error| Error::unwritable(key, value.type_name, error))?;
        self.insert_interface(key, placed)
    }

    /// Stores an interface that was checked before.
    pub(super) fn insert_interface(&mut self, key: &str, value: Interface) -> Result<(), Error> {
        if METADATA.contains(&key) {
            return Err(Error::usage(format!(
                "the key `{key}` is reserved for the session: use another key"
            )));
        }
        if let Some(unknown) = self
            .model
            .known()
            .and_then(|known| known.first_unknown(&value))
        {
            return Err(Error::unknown_to_go(key, &unknown));
        }
        #[cfg(feature = "json")]
        self.texts.forget(key);
        if let Form::Flat(map) = &mut self.form
            && Arc::make_mut(map).insert(key, &value)
        {
            return Ok(());
        }
        self.keyed()?.insert(key.into(), value);
        Ok(())
    }

    /// Returns the map in the form that holds any value.
    fn keyed(&mut self) -> Result<&mut KeyedMap, Error> {
        if let Form::Flat(map) = &self.form {
            // The bytes were checked before, so they can be read back.
            let map = map.to_composite().ok();
            let map = map.and_then(|map| KeyedMap::from_composite(&map));
            let map = map.ok_or_else(|| Error::usage("the session's map cannot be read"))?;
            self.form = Form::Keyed(Arc::new(map));
        }
        match &mut self.form {
            Form::Keyed(map) => Ok(Arc::make_mut(map)),
            Form::Flat(_) => Err(Error::usage("the session's map cannot be read")),
        }
    }

    /// Removes the value under `key`, and returns whether there was one.
    pub fn remove(&mut self, key: &str) -> bool {
        #[cfg(feature = "json")]
        self.texts.forget(key);
        match &mut self.form {
            Form::Flat(map) => Arc::make_mut(map).remove(key),
            Form::Keyed(map) => Arc::make_mut(map).remove(key),
        }
    }

    /// Returns whether there is a value under `key`.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        match &self.form {
            Form::Flat(map) => map.contains(key),
            Form::Keyed(map) => map.get(key).is_some(),
        }
    }

    /// Returns the string keys, in the order of the wire. A Go program may have put values under
    /// other keys, which only [`to_gob`](Values::to_gob) shows.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let (flat, keyed) = match &self.form {
            Form::Flat(map) => (Some(map.keys()), None),
            Form::Keyed(map) => (None, Some(map.entries())),
        };
        let others = keyed.into_iter().flatten();
        let others = others.filter_map(|(key, _)| key.as_string()?.to_str());
        flat.into_iter().flatten().chain(others)
    }

    /// Returns the number of values, under keys of all types.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Flat(map) => map.len(),
            Form::Keyed(map) => map.len(),
        }
    }

    /// Returns the names of all Go types in the session, at any depth, as Go programs register
    /// them. The types of keys are included. A program that reads the session must know each of
    /// them.
    ///
    /// ```
    /// # let mut values = silverback::session::Values::new();
    /// values.insert_gob("seen", silverback::gob::Time::from(std::time::SystemTime::now()))?;
    /// assert!(values.registered_names().contains("time.Time"));
    /// # Ok::<(), silverback::session::Error>(())
    /// ```
    #[must_use]
    pub fn registered_names(&self) -> BTreeSet<String> {
        let map = Value::Composite(self.to_gob());
        let names = map.registered_names();
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }

    /// Returns whether there are no values, under keys of any type.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all values, those under keys that are not strings included.
    pub fn clear(&mut self) {
        *self = Values::of_model(std::mem::take(&mut self.model));
    }

    /// Takes over all values of `others`, which replace values under the same keys.
    pub(super) fn merge(&mut self, others: &Values) -> Result<(), Error> {
        let entries = KeyedMap::from_composite(&others.to_gob());
        let entries = entries.ok_or_else(|| Error::usage("the session's map cannot be read"))?;
        self.model = self.model.knowing_types(others.registered_names());
        self.keyed()?.merge(&entries);
        #[cfg(feature = "json")]
        for key in others.keys() {
            self.texts.take_over(key, &others.texts);
        }
        Ok(())
    }

    /// Returns the map that a Go program would find.
    #[must_use]
    pub fn to_gob(&self) -> Composite {
        self.to_composite(None)
    }

    fn to_composite(&self, more: Option<(&str, Interface)>) -> Composite {
        let flat = match &self.form {
            Form::Flat(map) => map.to_composite().ok(),
            Form::Keyed(map) => return map.to_composite(more),
        };
        // The bytes were checked before, so they can be read back.
        let mut map = flat.unwrap_or_else(Composite::map_of_interfaces);
        if let Some((key, value)) = more {
            let _ = map.insert(key, value);
        }
        map
    }

    /// Reads authentic bytes, and takes out the metadata, which `parse` reads. Returns `None` if
    /// the bytes are not a session.
    pub(super) fn deserialize<M>(
        serializer: &Serializer,
        bytes: Vec<u8>,
        parse: impl Fn(&str) -> Option<M>,
    ) -> Option<(Self, Option<M>)> {
        let values = match serializer {
            Serializer::Gob => Values::from_gob(bytes)?,
            #[cfg(feature = "json")]
            Serializer::Json => Values::from_json(&bytes)?,
            other => Values::from_strings(&other.deserialize::<FromAnyFormat>(&bytes).ok()?.0)?,
        };
        Some(values.take_metadata(parse))
    }

    /// Reads a Go map with string keys, and takes out the metadata, which `parse` reads.
    pub(super) fn from_string_map<M>(
        map: &Value,
        parse: impl Fn(&str) -> Option<M>,
    ) -> Option<(Self, Option<M>)> {
        Some(Values::from_strings(map)?.take_metadata(parse))
    }

    /// Takes out the metadata. A text that `parse` does not read is a Go program's own value, and
    /// stays.
    fn take_metadata<M>(mut self, parse: impl Fn(&str) -> Option<M>) -> (Self, Option<M>) {
        // The second key comes first: if the metadata is there, the value under the first key is a
        // Go program's.
        for key in METADATA.iter().rev() {
            if let Some(metadata) = self.text(key).and_then(&parse) {
                self.remove(key);
                return (self, Some(metadata));
            }
        }
        (self, None)
    }

    /// Returns whether a text under a key of the metadata satisfies `is_such`.
    pub(super) fn has_metadata_text(&self, is_such: impl Fn(&str) -> bool) -> bool {
        let mut texts = METADATA.iter().filter_map(|key| self.text(key));
        texts.any(is_such)
    }

    /// Returns the string under `key`.
    fn text(&self, key: &str) -> Option<&str> {
        match &self.form {
            Form::Flat(map) => map.text(key),
            Form::Keyed(map) => map.get(key)?.as_string()?.to_str(),
        }
    }

    /// Returns the JSON of the value under `key`, or `None` if there is no value, or none that JSON
    /// can hold. A value that was read from JSON and has not changed has the same text as there.
    #[cfg(feature = "json")]
    pub(crate) fn json(&self, key: &str) -> Option<String> {
        let value = Value::Interface(self.interface(key)?);
        self.texts.text_of(key, &value)
    }

    /// Returns the key for the metadata.
    fn metadata_key(&self) -> Result<&'static str, Error> {
        let free = METADATA.into_iter().find(|key| !self.contains(key));
        free.ok_or_else(|| {
            Error::usage(
                "another program has values under both keys `_session` and `_silverback`, and the \
                 session needs one of them: rename a key in that program",
            )
        })
    }

    fn of(form: Form, model: DataModel) -> Self {
        Values {
            form,
            model,
            #[cfg(feature = "json")]
            texts: JsonTexts::default(),
        }
    }

    /// Returns the same values, as a store of that data model loads them.
    pub(super) fn loaded_as(mut self, model: &DataModel) -> Self {
        self.model = match &self.form {
            // They have basic types, which every Go program knows.
            Form::Flat(_) => model.clone(),
            Form::Keyed(_) => model.knowing_types(self.registered_names()),
        };
        self
    }

    fn from_gob(bytes: Vec<u8>) -> Option<Self> {
        let form = match FlatMap::from_vec(bytes) {
            Ok(map) => Form::Flat(Arc::new(map)),
            Err(bytes) => {
                let Value::Composite(map) = Value::from_slice(&bytes).ok()? else {
                    return None;
                };
                Form::Keyed(Arc::new(KeyedMap::from_composite(&map)?))
            }
        };
        Some(Values::of(form, DataModel::default()))
    }

    #[cfg(feature = "json")]
    fn from_json(bytes: &[u8]) -> Option<Self> {
        let (map, texts) = JsonTexts::read(bytes)?;
        let values = Values::of(Form::Keyed(Arc::new(map)), DataModel::default());
        Some(Values { texts, ..values })
    }

    /// Reads the values of a map with string keys.
    fn from_strings(value: &Value) -> Option<Self> {
        let Value::Composite(map) = value else {
            return None;
        };
        let mut values = KeyedMap::default();
        for (key, value) in map.entries() {
            let (Value::String(key), Value::Interface(value)) = (key, value) else {
                return None;
            };
            values.insert(key.clone(), value.clone());
        }
        let form = Form::Keyed(Arc::new(values));
        map.is_map().then(|| Values::of(form, DataModel::default()))
    }

    /// Returns the bytes to be sealed: the values and the metadata.
    pub(super) fn serialize(
        &self,
        serializer: &Serializer,
        metadata: &str,
    ) -> Result<Vec<u8>, Error> {
        let (key, metadata) = (self.metadata_key()?, Interface::from(metadata));
        if let (Serializer::Gob, Form::Flat(map)) = (serializer, &self.form) {
            return Ok(map.to_vec(Some((key, &metadata))));
        }
        let map = self.to_composite(Some((key, metadata)));
        let serialized = match serializer {
            Serializer::Gob => return Ok(Value::Composite(map).to_vec()),
            #[cfg(feature = "json")]
            Serializer::Json => serializer.serialize(&self.texts.with(&map)),
            other => other.serialize(&ToAnyFormat(&Value::Composite(map))),
        };
        serialized.map_err(Error::of_codec)
    }

    /// Returns the entries of a Go map with string keys: the values and the metadata.
    pub(super) fn to_string_entries(
        &self,
        metadata: &str,
    ) -> Result<Vec<(GoString, Interface)>, Error> {
        let no_string =
            || Error::usage("the session has a key that is not a string, which scs cannot read");
        let mut entries = Vec::new();
        for (key, value) in self.to_gob().entries() {
            let (Some(key), Value::Interface(value)) = (key.as_string(), value) else {
                return Err(no_string());
            };
            entries.push((key.clone(), value.clone()));
        }
        entries.push((self.metadata_key()?.into(), Interface::from(metadata)));
        Ok(entries)
    }

    /// Refuses a codec that cannot read the sessions it writes. A codec that cannot seal at the
    /// moment is not refused.
    pub(super) fn check(codec: &dyn Codec, name: &str, now: UnixTime) -> Result<(), Error> {
        let no_session = || {
            Error::usage(
                "the codec's serializer cannot hold a session: use gob, JSON or another \
                 self-describing format; a codec that wraps another one must return its \
                 serializer",
            )
        };
        let (list, half) = (["text"], 0.5);
        let serializer = codec.serializer();
        let mut values = Values::of_model(DataModel::of(&serializer));
        values.insert("list", list)?;
        values.insert("half", half)?;
        let bytes = values.serialize(&serializer, "probe");
        let bytes = bytes.map_err(|error| no_session().with_source(error))?;
        let Ok(cookie) = codec.seal_at(name, &bytes, now) else {
            return Ok(());
        };
        let Ok(opened) = codec.open_at(name, &cookie, now) else {
            return Ok(());
        };
        let serializer = opened.serializer().clone();
        let any_text = |text: &str| Some(text.to_owned());
        let read = Values::deserialize(&serializer, opened.into_value(), any_text);
        let (again, metadata) = read.ok_or_else(no_session)?;
        let is_same = again
            .get::<Vec<String>>("list")?
            .is_some_and(|again| again == list)
            && again.get::<f64>("half")? == Some(half)
            && metadata.as_deref() == Some("probe");
        is_same.then_some(()).ok_or_else(no_session)
    }
}

/// A draft, and the name of the Rust type that it was made from.
pub(super) struct TypedDraft {
    draft: Draft,
    type_name: &'static str,
}

impl TypedDraft {
    /// Makes a draft of a value for `key`.
    pub(super) fn of<T: Serialize>(model: &DataModel, key: &str, value: &T) -> Result<Self, Error> {
        let type_name = type_name::<T>();
        let draft = model.draft(value);
        let draft = draft.map_err(|error| Error::unwritable(key, type_name, error))?;
        Ok(TypedDraft { draft, type_name })
    }

    pub(super) fn draft(&self) -> &Draft {
        &self.draft
    }
}

/// Returns the value under `key` as a `T`, or `None` for the nil interface.
pub(super) fn read<T: DeserializeOwned>(
    key: &str,
    interface: &Interface,
) -> Result<Option<T>, Error> {
    let value = interface.value().map(gob::from_value).transpose();
    value.map_err(|error| Error::wrong_type(key, type_name::<T>(), error))
}

/// Shows the number of values, and no value.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({} entries)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a session of many keys, finding one compares no other key. Counts of allocated bytes
    /// would not show that.
    #[test]
    fn finding_a_key_looks_at_no_other_key() {
        let key = |number: u64| format!("key {number}");
        let mut values = Values::new();
        (0..100).for_each(|number| values.insert(&key(number), number).unwrap());
        gob::KEYS_COMPARED.set(0);
        for number in 0..1_000 {
            values.insert(&key(number), number).unwrap();
            values.insert(&key(number), vec![number]).unwrap();
            assert!(values.contains(&key(number)));
            assert_eq!(
                values.get::<Vec<u64>>(&key(number)).unwrap(),
                Some(vec![number])
            );
        }
        let bytes = values.serialize(&Serializer::Gob, "metadata").unwrap();
        let text = |text: &str| Some(text.to_owned());
        let read = Values::deserialize(&Serializer::Gob, bytes, text).unwrap();
        let (mut values, metadata) = read;
        assert_eq!(metadata.as_deref(), Some("metadata"));
        assert!((0..1_000).all(|number| values.remove(&key(number))));
        assert_eq!((values.len(), gob::KEYS_COMPARED.get()), (0, 0));
        // The same holds for a row of scs.
        let entries = (0..1_000).map(|number| (key(number).into_bytes(), number.into()));
        let map = Value::map_of_strings::<Vec<u8>>(entries);
        let (values, _) = Values::from_string_map(&map, text).unwrap();
        assert_eq!((values.len(), gob::KEYS_COMPARED.get()), (1_000, 0));
    }
}
