//! The rule that limits the sessions of an owner. All logins apply it to the same list and reach
//! the same result, without any lock.
//!
//! A login gets a number before its row is created, and lists the owner's sessions after that. It
//! ends each session for which the list has `max_sessions` sessions with greater numbers. Therefore:
//! - The live sessions with the greatest numbers are never ended, by any login.
//! - The login that created its row last sees the rows of all others, and ends all sessions beyond
//!   the limit that no other login has ended.
//!
//! If a login is interrupted between the two steps, the next login ends the sessions.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

/// A live session among the sessions of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Standing {
    /// The number of its login.
    pub(super) number: u64,
    /// The number of an earlier login in the same browser. Its session is about to end because of
    /// this login. The browser has both sessions for a moment, and they count as one.
    pub(super) replaces: Option<u64>,
    /// A mark of the row that it replaces, whatever its owner. Two concurrent logins of one browser
    /// have the same; one of them replaces the other in the end.
    pub(super) place: Option<u64>,
}

/// Returns the numbers of the logins with sessions beyond the limit `max_sessions`. A session that is
/// being renewed may be listed twice, and counts once. Concurrent logins of one browser count as
/// one, at the greatest of their numbers, and end together.
pub(super) fn too_many(
    sessions: impl IntoIterator<Item = Standing>,
    max_sessions: usize,
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
        if greater >= max_sessions {
            ended.extend(logins);
        }
        greater += usize::from(!replaced.contains(&number));
    }
    ended
}
