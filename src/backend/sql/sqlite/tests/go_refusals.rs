//! Tests of tables that cannot be used, and of the file of a Go package's table.

use sqlx::sqlite::SqliteJournalMode;

use super::super::super::go_table::GoTable;
use super::super::go_statements::create_table;
use super::go_rows::{execute, presets, saved};
use super::*;

/// Returns the refusals of a table by each way to it.
async fn refusals(folder: &Temporary, table: &GoTable) -> [Error; 4] {
    let pool = SqlitePoolOptions::new().connect_lazy_with(folder.options());
    let pooled = GoSqlite::from_pool(pool, table.clone(), SqliteOptions::new()).unwrap();
    [
        GoSqlite::open(folder.path(), table.clone())
            .await
            .unwrap_err(),
        GoSqlite::open_with(folder.path(), table.clone(), existing())
            .await
            .unwrap_err(),
        pooled.load(&key("ABC234")).await.unwrap_err(),
        pooled.migrate().await.unwrap_err(),
    ]
}

/// A refusal of a custom table names the column, its type and the required type, and nothing is
/// written.
#[tokio::test]
async fn an_incompatible_go_table_is_refused() {
    let scs = GoTable::scs_sqlite3store;
    let gorm = GoTable::scs_gormstore;
    let wader = GoTable::wader_gormstore;
    let rest = "data BLOB, expiry REAL";
    let dates = "created_at DATETIME, updated_at DATETIME, expires_at DATETIME";
    let unique = "without a unique index that compares bytes";
    for (table, columns, parts) in [
        (
            scs(),
            format!("token INTEGER PRIMARY KEY, {rest}"),
            ["token", "INTEGER", "text"],
        ),
        (
            scs(),
            format!("token STRING PRIMARY KEY, {rest}"),
            ["token", "STRING", "text"],
        ),
        (
            scs(),
            format!("token TEXT, {rest}"),
            ["token", unique, "BINARY"],
        ),
        (
            scs(),
            format!("token TEXT COLLATE NOCASE PRIMARY KEY, {rest}"),
            ["token", unique, "BINARY"],
        ),
        (
            scs(),
            format!("token TEXT COLLATE RTRIM UNIQUE, {rest}"),
            ["token", unique, "BINARY"],
        ),
        (
            scs(),
            format!("token TEXT, tenant TEXT, {rest}, PRIMARY KEY (token, tenant)"),
            ["token", unique, "BINARY"],
        ),
        (
            scs(),
            "token TEXT PRIMARY KEY, data TEXT, expiry REAL".to_owned(),
            ["data", "TEXT", "blob"],
        ),
        (
            scs(),
            "token TEXT PRIMARY KEY, data BLOB, expiry INTEGER".to_owned(),
            ["expiry", "INTEGER", "real"],
        ),
        (
            scs(),
            "token TEXT PRIMARY KEY, data BLOB, expiry DATETIME".to_owned(),
            ["expiry", "DATETIME", "real"],
        ),
        (
            scs(),
            "token TEXT PRIMARY KEY, data BLOB, expiry".to_owned(),
            ["expiry", "of no name", "real"],
        ),
        (
            scs(),
            "token TEXT PRIMARY KEY, payload BLOB, expiry REAL".to_owned(),
            ["data", "no column", "blob"],
        ),
        (
            scs(),
            format!("token TEXT PRIMARY KEY, {rest}, tenant INT NOT NULL"),
            ["tenant", "NOT NULL", "default"],
        ),
        (
            scs(),
            "token TEXT PRIMARY KEY, data BLOB AS (x'00'), expiry REAL".to_owned(),
            ["data", "generated", "blob"],
        ),
        (
            scs(),
            "token TEXT PRIMARY KEY, data BLOB AS (x'00') STORED, expiry REAL".to_owned(),
            ["data", "generated", "blob"],
        ),
        (
            gorm(),
            "token TEXT PRIMARY KEY, data BLOB, expiry REAL".to_owned(),
            ["expiry", "REAL", "datetime"],
        ),
        (
            gorm(),
            "token TEXT PRIMARY KEY, data BLOB, expiry TEXT".to_owned(),
            ["expiry", "TEXT", "datetime"],
        ),
        (
            wader(),
            format!("id TEXT PRIMARY KEY, data NUMERIC, {dates}"),
            ["data", "NUMERIC", "text"],
        ),
        (
            wader(),
            "id TEXT PRIMARY KEY, data TEXT, created_at DATETIME, expires_at DATETIME".to_owned(),
            ["updated_at", "no column", "datetime"],
        ),
    ] {
        let folder = Temporary::new();
        let mut other = folder
            .with(&format!("CREATE TABLE sessions ({columns})"))
            .await;
        for refused in refusals(&folder, &table).await {
            assert!(refused.is_usage(), "{columns}: {refused:?}");
            for part in parts.iter().chain(&["sessions"]) {
                assert!(refused.to_string().contains(part), "{columns}: {refused}");
            }
        }
        let made = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' OR sql IS NOT NULL";
        assert_eq!(number(&mut other, made).await, 1, "{columns}");
    }
}

