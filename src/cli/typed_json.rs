//! [`TypedJson`]: converts JSON to a gob value with the Go type of an existing value. It reads
//! JSON as `decode` prints it. [`of_type`] returns a value of a type by its name.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value as Json;
use silverback::gob::{
    Composite, Int, Interface, SelfEncoded, Shape, Time, Type, Value, is_registered_by_go,
    to_interface, to_interface_like,
};

use super::gob::{has_32_bit_floats, key_text};
use super::json_text::{go_float, parse};

/// Returns `json` as a value with the type of `existing`, or `None` if it does not fit.
pub(super) fn with_type_of(existing: &Interface, json: &Json) -> Option<Interface> {
    existing.value()?;
    to_interface_like(existing, &TypedJson::in_interface(json, existing))
        .ok()
        .flatten()
}

/// Returns any value of the type that Go registers as `name`, or `None` if the name is not
/// supported.
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

/// Returns a slice with elements of the type of `element`.
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

/// JSON, the Go type that it must get, and the existing value.
struct TypedJson<'j> {
    json: &'j Json,
    of: Type,
    /// The registered name of the type, if known.
    name: Option<&'j str>,
    /// The registered name shows that the floats have 32 bits.
    has_32_bit_floats: bool,
    existing: Option<&'j Value>,
}

impl<'j> TypedJson<'j> {
    /// Types JSON as the content of an interface.
    fn in_interface(json: &'j Json, existing: &'j Interface) -> TypedJson<'j> {
        let name = existing.name().to_str();
        TypedJson {
            json,
            of: existing.value().map_or(Type::Interface, Value::value_type),
            name,
            has_32_bit_floats: name.is_some_and(has_32_bit_floats),
            existing: existing.value(),
        }
    }

    /// Types JSON as a part of a value.
    fn part(
        json: &'j Json,
        of: &Type,
        existing: Option<&'j Value>,
        has_32_bit_floats: bool,
    ) -> TypedJson<'j> {
        match (of, existing) {
            (Type::Interface, Some(Value::Interface(existing))) => {
                TypedJson::in_interface(json, existing)
            }
            _ => TypedJson {
                json,
                of: of.clone(),
                name: None,
                has_32_bit_floats,
                existing,
            },
        }
    }

    fn composite(&self) -> Option<&'j Composite> {
        match self.existing {
            Some(Value::Composite(composite)) => Some(composite),
            _ => None,
        }
    }

    /// Reads bytes from base64, or from a list of numbers.
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

    /// Reads a float. A float of 32 bits is read from its shortest digits, as `decode` prints it.
    fn float(&self, json: &Json) -> Option<f64> {
        let float = float_of(json)?;
        let single = float as f32;
        let is_shortest = single.to_string().parse() == Ok(float);
        match self.has_32_bit_floats && is_shortest {
            true => Some(single.into()),
            false => Some(float),
        }
    }

    /// Reads a value of a type that encodes itself, from `$type` and `$bytes`.
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
            // Go prints a large float with zeros in place of digits that it does not need.
            let is_printed_form = || go_float(float) == number.to_string();
            (is_exact || is_printed_form()).then_some(float)
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

impl Serialize for TypedJson<'_> {
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

impl TypedJson<'_> {
    fn serialize_list<S: Serializer>(
        &self,
        elements: &[Json],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let of = match shape(&self.of) {
            Some(Shape::Slice(element) | Shape::Array { element, .. }) => element,
            _ => Type::Interface,
        };
        let existing = self.composite().map_or(&[][..], Composite::elements);
        let is_single = self.has_32_bit_floats;
        let mut list = serializer.serialize_seq(Some(elements.len()))?;
        for (place, element) in elements.iter().enumerate() {
            let part = TypedJson::part(element, &of, existing.get(place), is_single);
            list.serialize_element(&part)?;
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
            let (key, of, existing, is_single) = match &shape {
                Some(Shape::Map { key, value }) => {
                    let mut entries = self.composite().into_iter().flat_map(Composite::entries);
                    let entry = entries.find(|(key, _)| key_text(key) == *name);
                    let (existing_key, existing) = entry.unzip();
                    let key = MapKey::of(name, key, existing_key);
                    (key, value.clone(), existing, self.has_32_bit_floats)
                }
                Some(Shape::Struct(fields)) => {
                    let of = fields.iter().find(|(field, _)| *field == **name);
                    let of = of.map_or(Type::Interface, |(_, of)| of.clone());
                    let existing = self.composite().and_then(|existing| existing.field(name));
                    (MapKey::Text(name), of, existing, false)
                }
                _ => (MapKey::Text(name), Type::Interface, None, false),
            };
            map.serialize_entry(&key, &TypedJson::part(json, &of, existing, is_single))?;
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

/// A key of a map. JSON has only its text: a string, or the JSON form of another type.
enum MapKey<'j> {
    Text(&'j str),
    Other(Json, Type),
}

impl<'j> MapKey<'j> {
    fn of(text: &'j str, of: &Type, existing: Option<&Value>) -> Self {
        let held = match existing {
            Some(Value::Interface(existing)) => existing.value().map(Value::value_type),
            _ => None,
        };
        let of = held.unwrap_or_else(|| of.clone());
        match (&of, parse(text)) {
            (Type::String | Type::Interface, _) | (_, Err(_)) => MapKey::Text(text),
            (_, Ok(json)) => MapKey::Other(json, of),
        }
    }
}

impl Serialize for MapKey<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            MapKey::Text(text) => serializer.serialize_str(text),
            MapKey::Other(json, of) => TypedJson::part(json, of, None, false).serialize(serializer),
        }
    }
}
