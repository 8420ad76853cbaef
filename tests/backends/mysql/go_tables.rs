//! Tables of Go packages: the laws of records, tested with keys that such a table accepts, and the
//! contents of the rows. `tests/interop` tests them with Go programs.

use std::sync::Arc;
use std::time::Duration;

use silverback::backend::{
    Backend, Created, Expiry, Generation, GoMysql, GoTable, Key, MysqlOptions, Outcome, Record,
    Scan,
};
use sqlx::{AssertSqlSafe, MySqlPool, Row};

use super::super::candidates::Made;
use super::super::encoded::Encoded;
use super::super::operations::try_go_table;
use super::super::servers::mariadb::MariaDbServer;
use super::statements::assert_plans;
use super::{Tried, database, log};

/// Returns a backend for the laws, in a table of its own.
pub(super) async fn encoded(
    server: fn() -> Result<&'static MariaDbServer, String>,
    table: GoTable,
) -> Made {
    let random = Generation::random().expect("randomness");
    let number = u64::from_be_bytes(*random.as_bytes().first_chunk().expect("16 bytes"));
    let table = table.named(format!("table {number:x}"));
    let connected = GoMysql::connect(&server()?.url(), table).await;
    let backend = connected.expect("a table of its own");
    Ok(Encoded::with_nonces(Arc::new(backend)))
}

fn presets() -> [GoTable; 3] {
    [
        GoTable::scs_mysqlstore(),
        GoTable::scs_gormstore(),
        GoTable::wader_gormstore(),
    ]
}

/// Names that would change a statement if they were not quoted.
pub(super) async fn names_are_quoted(server: &MariaDbServer) -> Tried {
    let odd = "a`; DROP TABLE x; --'\\?1 Ä";
    for (number, table) in presets().into_iter().enumerate() {
        let table = table.with_columns("key`", "select", odd);
        let backend =
            GoMysql::connect(&server.url(), table.named(format!("{number} {odd}"))).await?;
        backend.migrate().await?; // the table already exists
        try_go_table(&backend).await?;
    }
    Ok(())
}

/// The types, rules and indexes of the columns are those that the Go packages create: see the
/// headers of the files in `tests/vectors/stores`.
pub(super) async fn new_tables_are_those_of_the_go_packages(server: &MariaDbServer) -> Tried {
    let (url, pool) = database(server, "as_go").await?;
    let expected = [
        "`token` char(43) NOT NULL, `data` blob NOT NULL, `expiry` timestamp(6) NOT NULL, \
         PRIMARY KEY (`token`), KEY `sessions_expiry_idx` (`expiry`)",
        "`token` varchar(43) NOT NULL, `data` longblob DEFAULT NULL, \
         `expiry` datetime(3) DEFAULT NULL, \
         PRIMARY KEY (`token`), KEY `idx_sessions_expiry` (`expiry`)",
        "`id` varchar(191) NOT NULL, `data` longtext DEFAULT NULL, \
         `created_at` datetime(3) DEFAULT NULL, `updated_at` datetime(3) DEFAULT NULL, \
         `expires_at` datetime(3) DEFAULT NULL, PRIMARY KEY (`id`)",
    ];
    for (table, columns) in presets().into_iter().zip(expected) {
        GoMysql::connect(&url, table).await?;
        let row = sqlx::raw_sql("SHOW CREATE TABLE sessions")
            .fetch_one(&pool)
            .await?;
        let made: String = row.try_get(1)?;
        let made = made.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(made.contains(columns), "{made}\n{columns}");
        sqlx::raw_sql("DROP TABLE sessions").execute(&pool).await?;
    }
    Ok(())
}

