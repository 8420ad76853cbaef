//! Errors for existing tables with columns that cannot be used. Each error names the table, the
//! column, its type, and the type that it must have.

use crate::backend::Error;

/// Returns the error of a column with a type that cannot be used.
pub(super) fn wrong_column(table: &str, column: &str, found: &str, wanted: &str) -> Error {
    Error::usage(format!(
        "the column {column:?} of the table {table:?} has the type {found}; it must have the type {wanted}"
    ))
}

/// Refuses a column that is missing (`None`) or has another type than `wanted`.
pub(super) fn check_type(
    table: &str,
    column: &str,
    found: Option<&str>,
    wanted: &str,
) -> Result<(), Error> {
    match found {
        Some(found) if found == wanted => Ok(()),
        Some(found) => Err(wrong_column(table, column, found, wanted)),
        None => Err(missing_column(table, column, wanted)),
    }
}

/// Returns the error of a table that lacks a column.
pub(super) fn missing_column(table: &str, column: &str, wanted: &str) -> Error {
    Error::usage(format!(
        "the table {table:?} has no column {column:?}: add it with the type {wanted}"
    ))
}
