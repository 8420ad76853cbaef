//! The columns of an existing table, as Postgres' catalog describes them.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::super::columns::check_type;
use super::super::go_columns::ColumnType;
use super::super::go_table_check::{FoundColumn, FoundColumns};
use crate::backend::Error;

/// Returns the query for all columns of a table. `table` is its name as SQL. The query returns no
/// row if there is no such table. A domain counts as its base type.
fn column_query(table: &str) -> String {
    let name = table.replace('\\', "\\\\").replace('\'', "''");
    format!(
        "SELECT a.attname::text AS name, t.typname::text AS type,
            format_type(a.atttypid, a.atttypmod) AS shown,
            (CASE d.typtype WHEN 'd' THEN d.typtypmod ELSE a.atttypmod END)::int AS modifier,
            (a.attgenerated <> '' OR a.attidentity = 'a')::int AS is_generated,
            (a.attnotnull AND NOT a.atthasdef AND a.attidentity = '')::int AS is_demanded,
            coalesce(c.collisdeterministic, true)::int AS is_exact,
            (EXISTS (SELECT 1 FROM pg_index AS i WHERE i.indrelid = a.attrelid
                AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
                AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum))::int AS is_unique,
            (r.relkind IN ('r', 'p'))::int AS is_table
        FROM pg_attribute AS a
        JOIN pg_class AS r ON r.oid = a.attrelid
        JOIN pg_type AS d ON d.oid = a.atttypid
        JOIN pg_type AS t ON t.oid = CASE d.typtype WHEN 'd' THEN d.typbasetype ELSE d.oid END
        LEFT JOIN pg_collation AS c ON c.oid = a.attcollation
        WHERE a.attrelid = to_regclass(E'{name}') AND a.attnum > 0 AND NOT a.attisdropped"
    )
}

/// Reads the columns of a table. Returns `None` if there is no such table, and no columns for a
/// view, which cannot be written to. The query is sent as text, without a prepared statement.
pub(super) async fn read_columns(
    connection: &mut PgConnection,
    table: &str,
) -> Result<Option<FoundColumns>, sqlx::Error> {
    let statement = AssertSqlSafe(column_query(table));
    let rows = sqlx::raw_sql(statement).fetch_all(connection).await?;
    let is_table = |row: &PgRow| row.try_get::<i32, _>("is_table").map(|is| is == 1);
    match rows.first().map(is_table).transpose()? {
        None => Ok(None),
        Some(false) => Ok(Some(FoundColumns::new())),
        Some(true) => rows.iter().map(found).collect::<Result<_, _>>().map(Some),
    }
}

fn found(row: &PgRow) -> Result<(String, FoundColumn), sqlx::Error> {
    let is = |name: &str| row.try_get::<i32, _>(name).map(|is| is == 1);
    let found = FoundColumn {
        kind: kind_of(row.try_get("type")?, row.try_get("modifier")?),
        shown: row.try_get("shown")?,
        is_generated: is("is_generated")?,
        is_demanded: is("is_demanded")?,
        is_exact: is("is_exact")?,
        is_unique: is("is_unique")?,
    };
    Ok((row.try_get("name")?, found))
}

/// Returns the type of a column. The modifier is the maximum length of a text plus 4, or -1.
fn kind_of(name: &str, modifier: i32) -> Option<ColumnType> {
    let most = u32::try_from(modifier).map_or(u32::MAX, |modifier| modifier.saturating_sub(4));
    match name {
        "bytea" => Some(ColumnType::Bytes),
        "text" => Some(ColumnType::Text),
        "varchar" => Some(ColumnType::Varchar(most)),
        "bpchar" => Some(ColumnType::Char(most)),
        "timestamptz" => Some(ColumnType::TimestampTz),
        _ => None,
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
