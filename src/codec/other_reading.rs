//! [`OtherReading`]: a key pair with its keys read in another form than its SPEC says.

use std::fmt;

use zeroize::Zeroizing;

use super::KeyPairs;
use super::key_pairs::pairs_of;
use super::key_text::{READINGS, Reading};

impl KeyPairs {
    /// Returns each pair of a SPEC with its keys read in another form: for example, as text
    /// instead of hex.
    ///
    /// Use it for a hint to an operator if the keys do not open a cookie, as the `silverback`
    /// program does. Never use it to open a cookie that a client sends.
    ///
    /// ```
    /// use silverback::codec::{Codec, Codecs, KeyPairs};
    ///
    /// // A Go program that uses the digits themselves as its key.
    /// let digits = "000102030405060708090a0b0c0d0e0f";
    /// let in_go = KeyPairs::from_legacy_spec(&format!("text={digits}"))?;
    /// let cookie = Codecs::from_pairs(in_go)?.seal("sid", b"ape")?;
    ///
    /// let opens = |keys: &KeyPairs| Codecs::from_pairs(keys.clone()).is_ok_and(|codecs| codecs.open("sid", &cookie).is_ok());
    /// let other = KeyPairs::other_readings(digits).into_iter().find(|other| opens(other.keys()));
    /// assert_eq!(other.unwrap().to_string(), "key pair 1 with its hash key read as text (text=)");
    /// # Ok::<(), silverback::codec::Error>(())
    /// ```
    #[must_use]
    pub fn other_readings(spec: &str) -> Vec<OtherReading> {
        let pairs = (1..).zip(pairs_of(spec));
        pairs
            .flat_map(|(number, pair)| OtherReading::all_of(number, pair))
            .collect()
    }
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
