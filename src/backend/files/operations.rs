//! [`Operations`]: each operation on a folder takes its time and no longer, in a thread of its
//! own, and one that writes has the lock of what it writes.

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

/// The pauses between two looks at a lock that another process holds: the first, and the
/// longest, to which they double.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(32));

/// What a lock file is for: one of 256 parts of the records, or of the owners.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Lock {
    pub(super) kind: &'static str,
    pub(super) part: u8,
}

/// The name of its file.
impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:02x}", self.kind, self.part)
    }
}

/// A folder whose files have locks.
pub(super) trait Locks: Send + Sync + 'static {
    /// Locks the file until it is dropped; `None`, while another process or operation holds it.
    fn try_lock(&self, lock: Lock) -> Result<Option<File>, Error>;

    /// What a message calls the folder.
    fn path(&self) -> &Path;
}

/// Runs operations on a folder.
pub(super) struct Operations<F> {
    folder: Arc<F>,
    workers: Workers,
    /// This process's operations have each lock in the order they came: a thread that waited
    /// for a lock would be missing where no lock is needed.
    turns: Mutex<HashMap<Lock, Arc<Turn>>>,
    timeout: Duration,
}

/// The turn to take a lock.
#[derive(Default)]
struct Turn {
    queue: tokio::sync::Mutex<()>,
    /// Whether another process had the lock when it was looked at last.
    is_held: AtomicBool,
}

/// Whether an operation writes, which is decided once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// It has the lock, and writes.
    Writes,
    /// Its time is over, and it writes nothing.
    GivesUp,
}

/// What became of a look at a lock.
enum Attempt<T, W> {
    Done(Result<T, Error>),
    /// Another process has the lock; the work is still to be done.
    Held(W),
}

impl<F: Locks> Operations<F> {
    pub(super) fn new(folder: F, options: &FilesOptions) -> Result<Self, Error> {
        options.check()?;
        Ok(Operations {
            folder: Arc::new(folder),
            workers: Workers::new(options.max_threads),
            turns: Mutex::default(),
            timeout: options.timeout,
        })
    }

    pub(super) fn folder(&self) -> &F {
        &self.folder
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// When an operation that begins now must have ended.
    fn deadline(&self) -> Instant {
        deadline_after(self.timeout)
    }

    /// Does what needs no lock.
    pub(super) async fn unlocked<T: Send + 'static>(
        &self,
        work: impl FnOnce(&F) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let folder = self.folder.clone();
        let done = self.workers.run(move || work(&folder));
        match timeout_at(self.deadline(), done).await {
            Ok(done) => done?,
            Err(_) => Err(self.too_late()),
        }
    }

    /// Does what needs the lock, to its end once it has begun, also if the caller stops waiting.
    pub(super) async fn locked<T: Send + 'static>(
        &self,
        lock: Lock,
        work: impl FnOnce(&F) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.locked_by(self.deadline(), lock, work).await
    }

    /// The same, if the lock is free before another deadline than the operation's.
    pub(super) async fn locked_by<T: Send + 'static>(
        &self,
        give_up: Instant,
        lock: Lock,
        work: impl FnOnce(&F) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (turn, decision) = (self.turn(lock), Arc::new(OnceLock::new()));
        let done = self.in_turn(&turn, give_up, lock, decision.clone(), work);
        match timeout_at(self.deadline(), done).await {
            Ok(done) => done,
            Err(_) if decision.set(Decision::GivesUp).is_err() => {
                Err(Error::outcome_unknown(self.lateness()))
            }
            Err(_) if turn.is_held.load(Ordering::Relaxed) => Err(self.held(lock)),
            Err(_) => Err(self.too_late()),
        }
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        turn: &Turn,
        give_up: Instant,
        lock: Lock,
        decision: Arc<OnceLock<Decision>>,
        mut work: impl FnOnce(&F) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let _turn = turn.queue.lock().await;
        let (mut pause, longest) = PAUSES;
        loop {
            let (folder, decision) = (self.folder.clone(), decision.clone());
            let attempt = move || attempt(&*folder, lock, &decision, work);
            let attempt = self.workers.run(attempt).await?;
            let is_held = matches!(attempt, Attempt::Held(_));
            turn.is_held.store(is_held, Ordering::Relaxed);
            work = match attempt {
                Attempt::Done(done) => return done,
                Attempt::Held(work) => work,
            };
            if Instant::now() + pause >= give_up {
                return Err(self.held(lock));
            }
            sleep(pause).await;
            pause = longest.min(2 * pause);
        }
    }

    fn turn(&self, lock: Lock) -> Arc<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(lock).or_default().clone()
    }

    fn held(&self, lock: Lock) -> Error {
        let path = self.folder.path();
        Error::unavailable(format!(
            "another process holds the lock {lock} of {path:?}: find it with fuser or lsof"
        ))
    }

    fn too_late(&self) -> Error {
        Error::unavailable(self.lateness())
    }

    fn lateness(&self) -> String {
        let (path, timeout) = (self.folder.path(), self.timeout);
        format!("the disk of {path:?} does not answer within {timeout:?}")
    }
}

/// Does the work if the lock is free and the caller has not been refused.
fn attempt<F: Locks, T, W: FnOnce(&F) -> Result<T, Error>>(
    folder: &F,
    lock: Lock,
    decision: &OnceLock<Decision>,
    work: W,
) -> Attempt<T, W> {
    let _lock = match folder.try_lock(lock) {
        Ok(Some(file)) => file,
        Ok(None) => return Attempt::Held(work),
        Err(error) => return Attempt::Done(Err(error)),
    };
    match decision.set(Decision::Writes) {
        Ok(()) => Attempt::Done(work(folder)),
        Err(_) => Attempt::Done(Err(Error::unavailable("the caller was refused"))),
    }
}
