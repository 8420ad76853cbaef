//! The SQL of each operation on a table of a Go package, generated for the names and types of its
//! columns.
//!
//! Go's rows have no column for a revision. Postgres' own marks of a row version are the revision:
//! the transaction that wrote the row (`xmin`) and the row's place (`ctid`).

use super::super::go_columns::{Column, ColumnType, Rule};
use super::super::go_table::{Dates, GoTable};
use super::super::statements::Bind::{After, Key, Keys, Limit, Seen, To, Until, Value};
use super::super::statements::{RevisionSource, Statement, Statements};

/// The expiry of records that never expire. Go cannot read `infinity`.
const NEVER: &str = "'9999-12-31 00:00:00Z'::timestamptz";

/// Quotes an identifier. Within quotes, only the quote itself is special.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns Postgres' name for a type.
pub(super) fn type_name(kind: ColumnType) -> String {
    match kind {
        ColumnType::Counter => "BIGSERIAL".to_owned(),
        ColumnType::Text => "TEXT".to_owned(),
        ColumnType::Varchar(most) => format!("VARCHAR({most})"),
        ColumnType::Char(most) => format!("CHAR({most})"),
        ColumnType::Bytes => "BYTEA".to_owned(),
        // A table of another kind of database was refused before.
        _ => "TIMESTAMPTZ".to_owned(),
    }
}

/// Returns the statements for a table with columns of those types. `$1` is the key, unless the list
/// of binds begins with another value.
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
        touch: Statement::generated(names.touch(), &[Key, Until, Seen]),
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
    value_type: ColumnType,
    expiry: String,
    /// The columns of the times of creation and of the last write.
    dates: Option<[String; 2]>,
    /// The milliseconds that a row written with `MaxAge: 0` stays valid.
    without_max_age: Option<u128>,
}

/// The revision of the row `t`.
const REVISION: &str = "convert_to(t.xmin::text || ' ' || t.ctid::text, 'UTF8')";

