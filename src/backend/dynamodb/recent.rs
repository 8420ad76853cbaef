//! The latest logins of an owner, kept in the owner's item. The index names a record only a moment
//! after it was created. This list names it at once.
//!
//! Each entry is the time of the login in milliseconds, by the clock of the machine that began it,
//! as 8 bytes, followed by the key of its record.

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::{Error, Expiry, Key};
use super::errors::no_record;
use super::items::{Item, bytes};
use super::writes::{Values, Write};

/// The age in milliseconds from which an entry may be removed: much more than the time that the
/// index needs.
const LONGEST_KEPT: i64 = 60_000;

/// The number of old entries that are removed at once, so that few logins have to remove any.
const FORGOTTEN_AT_ONCE: usize = 8;

/// The largest number of entries, however young they are.
const MOST: usize = 256;

/// Returns the entry of a login that begins now.
pub(super) fn entry(key: &Key) -> AttributeValue {
    let time = Expiry::now().as_millis().to_be_bytes();
    bytes(&[&time[..], key.as_bytes()].concat())
}

/// Returns the keys of the entries in an owner's item.
pub(super) fn keys_in(item: &Item) -> Result<Vec<Key>, Error> {
    let entries = entries_in(item).iter();
    let key = |entry| Key::new(parts(entry)?.1).map_err(|_| no_record());
    entries.map(key).collect()
}

/// Returns the write that removes the oldest entries, or `None` if too few of them are old.
pub(super) fn forgetting(id: &str, item: &Item) -> Option<Write> {
    let entries = entries_in(item);
    let since = Expiry::now().as_millis().saturating_sub(LONGEST_KEPT);
    let is_old = |entry: &&AttributeValue| parts(entry).is_ok_and(|(time, _)| time < since);
    let old = match entries.iter().take_while(is_old).count() {
        _ if entries.len() > MOST => entries.len() - MOST / 2,
        old if old < FORGOTTEN_AT_ONCE => return None,
        old => old,
    };
    let places: Vec<String> = (0..old.min(MOST))
        .map(|place| format!("#recent[{place}]"))
        .collect();
    Some(Write {
        id: id.to_owned(),
        update: Some(format!("REMOVE {}", places.join(", "))),
        condition: "#recent[0] = :first".to_owned(),
        values: Values::from([(":first".to_owned(), entries.first()?.clone())]),
    })
}

fn entries_in(item: &Item) -> &[AttributeValue] {
    match item.get("recent") {
        Some(AttributeValue::L(entries)) => entries,
        _ => &[],
    }
}

/// Returns the time and the key of an entry.
fn parts(entry: &AttributeValue) -> Result<(i64, &[u8]), Error> {
    let AttributeValue::B(bytes) = entry else {
        return Err(no_record());
    };
    let (time, key) = bytes.as_ref().split_first_chunk().ok_or_else(no_record)?;
    Ok((i64::from_be_bytes(*time), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an item with entries of these ages, in milliseconds.
    fn item(ages: impl IntoIterator<Item = i64>) -> Item {
        let entry = |age: i64| {
            let time = (Expiry::now().as_millis() - age).to_be_bytes();
            bytes(&[&time[..], b"key"].concat())
        };
        let entries = ages.into_iter().map(entry).collect();
        Item::from([("recent".to_owned(), AttributeValue::L(entries))])
    }

    fn forgotten(ages: impl IntoIterator<Item = i64>) -> usize {
        let update = forgetting("o", &item(ages)).and_then(|write| write.update);
        update.map_or(0, |update| update.matches("#recent[").count())
    }

    #[test]
    fn an_entry_is_read_back() {
        let key = Key::new([0, 255]).unwrap();
        let item = Item::from([("recent".to_owned(), AttributeValue::L(vec![entry(&key)]))]);
        assert_eq!(keys_in(&item).unwrap(), [key]);
        assert_eq!(keys_in(&Item::new()).unwrap(), []);
    }

    #[test]
    fn young_entries_are_removed_only_beyond_the_limit() {
        let (old, young) = (LONGEST_KEPT + 1_000, LONGEST_KEPT - 10_000);
        assert_eq!(forgotten([]), 0);
        assert_eq!(forgotten([old; FORGOTTEN_AT_ONCE - 1]), 0);
        assert_eq!(
            forgotten([[old; FORGOTTEN_AT_ONCE], [young; 8]].concat()),
            8
        );
        assert_eq!(forgotten([young; MOST]), 0);
        assert_eq!(forgotten([young; MOST + 1]), MOST / 2 + 1);
    }
}
