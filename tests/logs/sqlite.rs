use std::sync::Arc;
use std::time::Duration;

use silverback::backend::{Backend, Sqlite};
use sqlx::{Connection, SqliteConnection, SqlitePool};

use super::captured;
use super::scratch::Scratch;
use super::tried::Secrets;

/// Longer than sqlx takes for slow.
const SLOW: Duration = Duration::from_millis(1_300);

/// Does all, quickly, and slowly: while another connection writes.
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
async fn nothing_secret_is_logged_of_a_file_or_a_pool() {
    captured::capture();
    let scratch = Scratch::new("SILVERBACK_LOGS");
    let path = scratch.path().join("sessions.db");
    let backend = Sqlite::open(&path).await.unwrap();
    let url = format!("sqlite:{}", path.display());
    try_both(&url, Arc::new(backend)).await;
    let pool = SqlitePool::connect(&url).await.unwrap();
    try_both(&url, Arc::new(Sqlite::with_pool(pool))).await;
}
