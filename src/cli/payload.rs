//! Converts payloads to JSON, for people and other programs, and JSON to payloads.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use silverback::codec::{self, Serializer};
use silverback::gob::{GoString, Value};

use super::failure::Failure;
use super::json_text::{compact, parse};
use super::{exact, gob};

/// The format of a payload.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Go's encoding/gob
    #[default]
    Gob,
    /// JSON
    Json,
    /// The JSON text as one bincode string
    Bincode,
    /// Unchanged bytes
    Raw,
}

/// Converts standard input to a payload. With `is_exact`, it is the text of `decode --exact`.
pub(super) fn from_input(
    format: Format,
    is_exact: bool,
    input: Vec<u8>,
) -> Result<Vec<u8>, Failure> {
    if format == Format::Raw && !is_exact {
        return Ok(input);
    }
    let not_json = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("standard input is not a JSON document: {why}"))
    };
    let document = std::str::from_utf8(&input).map_err(|error| not_json(&error))?;
    let compact = compact(document).map_err(|error| {
        not_json(&format_args!(
            "line {} column {}",
            error.line(),
            error.column()
        ))
    })?;
    if is_exact && matches!(format, Format::Gob | Format::Raw) {
        let document = parse(&compact).map_err(|error| not_json(&error))?;
        return from_exact(format, &document).ok_or_else(|| {
            Failure::usage(
                "standard input is not the text of `decode --exact` with this --serializer",
            )
        });
    }
    if format == Format::Gob {
        let document = parse(&compact).map_err(|error| not_json(&error))?;
        let value = gob::value(&document)
            .ok_or_else(|| Failure::usage("gob cannot hold null at the top level"))?;
        return Ok(value.to_vec());
    }
    from_json(format, compact).map_err(Failure::usage)
}

fn from_exact(format: Format, document: &serde_json::Value) -> Option<Vec<u8>> {
    match format {
        Format::Raw => STANDARD.decode(document.as_str()?).ok(),
        _ => Some(exact::value(document)?.to_vec()),
    }
}

/// Converts compact JSON to a payload, for the formats that contain JSON text.
pub(super) fn from_json(format: Format, compact: String) -> Result<Vec<u8>, codec::Error> {
    match format {
        Format::Bincode => Serializer::Bincode.serialize(&compact),
        _ => Ok(compact.into_bytes()),
    }
}

/// Converts the payload of a cookie to one line of JSON.
pub(super) fn to_json(format: Format, payload: &[u8]) -> Result<String, codec::Error> {
    let unreadable = |_| codec::Error::not_valid_though_authentic();
    match format {
        Format::Raw => Ok(quoted(&STANDARD.encode(payload))),
        Format::Json => {
            let text = std::str::from_utf8(payload);
            compact(text.map_err(|_| codec::Error::not_valid_though_authentic())?)
                .map_err(unreadable)
        }
        Format::Bincode => {
            let text: String = Serializer::Bincode.deserialize(payload)?;
            compact(&text).map_err(unreadable)
        }
        Format::Gob => {
            let value = Value::from_slice(payload);
            value
                .map(|value| gob::to_json(&value))
                .map_err(|_| codec::Error::not_valid_though_authentic())
        }
    }
}

/// What is shown of a payload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// Its JSON.
    Plain,
    /// JSON that loses nothing.
    Exact,
    /// The registered names of its Go types.
    Types,
}

impl View {
    /// Returns the name of the field that has it.
    pub(super) fn field(self) -> &'static str {
        match self {
            View::Types => "types",
            View::Plain | View::Exact => "value",
        }
    }

    /// Returns one line of JSON.
    pub(super) fn of(self, format: Format, payload: &[u8]) -> Result<String, codec::Error> {
        if self == View::Plain || (self == View::Exact && format != Format::Gob) {
            return to_json(format, payload);
        }
        if format != Format::Gob {
            return Err(codec::Error::usage(
                "only gob has Go types: leave out --types",
            ));
        }
        let value = Value::from_slice(payload);
        let value = value.map_err(|_| codec::Error::not_valid_though_authentic())?;
        Ok(match self {
            View::Types => {
                let names = value.registered_names().map(GoString::to_string_lossy);
                let names: BTreeSet<_> = names.collect();
                serde_json::json!(names).to_string()
            }
            _ => exact::text(&value),
        })
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
