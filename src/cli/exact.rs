//! The exact text of a gob value: JSON that loses nothing, and that `encode --exact` reads back.
//!
//! It differs from the JSON of `decode` where that has less than the value:
//!
//! | JSON | value |
//! |---|---|
//! | `{"$type": T, "$bytes": B}` | a string that is not UTF-8, `[]uint8`, or a type that encodes itself, such as `time.Time`; B is base64 |
//! | `{"$type": T, "$value": J}` | another type that JSON does not imply, such as `int64` |
//! | `{"$type": T, "$gob": B}` | a type of a Go program, such as a struct |
//! | `{"$map": [[K, V], ..]}` | a map with a key that is not UTF-8, or begins with `$` |
//! | `{"$gob": B}` | a whole payload of any other form |
//!
//! Each part is read back before it is written. If it differs, it is written as `$gob`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use silverback::gob::{Composite, GoString, Interface, Shape, Type, Value};

use super::gob;
use super::json_text::parse;
use super::typed_json::{of_type, with_type_of};

/// Values that are nested deeper are written as `$gob`: JSON parsers limit the depth.
const DEEPEST: usize = 50;

/// Returns the exact text of a payload that is a gob value.
pub(super) fn text(value: &Value) -> String {
    let plain = match value {
        Value::Composite(map) => map_text(map, 0),
        Value::Interface(_) => None,
        other => interface_text(&Interface::of(type_name(other), other.clone()), 0),
    };
    let is_exact = |text: &String| {
        parse(text)
            .ok()
            .and_then(|json| self::value(&json))
            .is_some_and(|read| is_same(&read, value))
    };
    plain
        .filter(is_exact)
        .unwrap_or_else(|| json!({"$gob": STANDARD.encode(value.to_vec())}).to_string())
}

/// Returns the registered name of a basic type, as far as the wire has it.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Uint(_) => "uint64",
        Value::Float(_) => "float64",
        Value::Bytes(_) => "[]uint8",
        Value::String(_) => "string",
        _ => "",
    }
}

/// Returns whether two values are the same, whatever the order of their maps.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Interface(one), Value::Interface(other)) => {
            let is_same_value = match (one.value(), other.value()) {
                (Some(one), Some(other)) => is_same(one, other),
                (one, other) => one.is_none() && other.is_none(),
            };
            one.name() == other.name() && is_same_value
        }
        (Value::Composite(one), Value::Composite(other)) if one.is_map() => is_same_map(one, other),
        (Value::Composite(one), Value::Composite(other)) if holds_interfaces(one) => {
            let (elements, others) = (one.elements(), other.elements());
            let mut pairs = elements.iter().zip(others);
            holds_interfaces(other)
                && elements.len() == others.len()
                && pairs.all(|(one, other)| is_same(one, other))
        }
        _ => one.to_vec() == other.to_vec(),
    }
}

fn holds_interfaces(list: &Composite) -> bool {
    matches!(list.defined().shape(), Shape::Slice(Type::Interface))
}

fn is_same_map(one: &Composite, other: &Composite) -> bool {
    let types = |map: &Composite| match map.defined().shape() {
        Shape::Map { key, value } => Some((key, value)),
        _ => None,
    };
    // Only text can be the key of an object, and each only once.
    let entries = |map: &Composite| -> Option<BTreeMap<GoString, Value>> {
        let entry =
            |(key, value): (&Value, &Value)| Some((key.as_string()?.clone(), value.clone()));
        let entries: BTreeMap<_, _> = map.entries().map(entry).collect::<Option<_>>()?;
        (entries.len() == map.entries().count()).then_some(entries)
    };
    let (Some(ones), Some(others)) = (entries(one), entries(other)) else {
        return false;
    };
    let mut pairs = ones.iter().zip(&others);
    types(one) == types(other)
        && ones.len() == others.len()
        && pairs.all(|((key, value), (of, other))| key == of && is_same(value, other))
}

/// Returns the text of a map with interfaces as keys and values, as gorilla's sessions are, or of a
/// map of strings to interfaces.
fn map_text(map: &Composite, depth: usize) -> Option<String> {
    if !map.is_map() || depth > DEEPEST {
        return None;
    }
    let mut entries = Vec::new();
    for (key, value) in map.entries() {
        let Value::Interface(value) = value else {
            return None;
        };
        entries.push((key, interface_text(value, depth)?));
    }
    let name = |key: &Value| {
        key.as_string()?
            .to_str()
            .map(str::to_owned)
            .filter(|name| !name.starts_with('$'))
    };
    let named: Option<Vec<String>> = entries.iter().map(|(key, _)| name(key)).collect();
    if let Some(names) = named {
        let mut parts: Vec<String> = names
            .iter()
            .zip(&entries)
            .map(|(name, (_, value))| format!("{}:{value}", Json::from(&**name)))
            .collect();
        parts.sort();
        return Some(format!("{{{}}}", parts.join(",")));
    }
    let mut pairs = Vec::new();
    for (key, value) in &entries {
        let key = Interface::of("string", Value::String(key.as_string()?.clone()));
        pairs.push(format!("[{},{value}]", interface_text(&key, depth)?));
    }
    pairs.sort();
    Some(format!("{{\"$map\":[{}]}}", pairs.join(",")))
}

