//! The rule of how many sessions an owner may have, of which all logins make the same of the same
//! list: no lock is held, and no list is locked.
//!
//! A login is numbered before its row is created, and lists the owner's sessions after that. It
//! ends each session before which, among those of greater numbers, there are as many as may be. So
//! - of the sessions that live, those of the greatest numbers are never ended, whoever lists;
//! - the login whose row was created last sees the rows of all others, and ends all that are too
//!   many, if no other login has.
//!
//! A login that is cut off between the two leaves the ending to the next one.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

/// A session that lives, among those of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Standing {
    /// The number of its login.
    pub(super) number: u64,
    /// The number of the login whose session is about to end because of this one: a browser that
    /// logs in anew has both for a moment, and they count as one.
    pub(super) replaces: Option<u64>,
    /// A mark of the row that it replaces, whosever that was. Two concurrent logins of one browser
    /// have the same; one of them replaces the other in the end.
    pub(super) place: Option<u64>,
}

/// Returns the numbers of the logins whose sessions end under that limit. A session with two rows,
/// which is being renewed, counts once. Concurrent logins of one browser count as one, at the
/// greatest of their numbers, and end together.
pub(super) fn too_many(
    sessions: impl IntoIterator<Item = Standing>,
    at_most: usize,
) -> BTreeSet<u64> {
    let sessions: BTreeMap<u64, Standing> = sessions
        .into_iter()
        .map(|session| (session.number, session))
        .collect();
    let replaced = sessions.values().filter_map(|session| session.replaces);
    let replaced: BTreeSet<u64> = replaced.collect();
    // In ascending order, so that the last number of a place is its greatest.
    let places = sessions
        .values()
        .filter_map(|of| Some((of.place?, of.number)));
    let latest: BTreeMap<u64, u64> = places.collect();
    let mut browsers: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for Standing { number, place, .. } in sessions.values() {
        let latest = place.and_then(|place| latest.get(&place));
        browsers
            .entry(*latest.unwrap_or(number))
            .or_default()
            .push(*number);
    }
    let mut greater = 0;
    let mut ended = BTreeSet::new();
    for (number, logins) in browsers.into_iter().rev() {
        if greater >= at_most {
            ended.extend(logins);
        }
        greater += usize::from(!replaced.contains(&number));
    }
    ended
}
