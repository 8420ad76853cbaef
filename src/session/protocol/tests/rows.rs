//! [`Rows`]: a backend in memory, for the protocol's tests.

use super::*;

/// Rows and their revisions, as a backend has them.
#[derive(Clone, Default)]
pub(super) struct Rows {
    pub(super) rows: BTreeMap<Key, Found<Counts>>,
    pub(super) revisions: u64,
    /// True if rows are moved, and the rows of ended sessions are removed.
    pub(super) are_moved: bool,
}

impl Rows {
    fn revision(&mut self) -> Revision {
        self.revisions += 1;
        Revision::new(self.revisions.to_be_bytes())
    }

    pub(super) fn answer(&mut self, call: Call<Counts>, write: WriteId) -> Answer<Counts> {
        match call {
            Call::Load(key) => Answer::Loaded(self.rows.get(&key).cloned()),
            Call::Create(key, row) => {
                if self.rows.contains_key(&key) {
                    return Answer::Exists;
                }
                Answer::Created(self.put(key, row, write))
            }
            Call::Swap(key, seen, row) => Answer::Swapped(match self.compare(&key, &seen) {
                Outcome::Done(()) if self.are_moved && matches!(row, Row::Tombstone { .. }) => {
                    self.rows.remove(&key);
                    Outcome::Done(seen)
                }
                outcome => outcome.map(|()| self.put(key, row, write)),
            }),
            Call::Move(key, seen, to, row) => {
                Answer::Swapped(self.compare(&key, &seen).map(|()| {
                    assert!(!self.rows.contains_key(&to.key), "it is moved onto another");
                    self.rows.remove(&key);
                    self.put(to.key, row, write)
                }))
            }
            Call::Remove(key, seen) => {
                if self
                    .rows
                    .get(&key)
                    .is_some_and(|found| found.revision == seen)
                {
                    self.rows.remove(&key);
                }
                Answer::Removed
            }
        }
    }

    fn compare(&self, key: &Key, seen: &Revision) -> Outcome<()> {
        match self.rows.get(key).map(|found| &found.revision) {
            None => Outcome::Gone,
            Some(current) if current != seen => Outcome::Conflict,
            Some(_) => Outcome::Done(()),
        }
    }

    pub(super) fn put(&mut self, key: Key, row: Row<Counts>, write: WriteId) -> Revision {
        let revision = self.revision();
        let found = Found {
            row,
            revision: revision.clone(),
            write,
        };
        self.rows.insert(key, found);
        revision
    }

    pub(super) fn live(&self, key: &Key) -> Option<&Counts> {
        match self.rows.get(key).map(|found| &found.row) {
            Some(Row::Live(counts)) => Some(counts),
            _ => None,
        }
    }
}
