//! Which connections that lay idle are used again.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnectionMetadata;
use sqlx::{Connection, PgConnection};

/// For how long a connection that was answered is taken to be there.
const FRESH: Duration = Duration::from_secs(1);

/// What happened to the connections of a pool. A write that is sent over one that is not there
/// any more has an unknown outcome, and so it is better not sent.
#[derive(Debug, Default)]
pub(super) struct Trust {
    lost: Mutex<Option<Instant>>,
}

impl Trust {
    /// One was lost, or not answered in time: all that were opened before are as bad, until the
    /// contrary is cheaper to find out than to open another.
    pub(super) fn lose(&self) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_lost(&self, age: Duration) -> bool {
        let lost = *self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.is_some_and(|lost| lost.elapsed() <= age)
    }

    /// Asks one that lay idle for long whether it is there.
    pub(super) async fn may_be_used(
        &self,
        connection: &mut PgConnection,
        held: &PoolConnectionMetadata,
    ) -> bool {
        if self.is_lost(held.age) {
            return false;
        }
        held.idle_for < FRESH || connection.ping().await.is_ok()
    }
}
