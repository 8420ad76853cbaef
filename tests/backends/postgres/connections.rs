//! The reuse of connections, and when they are closed.

use std::time::Duration;

use silverback::backend::{Backend, Created, Key, Outcome, Postgres, PostgresOptions, Revision};
use sqlx::{PgConnection, PgPool, Postgres as Database, Transaction};
use tokio::task::JoinHandle;

use super::super::faults::{key, record};
use super::super::servers::postgres::PostgresServer;
use super::{Tried, database};

/// A swap that waits for a lock of the test.
struct Waiting {
    backend: Postgres,
    key: Key,
    seen: Revision,
    pool: PgPool,
    lock: Transaction<'static, Database>,
    swap: JoinHandle<Result<Outcome<Revision>, silverback::backend::Error>>,
}

/// Conditions for the backend's connections: all of them, or those that wait for a lock.
const ALL: &str = "TRUE";
const WAITING: &str = "wait_event_type = 'Lock'";

async fn count(connection: &mut PgConnection, which: &str) -> Result<i64, sqlx::Error> {
    let statement = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
         AND backend_type = 'client backend' AND application_name = '' AND {which}"
    );
    let statement = sqlx::AssertSqlSafe(statement);
    sqlx::query_scalar(statement).fetch_one(connection).await
}

/// Waits until such connections exist, or until no such connection exists.
async fn until(connection: &mut PgConnection, which: &str, are_some: bool) -> Tried {
    for _ in 0..2_000 {
        if (count(connection, which).await? > 0) == are_some {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{which}: the condition is never met");
}

impl Waiting {
    async fn start(server: &PostgresServer, name: &str) -> Result<Self, libtest_mimic::Failed> {
        let (url, _) = database(server, name, &[]).await?;
        // This name excludes the test's own connections from the count.
        let pool = PgPool::connect(&format!("{url}?application_name=tests")).await?;
        let backend = Postgres::connect(&url).await?;
        let key = key();
        let Created::Saved(seen) = backend.create(&key, &record("v")).await? else {
            panic!("the key is new");
        };
        let mut lock = pool.begin().await?;
        let all = "SELECT 1 FROM silverback_sessions FOR UPDATE";
        sqlx::raw_sql(all).execute(&mut *lock).await?;
        let (swapping, of, on) = (backend.clone(), key.clone(), seen.clone());
        let swap = tokio::spawn(async move { swapping.swap(&of, &on, &record("w")).await });
        until(&mut lock, WAITING, true).await?;
        Ok(Waiting {
            backend,
            key,
            seen,
            pool,
            lock,
            swap,
        })
    }
}

pub(super) async fn a_connection_ended_by_the_server_is_not_reused(
    server: &PostgresServer,
) -> Tried {
    let mut of = Waiting::start(server, "ended").await?;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = ''";
    sqlx::raw_sql(end).execute(&mut *of.lock).await?;
    assert!(of.swap.await?.unwrap_err().is_outcome_unknown());
    of.lock.rollback().await?;
    let swapped = of.backend.swap(&of.key, &of.seen, &record("w")).await?;
    assert!(matches!(swapped, Outcome::Done(_)));
    Ok(())
}

/// Operations that find no free connection wait for one.
pub(super) async fn connections_are_limited_by_the_options(server: &PostgresServer) -> Tried {
    const MOST: usize = 3;
    let (url, _) = database(server, "limited", &[]).await?;
    let pool = PgPool::connect(&format!("{url}?application_name=tests")).await?;
    let options = PostgresOptions::new().max_connections(MOST);
    let backend = Postgres::connect_with(&url, options).await?;
    let key = key();
    let Created::Saved(seen) = backend.create(&key, &record("v")).await? else {
        panic!("the key is new");
    };
    let mut lock = pool.begin().await?;
    let all = "SELECT 1 FROM silverback_sessions FOR UPDATE";
    sqlx::raw_sql(all).execute(&mut *lock).await?;
    let swaps: Vec<_> = (0..4 * MOST)
        .map(|_| {
            let (backend, key, seen) = (backend.clone(), key.clone(), seen.clone());
            tokio::spawn(async move { backend.swap(&key, &seen, &record("w")).await })
        })
        .collect();
    // A query in the transaction would always see the same state.
    let (most, mut eyes) = (i64::try_from(MOST)?, pool.acquire().await?);
    for _ in 0..2_000 {
        if count(&mut eyes, WAITING).await? == most {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(count(&mut eyes, WAITING).await?, most);
    assert_eq!(count(&mut eyes, ALL).await?, most);
    lock.rollback().await?;
    let mut done = 0;
    for swap in swaps {
        done += usize::from(matches!(swap.await??, Outcome::Done(_)));
    }
    assert_eq!(done, 1);
    let none = PostgresOptions::new().max_connections(0);
    let refused = Postgres::connect_with(&url, none).await.unwrap_err();
    assert!(refused.is_usage());
    Ok(())
}

pub(super) async fn a_connection_with_an_abandoned_request_is_closed(
    server: &PostgresServer,
) -> Tried {
    let of = Waiting::start(server, "cancelled").await?;
    of.swap.abort();
    assert!(of.swap.await.is_err_and(|error| error.is_cancelled()));
    of.lock.rollback().await?;
    until(&mut *of.pool.acquire().await?, ALL, false).await
}

pub(super) async fn close_waits_for_running_operations(server: &PostgresServer) -> Tried {
    let of = Waiting::start(server, "closed").await?;
    let closing = of.backend.clone();
    let closing = tokio::spawn(async move { closing.close().await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!closing.is_finished() && !of.swap.is_finished());
    of.lock.rollback().await?;
    closing.await?;
    assert!(matches!(of.swap.await??, Outcome::Done(_)));
    until(&mut *of.pool.acquire().await?, ALL, false).await?;
    assert!(of.backend.load(&of.key).await.unwrap_err().is_unavailable());
    Ok(())
}
