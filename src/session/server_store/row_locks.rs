//! [`RowLocks`]: of the requests of this process, one at a time writes to a row. The others wait,
//! and cost the backend nothing.
//!
//! A request that ends a session goes first; otherwise the oldest does. A request that saves does
//! not have to get the lock: the request that has it may take the waiting saves, write them
//! together with its own (`shared_writes.rs`), and answer them.
//!
//! Other processes do not see these locks: between processes the row's revision decides.
//!
//! The table holds the keys of locked rows, and no others.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::backend::{Key, Revision};

use super::super::Error;
use super::super::caller::Caller;
use super::super::content::Content;
use super::super::login::{Begun, Login};
use super::super::protocol::Seen;
use super::super::rows::Driven;
use super::super::store::Save;

/// A save of a session that stays under its key, ready to be written.
pub(super) struct PendingSave {
    /// The session as the request loaded it.
    pub(super) seen: Seen<Option<Login>>,
    pub(super) save: Save,
    pub(super) begun: Option<Begun>,
    pub(super) caller: Caller,
}

/// What became of a write.
pub(super) type Written = Result<Driven, Error>;

/// A save that waited, and the request to answer.
pub(super) struct TakenSave {
    pub(super) pending: Arc<PendingSave>,
    answer: oneshot::Sender<Call>,
}

impl TakenSave {
    /// The save of the request that has the lock, and where its answer arrives.
    pub(super) fn of_holder(pending: Arc<PendingSave>) -> (Self, Answer) {
        let (answer, call) = oneshot::channel();
        (TakenSave { pending, answer }, Answer(call))
    }

    pub(super) fn answer(self, written: Written) {
        // A request that was dropped needs no answer.
        let _ = self.answer.send(Call::Written(written));
    }
}

/// The answer to a save that this process writes.
pub(super) struct Answer(oneshot::Receiver<Call>);

impl Answer {
    pub(super) async fn written(self) -> Written {
        match self.0.await {
            Ok(Call::Written(written)) => written,
            Ok(Call::Locked(..)) | Err(_) => Err(Error::in_doubt()),
        }
    }
}

/// A row as this process has just written it.
#[derive(Clone)]
pub(super) struct Latest {
    pub(super) revision: Revision,
    pub(super) content: Content,
}

impl Latest {
    /// The row of that key after a write; none, if the session is not there any more.
    pub(super) fn of(driven: &Driven, row: &Key) -> Option<Self> {
        match driven {
            Driven::Saved {
                key,
                revision,
                content,
                ..
            } if key == row => Some(Latest {
                revision: revision.clone(),
                content: content.clone(),
            }),
            _ => None,
        }
    }

    /// The row after a touch by a request that has loaded this content.
    pub(super) fn touched(revision: &Revision, content: &Content) -> Self {
        let mut content = content.clone();
        // A touch leaves the row's own note as it was, which is that no cookie is owed.
        content.metadata.owes_cookie = false;
        Latest {
            revision: revision.clone(),
            content,
        }
    }
}

/// What a waiting request hears.
enum Call {
    /// It has the lock; and how the holder before left the row, if known.
    Locked(RowLock, Option<Latest>),
    /// The request that had the lock has written this one's save.
    Written(Written),
}

/// How a save comes to be written.
pub(super) enum Joined {
    Locked(RowLock, Option<Latest>),
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
    End,
    Save,
}

struct Request {
    /// The save, if the holder of the lock may write it.
    save: Option<Arc<PendingSave>>,
    call: oneshot::Sender<Call>,
}

/// The requests that wait for one row.
#[derive(Default)]
struct Queue {
    last_number: u64,
    requests: BTreeMap<Ticket, Request>,
}

pub(super) struct RowLocks {
    /// How many requests wait for one row.
    max_waiting: usize,
    rows: Mutex<HashMap<Key, Queue>>,
}

