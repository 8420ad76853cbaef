//! Tests of rows in the tables of Go packages: their contents, and rows that no Go package writes.
//! `tests/interop` tests them with Go programs.

use sqlx::AssertSqlSafe;

use super::super::super::go_table::{Database, GoTable};
use super::super::super::statements::Statements;
use super::super::go_statements::{create_table, statements};
use super::*;
use crate::backend::Moves;

/// Each preset, and a name for messages.
pub(super) fn presets() -> [GoTable; 3] {
    [
        GoTable::scs_sqlite3store(),
        gorm(GoTable::scs_gormstore()),
        gorm(GoTable::wader_gormstore()),
    ]
}

/// Returns the table of a package over gorm, as it is in SQLite.
pub(super) fn gorm(table: GoTable) -> GoTable {
    table.in_database(Database::Sqlite).unwrap()
}

impl Temporary {
    pub(super) async fn go(&self, table: GoTable) -> GoSqlite {
        GoSqlite::open(self.path(), table).await.unwrap()
    }

    /// Opens a connection to a new database with these tables.
    pub(super) async fn with(&self, sql: &str) -> SqliteConnection {
        let options = self.options().create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        execute(&mut connection, sql).await;
        connection
    }
}

pub(super) async fn execute(connection: &mut SqliteConnection, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

async fn text(connection: &mut SqliteConnection, query: &str) -> String {
    let query = sqlx::query_scalar(AssertSqlSafe(query.to_owned()));
    query.fetch_one(connection).await.unwrap()
}

pub(super) async fn saved(backend: &GoSqlite, name: &str, record: &Record) -> Revision {
    let created = backend.create(&key(name), record).await.unwrap();
    created.saved().unwrap()
}

/// Runs each operation once.
async fn try_all(backend: &GoSqlite) {
    backend.migrate().await.unwrap(); // the table already exists
    assert!(backend.keeps_expiries());
    let (old, new) = (key("ABC234"), key("DEF567"));
    let seen = saved(backend, "ABC234", &record("v")).await;
    let created = backend.create(&old, &record("w")).await.unwrap();
    assert_eq!(created, Created::Exists);
    let seen = backend.swap(&old, &seen, &record("x")).await.unwrap();
    let seen = seen.done().unwrap();
    let later = Expiry::after(Duration::from_secs(900));
    let seen = backend.touch(&old, &seen, later).await.unwrap();
    let seen = seen.done().unwrap();
    let stored = backend.load(&old).await.unwrap().unwrap();
    assert_eq!(
        stored,
        Stored::new(Record::new("x", later), seen.clone()),
        "the revision of a write is that of a load"
    );
    let page = backend.page(None, 10).await.unwrap().entries;
    assert_eq!(page.len(), 1);
    let found = (&page[0].key, page[0].expiry, page[0].size);
    assert_eq!(found, (&old, later, 1));
    assert_eq!(backend.page(Some(&old), 10).await.unwrap().entries, []);
    assert_eq!(backend.purge(10).await.unwrap().removed, 0);
    let moved = backend.move_to(&old, &seen, &new, &record("y")).await;
    let seen = moved.unwrap().done().unwrap();
    assert_eq!(backend.load(&old).await.unwrap(), None);
    let removed = backend.remove(&new, &seen).await.unwrap();
    assert_eq!(removed, Outcome::Done(()));
    let over = Record::new("v", Expiry::from_millis(1_000));
    saved(backend, "ABC234", &over).await;
    for removed in [1, 0] {
        assert_eq!(backend.purge(10).await.unwrap().removed, removed);
    }
}

#[tokio::test]
async fn names_are_quoted() {
    let odd = "a`; DROP TABLE x; --'\"?1 Ä";
    for table in presets() {
        for odd in [odd, "select"] {
            let folder = Temporary::new();
            let table = table.clone().with_columns("key`", "rowid", odd).named(odd);
            try_all(&folder.go(table.clone()).await).await;
            try_all(&folder.go(table.in_schema("main")).await).await;
        }
    }
}

/// A row has the storage classes and the texts that Go writes.
#[tokio::test]
async fn a_row_is_the_one_that_go_writes() {
    for (table, columns, row) in [
        (
            GoTable::scs_sqlite3store(),
            "typeof(token) || ' ' || typeof(data) || ' ' || hex(data) || ' '
                || (expiry = julianday('2031-12-27T17:44:23.12'))",
            "text blob 76 1",
        ),
        (
            GoTable::scs_gormstore(),
            "typeof(token) || ' ' || typeof(data) || ' ' || hex(data) || ' ' || expiry",
            "text blob 76 2031-12-27 17:44:23.12+00:00",
        ),
        (
            GoTable::wader_gormstore(),
            "typeof(id) || ' ' || typeof(data) || ' ' || data || ' ' || expires_at || ' '
                || (created_at GLOB '20[0-9][0-9]-[01][0-9]-[0-3][0-9] *:[0-5][0-9]*+00:00')
                || (updated_at > created_at)",
            "text text v 2031-12-27 17:44:23.12+00:00 11",
        ),
    ] {
        let folder = Temporary::new();
        let backend = folder.go(table).await;
        let until = Expiry::from_millis(1_956_159_863_120);
        let seen = saved(&backend, "ABC234", &Record::new("w", Expiry::NEVER)).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let swapped = backend
            .swap(&key("ABC234"), &seen, &Record::new("v", until))
            .await;
        swapped.unwrap().done().unwrap();
        let mut other = folder.connection().await;
        let query = format!("SELECT {columns} FROM sessions");
        assert_eq!(text(&mut other, &query).await, row);
        // A key that is not valid in such a table is refused.
        for name in ["ä", "a b", "a\0", &"x".repeat(64)] {
            let refused = backend.create(&key(name), &record("v")).await;
            assert!(refused.unwrap_err().is_usage());
        }
    }
}

/// Go cannot read a later year.
#[tokio::test]
async fn a_record_that_never_expires_ends_with_the_year_9999() {
    for (table, expiry) in [
        (GoTable::scs_sqlite3store(), "datetime(expiry) || '+00:00'"),
        (GoTable::scs_gormstore(), "expiry"),
        (GoTable::wader_gormstore(), "expires_at"),
    ] {
        let folder = Temporary::new();
        let backend = folder.go(table).await;
        saved(&backend, "a", &Record::new("v", Expiry::NEVER)).await;
        let loaded = backend.load(&key("a")).await.unwrap().unwrap();
        assert_eq!(loaded.record.expiry(), Expiry::NEVER);
        let query = format!("SELECT {expiry} FROM sessions");
        let found = text(&mut folder.connection().await, &query).await;
        assert_eq!(found, "9999-12-31 00:00:00+00:00");
    }
}

/// The revision is the content of the row. A Go program that writes the same content changes
/// nothing.
#[tokio::test]
async fn a_write_of_a_go_program_is_a_conflict() {
    for table in presets() {
        let (value, expiry) = (table.value.name.clone(), table.expiry.name.clone());
        let later = match table == GoTable::scs_sqlite3store() {
            true => format!("{expiry} = {expiry} + 1"),
            false => format!("{expiry} = datetime({expiry}, '+1 days') || '+00:00'"),
        };
        for (change, is_same) in [
            (format!("{value} = {value}, {expiry} = {expiry}"), true),
            (format!("{value} = CAST('1 w' AS BLOB)"), false),
            (format!("{value} = CAST('2 v' AS BLOB)"), false),
            (format!("{value} = CAST('1 v ' AS BLOB)"), false),
            (format!("{value} = x'31207600'"), false),
            (later, false),
        ] {
            let folder = Temporary::new();
            let backend = folder.go(table.clone()).await;
            let seen = saved(&backend, "a", &record("1 v")).await;
            let change = format!("UPDATE sessions SET {change}");
            execute(&mut folder.connection().await, &change).await;
            let a = key("a");
            if is_same {
                let swapped = backend.swap(&a, &seen, &record("x")).await;
                swapped.unwrap().done().unwrap();
                continue;
            }
            let swapped = backend.swap(&a, &seen, &record("x")).await;
            assert_eq!(swapped.unwrap(), Outcome::Conflict, "{change}");
            let touched = backend.touch(&a, &seen, soon()).await;
            assert_eq!(touched.unwrap(), Outcome::Conflict, "{change}");
            let moved = backend.move_to(&a, &seen, &key("b"), &record("x")).await;
            assert_eq!(moved.unwrap(), Outcome::Conflict, "{change}");
            let removed = backend.remove(&a, &seen).await;
            assert_eq!(removed.unwrap(), Outcome::Conflict, "{change}");
        }
    }
}

/// A value of any storage class is read as bytes, or is an error for its key only.
#[tokio::test]
async fn a_value_of_another_class_is_read_as_bytes() {
    for table in presets() {
        let folder = Temporary::new();
        let (value, name) = (table.value.name.clone(), table.key.name.clone());
        drop(folder.go(table.clone()).await);
        let mut other = folder.connection().await;
        let backend = folder.go(table.clone()).await;
        for (class, sql, bytes) in [
            ("text", "'te xt'", &b"te xt"[..]),
            ("bytes", "x'00ff20'", b"\x00\xff "),
            ("number", "-17", b"-17"),
            ("none", "x''", b""),
        ] {
            let seen = saved(&backend, class, &record("v")).await;
            execute(
                &mut other,
                &format!("UPDATE sessions SET {value} = {sql} WHERE {name} = '{class}'"),
            )
            .await;
            let stored = backend.load(&key(class)).await.unwrap().unwrap();
            assert_eq!(stored.record.value(), bytes, "{class}");
            let swapped = backend.swap(&key(class), &seen, &record("w")).await;
            assert_eq!(swapped.unwrap(), Outcome::Conflict);
            let swapped = backend
                .swap(&key(class), &stored.revision, &record("w"))
                .await;
            swapped.unwrap().done().unwrap();
        }
        assert_eq!(backend.page(None, 10).await.unwrap().entries.len(), 4);
        if table == GoTable::scs_sqlite3store() {
            continue; // its values are NOT NULL
        }
        execute(
            &mut other,
            &format!("UPDATE sessions SET {value} = NULL WHERE {name} = 'text'"),
        )
        .await;
        let refused = backend.load(&key("text")).await.unwrap_err();
        assert!(refused.is_corrupt());
        let page = backend.page(None, 10).await.unwrap();
        assert_eq!((page.entries.len(), page.skipped.len()), (3, 1));
    }
}

/// Go binds keys as text. SQLite finds no other class by a text, and sorts bytes after it.
#[tokio::test]
async fn a_key_of_another_class_is_no_key() {
    for table in presets() {
        let folder = Temporary::new();
        let name = table.key.name.clone();
        let backend = folder.go(table).await;
        for other in ["a", "B", "b"] {
            saved(&backend, other, &record("v")).await;
        }
        let mut other = folder.connection().await;
        execute(
            &mut other,
            &format!("UPDATE sessions SET {name} = x'61' WHERE {name} = 'a'"),
        )
        .await;
        assert_eq!(backend.load(&key("a")).await.unwrap(), None);
        let (mut found, mut after) = (Vec::new(), None);
        for _ in 0..5 {
            let page = backend.page(after.as_ref(), 1).await.unwrap();
            found.extend(page.entries.into_iter().map(|entry| entry.key));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((found, after), (vec![key("B"), key("b")], None));
    }
}

/// A table may say `ON CONFLICT REPLACE`: then a plain `UPDATE` of a key deletes the row that has
/// the key.
#[tokio::test]
async fn a_move_to_a_key_in_use_deletes_no_row() {
    for table in presets() {
        let folder = Temporary::new();
        let mut sql =
            create_table(&table).replace("PRIMARY KEY", "PRIMARY KEY ON CONFLICT REPLACE");
        sql += ";";
        drop(folder.with(&sql).await);
        let backend = folder.go(table).await;
        let seen = saved(&backend, "a", &record("v")).await;
        saved(&backend, "b", &record("w")).await;
        let moved = backend
            .move_to(&key("a"), &seen, &key("b"), &record("x"))
            .await;
        let refused = moved.unwrap_err();
        assert!(!refused.is_outcome_unknown(), "{refused:?}");
        for (name, value) in [("a", &b"v"[..]), ("b", b"w")] {
            let stored = backend.load(&key(name)).await.unwrap().unwrap();
            assert_eq!(stored.record.value(), value);
        }
        let created = backend.create(&key("b"), &record("x")).await.unwrap();
        assert_eq!(created, Created::Exists);
    }
}

/// Returns the table with an index on its expiry, as the documentation advises.
fn indexed(table: &GoTable) -> (Statements, String) {
    let mut sql = create_table(table);
    sql += &format!(
        "; CREATE INDEX by_expiry ON sessions ({})",
        table.expiry.name
    );
    (statements(table), sql)
}

#[tokio::test]
async fn every_statement_on_a_go_table_finds_its_rows_by_index() {
    for table in presets() {
        let folder = Temporary::new();
        let (statements, sql) = indexed(&table);
        let mut connection = folder.with(&sql).await;
        let mut steps = 0;
        for statement in statements.all() {
            let statement = statement.sql.as_str();
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
            let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain)
                .fetch_all(&mut connection)
                .await
                .unwrap();
            for (.., step) in plan {
                // The keys of many rows are unpacked by a virtual table.
                let is_unpacking = step.contains("VIRTUAL TABLE");
                let by_index = !step.starts_with("SCAN") || is_unpacking;
                assert!(
                    by_index && !step.contains("TEMP B-TREE"),
                    "{statement}: {step}"
                );
                steps += usize::from(step.starts_with("SEARCH"));
            }
        }
        assert!(steps >= 8, "only {steps} steps were seen");
    }
}
