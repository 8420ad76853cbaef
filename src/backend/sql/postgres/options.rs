//! [`PostgresOptions`].

use std::time::Duration;

/// How [`Postgres`](super::Postgres) speaks to its server.
///
/// ```
/// use std::time::Duration;
/// use silverback::backend::PostgresOptions;
///
/// let options = PostgresOptions::new().timeout(Duration::from_secs(2)).unprepared();
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PostgresOptions {
    pub(super) timeout: Duration,
    pub(super) prepares: bool,
    pub(super) max_connections: usize,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        PostgresOptions {
            timeout: Duration::from_secs(5),
            prepares: true,
            max_connections: 10,
        }
    }
}

impl PostgresOptions {
    /// Five seconds, ten connections, and prepared statements.
    pub fn new() -> Self {
        PostgresOptions::default()
    }

    /// How long an operation takes at most, with the wait for a connection; then it is
    /// [unavailable](crate::backend::Error::is_unavailable), or its outcome unknown.
    pub fn timeout(self, timeout: Duration) -> Self {
        PostgresOptions { timeout, ..self }
    }

    /// Limits how many connections are open at once. Operations beyond that wait, as long as
    /// their [timeout](PostgresOptions::timeout) lets them. Default: 10. All programs together
    /// must stay below the server's own `max_connections`. A pool of your own has its own limit.
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

    /// Prepares no statements, so that any pooler may stand before the server: the values go
    /// as hex digits in the text of the statement, which is then parsed and planned each time.
    pub fn unprepared(self) -> Self {
        PostgresOptions {
            prepares: false,
            ..self
        }
    }
}
