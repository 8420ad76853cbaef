//! [`Caller`]: the request that waits for a save.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backend::deadline_after;

use super::Error;

/// A request that saves, and the time that it waits until its write begins.
#[derive(Clone)]
pub(super) struct Caller {
    timeout: Duration,
    pub(super) deadline: Instant,
    /// Cancelled when the request is dropped.
    dropped: CancellationToken,
}

impl Caller {
    pub(super) fn new(timeout: Duration, dropped: CancellationToken) -> Self {
        Caller {
            timeout,
            deadline: deadline_after(timeout),
            dropped,
        }
    }

    /// Refuses to begin a write after the deadline, or for a request that was dropped.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.dropped.is_cancelled() {
            return Err(Error::caller_dropped());
        }
        match self.is_late() {
            true => Err(self.timed_out()),
            false => Ok(()),
        }
    }

    /// Returns whether the deadline has passed.
    pub(super) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    pub(super) fn timed_out(&self) -> Error {
        Error::save_timed_out(self.timeout)
    }

    /// Returns as soon as [`check`](Caller::check) fails. Outside a tokio runtime there are no
    /// timers, and it never returns.
    pub(super) async fn stops_waiting(&self) {
        if tokio::runtime::Handle::try_current().is_err() {
            return std::future::pending().await;
        }
        tokio::select! {
            () = self.dropped.cancelled() => {}
            () = tokio::time::sleep_until(self.deadline) => {}
        }
    }
}
