//! JSON, by serde_json.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Error, unreadable, unwritable};

pub(super) fn serialize<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| {
        let said = error.to_string();
        let known = [
            "key must be a string",
            "float key must be finite (got NaN or +/-inf)",
        ];
        let why = known.into_iter().find(|known| *known == said);
        unwritable(format!("json: {}", why.unwrap_or("the value refuses")))
    })
}

pub(super) fn deserialize<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| {
        let said = error.to_string();
        let (line, column) = (error.line(), error.column());
        // Of serde's own messages only this one never quotes the value.
        if let Some(field) = missing_field(&said) {
            unreadable(format!(
                "json: missing field `{field}` at line {line} column {column}"
            ))
        } else if error.is_data() {
            unreadable(format!("json: another type at line {line} column {column}"))
        } else {
            unreadable(format!("json: no JSON at line {line} column {column}"))
        }
    })
}

/// The name in serde's message on a missing field.
fn missing_field(said: &str) -> Option<&str> {
    let (field, _) = said.strip_prefix("missing field `")?.split_once('`')?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    field.bytes().all(is_name).then_some(field)
}
