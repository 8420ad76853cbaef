//! The SQL of each operation on a table of a Go package, made for its names and types.
//!
//! Go's rows have no column for a revision. Postgres' own marks of a row version serve as one:
//! the transaction that wrote it (`xmin`) and its place (`ctid`).

use std::ops::Deref;

use super::super::go_table::{GoTable, Kind};
use super::super::statements::Bind::{After, Key, Limit, Seen, To, Until, Value};
use super::super::statements::{Revisions, Statement, Statements};
use super::columns::{GoColumns, KeyType, ValueType};

/// The expiry of records that never expire. Go cannot read `infinity`.
const NEVER: &str = "'9999-12-31 00:00:00Z'::timestamptz";

/// Quotes an identifier. Within quotes, only the quote itself is special.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The statements for a table with those columns. `$1` is the key, unless it is another bind.
pub(super) fn statements(table: &GoTable, columns: GoColumns) -> Statements {
    let names = TableNames::of(table);
    let names = Names { columns, names };
    Statements {
        load: Statement::made(names.load(), &[Key]),
        find: Statement::made(names.find(), &[Key]),
        create: Statement::made(names.create(), &[Key, Value, Until]),
        create_owned: None,
        swap: Statement::made(names.swap(""), &[Key, Value, Until, Seen]),
        swap_owned: None,
        touch: Statement::made(names.touch(), &[Key, Until, Seen]),
        remove: Statement::made(names.remove(), &[Key, Seen]),
        move_to: Some(Statement::made(
            names.move_to(),
            &[Key, Value, Until, Seen, To],
        )),
        page: Statement::made(names.page(), &[After, Limit]),
        purge: Statement::made(names.purge(), &[Limit]),
        owners: None,
        revisions: Revisions::Answered,
    }
}

/// The names in the statements, quoted.
pub(super) struct TableNames {
    kind: Kind,
    /// The table's name without its schema, not quoted.
    plain: String,
    pub(super) table: String,
    key: String,
    value: String,
    expiry: String,
    dates: Option<[String; 2]>,
    /// The milliseconds that a row written with `MaxAge: 0` stays valid.
    without_max_age: Option<u128>,
}

/// The names, with the types of the columns.
struct Names {
    columns: GoColumns,
    names: TableNames,
}

impl Deref for Names {
    type Target = TableNames;

    fn deref(&self) -> &TableNames {
        &self.names
    }
}

/// The revision of the row `t`.
const REVISION: &str = "convert_to(t.xmin::text || ' ' || t.ctid::text, 'UTF8')";

/// The time after the milliseconds `left`, given as SQL.
fn until(left: &str) -> String {
    format!(
        "(CASE WHEN {left}::bigint = 9223372036854775807 THEN {NEVER} \
         ELSE LEAST({NEVER}, statement_timestamp() + {left}::bigint * interval '1 millisecond') END)"
    )
}

impl Names {
    /// A key parameter, converted to the column's type.
    fn given(&self, number: usize) -> String {
        match self.columns.key {
            KeyType::Bytes => format!("${number}::bytea"),
            KeyType::Text => format!("convert_from(${number}::bytea, 'UTF8')"),
            KeyType::Padded => format!("convert_from(${number}::bytea, 'UTF8')::bpchar"),
        }
    }

    /// The key of the row `t`, for an order that depends on no locale.
    fn key_in_order(&self) -> String {
        match self.columns.key {
            KeyType::Bytes => format!("t.{}", self.key),
            KeyType::Text => format!("t.{} COLLATE \"C\"", self.key),
            KeyType::Padded => format!("t.{}::text COLLATE \"C\"", self.key),
        }
    }

    /// The key of the row `t`, as bytes.
    fn key_as_bytes(&self) -> String {
        match self.columns.key {
            KeyType::Bytes => format!("t.{}", self.key),
            KeyType::Text | KeyType::Padded => format!("convert_to(t.{}::text, 'UTF8')", self.key),
        }
    }

