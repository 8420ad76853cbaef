//! The changes of `silverback edit` to a map in gob. A value keeps its Go type if the new JSON
//! fits that type.

use std::collections::HashSet;

use serde_json::Value as Json;
use silverback::codec::Error;
use silverback::gob::{Composite, GoString, Interface, Value};

use super::failure::report;
use super::{gob, typed_json};

/// Sets a key of a map. `of` is the name of its type, if one is given.
pub(super) fn set(
    map: &mut Composite,
    key: &str,
    of: Option<&str>,
    json: &Json,
) -> Result<(), Error> {
    let place = find(map, key)?;
    let existing = place.and_then(|place| map.entries().nth(place));
    let existing = existing.map(|(_, value)| match value {
        Value::Interface(existing) => existing.clone(),
        typed => Interface::of("", typed.clone()),
    });
    let known: HashSet<GoString> = registered_names(map).cloned().collect();
    let value = match of {
        Some(name) => typed_value(key, name, json)?,
        None => {
            let fitted = existing.as_ref();
            let fitted = fitted.and_then(|existing| typed_json::with_type_of(existing, json));
            fitted.unwrap_or_else(|| new_type(key, existing.as_ref(), json))
        }
    };
    // If the map's values are of one concrete type, the value has no name.
    let is_new = |name: &&GoString| !name.as_bytes().is_empty() && !known.contains(*name);
    let names = value.registered_names().filter(is_new);
    gob::report_unregistered(&format!("key {key:?}"), names);
    let done = match place {
        Some(place) => map.set_entry(place, value),
        None => map.insert(key, value),
    };
    done.map_err(|error| Error::usage(format!("key {key:?}: {error}")))
}

fn registered_names(map: &Composite) -> impl Iterator<Item = &GoString> {
    let parts = map.entries().flat_map(|(key, value)| [key, value]);
    parts.flat_map(Value::registered_names)
}

fn typed_value(key: &str, name: &str, json: &Json) -> Result<Interface, Error> {
    let value = typed_json::of_type(name).and_then(|of| typed_json::with_type_of(&of, json));
    value.ok_or_else(|| {
        Error::usage(format!(
            "the value set for key {key:?} is not a valid {name}"
        ))
    })
}

/// Returns the value with a new type, and reports that type.
fn new_type(key: &str, existing: Option<&Interface>, json: &Json) -> Interface {
    let value = gob::interface(json);
    let name = |interface: &Interface| match interface.value() {
        None => "nil".to_owned(),
        Some(_) => interface.name().to_string_lossy().into_owned(),
    };
    match existing {
        None => report(format_args!(
            "silverback: key {key:?} is new; its type is {}",
            name(&value)
        )),
        Some(existing) if existing.name() != value.name() => report(format_args!(
            "silverback: key {key:?} had type {}, which cannot hold the value; its type is now {}",
            name(existing),
            name(&value)
        )),
        Some(_) => {}
    }
    value
}

/// Removes a key of a map, or reports that there is no such key.
pub(super) fn unset(map: &mut Composite, key: &str) -> Result<(), Error> {
    match find(map, key)? {
        Some(place) if map.get(key).is_none() => drop(map.remove_entry(place)),
        Some(_) => drop(map.remove(key)),
        None => report(format_args!("silverback: the cookie has no key {key:?}")),
    }
    Ok(())
}

/// Finds the place of a key: the string `key`; or else a key that `decode` prints as `key`, or
/// that is `key` with its type, as in `int(5)`.
fn find(map: &Composite, key: &str) -> Result<Option<usize>, Error> {
    let string = map
        .entries()
        .enumerate()
        .filter(|(_, (of, _))| of.as_string().is_some_and(|text| *text == *key));
    if let Some((place, _)) = string.last() {
        return Ok(Some(place));
    }
    let others: Vec<(usize, String)> = map
        .entries()
        .enumerate()
        .filter(|(_, (of, _))| gob::key_text(of) == *key || with_type(of) == *key)
        .map(|(place, (of, _))| (place, with_type(of)))
        .collect();
    match &*others {
        [] => Ok(None),
        [(place, _)] => Ok(Some(*place)),
        several => {
            let names: Vec<&str> = several.iter().map(|(_, name)| &**name).collect();
            Err(Error::usage(format!(
                "several keys are printed as {key:?}: write {}",
                names.join(" or ")
            )))
        }
    }
}

/// Returns the type and the text of a key: `int(5)`.
fn with_type(of: &Value) -> String {
    let name = match of {
        Value::Interface(interface) => interface.name().to_string_lossy(),
        _ => "".into(),
    };
    format!("{name}({})", gob::key_text(of))
}
