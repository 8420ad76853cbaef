//! The SQL of each operation on a table of a Go package, generated for the names and types of its
//! columns.
//!
//! Go's rows have no column for a revision: a hash of the expiry and the value is the revision. A
//! write and the query of the new revision are one transaction, which is sent as one text. The
//! query finds no row if the write changed none.
//!
//! Times are written and compared as digits of UTC, as Go does, at the server's clock.

use super::super::go_columns::{Column, ColumnType, Rule};
use super::super::go_table::{Dates, GoTable, IndexName};
use super::super::statements::Bind::{After, Key, Keys, Limit, Seen, To, Until, Value};
use super::super::statements::{RevisionSource, Statement, Statements};

/// The expiry of records that never expire, in a column of DATETIME. A later time could not be
/// computed with.
const NEVER: &str = "TIMESTAMP'9000-01-01 00:00:00'";

/// The last time of a column of TIMESTAMP, in the connection's time zone: 2^31 - 1 seconds after
/// 1970.
const LAST_TIMESTAMP: &str = "FROM_UNIXTIME(2147483647)";

/// Quotes an identifier. Within quotes, only the quote itself is special.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Returns the server's name for a type.
pub(super) fn type_name(kind: ColumnType) -> String {
    match kind {
        ColumnType::Counter => "BIGINT AUTO_INCREMENT".to_owned(),
        ColumnType::Text => "LONGTEXT".to_owned(),
        ColumnType::Varchar(most) => format!("VARCHAR({most})"),
        ColumnType::Char(most) => format!("CHAR({most})"),
        ColumnType::Bytes => "LONGBLOB".to_owned(),
        ColumnType::BytesUpTo(65_535) => "BLOB".to_owned(),
        ColumnType::BytesUpTo(most) => format!("VARBINARY({most})"),
        ColumnType::Timestamp(digits) => format!("TIMESTAMP({digits})"),
        ColumnType::Datetime(digits) => format!("DATETIME({digits})"),
        // A table of another kind of database was refused before.
        _ => "DATETIME".to_owned(),
    }
}

/// Returns the statements for a table with columns of those types.
pub(super) fn statements(table: &GoTable) -> Statements {
    let names = Names::of(table);
    Statements {
        load: Statement::generated(names.load(), &[Key, Key]),
        load_many: Statement::generated(names.load_many(), &[Keys]),
        find: Statement::generated(names.find(), &[Key, Key]),
        create: Statement::generated(names.create(), &[Key, Value, Until, Until, Key, Key])
            .together(),
        create_owned: None,
        remove_dead: Some(Statement::generated(names.remove_dead(), &[Key, Key])),
        swap: Statement::generated(
            names.swap(),
            &[Value, Until, Until, Key, Key, Seen, Key, Key],
        )
        .together(),
        swap_owned: None,
        touch: Statement::generated(names.touch(), &[Until, Until, Key, Key, Seen, Key, Key])
            .together(),
        unowned: None,
        remove: Statement::generated(names.remove(), &[Key, Key, Seen]),
        move_to: Some(
            Statement::generated(
                names.move_to(),
                &[To, Value, Until, Until, Key, Key, Seen, To, To],
            )
            .together(),
        ),
        page: Statement::generated(names.page(), &[After, Limit]),
        purge: Statement::generated(names.purge(), &[Limit]),
        owners: None,
        revisions: RevisionSource::Server,
        longest_value: Some(longest_value(table)),
    }
}

/// Returns the maximum number of bytes of a value. A statement that writes has the value as hex
/// digits, and must be shorter than the server's `max_allowed_packet`.
fn longest_value(table: &GoTable) -> usize {
    const MOST_IN_TEXT: usize = 8 * 1024 * 1024 - 4096;
    let most = table.value.kind.most_bytes();
    most.map_or(MOST_IN_TEXT, |most| most.min(MOST_IN_TEXT))
}

/// Returns the table's name as SQL.
fn table_name(table: &GoTable) -> String {
    table.name_in_sql(quoted)
}

/// The names in the statements, quoted, and the facts that the statements depend on.
struct Names {
    table: String,
    key: String,
    key_type: ColumnType,
    value: String,
    value_type: ColumnType,
    expiry: String,
    expiry_type: ColumnType,
    /// The columns of the times of creation and of the last write.
    dates: Option<[String; 2]>,
}