pub(super) async fn a_row_is_the_one_that_go_writes(server: &MariaDbServer) -> Tried {
    let (url, pool) = database(server, "rows_of_go").await?;
    let backend = GoMysql::connect(&url, GoTable::wader_gormstore()).await?;
    let key = Key::new("ABC234")?;
    let created = backend
        .create(&key, &Record::new("text", Expiry::NEVER))
        .await?;
    let seen = created.saved().expect("the key is new");
    sqlx::raw_sql("UPDATE sessions SET created_at = '2020-01-01', updated_at = '2020-01-01'")
        .execute(&pool)
        .await?;
    let next = Record::new("next", Expiry::after(Duration::from_secs(3_600)));
    let swapped = backend.swap(&key, &seen, &next).await?;
    let seen = swapped.done().expect("there is no concurrent write");
    let row = sqlx::query(
        "SELECT id, data, created_at = '2020-01-01', TIMESTAMPDIFF(SECOND, updated_at, UTC_TIMESTAMP()),
         TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), expires_at) FROM sessions",
    )
    .fetch_one(&pool)
    .await?;
    assert_eq!(row.try_get::<String, _>(0)?, "ABC234");
    assert_eq!(row.try_get::<String, _>(1)?, "next");
    assert_eq!(row.try_get::<i64, _>(2)?, 1);
    assert!((0..=60).contains(&row.try_get::<i64, _>(3)?));
    assert!((3_540..=3_600).contains(&row.try_get::<i64, _>(4)?));
    // A move keeps the date of the creation.
    let to = Key::new("DEF567")?;
    let moved = silverback::backend::Moves::move_to(&backend, &key, &seen, &to, &next).await?;
    assert!(matches!(moved, Outcome::Done(_)));
    let kept = "SELECT CAST(created_at = '2020-01-01' AS SIGNED) FROM sessions WHERE id = 'DEF567'";
    assert_eq!(
        sqlx::query_scalar::<_, i64>(kept).fetch_one(&pool).await?,
        1
    );
    // A write of a Go program in between is another revision.
    let stored = backend.load(&to).await?.expect("the record exists");
    for write in [
        "data = 'other'",
        "data = 'next', expires_at = expires_at + INTERVAL 1 MINUTE",
    ] {
        let write = AssertSqlSafe(format!("UPDATE sessions SET {write}"));
        sqlx::raw_sql(write).execute(&pool).await?;
        let swapped = backend.swap(&to, &stored.revision, &next).await?;
        assert_eq!(swapped, Outcome::Conflict);
        assert_eq!(
            backend.remove(&to, &stored.revision).await?,
            Outcome::Conflict
        );
    }
    // A key that is not valid in such a table is refused.
    for key in ["ä", "a b", "a\0", &"x".repeat(64)] {
        let refused = backend.create(&Key::new(key)?, &next).await;
        assert!(refused.unwrap_err().is_usage());
    }
    Ok(())
}

/// A refusal of a custom table names the column, its type and the required type, and nothing is
/// written.
pub(super) async fn an_incompatible_table_is_refused(server: &MariaDbServer) -> Tried {
    let (url, pool) = database(server, "made_by_people").await?;
    let scs = GoTable::scs_mysqlstore;
    let gorm = GoTable::scs_gormstore;
    let wader = GoTable::wader_gormstore;
    let dates = "created_at DATETIME(3), updated_at DATETIME(3)";
    let tables = [
        (
            scs(),
            "token CHAR(43) PRIMARY KEY, data BLOB, expiry DATETIME(6)".to_owned(),
            ["expiry", "datetime(6)", "timestamp(6)"],
        ),
        (
            scs(),
            "token CHAR(43) PRIMARY KEY, data BLOB, expiry TIMESTAMP".to_owned(),
            ["expiry", "timestamp", "timestamp(6)"],
        ),
        (
            scs(),
            "token CHAR(32) PRIMARY KEY, data BLOB, expiry TIMESTAMP(6)".to_owned(),
            ["token", "char(32)", "varchar(43)"],
        ),
        (
            scs(),
            "token CHAR(43) PRIMARY KEY, data TINYBLOB, expiry TIMESTAMP(6)".to_owned(),
            ["data", "tinyblob", "longblob"],
        ),
        (
            scs(),
            "token CHAR(43) PRIMARY KEY, data TEXT, expiry TIMESTAMP(6)".to_owned(),
            ["data", "text", "longblob"],
        ),
        (
            gorm(),
            "token VARCHAR(43) PRIMARY KEY, data LONGBLOB, expiry BIGINT".to_owned(),
            ["expiry", "bigint", "datetime(3)"],
        ),
        (
            gorm(),
            "token VARCHAR(43) PRIMARY KEY, data LONGBLOB, expiry DATETIME(3), tenant INT NOT NULL"
                .to_owned(),
            ["tenant", "NOT NULL", "default"],
        ),
        (
            gorm(),
            "token VARCHAR(43) PRIMARY KEY, data LONGBLOB AS ('x') STORED, expiry DATETIME(3)"
                .to_owned(),
            ["data", "generated", "longblob"],
        ),
        (
            gorm(),
            "token VARCHAR(43) PRIMARY KEY, data LONGBLOB, expiry DATETIME(3)) ENGINE = MyISAM"
                .to_owned(),
            ["MyISAM", "no transactions", "InnoDB"],
        ),
        (
            scs(),
            "id INT AUTO_INCREMENT PRIMARY KEY, token CHAR(43), data BLOB, expiry TIMESTAMP(6), KEY (token)"
                .to_owned(),
            ["token", "primary key", "unique"],
        ),
        (
            wader(),
            format!("id VARCHAR(191) PRIMARY KEY, data VARCHAR(255), {dates}, expires_at DATETIME(3)"),
            ["data", "varchar(255)", "varchar(4096)"],
        ),
        (
            wader(),
            "id VARCHAR(191) PRIMARY KEY, data TEXT, created_at DATETIME(3), expires_at DATETIME(3)"
                .to_owned(),
            ["updated_at", "no column", "datetime(3)"],
        ),
    ];
    for (number, (table, columns, parts)) in tables.into_iter().enumerate() {
        let name = format!("table_{number}");
        let close = if columns.contains("ENGINE") { "" } else { ")" };
        let create = AssertSqlSafe(format!("CREATE TABLE {name} ({columns}{close}"));
        sqlx::raw_sql(create).execute(&pool).await?;
        let table = table.named(&name);
        let pooled = GoMysql::from_pool(pool.clone(), table.clone(), MysqlOptions::new())?;
        let refusals = [
            GoMysql::connect(&url, table).await.unwrap_err(),
            pooled.load(&Key::new("ABC234")?).await.unwrap_err(),
            pooled.migrate().await.unwrap_err(),
        ];
        for refused in refusals {
            assert!(refused.is_usage(), "{columns}: {refused:?}");
            for part in parts.iter().chain(&[&*name]) {
                assert!(refused.to_string().contains(part), "{columns}: {refused}");
            }
        }
    }
    // A view is not a table.
    sqlx::raw_sql("CREATE VIEW seen AS SELECT 'x' AS token")
        .execute(&pool)
        .await?;
    let refused = GoMysql::connect(&url, scs().named("seen")).await;
    assert!(refused.unwrap_err().is_usage());
    Ok(())
}

