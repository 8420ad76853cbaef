//! Converts payloads to JSON, for people and other programs, and JSON to payloads.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use silverback::codec::{self, Serializer};
use silverback::gob::Value;

use super::settings::Format;
use super::{Failure, gob};

/// Converts standard input to a payload.
pub(super) fn from_input(format: Format, input: Vec<u8>) -> Result<Vec<u8>, Failure> {
    if format == Format::Raw {
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
    if format == Format::Gob {
        let document = gob::parse(&compact).map_err(|error| not_json(&error))?;
        let value = gob::value(&document)
            .ok_or_else(|| Failure::usage("gob cannot hold null at the top level"))?;
        return Ok(value.to_vec());
    }
    from_json(format, compact).map_err(Failure::usage)
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

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Removes the white space around the tokens of one JSON document. Everything else stays:
/// numbers keep their digits, and objects keep their order and duplicates.
fn compact(document: &str) -> Result<String, serde_json::Error> {
    serde_json::from_str::<IgnoredAny>(document)?;
    let mut quotes = Quotes::default();
    let keep = |character: &char| quotes.pass(*character) || !character.is_ascii_whitespace();
    Ok(document.chars().filter(keep).collect())
}

/// Follows the strings in a JSON text.
#[derive(Default)]
pub(super) struct Quotes {
    in_string: bool,
    escaped: bool,
}

impl Quotes {
    /// Passes a character, and returns whether it was in a string, or ended one.
    pub(super) fn pass(&mut self, character: char) -> bool {
        let was_in_string = self.in_string;
        self.in_string ^= character == '"' && !self.escaped;
        self.escaped = self.in_string && character == '\\' && !self.escaped;
        was_in_string
    }
}

#[cfg(test)]
mod tests {
    use super::compact;

    #[test]
    fn compact_removes_only_white_space() {
        let cases = [
            (
                "{ \"a b\" :\t[1, 2.50 ,1e5],\n\"a b\": null}\n",
                "{\"a b\":[1,2.50,1e5],\"a b\":null}",
            ),
            (r#" "quote \" and \\" "#, r#""quote \" and \\""#),
            (
                r#"[ "\\\" x " , 18446744073709551616 ]"#,
                r#"["\\\" x ",18446744073709551616]"#,
            ),
        ];
        for (document, expected) in cases {
            assert_eq!(compact(document).unwrap(), expected);
        }
        assert!(compact("{").is_err() && compact("1 2").is_err() && compact("").is_err());
    }
}
