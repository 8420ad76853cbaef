//! The columns of an existing table of a Go package, as SQLite describes them.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::super::columns::wrong_column;
use super::super::go_columns::ColumnType;
use super::super::go_table::GoTable;
use super::super::go_table_check::{FoundColumn, FoundColumns};
use super::errors::reading;
use super::go_statements::schema_name;
use crate::backend::Error;

/// Selects all columns of the table `?1` of the database `?2`. Returns no row if there is no such
/// table. An index on one column that compares bytes makes a key unique.
const COLUMNS: &str = "SELECT c.name, c.type, c.hidden > 1 AS is_generated,
        c.\"notnull\" AND c.dflt_value IS NULL
            AND NOT (c.pk = 1 AND upper(c.type) = 'INTEGER') AS is_demanded,
        EXISTS (SELECT 1 FROM pragma_index_list(?1, ?2) AS i, pragma_index_xinfo(i.name, ?2) AS x
            WHERE i.\"unique\" AND NOT i.partial AND x.key AND x.name = c.name
            AND x.coll = 'BINARY'
            AND (SELECT sum(key) FROM pragma_index_xinfo(i.name, ?2)) = 1) AS is_unique,
        EXISTS (SELECT 1 FROM pragma_table_list AS l WHERE l.type = 'table'
            AND l.schema = ?2 COLLATE NOCASE AND l.name = ?1 COLLATE NOCASE) AS is_table
    FROM pragma_table_xinfo(?1, ?2) AS c";

/// Reads the columns of a table. Returns `None` if there is no such table, and no columns for a view
/// or a virtual table.
///
/// # Errors
/// Returns a usage error for a database in UTF-16, and for a key that is not unique.
pub(super) async fn read_columns(
    connection: &mut SqliteConnection,
    table: &GoTable,
) -> Result<Option<FoundColumns>, Error> {
    check_encoding(connection).await?;
    let query = sqlx::query(COLUMNS)
        .bind(&table.name)
        .bind(schema_name(table));
    let rows = query.fetch_all(connection).await.map_err(reading)?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    if !first.try_get::<bool, _>("is_table").map_err(reading)? {
        return Ok(Some(FoundColumns::new()));
    }
    let columns = rows.iter().map(|row| found(row, table));
    let columns: FoundColumns = columns.collect::<Result<_, _>>().map_err(reading)?;
    check_key(table, &columns)?;
    Ok(Some(columns))
}

/// Refuses a database in UTF-16: there, bytes and texts convert to other bytes.
async fn check_encoding(connection: &mut SqliteConnection) -> Result<(), Error> {
    let encoding = sqlx::query_scalar("PRAGMA encoding").fetch_one(connection);
    let encoding: String = encoding.await.map_err(reading)?;
    match encoding == "UTF-8" {
        true => Ok(()),
        false => Err(Error::usage(format!(
            "the database's encoding is {encoding}; it must be UTF-8"
        ))),
    }
}

/// Reads a column. SQLite ignores the case of names: the name becomes the table's.
fn found(row: &SqliteRow, table: &GoTable) -> Result<(String, FoundColumn), sqlx::Error> {
    let (name, shown): (String, String) = (row.try_get("name")?, row.try_get("type")?);
    let mut ours = table.columns().map(|column| &column.name);
    let name = match ours.find(|ours| ours.eq_ignore_ascii_case(&name)) {
        Some(ours) => ours.clone(),
        None => name,
    };
    let found = FoundColumn {
        kind: kind_of(&shown.to_ascii_uppercase()),
        shown: match shown.is_empty() {
            true => "of no name".to_owned(),
            false => shown,
        },
        is_generated: row.try_get("is_generated")?,
        is_demanded: row.try_get("is_demanded")?,
        is_exact: true, // every statement compares bytes
        is_unique: row.try_get("is_unique")?,
    };
    Ok((name, found))
}

/// Returns the type that values of a column have by its declared type
/// (<https://www.sqlite.org/datatype3.html>, section 3.1). Only of the two types of moments do Go's
/// drivers read a text as a time.
fn kind_of(declared: &str) -> Option<ColumnType> {
    let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
    match declared {
        "DATETIME" | "TIMESTAMP" => Some(ColumnType::TimeText),
        _ if has(&["INT"]) => None,
        _ if has(&["CHAR", "CLOB", "TEXT"]) => Some(ColumnType::Text),
        _ if has(&["BLOB"]) || declared.is_empty() => Some(ColumnType::Bytes),
        _ if has(&["REAL", "FLOA", "DOUB"]) => Some(ColumnType::JulianDay),
        _ => None,
    }
}

/// Refuses a key that two rows may have: SQLite has no statement that creates a row only if there
/// is none, without a unique index.
fn check_key(table: &GoTable, columns: &FoundColumns) -> Result<(), Error> {
    let key = &table.key.name;
    match columns.get(key) {
        Some(found) if found.kind.is_some() && !found.is_generated && !found.is_unique => {
            let shown = format!("{} without a unique index that compares bytes", found.shown);
            let wanted = "text, as the primary key, with the collation BINARY";
            Err(wrong_column(&table.name, key, &shown, wanted))
        }
        _ => Ok(()),
    }
}
