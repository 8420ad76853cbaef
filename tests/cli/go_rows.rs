//! Rows that Go's session stores wrote to SQLite and MariaDB: each is put back by its `insert`, and
//! read to the values that a Go handler reads. The tables in SQLite are opened by the constructors of
//! the Go packages' names.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use silverback::backend::{
    Backend, Expiry, GoMysql, GoTable, GorillaFiles, Key, MysqlOptions, Record,
};
use silverback::codec::{Codecs, KeyPairs, UnixTime};
use silverback::compat::{
    GorillaStore, ScsStore, ScsStoreOptions, scs_gormstore, scs_sqlite3store, wader_gormstore,
};
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
pub(crate) type DialectOf = fn(&Value) -> Dialect;

/// Each row, after the header that says how the table was made.
pub(crate) struct Vectors {
    store: &'static str,
    header: Value,
    pub(crate) rows: Vec<Value>,
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

impl Vectors {
    pub(crate) fn of(store: &'static str) -> Self {
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

    /// Makes a database with the table of the Go package and those rows. `later` is SQL for an
    /// expiry that is `?1` days later.
    pub(crate) async fn database(
        &self,
        name: &str,
        rows: &[&Value],
        later: &str,
    ) -> std::path::PathBuf {
        let name = format!("{}-{name}.db", self.store);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_file(&path);
        let mut connection = connect(&path).await;
        let made = self.header["ddl"].as_array().unwrap().iter();
        for sql in made.chain(rows.iter().map(|row| &row["state"]["insert"])) {
            let sql = AssertSqlSafe(text(sql).to_owned());
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        // The rows were written days ago. A row that was live then is live now.
        let oldest = rows.iter().map(|row| row["at_ms"].as_i64().unwrap()).min();
        let age = Expiry::now().as_millis() - oldest.unwrap();
        let update = AssertSqlSafe(format!("UPDATE sessions SET {later}"));
        let update = sqlx::query(update).bind(age.max(0).div_euclid(DAY) + 1);
        update.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        path
    }

    /// Reads each row, and returns the number of those that are live. `put` makes a table with one
    /// row.
    pub(crate) async fn read(
        &self,
        put: impl AsyncFn(&Value) -> Arc<dyn Backend>,
        dialect: DialectOf,
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

    /// Makes an SQLite database with that row, and returns its path.
    async fn path_of(&self, row: &Value, later: &str) -> String {
        let path = self.database(&row["n"].to_string(), &[row], later).await;
        path.to_str().unwrap().to_owned()
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

pub(crate) async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    let options = options.create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Returns the key pairs of a row of gorilla, newest first.
pub(crate) fn keys_of(row: &Value) -> String {
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

pub(crate) fn scs_dialect(row: &Value) -> Dialect {
    let dialect = Dialect::scs();
    match row["hash_token"] == true {
        true => dialect.hash_token_in_store(true).into(),
        false => dialect.into(),
    }
}

#[tokio::test]
async fn rows_of_scs_sqlite3store_are_read() {
    let vectors = Vectors::of("scs-sqlite3store");
    let put = async |row: &Value| {
        let path = vectors.path_of(row, "expiry = expiry + ?1").await;
        scs_sqlite3store(&path).await.unwrap().backend()
    };
    let live = vectors.read(put, scs_dialect).await;
    assert_eq!(live, 17);
}

/// Returns SQL for a later date, with the same time and zone.
pub(crate) fn later(column: &str) -> String {
    format!("{column} = date(substr({column}, 1, 10), ?1 || ' days') || substr({column}, 11)")
}

#[tokio::test]
async fn rows_of_scs_gormstore_are_read() {
    let vectors = Vectors::of("scs-gormstore-sqlite");
    let put = async |row: &Value| {
        let path = vectors.path_of(row, &later("expiry")).await;
        let store = scs_gormstore(&format!("sqlite:{path}")).await.unwrap();
        store.backend()
    };
    let live = vectors.read(put, scs_dialect).await;
    assert_eq!(live, 17);
}

#[tokio::test]
async fn rows_of_wader_gormstore_are_read() {
    let vectors = Vectors::of("gorilla-wader-gormstore-sqlite");
    let put = async |row: &Value| {
        let path = vectors.path_of(row, &later("expires_at")).await;
        let url = format!("sqlite:{path}");
        let keys = KeyPairs::generate(1).unwrap();
        wader_gormstore(&url, keys).await.unwrap().backend()
    };
    let live = vectors.read(put, gorilla_dialect).await;
    assert_eq!(live, 19);
}

/// Creates a record that expired long ago.
async fn put_expired(backend: &dyn Backend) {
    let key = Key::new("A".repeat(43)).unwrap();
    let expired = Record::new("v", Expiry::from_millis(1_000));
    let created = backend.create(&key, &expired).await.unwrap();
    created.saved().unwrap();
}

/// Waits until the table holds that number of rows.
async fn wait_for_rows(path: &Path, wanted: i64) {
    let mut connection = connect(path).await;
    for _ in 0..600 {
        let count = "SELECT count(*) FROM sessions";
        let count: i64 = sqlx::query_scalar(count)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        if count == wanted {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the table never had {wanted} rows");
}

#[tokio::test]
async fn the_stores_of_scs_remove_expired_rows_and_those_of_wader_only_on_request() {
    let scs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compat-scs.db");
    let wader = scs.with_file_name("compat-wader.db");
    let (scs_path, wader_path) = (scs.to_str().unwrap(), wader.to_str().unwrap());
    for path in [&scs, &wader] {
        let _ = std::fs::remove_file(path);
    }
    let options = ScsStoreOptions::new().cleanup_interval(std::time::Duration::ZERO);
    let (url, table) = (format!("sqlite:{scs_path}"), GoTable::scs_sqlite3store());
    let off = ScsStore::connect_with(&url, table, options).await.unwrap();
    assert_eq!(format!("{off:?}"), "ScsStore { has_cleanup: false, .. }");
    put_expired(&*off.backend()).await;
    wait_for_rows(&scs, 1).await;
    let on = scs_sqlite3store(&url).await.unwrap();
    wait_for_rows(&scs, 0).await;
    on.manager().store().unwrap();
    on.stop_cleanup().await;

    let keys = KeyPairs::generate(1).unwrap();
    let url = format!("sqlite:{wader_path}");
    let store = wader_gormstore(&url, keys).await.unwrap();
    store.named("session").unwrap();
    put_expired(&*store.backend()).await;
    wait_for_rows(&wader, 1).await;
    assert_eq!(store.purge().await.unwrap(), 1);
    wait_for_rows(&wader, 0).await;
    put_expired(&*store.backend()).await;
    let cleanup = store.cleanup(std::time::Duration::from_secs(300), |error| {
        panic!("{error}")
    });
    wait_for_rows(&wader, 0).await;
    cleanup.stop().await;
}

#[tokio::test]
async fn an_error_of_the_cleanup_of_scs_reaches_its_function() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compat-scs-error.db");
    let _ = std::fs::remove_file(&path);
    let store = scs_sqlite3store(path.to_str().unwrap()).await.unwrap();
    let backend = store.backend();
    store.stop_cleanup().await;
    let mut connection = connect(&path).await;
    let drop_table = sqlx::raw_sql("DROP TABLE sessions");
    drop_table.execute(&mut connection).await.unwrap();
    let (sender, mut errors) = tokio::sync::mpsc::unbounded_channel();
    let options = ScsStoreOptions::new().on_cleanup_error(move |error| {
        let _ = sender.send(error.to_string());
    });
    let store = ScsStore::from_backend(backend, options);
    assert!(errors.recv().await.is_some());
    store.stop_cleanup().await;
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

#[tokio::test]
async fn a_backend_that_lists_no_rows_refuses_a_purge() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compat-gorilla-files");
    let files = GorillaFiles::open(&folder).unwrap();
    let store = GorillaStore::new(files, KeyPairs::generate(1).unwrap());
    assert!(store.purge().await.unwrap_err().is_usage());
    std::fs::remove_dir_all(&folder).unwrap();
}
