//! [`SqliteOptions`].

use std::time::Duration;

use crate::backend::Error;
use crate::backend::timeout::check_timeout;

/// The longest wait for a writer of another process. SQLite counts it in milliseconds, as a signed
/// number of 32 bits.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// The settings of a [`Sqlite`](super::Sqlite) or [`GoSqlite`](super::GoSqlite) backend.
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::SqliteOptions;
///
/// let options = SqliteOptions::new().timeout(Duration::from_secs(2)).create_if_missing(false);
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(default, deny_unknown_fields))]
#[must_use]
pub struct SqliteOptions {
    #[cfg_attr(
        feature = "config",
        serde(deserialize_with = "crate::duration_text::read")
    )]
    pub(super) timeout: Duration,
    pub(super) create_if_missing: bool,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        SqliteOptions {
            timeout: Duration::from_secs(5),
            create_if_missing: true,
        }
    }
}

impl SqliteOptions {
    /// Returns the defaults: 5 seconds; a missing file and missing tables are created.
    pub fn new() -> Self {
        SqliteOptions::default()
    }

    /// Limits each wait of an operation: for earlier writes of this process, for a connection, and
    /// for writers of other processes. After this time, the operation is
    /// [unavailable](crate::backend::Error::is_unavailable). Default: 5 seconds. A pool of your own
    /// has its own limits for the last two (`acquire_timeout`, `busy_timeout`).
    #[doc(alias = "busy_timeout")]
    pub fn timeout(self, timeout: Duration) -> Self {
        SqliteOptions {
            timeout: timeout.min(LONGEST),
            ..self
        }
    }

    /// Sets whether `open_with` creates a missing file and missing tables. Set it to `false` in programs that maintain the store of a service. Default:
    /// true.
    pub fn create_if_missing(self, create_if_missing: bool) -> Self {
        SqliteOptions {
            create_if_missing,
            ..self
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        check_timeout(self.timeout)
    }
}
