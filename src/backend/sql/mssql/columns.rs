//! The columns of an existing table, as SQL Server's catalog describes them.

use tiberius::error::Error as ClientError;
use tiberius::{Query, Row};

use super::super::columns::check_type;
use super::super::go_columns::ColumnType;
use super::super::go_table_check::{FoundColumn, FoundColumns};
use super::connections::{Connection, run_query};
use crate::backend::Error;

/// Returns all columns of the table whose name as SQL is `@P1`, or no row if there is no such
/// table. An alias type counts as its base type.
const COLUMNS: &str = "SELECT c.name, t.name, CAST(c.max_length AS BIGINT), \
     CAST(c.scale AS BIGINT), \
     CAST(CASE WHEN c.is_computed = 1 OR c.is_identity = 1 OR c.generated_always_type <> 0 \
     OR t.name = N'timestamp' THEN 1 ELSE 0 END AS BIGINT), \
     CAST(CASE WHEN c.is_nullable = 0 AND c.default_object_id = 0 THEN 1 ELSE 0 END AS BIGINT), \
     CAST(CASE WHEN EXISTS (SELECT 1 FROM sys.indexes AS i \
     JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id \
     WHERE i.object_id = c.object_id AND i.is_unique = 1 AND i.is_disabled = 0 \
     AND i.has_filter = 0 AND k.column_id = c.column_id AND k.key_ordinal = 1 \
     AND NOT EXISTS (SELECT 1 FROM sys.index_columns AS other \
     WHERE other.object_id = i.object_id AND other.index_id = i.index_id \
     AND other.key_ordinal = 2)) THEN 1 ELSE 0 END AS BIGINT), \
     CAST(CASE WHEN r.type = 'U' THEN 1 ELSE 0 END AS BIGINT) \
     FROM sys.objects AS r JOIN sys.columns AS c ON c.object_id = r.object_id \
     JOIN sys.types AS t ON t.user_type_id = c.system_type_id \
     WHERE r.object_id = OBJECT_ID(@P1)";

/// Reads the columns of a table. Returns `None` if there is no such table, and no columns for a
/// view, which cannot be written to.
pub(super) async fn read_columns(
    connection: &mut Connection,
    table: &str,
) -> Result<Option<FoundColumns>, ClientError> {
    let mut query = Query::new(COLUMNS);
    query.bind(table);
    let rows = run_query(connection, query).await?;
    match rows.first().map(|row| is(row, 7)).transpose()? {
        None => Ok(None),
        Some(false) => Ok(Some(FoundColumns::new())),
        Some(true) => rows.iter().map(found).collect::<Result<_, _>>().map(Some),
    }
}

fn unreadable() -> ClientError {
    ClientError::Protocol("the catalog's answer has other columns".into())
}

fn text(row: &Row, index: usize) -> Result<&str, ClientError> {
    row.try_get(index)?.ok_or_else(unreadable)
}

fn number(row: &Row, index: usize) -> Result<i64, ClientError> {
    row.try_get(index)?.ok_or_else(unreadable)
}

fn is(row: &Row, index: usize) -> Result<bool, ClientError> {
    Ok(number(row, index)? == 1)
}

fn found(row: &Row) -> Result<(String, FoundColumn), ClientError> {
    let (name, length, scale) = (text(row, 1)?, number(row, 2)?, number(row, 3)?);
    let found = FoundColumn {
        kind: kind_of(name, length, scale),
        shown: shown(name, length, scale),
        is_generated: is(row, 4)?,
        is_demanded: is(row, 5)?,
        // The statements compare the bytes of a key, whatever its collation.
        is_exact: true,
        is_unique: is(row, 6)?,
    };
    Ok((text(row, 0)?.to_owned(), found))
}

/// Returns the type of a column, for the types that a Go package uses. The length counts bytes, and
/// is -1 for `max`.
fn kind_of(name: &str, length: i64, scale: i64) -> Option<ColumnType> {
    let most = u32::try_from(length).ok();
    match (name, scale) {
        ("varbinary", _) if most.is_none() => Some(ColumnType::Bytes),
        ("varchar", _) => most.map(ColumnType::Varchar),
        ("char", _) => most.map(ColumnType::Char),
        ("datetimeoffset", 7) => Some(ColumnType::TimestampTz),
        ("datetime2", 6) => Some(ColumnType::Datetime(6)),
        _ => None,
    }
}

