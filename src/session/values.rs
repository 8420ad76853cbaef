//! [`Values`]: what a session holds.
//!
//! In memory they are always gob, whatever the codec's serializer is: so everything
//! a Go program put there stays, types and all. As long as they are basic values they
//! stay the bytes they came as. What never lives here: cookies.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, Serializer, UnixTime};
use crate::gob::{self, Composite, FlatMap, GoString, Interface, Value};

use super::Error;
use super::self_describing::{FromAnyFormat, ToAnyFormat};

/// The keys under which a session keeps what it knows of itself: the first that no Go program
/// has a value of its own under.
const METADATA: [&str; 2] = ["_session", "_silverback"];

/// A session's values: any serde types under string keys, and whatever else a Go
/// program put into the `map[interface{}]interface{}`, which stays as it is.
///
/// A clone is cheap: what is inside is shared until it is changed.
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
#[derive(Clone, Default)]
pub struct Values {
    form: Form,
    terms: Terms,
}

/// In what terms a codec's serializer tells values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Terms {
    /// Go's types.
    #[default]
    Gob,
    /// Those that every format has: structs are maps, with all their fields.
    Plain,
}

impl Terms {
    pub(super) fn of(serializer: &Serializer) -> Self {
        match serializer {
            Serializer::Gob => Terms::Gob,
            _ => Terms::Plain,
        }
    }

    /// What a Go interface holds of `value`.
    pub(super) fn interface<T: Serialize>(self, value: &T) -> Result<Interface, Error> {
        let interface = match self {
            Terms::Gob => gob::to_interface(value),
            Terms::Plain => gob::to_plain_interface(value),
        };
        interface.map_err(unwritable)
    }
}

#[derive(Clone)]
enum Form {
    /// Basic values only, as most sessions have.
    Flat(Arc<FlatMap>),
    /// Whatever a Go map can hold.
    Map(Composite),
}

impl Default for Form {
    fn default() -> Self {
        Form::Flat(Arc::default())
    }
}

impl Values {
    /// No values.
    #[must_use]
    pub fn new() -> Self {
        Values::default()
    }

    /// No values yet, told in these terms.
    pub(super) fn in_terms(terms: Terms) -> Self {
        Values::of(Form::default(), terms)
    }

    pub(super) fn terms(&self) -> Terms {
        self.terms
    }

