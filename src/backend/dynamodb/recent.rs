//! The latest logins of an owner, stored in the owner's item. The index contains a record only some
//! time after its creation. This list contains it immediately.
//!
//! Each entry is the time of the login in milliseconds, by the clock of the machine that began it,
//! as 8 bytes, followed by the key of its record.

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::{Error, Expiry, Key};
use super::errors::invalid_record;
use super::items::{Item, bytes};
use super::writes::{Values, Write};

/// The age in milliseconds from which an entry may be removed: much more than the time that the
/// index needs.
const MAX_AGE_MILLIS: i64 = 60_000;

/// A login removes old entries only if there are this many, so that most logins remove none.
const MIN_REMOVED: usize = 8;

/// The maximum number of entries of any age.
const MAX_ENTRIES: usize = 256;

/// Returns the entry of a login that begins now.
pub(super) fn entry(key: &Key) -> AttributeValue {
    let time = Expiry::now().as_millis().to_be_bytes();
    bytes(&[&time[..], key.as_bytes()].concat())
}

/// Returns the keys of the entries in an owner's item.
pub(super) fn keys_in(item: &Item) -> Result<Vec<Key>, Error> {
    let entries = entries_in(item).iter();
    let key = |entry| Key::new(parts(entry)?.1).map_err(|_| invalid_record());
    entries.map(key).collect()
}

/// Returns the write that removes the oldest entries, or `None` if too few of them are old.
pub(super) fn removal_of_oldest(id: &str, item: &Item) -> Option<Write> {
    let entries = entries_in(item);
    let since = Expiry::now().as_millis().saturating_sub(MAX_AGE_MILLIS);
    let is_old = |entry: &&AttributeValue| parts(entry).is_ok_and(|(time, _)| time < since);
    let old = match entries.iter().take_while(is_old).count() {
        _ if entries.len() > MAX_ENTRIES => entries.len() - MAX_ENTRIES / 2,
        old if old < MIN_REMOVED => return None,
        old => old,
    };
    let places: Vec<String> = (0..old.min(MAX_ENTRIES))
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
        return Err(invalid_record());
    };
    let (time, key) = bytes
        .as_ref()
        .split_first_chunk()
        .ok_or_else(invalid_record)?;
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

    fn removed_entries(ages: impl IntoIterator<Item = i64>) -> usize {
        let update = removal_of_oldest("o", &item(ages)).and_then(|write| write.update);
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
        let (old, young) = (MAX_AGE_MILLIS + 1_000, MAX_AGE_MILLIS - 10_000);
        assert_eq!(removed_entries([]), 0);
        assert_eq!(removed_entries([old; MIN_REMOVED - 1]), 0);
        assert_eq!(
            removed_entries([[old; MIN_REMOVED], [young; 8]].concat()),
            8
        );
        assert_eq!(removed_entries([young; MAX_ENTRIES]), 0);
        assert_eq!(
            removed_entries([young; MAX_ENTRIES + 1]),
            MAX_ENTRIES / 2 + 1
        );
    }
}