#[tokio::test]
async fn a_view_or_a_database_in_utf_16_is_refused() {
    for (sql, part) in [
        (
            "CREATE VIEW sessions AS SELECT 'a' AS token, x'00' AS data, 1.5 AS expiry",
            "no column",
        ),
        (
            "CREATE VIRTUAL TABLE sessions USING fts5 (token, data, expiry)",
            "no column",
        ),
        (
            "PRAGMA encoding = 'UTF-16'; CREATE TABLE sessions (token TEXT PRIMARY KEY,
                data BLOB NOT NULL, expiry REAL NOT NULL)",
            "UTF-8",
        ),
        (
            "PRAGMA encoding = 'UTF-16'; CREATE TABLE other (a)",
            "UTF-8",
        ),
    ] {
        let folder = Temporary::new();
        let mut other = folder.with(sql).await;
        let tables = "SELECT count(*) FROM sqlite_schema";
        let before = number(&mut other, tables).await;
        for refused in refusals(&folder, &GoTable::scs_sqlite3store()).await {
            assert!(refused.is_usage(), "{sql}: {refused:?}");
            assert!(refused.to_string().contains(part), "{refused}");
        }
        assert_eq!(number(&mut other, tables).await, before, "{sql}");
    }
}

#[tokio::test]
async fn a_table_of_another_database_is_refused() {
    let folder = Temporary::new();
    for table in [
        GoTable::pgstore(),
        GoTable::scs_postgresstore(),
        GoTable::scs_mysqlstore(),
        GoTable::scs_sqlite3store().without_max_age(Duration::from_secs(1)),
        GoTable::wader_gormstore().without_max_age(Duration::from_secs(1)),
        GoTable::scs_sqlite3store().named(""),
    ] {
        let pool = SqlitePoolOptions::new().connect_lazy_with(folder.options());
        for refused in [
            GoSqlite::open(folder.path(), table.clone()).await,
            GoSqlite::from_pool(pool, table.clone(), SqliteOptions::new()),
        ] {
            assert!(refused.unwrap_err().is_usage(), "{table:?}");
        }
    }
    assert!(!folder.path().exists(), "nothing was created");
    let refused = GoSqlite::open(folder.path(), GoTable::scs_postgresstore())
        .await
        .unwrap_err();
    let message = "the GoTable is for Postgres, and the database is SQLite";
    assert!(refused.to_string().contains(message), "{refused}");
}