/// Returns the text of the content of an interface.
fn interface_text(interface: &Interface, depth: usize) -> Option<String> {
    let Some(value) = interface.value() else {
        return Some("null".to_owned());
    };
    let name = interface.name().to_str()?;
    let typed = |field: &str, json: Json| json!({"$type": name, field: json}).to_string();
    let candidates = [
        plain_text(name, value, depth),
        bytes_of(value).map(|bytes| typed("$bytes", STANDARD.encode(bytes).into())),
        parse(&gob::to_json(value))
            .ok()
            .map(|json| typed("$value", json)),
        Some(typed("$gob", STANDARD.encode(value.to_vec()).into())),
    ];
    candidates.into_iter().flatten().find(|text| {
        let read = parse(text).ok().and_then(|json| self::interface(&json));
        let (read, interface) = (
            read.map(Value::Interface),
            Value::Interface(interface.clone()),
        );
        read.is_some_and(|read| is_same(&read, &interface))
    })
}

/// Returns JSON that implies the type, if there is any.
fn plain_text(name: &str, value: &Value, depth: usize) -> Option<String> {
    match (name, value) {
        ("map[string]interface {}", Value::Composite(map)) => map_text(map, depth + 1),
        ("[]interface {}", Value::Composite(list)) if depth < DEEPEST => {
            let mut elements = Vec::new();
            for element in list.elements() {
                let Value::Interface(element) = element else {
                    return None;
                };
                elements.push(interface_text(element, depth + 1)?);
            }
            Some(format!("[{}]", elements.join(",")))
        }
        (_, Value::Composite(_)) => None,
        _ => Some(gob::to_json(value)),
    }
}

fn bytes_of(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) | Value::SelfEncoded(_, bytes) => Some(bytes),
        Value::String(string) => Some(string.as_bytes()),
        _ => None,
    }
}

/// Returns the value of an exact text, or `None` if it is not one.
pub(super) fn value(json: &Json) -> Option<Value> {
    match json {
        Json::Object(entries) if entries.len() == 1 && entries.contains_key("$gob") => {
            Value::from_slice(&decoded(entries.get("$gob")?)?).ok()
        }
        Json::Object(entries) if !entries.contains_key("$type") => {
            Some(Value::map_of_interfaces(entries_of(entries)?))
        }
        other => interface(other)?.value().cloned(),
    }
}

fn decoded(json: &Json) -> Option<Vec<u8>> {
    STANDARD.decode(json.as_str()?).ok()
}

/// Returns the entries of a `$map`.
fn pairs(json: &Json) -> Option<Vec<(GoString, Interface)>> {
    let pair = |pair: &Json| {
        let [key, value] = pair.as_array()?.as_slice() else {
            return None;
        };
        let key = interface(key)?.value()?.as_string()?.clone();
        Some((key, interface(value)?))
    };
    json.as_array()?.iter().map(pair).collect()
}

/// Returns the entries of an object.
fn entries_of(entries: &serde_json::Map<String, Json>) -> Option<Vec<(GoString, Interface)>> {
    if let (1, Some(map)) = (entries.len(), entries.get("$map")) {
        return pairs(map);
    }
    let entry = |(key, json): (&String, &Json)| Some((key.as_str().into(), interface(json)?));
    entries.iter().map(entry).collect()
}

fn interface(json: &Json) -> Option<Interface> {
    match json {
        Json::Array(elements) => {
            let elements: Option<Vec<_>> = elements.iter().map(interface).collect();
            Some(Interface::of(
                "[]interface {}",
                Value::slice_of_interfaces(elements?),
            ))
        }
        Json::Object(entries) => match entries.get("$type") {
            Some(name) => typed(name.as_str()?, entries),
            None => {
                let map = Value::map_of_strings(entries_of(entries)?);
                Some(Interface::of("map[string]interface {}", map))
            }
        },
        other => Some(gob::interface(other)),
    }
}

fn typed(name: &str, entries: &serde_json::Map<String, Json>) -> Option<Interface> {
    if let Some(json) = entries.get("$value") {
        return with_type_of(&of_type(name)?, json);
    }
    if let Some(gob) = entries.get("$gob") {
        return Some(Interface::of(name, Value::from_slice(&decoded(gob)?).ok()?));
    }
    let bytes = decoded(entries.get("$bytes")?)?;
    match of_type(name)?.value()? {
        Value::String(_) => Some(Interface::of(name, Value::String(bytes.into()))),
        Value::Bytes(_) => Some(Interface::of(name, Value::Bytes(bytes))),
        Value::SelfEncoded(of, _) => {
            Some(Interface::of(name, Value::SelfEncoded(of.clone(), bytes)))
        }
        _ => None,
    }
}
