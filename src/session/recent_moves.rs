//! [`RecentMoves`]: the rows of a Go package that this process has recently moved to a new key.
//!
//! A Go package's rows leave no tombstone when a session gets a new ID, so a concurrent request
//! with the old ID finds nothing. Therefore the process remembers its own moves for the length of
//! the longest request. The moves of other processes are unknown here. (Tombstones are in the
//! backend, and all processes see them.)

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::backend::Key;
use crate::codec::UnixTime;

use super::protocol::Successor;

/// The most moves that are remembered. Beyond that number, the oldest is forgotten.
const MOST: usize = 65_536;

pub(super) struct RecentMoves {
    longest_request: Duration,
    moves: Mutex<Moves>,
}

#[derive(Default)]
struct Moves {
    successors: HashMap<Key, (Successor, UnixTime)>,
    in_order: VecDeque<(Key, UnixTime)>,
}

impl RecentMoves {
    pub(super) fn new(longest_request: Duration) -> Self {
        RecentMoves {
            longest_request,
            moves: Mutex::default(),
        }
    }

    fn moves(&self) -> MutexGuard<'_, Moves> {
        // No code of the caller runs under the lock.
        self.moves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, old: Key, successor: Successor, now: UnixTime) {
        let mut moves = self.moves();
        moves.forget_older_than(self.longest_request, now);
        if moves.in_order.len() == MOST {
            moves.forget_oldest();
        }
        moves.in_order.push_back((old.clone(), now));
        moves.successors.insert(old, (successor, now));
    }

    /// Returns the successor of that key's session, and the time of the move.
    pub(super) fn successor(&self, old: &Key, now: UnixTime) -> Option<(Successor, UnixTime)> {
        let mut moves = self.moves();
        moves.forget_older_than(self.longest_request, now);
        moves.successors.get(old).cloned()
    }
}

impl Moves {
    fn forget_older_than(&mut self, age: Duration, now: UnixTime) {
        let is_old = |(_, at): &(Key, UnixTime)| now.saturating_duration_since(*at) > age;
        while self.in_order.front().is_some_and(is_old) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((key, at)) = self.in_order.pop_front() else {
            return;
        };
        // If the key was noted again, it is forgotten with its later note.
        if self
            .successors
            .get(&key)
            .is_some_and(|(_, noted)| *noted == at)
        {
            self.successors.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        Key::new(number.to_string()).unwrap()
    }

    fn successor(number: usize) -> Successor {
        Successor {
            key: key(number),
            is_renewal: true,
        }
    }

    #[test]
    fn a_move_is_remembered_as_long_as_a_request_may_take() {
        let moves = RecentMoves::new(Duration::from_secs(60));
        let at = UnixTime::from_secs;
        moves.note(key(1), successor(2), at(100));
        assert_eq!(
            moves.successor(&key(1), at(160)),
            Some((successor(2), at(100)))
        );
        assert_eq!(moves.successor(&key(2), at(160)), None);
        assert_eq!(moves.successor(&key(1), at(161)), None);
        assert!(moves.moves().successors.is_empty());
    }

    #[test]
    fn a_key_that_is_moved_again_is_remembered_from_the_second_move() {
        let moves = RecentMoves::new(Duration::from_secs(60));
        let at = UnixTime::from_secs;
        moves.note(key(1), successor(2), at(100));
        moves.note(key(1), successor(3), at(150));
        assert_eq!(
            moves.successor(&key(1), at(170)),
            Some((successor(3), at(150)))
        );
    }

    #[test]
    fn the_oldest_move_is_forgotten_first() {
        let moves = RecentMoves::new(Duration::from_secs(60));
        let now = UnixTime::from_secs(100);
        for number in 0..=MOST {
            moves.note(key(number), successor(0), now);
        }
        assert_eq!(moves.moves().successors.len(), MOST);
        assert_eq!(moves.successor(&key(0), now), None);
    }
}
