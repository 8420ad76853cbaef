//! [`Caller`]: the request that waits for a save, as the save sees it.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Error;

/// No clock is asked to tell a time that is longer away.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A request that saves, and how long it waits for its write to begin.
#[derive(Clone)]
pub(super) struct Caller {
    timeout: Duration,
    pub(super) deadline: Instant,
    /// Cancelled once the request has been dropped.
    dropped: CancellationToken,
}

impl Caller {
    pub(super) fn new(timeout: Duration, dropped: CancellationToken) -> Self {
        Caller {
            timeout,
            deadline: Instant::now() + timeout.min(LONGEST_TIMEOUT),
            dropped,
        }
    }

    /// Refuses to begin a write that comes too late.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.dropped.is_cancelled() {
            return Err(Error::caller_dropped());
        }
        match self.is_late() {
            true => Err(self.timed_out()),
            false => Ok(()),
        }
    }

    /// Whether the deadline has passed.
    pub(super) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    pub(super) fn timed_out(&self) -> Error {
        Error::save_timed_out(self.timeout)
    }

    /// Returns once [`check`](Caller::check) fails; without a runtime, which has the timers, never.
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
