//! [`Row`]: a record as one string. `scripts/common.lua` says what it consists of.

use super::super::ownership::{Ownership, revision};
use super::super::{Entry, Error, Expiry, Generation, Key, Login, Owner, Record, Stored};
use super::errors::invalid_record;
use super::owner_keys::{name_in, ownership_of};

const MAGIC: &[u8] = b"sb1";

/// The expiry of a row that never expires. It is larger than any other, and Lua has it exactly.
pub(super) const NEVER: i64 = 999_999_999_999_999;

/// A row, or the head of one without its value.
pub(super) struct Row<'r> {
    pub(super) mark: [u8; 16],
    /// Milliseconds since 1970-01-01T00:00:00Z, by the server's clock.
    expiry: i64,
    pub(super) ownership: Option<Ownership>,
    value: &'r [u8],
}

impl<'r> Row<'r> {
    pub(super) fn parse(bytes: &'r [u8]) -> Result<Self, Error> {
        Row::read(bytes).ok_or_else(invalid_record)
    }

    fn read(bytes: &'r [u8]) -> Option<Self> {
        let (mark, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<16>()?;
        let (expiry, rest) = rest.split_at_checked(15)?;
        let (length, rest) = rest.split_at_checked(4)?;
        let length = usize::try_from(digits(length)?).ok()?;
        let (ownership, value) = match length {
            0 => (None, rest),
            length => {
                let (login, rest) = rest.split_at_checked(36)?;
                let (id, value) = rest.split_at_checked(length)?;
                let ownership = Ownership {
                    id: String::from_utf8(id.to_vec()).ok()?,
                    login: login_in(login)?,
                };
                (Some(ownership), value)
            }
        };
        Some(Row {
            mark: *mark,
            expiry: i64::try_from(digits(expiry)?).ok()?,
            ownership,
            value,
        })
    }

    /// Returns the record, which the server read at `now` by its clock.
    pub(super) fn into_stored(self, now: i64) -> Result<Stored, Error> {
        let record = Record::new(self.value, self.expiry(now));
        let record = match &self.ownership {
            None => record,
            Some(ownership) => record.owned_by(Owner {
                name: name_in(&ownership.id)?,
                login: ownership.login,
            }),
        };
        let revision = revision(&self.mark, self.ownership.as_ref());
        Ok(Stored { record, revision })
    }

    /// Returns the entry of the record under that key. `unread` is the number of bytes that follow
    /// after those of this row.
    pub(super) fn into_entry(self, key: Key, unread: usize, now: i64) -> Result<Entry, Error> {
        let size = self.value.len().saturating_add(unread);
        let entry = Entry::new(key, self.expiry(now), size);
        match &self.ownership {
            None => Ok(entry),
            Some(owner) => Ok(entry.owned_by(name_in(&owner.id)?)),
        }
    }

    pub(super) fn has_expired(&self, now: i64) -> bool {
        self.expiry <= now
    }

    /// Returns the expiry by this machine's clock.
    fn expiry(&self, now: i64) -> Expiry {
        expiry_in(self.expiry, now)
    }
}

/// Returns the expiry by this machine's clock of something that expires at `expiry` by the server's
/// clock, which shows `now`.
pub(super) fn expiry_in(expiry: i64, now: i64) -> Expiry {
    match expiry {
        NEVER => Expiry::NEVER,
        expiry => {
            let left = expiry.saturating_sub(now);
            Expiry::from_millis(Expiry::now().as_millis().saturating_add(left))
        }
    }
}

/// Returns the milliseconds until the expiry, as the scripts take them.
pub(super) fn left_until(expiry: Expiry) -> String {
    let left = expiry.as_millis().saturating_sub(Expiry::now().as_millis());
    left.clamp(-NEVER, NEVER).to_string()
}

/// Returns the part of a row that follows the expiry: the owner and the value.
pub(super) fn rest_of(record: &Record) -> (Vec<u8>, Option<Ownership>) {
    let ownership = record.owner().map(ownership_of);
    let mut rest = Vec::with_capacity(64 + record.value().len());
    match &ownership {
        None => rest.extend_from_slice(b"0000"),
        Some(owner) => {
            rest.extend_from_slice(format!("{:04}", owner.id.len()).as_bytes());
            rest.extend_from_slice(&login_bytes(&owner.login));
            rest.extend_from_slice(owner.id.as_bytes());
        }
    }
    rest.extend_from_slice(record.value());
    (rest, ownership)
}

/// Returns the login as rows have it: the generation, and the number as 20 digits.
pub(super) fn login_bytes(login: &Login) -> Vec<u8> {
    let mut bytes = login.generation.as_bytes().to_vec();
    bytes.extend_from_slice(format!("{:020}", login.number).as_bytes());
    bytes
}

/// Returns the login with these bytes.
pub(super) fn login_in(bytes: &[u8]) -> Option<Login> {
    let (generation, number) = bytes.split_first_chunk::<16>()?;
    let is_whole = number.len() == 20;
    is_whole.then_some(Login {
        generation: Generation::from_bytes(*generation),
        number: digits(number)?,
    })
}

/// Returns the number that consists of these digits alone.
pub(super) fn digits(text: &[u8]) -> Option<u64> {
    let are_digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    are_digits.then(|| std::str::from_utf8(text).ok()?.parse().ok())?
}
