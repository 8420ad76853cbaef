//! The options for the store, and for the keys that open its records.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use silverback::backend::Backend;
use silverback::codec::{CodecOptions, Codecs, Serializer};
use silverback::session::{CookieOptions, Dialect, Lifetime, Refusal, ServerOptions, ServerStore};

use super::super::failure::Failure;
use super::super::settings::{CipherName, Keys, SealingHash, from_environment};
use super::super::wrong_use::cookie_name;
use super::dialect::{DialectName, TableSettings};
use super::keys::{KeyArgument, KeyForm};

/// The variable with the URL, used if no option gives it.
const STORE_VARIABLE: &str = "SILVERBACK_STORE";

/// The options for the place and the format of the records.
#[derive(Args)]
pub(super) struct StoreArguments {
    /// The URL of the store (default: the variable SILVERBACK_STORE)
    #[arg(long, value_name = "URL")]
    store: Option<String>,

    /// The program that wrote the records
    #[arg(long, value_enum, default_value_t)]
    dialect: DialectName,

    /// The name of the Go package's table, if it is not the package's default
    #[arg(long, value_name = "NAME")]
    table: Option<String>,

    /// KEY is the key of a row: for a service on scs with the option HashTokenInStore. With any
    /// other service, `list` would then print tokens, which open sessions
    #[arg(long)]
    hash_token_in_store: bool,

    /// For pgstore: how long rows that Go saved with MaxAge 0 are valid, such as 12h. Without it,
    /// these rows count as expired, and `purge` removes them
    #[arg(long = "max-age-0", value_name = "DURATION", value_parser = humantime::parse_duration)]
    without_max_age: Option<Duration>,
}

/// The options that open the records: the settings of the service that wrote them.
#[derive(Args)]
pub(in super::super) struct Service {
    #[command(flatten)]
    keys: Keys,

    /// The name of the service's cookie, which is part of each record's seal. Required, except for
    /// scs and rbcervilla/redisstore
    #[arg(long, value_name = "NAME", value_parser = cookie_name)]
    name: Option<String>,

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
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(in super::super) enum SerializerName {
    /// Go's encoding/gob
    #[default]
    Gob,
    /// JSON
    Json,
}

impl StoreArguments {
    pub(super) fn of(
        url: String,
        dialect: DialectName,
        table: Option<String>,
        hash_token_in_store: bool,
        without_max_age: Option<Duration>,
    ) -> Self {
        StoreArguments {
            store: Some(url),
            dialect,
            table,
            hash_token_in_store,
            without_max_age,
        }
    }

    /// Connects to an existing store. It creates nothing.
    pub(super) async fn connect(&self) -> Result<Arc<dyn Backend>, Failure> {
        let url = match &self.store {
            Some(url) => Some(url.clone()),
            None => from_environment(STORE_VARIABLE)?,
        };
        let missing = || format!("no store is given: use --store or the variable {STORE_VARIABLE}");
        let url = url.ok_or_else(|| Failure::usage(missing()))?;
        if self.hash_token_in_store && !self.dialect.is_scs() {
            return Err(Failure::usage(
                "--hash-token-in-store is for scs: leave it out",
            ));
        }
        let settings = TableSettings {
            name: self.table.as_deref(),
            without_max_age: self.without_max_age,
        };
        self.dialect.connect(&url, settings).await
    }

