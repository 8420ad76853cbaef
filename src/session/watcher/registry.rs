//! [`Watcher`]: the sessions of one store that are watched, and what has changed since the last look.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, oneshot};

use crate::backend::{Change, Changes, Key};
use crate::codec::UnixTime;

use super::super::login::Login;
use super::super::metadata::Metadata;
use super::super::session_end::SessionEnd;
use super::super::{Lifetime, Refusal};

/// The default interval. A logout closes the sockets of a session within the time that a person
/// takes to look, and a program with many sockets sends its backend 12 calls a minute.
pub(in super::super) const WATCH_INTERVAL: Duration = Duration::from_secs(5);

const LONGEST_INTERVAL: Duration = Duration::from_secs(86_400);

/// The time for which changes are gathered before one look at all of them: far less than a person
/// notices, and no more than 20 looks a second.
pub(super) const GATHERING: Duration = Duration::from_millis(50);

/// A session that is watched, as its store has last seen it.
#[derive(Clone)]
pub(in super::super) struct WatchedSession {
    /// The key of its row, or `None` if the session is in its cookie.
    pub(in super::super) key: Option<Key>,
    pub(in super::super) login: Option<Login>,
    idle_at: Option<UnixTime>,
    deadline: Option<UnixTime>,
}

impl WatchedSession {
    pub(in super::super) fn new(
        key: Option<Key>,
        metadata: &Metadata,
        lifetime: &Lifetime,
    ) -> Self {
        WatchedSession {
            key,
            login: metadata.login.clone(),
            idle_at: metadata.idle_at(lifetime),
            deadline: metadata.deadline,
        }
    }

    /// Returns the changes that may end the session.
    fn changes(&self) -> impl Iterator<Item = Change> {
        let record = self.key.clone().map(Change::Record);
        let login = self.login.as_ref();
        let owner = login.map(|login| Change::Owner(login.owner.clone()));
        record.into_iter().chain(owner)
    }

    /// Returns the limit that the session has passed, as far as it is known.
    pub(in super::super) fn passed_limit(&self, now: UnixTime) -> Option<SessionEnd> {
        let is_past = |limit: Option<UnixTime>| limit.is_some_and(|limit| limit <= now);
        match () {
            () if is_past(self.deadline) => Some(SessionEnd::Expired),
            () if is_past(self.idle_at) => Some(SessionEnd::Idle),
            () => None,
        }
    }

    /// Returns why the session has ended if its store refuses it.
    pub(in super::super) fn end_of(&self, refusal: Refusal, now: UnixTime) -> SessionEnd {
        match refusal {
            Refusal::Idle => SessionEnd::Idle,
            Refusal::Expired => SessionEnd::Expired,
            // A backend also removes the row of a session that has passed a limit.
            _ => self.passed_limit(now).unwrap_or(SessionEnd::Ended),
        }
    }
}

/// A store whose sessions are watched.
#[async_trait]
pub(in super::super) trait Watch: Send + Sync + 'static {
    fn watcher(&self) -> &Watcher;

    /// Returns the reports of changes that other programs make, if the server has them.
    fn changes(&self) -> Option<&dyn Changes> {
        None
    }

    /// Looks at these sessions, updates them, and returns for each why it has ended, or `None` if it
    /// has not. A session whose server does not answer has ended only once it has passed a limit.
    async fn look(&self, sessions: &mut [WatchedSession]) -> Vec<Option<SessionEnd>>;
}

/// The sessions of one store that are watched.
pub(in super::super) struct Watcher {
    pub(super) interval: Duration,
    registry: Mutex<Registry>,
    /// Wakes the task when no session is watched any more.
    pub(super) is_empty: Notify,
    /// Wakes the task when something has changed.
    pub(super) has_changed: Notify,
    /// Wakes the listener when other changes are wanted.
    pub(super) wants_others: Notify,
}

#[derive(Default)]
pub(super) struct Registry {
    next_id: u64,
    pub(super) entries: HashMap<u64, Entry>,
    /// Changes since the last look.
    pub(super) changed: HashSet<Change>,
    /// The number of the task that looks at the entries. A task with another number stops, even if
    /// its runtime runs again only after a long time.
    pub(super) task: u64,
    pub(super) is_running: bool,
}

pub(super) struct Entry {
    pub(super) session: WatchedSession,
    pub(super) answer: oneshot::Sender<Answer>,
}

