//! [`GoEngine`]: the engine for a table of a Go package, over any server that has such tables.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::engine::Engine;
use super::faults::KeyTaken;
use super::go_columns::ColumnType;
use super::go_table::{Database, GoTable};
use super::go_table_check::FoundColumns;
use super::statements::{Parameters, Statement, Statements};
use crate::backend::effect::Effect;
use crate::backend::{Error, Layout};

/// A server that has tables of Go packages.
pub(super) trait GoServer: Engine {
    /// The kind of database that the server has.
    const DATABASE: Database;

    /// Returns the columns that the table has, or `None` if there is no such table. A view has no
    /// columns: it cannot be written to.
    ///
    /// # Errors
    /// Returns an unavailable error if the database does not answer.
    fn columns(
        &self,
        table: &GoTable,
    ) -> impl Future<Output = Result<Option<FoundColumns>, Error>> + Send;

    /// Creates the table as the Go package would if it is missing, and returns its columns.
    ///
    /// # Errors
    /// Returns an unavailable error if the database does not answer.
    fn create_table(
        &self,
        table: &GoTable,
    ) -> impl Future<Output = Result<Option<FoundColumns>, Error>> + Send;

    /// Returns the maximum number of bytes of a row in the table of a Go package.
    fn largest_in_go(&self) -> usize {
        self.largest()
    }

    /// Returns the server's name for a type.
    fn type_name(kind: ColumnType) -> String;

    /// Returns the statements for a table with columns of those types.
    fn statements_for(table: &GoTable) -> Statements;
}

/// Connections, and the statements for one table of a Go package.
pub(super) struct GoEngine<S> {
    pub(super) server: Arc<S>,
    pub(super) table: GoTable,
    /// Generated for the columns of the table, after they were read.
    statements: OnceCell<Statements>,
}

impl<S: GoServer> GoEngine<S> {
    /// Returns an engine for that table. Sends nothing.
    ///
    /// # Errors
    /// Returns a usage error for a table of another kind of database, or invalid names.
    pub(super) fn new(server: Arc<S>, table: GoTable) -> Result<Self, Error> {
        Ok(GoEngine {
            server,
            table: table.in_database(S::DATABASE)?,
            statements: OnceCell::new(),
        })
    }

    /// Creates the table if it is missing, and checks its columns.
    ///
    /// # Errors
    /// Returns an unavailable error, or a usage error for columns that cannot be used.
    pub(super) async fn migrate(&self) -> Result<(), Error> {
        let found = self.server.create_table(&self.table).await?;
        self.check(found).await
    }

    /// Checks the columns of the table, which must exist. Creates nothing.
    ///
    /// # Errors
    /// Returns an unavailable error, or a usage error if there is no such table or its columns
    /// cannot be used.
    pub(super) async fn find(&self) -> Result<(), Error> {
        let found = self.server.columns(&self.table).await?;
        if found.is_none() {
            return Err(Error::usage(format!(
                "the database has no table {:?} (nothing was created)",
                self.table.name
            )));
        }
        self.check(found).await
    }

    /// Creates the table if it is missing and may be created, and checks its columns.
    ///
    /// # Errors
    /// Returns the errors of [`migrate`](GoEngine::migrate) or of [`find`](GoEngine::find).
    #[cfg(any(feature = "postgres", feature = "mysql", feature = "mssql"))]
    pub(super) async fn migrate_or_find(&self, create_if_missing: bool) -> Result<(), Error> {
        match create_if_missing {
            true => self.migrate().await,
            false => self.find().await,
        }
    }

    async fn check(&self, columns: Option<FoundColumns>) -> Result<(), Error> {
        let checked = self.checked_statements(columns)?;
        self.statements.get_or_init(async || checked).await;
        Ok(())
    }

    fn checked_statements(&self, columns: Option<FoundColumns>) -> Result<Statements, Error> {
        let missing = || Error::unavailable("the database does not have the table of the sessions");
        let columns = columns.ok_or_else(missing)?;
        let found = self.table.with_found_types(&columns, S::type_name)?;
        Ok(S::statements_for(&found))
    }
}

impl<S: GoServer> Engine for GoEngine<S> {
    type Row = S::Row;

    const LARGEST: usize = S::LARGEST;

    fn largest(&self) -> usize {
        self.server.largest_in_go()
    }

    fn layout(&self) -> Layout {
        self.table.layout()
    }

    /// Reads the columns in the first call.
    async fn statements(&self) -> Result<&Statements, Error> {
        let check = async || self.checked_statements(self.server.columns(&self.table).await?);
        self.statements.get_or_try_init(check).await
    }

    async fn rows(
        &self,
        effect: Effect,
        statement: &Statement,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<S::Row>, Error> {
        self.server.rows(effect, statement, parameters).await
    }

    async fn written(
        &self,
        statement: &Statement,
        parameters: &Parameters<'_>,
    ) -> Result<u64, Error> {
        self.server.written(statement, parameters).await
    }

    fn is_taken(error: &Error) -> bool {
        KeyTaken::is_cause_of(error)
    }
}