impl RowLocks {
    pub(super) fn new(max_waiting: usize) -> Self {
        RowLocks {
            max_waiting,
            rows: Mutex::default(),
        }
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<Key, Queue>> {
        // No code of the application runs under the lock.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks a row for a write of its own.
    ///
    /// # Errors
    /// [Overloaded](Error::is_overloaded), if too many requests wait for the row, or the caller's
    /// deadline has passed; unavailable, if the caller was dropped.
    pub(super) async fn lock(
        self: &Arc<Self>,
        key: &Key,
        rank: Rank,
        caller: &Caller,
    ) -> Result<(RowLock, Option<Latest>), Error> {
        match self.call(key, rank, None, caller).await? {
            Call::Locked(lock, latest) => Ok((lock, latest)),
            Call::Written(_) => Err(Error::in_doubt()),
        }
    }

    /// Locks the row of a save, or has another request write it.
    ///
    /// # Errors
    /// As [`lock`](RowLocks::lock).
    pub(super) async fn lock_or_join(
        self: &Arc<Self>,
        pending: &Arc<PendingSave>,
    ) -> Result<Joined, Error> {
        let (key, save) = (&pending.seen.key, Some(pending.clone()));
        match self.call(key, Rank::Save, save, &pending.caller).await? {
            Call::Locked(lock, latest) => Ok(Joined::Locked(lock, latest)),
            Call::Written(written) => Ok(Joined::Written(written)),
        }
    }

    async fn call(
        self: &Arc<Self>,
        key: &Key,
        rank: Rank,
        save: Option<Arc<PendingSave>>,
        caller: &Caller,
    ) -> Result<Call, Error> {
        caller.check()?;
        let Some(mut place) = self.enter(key, rank, save)? else {
            return Ok(Call::Locked(self.lock_of(key), None));
        };
        let called = tokio::select! {
            called = &mut place.call => called,
            () = caller.stops_waiting() => {
                if place.leave() {
                    return Err(caller.check().err().unwrap_or_else(|| caller.timed_out()));
                }
                // The write has begun, or is about to.
                (&mut place.call).await
            }
        };
        match called {
            Ok(Call::Locked(lock, latest)) => {
                caller.check()?;
                Ok(Call::Locked(lock, latest))
            }
            Ok(written) => Ok(written),
            Err(_) => Err(Error::in_doubt()),
        }
    }

    /// Takes a place in the row's queue; none, if the row was not locked, and is by now.
    fn enter(
        self: &Arc<Self>,
        key: &Key,
        rank: Rank,
        save: Option<Arc<PendingSave>>,
    ) -> Result<Option<Place>, Error> {
        let mut rows = self.rows();
        let Some(queue) = rows.get_mut(key) else {
            rows.insert(key.clone(), Queue::default());
            return Ok(None);
        };
        if rank == Rank::Save && queue.requests.len() >= self.max_waiting {
            return Err(Error::too_many_waiting(self.max_waiting));
        }
        queue.last_number += 1;
        let number = queue.last_number;
        let ticket = Ticket { rank, number };
        let (sender, call) = oneshot::channel();
        queue
            .requests
            .insert(ticket, Request { save, call: sender });
        Ok(Some(Place {
            locks: self.clone(),
            key: key.clone(),
            ticket,
            call,
        }))
    }

    fn lock_of(self: &Arc<Self>, key: &Key) -> RowLock {
        RowLock {
            locks: self.clone(),
            key: key.clone(),
            latest: None,
        }
    }

    /// The request that gets the lock next; if there is none, the row is unlocked.
    fn next(&self, key: &Key) -> Option<Request> {
        let mut rows = self.rows();
        let next = rows.get_mut(key)?.requests.pop_first();
        if next.is_none() {
            rows.remove(key);
        }
        next.map(|(_, request)| request)
    }
}

/// A request's place in a queue, which it leaves when it is dropped.
struct Place {
    locks: Arc<RowLocks>,
    key: Key,
    ticket: Ticket,
    call: oneshot::Receiver<Call>,
}

impl Place {
    /// Leaves the queue. False, if the request was called before.
    fn leave(&self) -> bool {
        let mut rows = self.locks.rows();
        let queue = rows.get_mut(&self.key);
        queue.is_some_and(|queue| queue.requests.remove(&self.ticket).is_some())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The right to write to a row. Dropped, it goes to the next request.
pub(super) struct RowLock {
    locks: Arc<RowLocks>,
    key: Key,
    latest: Option<Latest>,
}

impl RowLock {
    /// Takes the waiting saves of requests that loaded the session with that login, in order.
    /// Requests that were dropped stay, and leave by themselves.
    pub(super) fn take_saves(&self, login: &Option<Login>) -> Vec<TakenSave> {
        let mut rows = self.locks.rows();
        let Some(queue) = rows.get_mut(&self.key) else {
            return Vec::new();
        };
        let is_one =
            |pending: &PendingSave| pending.seen.login == *login && pending.caller.check().is_ok();
        let tickets = queue.requests.iter();
        let tickets = tickets.filter(|(_, request)| request.save.as_deref().is_some_and(is_one));
        let tickets: Vec<Ticket> = tickets.map(|(ticket, _)| *ticket).collect();
        let taken = tickets.iter().filter_map(|ticket| {
            let Request { save, call } = queue.requests.remove(ticket)?;
            let pending = save?;
            Some(TakenSave {
                pending,
                answer: call,
            })
        });
        taken.collect()
    }

    /// Tells the next request how the row was left.
    pub(super) fn wrote(&mut self, latest: Option<Latest>) {
        self.latest = latest;
    }
}

impl Drop for RowLock {
    fn drop(&mut self) {
        if let Some(next) = self.locks.next(&self.key) {
            let lock = self.locks.lock_of(&self.key);
            // A request that was dropped just now drops the lock, too.
            let _ = next.call.send(Call::Locked(lock, self.latest.take()));
        }
    }
}
