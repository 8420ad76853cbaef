//! Records that show whether they are whole.

use std::fmt;

use sha2::{Digest, Sha256};
use silverback::backend::{Expiry, Key, Login, Owner, OwnerName, Record, Stored};

/// The number of keys.
pub(super) const KEYS: usize = 50;

/// Returns the owner of every other record.
pub(super) fn owner() -> OwnerName {
    OwnerName::new("ape").expect("a short name")
}

/// The state of a key: the number of the write that stored the value, and that of the last write,
/// which moved the expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) value: u64,
    pub(super) until: u64,
}

/// A step for a key, before and after it is applied: a state, or its removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) is_done: bool,
    pub(super) key: usize,
    pub(super) state: Option<State>,
}

pub(super) fn key(number: usize) -> Key {
    Key::new(format!("k{number:02}")).expect("a short key")
}

pub(super) fn is_owned(key: usize) -> bool {
    key % 2 == 1
}

/// Returns the write's number, bytes of a length and kind that depend on it, and a checksum.
fn value_of(write: u64) -> Vec<u8> {
    let mut value = write.to_be_bytes().to_vec();
    let filler = write.wrapping_mul(7_919) % 9_000;
    value.extend((0..filler).map(|place| (place ^ write) as u8));
    let checksum = Sha256::digest(&value);
    value.extend_from_slice(&checksum);
    value
}

impl State {
    pub(super) fn record(self, key: usize, login: Login) -> Record {
        let record = Record::new(value_of(self.value), self.expiry());
        let name = owner();
        match is_owned(key) {
            true => record.owned_by(Owner { name, login }),
            false => record,
        }
    }

    /// Returns a time so far away that no record expires.
    pub(super) fn expiry(self) -> Expiry {
        Expiry::from_millis(self.until.try_into().expect("a number of this program"))
    }

    /// Panics if the record is not whole.
    pub(super) fn of(stored: &Stored) -> Self {
        let value = stored.record.value();
        let number = value.first_chunk().expect("a number");
        let number = u64::from_be_bytes(*number);
        assert!(value == value_of(number), "write {number} is torn");
        State {
            value: number,
            until: stored.record.expiry().as_millis().unsigned_abs(),
        }
    }
}

/// Formats a step as a line for a pipe.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Step { is_done, key, .. } = self;
        let word = if *is_done { "done" } else { "try" };
        match self.state {
            Some(State { value, until }) => writeln!(f, "{word} {key} {value} {until}"),
            None => writeln!(f, "{word} {key}"),
        }
    }
}

impl Step {
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let is_done = words.next()? == "done";
        let key = words.next()?.parse().ok()?;
        let state = words.next().map(|value| {
            let until = words.next()?.parse().ok()?;
            Some(State {
                value: value.parse().ok()?,
                until,
            })
        });
        let state = match state {
            Some(state) => Some(state?),
            None => None,
        };
        Some(Step {
            is_done,
            key,
            state,
        })
    }
}
