//! [`KeyPairs`]: reads the keys of a chain from their text form (SPEC), in an argument, a file
//! or the environment.
//!
//! `key_file.rs` reads the file.

use std::env::VarError;
use std::path::Path;
use std::str::FromStr;

use zeroize::Zeroizing;

use super::key_file::read_key_file;
use super::key_text::parse_key;
use super::{BlockKey, Error, HashKey, KeyPair};

/// Key pairs, newest first. The first pair seals, and every pair opens.
///
/// Their text form (SPEC) consists of `HASH[:BLOCK]` pairs, separated by commas or line ends.
/// White space around a pair is ignored, and so are empty lines and lines that begin with `#`.
/// Each key has one of these forms:
///
/// | text | the key's bytes | in Go |
/// |---|---|---|
/// | hex digits | the decoded bytes | `hex.DecodeString` |
/// | `b64=` and base64 in either alphabet, padded or not | the decoded bytes | `base64.StdEncoding`, `URLEncoding` and their `Raw` forms |
/// | `text=` and text without comma, colon and line end | the bytes of the text | `[]byte(os.Getenv("KEY"))` |
///
/// Use `text=` only for keys that a Go program has as text: a key of letters is easier to
/// guess than its length suggests. [`KeyPair::generate`] and `silverback keygen` make better
/// keys.
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
///
/// let as_in_go: KeyPairs = "text=an-authentication-key-of-a-Go-program:text=0123456789abcdef".parse()?;
/// assert_eq!(as_in_go.iter().next().unwrap().block().unwrap().expose(), b"0123456789abcdef");
/// # Ok::<(), silverback::codec::Error>(())
/// ```
///
/// Errors name the pair and its fault, and never contain its text.
#[derive(Clone, Debug)]
pub struct KeyPairs(Vec<KeyPair>);

impl KeyPairs {
    /// Creates `count` random pairs.
    ///
    /// # Errors
    /// Returns an internal error if the operating system has no randomness, and a usage error
    /// if `count` is 0.
    pub fn generate(count: usize) -> Result<Self, Error> {
        let pairs = (0..count).map(|_| KeyPair::generate());
        KeyPairs::new(pairs.collect::<Result<Vec<_>, _>>()?)
    }

    /// Creates a list of pairs, newest first.
    ///
    /// # Errors
    /// Returns a usage error if there is no pair.
    pub fn new(pairs: impl IntoIterator<Item = KeyPair>) -> Result<Self, Error> {
        let pairs: Vec<KeyPair> = pairs.into_iter().collect();
        if pairs.is_empty() {
            return Err(Error::usage(
                "there is no key pair: make one with `silverback keygen`",
            ));
        }
        Ok(KeyPairs(pairs))
    }

    /// Reads a SPEC that may have weak hash keys: shorter than 32 bytes.
    ///
    /// Use it only for cookies that an older service sealed with such keys.
    ///
    /// # Errors
    /// Returns a usage error that names the first invalid pair.
    pub fn from_legacy_spec(spec: &str) -> Result<Self, Error> {
        KeyPairs::parse(spec, |key| Ok(HashKey::legacy(key)))
    }

    /// Reads the SPEC in a file.
    ///
    /// # Errors
    /// Returns a usage error if the file cannot be read, is not text, or is not a SPEC, or if it
    /// differs from its [checksum](super::key_file_with_checksum).
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        read_key_file(path)?.parse()
    }

    /// Reads the SPEC in a file. It may have weak hash keys: shorter than 32 bytes.
    ///
    /// # Errors
    /// Returns the errors of [`from_file`](KeyPairs::from_file), except for short hash keys.
    pub fn from_legacy_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        KeyPairs::from_legacy_spec(&read_key_file(path)?)
    }

    /// Reads the SPEC in an environment variable.
    ///
    /// # Errors
    /// Returns a usage error if the variable is not set, is not text, or is not a SPEC.
    pub fn from_env(variable: &str) -> Result<Self, Error> {
        let named = match may_be_a_key(variable) {
            true => "the variable for the keys".to_owned(),
            false => format!("the variable {variable}"),
        };
        match std::env::var(variable) {
            Ok(spec) => {
                let pairs = Zeroizing::new(spec).parse::<KeyPairs>();
                pairs.map_err(|error| Error::usage(format!("{named}: {error}")))
            }
            Err(VarError::NotPresent) => Err(Error::usage(format!(
                "{named} is not set: set it to key pairs, as `silverback keygen` prints them"
            ))),
            // The variable's error quotes its value.
            Err(VarError::NotUnicode(_)) => Err(Error::usage(format!(
                "{named} is not UTF-8: set it to key pairs, as `silverback keygen` prints them"
            ))),
        }
    }

    /// Returns the number of pairs, which is at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "never empty by construction")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns an iterator over the pairs, newest first.
    pub fn iter(&self) -> std::slice::Iter<'_, KeyPair> {
        self.0.iter()
    }

    fn parse(spec: &str, hash_key: fn(&[u8]) -> Result<HashKey, Error>) -> Result<Self, Error> {
        let pair = |(number, text): (usize, &str)| {
            parse_pair(text, hash_key)
                .map_err(|error| Error::usage(format!("key pair {number}: {error}")))
        };
        let pairs = (1..).zip(pairs_of(spec)).map(pair);
        KeyPairs::new(pairs.collect::<Result<Vec<_>, _>>()?)
    }
}

impl FromStr for KeyPairs {
    type Err = Error;

    fn from_str(spec: &str) -> Result<Self, Error> {
        KeyPairs::parse(spec, HashKey::new)
    }
}

impl<'k> IntoIterator for &'k KeyPairs {
    type Item = &'k KeyPair;
    type IntoIter = std::slice::Iter<'k, KeyPair>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for KeyPairs {
    type Item = KeyPair;
    type IntoIter = std::vec::IntoIter<KeyPair>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Splits a SPEC into the texts of its pairs.
pub(super) fn pairs_of(spec: &str) -> Vec<&str> {
    let is_pairs = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let mut lines = spec
        .lines()
        .map(str::trim_ascii)
        .filter(is_pairs)
        .peekable();
    let mut pairs = Vec::new();
    while let Some(line) = lines.next() {
        // A comma at the end of a line and the line end together are one separator.
        let line = match lines.peek() {
            Some(_) => line.strip_suffix(',').unwrap_or(line),
            None => line,
        };
        pairs.extend(line.split(',').map(str::trim_ascii));
    }
    pairs
}

/// Returns whether the name of a variable may be a key by mistake: it has 32 characters or
/// more, or others than letters, digits and underscores.
fn may_be_a_key(variable: &str) -> bool {
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    variable.len() >= 32 || !variable.bytes().all(in_name)
}

fn parse_pair(text: &str, hash_key: fn(&[u8]) -> Result<HashKey, Error>) -> Result<KeyPair, Error> {
    let (hash, block) = match text.split_once(':') {
        Some((hash, block)) => (hash, Some(block)),
        None => (text, None),
    };
    let hash = parse_key("hash", hash)?;
    if hash.is_empty() {
        return Err(Error::usage(
            "the hash key is missing: write HASH or HASH:BLOCK",
        ));
    }
    let hash = hash_key(&hash)?;
    let Some(block) = block else {
        return Ok(KeyPair::sign_only(hash));
    };
    let block = BlockKey::new(&parse_key("block", block)?)?;
    Ok(KeyPair::new(hash, block))
}
