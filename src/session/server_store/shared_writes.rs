//! Saves of one session that are written together. The request with the row's lock applies the
//! changes of all waiting requests, one after the other, to the row's data. It writes the result
//! once, and answers each request.
//!
//! A change that fails is left out, and only its own request fails. If the row cannot be written
//! with all changes, for example because it would be too large, it is written first with one half
//! of them and then with the other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::Error;
use super::super::caller::Caller;
use super::super::protocol::{Authenticated, Intent, NewData, SeenRow};
use super::super::session_data::SessionData;
use super::SharedStore;
use super::row_locks::{Granted, LatestRow, PendingSave, TakenSave, Written};
use super::saves::merge;

/// The saves of one session, in the order in which their changes are applied. Never empty.
struct Batch {
    first: Arc<PendingSave>,
    saves: Vec<TakenSave>,
    /// The failure of each change when it was last applied.
    failures: Mutex<Vec<Option<Error>>>,
}

impl Batch {
    /// Creates a batch, or `None` if there is nothing to save.
    fn of(saves: Vec<TakenSave>) -> Option<Self> {
        let first = saves.first()?.pending.clone();
        Some(Batch {
            first,
            saves,
            failures: Mutex::default(),
        })
    }

    fn failures(&self) -> MutexGuard<'_, Vec<Option<Error>>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies all changes again. Fails only if every change fails.
    fn replay(&self, fresh: &SessionData) -> Result<SessionData, Error> {
        let mut data = fresh.clone();
        let mut failures = Vec::with_capacity(self.saves.len());
        for taken in &self.saves {
            let PendingSave { save, begun, .. } = &*taken.pending;
            match merge(save, begun.as_ref(), Some(&data)) {
                Ok(merged) => {
                    data = merged;
                    failures.push(None);
                }
                Err(error) => failures.push(Some(error)),
            }
        }
        let all_failed: Option<Vec<Error>> = failures.iter().cloned().collect();
        *self.failures() = failures;
        match all_failed.and_then(|errors| errors.into_iter().next()) {
            Some(error) => Err(error),
            None => Ok(data),
        }
    }

    /// Returns the caller with the earliest deadline.
    fn next_caller(&self) -> &Caller {
        let callers = self.saves.iter().map(|taken| &taken.pending.caller);
        let next = callers.min_by_key(|caller| caller.deadline);
        next.unwrap_or(&self.first.caller)
    }

    /// Answers the requests that are too late to write or have been dropped, and keeps the others.
    fn without_late(self) -> Option<Self> {
        let mut in_time = Vec::new();
        for taken in self.saves {
            match taken.pending.caller.check() {
                Ok(()) => in_time.push(taken),
                Err(error) => taken.answer(Err(error)),
            }
        }
        Batch::of(in_time)
    }

    /// Returns whether parts of the batch may succeed after the whole failed with that error.
    fn is_divisible(&self, error: &Error) -> bool {
        let is_made = |failure: &Option<Error>| failure.is_none();
        self.saves.len() > 1 && error.is_of_data() && self.failures().iter().any(is_made)
    }

    fn halves(mut self) -> [Option<Self>; 2] {
        let others = self.saves.split_off(self.saves.len() / 2);
        [Batch::of(self.saves), Batch::of(others)]
    }

    /// Answers each request: with the error of its own change if that failed, otherwise with the
    /// result of the write.
    fn answer(self, written: &Written) {
        let failures = self.failures.into_inner();
        let mut failures = failures.unwrap_or_else(PoisonError::into_inner).into_iter();
        for taken in self.saves {
            taken.answer(match failures.next().flatten() {
                Some(error) => Err(error),
                None => written.clone(),
            });
        }
    }
}

impl SharedStore {
    /// Writes a save together with those that wait for its row, unless another request writes it.
    pub(super) async fn write_shared(&self, pending: PendingSave) -> Written {
        let pending = Arc::new(pending);
        let (mut lock, latest) = match self.locks.lock_or_join(&pending).await? {
            Granted::Written(written) => return written,
            Granted::Lock(lock, latest) => (lock, latest.map(|row| *row)),
        };
        let waiting = lock.take_saves(&pending.seen.login);
        let (own, answer) = TakenSave::of_holder(pending);
        let saves = std::iter::once(own).chain(waiting).collect();
        lock.wrote(self.write_parts(Batch::of(saves), latest).await);
        drop(lock);
        answer.written().await
    }

    /// Writes a batch, in parts if it cannot be written as a whole, and answers its requests.
    /// Returns the row's new state, if that is known.
    async fn write_parts(
        &self,
        all: Option<Batch>,
        mut latest: Option<LatestRow>,
    ) -> Option<LatestRow> {
        let mut parts = vec![all];
        while let Some(part) = parts.pop() {
            let Some(batch) = part.and_then(Batch::without_late) else {
                continue;
            };
            let (written, left) = self.write_batch(&batch, latest).await;
            latest = left;
            match written {
                Err(error) if batch.is_divisible(&error) => {
                    let [first, second] = batch.halves();
                    parts.extend([second, first]);
                }
                // The deadline of one request has passed; the others continue.
                Err(_) if batch.saves.len() > 1 && batch.next_caller().is_late() => {
                    parts.push(Some(batch));
                }
                written => batch.answer(&written),
            }
        }
        latest
    }

    /// Applies the changes of a batch and writes the result. They are applied to the latest data
    /// that this process knows, otherwise to the row as it is.
    async fn write_batch(
        &self,
        batch: &Batch,
        latest: Option<LatestRow>,
    ) -> (Written, Option<LatestRow>) {
        let PendingSave {
            seen, save, begun, ..
        } = &*batch.first;
        let own = save.data.clone().begun(begun.as_ref());
        let is_alone = batch.saves.len() == 1;
        let is_as_seen = |latest: &LatestRow| seen.revision.as_ref() == Some(&latest.revision);
        let base = latest.as_ref().filter(|latest| {
            latest.data.login() == seen.login && !(is_alone && is_as_seen(latest))
        });
        let (revision, data) = match base.map(|base| (base, batch.replay(&base.data))) {
            Some((base, Ok(data))) => (Some(base.revision.clone()), data),
            Some((_, Err(error))) => return (Err(error), latest),
            None => (seen.revision.clone().filter(|_| is_alone), own.clone()),
        };
        let intent = Intent::Save {
            seen: SeenRow {
                revision,
                ..seen.clone()
            },
        };
        let recompute = |fresh: Option<&SessionData>| batch.replay(fresh.unwrap_or(&own));
        let new_data = NewData {
            data,
            recompute: &recompute,
        };
        let conclusion = self
            .rows
            .run(intent, Some(new_data), batch.next_caller())
            .await;
        let is_merged = base.is_some();
        let left = match &conclusion {
            Ok(conclusion) => LatestRow::of(conclusion, &seen.key),
            // The next write checks whether the row still has this state.
            Err(_) => latest,
        };
        (
            conclusion.map(|conclusion| conclusion.merged(is_merged)),
            left,
        )
    }
}
