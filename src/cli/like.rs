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

use super::gob::{go_float, is_single, key_text};

/// `json` as a value of the type that `there` has, if it fits.
pub(super) fn like(there: &Interface, json: &Json) -> Option<Interface> {
    there.value()?;
    to_interface_like(there, &Like::in_interface(json, there))
        .ok()
        .flatten()
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
    /// Whether its floats have 32 bits, as far as a name says so.
    is_single: bool,
    there: Option<&'j Value>,
}

impl<'j> Like<'j> {
    /// JSON for what an interface holds.
    fn in_interface(json: &'j Json, there: &'j Interface) -> Like<'j> {
        let name = there.name().to_str();
        Like {
            json,
            of: there.value().map_or(Type::Interface, Value::value_type),
            name,
            is_single: name.is_some_and(is_single),
            there: there.value(),
        }
    }

    /// JSON for a part of a value.
    fn part(json: &'j Json, of: &Type, there: Option<&'j Value>, is_single: bool) -> Like<'j> {
        match (of, there) {
            (Type::Interface, Some(Value::Interface(there))) => Like::in_interface(json, there),
            _ => Like {
                json,
                of: of.clone(),
                name: None,
                is_single,
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

    /// A float; one of 32 bits by the digits that are its shortest.
    fn float(&self, json: &Json) -> Option<f64> {
        let float = float_of(json)?;
        let single = float as f32;
        let is_shortest = single.to_string().parse() == Ok(float);
        match self.is_single && is_shortest {
            true => Some(single.into()),
            false => Some(float),
        }
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
            // A large float is printed with zeros for the digits that it does not need.
            let is_printed_so = || go_float(float) == number.to_string();
            (is_exact || is_printed_so()).then_some(float)
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
                if let Some(float) = self.float(self.json) {
                    return serializer.serialize_f64(float);
                }
            }
            Type::Complex => {
                if let Json::Array(parts) = self.json
                    && let [re, im] = &**parts
                    && let (Some(re), Some(im)) = (self.float(re), self.float(im))
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
            list.serialize_element(&Like::part(element, &of, there.get(place), self.is_single))?;
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
            let (key, of, there, is_single) = match &shape {
                Some(Shape::Map { key, value }) => {
                    let there = self.composite().into_iter().flat_map(Composite::entries);
                    let there = there.into_iter().find(|(key, _)| key_text(key) == *name);
                    let (key_there, there) = there.unzip();
                    let key = MapKey::of(name, key, key_there);
                    (key, value.clone(), there, self.is_single)
                }
                Some(Shape::Struct(fields)) => {
                    let of = fields.iter().find(|(field, _)| *field == **name);
                    let of = of.map_or(Type::Interface, |(_, of)| of.clone());
                    let there = self.composite().and_then(|there| there.field(name));
                    (MapKey::Text(name), of, there, false)
                }
                _ => (MapKey::Text(name), Type::Interface, None, false),
            };
            map.serialize_entry(&key, &Like::part(json, &of, there, is_single))?;
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

/// A key of a map, of which JSON has the text only: a string, or the picture of another type.
enum MapKey<'j> {
    Text(&'j str),
    Other(Json, Type),
}

impl<'j> MapKey<'j> {
    fn of(text: &'j str, of: &Type, there: Option<&Value>) -> Self {
        let held = match there {
            Some(Value::Interface(there)) => there.value().map(Value::value_type),
            _ => None,
        };
        let of = held.unwrap_or_else(|| of.clone());
        match (&of, super::gob::parse(text)) {
            (Type::String | Type::Interface, _) | (_, Err(_)) => MapKey::Text(text),
            (_, Ok(json)) => MapKey::Other(json, of),
        }
    }
}

impl Serialize for MapKey<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            MapKey::Text(text) => serializer.serialize_str(text),
            MapKey::Other(json, of) => Like::part(json, of, None, false).serialize(serializer),
        }
    }
}
