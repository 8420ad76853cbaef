//! The columns of the server's rows, and times as milliseconds left.

use sqlx::Row;
use sqlx::mysql::MySqlRow;

use super::super::rows::{Columns, Undecodable, expiry_of_milliseconds_left};
use crate::backend::Expiry;

impl Columns for MySqlRow {
    fn integer(&self, index: usize) -> Result<i64, Undecodable> {
        Ok(self.try_get(index)?)
    }

    fn bytes(&self, index: usize) -> Result<Option<Vec<u8>>, Undecodable> {
        Ok(self.try_get(index)?)
    }

    fn expiry(&self, index: usize) -> Result<Expiry, Undecodable> {
        Ok(expiry_of_milliseconds_left(self.try_get(index)?))
    }
}
