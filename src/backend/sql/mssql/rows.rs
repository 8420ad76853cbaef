//! The columns of SQL Server's rows, and times as milliseconds left.

use std::fmt;

use tiberius::Row;

use super::super::rows::{Columns, Undecodable};
use crate::backend::Expiry;

/// The cause of a column that could not be read. The client's own error quotes the value.
#[derive(Debug)]
struct WrongType(usize);

impl fmt::Display for WrongType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {} has another type, or is NULL", self.0 + 1)
    }
}

impl std::error::Error for WrongType {}

impl Columns for Row {
    fn integer(&self, index: usize) -> Result<i64, Undecodable> {
        let number = self.try_get(index).ok().flatten();
        number.ok_or_else(|| WrongType(index).into())
    }

    fn bytes(&self, index: usize) -> Result<Option<Vec<u8>>, Undecodable> {
        let bytes = self.try_get::<&[u8], _>(index);
        let bytes = bytes.map_err(|_| WrongType(index))?;
        Ok(bytes.map(<[u8]>::to_vec))
    }

    fn expiry(&self, index: usize) -> Result<Expiry, Undecodable> {
        Ok(expiry_of(self.integer(index)?))
    }
}

/// Returns the milliseconds until an expiry, or the largest number for never.
pub(super) fn milliseconds_left(expiry: Expiry) -> i64 {
    match expiry {
        Expiry::NEVER => i64::MAX,
        expiry => {
            let left = expiry.as_millis().saturating_sub(Expiry::now().as_millis());
            // Bounded to 31 years ago, since SQL Server has no date before the year 1.
            left.max(-1_000_000_000_000)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_sent_as_the_milliseconds_left() {
        assert_eq!(milliseconds_left(Expiry::NEVER), i64::MAX);
        assert_eq!(
            milliseconds_left(Expiry::from_millis(0)),
            -1_000_000_000_000
        );
        let left = milliseconds_left(Expiry::from_millis(Expiry::now().as_millis() + 60_000));
        assert!((59_000..=60_000).contains(&left), "{left}");
        assert_eq!(expiry_of(i64::MAX), Expiry::NEVER);
        assert!(expiry_of(60_000) > Expiry::now());
    }
}
