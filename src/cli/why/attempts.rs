//! [`Attempts`]: opens a cookie with other names, hash functions, ciphers, formats and readings of
//! the keys than those that were given. It uses the given keys alone, and guesses none.

use std::time::Duration;

use clap::ValueEnum;

use silverback::codec::{
    Cipher, Codec, CodecOptions, HashFunction, KeyPair, KeyPairs, Opened, SecureCookie, Serializer,
    UnixTime,
};

use super::super::payload::{self, Format};
use super::super::settings::{CipherName, OpeningHash};

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

/// The settings under which a cookie's MAC is right, and its payload.
pub(super) struct Match<'a> {
    pub(super) name: &'a str,
    pub(super) key: &'a Key,
    pub(super) hash: Named<HashFunction>,
    pub(super) issued_at: UnixTime,
    /// `None` if the payload cannot be read.
    pub(super) payload: Option<Payload>,
}

/// A payload, and how it was read.
pub(super) struct Payload {
    /// `None` if it is not encrypted.
    pub(super) cipher: Option<Named<Cipher>>,
    pub(super) format: Named<Format>,
    pub(super) bytes: Vec<u8>,
}

/// The value of an option, and its name on the command line.
#[derive(Clone)]
pub(super) struct Named<T> {
    pub(super) name: String,
    pub(super) value: T,
}

/// Returns all values of an option, the given one first.
fn all_of<E: ValueEnum, T: From<E> + PartialEq>(given: &T) -> Vec<Named<T>> {
    let named = E::value_variants().iter().filter_map(|variant| {
        let name = variant.to_possible_value()?.get_name().to_owned();
        let value = T::from(variant.clone());
        Some(Named { name, value })
    });
    let mut all: Vec<Named<T>> = named.collect();
    all.sort_by_key(|named| named.value != *given);
    all
}

impl<'a> Attempts<'a> {
    /// Returns the first match. A match with a readable payload comes before others, since a pair's
    /// hash key may occur with several readings of its block key.
    pub(super) fn first(&'a self, cookie: &str) -> Option<Match<'a>> {
        let mut without_payload = None;
        for name in &self.names {
            for hash in all_of::<OpeningHash, HashFunction>(&self.hash) {
                for key in &self.keys {
                    match self.try_with(name, &hash, key, cookie) {
                        Some(found) if found.payload.is_some() => return Some(found),
                        found => without_payload = without_payload.or(found),
                    }
                }
            }
        }
        without_payload
    }

    fn try_with(
        &'a self,
        name: &'a str,
        hash: &Named<HashFunction>,
        key: &'a Key,
        cookie: &str,
    ) -> Option<Match<'a>> {
        let options = options().hash(hash.value);
        let signed = KeyPair::sign_only(key.pair.hash().clone());
        let opened = self.open(name, &options, signed, cookie)?;
        Some(Match {
            name,
            key,
            hash: hash.clone(),
            issued_at: opened.issued_at(),
            payload: self.payload(name, &options, key, cookie, opened.into_value()),
        })
    }

    /// Reads the payload of a cookie whose MAC is right. `signed` is the payload if the cookie is
    /// not encrypted.
    fn payload(
        &self,
        name: &str,
        options: &CodecOptions,
        key: &Key,
        cookie: &str,
        signed: Vec<u8>,
    ) -> Option<Payload> {
        let ciphers = all_of::<CipherName, Cipher>(&self.cipher);
        let encrypted = ciphers
            .into_iter()
            .filter(|_| key.encrypts())
            .filter_map(|cipher| {
                let options = options.clone().cipher(cipher.value);
                let opened = self.open(name, &options, key.pair.clone(), cookie)?;
                Some((Some(cipher), opened.into_value()))
            });
        let mut candidates = encrypted.chain([(None, signed)]);
        candidates.find_map(|(cipher, bytes)| {
            let format = self.format_of(&bytes)?;
            Some(Payload {
                cipher,
                format,
                bytes,
            })
        })
    }

    /// Returns the format in which a payload can be read. Any bytes are raw ones, so this format
    /// counts only if it was given.
    fn format_of(&self, payload: &[u8]) -> Option<Named<Format>> {
        let mut formats = all_of::<Format, Format>(&self.format).into_iter();
        formats.find(|format| {
            let may_be = format.value != Format::Raw || self.format == Format::Raw;
            may_be && payload::to_json(format.value, payload).is_ok()
        })
    }

    fn open(
        &self,
        name: &str,
        options: &CodecOptions,
        pair: KeyPair,
        cookie: &str,
    ) -> Option<Opened<Vec<u8>>> {
        let codec = SecureCookie::with_options(pair, options).ok()?;
        codec.open_at(name, cookie, self.now).ok()
    }
}

/// Returns options that open a cookie of any age and length.
fn options() -> CodecOptions {
    CodecOptions::new()
        .serializer(Serializer::Raw)
        .max_length(0)
        .max_age(Duration::ZERO)
        .clock_skew(Duration::from_secs(u64::MAX))
}
