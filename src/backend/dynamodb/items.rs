//! The attributes of an item of the table.
//!
//! | attribute | of a record | of an owner |
//! |---|---|---|
//! | `id` | the prefix, `session:` and the key | the prefix, `owner:` and the name |
//! | `revision` | random | |
//! | `expiry` | milliseconds | milliseconds |
//! | `ttl` | seconds: a day after the expiry, for DynamoDB to remove it; missing if it never expires | the same |
//! | `value` | the bytes | |
//! | `owner` | the `id` of the owner's item | |
//! | `generation` | the owner's, when its login began | the current one |
//! | `login` | the number of its login | |
//! | `logins` | | the number of logins that have begun |
//! | `kept_generation`, `kept_login` | | the login that the last revocation kept |
//! | `recent` | | the [latest logins](super::recent) |

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::super::{Error, Expiry, Generation, Key, Login, OwnerName};
use super::errors::invalid_record;

pub(super) type Item = HashMap<String, AttributeValue>;

/// The bytes of a key that are escaped: all except letters, digits and these.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The longest `id` that DynamoDB takes, in bytes.
const LONGEST_ID: usize = 2_048;

/// The time between an item's expiry and its removal: more than any two clocks differ.
const MARGIN_SECONDS: i64 = 86_400;

/// Returns the primary key of the item of that ID.
pub(super) fn key_of(id: &str) -> Item {
    Item::from([("id".to_owned(), text(id))])
}

pub(super) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(super) fn bytes(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

pub(super) fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// Returns an attribute for a count of logins.
pub(super) fn count(count: u64) -> AttributeValue {
    AttributeValue::N(count.to_string())
}

/// Returns an attribute for a time, in milliseconds, as conditions compare them.
pub(super) fn time(expiry: Expiry) -> AttributeValue {
    number(expiry.as_millis())
}

/// Returns the second from which DynamoDB may remove the item, or `None` if it never expires.
pub(super) fn time_to_live(expiry: Expiry) -> Option<AttributeValue> {
    match expiry {
        Expiry::NEVER => None,
        expiry => Some(number(
            (expiry.as_millis() / 1_000).saturating_add(MARGIN_SECONDS),
        )),
    }
}

/// The IDs of one backend's items.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    sessions: String,
    owners: String,
}

impl Ids {
    pub(super) fn with_prefix(prefix: &str) -> Self {
        Ids {
            sessions: format!("{prefix}session:"),
            owners: format!("{prefix}owner:"),
        }
    }

    pub(super) fn of_session(&self, key: &Key) -> String {
        format!(
            "{}{}",
            self.sessions,
            percent_encode(key.as_bytes(), ESCAPED)
        )
    }

    pub(super) fn of_owner(&self, name: &OwnerName) -> Result<String, Error> {
        let id = format!("{}{}", self.owners, name.as_str());
        match id.len() <= LONGEST_ID {
            true => Ok(id),
            false => Err(Error::usage(format!(
                "the owner's name has {} bytes; with this prefix, at most {} are possible: use a \
                 shorter prefix",
                name.as_str().len(),
                LONGEST_ID - self.owners.len()
            ))),
        }
    }

    pub(super) fn key_in(&self, id: &str) -> Result<Key, Error> {
        let escaped = id.strip_prefix(&self.sessions).ok_or_else(invalid_record)?;
        let key: Vec<u8> = percent_decode_str(escaped).collect();
        Key::new(key).map_err(|_| invalid_record())
    }

    pub(super) fn owner_in(&self, id: &str) -> Result<OwnerName, Error> {
        let name = id.strip_prefix(&self.owners).ok_or_else(invalid_record)?;
        OwnerName::new(name).map_err(|_| invalid_record())
    }

    /// Returns the beginning of the ID of each record.
    pub(super) fn sessions(&self) -> &str {
        &self.sessions
    }
}

/// Reads the attributes of an item.
pub(super) trait Attributes {
    fn optional_text(&self, name: &str) -> Result<Option<&str>, Error>;
    fn bytes(&self, name: &str) -> Result<&[u8], Error>;
    fn number(&self, name: &str) -> Result<i64, Error>;
    fn has(&self, name: &str) -> bool;

    fn text(&self, name: &str) -> Result<&str, Error> {
        self.optional_text(name)?.ok_or_else(invalid_record)
    }

    fn expiry(&self) -> Result<Expiry, Error> {
        Ok(Expiry::from_millis(self.number("expiry")?))
    }

    /// Returns whether the item has not expired. A record may still have been revoked.
    fn is_unexpired(&self) -> Result<bool, Error> {
        Ok(self.expiry()? > Expiry::now())
    }

    fn count(&self, name: &str) -> Result<u64, Error> {
        u64::try_from(self.number(name)?).map_err(|_| invalid_record())
    }

    fn generation(&self) -> Result<Generation, Error> {
        generation(self.bytes("generation")?)
    }

    /// Returns the login of a record.
    fn login(&self) -> Result<Login, Error> {
        Ok(Login {
            generation: self.generation()?,
            number: self.count("login")?,
        })
    }

    /// Returns the login that an owner's last revocation kept, if there is one.
    fn kept(&self) -> Result<Option<Login>, Error> {
        if !self.has("kept_generation") {
            return Ok(None);
        }
        Ok(Some(Login {
            generation: generation(self.bytes("kept_generation")?)?,
            number: self.count("kept_login")?,
        }))
    }
}

fn generation(bytes: &[u8]) -> Result<Generation, Error> {
    let bytes = bytes.try_into().map_err(|_| invalid_record())?;
    Ok(Generation::from_bytes(bytes))
}

impl Attributes for Item {
    fn optional_text(&self, name: &str) -> Result<Option<&str>, Error> {
        match self.get(name) {
            None => Ok(None),
            Some(AttributeValue::S(text)) => Ok(Some(text)),
            Some(_) => Err(invalid_record()),
        }
    }

    fn bytes(&self, name: &str) -> Result<&[u8], Error> {
        match self.get(name) {
            Some(AttributeValue::B(blob)) => Ok(blob.as_ref()),
            _ => Err(invalid_record()),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.contains_key(name)
    }

    fn number(&self, name: &str) -> Result<i64, Error> {
        match self.get(name) {
            Some(AttributeValue::N(digits)) => digits.parse().map_err(|_| invalid_record()),
            _ => Err(invalid_record()),
        }
    }
}
