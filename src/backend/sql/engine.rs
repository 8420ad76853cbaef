//! [`Engine`]: runs statements on one SQL server. It does not know the meaning of the statements
//! and of their rows.

use crate::backend::effect::Effect;
use crate::backend::{Error, Layout};

use super::rows::Columns;
use super::statements::{Parameters, Statement, Statements};

/// A server, or a database in this process, that runs statements.
///
/// Every operation has a time limit, which the wait for a connection counts against. A statement is
/// repeated only if the server has said that it rolled it back: otherwise only the caller of a
/// backend knows whether that is safe.
pub(super) trait Engine: Send + Sync + 'static {
    type Row: Columns + Send + Sync;

    /// The maximum number of bytes of a row, whatever the server's settings are.
    const LARGEST: usize;

    /// Returns the maximum number of bytes of a row by the server's settings, if they were read
    /// with the [statements](Engine::statements).
    fn largest(&self) -> usize {
        Self::LARGEST
    }

    /// Returns the layout of the table's rows.
    fn layout(&self) -> Layout {
        Layout::Native
    }

    /// Returns the statements of the table. The first call may read the table's columns.
    ///
    /// # Errors
    /// Returns an unavailable error, or a usage error for a table that cannot work.
    fn statements(&self) -> impl Future<Output = Result<&Statements, Error>> + Send;

    /// Runs a statement that returns rows, and returns all of them.
    ///
    /// # Errors
    /// Returns an unavailable error, or for a write an [outcome
    /// unknown](Error::is_outcome_unknown) error.
    fn rows(
        &self,
        effect: Effect,
        statement: &Statement,
        parameters: &Parameters<'_>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, Error>> + Send;

    /// Runs a statement that writes and returns no rows. Returns the number of rows it wrote.
    ///
    /// # Errors
    /// Returns the errors of [`rows`](Engine::rows).
    fn written(
        &self,
        statement: &Statement,
        parameters: &Parameters<'_>,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// Returns whether a write was refused because another row has its key.
    fn is_taken(error: &Error) -> bool {
        let _ = error;
        false
    }
}
