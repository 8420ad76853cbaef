use std::sync::{Arc, OnceLock};
use std::time::Duration;

use silverback::backend::{Backend, GoPostgres, GoTable, Postgres, PostgresOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use super::capture;
use super::operations::{Secrets, capture_errors};
use super::required::not_run;
use super::servers::postgres::PostgresServer;

/// Longer than sqlx's threshold for slow statements.
const SLOW: Duration = Duration::from_millis(1_300);

/// Returns the URL of the server.
fn url() -> Option<String> {
    static SERVER: OnceLock<Result<PostgresServer, String>> = OnceLock::new();
    match SERVER.get_or_init(PostgresServer::start) {
        Ok(server) => Some(server.url()),
        Err(why) => {
            not_run("postgres", why);
            None
        }
    }
}

/// Runs all operations fast, and then slowly, while another connection locks the table.
async fn try_both(url: &str, table: &str, backend: Arc<dyn Backend>) {
    let secrets = Secrets::new();
    secrets.try_all(&*backend).await.unwrap();
    let mut other = PgConnection::connect(url).await.unwrap();
    let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
    let locked = sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut other).await;
    locked.unwrap();
    let slow = Secrets::new();
    let (key, record) = (slow.key(), slow.record());
    let both = async { tokio::join!(backend.create(&key, &record), backend.load(&key)) };
    let unlocked = async {
        tokio::time::sleep(SLOW).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    };
    let ((created, loaded), ()) = tokio::join!(both, unlocked);
    created.unwrap().saved().unwrap();
    loaded.unwrap();
    secrets.are_not_logged();
    slow.are_not_logged();
}

fn both_ways() -> [PostgresOptions; 2] {
    [PostgresOptions::new(), PostgresOptions::new().unprepared()]
}

#[tokio::test]
async fn no_secret_of_the_native_table_is_logged() {
    capture::start();
    let Some(url) = url() else { return };
    for options in both_ways() {
        let backend = Postgres::connect_with(&url, options).await.unwrap();
        try_both(&url, "silverback_sessions", Arc::new(backend)).await;
    }
}

#[tokio::test]
async fn no_secret_of_tables_of_go_is_logged() {
    capture::start();
    let Some(url) = url() else { return };
    for (number, options) in both_ways().into_iter().enumerate() {
        for (kind, table) in [
            GoTable::scs_postgresstore(),
            GoTable::scs_gormstore(),
            GoTable::pgstore(),
            GoTable::antonlindstrom_pgstore(),
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("go_{number}_{kind}");
            let table = table.named(&*name);
            let connected = GoPostgres::connect_with(&url, table, options.clone()).await;
            try_both(&url, &name, Arc::new(connected.unwrap())).await;
        }
    }
}

/// The pool logs the application's other statements only until it is passed in.
#[tokio::test]
async fn no_secret_of_a_given_pool_is_logged() {
    capture::start();
    let Some(url) = url() else { return };
    for (number, options) in both_ways().into_iter().enumerate() {
        let pool = PgPool::connect_lazy(&url).unwrap();
        let name = format!("given_{number}");
        let table = GoTable::scs_postgresstore().named(&*name);
        let backend = GoPostgres::from_pool(pool, table, options).unwrap();
        backend.migrate().await.unwrap();
        try_both(&url, &name, Arc::new(backend)).await;
    }
    let pool = PgPool::connect_lazy(&url).unwrap();
    let backend = Postgres::from_pool(pool, PostgresOptions::new().unprepared()).unwrap();
    backend.migrate().await.unwrap();
    try_both(&url, "silverback_sessions", Arc::new(backend)).await;
}

/// The server refuses these statements: its message gives the reason, and may quote the value.
#[tokio::test]
async fn no_secret_of_refused_statements_is_logged() {
    capture::start();
    let Some(url) = url() else { return };
    for (number, options) in both_ways().into_iter().enumerate() {
        let name = format!("refusing_{number}");
        let table = GoTable::scs_postgresstore().named(&*name);
        let backend = GoPostgres::connect_with(&url, table, options)
            .await
            .unwrap();
        let pool = PgPool::connect(&url).await.unwrap();
        let check = format!("ALTER TABLE {name} ADD CHECK (octet_length(data) < 3)");
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

/// The test detects a statement that sqlx logs.
#[tokio::test]
async fn a_statement_of_the_application_is_captured() {
    capture::start();
    let Some(url) = url() else { return };
    let pool = PgPool::connect(&url).await.unwrap();
    let secret = "SELECT 'a statement with a value in it'";
    sqlx::raw_sql(secret).execute(&pool).await.unwrap();
    assert!(!capture::lines_with(secret.as_bytes()).is_empty());
}
