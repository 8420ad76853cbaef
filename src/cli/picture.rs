//! Payloads as JSON, for people and other programs, and JSON as payloads.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use silverback::codec::{self, Serializer};
use silverback::gob::Value;

use super::settings::Format;
use super::{Failure, gob};

/// The payload that `input` stands for.
pub(super) fn payload(format: Format, input: Vec<u8>) -> Result<Vec<u8>, Failure> {
    if format == Format::Raw {
        return Ok(input);
    }
    let no_json = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("standard input holds no JSON document: {why}"))
    };
    let document = std::str::from_utf8(&input).map_err(|error| no_json(&error))?;
    let compact = compact(document).map_err(|error| {
        no_json(&format_args!(
            "line {} column {}",
            error.line(),
            error.column()
        ))
    })?;
    if format == Format::Gob {
        let document = gob::parse(&compact).map_err(|error| no_json(&error))?;
        let value = gob::value(&document)
            .ok_or_else(|| Failure::usage("gob has no value for null at the top level"))?;
        return Ok(value.to_vec());
    }
    serialize(format, compact).map_err(Failure::usage)
}

/// The payload of a compact JSON text, in the formats that carry text.
pub(super) fn serialize(format: Format, compact: String) -> Result<Vec<u8>, codec::Error> {
    match format {
        Format::Bincode => Serializer::Bincode.serialize(&compact),
        _ => Ok(compact.into_bytes()),
    }
}

/// The picture of a payload that came out of a cookie: one line of JSON.
pub(super) fn picture(format: Format, payload: &[u8]) -> Result<String, codec::Error> {
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
                .map(|value| gob::picture(&value))
                .map_err(|_| codec::Error::not_valid_though_authentic())
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// One JSON document without the white space around its tokens, and otherwise as
/// it was: numbers keep their digits, objects their order and duplicates.
fn compact(document: &str) -> Result<String, serde_json::Error> {
    serde_json::from_str::<IgnoredAny>(document)?;
    let mut quotes = Quotes::default();
    let keep = |character: &char| quotes.pass(*character) || !character.is_ascii_whitespace();
    Ok(document.chars().filter(keep).collect())
}

/// Where the strings of a JSON text begin and end.
#[derive(Default)]
pub(super) struct Quotes {
    in_string: bool,
    escaped: bool,
}

impl Quotes {
    /// Goes past a character, and says whether it stood in a string, or ended one.
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
    fn compact_touches_nothing_but_white_space() {
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
