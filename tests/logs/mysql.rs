use std::sync::{Arc, OnceLock};
use std::time::Duration;

use silverback::backend::{Backend, GoMysql, GoTable, Mysql, MysqlOptions};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, MySqlPool};

use super::capture;
use super::operations::{Secrets, capture_errors};
use super::required::not_run;
use super::servers::mariadb::MariaDbServer;

/// Longer than sqlx's threshold for slow statements.
const SLOW: Duration = Duration::from_millis(1_300);

/// Returns the URL of the server.
fn url() -> Option<String> {
    static SERVER: OnceLock<Result<MariaDbServer, String>> = OnceLock::new();
    match SERVER.get_or_init(MariaDbServer::start) {
        Ok(server) => Some(server.url()),
        Err(why) => {
            not_run("mariadb", why);
            None
        }
    }
}

/// Runs all operations fast, and then slowly, while another connection locks the table.
async fn try_both(url: &str, table: &str, backend: Arc<dyn Backend>) {
    let secrets = Secrets::new();
    secrets.try_all(&*backend).await.unwrap();
    let mut other = MySqlConnection::connect(url).await.unwrap();
    let lock = format!("LOCK TABLES {table} WRITE");
    let locked = sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut other).await;
    locked.unwrap();
    let slow = Secrets::new();
    let (key, record) = (slow.key(), slow.record());
    let both = async { tokio::join!(backend.create(&key, &record), backend.load(&key)) };
    let unlocked = async {
        tokio::time::sleep(SLOW).await;
        let unlock = sqlx::raw_sql("UNLOCK TABLES").execute(&mut other).await;
        unlock.unwrap();
    };
    let ((created, loaded), ()) = tokio::join!(both, unlocked);
    created.unwrap().saved().unwrap();
    loaded.unwrap();
    secrets.are_not_logged();
    slow.are_not_logged();
}

fn tables() -> [GoTable; 3] {
    [
        GoTable::scs_mysqlstore(),
        GoTable::scs_gormstore(),
        GoTable::wader_gormstore(),
    ]
}

#[tokio::test]
async fn no_secret_of_the_native_table_is_logged() {
    capture::start();
    let Some(url) = url() else { return };
    let backend = Mysql::connect(&url).await.unwrap();
    try_both(&url, "silverback_sessions", Arc::new(backend)).await;
}

#[tokio::test]
async fn no_secret_of_tables_of_go_is_logged() {
    capture::start();
    let Some(url) = url() else { return };
    for (number, table) in tables().into_iter().enumerate() {
        let name = format!("go_{number}");
        let backend = GoMysql::connect(&url, table.named(&*name)).await.unwrap();
        try_both(&url, &name, Arc::new(backend)).await;
    }
}

/// The pool logs the application's other statements only until it is passed in.
#[tokio::test]
async fn no_secret_of_a_given_pool_is_logged() {
    capture::start();
    let Some(url) = url() else { return };
    for (number, table) in tables().into_iter().enumerate() {
        let options: MySqlConnectOptions = url.parse().unwrap();
        let pool = MySqlPool::connect_lazy_with(options.timezone(None));
        let name = format!("given_{number}");
        let backend = GoMysql::from_pool(pool, table.named(&*name), MysqlOptions::new()).unwrap();
        backend.migrate().await.unwrap();
        try_both(&url, &name, Arc::new(backend)).await;
    }
    let pool = MySqlPool::connect_lazy(&url).unwrap();
    let backend = Mysql::from_pool(pool, MysqlOptions::new()).unwrap();
    backend.migrate().await.unwrap();
    try_both(&url, "silverback_sessions", Arc::new(backend)).await;
}

/// The server refuses these statements: its message quotes the key or the value.
#[tokio::test]
async fn no_secret_of_refused_statements_is_logged() {
    capture::start();
    let Some(url) = url() else { return };
    for (number, table) in tables().into_iter().enumerate() {
        let name = format!("refusing_{number}");
        let backend = GoMysql::connect(&url, table.named(&*name)).await.unwrap();
        let pool = MySqlPool::connect(&url).await.unwrap();
        let check = format!("ALTER TABLE {name} ADD CHECK (OCTET_LENGTH(data) < 3)");
        sqlx::raw_sql(AssertSqlSafe(check))
            .execute(&pool)
            .await
            .unwrap();
        let secrets = Secrets::new();
        let refused = backend.create(&secrets.key(), &secrets.record()).await;
        assert!(refused.is_err());
        capture_errors(refused);
        secrets.are_not_logged();
    }
}