/// Default collations treat texts as equal that differ in case, or in trailing spaces.
pub(super) async fn a_key_is_compared_as_bytes(server: &MariaDbServer) -> Tried {
    let (url, pool) = database(server, "folded").await?;
    for collation in [
        "utf8mb4_general_ci",
        "utf8mb3_unicode_ci",
        "latin1_swedish_ci",
        "utf8mb4_bin",
    ] {
        for table in presets() {
            let is_wader = table == GoTable::wader_gormstore();
            let column = if is_wader {
                "id VARCHAR(191)"
            } else {
                "token VARCHAR(43)"
            };
            let backend = GoMysql::connect(&url, table.clone()).await?;
            let (charset, _) = collation.split_once('_').expect("a collation's name");
            let change = format!(
                "ALTER TABLE sessions MODIFY {column} CHARACTER SET {charset} COLLATE {collation} NOT NULL"
            );
            sqlx::raw_sql(AssertSqlSafe(change)).execute(&pool).await?;
            let (key, other) = (Key::new("abcABC")?, Key::new("ABCabc")?);
            let record = Record::new("v", Expiry::NEVER);
            let created = backend.create(&key, &record).await?;
            let seen = created.saved().expect("the key is new");
            assert_eq!(backend.load(&other).await?, None, "{collation}");
            assert_eq!(backend.swap(&other, &seen, &record).await?, Outcome::Gone);
            assert_eq!(backend.remove(&other, &seen).await?, Outcome::Gone);
            // The table's own index may treat the keys as equal. Then the other one is refused.
            let created = backend.create(&other, &record).await?;
            assert_eq!(
                created == Created::Exists,
                collation != "utf8mb4_bin",
                "{collation}"
            );
            assert_eq!(backend.load(&key).await?.expect("it exists").revision, seen);
            sqlx::raw_sql("DROP TABLE sessions").execute(&pool).await?;
        }
    }
    Ok(())
}