/// Returns the SQL for the expiry that is `left` milliseconds away. `left` is SQL, too.
fn expiry_after(left: &str) -> String {
    format!(
        "(CASE WHEN {left}::bigint = 9223372036854775807 THEN {NEVER} \
         ELSE LEAST({NEVER}, statement_timestamp() + {left}::bigint * interval '1 millisecond') END)"
    )
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
            key_is_unique: table.key_is_unique,
            value: quoted(&table.value.name),
            value_type: table.value.kind,
            expiry: quoted(&table.expiry.name),
            dates: table.dates.as_ref().map(dates),
            without_max_age: table.without_max_age.map(|lasting| lasting.as_millis()),
        }
    }

    /// Returns the key's parameter, converted to the column's type.
    fn key_parameter(&self, number: usize) -> String {
        self.as_key(&format!("${number}::bytea"))
    }

    /// Returns a key, which is SQL for bytes, converted to the column's type.
    fn as_key(&self, bytes: &str) -> String {
        match self.key_type {
            ColumnType::Bytes => bytes.to_owned(),
            ColumnType::Char(_) => format!("convert_from({bytes}, 'UTF8')::bpchar"),
            _ => format!("convert_from({bytes}, 'UTF8')"),
        }
    }

    /// Returns the key of the row `t`, for an order that depends on no locale.
    fn key_in_order(&self) -> String {
        match self.key_type {
            ColumnType::Bytes => format!("t.{}", self.key),
            ColumnType::Char(_) => format!("t.{}::text COLLATE \"C\"", self.key),
            _ => format!("t.{} COLLATE \"C\"", self.key),
        }
    }

    /// Returns the key of the row `t`, as bytes.
    fn key_as_bytes(&self) -> String {
        match self.key_type {
            ColumnType::Bytes => format!("t.{}", self.key),
            _ => format!("convert_to(t.{}::text, 'UTF8')", self.key),
        }
    }

    /// Returns the value `$2`, converted to the column's type.
    fn value_parameter(&self) -> &'static str {
        match self.value_type {
            ColumnType::Bytes => "$2::bytea",
            _ => "convert_from($2::bytea, 'UTF8')",
        }
    }

    /// Returns the value of the row `t`, as bytes.
    fn value_as_bytes(&self) -> String {
        match self.value_type {
            ColumnType::Bytes => format!("t.{}", self.value),
            _ => format!("convert_to(t.{}, 'UTF8')", self.value),
        }
    }

    /// Returns the expiry of that row. If the expiry is not after the row's last write, the row was
    /// written with `MaxAge: 0`.
    fn expiry_of(&self, row: &str) -> String {
        let expiry = &self.expiry;
        match (&self.dates, self.without_max_age) {
            (Some([_, written]), Some(lasting)) => format!(
                "(CASE WHEN {row}.{expiry} <= {row}.{written} \
                 THEN {row}.{written} + {lasting} * interval '1 millisecond' \
                 ELSE {row}.{expiry} END)"
            ),
            _ => format!("{row}.{expiry}"),
        }
    }

    /// Returns the write time of a row whose expiry is `until`: now, or a millisecond before an
    /// expiry that has passed, so that the row does not look like one with `MaxAge: 0`.
    fn write_time(&self, until: &str) -> String {
        match self.without_max_age {
            Some(_) => {
                format!("LEAST(statement_timestamp(), {until} - interval '1 millisecond')")
            }
            None => "statement_timestamp()".to_owned(),
        }
    }

    /// Returns the milliseconds until the expiry of the row `t`.
    fn milliseconds_left(&self) -> String {
        let expires = self.expiry_of("t");
        format!(
            "(CASE WHEN {expires} >= {NEVER} THEN 9223372036854775807 \
             ELSE floor(extract(epoch FROM {expires} - statement_timestamp()) * 1000)::bigint END)"
        )
    }

    /// Returns the condition that the row `t` has the key and is live. A row without an expiry is
    /// not live: Go could not read it either.
    fn is_live(&self) -> String {
        let (key, key_parameter, expires) = (&self.key, self.key_parameter(1), self.expiry_of("t"));
        format!("t.{key} = {key_parameter} AND {expires} > statement_timestamp()")
    }

    /// Returns the condition that the row `t` has the key, is live, and has the seen revision.
    fn is_unchanged(&self, number: usize) -> String {
        format!("{} AND {REVISION} = ${number}::bytea", self.is_live())
    }

    fn load(&self) -> String {
        let table = &self.table;
        let value = self.value_as_bytes();
        let (left, living) = (self.milliseconds_left(), self.is_live());
        format!(
            "SELECT {value}, {left}, {REVISION}, NULL::bytea, NULL::bytea \
             FROM {table} AS t WHERE {living} LIMIT 1"
        )
    }

    fn load_many(&self) -> String {
        let Names { table, key, .. } = self;
        let (value, left) = (self.value_as_bytes(), self.milliseconds_left());
        let (bytes, expires) = (self.key_as_bytes(), self.expiry_of("t"));
        let wanted = self.as_key("decode(k, 'hex')");
        format!(
            "SELECT {value}, {left}, {REVISION}, NULL::bytea, NULL::bytea, NULL::bigint, {bytes} \
             FROM {table} AS t WHERE t.{key} = ANY (ARRAY(SELECT {wanted} \
             FROM json_array_elements_text(convert_from($1::bytea, 'UTF8')::json) AS k)) \
             AND {expires} > statement_timestamp()"
        )
    }

    fn find(&self) -> String {
        format!("SELECT 1 FROM {} AS t WHERE {}", self.table, self.is_live())
    }

    fn create(&self) -> String {
        let Names {
            table,
            key,
            value,
            expiry,
            ..
        } = self;
        let (key_parameter, until) = (self.key_parameter(1), expiry_after("$3"));
        let value_parameter = self.value_parameter();
        let (dates, now) = match &self.dates {
            Some([made, written]) => (
                format!(", {made}, {written}"),
                format!(", statement_timestamp(), {}", self.write_time(&until)),
            ),
            None => Default::default(),
        };
        let insert = format!("INSERT INTO {table} AS t ({key}, {value}, {expiry}{dates})");
        if !self.key_is_unique {
            // Without a unique key there is no conflict to act on: expired rows are deleted first.
            let over = self.expiry_of("o");
            return format!(
                "WITH over AS (DELETE FROM {table} AS o WHERE o.{key} = {key_parameter} \
                 AND {over} <= statement_timestamp() RETURNING 1) \
                 {insert} SELECT {key_parameter}, {value_parameter}, {until}{now} \
                 WHERE (SELECT count(*) FROM over) >= 0 \
                 AND NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {}) RETURNING {REVISION}",
                self.is_live()
            );
        }
        let expires = self.expiry_of("t");
        let columns = [value, expiry]
            .into_iter()
            .chain(self.dates.iter().flatten());
        let columns: Vec<String> = columns
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        format!(
            "{insert} VALUES ({key_parameter}, {value_parameter}, {until}{now}) ON CONFLICT ({key}) DO UPDATE SET {} \
             WHERE ({expires} > statement_timestamp()) IS NOT TRUE RETURNING {REVISION}",
            columns.join(", ")
        )
    }

    /// Returns the statement of a swap. `and` is another assignment, or empty.
    fn swap(&self, and: &str) -> String {
        let Names {
            table,
            value,
            expiry,
            ..
        } = self;
        let (until, seen) = (expiry_after("$3"), self.is_unchanged(4));
        let written = match &self.dates {
            Some([_, written]) => format!(", {written} = {}", self.write_time(&until)),
            None => String::new(),
        };
        let value_parameter = self.value_parameter();
        format!(
            "UPDATE {table} AS t SET {value} = {value_parameter}, {expiry} = {until}{written}{and} \
             WHERE {seen} RETURNING {REVISION}"
        )
    }

    fn move_to(&self) -> String {
        self.swap(&format!(", {} = {}", self.key, self.key_parameter(5)))
    }

    fn touch(&self) -> String {
        let Names { table, expiry, .. } = self;
        let (until, seen) = (expiry_after("$2"), self.is_unchanged(3));
        let written = match (&self.dates, self.without_max_age) {
            (Some([_, written]), Some(_)) => {
                format!(
                    ", {written} = LEAST(t.{written}, {})",
                    self.write_time(&until)
                )
            }
            _ => String::new(),
        };
        format!(
            "UPDATE {table} AS t SET {expiry} = {until}{written} \
             WHERE {seen} RETURNING {REVISION}"
        )
    }

    fn remove(&self) -> String {
        let seen = self.is_unchanged(2);
        format!("DELETE FROM {} AS t WHERE {seen}", self.table)
    }

    fn page(&self) -> String {
        let Names { table, value, .. } = self;
        let (bytes, order, left) = (
            self.key_as_bytes(),
            self.key_in_order(),
            self.milliseconds_left(),
        );
        let (after, expires) = (self.key_parameter(1), self.expiry_of("t"));
        format!(
            "SELECT {bytes}, {left}, NULL::bytea, octet_length(t.{value})::bigint FROM {table} AS t \
             WHERE {order} > {after} AND {expires} > statement_timestamp() ORDER BY {order} LIMIT $2"
        )
    }

    /// Returns the same purge as of this crate's tables. The index is on `expiry`, and no row
    /// expires before it.
    fn purge(&self) -> String {
        let Names { table, expiry, .. } = self;
        let expires = self.expiry_of("t");
        format!(
            "DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} AS t \
             WHERE {expiry} <= statement_timestamp() AND {expires} <= statement_timestamp() \
             ORDER BY {expiry} LIMIT $1 FOR UPDATE SKIP LOCKED))"
        )
    }
}

