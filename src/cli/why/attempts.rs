//! [`Attempts`]: opens a cookie with other names, hash functions, ciphers, formats and readings of
//! the keys than those that were given. It uses the given keys alone, and guesses none.

use std::time::Duration;

use silverback::codec::{
    Cipher, Codec, CodecOptions, HashFunction, KeyPair, KeyPairs, Opened, SecureCookie, Serializer,
    UnixTime,
};

use super::super::payload::{self, Format};

const HASHES: [(&str, HashFunction); 5] = [
    ("sha256", HashFunction::Sha256),
    ("sha1", HashFunction::Sha1),
    ("sha384", HashFunction::Sha384),
    ("sha512", HashFunction::Sha512),
    ("sha512_256", HashFunction::Sha512_256),
];

const CIPHERS: [(&str, Cipher); 2] = [("ctr", Cipher::AesCtr), ("cfb", Cipher::AesCfb)];

const FORMATS: [(&str, Format); 3] = [
    ("gob", Format::Gob),
    ("json", Format::Json),
    ("bincode", Format::Bincode),
];

/// What to try. In each list, the values that were given come first.
pub(super) struct Attempts<'a> {
    pub(super) names: Vec<&'a str>,
    pub(super) keys: Vec<Key>,
    pub(super) hash: HashFunction,
    pub(super) cipher: Cipher,
    pub(super) format: Format,
    pub(super) now: UnixTime,
}

/// A key pair in one reading of its text.
pub(super) struct Key {
    /// `key 2`, or the other reading. It never holds the key itself.
    pub(super) label: String,
    /// True if the pair is read as it was given.
    pub(super) is_as_given: bool,
    pair: KeyPair,
}

impl Key {
    /// Returns whether the pair has a block key.
    pub(super) fn encrypts(&self) -> bool {
        self.pair.block().is_some()
    }

    /// Returns the pairs of a SPEC, and then those in other readings.
    pub(super) fn all(pairs: &KeyPairs, spec: &str) -> Vec<Self> {
        let given = (1..).zip(pairs).map(|(number, pair)| Key {
            label: format!("key {number}"),
            is_as_given: true,
            pair: pair.clone(),
        });
        let others = KeyPairs::other_readings(spec);
        let others = others.iter().filter_map(|other| {
            Some(Key {
                label: other.to_string(),
                is_as_given: false,
                pair: other.keys().iter().next()?.clone(),
            })
        });
        given.chain(others).collect()
    }
}

/// A way to open the cookie, and what it holds.
pub(super) struct Way<'a> {
    pub(super) name: &'a str,
    pub(super) key: &'a Key,
    pub(super) hash: (&'static str, HashFunction),
    pub(super) issued_at: UnixTime,
    /// The inside, or `None` if the seal holds and the inside cannot be read.
    pub(super) inside: Option<Inside>,
}

/// How the inside of a cookie is read, and its bytes.
pub(super) struct Inside {
    /// `None` if it is not encrypted.
    pub(super) cipher: Option<(&'static str, Cipher)>,
    pub(super) format: (&'static str, Format),
    pub(super) payload: Vec<u8>,
}

impl<'a> Attempts<'a> {
    /// Returns the first way whose MAC holds. A way with a readable inside comes before others,
    /// since a pair's hash key may occur with several readings of its block key.
    pub(super) fn first(&'a self, cookie: &str) -> Option<Way<'a>> {
        let mut sealed = None;
        for name in &self.names {
            for hash in ordered(HASHES, |hash| hash.1 == self.hash) {
                for key in &self.keys {
                    match self.way(name, hash, key, cookie) {
                        Some(way) if way.inside.is_some() => return Some(way),
                        way => sealed = sealed.or(way),
                    }
                }
            }
        }
        sealed
    }

    fn way(
        &'a self,
        name: &'a str,
        hash: (&'static str, HashFunction),
        key: &'a Key,
        cookie: &str,
    ) -> Option<Way<'a>> {
        let signed = KeyPair::sign_only(key.pair.hash().clone());
        let opened = self.open(name, hash.1, self.cipher, signed, cookie)?;
        Some(Way {
            name,
            key,
            hash,
            issued_at: opened.issued_at(),
            inside: self.inside(name, hash.1, key, cookie, opened.into_value()),
        })
    }

    /// Reads the inside of a cookie whose MAC holds.
    fn inside(
        &self,
        name: &str,
        hash: HashFunction,
        key: &Key,
        cookie: &str,
        value: Vec<u8>,
    ) -> Option<Inside> {
        let ciphers = ordered(CIPHERS, |cipher| cipher.1 == self.cipher);
        let decrypted = ciphers.filter(|_| key.encrypts()).filter_map(|cipher| {
            let opened = self.open(name, hash, cipher.1, key.pair.clone(), cookie)?;
            Some((Some(cipher), opened.into_value()))
        });
        let mut candidates: Vec<_> = decrypted.collect();
        candidates.push((None, value));
        candidates.into_iter().find_map(|(cipher, payload)| {
            let format = self.format_of(&payload)?;
            Some(Inside {
                cipher,
                format,
                payload,
            })
        })
    }

    /// Returns the format in which a payload can be read.
    fn format_of(&self, payload: &[u8]) -> Option<(&'static str, Format)> {
        if self.format == Format::Raw {
            return Some(("raw", Format::Raw));
        }
        let mut formats = ordered(FORMATS, |format| format.1 == self.format);
        formats.find(|format| payload::to_json(format.1, payload).is_ok())
    }

    /// Opens a cookie of any age and length.
    fn open(
        &self,
        name: &str,
        hash: HashFunction,
        cipher: Cipher,
        pair: KeyPair,
        cookie: &str,
    ) -> Option<Opened<Vec<u8>>> {
        let options = CodecOptions::new()
            .hash(hash)
            .cipher(cipher)
            .serializer(Serializer::Raw)
            .max_length(0)
            .max_age(Duration::ZERO)
            .clock_skew(Duration::from_secs(u64::MAX));
        let codec = SecureCookie::with_options(pair, &options).ok()?;
        codec.open_at(name, cookie, self.now).ok()
    }
}

/// Returns the values with the given one first.
fn ordered<T: Copy, const N: usize>(
    values: [T; N],
    is_given: impl Fn(&T) -> bool,
) -> impl Iterator<Item = T> {
    let given: Vec<T> = values.iter().copied().filter(&is_given).collect();
    let others: Vec<T> = values
        .iter()
        .copied()
        .filter(|value| !is_given(value))
        .collect();
    given.into_iter().chain(others)
}
