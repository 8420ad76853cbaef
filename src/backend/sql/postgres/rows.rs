//! The columns of Postgres' rows, and times as milliseconds left.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::super::rows::{Columns, Undecodable};
use crate::backend::Expiry;

impl Columns for PgRow {
    fn integer(&self, index: usize) -> Result<i64, Undecodable> {
        Ok(self.try_get(index)?)
    }

    fn bytes(&self, index: usize) -> Result<Option<Vec<u8>>, Undecodable> {
        Ok(self.try_get(index)?)
    }

    fn expiry(&self, index: usize) -> Result<Expiry, Undecodable> {
        Ok(expiry_of(self.try_get(index)?))
    }
}

/// Returns the milliseconds until an expiry, or the largest number for never.
pub(super) fn milliseconds_left(expiry: Expiry) -> i64 {
    match expiry {
        Expiry::NEVER => i64::MAX,
        expiry => {
            let left = expiry.as_millis().saturating_sub(Expiry::now().as_millis());
            // Bounded, since Postgres computes no date so long ago.
            left.max(-100_000_000_000_000)
        }
    }
}

/// Returns the expiry that is this many milliseconds away.
fn expiry_of(left: i64) -> Expiry {
    match left {
        i64::MAX => Expiry::NEVER,
        left => Expiry::from_millis(Expiry::now().as_millis().saturating_add(left)),
    }
}
