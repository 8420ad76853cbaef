//! The SQL of each operation on a table of a Go package, generated for the names and types of its
//! columns. `?1` is always the time, as in `statements.rs`.
//!
//! Go's rows have no column for a revision, and SQLite has no mark of a row version. The content of
//! the row is the revision: the expiry in milliseconds, and the value.
//!
//! SQLite has a storage class for each value, whatever the type of the column. A value of another
//! class than the Go package writes is no expiry, and no key.

use super::super::go_columns::{Column, ColumnType, Rule};
use super::super::go_table::GoTable;
use super::super::statements::Bind::{After, Key, Keys, Limit, Now, Seen, To, Until, Value};
use super::super::statements::{RevisionSource, Statement, Statements};

/// The expiry of records that never expire, 9999-12-31T00:00:00Z: Go can read no later year.
const NEVER: i64 = 253_402_214_400_000;

/// The Julian day of 1970-01-01T00:00:00Z, in milliseconds.
const JULIAN_1970: i64 = 210_866_760_000_000;

/// The milliseconds of a day.
const DAY: &str = "86400000.0";

/// The difference of the farthest zone to UTC (+14:00), and a second.
const ZONES: i64 = 50_401_000;

/// Quotes an identifier. SQLite reads a name in double quotes as a text if there is no such column,
/// but never a name in backticks.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Returns SQLite's name for a type, as the Go packages write it.
pub(super) fn type_name(kind: ColumnType) -> String {
    match kind {
        ColumnType::Varchar(most) => format!("varchar({most})"),
        ColumnType::Bytes => "blob".to_owned(),
        ColumnType::JulianDay => "real".to_owned(),
        ColumnType::TimeText => "datetime".to_owned(),
        // A table of another kind of database was refused before.
        _ => "text".to_owned(),
    }
}

/// Returns the statements for a table with columns of those types.
pub(super) fn statements(table: &GoTable) -> Statements {
    let names = Names::of(table);
    Statements {
        load: Statement::generated(names.load(), &[Now, Key]),
        load_many: Statement::generated(names.load_many(), &[Now, Keys]),
        find: Statement::generated(names.find(), &[Now, Key]),
        create: Statement::generated(names.create(), &[Now, Key, Value, Until]),
        create_owned: None,
        remove_dead: None,
        swap: Statement::generated(names.swap(""), &[Now, Key, Value, Until, Seen]),
        swap_owned: None,
        touch: Statement::generated(names.touch(), &[Now, Key, Until, Seen]),
        unowned: None,
        remove: Statement::generated(names.remove(), &[Now, Key, Seen]),
        move_to: Some(Statement::generated(
            names.move_to(),
            &[Now, Key, Value, Until, Seen, To],
        )),
        page: Statement::generated(names.page(), &[Now, After, Limit]),
        purge: Statement::generated(names.purge(), &[Now, Limit]),
        owners: None,
        revisions: RevisionSource::Server,
        longest_value: None,
    }
}

/// Returns the name of the database that has the table.
pub(super) fn schema_name(table: &GoTable) -> &str {
    table.schema.as_deref().unwrap_or("main")
}

/// The names in the statements, quoted, and the facts that the statements depend on.
struct Names {
    table: String,
    key: String,
    value: String,
    value_is_text: bool,
    expiry: String,
    expiry_type: ColumnType,
    /// The columns of the times of creation and of the last write.
    dates: Option<[String; 2]>,
}

/// Returns the parameter of a key. It is compared byte by byte, whatever the column's collation.
fn key_parameter(number: usize) -> String {
    format!("CAST(?{number} AS TEXT) COLLATE BINARY")
}

/// Returns the text of a moment in UTC, as Go formats it: without zeros at the end of the fraction.
/// `millis` is SQL for the milliseconds since 1970, not negative.
fn time_text(millis: &str) -> String {
    format!(
        "strftime('%Y-%m-%d %H:%M:%S', {millis} / 1000, 'unixepoch') \
         || rtrim(rtrim(printf('.%03d', {millis} % 1000), '0'), '.') || '+00:00'"
    )
}

impl Names {
    fn of(table: &GoTable) -> Self {
        let dates = table.dates.as_ref();
        Names {
            table: format!("{}.{}", quoted(schema_name(table)), quoted(&table.name)),
            key: quoted(&table.key.name),
            value: quoted(&table.value.name),
            value_is_text: table.longest_text().is_some(),
            expiry: quoted(&table.expiry.name),
            expiry_type: table.expiry.kind,
            dates: dates.map(|dates| [&dates.created, &dates.modified].map(|of| quoted(&of.name))),
        }
    }