pub(super) enum Answer {
    Ended(SessionEnd, WatchedSession),
    /// The task has stopped before the session ended.
    Unwatched(WatchedSession),
}

impl Watcher {
    /// Creates the watcher. A longer interval than a day counts as a day.
    pub(in super::super) fn new(interval: Duration) -> Self {
        Watcher {
            interval: interval.min(LONGEST_INTERVAL),
            registry: Mutex::default(),
            is_empty: Notify::new(),
            has_changed: Notify::new(),
            wants_others: Notify::new(),
        }
    }

    pub(in super::super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Returns the number of waiting futures.
    pub(in super::super) fn count(&self) -> usize {
        self.registry().entries.len()
    }

    pub(super) fn registry(&self) -> MutexGuard<'_, Registry> {
        // No code of the caller runs under the lock.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a session. Also returns the number of the task to start, if one must be started.
    pub(super) fn register(&self, session: WatchedSession) -> (Registration<'_>, Option<u64>) {
        let (answer, answered) = oneshot::channel();
        let mut registry = self.registry();
        let id = registry.next_id;
        registry.next_id += 1;
        registry.entries.insert(id, Entry { session, answer });
        self.wants_others.notify_one();
        let must_start = !std::mem::replace(&mut registry.is_running, true);
        let to_start = must_start.then(|| {
            registry.task += 1;
            registry.task
        });
        let registration = Registration {
            watcher: self,
            id,
            answered,
        };
        (registration, to_start)
    }

    /// Returns whether a task has no sessions to look at any more.
    pub(super) fn is_over(&self, task: u64) -> bool {
        let registry = self.registry();
        registry.task != task || !registry.is_running
    }

    /// Has the task look at the sessions that these changes may have ended.
    pub(in super::super) fn note_changes(&self, changes: impl IntoIterator<Item = Change>) {
        let mut registry = self.registry();
        if registry.entries.is_empty() {
            return;
        }
        registry.changed.extend(changes);
        if !registry.changed.is_empty() {
            self.has_changed.notify_one();
        }
    }

    /// Returns the changes that may end a watched session.
    pub(super) fn wanted(&self) -> HashSet<Change> {
        let registry = self.registry();
        let sessions = registry.entries.values().map(|entry| &entry.session);
        sessions.flat_map(WatchedSession::changes).collect()
    }

    /// Returns all sessions. Forgets the changes, since the look that follows covers them.
    pub(super) fn sessions(&self) -> (Vec<u64>, Vec<WatchedSession>) {
        let mut registry = self.registry();
        registry.changed.clear();
        let entries = registry.entries.iter();
        entries.map(|(id, of)| (*id, of.session.clone())).unzip()
    }

    /// Returns the sessions that may have changed since the last look.
    pub(super) fn changed_sessions(&self) -> (Vec<u64>, Vec<WatchedSession>) {
        let mut registry = self.registry();
        let changed = std::mem::take(&mut registry.changed);
        let entries = registry.entries.iter();
        let entries =
            entries.filter(|(_, of)| of.session.changes().any(|of| changed.contains(&of)));
        entries.map(|(id, of)| (*id, of.session.clone())).unzip()
    }

    /// Notes what a look has found.
    pub(super) fn note(&self, id: u64, session: WatchedSession, end: Option<SessionEnd>) {
        let mut registry = self.registry();
        match end {
            None => {
                if let Some(entry) = registry.entries.get_mut(&id) {
                    let has_moved = entry.session.key != session.key;
                    entry.session = session;
                    if has_moved {
                        self.wants_others.notify_one();
                    }
                }
            }
            Some(end) => {
                if let Some(entry) = registry.entries.remove(&id) {
                    // A future that was just dropped needs no answer.
                    let _ = entry.answer.send(Answer::Ended(end, session));
                }
            }
        }
    }
}

/// A place among the watched sessions, until it is dropped.
pub(super) struct Registration<'w> {
    watcher: &'w Watcher,
    id: u64,
    pub(super) answered: oneshot::Receiver<Answer>,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        let mut registry = self.watcher.registry();
        registry.entries.remove(&self.id);
        if registry.entries.is_empty() {
            // The next session starts another task, in its own runtime.
            registry.is_running = false;
            registry.changed.clear();
            self.watcher.is_empty.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time so late overflows.
    #[test]
    fn an_interval_is_a_day_at_most() {
        assert_eq!(Watcher::new(Duration::MAX).interval(), LONGEST_INTERVAL);
    }
}
