//! What `silverback edit` does to a map in gob: each value keeps the Go type that is there,
//! where the JSON fits it.

use std::collections::HashSet;

use serde_json::Value as Json;
use silverback::codec::Error;
use silverback::gob::{Composite, GoString, Interface, Value};

use super::{gob, like, tell};

/// Sets a key of a map; `of` names its type.
pub(super) fn set(
    map: &mut Composite,
    key: &str,
    of: Option<&str>,
    json: &Json,
) -> Result<(), Error> {
    let place = find(map, key)?;
    let there = place.and_then(|place| map.entries().nth(place));
    let there = there.map(|(_, value)| match value {
        Value::Interface(there) => there.clone(),
        typed => Interface::of("", typed.clone()),
    });
    let known: HashSet<GoString> = registered_names(map).cloned().collect();
    let value = match of {
        Some(name) => typed(key, name, json)?,
        None => match there.as_ref().and_then(|there| like::like(there, json)) {
            Some(fitted) => fitted,
            None => new_type(key, there.as_ref(), json),
        },
    };
    // In a map of one type the value has no name.
    let is_new = |name: &&GoString| !name.as_bytes().is_empty() && !known.contains(*name);
    let names = value.registered_names().filter(is_new);
    gob::tell_unregistered(&format!("key {key:?}"), names);
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

fn typed(key: &str, name: &str, json: &Json) -> Result<Interface, Error> {
    let like = like::of_type(name).and_then(|of| like::like(&of, json));
    like.ok_or_else(|| Error::usage(format!("the value set for key {key:?} is no {name}")))
}

/// A value whose type is another than was there, or the first.
fn new_type(key: &str, there: Option<&Interface>, json: &Json) -> Interface {
    let value = gob::interface(json);
    let name = |interface: &Interface| match interface.value() {
        None => "nil".to_owned(),
        Some(_) => interface.name().to_string_lossy().into_owned(),
    };
    match there {
        None => tell(format_args!(
            "silverback: key {key:?} is new; its type is {}",
            name(&value)
        )),
        Some(there) if there.name() != value.name() => tell(format_args!(
            "silverback: key {key:?} was {}, which the value does not fit; it is {} now",
            name(there),
            name(&value)
        )),
        Some(_) => {}
    }
    value
}

/// Removes a key of a map, and says if it is not there.
pub(super) fn unset(map: &mut Composite, key: &str) -> Result<(), Error> {
    match find(map, key)? {
        Some(place) if map.get(key).is_none() => drop(map.remove_entry(place)),
        Some(_) => drop(map.remove(key)),
        None => tell(format_args!("silverback: there is no key {key:?}")),
    }
    Ok(())
}

/// The place of a key: a string; or else the one that `decode` shows so, or that is so with
/// its type, as in `int(5)`.
fn find(map: &Composite, key: &str) -> Result<Option<usize>, Error> {
    let string = map
        .entries()
        .enumerate()
        .filter(|(_, (of, _))| is_string(of, key));
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
                "several keys look like {key:?}: say which, {}",
                names.join(" or ")
            )))
        }
    }
}

fn is_string(of: &Value, key: &str) -> bool {
    match of {
        Value::String(string) => *string == *key,
        Value::Interface(interface) if *interface.name() == *"string" => {
            matches!(interface.value(), Some(Value::String(string)) if *string == *key)
        }
        _ => false,
    }
}

/// A key as its type and its text: `int(5)`.
fn with_type(of: &Value) -> String {
    let name = match of {
        Value::Interface(interface) => interface.name().to_string_lossy(),
        _ => "".into(),
    };
    format!("{name}({})", gob::key_text(of))
}