/// Without the strict mode, the server cuts such a value.
pub(super) async fn a_value_that_does_not_fit_is_refused(server: &MariaDbServer) -> Tried {
    let (url, _) = database(server, "too_large").await?;
    let backend = GoMysql::connect(&url, GoTable::scs_mysqlstore()).await?;
    let key = Key::new("ABC234")?;
    let fits = Record::new(vec![7; 65_535], Expiry::after(Duration::from_secs(600)));
    let created = backend.create(&key, &fits).await?;
    let seen = created.saved().expect("the key is new");
    let large = Record::new(vec![7; 65_536], Expiry::NEVER);
    for refused in [
        backend.create(&Key::new("DEF567")?, &large).await.err(),
        backend.swap(&key, &seen, &large).await.err(),
    ] {
        assert!(refused.expect("it does not fit").is_too_large());
    }
    assert_eq!(
        backend.load(&key).await?.expect("it exists").record.value(),
        fits.value()
    );
    let backend = GoMysql::connect(&url, GoTable::scs_gormstore().named("others")).await?;
    let most = 8 * 1024 * 1024 - 4096; // half of what the server accepts: the text has hex digits
    for size in [0, 65_536, 1_000_000, most] {
        let key = Key::new(format!("SIZE{size}"))?;
        let record = Record::new(vec![9; size], Expiry::after(Duration::from_secs(600)));
        let created = backend.create(&key, &record).await?;
        created.saved().expect("the key is new");
        assert_eq!(
            backend.load(&key).await?.expect("it exists").record.value(),
            record.value()
        );
    }
    let large = Record::new(vec![9; most + 1], Expiry::NEVER);
    let refused = backend.create(&Key::new("LARGE")?, &large).await;
    assert!(refused.unwrap_err().is_too_large());
    Ok(())
}

pub(super) async fn a_row_of_another_program_that_is_not_valid_affects_only_its_key(
    server: &MariaDbServer,
) -> Tried {
    let (url, pool) = database(server, "spoiled").await?;
    let backend = GoMysql::connect(&url, GoTable::scs_gormstore()).await?;
    let key = Key::new("ABC234")?;
    let created = backend
        .create(&key, &Record::new("v", Expiry::NEVER))
        .await?;
    created.saved().expect("the key is new");
    let spoil =
        "INSERT INTO sessions VALUES ('NULLDATA', NULL, '2100-01-01'), ('NULLTIME', 'x', NULL)";
    sqlx::raw_sql(spoil).execute(&pool).await?;
    let refused = backend.load(&Key::new("NULLDATA")?).await.unwrap_err();
    assert!(refused.is_corrupt(), "{refused:?}");
    assert_eq!(backend.load(&Key::new("NULLTIME")?).await?, None);
    let page = backend.page(None, 10).await?;
    assert_eq!((page.entries.len(), page.skipped.len()), (1, 1), "{page:?}");
    // A row without an expiry does not keep its key.
    let created = backend
        .create(&Key::new("NULLTIME")?, &Record::new("v", Expiry::NEVER))
        .await?;
    assert!(matches!(created, Created::Saved(_)));
    Ok(())
}

pub(super) async fn no_operation_reads_a_whole_table(server: &MariaDbServer) -> Tried {
    for (number, table) in [GoTable::scs_mysqlstore(), GoTable::scs_gormstore()]
        .into_iter()
        .enumerate()
    {
        let name = format!("scanned_go_{number}");
        let (url, pool) = database(server, &name).await?;
        let backend = GoMysql::connect(&url, table).await?;
        sqlx::raw_sql(
            "INSERT INTO sessions SELECT SUBSTR(SHA2(seq, 256), 1, 43), 'v', '2030-01-01'
             FROM seq_1_to_20000; ANALYZE TABLE sessions",
        )
        .execute(&pool)
        .await?;
        let before = log::length(server);
        let key = Key::new("ABC234")?;
        let record = Record::new("v", Expiry::after(Duration::from_secs(600)));
        for _ in 0..3 {
            let seen = backend
                .create(&key, &record)
                .await?
                .saved()
                .expect("the key is new");
            backend.load(&key).await?.expect("it exists");
            let seen = backend
                .touch(&key, &seen, Expiry::NEVER)
                .await?
                .done()
                .expect("it exists");
            let seen = backend
                .swap(&key, &seen, &record)
                .await?
                .done()
                .expect("it exists");
            assert_eq!(backend.remove(&key, &seen).await?, Outcome::Done(()));
            assert_eq!(backend.purge(10).await?.removed, 0);
        }
        assert_plans(server, (&name, &pool), before).await?;
    }
    Ok(())
}

/// Sets the clock of a pool with one connection.
async fn clock(pool: &MySqlPool, seconds: i64) -> Tried {
    let set = AssertSqlSafe(format!("SET timestamp = {seconds}"));
    sqlx::raw_sql(set).execute(pool).await?;
    Ok(())
}

async fn one_connection(url: &str) -> Result<MySqlPool, sqlx::Error> {
    let options: sqlx::mysql::MySqlConnectOptions = url.parse()?;
    let pool = sqlx::mysql::MySqlPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None);
    pool.connect_with(options.timezone(None)).await
}

/// 2027-03-28 01:59:50 UTC. The digits from 02:00:00 to 02:59:59 of this day are no time in Berlin.
const BEFORE_THE_GAP: i64 = 1_806_199_190;

