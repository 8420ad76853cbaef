//! [`Task`]: looks at the watched sessions of a store, at each interval and after a change.

use std::sync::Arc;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::listening::listen;
use super::registry::{Answer, Entry, GATHERING, Watch, WatchedSession};

pub(super) struct Task<S: Watch> {
    pub(super) store: Arc<S>,
    pub(super) number: u64,
}

impl<S: Watch> Task<S> {
    pub(super) async fn run(self) {
        let watcher = self.store.watcher();
        // A server that does not answer the listener must not delay a look.
        let _listening = AbortOnDropHandle::new(tokio::spawn(listen(self.store.clone())));
        let mut next_look = Instant::now() + watcher.interval;
        loop {
            if watcher.is_over(self.number) {
                return;
            }
            tokio::select! {
                biased;
                () = watcher.is_empty.notified() => {}
                () = sleep_until(next_look) => {
                    next_look = Instant::now() + watcher.interval;
                    self.look(watcher.sessions()).await;
                }
                () = watcher.has_changed.notified() => {
                    tokio::select! {
                        biased;
                        // The look at all sessions covers these.
                        () = sleep_until(next_look) => {}
                        () = self.look_at_changed() => {}
                    }
                }
            }
        }
    }

    /// Looks at the sessions that may have changed, together with those that follow in a short time.
    async fn look_at_changed(&self) {
        sleep(GATHERING).await;
        self.look(self.store.watcher().changed_sessions()).await;
    }

    async fn look(&self, (ids, mut sessions): (Vec<u64>, Vec<WatchedSession>)) {
        if sessions.is_empty() {
            return;
        }
        let ends = self.store.look(&mut sessions).await;
        for ((id, session), end) in ids.into_iter().zip(sessions).zip(ends) {
            self.store.watcher().note(id, session, end);
        }
    }
}

/// If the task ends in another way, with its runtime or by a panic, the waiting futures start
/// another one.
impl<S: Watch> Drop for Task<S> {
    fn drop(&mut self) {
        let entries = {
            let mut registry = self.store.watcher().registry();
            if registry.task != self.number || !registry.is_running {
                return;
            }
            registry.is_running = false;
            registry.changed.clear();
            std::mem::take(&mut registry.entries)
        };
        for (_, Entry { session, answer }) in entries {
            let _ = answer.send(Answer::Unwatched(session));
        }
    }
}
