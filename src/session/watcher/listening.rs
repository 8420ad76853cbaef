//! Listening for changes that other programs make. A listener that fails is opened again. The looks at
//! the interval do not wait for it.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::backend::{Change, Changes, Error, Listener};

use super::registry::{GATHERING, Watch, Watcher};

/// The shortest pause before a listener that has failed is opened again.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// Listens until the task is aborted. Returns at once if the server reports no changes.
pub(super) async fn listen<S: Watch>(store: Arc<S>) {
    let Some(changes) = store.changes() else {
        return;
    };
    let mut has_warned = false;
    loop {
        let Err(error) = listen_once(changes, store.watcher(), &mut has_warned).await;
        if !std::mem::replace(&mut has_warned, true) {
            tracing::warn!(
                %error,
                "changes of sessions are not reported; their ends are found at the interval"
            );
        }
        sleep(store.watcher().interval.max(SHORTEST_PAUSE)).await;
    }
}

/// Listens until the listener fails.
async fn listen_once(
    changes: &dyn Changes,
    watcher: &Watcher,
    has_warned: &mut bool,
) -> Result<Infallible, Error> {
    let mut listener = changes.listen().await?;
    let mut listened_for = HashSet::new();
    let mut reported = HashSet::new();
    loop {
        let wanted = watcher.wanted();
        listener.listen_for(&wanted).await?;
        // These may have changed before the listener knew of them.
        reported.extend(wanted.difference(&listened_for).cloned());
        watcher.note_changes(reported.drain());
        listened_for = wanted;
        tokio::select! {
            change = listener.next() => drop(reported.insert(change?)),
            () = watcher.wants_others.notified() => {}
            () = sleep(watcher.interval) => *has_warned = false,
        }
        gather(&mut *listener, &mut reported).await?;
    }
}

/// Gathers the changes of a short time.
async fn gather(listener: &mut dyn Listener, reported: &mut HashSet<Change>) -> Result<(), Error> {
    let mut is_over = std::pin::pin!(sleep(GATHERING));
    loop {
        tokio::select! {
            change = listener.next() => drop(reported.insert(change?)),
            () = &mut is_over => return Ok(()),
        }
    }
}
