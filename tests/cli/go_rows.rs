//! Rows that Go's session stores wrote to SQLite: each is put back by its `insert`, and read to the
//! values that a Go handler reads.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use silverback::backend::{Expiry, GoSqlite, GoTable};
use silverback::codec::{Codecs, KeyPairs, UnixTime};
use silverback::gob;
use silverback::session::{CookieOptions, Dialect, ServerOptions, ServerStore};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::vectors::json_of_gob;

const DAY: i64 = 86_400_000;

/// Each row, after the header that says how the table was made.
struct Vectors {
    store: &'static str,
    header: Value,
    rows: Vec<Value>,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

impl Vectors {
    fn of(store: &'static str) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let lines = std::fs::read_to_string(format!("{root}/tests/vectors/stores/{store}.jsonl"));
        let lines = lines.unwrap();
        let mut lines = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let header = lines.next().unwrap();
        assert_eq!(header["header"], true);
        let rows: Vec<Value> = lines.collect();
        assert_eq!(rows.len(), 20);
        Vectors {
            store,
            header,
            rows,
        }
    }

    /// Makes a database with the table of the Go package and that row. `later` is SQL for an expiry
    /// that is `?1` days later.
    async fn database(&self, row: &Value, later: &str) -> std::path::PathBuf {
        let name = format!("{}-{}.db", self.store, row["n"]);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_file(&path);
        let options = SqliteConnectOptions::new().filename(&path);
        let options = options.create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let made = self.header["ddl"].as_array().unwrap().iter();
        for sql in made.chain([&row["state"]["insert"]]) {
            let sql = AssertSqlSafe(text(sql).to_owned());
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        // The row was written days ago. A row that was live then is live now.
        let age = Expiry::now().as_millis() - row["at_ms"].as_i64().unwrap();
        let update = AssertSqlSafe(format!("UPDATE sessions SET {later}"));
        let update = sqlx::query(update).bind(age.max(0).div_euclid(DAY) + 1);
        update.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        path
    }

    /// Reads each row, and returns the number of those that are live.
    async fn read(&self, table: &GoTable, later: &str, dialect: fn(&Value) -> Dialect) -> usize {
        let mut live = 0;
        for row in &self.rows {
            let path = self.database(row, later).await;
            let backend = GoSqlite::open(path, table.clone()).await.unwrap();
            let cookie = CookieOptions::new()
                .name(text(&row["cookie_name"]))
                .unwrap();
            let at = UnixTime::from_secs(row["at_ms"].as_u64().unwrap() / 1_000);
            let options = ServerOptions::new().cookie(cookie).clock(move || at);
            let store =
                ServerStore::with_options(dialect(row), Arc::new(backend), options).unwrap();
            let cookie = match text(&row["cookie"]) {
                "" => text(&row["token"]),
                cookie => cookie,
            };
            let found = store.find_by_cookie(cookie).await.unwrap().found();
            let (case, want) = (&row["case"], &row["want"]);
            assert_eq!(found.is_some(), !want.is_null(), "{}: {row}", self.store);
            let Some(found) = found else { continue };
            let values = gob::Value::Composite(found.values().to_gob());
            assert_eq!(
                json_of_gob(&values.to_vec()),
                *want,
                "{}: {case}",
                self.store
            );
            live += 1;
        }
        live
    }
}

/// Returns the key pairs of a row of gorilla, newest first.
fn keys_of(row: &Value) -> String {
    let pair = |prefix: &str| {
        let hash_key = text(&row[format!("{prefix}hash_key")]);
        let block_key = text(&row[format!("{prefix}block_key")]);
        match block_key {
            "" => hash_key.to_owned(),
            block_key => format!("{hash_key}:{block_key}"),
        }
    };
    match pair("newer_") {
        newer if newer.is_empty() => pair(""),
        newer => format!("{newer},{}", pair("")),
    }
}

fn gorilla_dialect(row: &Value) -> Dialect {
    let pairs: KeyPairs = keys_of(row).parse().unwrap();
    Dialect::gorilla(Codecs::from_pairs(pairs).unwrap()).into()
}

fn scs_dialect(row: &Value) -> Dialect {
    let dialect = Dialect::scs();
    match row["hash_token"] == true {
        true => dialect.hash_token_in_store(true).into(),
        false => dialect.into(),
    }
}

#[tokio::test]
async fn rows_of_scs_sqlite3store_are_read() {
    let vectors = Vectors::of("scs-sqlite3store");
    let table = GoTable::scs_sqlite3store();
    let later = "expiry = expiry + ?1";
    let live = vectors.read(&table, later, scs_dialect).await;
    assert_eq!(live, 17);
}

/// Returns SQL for a later date, with the same time and zone.
fn later(column: &str) -> String {
    format!("{column} = date(substr({column}, 1, 10), ?1 || ' days') || substr({column}, 11)")
}

#[tokio::test]
async fn rows_of_scs_gormstore_are_read() {
    let vectors = Vectors::of("scs-gormstore-sqlite");
    let table = GoTable::scs_gormstore();
    let later = later("expiry");
    let live = vectors.read(&table, &later, scs_dialect).await;
    assert_eq!(live, 17);
}

#[tokio::test]
async fn rows_of_wader_gormstore_are_read() {
    let vectors = Vectors::of("gorilla-wader-gormstore-sqlite");
    let table = GoTable::wader_gormstore();
    let later = later("expires_at");
    let live = vectors.read(&table, &later, gorilla_dialect).await;
    assert_eq!(live, 19);
}
