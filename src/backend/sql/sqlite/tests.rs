//! Tests for SQLite only. The laws of all backends are in `conformance`.

mod go_moments;
mod go_refusals;
mod go_rows;
mod moments;

mod opening;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection, SqliteConnection};

use super::super::engine::Engine;
use super::statements::STATEMENTS;
use super::*;
use crate::backend::{Backend, Generations, Owner, Owners, Scan};

/// A folder that is removed when the test ends.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        let name = base16ct::lower::encode_string(Generation::random().unwrap().as_bytes());
        let folder = std::env::temp_dir().join(format!("silverback-{name}"));
        std::fs::create_dir(&folder).unwrap();
        Temporary(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.join("sessions.db")
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new().filename(self.path())
    }

    async fn open(&self) -> Sqlite {
        Sqlite::open(self.path()).await.unwrap()
    }

    /// Opens a connection as another program does.
    async fn connection(&self) -> SqliteConnection {
        SqliteConnection::connect_with(&self.options())
            .await
            .unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Options that create nothing.
fn existing() -> SqliteOptions {
    SqliteOptions::new().create_if_missing(false)
}

async fn run(connection: &mut SqliteConnection, statement: &'static str) {
    sqlx::raw_sql(statement).execute(connection).await.unwrap();
}

async fn number(connection: &mut SqliteConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query)
        .fetch_one(connection)
        .await
        .unwrap()
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn soon() -> Expiry {
    Expiry::after(Duration::from_secs(600))
}

fn record(value: &str) -> Record {
    Record::new(value, soon())
}

/// Creates a record under a key that has none.
async fn create(backend: &impl Backend, key: &Key, record: &Record) {
    let created = backend.create(key, record).await;
    created.unwrap().saved().unwrap();
}

fn owner_name(name: &str) -> OwnerName {
    OwnerName::new(name).unwrap()
}

fn owned(owner: &str, login: Login) -> Record {
    let name = owner_name(owner);
    record("v").owned_by(Owner { name, login })
}

/// Begins a login, which names another key than its record will have.
async fn begin_login(backend: &Sqlite, owner: &str) -> Login {
    let begun = backend
        .begin(&owner_name(owner), soon(), &key("elsewhere"))
        .await;
    begun.unwrap()
}

#[tokio::test]
async fn no_other_user_can_read_the_files() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    create(&backend, &key("a"), &record("v")).await;
    let files: Vec<_> = std::fs::read_dir(&folder.0).unwrap().collect();
    assert_eq!(files.len(), 3, "the database, its log, and the log's index");
    #[cfg(unix)]
    for file in files {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn an_invalid_row_is_an_error_for_its_key_only() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    let login = begin_login(&backend, "ape").await;
    for name in ["a", "b"] {
        let created = backend.create(&key(name), &owned("ape", login)).await;
        created.unwrap().saved().unwrap();
    }
    let mut other = folder.connection().await;
    let spoil = "UPDATE silverback_owners SET kept_generation = x'00', kept_login = 1;
        UPDATE silverback_sessions SET generation = x'00' WHERE key = CAST('a' AS BLOB)";
    run(&mut other, spoil).await;
    assert!(backend.load(&key("a")).await.unwrap_err().is_corrupt());
    assert!(backend.load(&key("b")).await.unwrap().is_some());
}

/// The statement returns its first row, and then its commit fails.
#[tokio::test]
async fn a_write_that_fails_at_commit_is_not_acknowledged() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    let stored = backend.extend(&owner_name("bonobo"), soon()).await.unwrap();
    let mut other = folder.connection().await;
    let fail = "CREATE TABLE elsewhere (id INTEGER PRIMARY KEY);
        CREATE TABLE late (id REFERENCES elsewhere (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER at_the_end_1 AFTER INSERT ON silverback_owners
            BEGIN INSERT INTO late VALUES (1); END;
        CREATE TRIGGER at_the_end_2 AFTER INSERT ON silverback_sessions
            BEGIN INSERT INTO late VALUES (1); END";
    run(&mut other, fail).await;
    let refusals = [
        backend.extend(&owner_name("ape"), soon()).await.map(drop),
        backend.revoke(&owner_name("ape"), soon()).await.map(drop),
        backend.create(&key("a"), &record("v")).await.map(drop),
    ];
    for refused in refusals.map(Result::unwrap_err) {
        assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
    }
    assert_eq!(backend.generation(&owner_name("ape")).await.unwrap(), None);
    assert_eq!(backend.load(&key("a")).await.unwrap(), None);
    assert_eq!(
        backend.generation(&owner_name("bonobo")).await.unwrap(),
        Some(stored)
    );
}

#[tokio::test]
async fn a_value_longer_than_a_row_is_too_large() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    // Zeros that are never read take no memory.
    let large = Record::new(vec![0; <Connections as Engine>::LARGEST], soon());
    let refused = backend.create(&key("a"), &large).await.unwrap_err();
    assert!(refused.is_too_large() && refused.to_string().contains("1000000000"));
}

#[tokio::test]
async fn a_purge_removes_all_expired_and_revoked_rows() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    let login = begin_login(&backend, "ape").await;
    let kept = begin_login(&backend, "ape").await;
    for (name, login) in [("revoked", login), ("kept", kept)] {
        let created = backend.create(&key(name), &owned("ape", login)).await;
        created.unwrap().saved().unwrap();
    }
    backend
        .revoke_except(&owner_name("ape"), soon(), &kept)
        .await
        .unwrap();
    create(&backend, &key("late"), &owned("ape", login)).await;
    create(&backend, &key("unknown"), &owned("unknown", login)).await;
    assert_eq!(backend.purge(2).await.unwrap().removed, 2);
    assert_eq!(backend.purge(2).await.unwrap().removed, 1);
    assert!(backend.load(&key("kept")).await.unwrap().is_some());
    // A purge removes the records of an expired owner, even after a new login of that owner.
    let mut other = folder.connection().await;
    let expire = "UPDATE silverback_owners SET expiry = 1";
    run(&mut other, expire).await;
    let next = begin_login(&backend, "ape").await;
    assert_eq!(backend.purge(10).await.unwrap().removed, 1);
    create(&backend, &key("new"), &owned("ape", next)).await;
    run(&mut other, expire).await;
    assert_eq!(backend.load(&key("new")).await.unwrap(), None);
    assert_eq!(backend.purge(10).await.unwrap().removed, 1);
    for left in [
        "SELECT count(*) FROM silverback_sessions",
        "SELECT count(*) FROM silverback_owners",
    ] {
        assert_eq!(number(&mut other, left).await, 0, "{left}");
    }
}

