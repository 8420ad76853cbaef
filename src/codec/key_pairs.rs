//! [`KeyPairs`]: the chain's keys as text (SPEC), from an argument, a file or
//! the environment.
//!
//! Reading that file or variable, once, at start-up, is the only I/O of the codec.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use zeroize::Zeroizing;

use super::{BlockKey, Error, HashKey, KeyPair};

/// No chain is this long; a device or a wrong file ends here.
const LONGEST_KEY_FILE: u64 = 64 * 1024;

/// Key pairs, newest first: the first seals, all open.
///
/// As text: `HASH[:BLOCK]` pairs, separated by commas, each part hex, or `b64=`
/// and base64 in either alphabet. White space around a pair is ignored.
///
/// ```
/// use silverback::codec::{Codecs, KeyPairs};
///
/// let pairs: KeyPairs = "\
///     000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f:0f0e0d0c0b0a09080706050403020100,
///     b64=gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8"
///     .parse()?;
/// assert_eq!(pairs.len(), 2);
/// let codecs = Codecs::from_pairs(pairs)?;
/// # Ok::<(), silverback::codec::Error>(())
/// ```
///
/// Errors say which pair is wrong and how, and never what it says.
#[derive(Clone, Debug)]
pub struct KeyPairs(Vec<KeyPair>);

impl KeyPairs {
    /// `count` new pairs from the operating system.
    ///
    /// # Errors
    /// Internal, if the system has no randomness to give; usage for none at all.
    pub fn generate(count: usize) -> Result<Self, Error> {
        let pairs = (0..count).map(|_| KeyPair::generate());
        KeyPairs::new(pairs.collect::<Result<_, _>>()?)
    }

    fn new(pairs: Vec<KeyPair>) -> Result<Self, Error> {
        if pairs.is_empty() {
            return Err(Error::usage("there is no key pair"));
        }
        Ok(KeyPairs(pairs))
    }

    /// Reads a SPEC whose hash keys may be weak: shorter than 32 bytes. Only for
    /// cookies that a service with such keys has sealed.
    ///
    /// # Errors
    /// Usage, naming the pair that is no pair.
    pub fn from_legacy_spec(spec: &str) -> Result<Self, Error> {
        KeyPairs::parse(spec, |key| Ok(HashKey::legacy(key)))
    }

    /// Reads the SPEC in a file.
    ///
    /// # Errors
    /// Usage, if the file cannot be read, is no text, or holds no SPEC.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        read_key_file(path.as_ref())?.parse()
    }

    /// [`from_file`](KeyPairs::from_file), of a SPEC with weak hash keys.
    ///
    /// # Errors
    /// As `from_file`, except that hash keys may be short.
    pub fn from_legacy_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        KeyPairs::from_legacy_spec(&read_key_file(path.as_ref())?)
    }

    /// Reads the SPEC in an environment variable.
    ///
    /// # Errors
    /// Usage, if the variable is not set, is no text, or holds no SPEC.
    pub fn from_env(variable: &str) -> Result<Self, Error> {
        match std::env::var(variable) {
            Ok(spec) => Zeroizing::new(spec).parse(),
            // The variable's error quotes its value, and its name may be a key by
            // mistake: neither is passed on.
            Err(_) => Err(Error::usage(
                "the variable for the keys is not set, or no text",
            )),
        }
    }

    /// How many pairs there are; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "never empty by construction")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The pairs, newest first.
    pub fn iter(&self) -> std::slice::Iter<'_, KeyPair> {
        self.0.iter()
    }

    fn parse(spec: &str, hash_key: fn(&[u8]) -> Result<HashKey, Error>) -> Result<Self, Error> {
        let pair = |(index, text): (usize, &str)| {
            parse_pair(text.trim_ascii(), hash_key)
                .map_err(|error| Error::usage(format!("key pair {}: {error}", index + 1)))
        };
        let pairs = spec.split(',').enumerate().map(pair);
        KeyPairs::new(pairs.collect::<Result<_, _>>()?)
    }
}

impl FromStr for KeyPairs {
    type Err = Error;

    fn from_str(spec: &str) -> Result<Self, Error> {
        KeyPairs::parse(spec, HashKey::new)
    }
}

impl IntoIterator for KeyPairs {
    type Item = KeyPair;
    type IntoIter = std::vec::IntoIter<KeyPair>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

fn parse_pair(text: &str, hash_key: fn(&[u8]) -> Result<HashKey, Error>) -> Result<KeyPair, Error> {
    let (hash, block) = match text.split_once(':') {
        Some((hash, block)) => (hash, Some(block)),
        None => (text, None),
    };
    let hash = parse_key("hash", hash)?;
    if hash.is_empty() {
        return Err(Error::usage("the hash key is missing"));
    }
    let hash = hash_key(&hash)?;
    let Some(block) = block else {
        return Ok(KeyPair::sign_only(hash));
    };
    let block = BlockKey::new(&parse_key("block", block)?)?;
    Ok(KeyPair::new(hash, block))
}

/// Decodes into memory that is wiped, also where it turns out to be no key.
fn parse_key(which: &str, text: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut key = Zeroizing::new(vec![0; text.len()]);
    let wrong = |how: &str| Error::usage(format!("the {which} key {how}"));
    let length = if let Some(text) = text.strip_prefix("b64=") {
        URL_SAFE_PAD_INDIFFERENT
            .decode_slice(text, &mut key)
            .or_else(|_| STANDARD_PAD_INDIFFERENT.decode_slice(text, &mut key))
            .map_err(|_| wrong("is not base64"))?
    } else if text.len() % 2 == 1 {
        return Err(wrong("has an odd number of hex digits"));
    } else {
        let decoded = base16ct::mixed::decode(text, &mut key);
        decoded.map_err(|_| wrong("is not hex"))?.len()
    };
    key.truncate(length);
    Ok(key)
}

/// Errors name no path: on a command line it may be a key by mistake.
fn read_key_file(path: &Path) -> Result<Zeroizing<String>, Error> {
    let refused = |why: &str| Error::usage(format!("the key file cannot be read: {why}"));
    // A buffer that grew would leave keys behind.
    let mut text = Zeroizing::new(String::with_capacity(LONGEST_KEY_FILE as usize + 2));
    File::open(path)
        .and_then(|file| file.take(LONGEST_KEY_FILE + 1).read_to_string(&mut text))
        .map_err(|error| refused(&error.to_string()).with_source(error))?;
    if text.len() as u64 > LONGEST_KEY_FILE {
        return Err(refused("it is too large to be one"));
    }
    Ok(text)
}
