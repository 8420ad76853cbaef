//! [`Like`]: JSON as the value that it is the picture of, given the one that was there; and
//! [`of_type`]: values of types by their names.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value as Json;
use silverback::gob::{
    Composite, Int, Interface, SelfEncoded, Shape, Time, Type, Value, is_registered_by_go,
    to_interface, to_interface_like,
};

use super::gob::key_text;

/// `json` as a value of the type that `there` has, if it fits.
pub(super) fn like(there: &Interface, json: &Json) -> Option<Interface> {
    let like = Like {
        json,
        of: there.value()?.value_type(),
        name: there.name().to_str(),
        there: there.value(),
    };
    to_interface_like(there, &like).ok().flatten()
}

/// A value of the type that Go registers as `name`, to be like; none for other names.
pub(super) fn of_type(name: &str) -> Option<Interface> {
    let other = match name {
        "[]byte" => return of_type("[]uint8"),
        "time.Time" => Some(Time::from_unix(0, 0)?.into()),
        "time.Duration" => Some(Interface::of(name, Value::Int(0))),
        "github.com/google/uuid.UUID" => Some(SelfEncoded::uuid([0; 16]).into()),
        "[16]uint8" => Some([0; 16].into()),
        "[]interface {}" => Some(Interface::of(name, Value::slice_of_interfaces([]))),
        "map[string]interface {}" => Some(Interface::of(name, Value::map_of_strings::<&str>([]))),
        _ => None,
    };
    if other.is_some() || !is_registered_by_go(name) {
        return other;
    }
    let of = name.strip_prefix("[]").filter(|_| name != "[]uint8");
    let value = match of.unwrap_or(name) {
        "bool" => Value::Bool(false),
        "string" => Value::String("".into()),
        "[]uint8" => Value::Bytes(Vec::new()),
        of if of.starts_with("int") => Value::Int(0),
        of if of.starts_with("uint") => Value::Uint(0),
        of if of.starts_with("float") => Value::Float(0.0),
        _ if name.starts_with("[]") => return None, // slices of complex numbers
        _ => Value::Complex(0.0, 0.0),
    };
    match of {
        None => Some(Interface::of(name, value)),
        Some(_) => slice_of(&value).map(|slice| Interface::of(name, slice)),
    }
}

/// A slice of values like this one.
fn slice_of(element: &Value) -> Option<Value> {
    let slice = match element {
        Value::Bool(_) => to_interface(&vec![false]),
        Value::Int(_) => to_interface(&vec![0_i64]),
        Value::Uint(_) => to_interface(&vec![0_u64]),
        Value::Float(_) => to_interface(&vec![0.0]),
        _ => to_interface(&vec![""]),
    };
    slice.ok()?.value().cloned()
}

/// JSON, the type that it is to be of, and what was there.
struct Like<'j> {
    json: &'j Json,
    of: Type,
    name: Option<&'j str>,
    there: Option<&'j Value>,
}

impl<'j> Like<'j> {
    /// The same for a part of it.
    fn part(json: &'j Json, of: &Type, there: Option<&'j Value>) -> Like<'j> {
        match (of, there) {
            (Type::Interface, Some(Value::Interface(there))) => Like {
                json,
                of: there.value().map_or(Type::Interface, Value::value_type),
                name: there.name().to_str(),
                there: there.value(),
            },
            _ => Like {
                json,
                of: of.clone(),
                name: None,
                there,
            },
        }
    }

    fn composite(&self) -> Option<&'j Composite> {
        match self.there {
            Some(Value::Composite(composite)) => Some(composite),
            _ => None,
        }
    }

    /// What the picture of bytes stands for: base64, or numbers.
    fn bytes(&self) -> Option<Vec<u8>> {
        match self.json {
            Json::String(text) => STANDARD.decode(text).ok(),
            Json::Array(numbers) => {
                let byte = |number: &Json| u8::try_from(number.as_u64()?).ok();
                numbers.iter().map(byte).collect()
            }
            _ => None,
        }
    }

    fn float(&self) -> Option<f64> {
        float_of(self.json)
    }

    /// What the picture of a type that encodes itself stands for.
    fn self_encoded(&self) -> Option<SelfEncoded> {
        let Type::Defined(of) = &self.of else {
            return None;
        };
        let Shape::SelfEncoder(by) = of.shape() else {
            return None;
        };
        let entries = self.json.as_object()?;
        let bytes = STANDARD.decode(entries.get("$bytes")?.as_str()?).ok()?;
        let name = self.name.or_else(|| entries.get("$type")?.as_str())?;
        SelfEncoded::new(name, by, bytes).ok()
    }
}

