//! The cost of the operations in the server.

use silverback::backend::{
    Backend, Created, Expiry, Generations, Key, Mysql, Outcome, Owners, Record, Scan,
};
use sqlx::{AssertSqlSafe, MySqlPool, Row};

use super::super::operations::{check_sizes, every_operation, soon};
use super::super::servers::mariadb::MariaDbServer;
use super::{Tried, database, log};

pub(super) async fn each_operation_is_one_round_trip(server: &MariaDbServer) -> Tried {
    let (url, _) = database(server, "counted").await?;
    let backend = Mysql::connect(&url).await?;
    // The first run prepares the statements.
    for run in 0..2 {
        macro_rules! counted {
            ($name:literal, $operation:expr) => {{
                let before = log::length(server);
                let answer = $operation;
                let sent = log::commands(server, "counted", before);
                let kinds: Vec<&str> = sent.iter().map(|sent| sent.kind.as_str()).collect();
                let expected = match $name {
                    "begin" | "extend" | "revoke" => &["Query"][..],
                    _ if run == 0 => &["Prepare", "Execute"],
                    _ => &["Execute"],
                };
                assert_eq!(kinds, expected, "{}: {sent:#?}", $name);
                answer
            }};
        }
        every_operation!(backend, counted);
    }
    Ok(())
}

pub(super) async fn a_write_of_a_record_without_an_owner_reads_no_owner(
    server: &MariaDbServer,
) -> Tried {
    let (url, pool) = database(server, "unowned").await?;
    let backend = Mysql::connect(&url).await?;
    let (key, record) = (Key::new("a key")?, Record::new("v", soon()));
    let Created::Saved(seen) = backend.create(&key, &record).await? else {
        panic!("the key is new");
    };
    let before = log::length(server);
    let swapped = backend.swap(&key, &seen, &record).await?;
    let seen = swapped.done().expect("there is no concurrent write");
    let touched = backend.touch(&key, &seen, soon()).await?;
    let seen = touched.done().expect("there is no concurrent write");
    let sent = log::commands(server, "unowned", before);
    let sent = sent.iter().filter(|sent| sent.kind == "Execute");
    let reads_owners = sent.map(|sent| sent.text.contains("owners"));
    assert_eq!(reads_owners.collect::<Vec<_>>(), [false, false]);
    let found = backend.load(&key).await?.map(|found| found.revision);
    assert_eq!(found.as_ref(), Some(&seen));

    // Another program gives the row an owner that is not live.
    let owned =
        "UPDATE silverback_sessions SET owner = 'ape', generation = UNHEX(MD5('g')), login = 1";
    sqlx::raw_sql(owned).execute(&pool).await?;
    assert_eq!(backend.swap(&key, &seen, &record).await?, Outcome::Gone);
    assert_eq!(backend.touch(&key, &seen, soon()).await?, Outcome::Gone);
    Ok(())
}

/// Fails if a plan reads a whole table, or sorts rows.
fn assert_plan(rows: &[sqlx::mysql::MySqlRow], statement: &str) -> Tried {
    for row in rows {
        let column = |name: &str| row.try_get::<Option<String>, _>(name);
        let (kind, extra) = (column("type")?, column("Extra")?.unwrap_or_default());
        // The rows of a subquery, which has a limit.
        let is_derived = column("table")?.is_some_and(|table| table.starts_with('<'));
        // The keys of many rows are unpacked by a table function.
        let is_unpacking = extra.starts_with("Table function");
        let is_table = !is_derived && !is_unpacking;
        let reads_all = matches!(kind.as_deref(), Some("ALL" | "index")) && is_table;
        assert!(
            !reads_all && !extra.contains("filesort"),
            "{kind:?} {extra}: {statement}"
        );
    }
    Ok(())
}

/// Explains the statements that the server has received for the database since then.
pub(super) async fn assert_plans(
    server: &MariaDbServer,
    (database, pool): (&str, &MySqlPool),
    from: usize,
) -> Tried {
    let commands = log::commands(server, database, from);
    let mut explained = 0;
    for statement in commands.iter().flat_map(log::Command::statements) {
        let explain = AssertSqlSafe(format!("EXPLAIN {statement}"));
        let plan = sqlx::raw_sql(explain).fetch_all(pool).await?;
        assert_plan(&plan, statement)?;
        explained += 1;
    }
    assert!(explained >= 10, "{explained} statements in {commands:#?}");
    Ok(())
}

