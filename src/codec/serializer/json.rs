//! JSON, by serde_json.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Error, unreadable, unwritable};

pub(super) fn serialize<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| unwritable(format!("json: {error}")))
}

pub(super) fn deserialize<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| {
        let said = error.to_string();
        let (line, column) = (error.line(), error.column());
        // Of serde's own messages only this one never quotes the value.
        if said.starts_with("missing field `") {
            unreadable(format!("json: {said}"))
        } else if error.is_data() {
            unreadable(format!("json: another type at line {line} column {column}"))
        } else {
            unreadable(format!("json: no JSON at line {line} column {column}"))
        }
    })
}
