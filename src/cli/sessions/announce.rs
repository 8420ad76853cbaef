//! Announces the sessions that a command has ended, to services that wait for their ends.

use silverback::backend::{Backend, Change};

use super::super::failure::report;

/// Announces a change, in a store whose server does not notice it by itself.
pub(super) async fn announce(backend: &dyn Backend, change: Change) {
    if let Some(changes) = backend.changes()
        && let Err(error) = changes.announce(&change).await
    {
        report(format_args!(
            "silverback: services learn of the end at their next look only: {error}"
        ));
    }
}
