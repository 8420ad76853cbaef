//! The rules for pairs that replace others.

use super::super::{BlockKey, Error, KeyPair};

/// Returns whether the two pairs have the same keys.
pub(super) fn is_same(one: &KeyPair, other: &KeyPair) -> bool {
    one.hash().expose() == other.hash().expose()
        && one.block().map(BlockKey::expose) == other.block().map(BlockKey::expose)
}

/// Returns whether both are the same pairs, in the same order.
pub(super) fn are_same(pairs: &[KeyPair], others: &[KeyPair]) -> bool {
    let mut both = pairs.iter().zip(others);
    pairs.len() == others.len() && both.all(|(pair, other)| is_same(pair, other))
}

/// Refuses new pairs of which one is a loaded pair with a part of its keys missing or changed.
///
/// A hash key belongs to one block key for good: cookies under the other one would open as other
/// bytes. Such a pair, and a hash key that is the beginning of a loaded one, are signs of a file
/// that was cut.
pub(super) fn check(loaded: &[KeyPair], new: &[KeyPair]) -> Result<(), Error> {
    for (number, pair) in (1..).zip(new) {
        let hash = pair.hash().expose();
        let is_damaged = |old: &KeyPair| {
            let old_hash = old.hash().expose();
            old_hash.starts_with(hash) && !is_same(old, pair)
        };
        if loaded.iter().any(is_damaged) {
            return Err(Error::usage(format!(
                "key pair {number} is a part of a loaded pair, or has its hash key and another \
                 block key: the file is incomplete, or the pair needs a hash key of its own"
            )));
        }
    }
    Ok(())
}
