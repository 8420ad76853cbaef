//! Values in self-describing formats other than gob, such as JSON: the conversion between
//! [`gob::Value`](crate::gob::Value) and serde.
//!
//! These formats have only simple types: Go's structs and maps become maps, and integers of all
//! widths become integers. A value that a format cannot express is refused, not changed.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::gob::{Composite, GoString, Interface, Time, Value};

/// The deepest nesting of values that is written. For reading, the format must have its own limit,
/// as JSON's reader does.
const DEEPEST: usize = 128;

/// A value that can be written in any format.
pub(super) struct ToAnyFormat<'v>(pub(super) &'v Value);

/// A value that was read from any format. Maps become `map[string]interface {}`, lists become
/// `[]interface {}`, and integers become Go's `int` if they fit.
pub(super) struct FromAnyFormat(pub(super) Value);

impl Serialize for ToAnyFormat<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Part(self.0, DEEPEST).serialize(serializer)
    }
}

/// A part of a value, and how many more levels it may have.
pub(super) struct Part<'v>(&'v Value, usize);

impl<'v> Part<'v> {
    /// Returns a value of the outermost map.
    #[cfg(feature = "json")]
    pub(super) fn entry(value: &'v Value) -> Self {
        Part(value, DEEPEST - 1)
    }
}

/// Returns the key of an entry as text.
pub(super) fn text_key<E: serde::ser::Error>(key: &Value) -> Result<&str, E> {
    let text = key.as_string().and_then(GoString::to_str);
    text.ok_or_else(|| E::custom("a map key is not a string, which only gob can hold"))
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Part(value, depth) = *self;
        let Some(deeper) = depth.checked_sub(1) else {
            return Err(S::Error::custom("the values are nested too deep"));
        };
        match value {
            Value::Bool(bool) => serializer.serialize_bool(*bool),
            Value::Int(int) => serializer.serialize_i64(*int),
            Value::Uint(uint) => serializer.serialize_u64(*uint),
            Value::Float(float) if float.is_finite() => serializer.serialize_f64(*float),
            Value::Float(_) => Err(S::Error::custom(
                "a number is not finite, which only gob can hold",
            )),
            Value::Complex(re, im) => [*re, *im].serialize(serializer),
            Value::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Value::String(string) => write_string(string, serializer),
            Value::Interface(interface) => match interface.value() {
                // The interface itself is not a level in the format.
                Some(held) => Part(held, depth).serialize(serializer),
                None => serializer.serialize_unit(),
            },
            Value::SelfEncoded(..) => match Time::of(value) {
                Some(time) => serializer.serialize_str(&time.to_string()),
                None => Err(S::Error::custom(
                    "a Go type encodes itself, which only gob can hold",
                )),
            },
            Value::Composite(composite) => write_composite(composite, deeper, serializer),
        }
    }
}

fn write_string<S: Serializer>(string: &GoString, serializer: S) -> Result<S::Ok, S::Error> {
    match string.to_str() {
        Some(text) => serializer.serialize_str(text),
        None => Err(S::Error::custom(
            "a Go string is not UTF-8, which only gob can hold",
        )),
    }
}

fn write_composite<S: Serializer>(
    composite: &Composite,
    deeper: usize,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if composite.is_sequence() {
        let elements = composite.elements();
        let mut sequence = serializer.serialize_seq(Some(elements.len()))?;
        for element in elements {
            sequence.serialize_element(&Part(element, deeper))?;
        }
        return sequence.end();
    }
    let length = composite.entries().count() + composite.fields().count();
    let mut map = serializer.serialize_map(Some(length))?;
    for (key, value) in composite.entries() {
        map.serialize_entry(text_key(key)?, &Part(value, deeper))?;
    }
    for (name, value) in composite.fields() {
        map.serialize_entry(&name.to_string_lossy(), &Part(value, deeper))?;
    }
    map.end()
}

/// Reads one JSON value. Returns `None` if no Rust type can hold it.
#[cfg(feature = "json")]
pub(super) fn interface_from_json(text: &str) -> Option<Interface> {
    let Anything(interface) = serde_json::from_str(text).ok()?;
    Some(interface)
}

impl<'de> Deserialize<'de> for FromAnyFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let interface = deserializer.deserialize_any(Reader)?;
        let value = interface.value().cloned();
        value
            .map(FromAnyFormat)
            .ok_or_else(|| D::Error::custom("the value is missing"))
    }
}

/// Any value, as the content of a Go interface.
struct Anything(Interface);

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Anything)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Interface;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a session's value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Interface, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Interface, E> {
        Ok(Interface::of("int", Value::Int(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Interface, E> {
        match i64::try_from(value) {
            Ok(value) => Ok(Interface::of("int", Value::Int(value))),
            Err(_) => Ok(value.into()),
        }
    }

    fn visit_f64<E>(self, value: f64) -> Result<Interface, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Interface, E> {
        Ok(value.into())
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Interface, E> {
        Ok(value.to_vec().into())
    }

    fn visit_unit<E>(self) -> Result<Interface, E> {
        Ok(Interface::nil())
    }

    fn visit_none<E>(self) -> Result<Interface, E> {
        Ok(Interface::nil())
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Interface, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Interface, A::Error> {
        let mut list = Vec::new();
        while let Some(Anything(element)) = elements.next_element()? {
            list.push(element);
        }
        let list = Value::slice_of_interfaces(list);
        Ok(Interface::of("[]interface {}", list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Interface, A::Error> {
        let mut map = Vec::new();
        while let Some((key, Anything(value))) = entries.next_entry::<String, _>()? {
            map.push((key.into_bytes(), value));
        }
        let map = Value::map_of_strings(map);
        Ok(Interface::of("map[string]interface {}", map))
    }
}