/// Returns the SQL that creates the table and its indexes as the Go package would.
pub(super) fn create_table(table: &GoTable) -> String {
    let name = table_name(table);
    let columns: Vec<String> = table.columns().map(definition).collect();
    let mut sql = format!("CREATE TABLE IF NOT EXISTS {name} ({})", columns.join(", "));
    let by_expiry = table.expiry_index.map(|index| (index, &table.expiry));
    let by_key = table.key_index.map(|index| (index, &table.key));
    for (index, column) in by_expiry.into_iter().chain(by_key) {
        let (index, column) = (quoted(&index.of(table)), quoted(&column.name));
        sql += &format!("; CREATE INDEX IF NOT EXISTS {index} ON {name} ({column})");
    }
    sql
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_tables_equal_those_of_the_go_packages() {
        let pgstore = concat!(
            r#"CREATE TABLE IF NOT EXISTS "http_sessions" ("key" VARCHAR(63) PRIMARY KEY, "data" BYTEA, "#,
            r#""created_on" TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP, "modified_on" TIMESTAMPTZ, "#,
            r#""expires_on" TIMESTAMPTZ); "#,
            r#"CREATE INDEX IF NOT EXISTS "http_sessions_expires_on" ON "http_sessions" ("expires_on")"#,
        );
        let antonlindstrom = concat!(
            r#"CREATE TABLE IF NOT EXISTS "http_sessions" ("id" BIGSERIAL PRIMARY KEY, "key" BYTEA, "#,
            r#""data" BYTEA, "created_on" TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP, "#,
            r#""modified_on" TIMESTAMPTZ, "expires_on" TIMESTAMPTZ); "#,
            r#"CREATE INDEX IF NOT EXISTS "http_sessions_expiry_idx" ON "http_sessions" ("expires_on"); "#,
            r#"CREATE INDEX IF NOT EXISTS "http_sessions_key_idx" ON "http_sessions" ("key")"#,
        );
        let scs = concat!(
            r#"CREATE TABLE IF NOT EXISTS "web"."sessions" ("token" TEXT PRIMARY KEY, "#,
            r#""data" BYTEA NOT NULL, "expiry" TIMESTAMPTZ NOT NULL); "#,
            r#"CREATE INDEX IF NOT EXISTS "sessions_expiry_idx" ON "web"."sessions" ("expiry")"#,
        );
        let gorm = concat!(
            r#"CREATE TABLE IF NOT EXISTS "sessions" ("token" VARCHAR(43) PRIMARY KEY, "data" BYTEA, "#,
            r#""expiry" TIMESTAMPTZ); "#,
            r#"CREATE INDEX IF NOT EXISTS "idx_sessions_expiry" ON "sessions" ("expiry")"#,
        );
        for (table, sql) in [
            (GoTable::pgstore(), pgstore),
            (GoTable::antonlindstrom_pgstore(), antonlindstrom),
            (GoTable::scs_postgresstore().in_schema("web"), scs),
            (GoTable::scs_gormstore(), gorm),
        ] {
            assert_eq!(create_table(&table), sql);
        }
    }
}
