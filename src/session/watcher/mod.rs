//! [`Watcher`]: tells the waiting [`ended`](super::Session::ended) futures of one store which
//! sessions have ended. It looks at all of them together, once at each interval, and at those that
//! may have changed as soon as it hears of it.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`watch`]: waiting for the end of one session |
//! | `registry.rs` | [`Watcher`]: the sessions that are watched |
//! | `task.rs` | the task that looks at them |
//! | `listening.rs` | listening for changes that other programs make |
//!
//! The first watched session starts the task, and it stops with the last one. If its runtime ends
//! while others go on, as a worker's does, the waiting futures start it again.
//!
//! A change is only a reason to look. The bound on the delay of a future rests on the interval
//! alone.

mod listening;
mod registry;
mod task;

use std::sync::Arc;

use tokio::runtime::Handle;

use super::session_end::SessionEnd;
use registry::Answer;
pub(super) use registry::{WATCH_INTERVAL, Watch, WatchedSession, Watcher};
use task::Task;

/// Waits until the session has ended. Returns why, and the session as it was last seen.
pub(super) async fn watch<S: Watch>(
    store: &Arc<S>,
    mut session: WatchedSession,
) -> (SessionEnd, WatchedSession) {
    loop {
        let Ok(runtime) = Handle::try_current() else {
            tracing::error!("a session can be watched only in a tokio runtime");
            return (SessionEnd::Unwatched, session);
        };
        let (mut registration, to_start) = store.watcher().register(session.clone());
        if let Some(number) = to_start {
            let task = Task {
                store: store.clone(),
                number,
            };
            runtime.spawn(task.run());
        }
        match (&mut registration.answered).await {
            Ok(Answer::Ended(end, session)) => return (end, session),
            Ok(Answer::Unwatched(last_seen)) => session = last_seen,
            Err(_) => {}
        }
        drop(registration);
        // If this runtime is ending too, this future is dropped here.
        tokio::task::yield_now().await;
    }
}
