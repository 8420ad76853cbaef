//! [`RowLocks`]: only one request of this process writes to a row at a time. The others wait, and
//! cost the backend nothing.
//!
//! A request that ends a session is served first, then the oldest one. A request that saves does
//! not need the lock itself: the request that has it may take the waiting saves, write them
//! together with its own (`shared_writes.rs`), and answer them.
//!
//! Other processes do not see these locks. Between processes, the row's revision decides.
//!
//! The table contains only the keys of locked rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::backend::{Key, Revision};

use super::super::Error;
use super::super::caller::Caller;
use super::super::login::{Begun, Login};
use super::super::protocol::SeenRow;
use super::super::rows::Conclusion;
use super::super::session_data::SessionData;
use super::super::store::SaveRequest;

/// A save of a session that stays under its key, ready to be written.
pub(super) struct PendingSave {
    /// The session as the request loaded it.
    pub(super) seen: SeenRow<Option<Login>>,
    pub(super) save: SaveRequest,
    pub(super) begun: Option<Begun>,
    pub(super) caller: Caller,
}

/// The result of a write.
pub(super) type Written = Result<Conclusion, Error>;

/// A waiting save, and the channel to the request that is to be answered.
pub(super) struct TakenSave {
    pub(super) pending: Arc<PendingSave>,
    answer: oneshot::Sender<Granted>,
}

impl TakenSave {
    /// Returns the save of the request that has the lock, and the receiver of its answer.
    pub(super) fn of_holder(pending: Arc<PendingSave>) -> (Self, WrittenReceiver) {
        let (answer, receiver) = oneshot::channel();
        (TakenSave { pending, answer }, WrittenReceiver(receiver))
    }

    pub(super) fn answer(self, written: Written) {
        // A request that was dropped needs no answer.
        let _ = self.answer.send(Granted::Written(written));
    }
}

/// The receiver of the result of a save.
pub(super) struct WrittenReceiver(oneshot::Receiver<Granted>);

impl WrittenReceiver {
    pub(super) async fn written(self) -> Written {
        match self.0.await {
            Ok(Granted::Written(written)) => written,
            Ok(Granted::Lock(..)) | Err(_) => Err(Error::in_doubt()),
        }
    }
}

/// A row as this process has just written it.
#[derive(Clone)]
pub(super) struct LatestRow {
    pub(super) revision: Revision,
    pub(super) data: SessionData,
}

impl LatestRow {
    /// Returns the row of that key after a write, or `None` if the session is not there any more.
    pub(super) fn of(conclusion: &Conclusion, row: &Key) -> Option<Self> {
        match conclusion {
            Conclusion::Saved {
                key,
                revision,
                data,
                ..
            } if key == row => Some(LatestRow {
                revision: revision.clone(),
                data: data.clone(),
            }),
            _ => None,
        }
    }

    /// Returns the row after a touch by a request that has loaded this data.
    pub(super) fn touched(revision: &Revision, data: &SessionData) -> Self {
        let mut data = data.clone();
        // A touch does not change the row's flag `owes_cookie`, which is false.
        data.metadata.owes_cookie = false;
        LatestRow {
            revision: revision.clone(),
            data,
        }
    }
}

/// The message to a waiting request.
pub(super) enum Granted {
    /// The request has the lock. If known, the message contains the row as the previous holder left
    /// it.
    Lock(RowLock, Option<Box<LatestRow>>),
    /// The request that had the lock has written this request's save.
    Written(Written),
}

/// The order in which requests are called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket {
    rank: Rank,
    number: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Ends or replaces a session, or gives it another ID.
    Urgent,
    Save,
}

struct Request {
    /// The save, if the holder of the lock may write it.
    save: Option<Arc<PendingSave>>,
    grant: oneshot::Sender<Granted>,
}

/// The requests that wait for one row, in the order in which they are called.
type Queue = BTreeMap<Ticket, Request>;

#[derive(Default)]
struct Table {
    /// Each number is used once. A request that was called leaves a queue that it is no longer in.
    last_number: u64,
    /// The rows that are locked.
    queues: HashMap<Key, Queue>,
}

pub(super) struct RowLocks {
    /// The maximum number of requests that wait for one row.
    max_waiting: usize,
    table: Mutex<Table>,
}