#[tokio::test]
async fn a_cancelled_write_is_applied_whole_or_not_at_all() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    for round in 0..200_u64 {
        let (key, backend) = (key(&round.to_string()), backend.clone());
        let create = {
            let (key, backend) = (key.clone(), backend.clone());
            async move { backend.create(&key, &record("v")).await }
        };
        let _ = tokio::time::timeout(Duration::from_micros(round * 10), create).await;
        // Whether it was applied or not, the next operation works.
        let found = backend.load(&key).await.unwrap();
        assert!(found.is_none_or(|stored| stored.record.value() == b"v"));
        let _either = backend.create(&key, &record("v")).await.unwrap();
    }
    let page = backend.page(None, usize::MAX).await.unwrap();
    assert_eq!(page.entries.len(), 200);
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_index() {
    let folder = Temporary::new();
    drop(folder.open().await);
    let mut connection = folder.connection().await;
    for statement in STATEMENTS.all() {
        let statement = statement.sql.as_str();
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
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
        }
    }
}

#[tokio::test]
async fn a_url_names_its_file() {
    let folder = Temporary::new();
    for (prefix, name) in [("sqlite:", "a.db"), ("sqlite://", "b.db")] {
        let path = folder.0.join(name);
        let url = format!("{prefix}{}", path.display());
        crate::backend::connect(&url).await.unwrap();
        assert!(path.is_file());
        let backend = Sqlite::open(&path).await.unwrap();
        assert_eq!(format!("{backend:?}"), format!("Sqlite({path:?})"));
    }
}

#[tokio::test]
async fn tables_with_other_columns_are_refused_and_unchanged() {
    for (table, named) in [
        (
            "CREATE TABLE silverback_sessions (key TEXT, revision BLOB, expiry TEXT,
                owner BLOB, generation BLOB, value BLOB)",
            "\"key\"",
        ),
        (
            "CREATE TABLE silverback_sessions (key BLOB, revision BLOB, expiry REAL,
                owner BLOB, generation BLOB, value BLOB)",
            "\"expiry\"",
        ),
        (
            "CREATE TABLE silverback_owners (name BLOB, expiry INTEGER)",
            "\"generation\"",
        ),
    ] {
        let folder = Temporary::new();
        let options = folder.options().create_if_missing(true);
        let mut other = SqliteConnection::connect_with(&options).await.unwrap();
        run(&mut other, table).await;
        let refusals = [
            Sqlite::open(folder.path()).await,
            Sqlite::open_with(folder.path(), existing()).await,
        ];
        for refused in refusals.map(Result::unwrap_err) {
            assert!(refused.is_usage(), "{refused:?}");
            assert!(refused.to_string().contains(named), "{refused}");
        }
        let tables = "SELECT count(*) FROM sqlite_schema";
        assert_eq!(number(&mut other, tables).await, 1);
    }
}

#[tokio::test]
async fn a_page_skips_and_reports_an_invalid_row() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    for name in ["a", "b", "c", "d"] {
        create(&backend, &key(name), &record("v")).await;
    }
    let mut other = folder.connection().await;
    let spoil = "UPDATE silverback_sessions SET owner = x'ff', generation = x'00' WHERE key IN (CAST('b' AS BLOB), CAST('c' AS BLOB));
        INSERT INTO silverback_owners VALUES (x'ff', x'00', 9223372036854775807, 1, NULL, NULL)";
    run(&mut other, spoil).await;
    let (mut found, mut skipped, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let page = backend.page(after.as_ref(), 1).await.unwrap();
        found.extend(page.entries.into_iter().map(|entry| entry.key));
        skipped.extend(page.skipped);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, [key("a"), key("d")]);
    assert_eq!(skipped.len(), 2);
    assert!(skipped.iter().all(Error::is_corrupt));
}

#[tokio::test]
async fn a_ping_of_a_closed_pool_is_unavailable() {
    let folder = Temporary::new();
    drop(folder.open().await);
    let pool = SqlitePoolOptions::new().connect_lazy_with(folder.options());
    let backend = Sqlite::from_pool(pool.clone(), SqliteOptions::new()).unwrap();
    backend.ping().await.unwrap();
    pool.close().await;
    assert!(backend.ping().await.unwrap_err().is_unavailable());
}
