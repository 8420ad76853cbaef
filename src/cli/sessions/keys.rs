//! The KEY arguments: the names of records on the command line.

use std::collections::{HashMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use silverback::backend::{Backend, Key};

use super::super::failure::Failure;
use super::dialect::DialectName;
use super::skipped::report_skipped;

/// The number of records that one request of a search returns.
const PAGE: usize = 1_000;

/// The length of a hash as a KEY, in characters: base64url of SHA-256.
const HASH_LENGTH: usize = 43;

/// The lengths of gorilla's IDs, in characters: base32 of 32 bytes, or of 64 in rbcervilla/redisstore.
const GORILLA_LENGTHS: [usize; 2] = [52, 103];

/// The length of dolab/session's IDs, in characters: 16 bytes as hexadecimal digits.
const DOLAB_LENGTH: usize = 32;

/// What the KEYs of a store are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyForm {
    /// The keys of the records, which are hashes.
    Hashes,
    /// The hashes of the records' keys. These keys are the tokens of scs: each one opens a session.
    HashesOfKeys,
    /// The keys of the records, which are gorilla's IDs. A cookie has them signed.
    SignedIds,
    /// The keys of the records, which are IDs of gorilla or dolab/session. Each one opens a session.
    BareIds,
}

impl KeyForm {
    pub(super) fn of(dialect: DialectName, hashes_tokens: bool) -> Self {
        match dialect {
            DialectName::Native => KeyForm::Hashes,
            _ if dialect.is_scs() && hashes_tokens => KeyForm::Hashes,
            _ if dialect.is_scs() => KeyForm::HashesOfKeys,
            DialectName::Dynastore | DialectName::RbcervillaRedisstore => KeyForm::BareIds,
            // The Go program's cookie of an ID can be forged.
            _ if dialect.is_dolab() => KeyForm::BareIds,
            _ => KeyForm::SignedIds,
        }
    }

    /// Returns whether a record's key opens its session.
    pub(super) fn is_secret(self) -> bool {
        matches!(self, KeyForm::HashesOfKeys | KeyForm::BareIds)
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
            KeyForm::SignedIds => is_gorilla_id(text).then(|| Key::new(text).map(KeyArgument::Key)),
            KeyForm::BareIds => (is_gorilla_id(text) || is_dolab_id(text))
                .then(|| Key::new(text).map(KeyArgument::Key)),
        };
        let expected = match self {
            KeyForm::Hashes | KeyForm::HashesOfKeys => {
                "it has 43 characters, as `sessions list` prints it"
            }
            KeyForm::SignedIds => "it has 52 characters, as `sessions list` prints it",
            KeyForm::BareIds => {
                "it is an ID, or the hash of one: 43 characters, as `sessions list` prints it"
            }
        };
        let argument =
            argument.ok_or_else(|| Failure::usage(format!("the KEY is not valid: {expected}")))?;
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
    GORILLA_LENGTHS.contains(&text.len()) && text.bytes().all(is_letter)
}

fn is_dolab_id(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == DOLAB_LENGTH && text.bytes().all(is_digit)
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
            "this store cannot list its records: give the ID as the KEY, 52 characters (dolab/session: \
             32), or use --cookie",
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