/// SQLite ignores the case of names, and each type stands for its affinity.
#[tokio::test]
async fn a_custom_go_table_is_used() {
    let real = "Expiry DOUBLE PRECISION";
    let dates = "created_at timestamp, Updated_At DateTime, expires_at TIMESTAMP";
    for (table, columns) in [
        (
            GoTable::scs_sqlite3store(),
            format!("Token CHAR(43) PRIMARY KEY, DATA, {real}"),
        ),
        (
            GoTable::scs_sqlite3store(),
            format!("token BLOB UNIQUE, data LONGBLOB, {real}, id INTEGER PRIMARY KEY NOT NULL"),
        ),
        (
            GoTable::scs_sqlite3store(),
            format!("token TEXT COLLATE NOCASE, data BLOB, {real}, UNIQUE (token COLLATE BINARY)"),
        ),
        (
            GoTable::scs_gormstore(),
            "token varchar(43) PRIMARY KEY, data blob, expiry datetime) WITHOUT ROWID; \
             CREATE TABLE other (column_of_it"
                .to_owned(),
        ),
        (
            GoTable::wader_gormstore(),
            format!("id VARCHAR(191) PRIMARY KEY, data BLOB, {dates}, more INT NOT NULL DEFAULT 7"),
        ),
    ] {
        let folder = Temporary::new();
        drop(
            folder
                .with(&format!("CREATE TABLE sessions ({columns})"))
                .await,
        );
        let backend = folder.go(table).await;
        for name in ["a", "A", "a-"] {
            let seen = saved(&backend, name, &record(name)).await;
            let swapped = backend.swap(&key(name), &seen, &record(name)).await;
            swapped.unwrap().done().unwrap();
        }
        for name in ["a", "A", "a-"] {
            let stored = backend.load(&key(name)).await.unwrap().unwrap();
            assert_eq!(stored.record.value(), name.as_bytes(), "{columns}");
        }
        let page = backend.page(None, 10).await.unwrap();
        assert_eq!(page.entries.len(), 3);
        saved(&backend, "over", &Record::new("v", Expiry::from_millis(1))).await;
        assert_eq!(backend.purge(10).await.unwrap().removed, 1);
    }
}

#[tokio::test]
async fn a_missing_go_table_is_not_created_without_leave() {
    let folder = Temporary::new();
    for table in presets() {
        let refused = GoSqlite::open_with(folder.path(), table.clone(), existing()).await;
        assert!(refused.unwrap_err().is_usage());
        assert!(!folder.path().exists());
    }
    drop(folder.with("CREATE TABLE other (a)").await);
    for table in presets() {
        let refused = GoSqlite::open_with(folder.path(), table.clone(), existing()).await;
        let refused = refused.unwrap_err();
        assert!(refused.is_usage() && refused.to_string().contains("\"sessions\""));
    }
    drop(folder.go(GoTable::scs_sqlite3store()).await);
    let opened = GoSqlite::open_with(folder.path(), GoTable::scs_sqlite3store(), existing());
    opened.await.unwrap();
}

/// A Go program may rely on the mode of its file.
#[tokio::test]
async fn an_existing_go_table_keeps_its_journal_mode() {
    let mode = async |folder: &Temporary| -> String {
        let mut connection = folder.connection().await;
        let mode = sqlx::query_scalar("PRAGMA journal_mode");
        mode.fetch_one(&mut connection).await.unwrap()
    };
    let table = GoTable::scs_sqlite3store();
    let folder = Temporary::new();
    drop(folder.go(table.clone()).await);
    assert_eq!(mode(&folder).await, "wal");
    let folder = Temporary::new();
    let delete = folder
        .options()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Delete);
    let mut connection = SqliteConnection::connect_with(&delete).await.unwrap();
    execute(&mut connection, &create_table(&table)).await;
    let backend = folder.go(table).await;
    saved(&backend, "a", &record("v")).await;
    assert_eq!(mode(&folder).await, "delete");
}

#[tokio::test]
async fn concurrent_openings_create_one_go_table() {
    let folder = Temporary::new();
    let openings: Vec<_> = (0..8)
        .map(|_| {
            let path = folder.path();
            tokio::spawn(async move { GoSqlite::open(path, GoTable::scs_gormstore()).await })
        })
        .collect();
    for opening in openings {
        opening.await.unwrap().unwrap();
    }
    let mut other = folder.connection().await;
    let made =
        "SELECT count(*) FROM sqlite_schema WHERE name IN ('sessions', 'idx_sessions_expiry')";
    assert_eq!(number(&mut other, made).await, 2);
}
