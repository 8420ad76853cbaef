//! [`Frame`]: the parts of a cookie that need no key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

/// The parts of a gorilla/securecookie cookie, none of them verified: `date|value|mac` in base64,
/// where the value is base64, too.
pub(super) struct Frame {
    /// The date's digits. They may be another number than Unix seconds.
    pub(super) date: String,
    pub(super) payload: Vec<u8>,
    pub(super) mac: Vec<u8>,
}

impl Frame {
    /// Returns `None` if the text is not such a cookie.
    pub(super) fn parse(cookie: &str) -> Option<Self> {
        let inner = URL_SAFE.decode(cookie).ok()?;
        let mut parts = inner.splitn(3, |byte| *byte == b'|');
        let (date, value, mac) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Frame {
            date: String::from_utf8(date.to_vec()).ok()?,
            payload: URL_SAFE.decode(value).ok()?,
            mac: mac.to_vec(),
        })
    }

    /// Guesses the format of the payload. Encrypted bytes look like any other bytes.
    pub(super) fn format(&self) -> &'static str {
        let payload = &*self.payload;
        if payload.is_empty() {
            "empty"
        } else if silverback::gob::string_from_slice(payload).is_ok() {
            "a gob string"
        } else if silverback::gob::Value::from_slice(payload).is_ok() {
            "gob"
        } else if serde_json::from_slice::<serde::de::IgnoredAny>(payload).is_ok() {
            "JSON"
        } else if std::str::from_utf8(payload).is_ok() {
            "text"
        } else if payload.len() >= 16 {
            "encrypted, or other bytes"
        } else {
            "bytes, too few to be encrypted"
        }
    }

    /// Returns the hash functions whose MACs have this length.
    pub(super) fn hashes(&self) -> &'static str {
        match self.mac.len() {
            20 => "the length of SHA-1",
            32 => "the length of SHA-256 or SHA-512/256",
            48 => "the length of SHA-384",
            64 => "the length of SHA-512",
            _ => "not the length of any supported hash function",
        }
    }
}
