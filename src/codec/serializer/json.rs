//! The JSON format, through serde_json. Errors never quote a value.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use super::faults::{decode_error, encode_error};

pub(super) fn serialize<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| {
        let message = error.to_string();
        // These messages quote no value.
        let known = [
            "key must be a string",
            "float key must be finite (got NaN or +/-inf)",
        ];
        let why = known.into_iter().find(|known| *known == message);
        encode_error(format!(
            "json: {}",
            why.unwrap_or("JSON cannot hold this value")
        ))
    })
}

pub(super) fn deserialize<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| {
        let message = error.to_string();
        let (line, column) = (error.line(), error.column());
        // Of serde's messages, only the one on a missing field never quotes the value.
        if let Some(field) = missing_field(&message) {
            decode_error(format!(
                "json: missing field `{field}` at line {line} column {column}"
            ))
        } else if error.is_data() {
            decode_error(format!(
                "json: value of another type at line {line} column {column}"
            ))
        } else {
            decode_error(format!("json: syntax error at line {line} column {column}"))
        }
    })
}

/// Returns the field's name from serde's message on a missing field.
fn missing_field(message: &str) -> Option<&str> {
    let (field, _) = message.strip_prefix("missing field `")?.split_once('`')?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    field.bytes().all(is_name).then_some(field)
}
