//! The programs whose records the commands can use: where they keep them, and the keys of these.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::ValueEnum;
use sha2::{Digest, Sha256};
use silverback::backend::{self, Backend, ConnectOptions, Key};

use super::super::failure::Failure;
use super::store::report_skipped;

/// The number of records that one request of a search returns.
const PAGE: usize = 1_000;

/// The length of a hash as a KEY, in characters: base64url of SHA-256.
const HASH_LENGTH: usize = 43;

/// The length of gorilla's IDs, in characters: base32 of 32 bytes.
const GORILLA_LENGTH: usize = 52;

/// The program that wrote the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum DialectName {
    /// Silverback itself
    #[default]
    Native,
    /// scs with postgresstore or pgxstore
    ScsPostgresstore,
    /// scs with mysqlstore
    ScsMysqlstore,
    /// scs with sqlite3store
    ScsSqlite3store,
    /// scs with gormstore, in any of its databases
    ScsGormstore,
    /// gorilla with rafaelespinoza/pgstore
    Pgstore,
    /// gorilla with antonlindstrom/pgstore
    AntonlindstromPgstore,
    /// gorilla with wader/gormstore, in any of its databases
    WaderGormstore,
    /// gorilla with pratikju/dynamostore
    Dynamostore,
    /// gorilla with savaki/dynastore
    Dynastore,
}

/// The settings of a Go package's table.
pub(super) struct TableSettings<'a> {
    pub(super) name: Option<&'a str>,
    /// The time that a row with Go's `MaxAge: 0` stays valid.
    pub(super) without_max_age: Option<Duration>,
}

impl DialectName {
    pub(super) fn is_scs(self) -> bool {
        matches!(
            self,
            DialectName::ScsPostgresstore
                | DialectName::ScsMysqlstore
                | DialectName::ScsSqlite3store
                | DialectName::ScsGormstore
        )
    }

    fn is_pgstore(self) -> bool {
        matches!(
            self,
            DialectName::Pgstore | DialectName::AntonlindstromPgstore
        )
    }

    fn is_dynamodb(self) -> bool {
        matches!(self, DialectName::Dynamostore | DialectName::Dynastore)
    }

    /// Connects to the store. It creates nothing.
    pub(super) async fn connect(
        self,
        url: &str,
        settings: TableSettings<'_>,
    ) -> Result<Arc<dyn Backend>, Failure> {
        let has_no_table = self == DialectName::Native || self.is_dynamodb();
        if settings.name.is_some() && has_no_table {
            return Err(Failure::usage(
                "--table is for the tables of Go packages in SQL databases: leave it out",
            ));
        }
        if settings.without_max_age.is_some() && !self.is_pgstore() {
            return Err(Failure::usage("--max-age-0 is for pgstore: leave it out"));
        }
        match self {
            DialectName::Native => {
                let options = ConnectOptions::new().create_if_missing(false);
                Ok(backend::connect_with(url, options).await?)
            }
            DialectName::Dynamostore | DialectName::Dynastore => self.connect_items(url).await,
            _ => self.connect_table(url, settings).await,
        }
    }

    #[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
    async fn connect_table(
        self,
        url: &str,
        settings: TableSettings<'_>,
    ) -> Result<Arc<dyn Backend>, Failure> {
        let no_table = || Failure::usage("the Go package has no table in an SQL database");
        let table = self.table().ok_or_else(no_table)?;
        let table = match settings.name {
            Some(name) => table.named(name),
            None => table,
        };
        let table = match settings.without_max_age {
            Some(lasting) => table.without_max_age(lasting),
            None => table,
        };
        let options = ConnectOptions::new().create_if_missing(false);
        Ok(backend::connect_go(url, table, options).await?)
    }

    #[cfg(not(any(feature = "postgres", feature = "mysql", feature = "sqlite")))]
    async fn connect_table(
        self,
        _: &str,
        _: TableSettings<'_>,
    ) -> Result<Arc<dyn Backend>, Failure> {
        Err(Failure::usage(
            "this dialect needs another build: enable silverback's feature `postgres`, `mysql` or \
             `sqlite`",
        ))
    }

    #[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
    fn table(self) -> Option<backend::GoTable> {
        use backend::GoTable;

        Some(match self {
            DialectName::Native | DialectName::Dynamostore | DialectName::Dynastore => return None,
            DialectName::ScsPostgresstore => GoTable::scs_postgresstore(),
            DialectName::ScsMysqlstore => GoTable::scs_mysqlstore(),
            DialectName::ScsSqlite3store => GoTable::scs_sqlite3store(),
            DialectName::ScsGormstore => GoTable::scs_gormstore(),
            DialectName::Pgstore => GoTable::pgstore(),
            DialectName::AntonlindstromPgstore => GoTable::antonlindstrom_pgstore(),
            DialectName::WaderGormstore => GoTable::wader_gormstore(),
        })
    }

    #[cfg(feature = "aws")]
    async fn connect_items(self, url: &str) -> Result<Arc<dyn Backend>, Failure> {
        use backend::{DynamoDbOptions, GoDynamoDb, GoItems};

        let items = match self {
            DialectName::Dynastore => GoItems::dynastore(),
            _ => GoItems::dynamostore(),
        };
        // Another URL would be read as the name of a table.
        if !url.starts_with("dynamodb:") {
            return Err(Failure::usage(
                "this dialect needs the URL of a table in DynamoDB: dynamodb:TABLE",
            ));
        }
        let options = DynamoDbOptions::new().create_if_missing(false);
        let connected = GoDynamoDb::connect_with(url, items, options).await?;
        Ok(Arc::new(connected))
    }