    /// Returns the value's parameter, in the storage class that the Go package writes.
    fn value_parameter(&self) -> &'static str {
        match self.value_is_text {
            true => "CAST(?3 AS TEXT)",
            false => "?3",
        }
    }

    /// Returns the expiry of the row in milliseconds since 1970, or NULL if it is no moment.
    ///
    /// A text must begin with a date: `julianday` also reads numbers, and `now`.
    fn moment(&self) -> String {
        let expiry = &self.expiry;
        let (is_moment, days) = match self.expiry_type {
            ColumnType::JulianDay => (format!("typeof({expiry}) = 'real'"), expiry.clone()),
            _ => (
                format!("date(substr({expiry}, 1, 10), '+0 days') = substr({expiry}, 1, 10)"),
                format!("julianday({expiry})"),
            ),
        };
        format!(
            "(CASE WHEN {is_moment} THEN CAST(round({days} * {DAY}) AS INTEGER) - {JULIAN_1970} END)"
        )
    }

    /// Returns the expiry of the row in milliseconds since 1970, or the largest number for never.
    fn milliseconds(&self) -> String {
        let moment = self.moment();
        format!("CASE WHEN {moment} >= {NEVER} THEN 9223372036854775807 ELSE {moment} END")
    }

    /// Returns the expiry in the form of the Go package. `millis` is SQL.
    fn expiry_of(&self, millis: &str) -> String {
        match self.expiry_type {
            ColumnType::JulianDay => format!("(min({millis}, {NEVER}) + {JULIAN_1970}) / {DAY}"),
            _ => time_text(&format!("max(min({millis}, {NEVER}), 0)")),
        }
    }

    /// Returns the revision of the row. The number ends at the space.
    fn revision(&self) -> String {
        format!("CAST({} || ' ' || {} AS BLOB)", self.moment(), self.value)
    }

    /// Returns the condition that the row has the key and is live. A row whose expiry is no moment
    /// is not live: Go could not read it either.
    fn is_live(&self) -> String {
        let (key, moment) = (&self.key, self.moment());
        format!("{key} = {} AND {moment} > ?1", key_parameter(2))
    }

    /// Returns the condition that the row has the key, is live, and has the seen revision.
    fn is_unchanged(&self, number: usize) -> String {
        format!("{} AND {} = ?{number}", self.is_live(), self.revision())
    }

    fn load(&self) -> String {
        let Names { table, value, .. } = self;
        let (expiry, revision, live) = (self.milliseconds(), self.revision(), self.is_live());
        format!(
            "SELECT CAST({value} AS BLOB), {expiry}, {revision}, NULL, NULL \
             FROM {table} WHERE {live}"
        )
    }

    /// The name of the joined column must not be one of the table's.
    fn load_many(&self) -> String {
        let Names {
            table, key, value, ..
        } = self;
        let (expiry, revision, moment) = (self.milliseconds(), self.revision(), self.moment());
        format!(
            "SELECT CAST({value} AS BLOB), {expiry}, {revision}, NULL, NULL, NULL, silverback_key \
             FROM (SELECT unhex(value) AS silverback_key FROM json_each(CAST(?2 AS TEXT))) \
             CROSS JOIN {table} \
             WHERE {key} = CAST(silverback_key AS TEXT) COLLATE BINARY AND {moment} > ?1"
        )
    }

    fn find(&self) -> String {
        format!("SELECT 1 FROM {} WHERE {}", self.table, self.is_live())
    }

    fn create(&self) -> String {
        let Names {
            table,
            key,
            value,
            expiry,
            ..
        } = self;
        let columns: Vec<&String> = [value, expiry]
            .into_iter()
            .chain(self.dates.iter().flatten())
            .collect();
        let names: String = columns.iter().map(|column| format!(", {column}")).collect();
        let now = match self.dates {
            Some(_) => format!(", {0}, {0}", time_text("?1")),
            None => String::new(),
        };
        let replaced = columns.iter().map(|it| format!("{it} = excluded.{it}"));
        format!(
            "INSERT INTO {table} ({key}{names}) \
             VALUES (CAST(?2 AS TEXT), {}, {}{now}) \
             ON CONFLICT ({key} COLLATE BINARY) DO UPDATE SET {} \
             WHERE ({} > ?1) IS NOT TRUE RETURNING {}",
            self.value_parameter(),
            self.expiry_of("?4"),
            replaced.collect::<Vec<_>>().join(", "),
            self.moment(),
            self.revision(),
        )
    }

    /// Returns the statement of a swap. `and` is another assignment, or empty. `OR ABORT` is for a
    /// move: by default, a table with `ON CONFLICT REPLACE` deletes the row that has the new key.
    fn swap(&self, and: &str) -> String {
        let Names {
            table,
            value,
            expiry,
            ..
        } = self;
        let written = match &self.dates {
            Some([_, written]) => format!(", {written} = {}", time_text("?1")),
            None => String::new(),
        };
        format!(
            "UPDATE OR ABORT {table} SET {value} = {}, {expiry} = {}{written}{and} \
             WHERE {} RETURNING {}",
            self.value_parameter(),
            self.expiry_of("?4"),
            self.is_unchanged(5),
            self.revision(),
        )
    }

    fn move_to(&self) -> String {
        self.swap(&format!(", {} = CAST(?6 AS TEXT)", self.key))
    }

    fn touch(&self) -> String {
        format!(
            "UPDATE {} SET {} = {} WHERE {} RETURNING {}",
            self.table,
            self.expiry,
            self.expiry_of("?3"),
            self.is_unchanged(4),
            self.revision(),
        )
    }

    fn remove(&self) -> String {
        format!("DELETE FROM {} WHERE {}", self.table, self.is_unchanged(3))
    }

    fn page(&self) -> String {
        let Names {
            table, key, value, ..
        } = self;
        let (expiry, moment, after) = (self.milliseconds(), self.moment(), key_parameter(2));
        format!(
            "SELECT CAST({key} AS BLOB), {expiry}, NULL, length(CAST({value} AS BLOB)) \
             FROM {table} WHERE {key} > {after} AND typeof({key}) = 'text' AND {moment} > ?1 \
             ORDER BY {key} COLLATE BINARY LIMIT ?3"
        )
    }

    /// Returns the statement of a purge. The index on the expiry finds all rows that may have
    /// expired, and the moment says which of them have.
    fn purge(&self) -> String {
        let Names {
            table, key, expiry, ..
        } = self;
        let until = match self.expiry_type {
            ColumnType::JulianDay => format!("(?1 + 1 + {JULIAN_1970}) / {DAY}"),
            _ => format!("strftime('%Y-%m-%d %H:%M:%S', (?1 + {ZONES}) / 1000, 'unixepoch')"),
        };
        format!(
            "DELETE FROM {table} WHERE {key} COLLATE BINARY IN (SELECT {key} FROM {table} \
             WHERE {expiry} < {until} AND {} <= ?1 AND {key} IS NOT NULL LIMIT ?2)",
            self.moment()
        )
    }
}