    /// The value `$2`, converted to the column's type.
    fn given_value(&self) -> &'static str {
        match self.columns.value {
            ValueType::Bytes => "$2::bytea",
            ValueType::Text => "convert_from($2::bytea, 'UTF8')",
        }
    }

    /// The value of the row `t`, as bytes.
    fn value_as_bytes(&self) -> String {
        match self.columns.value {
            ValueType::Bytes => format!("t.{}", self.value),
            ValueType::Text => format!("convert_to(t.{}, 'UTF8')", self.value),
        }
    }

    /// The expiry of that row. A row whose expiry is not after its last write was written with
    /// `MaxAge: 0`.
    fn expires(&self, row: &str) -> String {
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

    /// The write time of a row whose expiry is `until`: now, or a moment before an expiry that has
    /// passed, so that the row does not look like one with `MaxAge: 0`.
    fn written_now(&self, until: &str) -> String {
        match self.without_max_age {
            Some(_) => {
                format!("LEAST(statement_timestamp(), {until} - interval '1 millisecond')")
            }
            None => "statement_timestamp()".to_owned(),
        }
    }

    /// The milliseconds that the row `t` has left.
    fn left(&self) -> String {
        let expires = self.expires("t");
        format!(
            "(CASE WHEN {expires} >= {NEVER} THEN 9223372036854775807 \
             ELSE floor(extract(epoch FROM {expires} - statement_timestamp()) * 1000)::bigint END)"
        )
    }

    /// The row `t` is the key's, and live. A row without an expiry is not live; Go could not read
    /// it either.
    fn living(&self) -> String {
        let (key, given, expires) = (&self.key, self.given(1), self.expires("t"));
        format!("t.{key} = {given} AND {expires} > statement_timestamp()")
    }

    /// The row `t` is the key's, live, and at the seen revision.
    fn seen(&self, number: usize) -> String {
        format!("{} AND {REVISION} = ${number}::bytea", self.living())
    }

    fn load(&self) -> String {
        let table = &self.table;
        let value = self.value_as_bytes();
        let (left, living) = (self.left(), self.living());
        format!(
            "SELECT {value}, {left}, {REVISION}, NULL::bytea, NULL::bytea \
             FROM {table} AS t WHERE {living} LIMIT 1"
        )
    }

    fn find(&self) -> String {
        format!("SELECT 1 FROM {} AS t WHERE {}", self.table, self.living())
    }

    fn create(&self) -> String {
        let TableNames {
            table,
            key,
            value,
            expiry,
            ..
        } = &self.names;
        let (given, until) = (self.given(1), until("$3"));
        let given_value = self.given_value();
        let (dates, now) = match &self.dates {
            Some([made, written]) => (
                format!(", {made}, {written}"),
                format!(", statement_timestamp(), {}", self.written_now(&until)),
            ),
            None => Default::default(),
        };
        let insert = format!("INSERT INTO {table} AS t ({key}, {value}, {expiry}{dates})");
        if !self.columns.is_unique {
            // Without a unique key there is no conflict to act on: expired rows are deleted first.
            let over = self.expires("o");
            return format!(
                "WITH over AS (DELETE FROM {table} AS o WHERE o.{key} = {given} \
                 AND {over} <= statement_timestamp() RETURNING 1) \
                 {insert} SELECT {given}, {given_value}, {until}{now} \
                 WHERE (SELECT count(*) FROM over) >= 0 \
                 AND NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {}) RETURNING {REVISION}",
                self.living()
            );
        }
        let expires = self.expires("t");
        let columns = [value, expiry]
            .into_iter()
            .chain(self.dates.iter().flatten());
        let columns: Vec<String> = columns
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        format!(
            "{insert} VALUES ({given}, {given_value}, {until}{now}) ON CONFLICT ({key}) DO UPDATE SET {} \
             WHERE ({expires} > statement_timestamp()) IS NOT TRUE RETURNING {REVISION}",
            columns.join(", ")
        )
    }

    /// `and` is another assignment.
    fn swap(&self, and: &str) -> String {
        let TableNames {
            table,
            value,
            expiry,
            ..
        } = &self.names;
        let (until, seen) = (until("$3"), self.seen(4));
        let written = match &self.dates {
            Some([_, written]) => format!(", {written} = {}", self.written_now(&until)),
            None => String::new(),
        };
        let given_value = self.given_value();
        format!(
            "UPDATE {table} AS t SET {value} = {given_value}, {expiry} = {until}{written}{and} \
             WHERE {seen} RETURNING {REVISION}"
        )
    }

    fn move_to(&self) -> String {
        self.swap(&format!(", {} = {}", self.key, self.given(5)))
    }

    fn touch(&self) -> String {
        let TableNames { table, expiry, .. } = &self.names;
        let (until, seen) = (until("$2"), self.seen(3));
        let written = match (&self.dates, self.without_max_age) {
            (Some([_, written]), Some(_)) => {
                format!(
                    ", {written} = LEAST(t.{written}, {})",
                    self.written_now(&until)
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
        let seen = self.seen(2);
        format!("DELETE FROM {} AS t WHERE {seen}", self.table)
    }

    fn page(&self) -> String {
        let TableNames { table, value, .. } = &self.names;
        let (bytes, order, left) = (self.key_as_bytes(), self.key_in_order(), self.left());
        let (after, expires) = (self.given(1), self.expires("t"));
        format!(
            "SELECT {bytes}, {left}, NULL::bytea, octet_length(t.{value})::bigint FROM {table} AS t \
             WHERE {order} > {after} AND {expires} > statement_timestamp() ORDER BY {order} LIMIT $2"
        )
    }

    /// As the purge of our own tables. The index has `expiry`, and no row is missing before it.
    fn purge(&self) -> String {
        let TableNames { table, expiry, .. } = &self.names;
        let expires = self.expires("t");
        format!(
            "DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} AS t \
             WHERE {expiry} <= statement_timestamp() AND {expires} <= statement_timestamp() \
             ORDER BY {expiry} LIMIT $1 FOR UPDATE SKIP LOCKED))"
        )
    }
}

impl TableNames {
    pub(super) fn of(table: &GoTable) -> Self {
        let schema = table.schema.as_deref().map(|schema| quoted(schema) + ".");
        TableNames {
            kind: table.kind,
            plain: table.name.clone(),
            table: schema.unwrap_or_default() + &quoted(&table.name),
            key: quoted(&table.key),
            value: quoted(&table.value),
            expiry: quoted(&table.expiry),
            dates: table
                .dates
                .as_ref()
                .map(|dates| dates.each_ref().map(|name| quoted(name))),
            without_max_age: table.without_max_age.map(|lasting| lasting.as_millis()),
        }
    }

    /// The SQL that creates the table as the Go package would.
    pub(super) fn make_table(&self) -> String {
        let TableNames {
            table,
            key,
            value,
            expiry,
            plain,
            ..
        } = self;
        let [made, written] = match &self.dates {
            Some(dates) => dates.clone(),
            None => Default::default(),
        };
        let columns = match self.kind {
            Kind::Pgstore => format!(
                "{key} VARCHAR(63) PRIMARY KEY, {value} BYTEA, \
                 {made} TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP, {written} TIMESTAMPTZ, {expiry} TIMESTAMPTZ"
            ),
            Kind::AntonlindstromPgstore => format!(
                "id BIGSERIAL PRIMARY KEY, {key} BYTEA, {value} BYTEA, \
                 {made} TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP, {written} TIMESTAMPTZ, {expiry} TIMESTAMPTZ"
            ),
            Kind::Scs => format!(
                "{key} TEXT PRIMARY KEY, {value} BYTEA NOT NULL, {expiry} TIMESTAMPTZ NOT NULL"
            ),
            Kind::Gorm => {
                format!("{key} VARCHAR(43) PRIMARY KEY, {value} BYTEA, {expiry} TIMESTAMPTZ")
            }
        };
        let index = match self.kind {
            Kind::Gorm => format!("idx_{plain}_expiry"),
            Kind::Pgstore => format!("{plain}_expires_on"),
            _ => format!("{plain}_expiry_idx"),
        };
        let keys = match self.kind {
            Kind::AntonlindstromPgstore => {
                format!(
                    "; CREATE INDEX IF NOT EXISTS {} ON {table} ({key})",
                    quoted(&format!("{plain}_key_idx"))
                )
            }
            _ => String::new(),
        };
        format!(
            "CREATE TABLE IF NOT EXISTS {table} ({columns}); \
             CREATE INDEX IF NOT EXISTS {} ON {table} ({expiry}){keys}",
            quoted(&index)
        )
    }
}
