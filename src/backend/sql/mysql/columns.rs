//! An existing table, as the server's catalog describes it.

use sqlx::mysql::MySqlRow;
use sqlx::{MySqlConnection, Row};

use super::super::go_columns::ColumnType;
use super::super::go_table_check::{FoundColumn, FoundColumns};
use crate::backend::Error;

/// The columns of a table. `?` is the schema, or NULL for the connection's database, and then the
/// table. The catalog compares names as the server does: their case may not matter.
///
/// A column whose collation is not binary may treat different texts as equal. This crate's
/// statements compare bytes, but the table's own primary key does not.
const COLUMNS: &str = "
    SELECT CAST(c.column_name AS BINARY) AS name, CAST(c.data_type AS BINARY) AS type,
        CAST(REPLACE(c.column_type, 'bigint(20)', 'bigint') AS BINARY) AS shown,
        CAST(COALESCE(c.character_maximum_length, c.datetime_precision, 0) AS SIGNED) AS size,
        CAST(c.extra LIKE '%GENERATED%' AND c.extra NOT LIKE '%DEFAULT_GENERATED%' AS SIGNED)
            AS is_generated,
        CAST(c.is_nullable = 'NO' AND c.column_default IS NULL
            AND c.extra NOT LIKE '%auto_increment%' AS SIGNED) AS is_demanded,
        CAST(EXISTS (SELECT 1 FROM information_schema.statistics AS i
            WHERE i.table_schema = c.table_schema AND i.table_name = c.table_name
            AND i.column_name = c.column_name AND i.non_unique = 0 AND i.sub_part IS NULL
            AND NOT EXISTS (SELECT 1 FROM information_schema.statistics AS j
                WHERE j.table_schema = i.table_schema AND j.table_name = i.table_name
                AND j.index_name = i.index_name AND j.seq_in_index > 1)) AS SIGNED) AS is_unique,
        CAST(t.table_type = 'BASE TABLE' AS SIGNED) AS is_table,
        CAST(COALESCE(t.engine, '') AS BINARY) AS engine,
        CAST(COALESCE(e.transactions = 'YES', FALSE) AS SIGNED) AS has_transactions
    FROM information_schema.columns AS c
    JOIN information_schema.tables AS t
        ON t.table_schema = c.table_schema AND t.table_name = c.table_name
    LEFT JOIN information_schema.engines AS e ON e.engine = t.engine
    WHERE c.table_schema = COALESCE(?, DATABASE()) AND c.table_name = ?";

/// A table of the database.
pub(super) struct FoundTable {
    /// No columns for a view, which cannot be written to.
    pub(super) columns: FoundColumns,
    engine: String,
    has_transactions: bool,
}

impl FoundTable {
    /// Refuses an engine without transactions, which several statements need.
    pub(super) fn check_engine(&self, table: &str) -> Result<(), Error> {
        match self.has_transactions || self.columns.is_empty() {
            true => Ok(()),
            false => Err(Error::usage(format!(
                "the table {table:?} has the engine {}, which has no transactions: convert it to InnoDB",
                self.engine
            ))),
        }
    }
}

/// Checks of an existing table beyond the types of its columns.
impl FoundTable {
    /// Refuses a key that two rows can have: two creations would both succeed.
    pub(super) fn check_unique(&self, table: &str, key: &str) -> Result<(), Error> {
        match self.columns.get(key) {
            Some(found) if !found.is_unique => Err(Error::usage(format!(
                "the column {key:?} of the table {table:?} must be the primary key, or have a unique index"
            ))),
            _ => Ok(()), // a missing column is an error of its own
        }
    }

    /// Refuses a column that the server does not compute.
    pub(super) fn check_generated(&self, table: &str, column: &str) -> Result<(), Error> {
        match self.columns.get(column) {
            Some(found) if !found.is_generated => Err(Error::usage(format!(
                "the column {column:?} of the table {table:?} must be generated: see Mysql::SCHEMA"
            ))),
            _ => Ok(()),
        }
    }
}

/// Reads a table. Returns `None` if there is no such table.
pub(super) async fn read_table(
    connection: &mut MySqlConnection,
    schema: Option<&str>,
    table: &str,
) -> Result<Option<FoundTable>, sqlx::Error> {
    let query = sqlx::query(COLUMNS).bind(schema).bind(table);
    let rows = query.persistent(false).fetch_all(connection).await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let columns = match is(first, "is_table")? {
        true => rows.iter().map(found).collect::<Result<_, _>>()?,
        false => FoundColumns::new(),
    };
    Ok(Some(FoundTable {
        columns,
        engine: text(first, "engine")?,
        has_transactions: is(first, "has_transactions")?,
    }))
}

fn is(row: &MySqlRow, name: &str) -> Result<bool, sqlx::Error> {
    row.try_get::<i64, _>(name).map(|is| is == 1)
}

fn text(row: &MySqlRow, name: &str) -> Result<String, sqlx::Error> {
    let bytes: Vec<u8> = row.try_get(name)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn found(row: &MySqlRow) -> Result<(String, FoundColumn), sqlx::Error> {
    let found = FoundColumn {
        kind: kind_of(&text(row, "type")?, row.try_get("size")?),
        shown: text(row, "shown")?,
        is_generated: is(row, "is_generated")?,
        is_demanded: is(row, "is_demanded")?,
        is_exact: true, // the statements compare bytes
        is_unique: is(row, "is_unique")?,
    };
    Ok((text(row, "name")?, found))
}

/// Returns the type of a column. The size is the maximum length, or the digits of a second.
fn kind_of(name: &str, size: i64) -> Option<ColumnType> {
    let most = u32::try_from(size).unwrap_or(u32::MAX);
    match name {
        "tinyblob" | "blob" | "mediumblob" | "varbinary" => Some(ColumnType::BytesUpTo(most)),
        "longblob" => Some(ColumnType::Bytes),
        "longtext" => Some(ColumnType::Text),
        "tinytext" | "text" | "mediumtext" | "varchar" => Some(ColumnType::Varchar(most)),
        "char" => Some(ColumnType::Char(most)),
        "timestamp" => Some(ColumnType::Timestamp(most)),
        "datetime" => Some(ColumnType::Datetime(most)),
        _ => None,
    }
}