pub(super) async fn no_operation_reads_a_whole_table(server: &MariaDbServer) -> Tried {
    let (url, pool) = database(server, "scanned").await?;
    let backend = Mysql::connect(&url).await?;
    // Enough rows for an index to be useful.
    sqlx::raw_sql(
        "INSERT INTO silverback_owners (name, generation, expiry, logins)
         SELECT CONCAT('owner ', seq), UNHEX(MD5('g')), 9223372036854775807, 1
         FROM seq_1_to_2000;
         INSERT INTO silverback_sessions (`key`, revision, expiry, owner, generation, login, value)
         SELECT UNHEX(SHA2(seq, 256)), UNHEX(MD5('r')), 9223372036854775807,
         CONCAT('owner ', seq DIV 10), UNHEX(MD5('g')), 1, 'v'
         FROM seq_1_to_20000;
         ANALYZE TABLE silverback_owners, silverback_sessions",
    )
    .execute(&pool)
    .await?;
    let before = log::length(server);
    macro_rules! explained {
        ($name:literal, $operation:expr) => {
            $operation
        };
    }
    every_operation!(backend, explained);
    assert_eq!(backend.purge(100).await?.removed, 0);
    assert_plans(server, ("scanned", &pool), before).await
}

/// A save that leaves the minute of the expiry as it was changes no indexed column, so the server
/// writes to no index.
pub(super) async fn a_save_that_expires_in_the_same_minute_changes_no_index(
    server: &MariaDbServer,
) -> Tried {
    let (url, pool) = database(server, "same_minute").await?;
    let backend = Mysql::connect(&url).await?;
    let indexed =
        "SELECT CAST(GROUP_CONCAT(column_name ORDER BY column_name SEPARATOR '`, `') AS CHAR)
        FROM information_schema.statistics
        WHERE table_schema = 'same_minute' AND table_name = 'silverback_sessions'";
    let indexed: String = sqlx::query_scalar(indexed).fetch_one(&pool).await?;
    assert_eq!(indexed, "expiry_minute`, `key`, `owner");
    let contents = format!("SELECT CONCAT_WS(' ', `{indexed}`) FROM silverback_sessions");
    let middle_of_a_minute = soon().as_millis() & !0xFFFF | 0x8000;
    let record = |after| {
        let at = Expiry::from_millis(middle_of_a_minute + after);
        Record::new(vec![7; 400], at)
    };
    let key = Key::new("a key")?;
    let Created::Saved(seen) = backend.create(&key, &record(0)).await? else {
        panic!("the key is new");
    };
    let before: Vec<u8> = sqlx::query_scalar(AssertSqlSafe(contents.clone()))
        .fetch_one(&pool)
        .await?;
    let swapped = backend.swap(&key, &seen, &record(10_000)).await?;
    let seen = swapped.done().expect("there is no concurrent write");
    let same: Vec<u8> = sqlx::query_scalar(AssertSqlSafe(contents.clone()))
        .fetch_one(&pool)
        .await?;
    assert_eq!(same, before);
    backend
        .swap(&key, &seen, &record(0x1_0000))
        .await?
        .done()
        .expect("the record exists");
    let other: Vec<u8> = sqlx::query_scalar(AssertSqlSafe(contents))
        .fetch_one(&pool)
        .await?;
    assert_ne!(other, before);
    Ok(())
}

pub(super) async fn values_of_all_sizes_are_kept(server: &MariaDbServer) -> Tried {
    let backend = Mysql::connect(&server.url()).await?;
    check_sizes(&backend).await?;
    // A larger row than any server takes is refused before it is sent.
    let large = Record::new(vec![7; 16 * 1024 * 1024], Expiry::NEVER);
    let refused = backend.create(&Key::new("large")?, &large).await;
    assert!(refused.unwrap_err().is_too_large());
    Ok(())
}
