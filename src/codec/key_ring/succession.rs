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

/// Returns whether `new` is `old` with a longer block key, or with its first one: `old` was then a part
/// of it, read from a file that was cut.
fn completes(new: &KeyPair, old: &KeyPair) -> bool {
    let [new_block, old_block] =
        [new, old].map(|pair| pair.block().map(BlockKey::expose).unwrap_or_default());
    new.hash().expose() == old.hash().expose()
        && new_block.len() > old_block.len()
        && new_block.starts_with(old_block)
}

/// Refuses new pairs of which one is a loaded pair with a part of its keys missing or changed. A pair
/// that has sealed nothing may be completed: all but the first of `loaded`.
///
/// A hash key belongs to one block key for good: cookies under the other one would open as other
/// bytes. Such a pair, and a hash key that is the beginning of a loaded one, are signs of a file
/// that was cut.
pub(super) fn check(loaded: &[KeyPair], new: &[KeyPair]) -> Result<(), Error> {
    for (number, pair) in (1..).zip(new) {
        let hash = pair.hash().expose();
        let is_damaged = |(place, old): (usize, &KeyPair)| {
            let old_hash = old.hash().expose();
            let is_completed = place > 0 && completes(pair, old);
            old_hash.starts_with(hash) && !is_same(old, pair) && !is_completed
        };
        if loaded.iter().enumerate().any(is_damaged) {
            return Err(Error::usage(format!(
                "key pair {number} is a part of a loaded pair, or has its hash key and another \
                 block key: the file is incomplete, or the pair needs a hash key of its own"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::HashKey;
    use super::*;

    fn pair(hash: u8, block: &[u8]) -> KeyPair {
        let hash = HashKey::new(&[hash; 32]).unwrap();
        match block {
            [] => KeyPair::sign_only(hash),
            block => KeyPair::new(hash, BlockKey::new(block).unwrap()),
        }
    }

    /// A part of a file was loaded, and then the whole file.
    #[test]
    fn a_pair_that_has_not_sealed_may_be_completed_and_never_shortened() {
        let forms = [&[][..], &[1; 16], &[1; 24], &[1; 32], &[2; 32]];
        for (old_place, old) in forms.iter().enumerate() {
            for (new_place, new) in forms.iter().enumerate() {
                let (old, new) = (pair(7, old), pair(7, new));
                let is_same = old_place == new_place;
                let grows = old_place < new_place && (new_place < 4 || old_place == 0);
                let first = pair(1, &[]);
                let loaded = [first.clone(), old.clone()];
                let checked = check(&loaded, &[first.clone(), new.clone()]);
                assert_eq!(checked.is_ok(), is_same || grows, "{old_place} {new_place}");
                let checked = check(&[old, first], &[new]);
                assert_eq!(checked.is_ok(), is_same, "{old_place} {new_place}");
            }
        }
    }
}
