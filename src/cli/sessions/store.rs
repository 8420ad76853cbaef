//! Where the records are, and the keys that open them.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use silverback::backend::{self, Backend, Key};
use silverback::codec::{CodecOptions, Codecs, Serializer};
use silverback::session::{CookieOptions, Dialect, Lifetime, Refusal, ServerOptions, ServerStore};

use super::super::settings::{CipherName, Keys, SealingHash, from_environment};
use super::super::{Failure, tell};

/// The variable that holds the URL when no option does.
const STORE_VARIABLE: &str = "SILVERBACK_STORE";

/// How many characters the key of a record has: base64url of SHA-256.
const KEY_LENGTH: usize = 43;

/// Where the records are.
#[derive(Args)]
pub(super) struct Place {
    /// Where the records are; without it, the variable SILVERBACK_STORE says so
    #[arg(long, value_name = "URL")]
    store: Option<String>,

    /// Whose records they are
    #[arg(long, value_enum, default_value_t)]
    dialect: DialectName,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum DialectName {
    /// Silverback's own
    #[default]
    Native,
}

/// What opens the records: what the service that wrote them was told.
#[derive(Args)]
pub(super) struct Service {
    #[command(flatten)]
    keys: Keys,

    /// The name of the service's cookie, which is part of each record's seal
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// The store name of the service, if it has one
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    store_name: String,

    /// How values are serialized
    #[arg(long, value_enum, default_value_t)]
    serializer: SerializerName,

    /// How a block key encrypts cookies
    #[arg(long, value_enum, default_value_t)]
    cipher: CipherName,

    /// The hash function under a cookie's MAC
    #[arg(long, value_enum, default_value_t)]
    hash: SealingHash,
}

/// The serializers that sessions can have.
#[derive(Clone, Copy, Default, ValueEnum)]
enum SerializerName {
    /// Go's encoding/gob
    #[default]
    Gob,
    /// JSON
    Json,
}

impl Place {
    /// What is there: nothing is made by looking after it.
    pub(super) async fn connect(&self) -> Result<Arc<dyn Backend>, Failure> {
        let url = match &self.store {
            Some(url) => Some(url.clone()),
            None => from_environment(STORE_VARIABLE)?,
        };
        let missing = || format!("there is no store: give --store or {STORE_VARIABLE}");
        let url = url.ok_or_else(|| Failure::usage(missing()))?;
        Ok(backend::connect_existing(&url).await?)
    }

    /// The store of a service; none, if its cookie's name is not given.
    pub(super) async fn open(&self, service: &Service) -> Result<Option<ServerStore>, Failure> {
        let Some(name) = &service.name else {
            return match service.keys.are_given() {
                true => Err(Failure::usage("keys open nothing without --name")),
                false => Ok(None),
            };
        };
        let options = ServerOptions::new()
            .dialect(self.dialect.into())
            .cookie(CookieOptions::new().name(name)?)
            .lifetime(any_lifetime())
            .store_name(&service.store_name);
        let codecs = service.codecs()?;
        let store = ServerStore::with_options(codecs, self.connect().await?, options)?;
        Ok(Some(store))
    }
}

/// What the service's lifetime is, only the service knows: no session is over by this one
/// that is not by what is sealed within.
fn any_lifetime() -> Lifetime {
    Lifetime::new().without_idle().without_absolute()
}

impl Service {
    fn codecs(&self) -> Result<Codecs, Failure> {
        let options = CodecOptions::new()
            .hash(self.hash.into())
            .cipher(self.cipher.into())
            .serializer(self.serializer.into())
            .max_age(Duration::ZERO);
        Ok(Codecs::from_pairs_with(self.keys.read()?, &options)?)
    }
}

impl From<DialectName> for Dialect {
    fn from(name: DialectName) -> Self {
        match name {
            DialectName::Native => Dialect::Native,
        }
    }
}

impl From<SerializerName> for Serializer {
    fn from(name: SerializerName) -> Self {
        match name {
            SerializerName::Gob => Serializer::Gob,
            SerializerName::Json => Serializer::Json,
        }
    }
}

/// Whether that is a record's key. Nothing else is ever printed that was given as one:
/// somebody may give a cookie.
pub(super) fn is_key(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text.len() == KEY_LENGTH && text.bytes().all(is_letter)
}

/// A KEY argument.
pub(super) fn parse_key(text: &str) -> Result<Key, Failure> {
    match is_key(text) {
        true => Ok(Key::new(text)?),
        false => Err(Failure::usage(
            "a KEY is the 43 characters that `sessions list` prints",
        )),
    }
}

/// Why there is no such session, in words of the command line.
pub(super) fn reason(refusal: Refusal) -> String {
    match refusal {
        Refusal::Gone => "there is no such session".to_owned(),
        Refusal::NotValid => "not valid: other keys, another --name or --store-name, or no \
                              session of this service"
            .to_owned(),
        refusal => format!("the session is refused: {refusal}"),
    }
}

/// Names on standard error what could not be read.
pub(super) fn tell_of_skipped(skipped: &[backend::Error]) {
    for error in skipped {
        tell(format_args!("silverback: skipped: {error}"));
    }
}
