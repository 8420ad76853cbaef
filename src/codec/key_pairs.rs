//! [`KeyPairs`]: the chain's keys as text (SPEC), from an argument, a file or
//! the environment.
//!
//! Reading that file or variable, once, at start-up, is the only I/O of the codec.

use std::env::VarError;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use zeroize::Zeroizing;

use super::readings::parse_key;
use super::{BlockKey, Error, HashKey, KeyPair, OtherReading};

/// No chain is this long; a device or a wrong file ends here.
const LONGEST_KEY_FILE: u64 = 64 * 1024;

/// Key pairs, newest first: the first seals, all open.
///
/// As text (SPEC): `HASH[:BLOCK]` pairs, separated by commas or line ends. White space around a
/// pair is ignored, and so are empty lines and those that begin with `#`. Each key is
///
/// | text | the key's bytes | in Go |
/// |---|---|---|
/// | hex digits | what they stand for | `hex.DecodeString` |
/// | `b64=` and base64 in either alphabet, padded or not | what it stands for | `base64.StdEncoding`, `URLEncoding` and their `Raw` forms |
/// | `text=` and text | the text itself, which holds no comma, no colon and no line end | `[]byte(os.Getenv("KEY"))` |
///
/// The last reading is for keys that a Go program has as text; one made of letters is easier
/// to guess than its length says. [`KeyPair::generate`] and `silverback keygen` make better
/// ones.
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
        read_key_file(path)?.parse()
    }

    /// [`from_file`](KeyPairs::from_file), of a SPEC with weak hash keys.
    ///
    /// # Errors
    /// As `from_file`, except that hash keys may be short.
    pub fn from_legacy_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        KeyPairs::from_legacy_spec(&read_key_file(path)?)
    }

    /// Reads the SPEC in an environment variable.
    ///
    /// # Errors
    /// Usage, if the variable is not set, is no text, or holds no SPEC.
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
                "{named} is not set: put key pairs there, as `silverback keygen` prints them"
            ))),
            // The variable's error quotes its value.
            Err(VarError::NotUnicode(_)) => Err(Error::usage(format!("{named} is no text"))),
        }
    }

    /// What each pair of a SPEC would be if its keys were read in another way: as text for hex,
    /// say. For a hint to an operator when the keys do not open a cookie, as the `silverback`
    /// program gives it; never for opening what a client sends.
    ///
    /// ```
    /// use silverback::codec::{Codec, Codecs, KeyPairs};
    ///
    /// // A Go program that takes the digits themselves for its key.
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
        let pair = |(number, text): (usize, &str)| {
            parse_pair(text, hash_key)
                .map_err(|error| Error::usage(format!("key pair {number}: {error}")))
        };
        let pairs = (1..).zip(pairs_of(spec)).map(pair);
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

/// The texts of the pairs.
fn pairs_of(spec: &str) -> Vec<&str> {
    let is_pairs = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let mut lines = spec
        .lines()
        .map(str::trim_ascii)
        .filter(is_pairs)
        .peekable();
    let mut pairs = Vec::new();
    while let Some(line) = lines.next() {
        // A comma at the end of a line and the end itself separate once.
        let line = match lines.peek() {
            Some(_) => line.strip_suffix(',').unwrap_or(line),
            None => line,
        };
        pairs.extend(line.split(',').map(str::trim_ascii));
    }
    pairs
}

/// Whether the name of a variable may be a key by mistake: a key's text has 32 characters or
/// more, and may have others than letters, digits and underscores.
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
        return Err(Error::usage("the hash key is missing"));
    }
    let hash = hash_key(&hash)?;
    let Some(block) = block else {
        return Ok(KeyPair::sign_only(hash));
    };
    let block = BlockKey::new(&parse_key("block", block)?)?;
    Ok(KeyPair::new(hash, block))
}

/// The text of a key file, which is a SPEC, in memory that is wiped:
/// [`KeyPairs::from_file`] reads it and parses it.
///
/// # Errors
/// Usage, if the file cannot be read, is no text, or is over 64 KiB. The path is not named: on
/// a command line it may be a key by mistake.
pub fn read_key_file(path: impl AsRef<Path>) -> Result<Zeroizing<String>, Error> {
    let refused = |why: &str| Error::usage(format!("the key file cannot be read: {why}"));
    // A buffer that grew would leave keys behind.
    let mut text = Zeroizing::new(String::with_capacity(LONGEST_KEY_FILE as usize + 2));
    File::open(path)
        .and_then(|file| file.take(LONGEST_KEY_FILE + 1).read_to_string(&mut text))
        .map_err(|error| refused(&error.to_string()))?;
    if text.len() as u64 > LONGEST_KEY_FILE {
        return Err(refused("it is too large to be one"));
    }
    Ok(text)
}