/// Returns the SQL that creates the table and its index as the Go package would.
pub(super) fn create_table(table: &GoTable) -> String {
    let schema = quoted(schema_name(table));
    let columns: Vec<String> = table.columns().map(definition).collect();
    let name = quoted(&table.name);
    let mut sql = format!(
        "CREATE TABLE IF NOT EXISTS {schema}.{name} ({})",
        columns.join(", ")
    );
    if let Some(index) = table.expiry_index {
        let (index, column) = (quoted(&index.of(table)), quoted(&table.expiry.name));
        sql += &format!("; CREATE INDEX IF NOT EXISTS {schema}.{index} ON {name} ({column})");
    }
    sql
}

fn definition(column: &Column) -> String {
    let rule = match column.rule {
        Rule::NotNull => " NOT NULL",
        Rule::PrimaryKey => " PRIMARY KEY",
        // SQLite's tables have no other rule.
        Rule::None | Rule::DefaultsToNow => "",
    };
    format!("{} {}{rule}", quoted(&column.name), type_name(column.kind))
}

#[cfg(test)]
mod tests {
    use super::super::super::go_table::Database;
    use super::*;

    #[test]
    fn new_tables_equal_those_of_the_go_packages() {
        let sqlite3store = concat!(
            "CREATE TABLE IF NOT EXISTS `main`.`sessions` (`token` text PRIMARY KEY, ",
            "`data` blob NOT NULL, `expiry` real NOT NULL); ",
            "CREATE INDEX IF NOT EXISTS `main`.`sessions_expiry_idx` ON `sessions` (`expiry`)",
        );
        let gormstore = concat!(
            "CREATE TABLE IF NOT EXISTS `web`.`sessions` (`token` varchar(43) PRIMARY KEY, ",
            "`data` blob, `expiry` datetime); ",
            "CREATE INDEX IF NOT EXISTS `web`.`idx_sessions_expiry` ON `sessions` (`expiry`)",
        );
        let wader = concat!(
            "CREATE TABLE IF NOT EXISTS `main`.`sessions` (`id` text PRIMARY KEY, `data` text, ",
            "`created_at` datetime, `updated_at` datetime, `expires_at` datetime)",
        );
        for (table, sql) in [
            (GoTable::scs_sqlite3store(), sqlite3store),
            (GoTable::scs_gormstore().in_schema("web"), gormstore),
            (GoTable::wader_gormstore(), wader),
        ] {
            let table = table.in_database(Database::Sqlite).unwrap();
            assert_eq!(create_table(&table), sql);
        }
    }
}
