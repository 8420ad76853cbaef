//! The options for the store, and for the keys that open its records.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use silverback::backend::{self, Backend, ConnectOptions, Key};
use silverback::codec::{CodecOptions, Codecs, Serializer};
use silverback::session::{CookieOptions, Dialect, Lifetime, Refusal, ServerOptions, ServerStore};

use super::super::failure::{Failure, report};
use super::super::settings::{CipherName, Keys, SealingHash, from_environment};

/// The variable with the URL, used if no option gives it.
const STORE_VARIABLE: &str = "SILVERBACK_STORE";

/// The length of a record's key, in characters: base64url of SHA-256.
const KEY_LENGTH: usize = 43;

/// The options for the place and the format of the records.
#[derive(Args)]
pub(super) struct StoreArguments {
    /// The URL of the store (default: the variable SILVERBACK_STORE)
    #[arg(long, value_name = "URL")]
    store: Option<String>,

    /// The program that wrote the records
    #[arg(long, value_enum, default_value_t)]
    dialect: DialectName,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum DialectName {
    /// Silverback itself
    #[default]
    Native,
}

/// The options that open the records: the settings of the service that wrote them.
#[derive(Args)]
pub(super) struct Service {
    #[command(flatten)]
    keys: Keys,

    /// The name of the service's cookie, which is part of each record's seal
    #[arg(long, value_name = "NAME")]
    name: String,

    /// The store name of the service, if it has one
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    store_name: String,

    /// The format of the values
    #[arg(long, value_enum, default_value_t)]
    serializer: SerializerName,

    /// The mode in which a block key encrypts cookies
    #[arg(long, value_enum, default_value_t)]
    cipher: CipherName,

    /// The hash function of a cookie's MAC
    #[arg(long, value_enum, default_value_t)]
    hash: SealingHash,
}

/// The formats that the values of a session can have.
#[derive(Clone, Copy, Default, ValueEnum)]
enum SerializerName {
    /// Go's encoding/gob
    #[default]
    Gob,
    /// JSON
    Json,
}

impl StoreArguments {
    /// Connects to an existing store. It creates nothing.
    pub(super) async fn connect(&self) -> Result<Arc<dyn Backend>, Failure> {
        let url = match &self.store {
            Some(url) => Some(url.clone()),
            None => from_environment(STORE_VARIABLE)?,
        };
        let missing = || format!("no store is given: use --store or the variable {STORE_VARIABLE}");
        let url = url.ok_or_else(|| Failure::usage(missing()))?;
        let options = ConnectOptions::new().create_if_missing(false);
        Ok(backend::connect_with(&url, options).await?)
    }

    /// Opens the store of a service.
    pub(super) async fn open(&self, service: &Service) -> Result<ServerStore, Failure> {
        let options = ServerOptions::new()
            .cookie(CookieOptions::new().name(&service.name)?)
            .lifetime(any_lifetime());
        let dialect = match self.dialect {
            DialectName::Native => {
                Dialect::native(service.codecs()?).store_name(&service.store_name)
            }
        };
        let backend = self.connect().await?;
        Ok(ServerStore::with_options(dialect, backend, options)?)
    }
}

/// Returns a lifetime without limits. This program does not know the limits of the service: only
/// the deadline sealed in a record ends its session.
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

impl From<SerializerName> for Serializer {
    fn from(name: SerializerName) -> Self {
        match name {
            SerializerName::Gob => Serializer::Gob,
            SerializerName::Json => Serializer::Json,
        }
    }
}

/// Returns whether the text has the form of a record's key. Other text is never printed, since it
/// may be a cookie.
pub(super) fn is_key(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text.len() == KEY_LENGTH && text.bytes().all(is_letter)
}

/// Parses a KEY argument.
pub(super) fn parse_key(text: &str) -> Result<Key, Failure> {
    match is_key(text) {
        true => Ok(Key::new(text)?),
        false => Err(Failure::usage(
            "the KEY is not valid: copy the 43 characters that `sessions list` prints",
        )),
    }
}

/// Parses the KEY arguments.
pub(super) fn parse_keys(texts: &[String]) -> Result<Vec<Key>, Failure> {
    texts.iter().map(|text| parse_key(text)).collect()
}

/// Returns the reason for a refusal, with the options of the command line.
pub(super) fn reason(refusal: Refusal) -> String {
    match refusal {
        Refusal::Gone => "there is no such session".to_owned(),
        Refusal::NotValid => "not valid: the keys, --name or --store-name are wrong, or the \
                              record is not a session of this service"
            .to_owned(),
        refusal => format!("the session was refused: {refusal}"),
    }
}

/// Names the records that could not be read, on standard error.
pub(super) fn report_skipped(skipped: &[backend::Error]) {
    for error in skipped {
        report(format_args!("silverback: skipped a record: {error}"));
    }
}
