//! The work on single records of a migration, several at the same time.

use silverback::backend::Key;
use silverback::session::{Error, Lookup, Migrating, ServerStore, Transfer};

use super::super::failure::Failure;
use super::concurrent::{self, PAGE};

/// What to do with a record.
#[derive(Clone, Copy)]
pub(super) enum Task {
    Preview,
    Copy,
    Move,
    /// Confirms or removes what is left of a move in the new store.
    Settle,
}

/// The result for one record.
pub(super) type Migrated = (Key, Result<Transfer, Error>);

impl Task {
    async fn run(
        self,
        key: Key,
        stores: Migrating,
        old: ServerStore,
        new: ServerStore,
    ) -> Migrated {
        let result = match self {
            Task::Preview => preview(&key, &old, &new).await,
            Task::Copy => stores.copy(&key).await,
            Task::Move => stores.move_session(&key).await,
            Task::Settle => stores.settle_copy(&key).await.map(|_| Transfer::Same),
        };
        (key, result)
    }
}

/// Runs a task for each record.
pub(super) async fn run_all(
    task: Task,
    keys: impl Iterator<Item = Key>,
    stores: &Migrating,
    (old, new): (&ServerStore, &ServerStore),
    note: impl FnMut(Migrated) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let run = |key| task.run(key, stores.clone(), old.clone(), new.clone());
    concurrent::run_all(keys, run, note).await
}

/// Settles all copies in the new store, when all sessions have moved.
pub(super) async fn settle_all(
    stores: &Migrating,
    both: (&ServerStore, &ServerStore),
) -> Result<(), Failure> {
    // A store that cannot list its records has no copies of a rehearsal that could be found.
    let Some(scan) = both.1.backend().scan() else {
        return Ok(());
    };
    let mut after = None;
    loop {
        let page = scan.page(after.as_ref(), PAGE).await?;
        let keys = page.entries.into_iter().map(|entry| entry.key);
        let note = |(_, settled): Migrated| match settled {
            Err(error) if error.is_unavailable() => Err(error.into()),
            _ => Ok(()),
        };
        run_all(Task::Settle, keys, stores, both, note).await?;
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Returns what a run would do with a record. Every session that the new store has counts as the
/// same, although its copy may have become older.
async fn preview(key: &Key, old: &ServerStore, new: &ServerStore) -> Result<Transfer, Error> {
    let session = match old.find(key).await? {
        Lookup::Found(session) => session,
        Lookup::Refused(refusal) => return Ok(Transfer::Refused(refusal)),
    };
    let Ok(new_key) = Key::new(session.id().as_str()) else {
        return Ok(Transfer::Ended);
    };
    Ok(match new.find(&new_key).await? {
        Lookup::Found(_) => Transfer::Same,
        Lookup::Refused(_) => Transfer::Done,
    })
}
