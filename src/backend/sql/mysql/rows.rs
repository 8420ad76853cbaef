//! The columns of the server's rows, and times as milliseconds left.
//!
//! A `load` returns its row in one column: the server describes each column of each answer, and sqlx
//! reads and stores the descriptions, which costs more than the row. The column begins with numbers:
//! the milliseconds left, the value's length and, for an owned record, the number of its login and
//! the length of its owner's name, with a space between them and `!` after them. Then follow, for an
//! owned record, the login's generation and the owner's name, and then the revision and the value.
//! The column is empty if the row is not live, and NULL if a part of the row is.

use std::str::FromStr;

use sqlx::Row;
use sqlx::mysql::MySqlRow;

use super::super::rows::{
    Columns, Undecodable, expiry_of_milliseconds_left, invalid_record, undecodable,
};
use crate::backend::{
    Error, Expiry, Generation, Login, Owner, OwnerName, Record, Revision, Stored,
};

impl Columns for MySqlRow {
    const KEY: usize = 1;

    fn integer(&self, index: usize) -> Result<i64, Undecodable> {
        Ok(self.try_get(index)?)
    }

    fn bytes(&self, index: usize) -> Result<Option<Vec<u8>>, Undecodable> {
        Ok(self.try_get(index)?)
    }

    fn expiry(&self, index: usize) -> Result<Expiry, Undecodable> {
        Ok(expiry_of_milliseconds_left(self.try_get(index)?))
    }

    fn stored(&self) -> Result<Option<Stored>, Error> {
        let packed: Option<&[u8]> = self.try_get(0).map_err(|error| undecodable(error.into()))?;
        match packed {
            Some([]) => Ok(None),
            packed => packed
                .and_then(unpacked)
                .ok_or_else(invalid_record)
                .map(Some),
        }
    }
}

/// Returns `None` if the column is not valid.
fn unpacked(packed: &[u8]) -> Option<Stored> {
    let end = packed.iter().position(|&byte| byte == b'!')?;
    let (numbers, rest) = packed.split_at_checked(end)?;
    let mut numbers = str::from_utf8(numbers).ok()?.split(' ');
    let left: i64 = number(numbers.next())?;
    let length: usize = number(numbers.next())?;
    let (_, mut rest) = rest.split_first()?;
    let owner = match numbers.next() {
        None => None,
        login => {
            let login = number(login)?;
            let (generation, after) = rest.split_first_chunk()?;
            let (name, after) = after.split_at_checked(number(numbers.next())?)?;
            rest = after;
            let name = str::from_utf8(name).ok()?;
            Some(Owner {
                name: OwnerName::new(name).ok()?,
                login: Login::new(Generation::from_bytes(*generation), login),
            })
        }
    };
    let (revision, value) = rest.split_at_checked(rest.len().checked_sub(length)?)?;
    let record = Record::new(value, expiry_of_milliseconds_left(left));
    let record = match owner {
        Some(owner) => record.owned_by(owner),
        None => record,
    };
    Some(Stored::new(record, Revision::new(revision)))
}

fn number<T: FromStr>(digits: Option<&str>) -> Option<T> {
    digits?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: &str = "9223372036854775807";

    fn packed(numbers: &str, rest: &str) -> Option<Stored> {
        unpacked(format!("{numbers}!{rest}").as_bytes())
    }

    #[test]
    fn a_packed_row_is_read_whatever_its_bytes_are() {
        let stored = packed(&format!("{NEVER} 3"), "! 1 2!! !").unwrap();
        assert_eq!(stored.record, Record::new("! !", Expiry::NEVER));
        assert_eq!(stored.revision.as_bytes(), b"! 1 2!");

        let rest = "generation 3 4 5bo!revisionvalue";
        let stored = packed(&format!("{NEVER} 5 7 3"), rest).unwrap();
        let owner = Owner {
            name: OwnerName::new("bo!").unwrap(),
            login: Login::new(Generation::from_bytes(*b"generation 3 4 5"), 7),
        };
        assert_eq!(
            stored.record,
            Record::new("value", Expiry::NEVER).owned_by(owner)
        );
        assert_eq!(stored.revision.as_bytes(), b"revision");
    }

    #[test]
    fn a_packed_row_that_is_not_valid_is_refused() {
        for (numbers, rest) in [
            ("", ""),
            ("1", "revision"),
            ("1 9", "revision"),
            ("1 0 7", "generation 3 4 5bo!revision"),
            ("1 0 -7 3", "generation 3 4 5bo!revision"),
            ("1 0 7 0", "generation 3 4 5revision"),
            ("1 0 7 3", "too short"),
            ("1 0 7 12", "generation 3 4 5bo!revision"),
            ("1 0 7 3", "generation 3 4 5bo\u{e9}revision"),
        ] {
            assert!(packed(numbers, rest).is_none(), "{numbers} {rest}");
        }
        assert!(unpacked(b"1 0 revision").is_none());
    }
}