    /// Opens the store of a service.
    pub(super) async fn open(&self, service: &Service) -> Result<ServerStore, Failure> {
        let cookie = match &service.name {
            Some(name) => CookieOptions::new().name(name)?,
            None if self.dialect.seals_nothing() => CookieOptions::new(),
            None => {
                return Err(Failure::usage(
                    "an argument is missing: --name <NAME> (see --help)",
                ));
            }
        };
        let lifetime = match self.dialect.is_dolab() {
            true => any_lifetime().absolute(CENTURY),
            false => any_lifetime(),
        };
        let options = ServerOptions::new().cookie(cookie).lifetime(lifetime);
        let dialect: Dialect = match self.dialect {
            DialectName::Native => {
                let codecs = service.native_codecs(CodecOptions::new())?;
                // This program does not know the service's limit either.
                Dialect::native(codecs)
                    .store_name(&service.store_name)
                    .anonymous_idle(CENTURY)
                    .into()
            }
            scs if scs.is_scs() => {
                let hashes_tokens = self.hash_token_in_store;
                Dialect::scs().hash_token_in_store(hashes_tokens).into()
            }
            DialectName::RbcervillaRedisstore => {
                let serializer = service.serializer.into();
                Dialect::rbcervilla_redisstore()
                    .clear_rows(serializer)
                    .into()
            }
            dolab if dolab.is_dolab() => {
                let codecs = service.codecs(SerializerName::Gob, CodecOptions::new())?;
                Dialect::dolab(codecs).into()
            }
            gorilla => {
                // Go seals an ID as a gob, whatever the format of the row in the clear is.
                let sealed = match gorilla.has_clear_rows() {
                    true => SerializerName::Gob,
                    false => service.serializer,
                };
                let codecs = service.codecs(sealed, CodecOptions::new().max_length(0))?;
                match gorilla {
                    DialectName::Dynastore => Dialect::dynastore(codecs).into(),
                    clear if clear.has_clear_rows() => {
                        let dialect = Dialect::redistore(codecs).max_row_size(0);
                        dialect.clear_rows(service.serializer.into()).into()
                    }
                    _ => Dialect::gorilla(codecs).into(),
                }
            }
        };
        let backend = self.connect().await?;
        Ok(ServerStore::with_options(dialect, backend, options)?)
    }

    /// Returns whether Go programs write the records.
    pub(super) fn is_shared_with_go(&self) -> bool {
        self.dialect != DialectName::Native
    }

    /// Returns what the KEYs of this store are.
    pub(super) fn key_form(&self) -> KeyForm {
        KeyForm::of(self.dialect, self.hash_token_in_store)
    }

    /// Parses the KEY arguments.
    pub(super) fn parse_keys(&self, texts: &[String]) -> Result<Vec<KeyArgument>, Failure> {
        let form = self.key_form();
        texts.iter().map(|text| form.parse(text)).collect()
    }
}

/// A limit that no session reaches, where one is needed.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Returns a lifetime without limits. This program does not know the limits of the service: only
/// the deadline sealed in a record ends its session.
fn any_lifetime() -> Lifetime {
    Lifetime::new().without_idle().without_absolute()
}

impl Service {
    pub(in super::super) fn of(
        keys: Keys,
        name: &str,
        store_name: &str,
        serializer: SerializerName,
        (cipher, hash): (CipherName, SealingHash),
    ) -> Self {
        Service {
            keys,
            name: Some(name.to_owned()),
            store_name: store_name.to_owned(),
            serializer,
            cipher,
            hash,
        }
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(super) fn store_name(&self) -> &str {
        &self.store_name
    }

    /// Returns the codecs of Silverback's own records.
    pub(super) fn native_codecs(&self, options: CodecOptions) -> Result<Codecs, Failure> {
        self.codecs(self.serializer, options)
    }

    fn codecs(&self, serializer: SerializerName, options: CodecOptions) -> Result<Codecs, Failure> {
        let options = options
            .hash(self.hash.into())
            .cipher(self.cipher.into())
            .serializer(serializer.into())
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

/// Returns the reason for a refusal, with the options of the command line.
pub(super) fn reason(refusal: Refusal) -> String {
    match refusal {
        Refusal::Gone => "there is no such session".to_owned(),
        Refusal::NotValid => {
            "not valid: the keys, --name, --store-name or --dialect are wrong, or the \
                              record is not a session of this service"
                .to_owned()
        }
        refusal => format!("the session was refused: {refusal}"),
    }
}