    #[cfg(not(feature = "aws"))]
    async fn connect_items(self, _: &str) -> Result<Arc<dyn Backend>, Failure> {
        Err(Failure::usage(
            "this dialect needs another build: enable silverback's feature `aws`",
        ))
    }
}

/// What the KEYs of a store are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyForm {
    /// The keys of the records, which are hashes.
    Hashes,
    /// The hashes of the records' keys. These keys are the tokens of scs: each one opens a session.
    HashesOfKeys,
    /// The keys of the records, which are gorilla's IDs. A cookie has them signed.
    SignedIds,
    /// The keys of the records, which are gorilla's IDs. Each one opens a session.
    BareIds,
}

impl KeyForm {
    pub(super) fn of(dialect: DialectName, hashes_tokens: bool) -> Self {
        match dialect {
            DialectName::Native => KeyForm::Hashes,
            _ if dialect.is_scs() && hashes_tokens => KeyForm::Hashes,
            _ if dialect.is_scs() => KeyForm::HashesOfKeys,
            DialectName::Dynastore => KeyForm::BareIds,
            _ => KeyForm::SignedIds,
        }
    }

    /// Returns the KEY that names a record.
    pub(super) fn text(self, key: &Key) -> String {
        match self {
            KeyForm::HashesOfKeys | KeyForm::BareIds => hash_of(key),
            KeyForm::Hashes | KeyForm::SignedIds => {
                String::from_utf8_lossy(key.as_bytes()).into_owned()
            }
        }
    }

    /// Parses a KEY argument.
    pub(super) fn parse(self, text: &str) -> Result<KeyArgument, Failure> {
        let hash = || KeyArgument::HashOf(text.to_owned());
        let argument = match self {
            KeyForm::Hashes => is_hash(text).then(|| Key::new(text).map(KeyArgument::Key)),
            KeyForm::HashesOfKeys => is_hash(text).then(|| Ok(hash())),
            KeyForm::SignedIds | KeyForm::BareIds if is_hash(text) => Some(Ok(hash())),
            KeyForm::SignedIds | KeyForm::BareIds => {
                is_gorilla_id(text).then(|| Key::new(text).map(KeyArgument::Key))
            }
        };
        let length = match self {
            KeyForm::Hashes | KeyForm::HashesOfKeys => HASH_LENGTH,
            KeyForm::SignedIds | KeyForm::BareIds => GORILLA_LENGTH,
        };
        let argument = argument.ok_or_else(|| {
            Failure::usage(format!(
                "the KEY is not valid: copy the {length} characters that `sessions list` prints"
            ))
        })?;
        Ok(argument?)
    }

    /// Returns the name of the KEY in a message. A KEY that may be a cookie is not printed.
    pub(super) fn name(self, number: usize, text: &str) -> String {
        match self {
            KeyForm::Hashes | KeyForm::SignedIds => text.to_owned(),
            KeyForm::HashesOfKeys | KeyForm::BareIds => format!("KEY {number}"),
        }
    }
}

/// A KEY of the command line.
#[derive(Clone)]
pub(super) enum KeyArgument {
    /// The key of a record.
    Key(Key),
    /// The hash of such a key.
    HashOf(String),
}

fn hash_of(key: &Key) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(key.as_bytes()))
}

/// Returns whether the text has the form of a KEY. Other text is never printed, since it may be a
/// cookie.
pub(super) fn is_key(text: &str) -> bool {
    is_hash(text) || is_gorilla_id(text)
}

fn is_hash(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text.len() == HASH_LENGTH && text.bytes().all(is_letter)
}

fn is_gorilla_id(text: &str) -> bool {
    let is_letter = |byte: u8| matches!(byte, b'A'..=b'Z' | b'2'..=b'7');
    text.len() == GORILLA_LENGTH && text.bytes().all(is_letter)
}

/// Returns the key of each record, or `None` if there is no such record. A record is found by the
/// hash of its key in a search through all records.
pub(super) async fn find_keys(
    arguments: &[KeyArgument],
    backend: &dyn Backend,
) -> Result<Vec<Option<Key>>, Failure> {
    let hashes = arguments.iter().filter_map(|argument| match argument {
        KeyArgument::HashOf(hash) => Some(hash.as_str()),
        KeyArgument::Key(_) => None,
    });
    let by_hash = search(hashes.collect(), backend).await?;
    let key_of = |argument: &KeyArgument| match argument {
        KeyArgument::Key(key) => Some(key.clone()),
        KeyArgument::HashOf(hash) => by_hash.get(hash).cloned(),
    };
    Ok(arguments.iter().map(key_of).collect())
}

/// Searches the live records for those whose keys have these hashes.
async fn search(
    wanted: HashSet<&str>,
    backend: &dyn Backend,
) -> Result<HashMap<String, Key>, Failure> {
    let mut found = HashMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let no_scan = || {
        Failure::usage(
            "this store cannot list its records: give the ID as the KEY, 52 characters, or use \
             --cookie",
        )
    };
    let scan = backend.scan().ok_or_else(no_scan)?;
    let mut after = None;
    while found.len() < wanted.len() {
        let page = scan.page(after.as_ref(), PAGE).await?;
        report_skipped(&page.skipped);
        let hashed = page.entries.into_iter().map(|entry| entry.key);
        let hashed = hashed.map(|key| (hash_of(&key), key));
        found.extend(hashed.filter(|(hash, _)| wanted.contains(hash.as_str())));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(found)
}
