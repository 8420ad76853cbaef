//! [`FilesOptions`].

use std::time::Duration;

use super::super::Error;
use super::super::timeout::check_timeout;

/// The settings of [`Files`](super::Files) and [`GorillaFiles`](super::GorillaFiles).
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::FilesOptions;
///
/// let options = FilesOptions::new().timeout(Duration::from_secs(2)).max_threads(4);
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(default, deny_unknown_fields))]
#[must_use]
pub struct FilesOptions {
    #[cfg_attr(
        feature = "config",
        serde(deserialize_with = "crate::duration_text::read")
    )]
    pub(super) timeout: Duration,
    pub(super) max_threads: usize,
    pub(super) create_if_missing: bool,
}

impl Default for FilesOptions {
    fn default() -> Self {
        FilesOptions {
            timeout: Duration::from_secs(5),
            max_threads: 16,
            create_if_missing: true,
        }
    }
}

impl FilesOptions {
    /// Returns the defaults: 5 seconds, 16 threads; a missing folder is created.
    pub fn new() -> Self {
        FilesOptions::default()
    }

    /// Limits the time of an operation, the waits for a thread and for the locks of other processes
    /// included. After it, the operation is [unavailable](crate::backend::Error::is_unavailable),
    /// or its outcome is unknown. Default: 5 seconds. A [scan](crate::backend::Scan) has this time
    /// for each 256 files.
    pub fn timeout(self, timeout: Duration) -> Self {
        FilesOptions { timeout, ..self }
    }

    /// Limits the number of threads that wait for the disk at once. Further operations wait for a
    /// thread. Default: 16. The threads are the backend's own: a disk that hangs blocks no thread
    /// of the application. They start when they are needed, and end when they are idle.
    pub fn max_threads(self, max_threads: usize) -> Self {
        FilesOptions {
            max_threads,
            ..self
        }
    }

    /// Sets whether `open_with` creates a missing folder. Without that, the folder must hold a store:
    /// for programs that maintain the store of a service. Default: true.
    ///
    /// ```
    /// use silverback::backend::{Files, FilesOptions};
    ///
    /// let options = FilesOptions::new().create_if_missing(false);
    /// let refused = Files::open_with("/nowhere/sessions", options).unwrap_err();
    /// assert!(refused.is_usage());
    /// ```
    pub fn create_if_missing(self, create_if_missing: bool) -> Self {
        FilesOptions {
            create_if_missing,
            ..self
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        match self.max_threads {
            0 => Err(Error::usage("max_threads is 0: set it to 1 or more")),
            _ => check_timeout(self.timeout),
        }
    }
}
