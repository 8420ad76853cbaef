//! Tests of expiries in the tables of Go packages, to the millisecond: those that this backend
//! writes, those that Go programs in any time zone write, and values that are no expiry.

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;

use super::super::super::go_table::GoTable;
use super::super::super::statements::{Bind, Statement};
use super::super::go_statements::{create_table, statements};
use super::go_rows::{execute, gorm, presets, saved};
use super::*;

/// 2031-12-27T17:44:23.126Z.
const AT: i64 = 1_956_159_863_126;

/// Binds values for a statement at that time, on the row `a` with that revision.
fn at<'q>(
    now: i64,
    statement: &Statement,
    seen: &'q [u8],
) -> Query<'q, sqlx::Sqlite, SqliteArguments> {
    let binds = statement.binds.iter();
    let query = sqlx::query(statement.sql.for_sqlx());
    binds.fold(query, |query, bind| match bind {
        Bind::Now => query.bind(now),
        Bind::Key => query.bind(&b"a"[..]),
        Bind::To => query.bind(&b"b"[..]),
        Bind::After => query.bind(&b""[..]),
        Bind::Value => query.bind(&b"v"[..]),
        Bind::Seen => query.bind(seen),
        Bind::Until => query.bind(i64::MAX),
        Bind::Limit => query.bind(10),
        other => panic!("{other:?} is for owners"),
    })
}

/// Returns the number of rows that a statement returns or changes at that time.
async fn count(
    connection: &mut SqliteConnection,
    statement: &Statement,
    now: i64,
    seen: &[u8],
) -> usize {
    let query = at(now, statement, seen);
    match statement.sql.as_str().starts_with("DELETE") {
        true => {
            let done = query.execute(connection).await.unwrap();
            usize::try_from(done.rows_affected()).unwrap()
        }
        false => query.fetch_all(connection).await.unwrap().len(),
    }
}

/// Returns a database with a row `a`, whose expiry is this SQL.
async fn expiring(table: &GoTable, expiry: &str) -> (Temporary, SqliteConnection) {
    let folder = Temporary::new();
    let GoTable {
        key,
        value,
        expiry: column,
        ..
    } = table;
    let insert = format!(
        "{}; INSERT INTO sessions ({}, {}, {}) VALUES ('a', 'v', {expiry})",
        create_table(table),
        key.name,
        value.name,
        column.name
    );
    let connection = folder.with(&insert).await;
    (folder, connection)
}

/// Checks that the row has that expiry, in milliseconds, in each statement.
async fn check_expiry(table: &GoTable, expiry: &str, millis: i64) {
    let all = statements(table);
    let seen = format!("{millis} v").into_bytes();
    let move_to = all.move_to.as_ref().unwrap();
    for (statement, of_living) in [
        (&all.load, 1),
        (&all.find, 1),
        (&all.swap, 1),
        (&all.touch, 1),
        (&all.remove, 1),
        (move_to, 1),
        (&all.page, 1),
        (&all.create, 0),
        (&all.purge, 0),
    ] {
        for (now, expected) in [(millis - 1, of_living), (millis, 1 - of_living)] {
            let (_folder, mut connection) = expiring(table, expiry).await;
            let counted = count(&mut connection, statement, now, &seen).await;
            assert_eq!(counted, expected, "{expiry} at {now}: {statement:?}");
        }
    }
}

#[tokio::test]
async fn a_row_of_a_go_program_is_missing_from_its_expiry_on() {
    let julian = GoTable::scs_sqlite3store();
    for expiry in ["julianday('2031-12-27T17:44:23.126')", "2463228.2391565507"] {
        check_expiry(&julian, expiry, AT).await;
    }
    for table in [GoTable::scs_gormstore(), GoTable::wader_gormstore()].map(gorm) {
        for (text, millis) in [
            ("2031-12-27 17:44:23.126+00:00", AT),
            ("2031-12-28 02:44:23.126+09:00", AT),
            ("2031-12-27 12:44:23.126-05:00", AT),
            ("2031-12-28 07:44:23.126+14:00", AT),
            ("2031-12-27 23:29:23.126+05:45", AT),
            ("2031-12-27 17:44:23.126000499+00:00", AT),
            ("2031-12-27T17:44:23.126Z", AT),
            ("2031-12-27 17:44:23+00:00", AT - 126),
            ("2031-12-27 17:44:23.1+00:00", AT - 26),
        ] {
            check_expiry(&table, &format!("'{text}'"), millis).await;
        }
    }
}

