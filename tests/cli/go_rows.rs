//! Rows that Go's session stores wrote to SQLite and MariaDB: each is put back by its `insert`, and
//! read to the values that a Go handler reads.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use silverback::backend::{Backend, Expiry, GoMysql, GoSqlite, GoTable, MysqlOptions};
use silverback::codec::{Codecs, KeyPairs, UnixTime};
use silverback::gob;
use silverback::session::{CookieOptions, Dialect, ServerOptions, ServerStore};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, MySqlPool, SqliteConnection};

use crate::required::not_run;
use crate::servers::mariadb::MariaDbServer;
use crate::vectors::json_of_gob;

const DAY: i64 = 86_400_000;

/// The dialect of a row.
type DialectOf = fn(&Value) -> Dialect;

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

    /// Reads each row, and returns the number of those that are live. `put` makes a table with one
    /// row.
    async fn read(
        &self,
        put: impl AsyncFn(&Value) -> Arc<dyn Backend>,
        dialect: fn(&Value) -> Dialect,
    ) -> usize {
        let mut live = 0;
        for row in &self.rows {
            let backend = put(row).await;
            let cookie = CookieOptions::new()
                .name(text(&row["cookie_name"]))
                .unwrap();
            let at = UnixTime::from_secs(row["at_ms"].as_u64().unwrap() / 1_000);
            let options = ServerOptions::new().cookie(cookie).clock(move || at);
            let store = ServerStore::with_options(dialect(row), backend, options).unwrap();
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

    /// Returns the statements that make the table with that row.
    fn statements<'v>(&'v self, row: &'v Value) -> impl Iterator<Item = &'v str> {
        let made = self.header["ddl"].as_array().unwrap().iter();
        let made = made.chain([&row["state"]["insert"]]);
        made.map(text).filter(|statement| !statement.is_empty())
    }

    /// Makes an SQLite database with that row. `later` is SQL for an expiry that is `?1` days later:
    /// the row was written days ago, and a row that was live then is live now.
    async fn in_sqlite(&self, row: &Value, table: &GoTable, later: &str) -> Arc<dyn Backend> {
        let name = format!("{}-{}.db", self.store, row["n"]);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_file(&path);
        let options = SqliteConnectOptions::new().filename(&path);
        let options = options.create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        for sql in self.statements(row) {
            let sql = AssertSqlSafe(sql.to_owned());
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        let age = Expiry::now().as_millis() - row["at_ms"].as_i64().unwrap();
        let update = AssertSqlSafe(format!("UPDATE sessions SET {later}"));
        let update = sqlx::query(update).bind(age.max(0).div_euclid(DAY) + 1);
        update.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let backend = GoSqlite::open(path, table.clone()).await.unwrap();
        Arc::new(backend)
    }

    /// Makes a database of the server with that row. Its only connection has the time at which the
    /// row was written.
    async fn in_mariadb(
        &self,
        server: &MariaDbServer,
        row: &Value,
        table: &GoTable,
    ) -> Arc<dyn Backend> {
        let name = format!("{}_{}", self.store.replace('-', "_"), row["n"]);
        let all = MySqlPool::connect(&server.url()).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(create).execute(&all).await.unwrap();
        let options: MySqlConnectOptions = server.url_of(&name).parse().unwrap();
        let pool = MySqlPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None);
        let pool = pool.connect_with(options.timezone(None)).await.unwrap();
        let at = row["at_ms"].as_f64().unwrap() / 1_000.0;
        let clock = format!("SET timestamp = {at:.3}");
        for sql in self.statements(row).chain([&*clock]) {
            let sql = AssertSqlSafe(sql.to_owned());
            sqlx::raw_sql(sql).execute(&pool).await.unwrap();
        }
        let backend = GoMysql::from_pool(pool, table.clone(), MysqlOptions::new());
        Arc::new(backend.unwrap())
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
    let put = async |row: &Value| vectors.in_sqlite(row, &table, later).await;
    let live = vectors.read(put, scs_dialect).await;
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
    let put = async |row: &Value| vectors.in_sqlite(row, &table, &later).await;
    let live = vectors.read(put, scs_dialect).await;
    assert_eq!(live, 17);
}

#[tokio::test]
async fn rows_of_wader_gormstore_are_read() {
    let vectors = Vectors::of("gorilla-wader-gormstore-sqlite");
    let table = GoTable::wader_gormstore();
    let later = later("expires_at");
    let put = async |row: &Value| vectors.in_sqlite(row, &table, &later).await;
    let live = vectors.read(put, gorilla_dialect).await;
    assert_eq!(live, 19);
}

#[tokio::test]
async fn rows_of_stores_in_mariadb_are_read() {
    // The rows were written on a server in UTC.
    let server = match MariaDbServer::start() {
        Ok(server) => server,
        Err(why) => return not_run("mariadb", &why),
    };
    let stores: [(&str, GoTable, DialectOf, usize); 3] = [
        ("scs-mysqlstore", GoTable::scs_mysqlstore(), scs_dialect, 16),
        (
            "scs-gormstore-mysql",
            GoTable::scs_gormstore(),
            scs_dialect,
            17,
        ),
        (
            "gorilla-wader-gormstore-mysql",
            GoTable::wader_gormstore(),
            gorilla_dialect,
            16,
        ),
    ];
    for (store, table, dialect, expected) in stores {
        let vectors = Vectors::of(store);
        let put = async |row: &Value| vectors.in_mariadb(&server, row, &table).await;
        assert_eq!(vectors.read(put, dialect).await, expected, "{store}");
    }
}
