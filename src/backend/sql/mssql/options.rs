//! [`MssqlOptions`].

use std::time::Duration;

use crate::backend::Error;
use crate::backend::timeout::check_timeout;

/// The settings of a [`Mssql`](super::Mssql) or [`GoMssql`](super::GoMssql) backend.
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::MssqlOptions;
///
/// let options = MssqlOptions::new().timeout(Duration::from_secs(2)).max_connections(50);
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(default, deny_unknown_fields))]
#[must_use]
pub struct MssqlOptions {
    #[cfg_attr(
        feature = "config",
        serde(deserialize_with = "crate::duration_text::read")
    )]
    pub(super) timeout: Duration,
    pub(super) max_connections: usize,
    pub(super) create_if_missing: bool,
}

impl Default for MssqlOptions {
    fn default() -> Self {
        MssqlOptions {
            timeout: Duration::from_secs(5),
            max_connections: 10,
            create_if_missing: true,
        }
    }
}

impl MssqlOptions {
    /// Returns the defaults: 5 seconds, 10 connections; missing tables are created.
    pub fn new() -> Self {
        MssqlOptions::default()
    }

    /// Limits the time of an operation, the wait for a connection included. After this time, the
    /// operation is [unavailable](crate::backend::Error::is_unavailable), or its outcome is
    /// unknown. Default: 5 seconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        MssqlOptions { timeout, ..self }
    }

    /// Limits the number of open connections. Further operations wait for one within their
    /// [timeout](MssqlOptions::timeout). Default: 10.
    #[doc(alias = "pool_size")]
    pub fn max_connections(self, max_connections: usize) -> Self {
        MssqlOptions {
            max_connections,
            ..self
        }
    }

    /// Sets whether `connect_with` creates missing tables. Set it to `false` in programs that
    /// maintain the store of a service: the user then needs no right to create tables. Default:
    /// true.
    pub fn create_if_missing(self, create_if_missing: bool) -> Self {
        MssqlOptions {
            create_if_missing,
            ..self
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        check_timeout(self.timeout)
    }
}