fn float_of(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => {
            let float = number.as_f64()?;
            let is_exact = number
                .as_i128()
                .is_none_or(|number| float as i128 == number);
            is_exact.then_some(float)
        }
        Json::String(text) => match &**text {
            "NaN" => Some(f64::NAN),
            "+Inf" => Some(f64::INFINITY),
            "-Inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

impl Serialize for Like<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.of {
            Type::Bytes => {
                if let Some(bytes) = self.bytes() {
                    return serializer.serialize_bytes(&bytes);
                }
            }
            Type::Float => {
                if let Some(float) = self.float() {
                    return serializer.serialize_f64(float);
                }
            }
            Type::Complex => {
                if let Json::Array(parts) = self.json
                    && let [re, im] = &**parts
                    && let (Some(re), Some(im)) = (float_of(re), float_of(im))
                {
                    return (re, im).serialize(serializer);
                }
            }
            Type::Defined(_) => {
                if let Some(encoded) = self.self_encoded() {
                    return encoded.serialize(serializer);
                }
            }
            _ => {}
        }
        match self.json {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(bool) => serializer.serialize_bool(*bool),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(int), _) => Int(int).serialize(serializer),
                (None, Some(uint)) => serializer.serialize_u64(uint),
                (None, None) => serializer.serialize_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => serializer.serialize_str(text),
            Json::Array(elements) => self.serialize_list(elements, serializer),
            Json::Object(entries) => self.serialize_entries(entries, serializer),
        }
    }
}

impl Like<'_> {
    fn serialize_list<S: Serializer>(
        &self,
        elements: &[Json],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let of = match shape(&self.of) {
            Some(Shape::Slice(element) | Shape::Array { element, .. }) => element,
            _ => Type::Interface,
        };
        let there = self.composite().map_or(&[][..], Composite::elements);
        let mut list = serializer.serialize_seq(Some(elements.len()))?;
        for (place, element) in elements.iter().enumerate() {
            list.serialize_element(&Like::part(element, &of, there.get(place)))?;
        }
        list.end()
    }

    fn serialize_entries<S: Serializer>(
        &self,
        entries: &serde_json::Map<String, Json>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let shape = shape(&self.of);
        let mut map = serializer.serialize_map(Some(entries.len()))?;
        for (name, json) in entries {
            let (key, of, there) = match &shape {
                Some(Shape::Map { key, value }) => {
                    let there = self.composite().into_iter().flat_map(Composite::entries);
                    let there = there.into_iter().find(|(key, _)| key_text(key) == *name);
                    let (key_there, there) = there.unzip();
                    (PlainKey::of(name, key, key_there), value.clone(), there)
                }
                Some(Shape::Struct(fields)) => {
                    let of = fields.iter().find(|(field, _)| *field == **name);
                    let of = of.map_or(Type::Interface, |(_, of)| of.clone());
                    let there = self.composite().and_then(|there| there.field(name));
                    (PlainKey::Text(name), of, there)
                }
                _ => (PlainKey::Text(name), Type::Interface, None),
            };
            map.serialize_entry(&key, &Like::part(json, &of, there))?;
        }
        map.end()
    }
}

fn shape(of: &Type) -> Option<Shape> {
    match of {
        Type::Defined(of) => Some(of.shape()),
        _ => None,
    }
}

/// A key of a map, of which JSON has the text only.
enum PlainKey<'j> {
    Text(&'j str),
    Number(i64),
    Bool(bool),
}

impl<'j> PlainKey<'j> {
    fn of(text: &'j str, of: &Type, there: Option<&Value>) -> Self {
        let held = match there {
            Some(Value::Interface(there)) => there.value().map(Value::value_type),
            _ => None,
        };
        let plain = match held.as_ref().unwrap_or(of) {
            Type::Int | Type::Uint => text.parse().ok().map(PlainKey::Number),
            Type::Bool => text.parse().ok().map(PlainKey::Bool),
            _ => None,
        };
        plain.unwrap_or(PlainKey::Text(text))
    }
}

impl Serialize for PlainKey<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            PlainKey::Text(text) => serializer.serialize_str(text),
            PlainKey::Number(number) => serializer.serialize_i64(*number),
            PlainKey::Bool(bool) => serializer.serialize_bool(*bool),
        }
    }
}
