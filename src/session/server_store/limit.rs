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
}

/// The numbers of the logins whose sessions end where at most so many may be. A session that is
/// there twice, since it is being renewed, counts once.
pub(super) fn too_many(
    sessions: impl IntoIterator<Item = Standing>,
    at_most: usize,
) -> BTreeSet<u64> {
    let sessions: BTreeMap<u64, Option<u64>> = sessions
        .into_iter()
        .map(|session| (session.number, session.replaces))
        .collect();
    let replaced: BTreeSet<u64> = sessions.values().filter_map(|replaces| *replaces).collect();
    let mut greater = 0;
    let mut ended = BTreeSet::new();
    for number in sessions.keys().rev() {
        if greater >= at_most {
            ended.insert(*number);
        }
        greater += usize::from(!replaced.contains(number));
    }
    ended
}
