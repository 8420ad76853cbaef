//! [`PostgresOptions`].

use std::time::Duration;

use crate::backend::Error;
use crate::backend::timeout::check_timeout;

/// The settings of a [`Postgres`](super::Postgres) or [`GoPostgres`](super::GoPostgres) backend.
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::PostgresOptions;
///
/// let options = PostgresOptions::new().timeout(Duration::from_secs(2)).unprepared();
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "config", derive(serde::Deserialize))]
#[cfg_attr(feature = "config", serde(default, deny_unknown_fields))]
#[must_use]
pub struct PostgresOptions {
    #[cfg_attr(
        feature = "config",
        serde(deserialize_with = "crate::duration_text::read")
    )]
    pub(super) timeout: Duration,
    #[cfg_attr(
        feature = "config",
        serde(rename = "unprepared", deserialize_with = "not")
    )]
    pub(super) prepares: bool,
    pub(super) max_connections: usize,
    pub(super) create_if_missing: bool,
    pub(super) notify: bool,
}

/// Reads whether statements are *not* prepared, as the method of that name says.
#[cfg(feature = "config")]
fn not<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(!<bool as serde::Deserialize>::deserialize(deserializer)?)
}

impl Default for PostgresOptions {
    fn default() -> Self {
        PostgresOptions {
            timeout: Duration::from_secs(5),
            prepares: true,
            max_connections: 10,
            create_if_missing: true,
            notify: false,
        }
    }
}

impl PostgresOptions {
    /// Returns the defaults: 5 seconds, 10 connections, prepared statements, no notifications; missing
    /// tables are created.
    pub fn new() -> Self {
        PostgresOptions::default()
    }

    /// Limits the time of an operation, the wait for a connection included. After this time, the
    /// operation is [unavailable](crate::backend::Error::is_unavailable), or its outcome is
    /// unknown. Default: 5 seconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        PostgresOptions { timeout, ..self }
    }

    /// Limits the number of open connections. Further operations wait for one within their
    /// [timeout](PostgresOptions::timeout). All programs together must stay below the server's own
    /// `max_connections`. A pool of your own has its own limit. Default: 10.
    ///
    /// ```
    /// # use silverback::backend::PostgresOptions;
    /// let options = PostgresOptions::new().max_connections(50);
    /// ```
    #[doc(alias = "pool_size")]
    pub fn max_connections(self, max_connections: usize) -> Self {
        PostgresOptions {
            max_connections,
            ..self
        }
    }

    /// Sets whether `connect_with` creates missing tables. Set it to `false` in programs that
    /// maintain the store of a service: the user then needs no right to create tables. Default:
    /// true.
    pub fn create_if_missing(self, create_if_missing: bool) -> Self {
        PostgresOptions {
            create_if_missing,
            ..self
        }
    }

    /// Prepares no statements, so that the backend works behind any pooler. The values are sent as
    /// hex digits in the text of the statement, which the server parses and plans each time.
    ///
    /// Therefore statements must not be logged. Connections that this crate opens log no statement.
    /// In a pool of your own, the log is turned off for connections that it opens later. For
    /// connections that it opened before, [turn the log
    /// off](sqlx::ConnectOptions::disable_statement_logging) yourself. Check the server's own log,
    /// too (`log_statement`, `log_min_duration_statement`).
    pub fn unprepared(self) -> Self {
        PostgresOptions {
            prepares: false,
            ..self
        }
    }

    /// Sets whether the ends of sessions are announced (`NOTIFY`), and listened for (`LISTEN`), so that
    /// the futures of `Session::ended` resolve at once. Otherwise they resolve at the interval at which
    /// the store looks. All programs that share the sessions need this setting, and a connection
    /// without a pooler that changes it between transactions: through such a pooler no notification
    /// arrives. Default: false.
    ///
    /// A program in which such futures wait opens one more connection. Each logout, renewal and
    /// revocation is one more statement. Transactions with a `NOTIFY` commit one after another in all
    /// databases of the server. The notifications are on the channel `silverback`, to which every user
    /// of the database may listen. They contain hashes of keys and of owners' names.
    ///
    /// The table of a Go package is not affected.
    pub fn notify(self, notify: bool) -> Self {
        PostgresOptions { notify, ..self }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        check_timeout(self.timeout)
    }
}
