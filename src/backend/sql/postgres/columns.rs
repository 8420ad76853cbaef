//! [`Columns`]: the columns that a table has in fact. People create tables too, with other types
//! than the Go package would.
//!
//! Statements are made for the types that are found ([`GoColumns`]). A type that cannot work, or
//! would give wrong results without an error, is refused before the table is used.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::super::columns::{check_type, missing_column, wrong_column};
use super::super::go_table::GoTable;
use crate::backend::{Error, Layout};

/// The longest keys of Go programs, in characters: gorilla's IDs and scs's tokens.
const GORILLA_KEY: i32 = 52;
const SCS_KEY: i32 = 43;

/// gorilla's default limit for a value, in characters.
const GORILLA_VALUE: i32 = 4_096;

/// The column types that the statements of a table depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GoColumns {
    pub(super) key: KeyType,
    pub(super) value: ValueType,
    /// The table refuses a second row with the same key.
    pub(super) is_unique: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyType {
    Text,
    /// `char(n)`, which Postgres compares without trailing spaces.
    Padded,
    Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueType {
    Text,
    Bytes,
}

/// The query for all columns of a table, given its name as SQL. It answers no row if there is no
/// such table. A domain counts as its base type.
fn columns_of(table: &str) -> String {
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

/// A column, as the database describes it.
struct Found {
    kind: String,
    /// The type as people write it.
    shown: String,
    /// The bound of a `varchar` and 4; -1 without one.
    modifier: i32,
    is_generated: bool,
    /// An insert that leaves it out fails.
    is_demanded: bool,
    /// No two texts are equal that differ.
    is_exact: bool,
    is_unique: bool,
}

impl Found {
    fn of(row: &PgRow) -> Result<(String, Self), sqlx::Error> {
        let is = |name: &str| row.try_get::<i32, _>(name).map(|is| is == 1);
        let found = Found {
            kind: row.try_get("type")?,
            shown: row.try_get("shown")?,
            modifier: row.try_get("modifier")?,
            is_generated: is("is_generated")?,
            is_demanded: is("is_demanded")?,
            is_exact: is("is_exact")?,
            is_unique: is("is_unique")?,
        };
        Ok((row.try_get("name")?, found))
    }

    /// Returns whether a text of so many characters fits.
    fn holds(&self, characters: i32) -> bool {
        self.modifier < 0 || self.modifier.saturating_sub(4) >= characters
    }
}

/// The columns of a table by their names; `None`, if there is no such table.
pub(super) struct Columns(Option<HashMap<String, Found>>);

impl Columns {
    /// Asked as text, which needs no prepared statement.
    pub(super) async fn read(
        connection: &mut PgConnection,
        table: &str,
    ) -> Result<Self, sqlx::Error> {
        let statement = AssertSqlSafe(columns_of(table));
        let rows = sqlx::raw_sql(statement).fetch_all(connection).await?;
        let is_table = |row: &PgRow| row.try_get::<i32, _>("is_table").map(|is| is == 1);
        match rows.first().map(is_table).transpose()? {
            None => Ok(Columns(None)),
            // A view has no columns that could be written to: all are missed.
            Some(false) => Ok(Columns(Some(HashMap::new()))),
            Some(true) => {
                let found = rows.iter().map(Found::of);
                Ok(Columns(Some(found.collect::<Result<_, _>>()?)))
            }
        }
    }

    pub(super) fn are_there(&self) -> bool {
        self.0.is_some()
    }

    /// Checks the columns of a table of our own, if it exists.
    ///
    /// # Errors
    /// Usage, for a column of another type; the error names the column.
    pub(super) fn check_types(&self, table: &str, wanted: &[(&str, &str)]) -> Result<(), Error> {
        let Some(columns) = &self.0 else {
            return Ok(());
        };
        wanted.iter().try_for_each(|(column, wanted)| {
            let found = columns.get(*column).map(|found| &*found.shown);
            check_type(table, column, found, wanted)
        })
    }

    /// Checks the columns of a Go package's table, and returns what its statements depend on;
    /// `None` if there is no such table.
    ///
    /// # Errors
    /// Usage, for a column that cannot be used.
    pub(super) fn check(&self, table: &GoTable) -> Result<Option<GoColumns>, Error> {
        let Some(columns) = &self.0 else {
            return Ok(None);
        };
        let check = Check { table, columns };
        check.all().map(Some)
    }
}

/// The columns of a table that are looked at.
struct Check<'c> {
    table: &'c GoTable,
    columns: &'c HashMap<String, Found>,
}

impl Check<'_> {
    fn all(&self) -> Result<GoColumns, Error> {
        let GoTable {
            name,
            expiry,
            dates,
            ..
        } = self.table;
        let columns = GoColumns {
            key: self.key()?,
            value: self.value()?,
            is_unique: self.find(&self.table.key, "")?.is_unique,
        };
        for column in dates.iter().flatten().chain([expiry]) {
            const WANTED: &str = "timestamptz";
            let found = self.find(column, WANTED)?;
            if found.kind != "timestamptz" {
                return Err(wrong_column(name, column, &found.shown, WANTED));
            }
        }
        let ours = [&self.table.key, &self.table.value, expiry];
        let ours: Vec<&String> = ours.into_iter().chain(dates.iter().flatten()).collect();
        let mut others = self.columns.iter().filter(|(name, _)| !ours.contains(name));
        match others.find(|(_, found)| found.is_demanded && !found.is_generated) {
            Some((column, _)) => Err(Error::usage(format!(
                "the column {column:?} of the table {name:?} is NOT NULL without a default: \
                 give it one, since sessions do not fill it"
            ))),
            None => Ok(columns),
        }
    }

    fn find(&self, column: &str, wanted: &str) -> Result<&Found, Error> {
        let name = &self.table.name;
        let found = self.columns.get(column);
        let found = found.ok_or_else(|| missing_column(name, column, wanted))?;
        match found.is_generated {
            false => Ok(found),
            true => {
                let shown = format!("{}, generated", found.shown);
                Err(wrong_column(name, column, &shown, wanted))
            }
        }
    }

    fn key(&self) -> Result<KeyType, Error> {
        let GoTable { name, key, .. } = self.table;
        let longest = match self.table.kind.layout() {
            Layout::Scs => SCS_KEY,
            _ => GORILLA_KEY,
        };
        let wanted = format!("bytea, text, or varchar({longest}) or longer");
        let found = self.find(key, &wanted)?;
        match &*found.kind {
            "bytea" => Ok(KeyType::Bytes),
            "text" | "varchar" if found.is_exact && found.holds(longest) => Ok(KeyType::Text),
            "bpchar" if found.is_exact && found.holds(longest) => Ok(KeyType::Padded),
            _ => {
                let folds = if found.is_exact {
                    ""
                } else {
                    ", with a collation that treats different texts as equal"
                };
                let shown = format!("{}{folds}", found.shown);
                Err(wrong_column(name, key, &shown, &wanted))
            }
        }
    }

    fn value(&self) -> Result<ValueType, Error> {
        let GoTable {
            name, value, kind, ..
        } = self.table;
        // gob is not text.
        let may_be_text = kind.layout() != Layout::Scs;
        let wanted = match may_be_text {
            true => format!("bytea, text, or varchar({GORILLA_VALUE}) or longer"),
            false => "bytea".to_owned(),
        };
        let found = self.find(value, &wanted)?;
        match &*found.kind {
            "bytea" => Ok(ValueType::Bytes),
            "text" | "varchar" if may_be_text && found.holds(GORILLA_VALUE) => Ok(ValueType::Text),
            _ => Err(wrong_column(name, value, &found.shown, &wanted)),
        }
    }
}