/// SQLite's own functions read some of these as moments.
#[tokio::test]
async fn a_value_that_is_no_moment_is_no_expiry() {
    for table in presets() {
        let all = statements(&table);
        let of_julian = table == GoTable::scs_sqlite3store();
        let values: &[&str] = match of_julian {
            true => &[
                "'2031-12-27 17:44:23+00:00'",
                "'soon'",
                "''",
                "x'39393939393939'",
                "x''",
            ],
            false => &[
                "NULL",
                "9999999",
                "2463228.5",
                "'2463228.5 '",
                "1956159863126",
                "'now'",
                "'soon'",
                "''",
                "'20:00'",
                "'2031-12-27 17:44:23 +0000 UTC'",
                "'2031-12-27 17:44:23+0000'",
                "'2031-02-31 17:44:23+00:00'",
                "'12031-12-27 17:44:23+00:00'",
                "CAST('2031-12-27 17:44:23+00:00' AS BLOB)",
            ],
        };
        for value in values {
            let (folder, mut connection) = expiring(&table, value).await;
            let seen = b"0 v";
            for statement in [
                &all.load,
                &all.find,
                &all.swap,
                &all.touch,
                &all.remove,
                &all.page,
            ] {
                for now in [0, AT] {
                    let counted = count(&mut connection, statement, now, seen).await;
                    assert_eq!(counted, 0, "{value}: {statement:?}");
                }
            }
            // A purge keeps the row, and a creation replaces it.
            let late = 300_000_000_000_000;
            assert_eq!(
                count(&mut connection, &all.purge, late, seen).await,
                0,
                "{value}"
            );
            let backend = folder.go(table.clone()).await;
            saved(&backend, "a", &record("w")).await;
            let stored = backend.load(&key("a")).await.unwrap().unwrap();
            assert_eq!(stored.record.value(), b"w", "{value}");
        }
    }
}

/// An odd number steps through the range.
#[tokio::test]
async fn each_expiry_is_read_as_it_was_written() {
    for table in presets() {
        let folder = Temporary::new();
        let backend = folder.go(table).await;
        let (mut until, end) = (Expiry::now().as_millis() + 100_000, 253_402_214_400_000);
        let mut seen = saved(&backend, "a", &record("v")).await;
        while until < end {
            let expiry = Expiry::from_millis(until);
            let touched = backend.touch(&key("a"), &seen, expiry).await.unwrap();
            seen = touched.done().unwrap();
            let stored = backend.load(&key("a")).await.unwrap().unwrap();
            assert_eq!(stored.record.expiry(), expiry);
            until += 167_772_161_997;
        }
        for (millis, expiry) in [
            (end - 1, Expiry::from_millis(end - 1)),
            (end, Expiry::NEVER),
            (i64::MAX - 1, Expiry::NEVER),
        ] {
            let until = Expiry::from_millis(millis);
            let touched = backend.touch(&key("a"), &seen, until).await.unwrap();
            seen = touched.done().unwrap();
            let stored = backend.load(&key("a")).await.unwrap().unwrap();
            assert_eq!(stored.record.expiry(), expiry);
        }
        // An expiry before 1970 has passed, too.
        for millis in [-1, i64::MIN] {
            saved(
                &backend,
                "b",
                &Record::new("v", Expiry::from_millis(millis)),
            )
            .await;
            assert_eq!(backend.load(&key("b")).await.unwrap(), None);
            assert_eq!(backend.purge(10).await.unwrap().removed, 1);
        }
    }
}

/// SQLite allows NULL in a primary key.
#[tokio::test]
async fn rows_without_a_key_stop_no_purge() {
    for table in presets() {
        let folder = Temporary::new();
        let (name, expiry) = (table.key.name.clone(), table.expiry.name.clone());
        let backend = folder.go(table).await;
        let over = Record::new("v", Expiry::from_millis(1_000));
        for name in ["a", "b", "c", "d"] {
            saved(&backend, name, &over).await;
        }
        let spoil = format!(
            "UPDATE sessions SET {name} = NULL WHERE {name} < 'c';
            CREATE INDEX by_expiry ON sessions ({expiry})"
        );
        execute(&mut folder.connection().await, &spoil).await;
        assert_eq!(backend.purge(2).await.unwrap().removed, 2);
    }
}

/// A purge finds rows by their texts, which do not sort by their moments.
#[tokio::test]
async fn a_purge_removes_the_expired_rows_of_all_zones_and_no_other() {
    let table = GoTable::scs_gormstore();
    let folder = Temporary::new();
    let backend = folder.go(table).await;
    let mut other = folder.connection().await;
    for zone in ["+14:00", "+09:00", "+00:00", "-05:00", "-12:00"] {
        for (name, ends) in [("live", 60), ("over", -60)] {
            let moment = format!("'now', '{zone}', '{ends} seconds'");
            execute(
                &mut other,
                &format!(
                    "INSERT INTO sessions VALUES ('{name}{zone}', x'00',
                        strftime('%Y-%m-%d %H:%M:%f', {moment}) || '{zone}')"
                ),
            )
            .await;
        }
    }
    let limits = [3, 3, 3].map(async |limit| backend.purge(limit).await.unwrap().removed);
    let mut removed = Vec::new();
    for limit in limits {
        removed.push(limit.await);
    }
    assert_eq!(removed, [3, 2, 0]);
    let left = "SELECT count(*) FROM sessions WHERE token LIKE 'live%'";
    assert_eq!(number(&mut other, left).await, 5);
}
