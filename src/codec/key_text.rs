//! Reads the text of one key, which is hex, base64 or the key itself.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use zeroize::Zeroizing;

use super::Error;

/// The form in which the text of a key is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Hex,
    Base64,
    Text,
}

/// All readings. Hex is the last: its prefix is empty, so that every text has it.
pub(super) const READINGS: [Reading; 3] = [Reading::Base64, Reading::Text, Reading::Hex];

impl Reading {
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Reading::Hex => "",
            Reading::Base64 => "b64=",
            Reading::Text => "text=",
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Reading::Hex => "hex (no prefix)",
            Reading::Base64 => "base64 (b64=)",
            Reading::Text => "text (text=)",
        }
    }

    /// Returns the reading of a key in a SPEC, and the key's text without the prefix.
    pub(super) fn of(key: &str) -> (Self, &str) {
        let strip = |reading: Reading| Some((reading, key.strip_prefix(reading.prefix())?));
        let found = READINGS.into_iter().find_map(strip);
        found.unwrap_or((Reading::Hex, key))
    }
}

/// Decodes the text of a key into memory that is wiped on drop, even if the text is not a key.
pub(super) fn parse_key(which: &str, key: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let wrong = |how: &str| Error::usage(format!("the {which} key {how}"));
    let (reading, text) = Reading::of(key);
    let mut bytes = Zeroizing::new(vec![0; text.len()]);
    let length = match reading {
        Reading::Text => {
            bytes.copy_from_slice(text.as_bytes());
            text.len()
        }
        Reading::Base64 => URL_SAFE_PAD_INDIFFERENT
            .decode_slice(text, &mut bytes)
            .or_else(|_| STANDARD_PAD_INDIFFERENT.decode_slice(text, &mut bytes))
            .map_err(|_| wrong("is not base64, as its prefix b64= says"))?,
        Reading::Hex if text.len() % 2 == 1 => {
            return Err(wrong(
                "has an odd number of hex digits: correct it, or put text= or b64= before it",
            ));
        }
        Reading::Hex => {
            let decoded = base16ct::mixed::decode(text, &mut bytes);
            let not_hex = |_| wrong("is not hex: correct it, or put text= or b64= before it");
            decoded.map_err(not_hex)?.len()
        }
    };
    bytes.truncate(length);
    Ok(bytes)
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