impl Names {
    fn of(table: &GoTable) -> Self {
        let dates = |Dates { created, modified }: &Dates| {
            [created, modified].map(|column| quoted(&column.name))
        };
        Names {
            table: table_name(table),
            key: quoted(&table.key.name),
            key_type: table.key.kind,
            value: quoted(&table.value.name),
            value_type: table.value.kind,
            expiry: quoted(&table.expiry.name),
            expiry_type: table.expiry.kind,
            dates: table.dates.as_ref().map(dates),
        }
    }

    /// Returns the value of a parameter for a column of that type. Keys and values of text are
    /// ASCII, which every character set of a column contains.
    fn parameter(kind: ColumnType) -> &'static str {
        match kind.characters() {
            Some(_) => "CONVERT(? USING ascii)",
            None => "?",
        }
    }

    /// Returns the condition that the row of `row`, a name of the table, has the key. The first
    /// comparison uses the index and may fold the case; the second one compares bytes.
    fn has_key(&self, row: &str) -> String {
        let (key, parameter) = (&self.key, Names::parameter(self.key_type));
        format!("{row}.{key} = {parameter} AND CAST({row}.{key} AS BINARY) = ?")
    }

    /// Returns the condition that the row is live. A row without an expiry is not live: Go could
    /// not read it either.
    fn is_live(&self, row: &str) -> String {
        format!("{row}.{} > UTC_TIMESTAMP(6)", self.expiry)
    }

    /// Returns the revision of the row.
    fn revision(&self, row: &str) -> String {
        let Names { value, expiry, .. } = self;
        format!(
            "UNHEX(SHA2(CONCAT(CAST({row}.{expiry} AS CHAR), ' ', CAST({row}.{value} AS BINARY)), 256))"
        )
    }

    /// Returns the condition that the row has the key, is live, and has the seen revision.
    fn is_unchanged(&self, row: &str) -> String {
        let (has_key, live) = (self.has_key(row), self.is_live(row));
        format!("{has_key} AND {live} AND {} = ?", self.revision(row))
    }

    /// Returns the expiry after the milliseconds of a parameter, which occurs twice. A time after
    /// the last one becomes the last one, and a time in the past is a day ago.
    ///
    /// In the connection's time zone, a time may be missing when the clocks are put forward: a
    /// TIMESTAMP of it becomes the time at which the clocks are put forward. So a time in the past
    /// must not be in that hour.
    fn until(&self) -> String {
        let after = |most: &str| {
            format!(
                "UTC_TIMESTAMP(6) + INTERVAL IF(? > 0, LEAST(?, {most}), -86400000) * 1000 MICROSECOND"
            )
        };
        match self.expiry_type {
            ColumnType::Timestamp(_) => {
                let after = after("10000000000000");
                format!("FROM_UNIXTIME(UNIX_TIMESTAMP(LEAST({LAST_TIMESTAMP}, {after})))")
            }
            _ => format!("LEAST({NEVER}, {})", after("221000000000000")),
        }
    }

    /// Returns the milliseconds until the expiry of the row `t`.
    fn milliseconds_left(&self) -> String {
        let expiry = &self.expiry;
        let never = match self.expiry_type {
            ColumnType::Timestamp(_) => LAST_TIMESTAMP,
            _ => NEVER,
        };
        format!(
            "IF(t.{expiry} >= {never}, 9223372036854775807, \
             TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), t.{expiry}) DIV 1000)"
        )
    }

    /// Returns the row `t` as one column.
    fn packed(&self) -> String {
        let (value, left, revision) = (&self.value, self.milliseconds_left(), self.revision("t"));
        format!(
            "CONCAT({left}, ' ', OCTET_LENGTH(t.{value}), '!', {revision}, \
             CAST(t.{value} AS BINARY))"
        )
    }

    fn load(&self) -> String {
        let (table, packed) = (&self.table, self.packed());
        let (has_key, live) = (self.has_key("t"), self.is_live("t"));
        format!("SELECT {packed} AS p FROM {table} AS t WHERE {has_key} AND {live}")
    }

    fn load_many(&self) -> String {
        let Names { table, key, .. } = self;
        let (packed, live) = (self.packed(), self.is_live("t"));
        let wanted = Names::parameter(self.key_type).replace('?', "UNHEX(j.k)");
        format!(
            "SELECT {packed} AS p, UNHEX(j.k) AS k FROM JSON_TABLE(CONVERT(? USING utf8mb4), \
             '$[*]' COLUMNS (k VARCHAR(500) PATH '$')) AS j STRAIGHT_JOIN {table} AS t \
             ON t.{key} = {wanted} AND CAST(t.{key} AS BINARY) = UNHEX(j.k) WHERE {live}"
        )
    }

    fn find(&self) -> String {
        let (has_key, live) = (self.has_key("t"), self.is_live("t"));
        format!(
            "SELECT 1 FROM {} AS t WHERE {has_key} AND {live}",
            self.table
        )
    }

    /// Returns the query of the revision that the statement before it has written.
    fn written(&self) -> String {
        let (revision, has_key) = (self.revision("t"), self.has_key("t"));
        format!(
            "SELECT {revision} AS r FROM {} AS t WHERE {has_key} AND ROW_COUNT() > 0",
            self.table
        )
    }

    fn create(&self) -> String {
        let Names {
            table,
            key,
            value,
            expiry,
            ..
        } = self;
        let [key_parameter, value_parameter] =
            [self.key_type, self.value_type].map(Names::parameter);
        let (dates, now) = match &self.dates {
            Some([made, written]) => (
                format!(", {made}, {written}"),
                ", UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)",
            ),
            None => Default::default(),
        };
        let (until, written) = (self.until(), self.written());
        format!(
            "INSERT INTO {table} ({key}, {value}, {expiry}{dates}) \
             VALUES ({key_parameter}, {value_parameter}, {until}{now}); {written}"
        )
    }

    fn remove_dead(&self) -> String {
        let table = &self.table;
        let (has_key, live) = (self.has_key(table), self.is_live(table));
        format!("DELETE FROM {table} WHERE {has_key} AND ({live}) IS NOT TRUE")
    }

    /// Returns the assignments of a swap.
    fn assignments(&self) -> String {
        let Names { value, expiry, .. } = self;
        let (value_parameter, until) = (Names::parameter(self.value_type), self.until());
        let written = match &self.dates {
            Some([_, written]) => format!(", t.{written} = UTC_TIMESTAMP(6)"),
            None => String::new(),
        };
        format!("t.{value} = {value_parameter}, t.{expiry} = {until}{written}")
    }

    fn update(&self, assignments: &str) -> String {
        let (seen, written) = (self.is_unchanged("t"), self.written());
        format!(
            "UPDATE {} AS t SET {assignments} WHERE {seen}; {written}",
            self.table
        )
    }

    fn swap(&self) -> String {
        self.update(&self.assignments())
    }

    fn move_to(&self) -> String {
        let (key, parameter) = (&self.key, Names::parameter(self.key_type));
        self.update(&format!("t.{key} = {parameter}, {}", self.assignments()))
    }

    fn touch(&self) -> String {
        self.update(&format!("t.{} = {}", self.expiry, self.until()))
    }

    fn remove(&self) -> String {
        format!(
            "DELETE FROM {table} WHERE {}",
            self.is_unchanged(&self.table),
            table = self.table
        )
    }

    fn page(&self) -> String {
        let Names {
            table, key, value, ..
        } = self;
        let (left, live) = (self.milliseconds_left(), self.is_live("t"));
        format!(
            "SELECT CAST(t.{key} AS BINARY) AS k, {left} AS e, NULL AS o, CAST(OCTET_LENGTH(t.{value}) AS SIGNED) AS l \
             FROM {table} AS t WHERE CAST(t.{key} AS BINARY) > ? AND {live} \
             ORDER BY CAST(t.{key} AS BINARY) LIMIT ?"
        )
    }

    fn purge(&self) -> String {
        let Names { table, expiry, .. } = self;
        format!("DELETE FROM {table} WHERE {expiry} <= UTC_TIMESTAMP(6) ORDER BY {expiry} LIMIT ?")
    }
}

/// Returns the SQL that creates the table and its indexes as the Go package would.
pub(super) fn create_table(table: &GoTable) -> String {
    let columns = table.columns().map(definition);
    let index = |(index, column): (IndexName, &Column)| {
        format!(
            "KEY {} ({})",
            quoted(&index.of(table)),
            quoted(&column.name)
        )
    };
    let by_expiry = table.expiry_index.map(|index| (index, &table.expiry));
    let by_key = table.key_index.map(|index| (index, &table.key));
    let indexes = by_expiry.into_iter().chain(by_key).map(index);
    let parts: Vec<String> = columns.chain(indexes).collect();
    format!(
        "CREATE TABLE IF NOT EXISTS {} ({})",
        table_name(table),
        parts.join(", ")
    )
}

fn definition(column: &Column) -> String {
    let rule = match column.rule {
        Rule::None => "",
        Rule::NotNull => " NOT NULL",
        Rule::PrimaryKey => " PRIMARY KEY",
        Rule::DefaultsToNow => " DEFAULT CURRENT_TIMESTAMP",
    };
    format!("{} {}{rule}", quoted(&column.name), type_name(column.kind))
}
