//! The options that several commands share, and the codecs built from them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use silverback::codec::{
    Cipher, Codec, CodecOptions, Codecs, HashFunction, KeyPairs, Serializer, UnixTime,
    read_key_file,
};
use zeroize::Zeroizing;

use super::failure::Failure;
use super::pasted::Pasted;
use super::payload::{self, Format};
use super::wrong_use::cookie_name;

/// The variable with the keys, used if no option gives them.
const KEYS_VARIABLE: &str = "SILVERBACK_KEYS";

/// The options for the keys.
#[derive(Clone, Args)]
pub(super) struct Keys {
    /// The keys: HASH[:BLOCK] pairs, newest first (default: the variable SILVERBACK_KEYS). Other
    /// users of the machine can see the command line: prefer the variable or --keys-file
    #[arg(long, value_name = "SPEC", conflicts_with = "keys_file")]
    keys: Option<String>,

    /// A file with the keys, one pair a line
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    keys_file: Option<PathBuf>,

    /// Accept hash keys shorter than 32 bytes
    #[arg(long)]
    allow_weak_keys: bool,
}

impl Keys {
    /// Returns other keys, or the same if none are given.
    pub(super) fn replaced_by(&self, keys: Option<&str>, keys_file: Option<&Path>) -> Self {
        if keys.is_none() && keys_file.is_none() {
            return self.clone();
        }
        Keys {
            keys: keys.map(str::to_owned),
            keys_file: keys_file.map(Path::to_owned),
            allow_weak_keys: self.allow_weak_keys,
        }
    }
}

/// The options for the format of cookies.
#[derive(Args)]
pub(super) struct CookieFormat {
    /// The cookie's name, which is part of its seal
    #[arg(long, value_name = "NAME", value_parser = cookie_name)]
    pub(super) name: String,

    /// The format of the payload
    #[arg(long, value_enum, default_value_t)]
    pub(super) serializer: Format,

    /// The mode in which a block key encrypts
    #[arg(long, value_enum, default_value_t)]
    pub(super) cipher: CipherName,

    /// The longest cookie, in bytes; 0 means no limit
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    max_length: usize,
}

/// The options for opening cookies.
#[derive(Args)]
pub(super) struct Opening {
    #[command(flatten)]
    pub(super) keys: Keys,

    #[command(flatten)]
    pub(super) format: CookieFormat,

    /// The hash function of the MAC
    #[arg(long, value_enum, default_value_t)]
    pub(super) hash: OpeningHash,

    #[command(flatten)]
    ages: AgeLimits,

    #[command(flatten)]
    pub(super) clock: Clock,
}

/// The option for the current time.
#[derive(Args)]
pub(super) struct Clock {
    /// Use this as the current time, in seconds since 1970
    #[arg(long, value_name = "UNIX")]
    at: Option<u64>,
}

/// The options for the permitted ages of a cookie.
#[derive(Args)]
pub(super) struct AgeLimits {
    /// The age in seconds above which a cookie is expired; 0 means no limit
    #[arg(long, value_name = "SECONDS", default_value_t = 30 * 24 * 60 * 60)]
    max_age: u64,

    /// The age in seconds below which a cookie is too new
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    min_age: u64,
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(super) enum CipherName {
    /// AES in counter mode, as gorilla does
    #[default]
    Ctr,
    /// AES in cipher feedback mode
    Cfb,
}

/// The hash functions that can seal.
#[derive(Clone, Copy, Default, ValueEnum)]
pub(super) enum SealingHash {
    #[default]
    Sha256,
    Sha384,
    Sha512,
    #[value(name = "sha512_256")]
    Sha512_256,
}

/// The hash functions that can open.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum OpeningHash {
    #[default]
    Sha256,
    Sha384,
    Sha512,
    #[value(name = "sha512_256")]
    Sha512_256,
    /// For cookies of an older service
    Sha1,
}

impl Keys {
    /// Reads the keys from the option, the file or the environment.
    pub(super) fn read(&self) -> Result<KeyPairs, Failure> {
        self.parse(&self.text()?)
    }

    /// Reads the text of the keys, which is a SPEC.
    fn text(&self) -> Result<Zeroizing<String>, Failure> {
        if let Some(path) = &self.keys_file {
            return read_key_file(path).map_err(Failure::usage);
        }
        let spec = match &self.keys {
            Some(spec) => spec.clone(),
            None => from_environment(KEYS_VARIABLE)?.ok_or_else(|| {
                let missing = "no keys are given: use --keys, --keys-file or the variable";
                Failure::usage(format!("{missing} {KEYS_VARIABLE}"))
            })?,
        };
        Ok(Zeroizing::new(spec))
    }

    fn parse(&self, spec: &str) -> Result<KeyPairs, Failure> {
        let pairs = match self.allow_weak_keys {
            true => KeyPairs::from_legacy_spec(spec),
            false => spec.parse(),
        };
        pairs.map_err(|error| match KeyPairs::from_legacy_spec(spec) {
            Ok(_) => Failure::usage(format!("{error} (or use --allow-weak-keys)")),
            Err(_) => Failure::usage(error),
        })
    }
}

/// The keys for opening cookies, and their text.
pub(super) struct OpeningKeys {
    pub(super) pairs: KeyPairs,
    spec: Zeroizing<String>,
}

