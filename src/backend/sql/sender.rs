//! [`Sender`]: sends statements to a server, each within a time limit.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::faults::too_late;
use super::pool::{Lease, Pool};
use super::server::Server;
use crate::backend::Error;
use crate::backend::deadline::deadline_after;
use crate::backend::effect::Effect;

pub(super) struct Sender<S: Server> {
    pub(super) pool: Pool<S>,
    /// The time limit of an operation, the wait for a connection included.
    pub(super) timeout: Duration,
}

impl<S: Server> Sender<S> {
    /// Creates or checks tables, within the time limit of an operation.
    pub(super) async fn make<T>(
        &self,
        make: impl AsyncFnOnce(&mut S::Connection) -> Result<T, S::Error>,
    ) -> Result<T, Error> {
        let give_up = deadline_after(self.timeout);
        let mut lease = self.lease(give_up).await?;
        let made = timeout_at(give_up, make(lease.connection()?)).await;
        let made = made.map_err(|_| too_late(Effect::Reads))?;
        if made.is_ok() {
            lease.answered();
        }
        made.map_err(S::reading)
    }

    /// Sends a statement, and reads its answer with `receive`.
    pub(super) async fn send<T>(
        &self,
        effect: Effect,
        receive: impl AsyncFnOnce(&mut S::Connection) -> Result<T, S::Error>,
    ) -> Result<T, Error> {
        let give_up = deadline_after(self.timeout);
        let mut lease = self.lease(give_up).await?;
        let sent = receive(lease.connection()?);
        let Ok(answer) = timeout_at(give_up, sent).await else {
            self.pool.note_failure();
            return Err(too_late(effect));
        };
        match &answer {
            Err(error) if S::ends_a_connection(error) => self.pool.note_failure(),
            _ => lease.answered(),
        }
        answer.map_err(|error| match effect {
            Effect::Reads => S::reading(error),
            Effect::Writes => S::writing(error),
        })
    }

    /// Closes the pool. Waits for running operations at most for the time limit of one operation.
    pub(super) async fn close(&self) {
        let _ = timeout(self.timeout, self.pool.close()).await;
    }

    async fn lease(&self, give_up: Instant) -> Result<Lease<S>, Error> {
        match timeout_at(give_up, self.pool.lease()).await {
            Ok(lease) => lease,
            Err(_) => Err(too_late(Effect::Reads)),
        }
    }
}
