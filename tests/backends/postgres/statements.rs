//! The cost of the operations in the server.

use silverback::backend::{
    Backend, Created, Expiry, Generations, Key, Outcome, Owners, Postgres, Record, Scan,
};
use sqlx::PgPool;

use super::super::operations::{check_sizes, every_operation, soon};
use super::super::servers::postgres::PostgresServer;
use super::{Tried, database};

/// Returns a backend in a fresh database of that server, which logs its statements and their plans.
async fn backend(
    server: &PostgresServer,
    name: &str,
) -> Result<(PgPool, Postgres), libtest_mimic::Failed> {
    let settings = [
        "log_statement = 'all'",
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_nested_statements = on",
    ];
    let (url, pool) = database(server, name, &settings).await?;
    Ok((pool, Postgres::connect(&url).await?))
}

pub(super) async fn each_operation_is_one_statement(server: &PostgresServer) -> Tried {
    let (_, backend) = backend(server, "counted").await?;
    let statements = || {
        let log = server.log();
        let ours = log.lines().filter(|line| line.starts_with("counted "));
        let executed = ours
            .filter(|line| line.contains("LOG:  execute ") || line.contains("LOG:  statement: "));
        executed.map(str::to_owned).collect::<Vec<_>>()
    };
    macro_rules! counted {
        ($name:literal, $operation:expr) => {{
            let before = statements().len();
            let answer = $operation;
            let sent = statements().split_off(before);
            assert_eq!(sent.len(), 1, "{}: {sent:#?}", $name);
            answer
        }};
    }
    every_operation!(backend, counted);
    Ok(())
}

pub(super) async fn no_operation_reads_a_whole_table(server: &PostgresServer) -> Tried {
    let (pool, backend) = backend(server, "scanned").await?;
    // Enough rows for an index to be useful.
    sqlx::raw_sql(
        "INSERT INTO silverback_owners (name, generation, expiry, logins)
         SELECT convert_to('owner ' || n, 'UTF8'), sha256('g'), 9223372036854775807, 1
         FROM generate_series(1, 2000) AS n;
         INSERT INTO silverback_sessions (key, revision, expiry, owner, generation, login, value)
         SELECT sha256(convert_to('key ' || n, 'UTF8')), sha256('r'), 9223372036854775807,
         convert_to('owner ' || n / 10, 'UTF8'), sha256('g'), 1, sha256('v')
         FROM generate_series(1, 20000) AS n;
         ANALYZE",
    )
    .execute(&pool)
    .await?;
    let before = server.log().len();
    macro_rules! explained {
        ($name:literal, $operation:expr) => {
            $operation
        };
    }
    // The server plans a prepared statement several times, and then keeps a plan.
    for _ in 0..10 {
        every_operation!(backend, explained);
        assert_eq!(backend.purge(100).await?.removed, 0);
    }
    let log = server.log().split_off(before);
    assert!(log.contains("Index Scan using silverback_sessions_pkey"));
    if let Some(place) = log.find("Seq Scan") {
        let (start, end) = (place.saturating_sub(2_000), log.len().min(place + 500));
        panic!("{}", &log[start..end]);
    }
    Ok(())
}

/// A save that changes no indexed column is written into the same page, and enlarges no index.
pub(super) async fn a_save_that_expires_in_the_same_minute_changes_no_index(
    server: &PostgresServer,
) -> Tried {
    const SAVES: usize = 40;
    let (url, pool) = database(server, "heap_only", &[]).await?;
    let backend = Postgres::connect(&url).await?;
    let middle_of_a_minute = soon().as_millis() & !0xFFFF | 0x8000;
    let record = Record::new(vec![7; 400], Expiry::from_millis(middle_of_a_minute));
    let key = Key::new("a key")?;
    let Created::Saved(mut seen) = backend.create(&key, &record).await? else {
        panic!("the key is new");
    };
    for _ in 0..SAVES {
        let Outcome::Done(next) = backend.swap(&key, &seen, &record).await? else {
            panic!("there is no concurrent write");
        };
        seen = next;
    }
    // The server updates the statistics when a connection has been idle for a while.
    let counted = "SELECT pg_stat_get_tuples_updated(it), pg_stat_get_tuples_hot_updated(it)
        FROM to_regclass('silverback_sessions') AS it";
    for _ in 0..200 {
        let (all, heap_only): (i64, i64) = sqlx::query_as(counted).fetch_one(&pool).await?;
        if all == SAVES as i64 {
            // Sometimes the page is full of old versions that the server has not removed yet.
            assert!(heap_only > all / 2, "{heap_only} of {all}");
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the server has not updated its statistics");
}

pub(super) async fn values_of_all_sizes_are_kept(server: &PostgresServer) -> Tried {
    let backend = Postgres::connect(&server.url()).await?;
    check_sizes(&backend).await
}
