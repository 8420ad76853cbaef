//! The cookie: what a request brought, what its response sets, and the parts of its value.

use axum::http::HeaderMap;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE;
use silverback::codec::UnixTime;
use silverback::gob::Value;

/// The default name without TLS.
pub(crate) const NAME: &str = "id";

/// A cookie's name and value may have this many bytes together: browsers keep no longer ones.
pub(crate) const LONGEST: usize = 4096;

/// The digits of base64 in URLs, by value.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Returns the value of the cookie that a request brought.
pub(crate) fn received(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get("cookie")?.to_str().ok()?;
    let mut pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(name, value)| (name == NAME).then_some(value))
}

/// The effect of a response on the cookie.
pub(crate) enum Change {
    None,
    Set { value: String, attributes: String },
    Removed,
}

impl Change {
    /// Reads the Set-Cookie fields of a response.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let fields = headers.get_all("set-cookie").iter();
        let mut fields = fields.filter_map(|field| field.to_str().ok()?.split_once('='));
        let Some((_, cookie)) = fields.find(|(name, _)| *name == NAME) else {
            return Change::None;
        };
        match cookie.split_once("; ").unwrap_or((cookie, "")) {
            ("", _) => Change::Removed,
            (value, attributes) => Change::Set {
                value: value.to_owned(),
                attributes: attributes.to_owned(),
            },
        }
    }
}

/// The three parts of a cookie's value, which are `date|contents|signature` in base64.
pub(crate) struct Parts {
    pub(crate) date: UnixTime,
    pub(crate) contents: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Parts {
    /// Takes a value apart. It needs no key, and verifies nothing.
    pub(crate) fn of(value: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE.decode(value).ok()?;
        let mut parts = bytes.splitn(3, |byte| *byte == b'|');
        let date = std::str::from_utf8(parts.next()?).ok()?;
        let contents = BASE64_URL_SAFE.decode(parts.next()?).ok()?;
        let signature = parts.next()?.to_vec();
        let date = UnixTime::from_secs(date.parse().ok()?);
        Some(Parts {
            date,
            contents,
            signature,
        })
    }
}

/// Returns the place of the character that [`tampered`] changes.
pub(crate) fn tampered_at(value: &str) -> usize {
    value.len() / 2
}

/// Changes one character in the middle of a cookie's value, as an attacker might. A second change
/// restores it.
pub(crate) fn tampered(value: &str) -> String {
    let mut text = value.as_bytes().to_vec();
    if let Some(byte) = text.get_mut(tampered_at(value)) {
        let digit = DIGITS.iter().position(|digit| digit == byte).unwrap_or(0);
        *byte = DIGITS[digit ^ 1];
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Returns the values in the contents of a cookie, as names and texts. The contents are the whole
/// session, or the bytes of its ID where the session is in a store.
pub(crate) fn values(contents: &[u8]) -> Vec<(String, String)> {
    match Value::from_slice(contents) {
        Ok(Value::Composite(map)) => map
            .entries()
            .map(|(name, value)| (text(name), text(value)))
            .collect(),
        _ => vec![("ID".to_owned(), hex(contents))],
    }
}

/// Writes bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string_lossy().into_owned(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Interface(interface) => interface.value().map(text).unwrap_or_default(),
        Value::Composite(list) if list.is_sequence() => {
            let elements: Vec<String> = list.elements().iter().map(text).collect();
            elements.join(", ")
        }
        _ => "..".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tampering_changes_one_character_and_doing_it_again_restores_it() {
        for value in ["MTc2NDQz", "_-_-=", "A"] {
            let changed = tampered(value);
            let pairs = changed.bytes().zip(value.bytes());
            assert_eq!(pairs.filter(|(new, old)| new != old).count(), 1, "{value}");
            assert_eq!(tampered(&changed), value);
        }
        assert_eq!(tampered(""), "");
    }
}
