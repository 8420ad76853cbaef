//! Reads the text of one key, which is hex, base64 or the key itself. [`OtherReading`] is a
//! pair with its keys read in another of these forms.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use zeroize::Zeroizing;

use super::{Error, KeyPairs};

/// The form in which the text of a key is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Hex,
    Base64,
    Text,
}

/// All readings. Hex is the last: its prefix is empty, so that every text has it.
const READINGS: [Reading; 3] = [Reading::Base64, Reading::Text, Reading::Hex];

impl Reading {
    const fn prefix(self) -> &'static str {
        match self {
            Reading::Hex => "",
            Reading::Base64 => "b64=",
            Reading::Text => "text=",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Reading::Hex => "hex (no prefix)",
            Reading::Base64 => "base64 (b64=)",
            Reading::Text => "text (text=)",
        }
    }

    /// Returns the reading of a key in a SPEC, and the key's text without the prefix.
    fn of(key: &str) -> (Self, &str) {
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
            .map_err(|_| wrong("is not base64, which b64= requires"))?,
        Reading::Hex if text.len() % 2 == 1 => {
            return Err(wrong(
                "has an odd number of hex digits (or put text= or b64= before it)",
            ));
        }
        Reading::Hex => {
            let decoded = base16ct::mixed::decode(text, &mut bytes);
            let not_hex = |_| wrong("is not hex (or put text= or b64= before it)");
            decoded.map_err(not_hex)?.len()
        }
    };
    bytes.truncate(length);
    Ok(bytes)
}

/// A pair of a SPEC with its keys read in another form, for example as text instead of hex.
/// [`KeyPairs::other_readings`] returns it.
///
/// Its `Display` form names the pair and the reading, and contains no key: `key pair 1 with
/// its hash key read as text (text=)`.
#[derive(Clone, Debug)]
pub struct OtherReading {
    number: usize,
    hash: Option<Reading>,
    block: Option<Reading>,
    keys: KeyPairs,
}

impl OtherReading {
    /// Returns the pair in this reading. Its hash key may be weak.
    #[must_use]
    pub fn keys(&self) -> &KeyPairs {
        &self.keys
    }

    /// Returns all other readings of a pair.
    pub(super) fn all_of(number: usize, pair: &str) -> Vec<Self> {
        let (hash, block) = match pair.split_once(':') {
            Some((hash, block)) => (hash, Some(block)),
            None => (pair, None),
        };
        let blocks = match block {
            Some(block) => readings_of(block).map(Some).to_vec(),
            None => vec![None],
        };
        let hashes = readings_of(hash);
        let each = hashes.iter().flat_map(|hash| {
            let with = |block: &Option<_>| OtherReading::new(number, hash, block.as_ref());
            blocks.iter().filter_map(with).collect::<Vec<_>>()
        });
        each.collect()
    }

    /// Returns `None` for the reading that the SPEC has, and for a reading in which the text is
    /// not a pair.
    fn new(number: usize, hash: &KeyReading<'_>, block: Option<&KeyReading<'_>>) -> Option<Self> {
        let is_other = hash.is_other || block.is_some_and(|block| block.is_other);
        if !is_other {
            return None;
        }
        let mut spec = Zeroizing::new(String::with_capacity(
            hash.len() + block.map_or(0, |block| 1 + block.len()),
        ));
        hash.write(&mut spec);
        if let Some(block) = block {
            spec.push(':');
            block.write(&mut spec);
        }
        let changed = |key: &KeyReading<'_>| key.is_other.then_some(key.reading);
        Some(OtherReading {
            number,
            hash: changed(hash),
            block: block.and_then(changed),
            keys: KeyPairs::from_legacy_spec(&spec).ok()?,
        })
    }
}

/// A key's text in one of the readings.
#[derive(Clone, Copy)]
struct KeyReading<'a> {
    reading: Reading,
    text: &'a str,
    /// The SPEC has another reading for this key.
    is_other: bool,
}

impl KeyReading<'_> {
    fn len(&self) -> usize {
        self.reading.prefix().len() + self.text.len()
    }

    fn write(&self, spec: &mut String) {
        spec.push_str(self.reading.prefix());
        spec.push_str(self.text);
    }
}

/// Returns a key of a SPEC in each reading.
fn readings_of(key: &str) -> [KeyReading<'_>; 3] {
    let (own, text) = Reading::of(key);
    READINGS.map(|reading| KeyReading {
        reading,
        text,
        is_other: reading != own,
    })
}

impl fmt::Display for OtherReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key pair {} with its ", self.number)?;
        let keys = [("hash", self.hash), ("block", self.block)];
        let keys = keys.iter().filter_map(|(which, reading)| {
            let name = (*reading)?.name();
            Some(format!("{which} key read as {name}"))
        });
        f.write_str(&keys.collect::<Vec<_>>().join(" and its "))
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
