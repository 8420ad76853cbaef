//! [`Operations`]: runs each operation on a folder in a thread, within a time limit. A write holds
//! the lock of the data that it writes.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::super::Error;
use super::super::deadline::deadline_after;
use super::options::FilesOptions;
use super::workers::Workers;

/// The first and the longest pause between two attempts to take a lock that another process holds.
/// The pauses double.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(32));

/// The lock of one of 256 parts of the records or of the owners.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Lock {
    pub(super) kind: &'static str,
    pub(super) part: u8,
}

/// Writes the name of the lock's file.
impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:02x}", self.kind, self.part)
    }
}

/// A folder with lock files.
pub(super) trait Locks: Send + Sync + 'static {
    /// Takes the lock until the returned file is dropped. Returns `None` while another process or
    /// operation holds it.
    fn try_lock(&self, lock: Lock) -> Result<Option<File>, Error>;

    /// Returns the folder's path, for messages.
    fn path(&self) -> &Path;
}

/// Runs operations on a folder.
pub(super) struct Operations<F> {
    folder: Arc<F>,
    workers: Workers,
    /// The queues in which this process's operations wait for each lock, in the order they came.
    /// They wait without a thread, since other operations, which need no lock, need the threads.
    queues: Mutex<HashMap<Lock, Arc<LockQueue>>>,
    timeout: Duration,
}

/// The queue for one lock.
#[derive(Default)]
struct LockQueue {
    queue: tokio::sync::Mutex<()>,
    /// Set if another process held the lock at the last attempt.
    is_held: AtomicBool,
}

/// The decision whether an operation writes. It is taken once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// The operation has the lock, and writes.
    Writes,
    /// The operation has timed out, and writes nothing.
    GivesUp,
}

/// The result of an attempt to take a lock.
enum LockAttempt<T, W> {
    Done(Result<T, Error>),
    /// Another process holds the lock. The work is still to be done.
    Held(W),
}

impl<F: Locks> Operations<F> {
    pub(super) fn new(folder: F, options: &FilesOptions) -> Self {
        Operations {
            folder: Arc::new(folder),
            workers: Workers::new(options.max_threads),
            queues: Mutex::default(),
            timeout: options.timeout,
        }
    }

    pub(super) fn folder(&self) -> &F {
        &self.folder
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns the time by which an operation that begins now must have ended.
    fn deadline(&self) -> Instant {
        deadline_after(self.timeout)
    }

    /// Runs work that needs no lock.
    pub(super) async fn unlocked<T: Send + 'static>(
        &self,
        work: impl FnOnce(&F) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let folder = self.folder.clone();
        let done = self.workers.run(move || work(&folder));
        match timeout_at(self.deadline(), done).await {
            Ok(done) => done?,
            Err(_) => Err(self.timed_out()),
        }
    }

    /// Runs work under the lock. Work that has begun runs to its end, even if the caller stops
    /// waiting.
    pub(super) async fn locked<T: Send + 'static>(
        &self,
        lock: Lock,
        work: impl FnOnce(&F) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.locked_until(self.deadline(), lock, work).await
    }

    /// Runs work as `locked` does, but waits for the lock only until `give_up`.
    pub(super) async fn locked_until<T: Send + 'static>(
        &self,
        give_up: Instant,
        lock: Lock,
        work: impl FnOnce(&F) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (lock_queue, decision) = (self.queue_of(lock), Arc::new(OnceLock::new()));
        let done = self.run_queued(&lock_queue, give_up, lock, decision.clone(), work);
        match timeout_at(self.deadline(), done).await {
            Ok(done) => done,
            Err(_) if decision.set(Decision::GivesUp).is_err() => {
                Err(Error::outcome_unknown(self.timeout_message()))
            }
            Err(_) if lock_queue.is_held.load(Ordering::Relaxed) => Err(self.lock_held(lock)),
            Err(_) => Err(self.timed_out()),
        }
    }

    async fn run_queued<T: Send + 'static>(
        &self,
        lock_queue: &LockQueue,
        give_up: Instant,
        lock: Lock,
        decision: Arc<OnceLock<Decision>>,
        mut work: impl FnOnce(&F) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let _guard = lock_queue.queue.lock().await;
        let (mut pause, longest) = PAUSES;
        loop {
            let (folder, decision) = (self.folder.clone(), decision.clone());
            let attempt = move || attempt(&*folder, lock, &decision, work);
            let attempt = self.workers.run(attempt).await?;
            let is_held = matches!(attempt, LockAttempt::Held(_));
            lock_queue.is_held.store(is_held, Ordering::Relaxed);
            work = match attempt {
                LockAttempt::Done(done) => return done,
                LockAttempt::Held(work) => work,
            };
            if Instant::now() + pause >= give_up {
                return Err(self.lock_held(lock));
            }
            sleep(pause).await;
            pause = longest.min(2 * pause);
        }
    }

    fn queue_of(&self, lock: Lock) -> Arc<LockQueue> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.entry(lock).or_default().clone()
    }

    fn lock_held(&self, lock: Lock) -> Error {
        let path = self.folder.path();
        Error::unavailable(format!(
            "another process holds the lock {lock} of {path:?}: find it with fuser or lsof"
        ))
    }

    fn timed_out(&self) -> Error {
        Error::unavailable(self.timeout_message())
    }

    fn timeout_message(&self) -> String {
        let (path, timeout) = (self.folder.path(), self.timeout);
        format!("the disk of {path:?} did not answer within {timeout:?}")
    }
}

/// Runs the work if the lock is free and the operation has not timed out.
fn attempt<F: Locks, T, W: FnOnce(&F) -> Result<T, Error>>(
    folder: &F,
    lock: Lock,
    decision: &OnceLock<Decision>,
    work: W,
) -> LockAttempt<T, W> {
    let _lock = match folder.try_lock(lock) {
        Ok(Some(file)) => file,
        Ok(None) => return LockAttempt::Held(work),
        Err(error) => return LockAttempt::Done(Err(error)),
    };
    match decision.set(Decision::Writes) {
        Ok(()) => LockAttempt::Done(work(folder)),
        Err(_) => LockAttempt::Done(Err(Error::unavailable(
            "the operation timed out before it began",
        ))),
    }
}