/// Returns the type as people write it.
fn shown(name: &str, length: i64, scale: i64) -> String {
    match (name, length) {
        ("binary" | "varbinary" | "char" | "varchar" | "nvarchar", -1) => format!("{name}(max)"),
        ("binary" | "varbinary" | "char" | "varchar", length) => format!("{name}({length})"),
        ("nchar" | "nvarchar", length) => format!("{name}({})", length / 2), // of two bytes each
        ("datetime2" | "datetimeoffset" | "time", _) => format!("{name}({scale})"),
        _ => name.to_owned(),
    }
}

/// Checks the columns of one of this crate's tables, if it exists.
///
/// # Errors
/// Returns a usage error, which names the column, for a column of another type.
pub(super) fn check_types(
    found: Option<&FoundColumns>,
    table: &str,
    wanted: &[(&str, &str)],
) -> Result<(), Error> {
    let Some(columns) = found else {
        return Ok(());
    };
    wanted.iter().try_for_each(|(column, wanted)| {
        let found = columns.get(*column).map(|found| &*found.shown);
        check_type(table, column, found, wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::go_table::GoTable;
    use super::super::go_statements::type_name;
    use super::*;

    #[test]
    fn types_are_read_as_the_catalog_describes_them() {
        for (name, length, scale, kind, text) in [
            (
                "varbinary",
                -1,
                0,
                Some(ColumnType::Bytes),
                "varbinary(max)",
            ),
            ("varbinary", 250, 0, None, "varbinary(250)"),
            ("char", 43, 0, Some(ColumnType::Char(43)), "char(43)"),
            (
                "varchar",
                43,
                0,
                Some(ColumnType::Varchar(43)),
                "varchar(43)",
            ),
            ("varchar", -1, 0, None, "varchar(max)"),
            ("nvarchar", 86, 0, None, "nvarchar(43)"),
            ("nvarchar", -1, 0, None, "nvarchar(max)"),
            (
                "datetime2",
                8,
                6,
                Some(ColumnType::Datetime(6)),
                "datetime2(6)",
            ),
            ("datetime2", 8, 7, None, "datetime2(7)"),
            (
                "datetimeoffset",
                10,
                7,
                Some(ColumnType::TimestampTz),
                "datetimeoffset(7)",
            ),
            ("datetime", 8, 3, None, "datetime"),
            ("bigint", 8, 0, None, "bigint"),
        ] {
            assert_eq!(kind_of(name, length, scale), kind, "{text}");
            assert_eq!(shown(name, length, scale), text);
        }
    }

    /// The statements have a key of text.
    #[test]
    fn a_key_that_the_statements_cannot_write_is_refused() {
        let table = GoTable::scs_mssqlstore();
        for (kind, shown, is_refused) in [
            (Some(ColumnType::Char(43)), "char(43)", false),
            (Some(ColumnType::Varchar(50)), "varchar(50)", false),
            (Some(ColumnType::Varchar(32)), "varchar(32)", true),
            (Some(ColumnType::Bytes), "varbinary(max)", true),
            (None, "nvarchar(43)", true),
        ] {
            let column = |kind, shown: &str| FoundColumn {
                kind,
                shown: shown.to_owned(),
                is_generated: false,
                is_demanded: true,
                is_exact: true,
                is_unique: true,
            };
            let columns = FoundColumns::from([
                ("token".to_owned(), column(kind, shown)),
                (
                    "data".to_owned(),
                    column(Some(ColumnType::Bytes), "varbinary(max)"),
                ),
                (
                    "expiry".to_owned(),
                    column(Some(ColumnType::Datetime(6)), "datetime2(6)"),
                ),
            ]);
            let checked = table.with_found_types(&columns, type_name);
            assert_eq!(checked.is_err(), is_refused, "{shown}");
            if let Err(refused) = checked {
                let text = refused.to_string();
                assert!(text.contains("the type varchar(43) or longer"), "{text}");
            }
        }
    }
}
