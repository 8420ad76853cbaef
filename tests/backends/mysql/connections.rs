//! Connections and statements that end before their answer.

use std::time::Duration;

use silverback::backend::{
    Backend, Created, Expiry, Generations, GoMysql, GoTable, Key, Mysql, MysqlOptions, Outcome,
    OwnerName, Owners, Record,
};
use sqlx::{AssertSqlSafe, MySqlPool};

use super::super::faults::record;
use super::super::servers::mariadb::MariaDbServer;
use super::{Tried, database};

/// Waits until the query selects a number other than 0, and returns it.
async fn until_some(pool: &MySqlPool, query: &str) -> Result<i64, sqlx::Error> {
    for _ in 0..100 {
        let found: Option<i64> = sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
            .fetch_optional(pool)
            .await?;
        if let Some(found) = found.filter(|found| *found != 0) {
            return Ok(found);
        }
        // The server gathers the transactions again after a tenth of a second without a query.
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    panic!("never true: {query}");
}

/// The connection of the backend that waits for a lock in the database.
fn waiting(database: &str) -> String {
    format!(
        "SELECT CAST(p.id AS SIGNED) FROM information_schema.innodb_trx AS t
         JOIN information_schema.processlist AS p ON p.id = t.trx_mysql_thread_id
         WHERE t.trx_state = 'LOCK WAIT' AND p.db = '{database}' LIMIT 1"
    )
}

const LOCK: &str = "SELECT 1 FROM silverback_sessions FOR UPDATE";

pub(super) async fn a_connection_ended_by_the_server_is_not_reused(
    server: &MariaDbServer,
) -> Tried {
    let (url, pool) = database(server, "ended").await?;
    let backend = Mysql::connect(&url).await?;
    let key = Key::new("a key")?;
    let seen = backend
        .create(&key, &record("v"))
        .await?
        .saved()
        .expect("the key is new");
    for end in ["KILL CONNECTION", "KILL QUERY"] {
        let mut lock = pool.begin().await?;
        sqlx::raw_sql(LOCK).execute(&mut *lock).await?;
        let (swapping, of, on) = (backend.clone(), key.clone(), seen.clone());
        let swap = tokio::spawn(async move { swapping.swap(&of, &on, &record("w")).await });
        let connection = until_some(&pool, &waiting("ended")).await?;
        let kill = AssertSqlSafe(format!("{end} {connection}"));
        sqlx::raw_sql(kill).execute(&pool).await?;
        assert!(swap.await?.unwrap_err().is_outcome_unknown(), "{end}");
        lock.rollback().await?;
        assert_eq!(
            backend.load(&key).await?.expect("it exists").record,
            record("v")
        );
    }
    let swapped = backend.swap(&key, &seen, &record("w")).await?;
    assert!(matches!(swapped, Outcome::Done(_)));
    Ok(())
}

/// The server gives up the statement, not the transaction's other ones: the row is unchanged.
pub(super) async fn a_statement_that_waits_for_too_long_is_not_done(
    server: &MariaDbServer,
) -> Tried {
    let (url, pool) = database(server, "waited").await?;
    let short = sqlx::mysql::MySqlPoolOptions::new().after_connect(|connection, _| {
        Box::pin(async move {
            let short = "SET innodb_lock_wait_timeout = 1";
            sqlx::raw_sql(short).execute(connection).await.map(drop)
        })
    });
    let backend = Mysql::from_pool(short.connect(&url).await?, MysqlOptions::new())?;
    backend.migrate().await?;
    let (key, ape) = (Key::new("a key")?, OwnerName::new("ape")?);
    let until = Expiry::after(Duration::from_secs(600));
    let login = backend.begin(&ape, until, &key).await?;
    let owner = silverback::backend::Owner {
        name: ape.clone(),
        login,
    };
    let owned = Record::new("v", until).owned_by(owner);
    let seen = backend
        .create(&key, &owned)
        .await?
        .saved()
        .expect("the key is new");
    let mut lock = pool.begin().await?;
    sqlx::raw_sql(LOCK).execute(&mut *lock).await?;
    // One statement, and the second statement of a transaction.
    let swap = backend.swap(&key, &seen, &record("w")).await.unwrap_err();
    let revoke = backend.revoke(&ape, until).await.unwrap_err();
    for refused in [swap, revoke] {
        assert!(
            refused.is_unavailable() && !refused.is_outcome_unknown(),
            "{refused:?}"
        );
        assert!(refused.to_string().contains("locked"), "{refused}");
    }
    lock.rollback().await?;
    assert_eq!(backend.generation(&ape).await?, Some(login.generation));
    assert!(backend.load(&key).await?.is_some());
    backend.revoke(&ape, until).await?;
    assert_eq!(backend.load(&key).await?, None);
    Ok(())
}

/// Two statements that wait for each other's row. The server rolls one of them back.
pub(super) async fn a_deadlock_is_no_error(server: &MariaDbServer) -> Tried {
    let (url, pool) = database(server, "deadlock").await?;
    let backend = Mysql::connect(&url).await?;
    let (key, ape) = (Key::new("a key")?, OwnerName::new("ape")?);
    let until = Expiry::after(Duration::from_secs(600));
    let login = backend.begin(&ape, until, &key).await?;
    let owner = silverback::backend::Owner {
        name: ape.clone(),
        login,
    };
    let created = backend
        .create(&key, &Record::new("v", until).owned_by(owner))
        .await?;
    created.saved().expect("the key is new");
    let deadlocks = "SELECT CAST(variable_value AS SIGNED) FROM information_schema.global_status
        WHERE variable_name = 'Innodb_deadlocks'";
    let before: i64 = sqlx::query_scalar(deadlocks).fetch_one(&pool).await?;
    let weight = "CREATE TABLE weight AS SELECT seq AS n FROM seq_1_to_1000";
    sqlx::raw_sql(weight).execute(&pool).await?;
    // Another program locks the session and then the owner, and a revocation locks them in the
    // other order. The server rolls back the transaction that has changed less.
    let mut other = pool.begin().await?;
    sqlx::raw_sql("UPDATE weight SET n = n + 1")
        .execute(&mut *other)
        .await?;
    sqlx::raw_sql(LOCK).execute(&mut *other).await?;
    let revoking = backend.clone();
    let name = ape.clone();
    let revoke = tokio::spawn(async move { revoking.revoke(&name, until).await });
    until_some(&pool, &waiting("deadlock")).await?;
    sqlx::raw_sql("SELECT 1 FROM silverback_owners FOR UPDATE")
        .execute(&mut *other)
        .await?;
    let after: i64 = sqlx::query_scalar(deadlocks).fetch_one(&pool).await?;
    assert!(after > before, "there was no deadlock");
    other.rollback().await?;
    let generation = revoke.await??;
    assert_eq!(backend.generation(&ape).await?, Some(generation));
    assert_eq!(backend.load(&key).await?, None);
    Ok(())
}

pub(super) async fn a_failed_transaction_leaves_nothing_behind(server: &MariaDbServer) -> Tried {
    let (url, pool) = database(server, "half").await?;
    let options = MysqlOptions::new().max_connections(1);
    let backend = Mysql::connect_with(&url, options).await?;
    let ape = OwnerName::new("ape")?;
    let until = Expiry::after(Duration::from_secs(600));
    // The second statement of a revocation fails.
    sqlx::raw_sql("RENAME TABLE silverback_sessions TO elsewhere")
        .execute(&pool)
        .await?;
    let refused = backend.revoke(&ape, until).await.unwrap_err();
    assert!(!refused.is_outcome_unknown(), "{refused:?}");
    sqlx::raw_sql("RENAME TABLE elsewhere TO silverback_sessions")
        .execute(&pool)
        .await?;
    assert_eq!(backend.generation(&ape).await?, None);
    // The connection has no open transaction: another one sees its next write.
    let created = backend.create(&Key::new("a key")?, &record("v")).await?;
    assert!(matches!(created, Created::Saved(_)));
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM silverback_sessions")
        .fetch_one(&pool)
        .await?;
    assert_eq!(rows, 1);
    Ok(())
}

/// Returns a pool whose connections have that setting.
async fn pool_with(url: &str, setting: &'static str) -> Result<MySqlPool, sqlx::Error> {
    let pool = sqlx::mysql::MySqlPoolOptions::new().max_connections(1);
    let pool = pool.after_connect(move |connection, _| {
        Box::pin(async move { sqlx::raw_sql(setting).execute(connection).await.map(drop) })
    });
    let options: sqlx::mysql::MySqlConnectOptions = url.parse()?;
    pool.connect_with(options.timezone(None)).await
}

/// Their writes would be lost when the connection closes.
pub(super) async fn connections_without_autocommit_are_refused(server: &MariaDbServer) -> Tried {
    let (url, _) = database(server, "no_autocommit").await?;
    Mysql::connect(&url).await?;
    GoMysql::connect(&url, GoTable::scs_mysqlstore()).await?;
    let pool = pool_with(&url, "SET autocommit = 0").await?;
    let native = Mysql::from_pool(pool.clone(), MysqlOptions::new())?;
    let go = GoMysql::from_pool(pool, GoTable::scs_mysqlstore(), MysqlOptions::new())?;
    let key = Key::new("ABC234")?;
    for refused in [
        native.create(&key, &record("v")).await.unwrap_err(),
        native.load(&key).await.unwrap_err(),
        native
            .revoke(&OwnerName::new("ape")?, Expiry::NEVER)
            .await
            .unwrap_err(),
        go.create(&key, &record("v")).await.unwrap_err(),
        go.migrate().await.unwrap_err(),
    ] {
        assert!(refused.is_usage(), "{refused:?}");
        assert!(refused.to_string().contains("autocommit"), "{refused}");
    }
    Ok(())
}

pub(super) async fn a_transaction_ends_whatever_the_completion_type(
    server: &MariaDbServer,
) -> Tried {
    let (url, other) = database(server, "completion").await?;
    Mysql::connect(&url).await?;
    for (number, setting) in [
        "SET completion_type = 'CHAIN'",
        "SET completion_type = 'RELEASE'",
    ]
    .into_iter()
    .enumerate()
    {
        let backend = Mysql::from_pool(pool_with(&url, setting).await?, MysqlOptions::new())?;
        let key = Key::new(format!("key {number}"))?;
        backend
            .begin(&OwnerName::new("ape")?, Expiry::NEVER, &key)
            .await?;
        let created = backend.create(&key, &record("v")).await?;
        assert!(matches!(created, Created::Saved(_)));
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM silverback_sessions")
            .fetch_one(&other)
            .await?;
        assert_eq!(rows, number as i64 + 1, "{setting}");
    }
    Ok(())
}
