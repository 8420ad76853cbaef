//! What is in a row of SQLite.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::super::Expiry;
use super::super::sql::Columns;

impl Columns for SqliteRow {
    fn integer(&self, index: usize) -> Result<i64, sqlx::Error> {
        self.try_get(index)
    }

    fn bytes(&self, index: usize) -> Result<Option<Vec<u8>>, sqlx::Error> {
        self.try_get(index)
    }

    fn expiry(&self, index: usize) -> Result<Expiry, sqlx::Error> {
        Ok(Expiry::from_millis(self.integer(index)?))
    }
}
