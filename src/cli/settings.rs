//! The options that several commands share, and the codecs they make.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use silverback::codec::{
    Cipher, Codec, CodecOptions, Codecs, HashFunction, KeyPairs, Serializer, UnixTime,
    read_key_file,
};
use zeroize::Zeroizing;

use super::{Failure, picture};

/// The variable that holds the keys when no option names them.
const KEYS_VARIABLE: &str = "SILVERBACK_KEYS";

/// Which keys.
#[derive(Args)]
pub(super) struct Keys {
    /// The keys: HASH[:BLOCK] pairs, newest first
    #[arg(long, value_name = "SPEC", conflicts_with = "keys_file")]
    keys: Option<String>,

    /// A file that holds the keys, one pair a line
    #[arg(long, value_name = "PATH")]
    keys_file: Option<PathBuf>,

    /// Admit hash keys shorter than 32 bytes
    #[arg(long)]
    allow_weak_keys: bool,
}

/// How cookies are framed.
#[derive(Args)]
pub(super) struct Frame {
    /// The cookie's name, which is part of its seal
    #[arg(long, value_name = "NAME")]
    pub(super) name: String,

    /// How the payload is serialized
    #[arg(long, value_enum, default_value_t)]
    pub(super) serializer: Format,

    /// How a block key encrypts
    #[arg(long, value_enum, default_value_t)]
    cipher: CipherName,

    /// How many bytes a cookie may have; 0 means any number
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    max_length: usize,
}

/// All that opening takes but the cookies.
#[derive(Args)]
pub(super) struct Opening {
    #[command(flatten)]
    keys: Keys,

    #[command(flatten)]
    pub(super) frame: Frame,

    /// The hash function under the MAC
    #[arg(long, value_enum, default_value_t)]
    pub(super) hash: OpeningHash,

    #[command(flatten)]
    ages: Ages,

    #[command(flatten)]
    pub(super) clock: Clock,
}

/// When it is.
#[derive(Args)]
pub(super) struct Clock {
    /// Take this for now, in seconds since 1970
    #[arg(long, value_name = "UNIX")]
    at: Option<u64>,
}

/// How old a cookie may be.
#[derive(Args)]
pub(super) struct Ages {
    /// The oldest age that is opened, in seconds; 0 means any
    #[arg(long, value_name = "SECONDS", default_value_t = 30 * 24 * 60 * 60)]
    max_age: u64,

    /// The youngest age that is opened, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    min_age: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Go's encoding/gob
    #[default]
    Gob,
    /// JSON
    Json,
    /// The JSON text as one bincode string
    Bincode,
    /// Bytes as they are
    Raw,
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(super) enum CipherName {
    /// AES in counter mode, as gorilla does
    #[default]
    Ctr,
    /// AES in cipher feedback mode
    Cfb,
}

/// The hash functions that seal.
#[derive(Clone, Copy, Default, ValueEnum)]
pub(super) enum SealingHash {
    #[default]
    Sha256,
    Sha384,
    Sha512,
    #[value(name = "sha512_256")]
    Sha512_256,
}

/// The hash functions that open.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum OpeningHash {
    #[default]
    Sha256,
    Sha384,
    Sha512,
    #[value(name = "sha512_256")]
    Sha512_256,
    /// What an older service sealed
    Sha1,
}

impl Keys {
    /// Whether an option names them.
    pub(super) fn are_given(&self) -> bool {
        self.keys.is_some() || self.keys_file.is_some()
    }

    /// The keys, from where they are.
    pub(super) fn read(&self) -> Result<KeyPairs, Failure> {
        self.parse(&self.text()?)
    }

