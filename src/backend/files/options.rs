//! [`FilesOptions`].

use std::time::Duration;

use super::super::Error;

/// How [`Files`](super::Files) and [`GorillaFiles`](super::GorillaFiles) use their disk.
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::FilesOptions;
///
/// let options = FilesOptions::new().timeout(Duration::from_secs(2)).max_threads(4);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct FilesOptions {
    pub(super) timeout: Duration,
    pub(super) max_threads: usize,
}

impl Default for FilesOptions {
    fn default() -> Self {
        FilesOptions {
            timeout: Duration::from_secs(5),
            max_threads: 16,
        }
    }
}

impl FilesOptions {
    /// Five seconds, and sixteen threads.
    pub fn new() -> Self {
        FilesOptions::default()
    }

    /// Limits how long an operation takes, with the wait for a thread and for locks that other
    /// processes hold; then it is [unavailable](crate::backend::Error::is_unavailable), or its
    /// outcome unknown. Default: 5 seconds. A [scan](crate::backend::Scan) has as long for each
    /// 256 files.
    pub fn timeout(self, timeout: Duration) -> Self {
        FilesOptions { timeout, ..self }
    }

    /// Limits how many threads wait for the disk at once. Operations beyond that wait for a
    /// thread. Default: 16. The threads are the backend's own: a disk that hangs takes none of
    /// the application's. They start when they are needed, and end when they are idle.
    pub fn max_threads(self, max_threads: usize) -> Self {
        FilesOptions {
            max_threads,
            ..self
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        match self.max_threads {
            0 => Err(Error::usage("files need one thread or more (max_threads)")),
            _ if self.timeout.is_zero() => Err(Error::usage(
                "no operation on files ends within no time: the timeout must be greater than zero",
            )),
            _ => Ok(()),
        }
    }
}
