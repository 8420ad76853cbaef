//! The keys of one backend in etcd.
//!
//! | key, after the prefix | value |
//! |---|---|
//! | `session/` and the record's key | the [header](super::header) of the record |
//! | `value/` and the record's key | the bytes of the record |
//! | `owner/NAME/expiry` | the expiry of the owner's record, and the number of logins |
//! | `owner/NAME/live/` and a generation | empty; the generation is the present one |
//! | `owner/NAME/live/`, a generation and a number | empty; the last revocation kept that login |
//! | `owner/NAME/record/` and a record's key | empty; the record has that owner |
//!
//! A record's key is written as it is: any bytes. In an owner's name, all bytes except letters,
//! digits and `-_.~` are escaped, so that no name begins with another name and a slash.
//!
//! A login is live if a key under `live/` names its generation, or names it as kept. Only the
//! present generation has a key without a number. Therefore etcd can check a login by three
//! comparisons, which must all hold: there is a key with its generation, and none for a login of
//! that generation with a smaller number, and none with a greater one.

use etcd_client::{Compare, CompareOp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::super::{Error, Expiry, Generation, Key, Login, OwnerName};
use super::errors::invalid_record;

/// The bytes of an owner's name that are escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

pub(super) struct Keys {
    headers: Vec<u8>,
    values: Vec<u8>,
    owners: Vec<u8>,
}

impl Keys {
    pub(super) fn with_prefix(prefix: &str) -> Self {
        let kind = |kind: &str| format!("{prefix}{kind}/").into_bytes();
        Keys {
            headers: kind("session"),
            values: kind("value"),
            owners: kind("owner"),
        }
    }

    pub(super) fn header(&self, key: &Key) -> Vec<u8> {
        [&*self.headers, key.as_bytes()].concat()
    }

    pub(super) fn value(&self, key: &Key) -> Vec<u8> {
        [&*self.values, key.as_bytes()].concat()
    }

    pub(super) fn owner(&self, name: &OwnerName) -> OwnerKeys {
        let name = percent_encode(name.as_str().as_bytes(), ESCAPED).to_string();
        OwnerKeys([&*self.owners, name.as_bytes(), b"/"].concat())
    }

    /// Returns the first key of headers after that of `after`, and the end of all headers.
    pub(super) fn headers_after(&self, after: Option<&Key>) -> (Vec<u8>, Vec<u8>) {
        let first = match after {
            Some(key) => [&self.header(key)[..], &[0]].concat(),
            None => self.headers.clone(),
        };
        (first, end_of(&self.headers))
    }

    /// Returns the record's key in the key of a header.
    pub(super) fn key_in(&self, header: &[u8]) -> Result<Key, Error> {
        let key = header.strip_prefix(&*self.headers);
        key.and_then(|key| Key::new(key).ok())
            .ok_or_else(invalid_record)
    }
}

/// Returns the end of the range of keys that begin with `prefix`, for a prefix that is not 0xFF
/// alone.
pub(super) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            break;
        }
    }
    end
}

/// The part of an owner that a key holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OwnerPart {
    Expiry,
    /// The present generation.
    Live(Generation),
    /// The login that the last revocation kept.
    Kept(Login),
    Record(Key),
}

/// The keys of one owner. The bytes are those that all of them begin with.
pub(super) struct OwnerKeys(Vec<u8>);

impl OwnerKeys {
    fn with(&self, rest: &[&[u8]]) -> Vec<u8> {
        [&self.0, &*rest.concat()].concat()
    }

    pub(super) fn expiry(&self) -> Vec<u8> {
        self.with(&[b"expiry"])
    }

    pub(super) fn live(&self, generation: Generation) -> Vec<u8> {
        self.with(&[b"live/", generation.as_bytes()])
    }

    pub(super) fn kept(&self, login: &Login) -> Vec<u8> {
        let number = login.number.to_be_bytes();
        self.with(&[b"live/", login.generation.as_bytes(), &number])
    }

    pub(super) fn record(&self, key: &Key) -> Vec<u8> {
        self.with(&[b"record/", key.as_bytes()])
    }

    /// Returns the range of the keys under `live/`.
    pub(super) fn live_keys(&self) -> (Vec<u8>, Vec<u8>) {
        let first = self.with(&[b"live/"]);
        let end = end_of(&first);
        (first, end)
    }

    /// Returns the range of all keys except those under `record/`.
    pub(super) fn all_but_records(&self) -> (Vec<u8>, Vec<u8>) {
        (self.0.clone(), self.with(&[b"record/"]))
    }

    /// Returns the range of all keys.
    pub(super) fn all(&self) -> (Vec<u8>, Vec<u8>) {
        (self.0.clone(), end_of(&self.0))
    }