    /// The text of the keys: a SPEC.
    fn text(&self) -> Result<Zeroizing<String>, Failure> {
        if let Some(path) = &self.keys_file {
            return read_key_file(path).map_err(Failure::usage);
        }
        let spec = match &self.keys {
            Some(spec) => spec.clone(),
            None => from_environment(KEYS_VARIABLE)?.ok_or_else(|| {
                let missing = "there are no keys: give --keys, --keys-file or";
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
        pairs.map_err(Failure::usage)
    }
}

/// The keys that open, and their text.
pub(super) struct OpeningKeys {
    pub(super) pairs: KeyPairs,
    spec: Zeroizing<String>,
}

impl Opening {
    pub(super) fn keys(&self) -> Result<OpeningKeys, Failure> {
        let spec = self.keys.text()?;
        let pairs = self.keys.parse(&spec)?;
        Ok(OpeningKeys { pairs, spec })
    }

    /// Whether another reading of the keys opens a cookie that the keys do not open, under one
    /// of these hash functions: in words for the operator, who then knows what to write.
    pub(super) fn hint(
        &self,
        keys: &OpeningKeys,
        hashes: &[HashFunction],
        cookie: &str,
    ) -> Option<String> {
        let Frame {
            name, serializer, ..
        } = &self.frame;
        let opens = |pairs: &KeyPairs, hash| {
            // Of any age: what is expired is not decrypted, and says nothing of the block key.
            let codecs = self.frame.codecs(pairs.clone(), hash, &Ages::ANY);
            let opened = codecs.map(|codecs| codecs.open_at(name, cookie, self.clock.now()));
            matches!(opened, Ok(Ok(opened)) if picture::picture(*serializer, opened.value()).is_ok())
        };
        let readings = KeyPairs::other_readings(&keys.spec);
        let opening = readings
            .iter()
            .find(|other| hashes.iter().any(|hash| opens(other.keys(), *hash)))?;
        Some(format!("{opening} opens it"))
    }

    /// The chain of these keys, under a hash function that need not be the option's.
    pub(super) fn codecs(&self, pairs: KeyPairs, hash: HashFunction) -> Result<Codecs, Failure> {
        self.frame.codecs(pairs, hash, &self.ages)
    }
}

/// A variable's text; none, if it is not set.
pub(super) fn from_environment(variable: &str) -> Result<Option<String>, Failure> {
    use std::env::VarError;

    match std::env::var(variable) {
        Ok(text) => Ok(Some(text)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::usage(format!("{variable} is no text"))),
    }
}

impl Clock {
    pub(super) fn now(&self) -> UnixTime {
        self.at.map_or_else(UnixTime::now, UnixTime::from_secs)
    }
}

impl Frame {
    /// The chain of these keys under this hash function.
    pub(super) fn codecs(
        &self,
        pairs: KeyPairs,
        hash: HashFunction,
        ages: &Ages,
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

impl Ages {
    /// For sealing, where ages play no part.
    pub(super) const ANY: Ages = Ages {
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

/// clap's error in one line, without the values it quotes: one may be a key that
/// ended up in the wrong place.
pub(super) fn without_values(error: &clap::Error) -> String {
    use clap::error::{ContextKind, ContextValue, ErrorKind};

    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::MissingRequiredArgument => format!("this is missing: {argument}"),
        ErrorKind::InvalidSubcommand => "there is no such command".to_owned(),
        ErrorKind::InvalidValue => match context(ContextKind::ValidValue) {
            Some(valid) if !valid.is_empty() => format!("{argument} is one of: {valid}"),
            _ => format!("{argument} needs a value"),
        },
        ErrorKind::ValueValidation => format!("{argument} has a value that does not fit"),
        ErrorKind::ArgumentConflict => {
            let other = context(ContextKind::PriorArg).unwrap_or_default();
            if other == argument {
                format!("{argument} is given twice")
            } else {
                format!("{argument} does not go with {other}")
            }
        }
        // An option of ours misspelt is worth repeating; a value is not one.
        ErrorKind::UnknownArgument => match context(ContextKind::SuggestedArg) {
            Some(known) => format!("there is no such option; did you mean {known}?"),
            None => "there is an argument that does not belong here".to_owned(),
        },
        _ => "the arguments are not as they should be".to_owned(),
    };
    format!("{what} (see --help)")
}
