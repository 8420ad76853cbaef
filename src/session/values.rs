//! [`Values`]: what a session holds.
//!
//! In memory they are always gob, whatever the codec's serializer is: so everything
//! a Go program put there stays, types and all. What never lives here: cookies.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::Serializer;
use crate::gob::{self, Composite, Interface, Value};

use super::Error;
use super::self_describing::{FromAnyFormat, ToAnyFormat};

/// The key under which a session keeps what it knows of itself.
const METADATA: &str = "_session";

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
#[derive(Clone)]
pub struct Values(Composite);

impl Values {
    /// No values.
    #[must_use]
    pub fn new() -> Self {
        Values(Composite::map_of_interfaces())
    }

    /// The value under `key`; none if there is none, or a nil interface.
    ///
    /// # Errors
    /// [Wrong type](Error::is_wrong_type), if it is no `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.value(key).map_or(Ok(None), read)
    }

    /// What is under `key`, as gob.
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Puts `value` under `key`, in place of what was there. Go finds the type that
    /// [`gob::to_interface`] says: `i64` is Go's `int64`.
    ///
    /// # Errors
    /// Usage, for a value gob cannot hold, or the key `_session`, which is the
    /// session's own.
    pub fn insert<T: Serialize>(&mut self, key: &str, value: T) -> Result<(), Error> {
        self.insert_interface(key, to_interface(&value)?)
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
    /// Usage, for a type name that does not say what the value is, or the key `_session`.
    pub fn insert_gob(&mut self, key: &str, value: impl Into<Interface>) -> Result<(), Error> {
        let value = value.into();
        let alone = Value::slice_of_interfaces([value.clone()]);
        alone.check().map_err(unwritable)?;
        self.insert_interface(key, value)
    }

    /// The same, of a value that is known to be right.
    pub(super) fn insert_interface(&mut self, key: &str, value: Interface) -> Result<(), Error> {
        if key == METADATA {
            return Err(Error::usage("the key `_session` is the session's own"));
        }
        self.0.insert(key, value).map_err(unwritable)
    }

    /// Removes what is under `key`, and says whether there was anything.
    pub fn remove(&mut self, key: &str) -> bool {
        key != METADATA && self.0.remove(key)
    }

    /// Whether there is anything under `key`.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.0.get(key).is_some()
    }

    /// The string keys. A Go program may have put values under other keys, which only
    /// [`as_gob`](Values::as_gob) shows.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.entries().filter_map(|(key, _)| text_of(key))
    }

    /// Whether there is nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries().next().is_none()
    }

    /// Removes everything, also what is under keys that are no strings.
    pub fn clear(&mut self) {
        *self = Values::new();
    }

    /// The Go map itself.
    #[must_use]
    pub fn as_gob(&self) -> &Composite {
        &self.0
    }

    /// Reads authentic bytes, and takes out what the session knows of itself. None if
    /// they hold no session.
    pub(super) fn deserialize(
        serializer: &Serializer,
        bytes: &[u8],
    ) -> Option<(Self, Option<String>)> {
        let value = match serializer {
            Serializer::Gob => Value::from_slice(bytes).ok()?,
            other => other.deserialize::<FromAnyFormat>(bytes).ok()?.0,
        };
        let Value::Composite(map) = value else {
            return None;
        };
        let mut values = Values::new();
        if map.defined().shape() == values.0.defined().shape() {
            values.0 = map;
        } else if let Serializer::Gob = serializer {
            return None;
        } else {
            values.adopt(&map)?;
        }
        let Some(metadata) = values.0.get(METADATA) else {
            return Some((values, None));
        };
        let metadata = text_of(metadata)?.to_owned();
        values.0.remove(METADATA);
        Some((values, Some(metadata)))
    }

    /// Takes over the entries of a map with string keys.
    fn adopt(&mut self, map: &Composite) -> Option<()> {
        for (key, value) in map.entries() {
            let (Value::String(key), Value::Interface(value)) = (key, value) else {
                return None;
            };
            self.0.insert(key.to_str()?, value.clone()).ok()?;
        }
        map.is_map().then_some(())
    }

    /// The bytes to be sealed, with what the session knows of itself.
    pub(super) fn serialize(
        &self,
        serializer: &Serializer,
        metadata: &str,
    ) -> Result<Vec<u8>, Error> {
        let mut map = self.0.clone();
        map.insert(METADATA, metadata.into()).map_err(unwritable)?;
        let map = Value::Composite(map);
        match serializer {
            Serializer::Gob => Ok(map.to_vec()),
            other => other.serialize(&ToAnyFormat(&map)).map_err(Error::of_codec),
        }
    }

    /// Whether a session's values can be written and read again by `serializer`.
    pub(super) fn check(serializer: &Serializer) -> Result<(), Error> {
        let probe = || -> Option<bool> {
            let mut values = Values::new();
            values.insert("list", ["text"]).ok()?;
            let bytes = values.serialize(serializer, "probe").ok()?;
            let (again, metadata) = Values::deserialize(serializer, &bytes)?;
            let list: Option<Vec<String>> = again.get("list").ok()?;
            Some(list? == ["text"] && metadata? == "probe")
        };
        match probe() {
            Some(true) => Ok(()),
            _ => Err(Error::usage(
                "the codec's serializer cannot hold a session: gob and JSON can, and other \
                 formats that say what they hold",
            )),
        }
    }
}

/// The text that a Go interface holds.
fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::Interface(interface) if *interface.name() == *"string" => match interface.value() {
            Some(Value::String(text)) => text.to_str(),
            _ => None,
        },
        _ => None,
    }
}

/// What a Go interface holds of `value`.
pub(super) fn to_interface<T: Serialize>(value: &T) -> Result<Interface, Error> {
    gob::to_interface(value).map_err(unwritable)
}

fn unwritable(error: gob::Error) -> Error {
    Error::usage("the value cannot be serialized").with_source(error)
}

/// A value as a `T`; none for the nil interface.
pub(super) fn read<T: DeserializeOwned>(value: &Value) -> Result<Option<T>, Error> {
    match value {
        Value::Interface(interface) if interface.value().is_none() => Ok(None),
        value => gob::from_value(value).map(Some).map_err(Error::wrong_type),
    }
}

impl Default for Values {
    fn default() -> Self {
        Values::new()
    }
}

/// How many values there are, and none of them.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({} entries)", self.0.entries().count())
    }
}