    /// Returns the part that a key of this owner holds.
    pub(super) fn part_in(&self, key: &[u8]) -> Result<OwnerPart, Error> {
        let rest = key.strip_prefix(&*self.0).ok_or_else(invalid_record)?;
        if rest == b"expiry" {
            return Ok(OwnerPart::Expiry);
        }
        if let Some(key) = rest.strip_prefix(b"record/") {
            return Ok(OwnerPart::Record(
                Key::new(key).map_err(|_| invalid_record())?,
            ));
        }
        let login = rest.strip_prefix(b"live/").ok_or_else(invalid_record)?;
        let (generation, number) = login.split_first_chunk().ok_or_else(invalid_record)?;
        let generation = Generation::from_bytes(*generation);
        if number.is_empty() {
            return Ok(OwnerPart::Live(generation));
        }
        let number = number.try_into().map_err(|_| invalid_record())?;
        Ok(OwnerPart::Kept(Login {
            generation,
            number: u64::from_be_bytes(number),
        }))
    }

    /// Returns the comparisons that hold if the login's records are live now.
    pub(super) fn is_live(&self, login: &Login) -> [Compare; 4] {
        let (own, kept) = (self.live(login.generation), self.kept(login));
        let smaller = [&*own, &[0]].concat();
        let greater = [&*kept, &[0]].concat();
        let end = end_of(&own);
        let now = last_with_expiry(Expiry::now());
        [
            Compare::value(self.expiry(), CompareOp::Greater, now),
            Compare::version(own, CompareOp::Greater, 0).with_range(end.clone()),
            Compare::version(smaller, CompareOp::Equal, 0).with_range(kept),
            Compare::version(greater, CompareOp::Equal, 0).with_range(end),
        ]
    }
}

/// Returns the value of the key `expiry`. The values have the order of the expiries.
pub(super) fn expiry_value(expiry: Expiry, logins: u64) -> [u8; 16] {
    let ordered = expiry.as_millis().cast_unsigned() ^ (1 << 63);
    (u128::from(ordered) << 64 | u128::from(logins)).to_be_bytes()
}

/// Returns the last value of the key `expiry` with that expiry.
fn last_with_expiry(expiry: Expiry) -> [u8; 16] {
    expiry_value(expiry, u64::MAX)
}

/// Returns the expiry and the number of logins in a value of the key `expiry`.
pub(super) fn parse_expiry(value: &[u8]) -> Result<(Expiry, u64), Error> {
    let (expiry, logins) = value.split_first_chunk().ok_or_else(invalid_record)?;
    let logins = logins.try_into().map_err(|_| invalid_record())?;
    let millis = (u64::from_be_bytes(*expiry) ^ (1 << 63)).cast_signed();
    Ok((Expiry::from_millis(millis), u64::from_be_bytes(logins)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> OwnerName {
        OwnerName::new(name).unwrap()
    }

    #[test]
    fn the_end_of_a_range_follows_all_keys_with_the_prefix() {
        for (prefix, end) in [
            (&b"a/"[..], &b"a0"[..]),
            (b"a\xFF", b"b"),
            (b"a\xFF\xFF", b"b"),
            (b"a\xFEx", b"a\xFEy"),
        ] {
            assert_eq!(end_of(prefix), end);
        }
    }

    #[test]
    fn values_have_the_order_of_their_expiries() {
        let expiries = [i64::MIN, -1, 0, 1, i64::MAX].map(Expiry::from_millis);
        for pair in expiries.windows(2) {
            assert!(expiry_value(pair[0], u64::MAX) < expiry_value(pair[1], 0));
        }
        for expiry in expiries {
            assert_eq!(parse_expiry(&expiry_value(expiry, 7)).unwrap(), (expiry, 7));
            assert!(expiry_value(expiry, 7) < last_with_expiry(expiry));
        }
        assert!(parse_expiry(b"short").unwrap_err().is_corrupt());
    }

    #[test]
    fn no_name_has_the_keys_of_another_one() {
        let keys = Keys::with_prefix("p/");
        let of = |text: &str| String::from_utf8(keys.owner(&name(text)).0).unwrap();
        assert_eq!(of("a"), "p/owner/a/");
        assert_eq!(of("a/record"), "p/owner/a%2Frecord/");
        assert_eq!(of("ü%"), "p/owner/%C3%BC%25/");
    }

    #[test]
    fn a_key_of_an_owner_is_read_back() {
        let owner = Keys::with_prefix("p/").owner(&name("ape"));
        let generation = Generation::from_bytes([0xFF; 16]);
        let login = Login {
            generation,
            number: 7,
        };
        let key = Key::new("k/expiry").unwrap();
        for (bytes, part) in [
            (owner.expiry(), OwnerPart::Expiry),
            (owner.live(generation), OwnerPart::Live(generation)),
            (owner.kept(&login), OwnerPart::Kept(login)),
            (owner.record(&key), OwnerPart::Record(key)),
        ] {
            assert_eq!(owner.part_in(&bytes).unwrap(), part);
        }
        let odd = owner.with(&[b"live/short"]);
        assert!(owner.part_in(&odd).unwrap_err().is_corrupt());
    }
}