impl RowLocks {
    pub(super) fn new(max_waiting: usize) -> Self {
        RowLocks {
            max_waiting,
            table: Mutex::default(),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No code of the application runs under the lock.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks a row for a write of its own.
    ///
    /// # Errors
    /// Returns an [overloaded](Error::is_overloaded) error if too many requests wait for the row or
    /// the caller's deadline has passed, and an unavailable error if the caller was dropped.
    pub(super) async fn lock(
        self: &Arc<Self>,
        key: &Key,
        rank: Rank,
        caller: &Caller,
    ) -> Result<(RowLock, Option<LatestRow>), Error> {
        match self.wait(key, rank, None, caller).await? {
            Granted::Lock(lock, latest) => Ok((lock, latest.map(|row| *row))),
            Granted::Written(_) => Err(Error::in_doubt()),
        }
    }

    /// Locks the row of a save, or lets another request write the save.
    ///
    /// # Errors
    /// Returns the errors of [`lock`](RowLocks::lock).
    pub(super) async fn lock_or_join(
        self: &Arc<Self>,
        pending: &Arc<PendingSave>,
    ) -> Result<Granted, Error> {
        let (key, save) = (&pending.seen.key, Some(pending.clone()));
        self.wait(key, Rank::Save, save, &pending.caller).await
    }

    async fn wait(
        self: &Arc<Self>,
        key: &Key,
        rank: Rank,
        save: Option<Arc<PendingSave>>,
        caller: &Caller,
    ) -> Result<Granted, Error> {
        caller.check()?;
        let Some(mut entry) = self.enter(key, rank, save)? else {
            return Ok(Granted::Lock(self.lock_of(key), None));
        };
        let called = tokio::select! {
            called = &mut entry.granted => called,
            () = caller.stops_waiting() => {
                if entry.leave() {
                    return Err(caller.check().err().unwrap_or_else(|| caller.timed_out()));
                }
                // The write has begun, or is about to begin.
                (&mut entry.granted).await
            }
        };
        match called {
            Ok(Granted::Lock(lock, latest)) => {
                caller.check()?;
                Ok(Granted::Lock(lock, latest))
            }
            Ok(written) => Ok(written),
            Err(_) => Err(Error::in_doubt()),
        }
    }

    /// Enters the row's queue. If the row is not locked, locks it and returns `None`.
    fn enter(
        self: &Arc<Self>,
        key: &Key,
        rank: Rank,
        save: Option<Arc<PendingSave>>,
    ) -> Result<Option<QueueEntry>, Error> {
        let mut table = self.table();
        let Table {
            last_number,
            queues,
        } = &mut *table;
        let Some(queue) = queues.get_mut(key) else {
            queues.insert(key.clone(), Queue::new());
            return Ok(None);
        };
        if rank == Rank::Save && queue.len() >= self.max_waiting {
            return Err(Error::too_many_waiting(self.max_waiting));
        }
        *last_number += 1;
        let number = *last_number;
        let ticket = Ticket { rank, number };
        let (grant, granted) = oneshot::channel();
        queue.insert(ticket, Request { save, grant });
        Ok(Some(QueueEntry {
            locks: self.clone(),
            key: key.clone(),
            ticket,
            granted,
        }))
    }

    fn lock_of(self: &Arc<Self>, key: &Key) -> RowLock {
        RowLock {
            locks: self.clone(),
            key: key.clone(),
            latest: None,
        }
    }

    /// Returns the request that gets the lock next. If no request waits, unlocks the row.
    fn next(&self, key: &Key) -> Option<Request> {
        let mut table = self.table();
        let next = table.queues.get_mut(key)?.pop_first();
        if next.is_none() {
            table.queues.remove(key);
        }
        next.map(|(_, request)| request)
    }
}

/// A request's place in a queue. The request leaves the queue when the place is dropped.
struct QueueEntry {
    locks: Arc<RowLocks>,
    key: Key,
    ticket: Ticket,
    granted: oneshot::Receiver<Granted>,
}

impl QueueEntry {
    /// Leaves the queue. Returns false if the request was called before.
    fn leave(&self) -> bool {
        let mut table = self.locks.table();
        let queue = table.queues.get_mut(&self.key);
        queue.is_some_and(|queue| queue.remove(&self.ticket).is_some())
    }
}

impl Drop for QueueEntry {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The right to write to a row. When it is dropped, the next request gets it.
pub(super) struct RowLock {
    locks: Arc<RowLocks>,
    key: Key,
    latest: Option<LatestRow>,
}

impl RowLock {
    /// Takes the waiting saves of requests that loaded the session with that login, in order.
    /// Requests that were dropped stay in the queue, and leave it themselves.
    pub(super) fn take_saves(&self, login: &Option<Login>) -> Vec<TakenSave> {
        let mut table = self.locks.table();
        let Some(queue) = table.queues.get_mut(&self.key) else {
            return Vec::new();
        };
        let is_one =
            |pending: &PendingSave| pending.seen.login == *login && pending.caller.check().is_ok();
        let tickets = queue.iter();
        let tickets = tickets.filter(|(_, request)| request.save.as_deref().is_some_and(is_one));
        let tickets: Vec<Ticket> = tickets.map(|(ticket, _)| *ticket).collect();
        let taken = tickets.iter().filter_map(|ticket| {
            let Request { save, grant } = queue.remove(ticket)?;
            let pending = save?;
            Some(TakenSave {
                pending,
                answer: grant,
            })
        });
        taken.collect()
    }

    /// Notes for the next request how the row was left.
    pub(super) fn wrote(&mut self, latest: Option<LatestRow>) {
        self.latest = latest;
    }
}

impl Drop for RowLock {
    fn drop(&mut self) {
        if let Some(next) = self.locks.next(&self.key) {
            let lock = self.locks.lock_of(&self.key);
            // If that request was dropped just now, it drops the lock too.
            let _ = next
                .grant
                .send(Granted::Lock(lock, self.latest.take().map(Box::new)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::*;

    fn run<F: Future>(test: F) -> F::Output {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(test)
    }

    /// Returns when every other task waits.
    async fn all_wait() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    fn caller() -> Caller {
        Caller::new(Duration::from_secs(10), CancellationToken::new())
    }

    fn locks() -> Arc<RowLocks> {
        Arc::new(RowLocks::new(100))
    }

    fn key() -> Key {
        Key::new("row").unwrap()
    }

    type Locking = tokio::task::JoinHandle<Result<RowLock, Error>>;

    fn locking(locks: &Arc<RowLocks>, rank: Rank, caller: Caller) -> Locking {
        let locks = locks.clone();
        tokio::spawn(async move {
            let (lock, _) = locks.lock(&key(), rank, &caller).await?;
            Ok(lock)
        })
    }

    #[test]
    fn the_table_contains_only_locked_rows() {
        run(async {
            let locks = locks();
            let (lock, _) = locks.lock(&key(), Rank::Save, &caller()).await.unwrap();
            let dropped = CancellationToken::new();
            let cancelled = Caller::new(Duration::from_secs(10), dropped.clone());
            let short = Caller::new(Duration::from_secs(1), CancellationToken::new());
            let waiting = [
                locking(&locks, Rank::Save, cancelled),
                locking(&locks, Rank::Save, short),
                locking(&locks, Rank::Save, caller()),
                locking(&locks, Rank::Save, caller()),
            ];
            all_wait().await;
            assert_eq!(locks.table().queues[&key()].len(), 4);
            let [cancelled, short, aborted, next] = waiting;
            dropped.cancel();
            assert!(cancelled.await.unwrap().is_err());
            assert!(short.await.unwrap().is_err());
            aborted.abort();
            assert!(aborted.await.is_err());
            assert_eq!(locks.table().queues[&key()].len(), 1);
            drop(lock);
            drop(next.await.unwrap().unwrap());
            assert!(locks.table().queues.is_empty());
        });
    }

    #[test]
    fn an_end_is_served_first_and_then_the_oldest_request() {
        run(async {
            let locks = locks();
            let (lock, _) = locks.lock(&key(), Rank::Save, &caller()).await.unwrap();
            let order = Arc::new(Mutex::new(Vec::new()));
            let ranks = [
                Rank::Save,
                Rank::Save,
                Rank::Urgent,
                Rank::Save,
                Rank::Urgent,
            ];
            let mut waiting = Vec::new();
            for (number, rank) in ranks.into_iter().enumerate() {
                let (locking, order) = (locking(&locks, rank, caller()), order.clone());
                waiting.push(tokio::spawn(async move {
                    let lock = locking.await.unwrap().unwrap();
                    order.lock().unwrap().push(number);
                    drop(lock);
                }));
                all_wait().await;
            }
            drop(lock);
            for waiting in waiting {
                waiting.await.unwrap();
            }
            assert_eq!(*order.lock().unwrap(), [2, 4, 0, 1, 3]);
        });
    }

    /// A request that was called leaves its place too. By then the row may have another queue.
    #[test]
    fn a_served_request_leaves_other_requests_in_the_queue() {
        run(async {
            let locks = locks();
            let (first, _) = locks.lock(&key(), Rank::Save, &caller()).await.unwrap();
            let called = locks.enter(&key(), Rank::Save, None).unwrap().unwrap();
            drop(first);
            // It gets the lock, and releases it.
            let mut called = called;
            drop((&mut called.granted).await.unwrap());
            assert!(locks.table().queues.is_empty());
            let (second, _) = locks.lock(&key(), Rank::Save, &caller()).await.unwrap();
            let waiting = locking(&locks, Rank::Save, caller());
            all_wait().await;
            drop(called);
            drop(second);
            waiting.await.unwrap().unwrap();
        });
    }

    #[test]
    fn a_lock_that_a_dropped_request_gets_passes_to_the_next() {
        run(async {
            let locks = locks();
            let (first, _) = locks.lock(&key(), Rank::Save, &caller()).await.unwrap();
            let called = locks.enter(&key(), Rank::Save, None).unwrap().unwrap();
            let waiting = locking(&locks, Rank::Save, caller());
            all_wait().await;
            // The first waiting request is called while it is being dropped.
            drop(first);
            drop(called);
            waiting.await.unwrap().unwrap();
            assert!(locks.table().queues.is_empty());
        });
    }
}
