use std::sync::Arc;
use std::time::Duration;

use silverback::backend::{Backend, GoSqlite, GoTable, Sqlite, SqliteOptions};
use silverback::compat::scs_sqlite3store;
use sqlx::{Connection, SqliteConnection, SqlitePool};

use super::capture;
use super::operations::Secrets;
use super::scratch::Scratch;

/// Longer than sqlx's threshold for slow statements.
const SLOW: Duration = Duration::from_millis(1_300);

/// Runs all operations fast, and then slowly, while another connection writes.
async fn try_both(url: &str, backend: Arc<dyn Backend>) {
    let secrets = Secrets::new();
    secrets.try_all(&*backend).await.unwrap();
    let mut other = SqliteConnection::connect(url).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    let slow = Secrets::new();
    let (key, record) = (slow.key(), slow.record());
    let unlocked = async {
        tokio::time::sleep(SLOW).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    };
    let (created, ()) = tokio::join!(backend.create(&key, &record), unlocked);
    created.unwrap().saved().unwrap();
    secrets.are_not_logged();
    slow.are_not_logged();
}

#[tokio::test]
async fn no_secret_of_a_file_or_a_pool_is_logged() {
    capture::start();
    let scratch = Scratch::new("SILVERBACK_LOGS");
    let path = scratch.path().join("sessions.db");
    let backend = Sqlite::open(&path).await.unwrap();
    let url = format!("sqlite:{}", path.display());
    try_both(&url, Arc::new(backend)).await;
    let pool = SqlitePool::connect(&url).await.unwrap();
    let backend = Sqlite::from_pool(pool, SqliteOptions::new()).unwrap();
    try_both(&url, Arc::new(backend)).await;
}

#[tokio::test]
async fn no_secret_of_tables_of_go_in_sqlite_is_logged() {
    capture::start();
    let scratch = Scratch::new("SILVERBACK_LOGS");
    for (number, table) in [
        GoTable::scs_sqlite3store(),
        GoTable::scs_gormstore(),
        GoTable::wader_gormstore(),
    ]
    .into_iter()
    .enumerate()
    {
        let path = scratch.path().join(format!("go_{number}.db"));
        let backend = GoSqlite::open(&path, table).await.unwrap();
        let url = format!("sqlite:{}", path.display());
        try_both(&url, Arc::new(backend)).await;
    }
}

#[tokio::test]
async fn an_error_of_the_cleanup_of_scs_is_logged() {
    capture::start();
    let scratch = Scratch::new("SILVERBACK_LOGS");
    let path = scratch.path().join("scs.db");
    let url = format!("sqlite:{}", path.display());
    scs_sqlite3store(&url).await.unwrap().stop_cleanup().await;
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    // The table stays, but nothing can be removed from it.
    let refuse =
        "CREATE TRIGGER refuse BEFORE DELETE ON sessions BEGIN SELECT RAISE(FAIL, 'no'); END;
        INSERT INTO sessions VALUES ('token', x'00', 0)";
    sqlx::raw_sql(refuse)
        .execute(&mut connection)
        .await
        .unwrap();
    let store = scs_sqlite3store(&url).await.unwrap();
    let message = b"the cleanup of expired sessions failed";
    for _ in 0..600 {
        if !capture::lines_with(message).is_empty() {
            return store.stop_cleanup().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the error was not logged");
}