impl OpeningKeys {
    /// Returns the text of the keys, which must not be printed.
    pub(super) fn spec(&self) -> &str {
        &self.spec
    }
}

impl Opening {
    pub(super) fn keys(&self) -> Result<OpeningKeys, Failure> {
        let spec = self.keys.text()?;
        let pairs = self.keys.parse(&spec)?;
        Ok(OpeningKeys { pairs, spec })
    }

    /// Returns a hint for the operator if the keys do not open the cookie, but would in another
    /// reading, with one of these hash functions.
    pub(super) fn hint(
        &self,
        keys: &OpeningKeys,
        hashes: &[HashFunction],
        cookie: &str,
    ) -> Option<String> {
        let CookieFormat {
            name, serializer, ..
        } = &self.format;
        let opens = |pairs: &KeyPairs, hash| {
            // An expired cookie is not decrypted, so that the block key would not be tested.
            let codecs = self.format.codecs(pairs.clone(), hash, &AgeLimits::ANY);
            let opened = codecs.map(|codecs| codecs.open_at(name, cookie, self.clock.now()));
            matches!(opened, Ok(Ok(opened)) if payload::to_json(*serializer, opened.value()).is_ok())
        };
        let readings = KeyPairs::other_readings(&keys.spec);
        let opening = readings
            .iter()
            .find(|other| hashes.iter().any(|hash| opens(other.keys(), *hash)));
        match opening {
            Some(opening) => Some(format!("{opening} opens it")),
            None => self.hint_at_pasted(keys, hashes, cookie),
        }
    }

    /// Returns a hint if the keys open the cookie in the text that a person has copied.
    fn hint_at_pasted(
        &self,
        keys: &OpeningKeys,
        hashes: &[HashFunction],
        text: &str,
    ) -> Option<String> {
        let name = &*self.format.name;
        let pasted = Pasted::read(text, &[name]);
        let step = pasted.steps.first()?;
        let opens = |hash: &HashFunction| {
            let codecs = self
                .format
                .codecs(keys.pairs.clone(), *hash, &AgeLimits::ANY);
            let opened = codecs.map(|codecs| codecs.open_at(name, &pasted.value, self.clock.now()));
            matches!(opened, Ok(Ok(_)))
        };
        let is_open = hashes.iter().any(opens);
        is_open.then(|| format!("{step}: give the value alone, or see `silverback why`"))
    }

    /// Returns the chain of these keys, with a hash function that may differ from the option's.
    pub(super) fn codecs(&self, pairs: KeyPairs, hash: HashFunction) -> Result<Codecs, Failure> {
        self.format.codecs(pairs, hash, &self.ages)
    }
}

/// Returns the text of an environment variable, or `None` if it is not set.
pub(super) fn from_environment(variable: &str) -> Result<Option<String>, Failure> {
    use std::env::VarError;

    match std::env::var(variable) {
        Ok(text) => Ok(Some(text)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::usage(format!(
            "the variable {variable} is not UTF-8: set it again"
        ))),
    }
}

impl Clock {
    pub(super) fn now(&self) -> UnixTime {
        self.at.map_or_else(UnixTime::now, UnixTime::from_secs)
    }
}

impl CookieFormat {
    pub(super) fn cipher(&self) -> Cipher {
        self.cipher.into()
    }

    /// Returns the same format for cookies of any length.
    pub(super) fn with_any_length(&self) -> Self {
        CookieFormat {
            name: self.name.clone(),
            max_length: 0,
            ..*self
        }
    }

    /// Returns the chain of these keys with this hash function.
    pub(super) fn codecs(
        &self,
        pairs: KeyPairs,
        hash: HashFunction,
        ages: &AgeLimits,
    ) -> Result<Codecs, Failure> {
        let options = CodecOptions::new()
            .hash(hash)
            .cipher(self.cipher.into())
            .serializer(Serializer::Raw)
            .max_length(self.max_length)
            .max_age(Duration::from_secs(ages.max_age))
            .min_age(Duration::from_secs(ages.min_age));
        Codecs::from_pairs_with(pairs, &options).map_err(Failure::usage)
    }
}

impl AgeLimits {
    /// Permits any age. For sealing, which does not depend on ages.
    pub(super) const ANY: AgeLimits = AgeLimits {
        max_age: 0,
        min_age: 0,
    };
}

impl From<CipherName> for Cipher {
    fn from(cipher: CipherName) -> Self {
        match cipher {
            CipherName::Ctr => Cipher::AesCtr,
            CipherName::Cfb => Cipher::AesCfb,
        }
    }
}

impl From<SealingHash> for HashFunction {
    fn from(hash: SealingHash) -> Self {
        match hash {
            SealingHash::Sha256 => HashFunction::Sha256,
            SealingHash::Sha384 => HashFunction::Sha384,
            SealingHash::Sha512 => HashFunction::Sha512,
            SealingHash::Sha512_256 => HashFunction::Sha512_256,
        }
    }
}

impl From<OpeningHash> for HashFunction {
    fn from(hash: OpeningHash) -> Self {
        match hash {
            OpeningHash::Sha256 => HashFunction::Sha256,
            OpeningHash::Sha384 => HashFunction::Sha384,
            OpeningHash::Sha512 => HashFunction::Sha512,
            OpeningHash::Sha512_256 => HashFunction::Sha512_256,
            OpeningHash::Sha1 => HashFunction::Sha1,
        }
    }
}
