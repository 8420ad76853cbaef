//! [`MysqlOptions`].

use std::time::Duration;

use crate::backend::Error;
use crate::backend::timeout::check_timeout;

/// The settings of a [`Mysql`](super::Mysql) or [`GoMysql`](super::GoMysql) backend.
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::MysqlOptions;
///
/// let options = MysqlOptions::new().timeout(Duration::from_secs(2)).max_connections(20);
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(default, deny_unknown_fields))]
#[must_use]
pub struct MysqlOptions {
    #[cfg_attr(
        feature = "config",
        serde(deserialize_with = "crate::duration_text::read")
    )]
    pub(super) timeout: Duration,
    pub(super) max_connections: usize,
    pub(super) create_if_missing: bool,
}

impl Default for MysqlOptions {
    fn default() -> Self {
        MysqlOptions {
            timeout: Duration::from_secs(5),
            max_connections: 10,
            create_if_missing: true,
        }
    }
}

impl MysqlOptions {
    /// Returns the defaults: 5 seconds, 10 connections; missing tables are created.
    pub fn new() -> Self {
        MysqlOptions::default()
    }

    /// Limits the time of an operation, the wait for a connection included. After this time, the
    /// operation is [unavailable](crate::backend::Error::is_unavailable), or its outcome is
    /// unknown. Default: 5 seconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        MysqlOptions { timeout, ..self }
    }

    /// Limits the number of open connections. Further operations wait for one within their
    /// [timeout](MysqlOptions::timeout). All programs together must stay below the server's own
    /// `max_connections`. A pool of your own has its own limit. Default: 10.
    #[doc(alias = "pool_size")]
    pub fn max_connections(self, max_connections: usize) -> Self {
        MysqlOptions {
            max_connections,
            ..self
        }
    }

    /// Sets whether `connect_with` creates missing tables. Set it to `false` in programs that
    /// maintain the store of a service: the user then needs no right to create tables. Default:
    /// true.
    pub fn create_if_missing(self, create_if_missing: bool) -> Self {
        MysqlOptions {
            create_if_missing,
            ..self
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        check_timeout(self.timeout)
    }
}
