//! The SQL of each operation on a table of a Go package, generated for the names and types of its
//! columns. The notes on locks and comparisons in `statements.rs` also apply here.
//!
//! Go's rows have no column for a revision. The revision is a hash of the row's expiry and value,
//! which the server computes. The expiry is exact to a microsecond or better, and records expire by
//! milliseconds: a write whose expiry would equal the row's gets a microsecond more. So each write
//! changes the revision, also one that changes nothing else.

use super::super::go_columns::{Column, ColumnType, Rule};
use super::super::go_table::GoTable;
use super::super::statements::Bind::{After, Key, Keys, Limit, Seen, To, Until, Value};
use super::super::statements::{RevisionSource, Statement, Statements};

/// Quotes an identifier. Within brackets, only the closing bracket is special.
fn quoted(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// Returns SQL Server's name for a type.
pub(super) fn type_name(kind: ColumnType) -> String {
    match kind {
        ColumnType::Counter => "BIGINT IDENTITY".to_owned(),
        ColumnType::Text => "VARCHAR(MAX)".to_owned(),
        ColumnType::Varchar(most) => format!("VARCHAR({most})"),
        ColumnType::Char(most) => format!("CHAR({most})"),
        ColumnType::Bytes => "VARBINARY(MAX)".to_owned(),
        ColumnType::Datetime(digits) => format!("DATETIME2({digits})"),
        // A table of another kind of database was refused before.
        _ => "DATETIMEOFFSET(7)".to_owned(),
    }
}

/// Returns the statements for a table with columns of those types. `@P1` is the key, unless the
/// list of binds begins with another value.
pub(super) fn statements(table: &GoTable) -> Statements {
    let names = Names::of(table);
    Statements {
        load: Statement::generated(names.load(), &[Key]),
        load_many: Statement::generated(names.load_many(), &[Keys]),
        find: Statement::generated(names.find(), &[Key]),
        create: Statement::generated(names.create(), &[Key, Value, Until]),
        create_owned: None,
        remove_dead: None,
        swap: Statement::generated(names.swap(""), &[Key, Value, Until, Seen]),
        swap_owned: None,
        touch: Statement::generated(names.touch(), &[Key, Seen, Until]),
        unowned: None,
        remove: Statement::generated(names.remove(), &[Key, Seen]),
        move_to: Some(Statement::generated(
            names.move_to(),
            &[Key, Value, Until, Seen, To],
        )),
        page: Statement::generated(names.page(), &[After, Limit]),
        purge: Statement::generated(names.purge(), &[Limit]),
        owners: None,
        revisions: RevisionSource::Server,
        longest_value: None,
    }
}

/// Returns the table's name as SQL.
pub(super) fn table_name(table: &GoTable) -> String {
    table.name_in_sql(quoted)
}

/// The names in the statements, quoted, and the facts that the statements depend on.
struct Names {
    table: String,
    key: String,
    key_type: ColumnType,
    key_is_unique: bool,
    value: String,
    expiry: String,
    /// The type of the expiry. Without an offset it is UTC.
    time: String,
}

impl Names {
    fn of(table: &GoTable) -> Self {
        Names {
            table: table_name(table),
            key: quoted(&table.key.name),
            key_type: table.key.kind,
            key_is_unique: table.key_is_unique,
            value: quoted(&table.value.name),
            expiry: quoted(&table.expiry.name),
            time: type_name(table.expiry.kind),
        }
    }

    /// Returns the beginning of each batch: the time, and the first expiry that means never.
    fn batch(&self) -> String {
        let time = &self.time;
        format!(
            "SET NOCOUNT ON; DECLARE @now {time} = SYSUTCDATETIME(), @last {time} = '99991231'; "
        )
    }

    /// Returns the beginning of a batch that writes the expiry that is `@P3` milliseconds away.
    /// (`DATEADD` takes no more than 24 days of milliseconds.)
    fn batch_with_expiry(&self) -> String {
        let (batch, time) = (self.batch(), &self.time);
        format!(
            "{batch}DECLARE @expiry {time} = DATEADD(MICROSECOND, DATEPART(MICROSECOND, @now), @last); \
             IF @P3 < DATEDIFF_BIG(MILLISECOND, @now, @last) SET @expiry = \
             DATEADD(MILLISECOND, CAST(@P3 % 86400000 AS INT), \
             DATEADD(DAY, CAST(@P3 / 86400000 AS INT), @now)); "
        )
    }

    /// Returns the new expiry of the row `t`, which differs from its expiry.
    fn another_expiry(&self) -> String {
        format!(
            "CASE WHEN t.{} = @expiry THEN DATEADD(MICROSECOND, 1, @expiry) ELSE @expiry END",
            self.expiry
        )
    }

    /// Returns the revision of that row.
    fn revision(&self, row: &str) -> String {
        let Names { value, expiry, .. } = self;
        format!("HASHBYTES('SHA2_256', CAST({row}.{expiry} AS VARBINARY(16)) + {row}.{value})")
    }

    /// Returns the key of the row `t` as text. `CHAR` adds spaces, which no key has.
    fn key_text(&self) -> String {
        match self.key_type {
            ColumnType::Char(_) => format!("RTRIM(t.{})", self.key),
            _ => format!("t.{}", self.key),
        }
    }

    /// Returns the key of the row `t` as bytes.
    fn key_bytes(&self) -> String {
        format!("CAST({} AS VARBINARY(8000))", self.key_text())
    }

    /// Returns the condition that the row `t` has the key `@P1`. The first comparison is by the
    /// column's collation, which ignores case and trailing spaces, and finds the row by the index.
    /// The others are exact.
    fn has_key(&self) -> String {
        self.has_the_key("@P1")
    }

    /// Returns the same condition for another key, which is SQL for bytes.
    fn has_the_key(&self, wanted: &str) -> String {
        let (key, text, bytes) = (&self.key, self.key_text(), self.key_bytes());
        let key_type = type_name(self.key_type);
        format!(
            "t.{key} = CAST({wanted} AS {key_type}) AND {bytes} = {wanted} \
             AND DATALENGTH({text}) = DATALENGTH({wanted})"
        )
    }

    /// Returns the condition that the row `t` has the key and is live. A row without an expiry is
    /// not live: Go could not read it either.
    fn is_live(&self) -> String {
        format!("{} AND t.{} > @now", self.has_key(), self.expiry)
    }

    /// Returns the condition that the row `t` has the key, is live, and has the seen revision.
    fn is_unchanged(&self, number: usize) -> String {
        format!("{} AND {} = @P{number}", self.is_live(), self.revision("t"))
    }

    /// Returns the milliseconds until the expiry of the row `t`.
    fn milliseconds_left(&self) -> String {
        let expiry = &self.expiry;
        format!(
            "CAST(CASE WHEN t.{expiry} >= @last THEN 9223372036854775807 \
             ELSE DATEDIFF_BIG(MILLISECOND, @now, t.{expiry}) END AS BIGINT)"
        )
    }

    fn load(&self) -> String {
        let Names { table, value, .. } = self;
        let (batch, left, revision) = (self.batch(), self.milliseconds_left(), self.revision("t"));
        format!(
            "{batch}SELECT TOP (1) t.{value}, {left}, {revision}, CAST(NULL AS VARBINARY(1)), \
             CAST(NULL AS VARBINARY(1)) FROM {table} AS t WHERE {}",
            self.is_live()
        )
    }

    fn load_many(&self) -> String {
        let Names {
            table,
            value,
            expiry,
            ..
        } = self;
        let (batch, left, revision) = (self.batch(), self.milliseconds_left(), self.revision("t"));
        let has_key = self.has_the_key("k.[key]");
        format!(
            "{batch}DECLARE @keys TABLE ([key] VARBINARY(250) NOT NULL); INSERT INTO @keys ([key]) \
             SELECT CONVERT(VARBINARY(250), j.value, 2) FROM OPENJSON(CAST(@P1 AS VARCHAR(MAX))) AS j; \
             SELECT t.{value}, {left}, {revision}, CAST(NULL AS VARBINARY(1)), \
             CAST(NULL AS VARBINARY(1)), CAST(NULL AS BIGINT), k.[key] FROM @keys AS k \
             INNER LOOP JOIN {table} AS t ON {has_key} WHERE t.{expiry} > @now"
        )
    }

    fn find(&self) -> String {
        let (batch, table, living) = (self.batch(), &self.table, self.is_live());
        format!("{batch}SELECT TOP (1) 1 FROM {table} AS t WHERE {living}")
    }

    /// Returns the batch of an insert, after an update of an expired row. The table may have
    /// triggers, so revisions are returned by a table variable.
    fn create(&self) -> String {
        let Names {
            table,
            key,
            value,
            expiry,
            ..
        } = self;
        let (batch, has_key) = (self.batch_with_expiry(), self.has_key());
        let (another, revision) = (self.another_expiry(), self.revision("inserted"));
        format!(
            "{batch}DECLARE @written TABLE (revision VARBINARY(32)); \
             SET XACT_ABORT ON; BEGIN TRANSACTION; \
             UPDATE t SET {value} = @P2, {expiry} = {another} OUTPUT {revision} INTO @written \
             FROM {table} AS t WITH (UPDLOCK, SERIALIZABLE) \
             WHERE {has_key} AND (t.{expiry} IS NULL OR t.{expiry} <= @now); \
             IF @@ROWCOUNT = 0 INSERT INTO {table} ({key}, {value}, {expiry}) \
             OUTPUT {revision} INTO @written \
             SELECT CAST(@P1 AS VARCHAR(8000)), @P2, @expiry WHERE NOT EXISTS \
             (SELECT 1 FROM {table} AS t WITH (UPDLOCK, SERIALIZABLE) WHERE {has_key}); \
             COMMIT TRANSACTION; SELECT TOP (1) revision FROM @written"
        )
    }

    /// Returns the batch of an update that sets the expiry, and returns the revision.
    fn update(&self, set: &str, seen: usize) -> String {
        let Names { table, expiry, .. } = self;
        let (batch, another) = (self.batch_with_expiry(), self.another_expiry());
        let (revision, unchanged) = (self.revision("inserted"), self.is_unchanged(seen));
        format!(
            "{batch}DECLARE @written TABLE (revision VARBINARY(32)); \
             UPDATE t SET {set}{expiry} = {another} OUTPUT {revision} INTO @written \
             FROM {table} AS t WHERE {unchanged}; SELECT TOP (1) revision FROM @written"
        )
    }

    /// Returns the statement of a swap. `and` is another assignment, or empty.
    fn swap(&self, and: &str) -> String {
        self.update(&format!("{} = @P2, {and}", self.value), 4)
    }

    fn move_to(&self) -> String {
        self.swap(&format!("{} = CAST(@P5 AS VARCHAR(8000)), ", self.key))
    }

    fn touch(&self) -> String {
        self.update("", 2)
    }

    fn remove(&self) -> String {
        let (batch, table, unchanged) = (self.batch(), &self.table, self.is_unchanged(2));
        format!(
            "{batch}DELETE t FROM {table} AS t WHERE {unchanged}; SELECT CAST(@@ROWCOUNT AS BIGINT)"
        )
    }

    /// Returns the statement of a page, in the order of the key's index. Without a unique index,
    /// the order is that of the bytes.
    fn page(&self) -> String {
        let Names {
            table,
            key,
            value,
            expiry,
            ..
        } = self;
        let (batch, bytes, left) = (self.batch(), self.key_bytes(), self.milliseconds_left());
        let (order, after) = match self.key_is_unique {
            true => (format!("t.{key}"), "CAST(@P1 AS VARCHAR(8000))"),
            false => (bytes.clone(), "@P1"),
        };
        format!(
            "{batch}SELECT TOP (@P2) {bytes}, {left}, CAST(NULL AS VARBINARY(1)), \
             CAST(DATALENGTH(t.{value}) AS BIGINT) FROM {table} AS t \
             WHERE {order} > {after} AND t.{expiry} > @now ORDER BY {order}"
        )
    }

    fn purge(&self) -> String {
        let Names { table, expiry, .. } = self;
        let batch = self.batch();
        format!(
            "{batch}SET DEADLOCK_PRIORITY LOW; DELETE TOP (@P1) t FROM {table} AS t \
             WITH (ROWLOCK, READPAST) WHERE t.{expiry} <= @now; SELECT CAST(@@ROWCOUNT AS BIGINT)"
        )
    }
}

/// Returns the SQL that creates the table and its index as the Go package would.
pub(super) fn create_table(table: &GoTable) -> String {
    let name = table_name(table);
    let columns: Vec<String> = table.columns().map(definition).collect();
    let mut sql = format!("CREATE TABLE {name} ({})", columns.join(", "));
    if let Some(index) = table.expiry_index {
        let (index, column) = (quoted(&index.of(table)), quoted(&table.expiry.name));
        sql += &format!("; CREATE INDEX {index} ON {name} ({column})");
    }
    sql
}

/// Returns the SQL that runs `create` unless the table exists. `create` is a text of its own, since
/// the server would otherwise compile it first.
pub(super) fn create_if_missing(table: &GoTable) -> String {
    let text = |sql: &str| sql.replace('\'', "''");
    format!(
        "IF OBJECT_ID(N'{}') IS NULL EXEC (N'{}');",
        text(&table_name(table)),
        text(&create_table(table))
    )
}

fn definition(column: &Column) -> String {
    let rule = match column.rule {
        Rule::None => "",
        Rule::NotNull => " NOT NULL",
        Rule::PrimaryKey => " PRIMARY KEY",
        Rule::DefaultsToNow => " DEFAULT SYSUTCDATETIME()",
    };
    format!("{} {}{rule}", quoted(&column.name), type_name(column.kind))
}