pub(super) async fn a_time_that_the_clocks_skip_is_moved(server: &MariaDbServer) -> Tried {
    let (url, _) = database(server, "skipped").await?;
    let pool = one_connection(&url).await?;
    let table = GoTable::scs_mysqlstore();
    let backend = GoMysql::from_pool(pool.clone(), table, MysqlOptions::new())?;
    backend.migrate().await?;
    for (number, sql_mode) in ["", "STRICT_TRANS_TABLES"].into_iter().enumerate() {
        let mode = AssertSqlSafe(format!("SET sql_mode = '{sql_mode}'"));
        sqlx::raw_sql(mode).execute(&pool).await?;
        clock(&pool, BEFORE_THE_GAP).await?;
        let key = Key::new(format!("ABC{number}"))?;
        // An expiry that is 30 minutes away is in the gap.
        let record = Record::new("v", Expiry::after(Duration::from_secs(1_800)));
        let created = backend.create(&key, &record).await?;
        created.saved().expect("the key is new");
        let digits: String = sqlx::query_scalar("SELECT CAST(MAX(expiry) AS CHAR) FROM sessions")
            .fetch_one(&pool)
            .await?;
        assert_eq!(&digits[..19], "2027-03-28 03:00:00", "{sql_mode}");
        for (seconds, is_live) in [(0, true), (1_799, true), (3_609, true), (3_611, false)] {
            clock(&pool, BEFORE_THE_GAP + seconds).await?;
            assert_eq!(backend.load(&key).await?.is_some(), is_live, "{seconds} s");
        }
        // An expiry in the past stays in the past.
        clock(&pool, BEFORE_THE_GAP + 1_800).await?;
        let key = Key::new(format!("PAST{number}"))?;
        let past = Expiry::from_millis(Expiry::now().as_millis() - 600_000);
        let created = backend.create(&key, &Record::new("v", past)).await?;
        created.saved().expect("the key is new");
        assert_eq!(backend.load(&key).await?, None);
        assert_eq!(backend.purge(10).await?.removed, 1);
    }
    Ok(())
}

pub(super) async fn a_time_after_the_last_one_becomes_the_last_one(
    server: &MariaDbServer,
) -> Tried {
    let (url, pool) = database(server, "last").await?;
    let backend = GoMysql::connect(&url, GoTable::scs_mysqlstore()).await?;
    let year = Duration::from_secs(365 * 86_400);
    for (name, until) in [
        ("NEVER", Expiry::NEVER),
        ("FAR", Expiry::after(100 * year)),
        ("FARTHEST", Expiry::from_millis(i64::MAX - 1)),
    ] {
        let key = Key::new(name)?;
        let created = backend.create(&key, &Record::new("v", until)).await?;
        created.saved().expect("the key is new");
        let stored = backend.load(&key).await?.expect("it exists");
        assert_eq!(stored.record.expiry(), Expiry::NEVER, "{name}");
    }
    let last = "SELECT CAST(MAX(UNIX_TIMESTAMP(expiry)) AS SIGNED) FROM sessions";
    let last: i64 = sqlx::query_scalar(last).fetch_one(&pool).await?;
    assert_eq!(last, i64::from(i32::MAX));
    // An expiry long ago is one that the column can hold.
    let key = Key::new("OVER")?;
    let created = backend
        .create(&key, &Record::new("v", Expiry::from_millis(0)))
        .await?;
    created.saved().expect("the key is new");
    assert_eq!(backend.load(&key).await?, None);
    assert_eq!(backend.purge(10).await?.removed, 1);
    Ok(())
}

/// sqlx's own default is UTC.
pub(super) async fn another_time_zone_is_refused(server: &MariaDbServer) -> Tried {
    let (url, _) = database(server, "zones").await?;
    GoMysql::connect(&url, GoTable::scs_mysqlstore()).await?;
    let pool = MySqlPool::connect(&url).await?;
    for (table, is_refused) in [
        (GoTable::scs_mysqlstore(), true),
        (GoTable::scs_gormstore().named("others"), false),
    ] {
        let backend = GoMysql::from_pool(pool.clone(), table.clone(), MysqlOptions::new())?;
        let migrated = backend.migrate().await;
        assert_eq!(migrated.is_err(), is_refused, "{migrated:?}");
        let other = GoMysql::connect(&format!("{url}?timezone=%2B09:00"), table).await;
        assert_eq!(other.is_err(), is_refused);
        if let Some(refused) = migrated.err() {
            assert!(refused.is_usage() && refused.to_string().contains("timezone(None)"));
        }
    }
    Ok(())
}