    /// The value under `key`; none if there is none, or a nil interface.
    ///
    /// # Errors
    /// [Wrong type](Error::is_wrong_type), if it is no `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.interface(key).map_or(Ok(None), |value| read(&value))
    }

    /// What is under `key`, as gob.
    pub(super) fn interface(&self, key: &str) -> Option<Interface> {
        match &self.form {
            Form::Flat(map) => map.get(key),
            Form::Map(map) => match map.get(key)? {
                Value::Interface(interface) => Some(interface.clone()),
                _ => None,
            },
        }
    }

    /// Puts `value` under `key`, in place of what was there. Go finds the type that
    /// [`gob::to_interface`] says: `i64` is Go's `int64`.
    ///
    /// In a struct, as in Go, zero and nothing are the same: `Some(0)`, `Some(false)` and
    /// `Some("")` in a field come back as `None`; and an enum with a `#[serde(tag)]`, or
    /// untagged, does not come back with an empty list or map in it. Where the codec's
    /// serializer is JSON or another, all of these come back as they were.
    ///
    /// # Errors
    /// Usage, for a value that cannot be written (under other serializers than gob that is
    /// also a map with keys that are no strings, and a number that is not finite), or the
    /// keys `_session` and `_silverback`, which are the session's own.
    pub fn insert<T: Serialize>(&mut self, key: &str, value: T) -> Result<(), Error> {
        self.insert_interface(key, self.terms.interface(&value)?)
    }

    /// Puts a value of just this Go type under `key`. serde has no word for some that Go
    /// programs assert on, such as `int`:
    ///
    /// ```
    /// # let mut values = silverback::session::Values::new();
    /// values.insert_gob("visits", 7_isize)?; // an `int` to Go
    /// assert_eq!(values.get::<u64>("visits")?, Some(7));
    /// # Ok::<(), silverback::session::Error>(())
    /// ```
    ///
    /// # Errors
    /// Usage, for a type name that does not say what the value is, or the keys `_session` and
    /// `_silverback`.
    pub fn insert_gob(&mut self, key: &str, value: impl Into<Interface>) -> Result<(), Error> {
        let value = value.into();
        let alone = Value::slice_of_interfaces([value.clone()]);
        alone.check().map_err(unwritable)?;
        self.insert_interface(key, value)
    }

    /// The same, of a value that is known to be right.
    pub(super) fn insert_interface(&mut self, key: &str, value: Interface) -> Result<(), Error> {
        if METADATA.contains(&key) {
            return Err(Error::usage(format!(
                "the key `{key}` is the session's own"
            )));
        }
        if let Form::Flat(map) = &mut self.form
            && Arc::make_mut(map).insert(key, &value)
        {
            return Ok(());
        }
        let mut map = self.to_gob();
        map.insert(key, value).map_err(unwritable)?;
        self.form = Form::Map(map);
        Ok(())
    }

    /// Removes what is under `key`, and says whether there was anything.
    pub fn remove(&mut self, key: &str) -> bool {
        match &mut self.form {
            Form::Flat(map) => Arc::make_mut(map).remove(key),
            Form::Map(map) => map.remove(key),
        }
    }

    /// Whether there is anything under `key`.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        match &self.form {
            Form::Flat(map) => map.contains(key),
            Form::Map(map) => map.get(key).is_some(),
        }
    }

    /// The string keys, in the order of the wire. A Go program may have put values under
    /// other keys, which only [`to_gob`](Values::to_gob) shows.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let (flat, map) = match &self.form {
            Form::Flat(map) => (Some(map.keys()), None),
            Form::Map(map) => (None, Some(map.entries())),
        };
        let others = map.into_iter().flatten();
        let others = others.filter_map(|(key, _)| text_of(key));
        flat.into_iter().flatten().chain(others)
    }

    /// How many values there are, under keys of all types.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Flat(map) => map.len(),
            Form::Map(map) => map.entries().count(),
        }
    }

    /// Whether there is nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes everything, also what is under keys that are no strings.
    pub fn clear(&mut self) {
        self.form = Form::default();
    }

    /// The Go map that a Go program would find.
    #[must_use]
    pub fn to_gob(&self) -> Composite {
        match &self.form {
            // It is read back as what it was checked to be.
            Form::Flat(map) => map
                .to_composite()
                .unwrap_or_else(|_| Composite::map_of_interfaces()),
            Form::Map(map) => map.clone(),
        }
    }

    /// Reads authentic bytes, and takes out what the session knows of itself, as `parse`
    /// reads it. None if they hold no session.
    pub(super) fn deserialize<M>(
        serializer: &Serializer,
        bytes: Vec<u8>,
        parse: impl Fn(&str) -> Option<M>,
    ) -> Option<(Self, Option<M>)> {
        let values = match serializer {
            Serializer::Gob => Values::from_gob(bytes)?,
            other => Values::from_strings(&other.deserialize::<FromAnyFormat>(&bytes).ok()?.0)?,
        };
        Some(values.take_metadata(parse))
    }

    /// The same of a Go map with string keys.
    pub(super) fn from_string_map<M>(
        map: &Value,
        parse: impl Fn(&str) -> Option<M>,
    ) -> Option<(Self, Option<M>)> {
        Some(Values::from_strings(map)?.take_metadata(parse))
    }

    /// What `parse` does not read is a Go program's own value, and stays.
    fn take_metadata<M>(mut self, parse: impl Fn(&str) -> Option<M>) -> (Self, Option<M>) {
        // The second key first: what is under the first is then the Go program's.
        for key in METADATA.iter().rev() {
            if let Some(metadata) = self.text(key).and_then(&parse) {
                self.remove(key);
                return (self, Some(metadata));
            }
        }
        (self, None)
    }

    /// The string under `key`.
    fn text(&self, key: &str) -> Option<&str> {
        match &self.form {
            Form::Flat(map) => map.text(key),
            Form::Map(map) => text_of(map.get(key)?),
        }
    }

    /// The key for what the session knows of itself.
    fn metadata_key(&self) -> Result<&'static str, Error> {
        let free = METADATA.into_iter().find(|key| !self.contains(key));
        free.ok_or_else(|| {
            Error::usage(
                "another program has values under the keys `_session` and `_silverback`, of \
                 which the session needs one: rename one there",
            )
        })
    }

    fn of(form: Form, terms: Terms) -> Self {
        Values { form, terms }
    }

    /// The same, to be sealed by a codec that tells values in these terms.
    pub(super) fn told_in(mut self, terms: Terms) -> Self {
        self.terms = terms;
        self
    }

    fn from_gob(bytes: Vec<u8>) -> Option<Self> {
        let bytes = match FlatMap::from_vec(bytes) {
            Ok(map) => return Some(Values::of(Form::Flat(Arc::new(map)), Terms::Gob)),
            Err(bytes) => bytes,
        };
        let Value::Composite(map) = Value::from_slice(&bytes).ok()? else {
            return None;
        };
        let shape = Composite::map_of_interfaces().defined().shape();
        (map.defined().shape() == shape).then(|| Values::of(Form::Map(map), Terms::Gob))
    }

    /// The values of a map with string keys.
    fn from_strings(value: &Value) -> Option<Self> {
        let Value::Composite(map) = value else {
            return None;
        };
        let mut values = Composite::map_of_interfaces();
        for (key, value) in map.entries() {
            let (Value::String(key), Value::Interface(value)) = (key, value) else {
                return None;
            };
            values.insert_string(key.clone(), value.clone()).ok()?;
        }
        map.is_map()
            .then(|| Values::of(Form::Map(values), Terms::Plain))
    }

    /// The bytes to be sealed, with what the session knows of itself.
    pub(super) fn serialize(
        &self,
        serializer: &Serializer,
        metadata: &str,
    ) -> Result<Vec<u8>, Error> {
        let (key, metadata) = (self.metadata_key()?, Interface::from(metadata));
        match (serializer, &self.form) {
            (Serializer::Gob, Form::Flat(map)) => Ok(map.to_vec(Some((key, &metadata)))),
            (serializer, _) => {
                let mut map = self.to_gob();
                map.insert(key, metadata).map_err(unwritable)?;
                let map = Value::Composite(map);
                match serializer {
                    Serializer::Gob => Ok(map.to_vec()),
                    other => other.serialize(&ToAnyFormat(&map)).map_err(Error::of_codec),
                }
            }
        }
    }

    /// The entries of a Go map with string keys, with what the session knows of itself.
    pub(super) fn to_string_entries(
        &self,
        metadata: &str,
    ) -> Result<Vec<(GoString, Interface)>, Error> {
        let no_string = || Error::usage("a session with keys that are no strings is none of scs's");
        let mut entries = Vec::new();
        for (key, value) in self.to_gob().entries() {
            let (Some(key), Value::Interface(value)) = (string_of(key), value) else {
                return Err(no_string());
            };
            entries.push((key.clone(), value.clone()));
        }
        entries.push((self.metadata_key()?.into(), Interface::from(metadata)));
        Ok(entries)
    }

    /// Refuses a codec that writes sessions which it does not read again. One that cannot
    /// seal just now is not refused for that.
    pub(super) fn check(codec: &dyn Codec, name: &str, now: UnixTime) -> Result<(), Error> {
        let no_session = || {
            Error::usage(
                "the codec's serializer cannot hold a session: gob and JSON can, and other \
                 formats that say what they hold; a codec that wraps another one names its \
                 serializer",
            )
        };
        let (list, half) = (["text"], 0.5);
        let serializer = codec.serializer();
        let mut values = Values::in_terms(Terms::of(&serializer));
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

/// The text of a string, or of an interface that holds one.
pub(super) fn text_of(value: &Value) -> Option<&str> {
    string_of(value)?.to_str()
}

/// A Go string, which need not be text.
fn string_of(value: &Value) -> Option<&GoString> {
    match value {
        Value::String(string) => Some(string),
        Value::Interface(interface) => match interface.value() {
            Some(Value::String(string)) if *interface.name() == *"string" => Some(string),
            _ => None,
        },
        _ => None,
    }
}

fn unwritable(error: gob::Error) -> Error {
    Error::usage("the value cannot be serialized").with_source(error)
}

/// A value as a `T`; none for the nil interface.
pub(super) fn read<T: DeserializeOwned>(interface: &Interface) -> Result<Option<T>, Error> {
    let value = interface.value().map(gob::from_value).transpose();
    value.map_err(Error::wrong_type)
}

/// How many values there are, and none of them.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({} entries)", self.len())
    }
}
