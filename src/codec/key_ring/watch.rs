//! [`KeyRingWatch`]: the thread that reloads the keys at each interval.

use std::fmt;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::super::Error;
use super::stable::Pause;

/// Reloads the keys of a [`KeyRing`](super::KeyRing) until it is dropped. See
/// [`KeyRing::watch`](super::KeyRing::watch).
///
/// Dropping it does not wait for the thread. A reload that reads the keys at that time may still
/// replace them.
#[must_use = "the watch ends when this value is dropped"]
pub struct KeyRingWatch {
    /// The thread ends when this is dropped.
    _stop: Sender<()>,
}

impl KeyRingWatch {
    /// Calls `reload` after each interval, with a pause that ends if the watch is dropped.
    pub(super) fn start(
        interval: Duration,
        mut reload: impl FnMut(&mut Pause<'_>) + Send + 'static,
    ) -> Result<Self, Error> {
        if interval.is_zero() {
            return Err(Error::usage(
                "the interval of a watch is 0: use a second or more",
            ));
        }
        let (stop, stopped) = mpsc::channel();
        let watch = move || {
            while pause(&stopped, interval) {
                reload(&mut |time| pause(&stopped, time));
            }
        };
        let thread = thread::Builder::new().name("silverback-keys".to_owned());
        let started = thread.spawn(watch);
        started.map_err(|error| {
            Error::internal("the thread that reloads the keys cannot be started").with_source(error)
        })?;
        Ok(KeyRingWatch { _stop: stop })
    }
}

/// Waits. Returns false at once if the watch is dropped.
fn pause(stopped: &Receiver<()>, time: Duration) -> bool {
    stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
}

impl fmt::Debug for KeyRingWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRingWatch")
    }
}
