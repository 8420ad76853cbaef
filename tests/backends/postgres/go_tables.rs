//! Tables of Go packages: the laws of records, tested with keys that such a table accepts, and the
//! contents of the rows. `tests/interop` tests them with Go programs.

use std::sync::Arc;
use std::time::Duration;

use silverback::backend::{
    Backend, Created, Expiry, Generation, GoPostgres, GoTable, Key, Moves, Outcome,
    PostgresOptions, Record, Scan,
};
use sqlx::{AssertSqlSafe, PgPool, Row};

use super::super::candidates::Made;
use super::super::encoded::Encoded;
use super::super::operations::try_go_table;
use super::super::servers::postgres::PostgresServer;
use super::{Tried, database, server};

pub(super) async fn hashed(table: GoTable) -> Made {
    let random = Generation::random().expect("randomness");
    let number = u64::from_be_bytes(*random.as_bytes().first_chunk().expect("16 bytes"));
    let table = table.named(format!("table {number:x}"));
    let index = format!("CREATE UNIQUE INDEX ON \"table {number:x}\" (key)");
    let needs_index = table.layout() == GoTable::antonlindstrom_pgstore().layout();
    let server = server()?;
    let connected = GoPostgres::connect(&server.url(), table).await;
    let backend = connected.expect("a table of its own");
    if needs_index {
        // antonlindstrom's table does not itself refuse a second row of a key.
        let pool = PgPool::connect(&server.url()).await.expect("a server");
        let made = sqlx::raw_sql(AssertSqlSafe(index)).execute(&pool).await;
        made.expect("an index");
    }
    Ok(Encoded::of(Arc::new(backend)))
}

/// Names that would change a statement if they were not quoted.
pub(super) async fn names_are_quoted(server: &PostgresServer) -> Tried {
    let odd = "a\"; DROP TABLE x; --'\\$1 Ä";
    let unprepared = format!("{}?statement-cache-capacity=0", server.url());
    for (number, url) in [server.url(), unprepared].into_iter().enumerate() {
        for (kind, table) in [
            GoTable::pgstore(),
            GoTable::antonlindstrom_pgstore(),
            GoTable::scs_postgresstore(),
        ]
        .into_iter()
        .enumerate()
        {
            let table = table.with_columns("key\"", "select", odd);
            let table = table.named(format!("{number}.{kind} {odd}"));
            let backend = GoPostgres::connect(&url, table).await?;
            backend.migrate().await?; // the table already exists
            try_go_table(&backend).await?;
        }
    }
    let pool = PgPool::connect(&server.url()).await?;
    for name in ["", "a\0b", &"x".repeat(64)] {
        let table = GoTable::scs_postgresstore().named(name);
        let refused = GoPostgres::from_pool(pool.clone(), table, PostgresOptions::new());
        assert!(refused.unwrap_err().is_usage(), "{name:?}");
    }
    Ok(())
}

/// A session with a new ID keeps its row with the date of its creation.
pub(super) async fn a_move_is_one_statement_and_keeps_other_columns(
    server: &PostgresServer,
) -> Tried {
    let (url, pool) = database(server, "moved", &["log_statement = 'all'"]).await?;
    let backend = GoPostgres::connect(&url, GoTable::pgstore()).await?;
    let (key, to) = (Key::new("ABC234")?, Key::new("DEF567")?);
    let record = Record::new("text", Expiry::after(Duration::from_secs(600)));
    backend
        .create(&key, &record)
        .await?
        .saved()
        .expect("the key is new");
    sqlx::query("UPDATE http_sessions SET created_on = '2020-01-01Z'")
        .execute(&pool)
        .await?;
    let seen = backend
        .load(&key)
        .await?
        .expect("the record exists")
        .revision;
    let before = server.log().len();
    let moved = backend.move_to(&key, &seen, &to, &record).await?;
    assert!(matches!(moved, Outcome::Done(_)));
    let log = server.log().split_off(before);
    let sent = log.lines().filter(|line| line.starts_with("moved "));
    let sent: Vec<&str> = sent
        .filter(|line| line.contains("LOG:  execute ") || line.contains("LOG:  statement: "))
        .collect();
    assert_eq!(sent.len(), 1, "{sent:#?}");
    let row = sqlx::query(
        "SELECT key, created_on = '2020-01-01Z', modified_on > '2026-01-01Z' FROM http_sessions",
    )
    .fetch_one(&pool)
    .await?;
    assert_eq!(row.try_get::<String, _>(0)?, "DEF567");
    assert!(row.try_get::<bool, _>(1)? && row.try_get::<bool, _>(2)?);
    Ok(())
}

/// Go's `Scan` needs all columns, and accepts no NULL.
pub(super) async fn a_row_is_the_one_that_go_writes(server: &PostgresServer) -> Tried {
    let pool = PgPool::connect(&server.url()).await?;
    let backend = GoPostgres::connect(&server.url(), GoTable::pgstore()).await?;
    let key = Key::new("ABC234")?;
    let Created::Saved(seen) = backend
        .create(&key, &Record::new("text", Expiry::NEVER))
        .await?
    else {
        panic!("the key is new");
    };
    let next = Record::new("next", Expiry::after(Duration::from_secs(3_600)));
    let swapped = backend.swap(&key, &seen, &next).await?;
    assert!(matches!(swapped, Outcome::Done(_)));
    let row = sqlx::query(
        "SELECT key, data, created_on <= modified_on,
            expires_on - now() BETWEEN interval '59 minutes' AND interval '60 minutes'
         FROM http_sessions",
    )
    .fetch_one(&pool)
    .await?;
    assert_eq!(row.try_get::<String, _>(0)?, "ABC234");
    assert_eq!(row.try_get::<Vec<u8>, _>(1)?, b"next");
    assert!(row.try_get::<bool, _>(2)? && row.try_get::<bool, _>(3)?);
    // A write of a Go program in between is another revision.
    let stored = backend.load(&key).await?.expect("the record exists");
    sqlx::query("UPDATE http_sessions SET data = data")
        .execute(&pool)
        .await?;
    let swapped = backend.swap(&key, &stored.revision, &next).await?;
    assert_eq!(swapped, Outcome::Conflict);
    // A key that is not valid in such a table is refused.
    for key in ["ä", "a b", "a\0", &"x".repeat(64)] {
        let refused = backend.create(&Key::new(key)?, &next).await;
        assert!(refused.unwrap_err().is_usage());
    }
    Ok(())
}

/// Go's rows with `MaxAge: 0` have already expired when they are written, and Go reads them for
/// ever.
pub(super) async fn a_row_without_a_max_age_expires_after_a_time(server: &PostgresServer) -> Tried {
    let of_text = (GoTable::pgstore(), "key");
    let of_bytes = (GoTable::antonlindstrom_pgstore(), "convert_to(key, 'UTF8')");
    for (number, (table, column)) in [of_text, of_bytes].into_iter().enumerate() {
        let (url, pool) = database(server, &format!("max_age_0_{number}"), &[]).await?;
        let strict = GoPostgres::connect(&url, table).await?;
        let backend = strict.without_max_age(Duration::from_secs(3_600))?;
        // The expiries are those that pgstore computes; the last row has a MaxAge of a minute.
        let insert = format!(
            "INSERT INTO http_sessions (key, data, created_on, modified_on, expires_on)
             SELECT {column}, 'text', now(), modified, modified - interval '1 microsecond' * behind
             FROM (VALUES ('A', now() - interval '59 minutes', 7),
                          ('B', now() - interval '59 minutes', 0),
                          ('C', now() - interval '61 minutes', 7),
                          ('D', now() - interval '59 minutes', -60000000))
             AS rows (key, modified, behind)"
        );
        sqlx::raw_sql(AssertSqlSafe(insert)).execute(&pool).await?;
        for (key, is_valid) in [("A", true), ("B", true), ("C", false), ("D", false)] {
            let key = Key::new(key)?;
            assert_eq!(strict.load(&key).await?, None);
            let stored = backend.load(&key).await?;
            assert_eq!(stored.is_some(), is_valid, "{number} {key:?}");
            if let Some(stored) = stored {
                let left = stored.record.expiry().as_millis() - Expiry::now().as_millis();
                assert!((0..=60_000).contains(&left), "{left} ms");
                let record = Record::new("x", Expiry::after(Duration::from_secs(60)));
                assert_eq!(backend.create(&key, &record).await?, Created::Exists);
            }
        }
        backend.purge(10).await?;
        let keys = "SELECT string_agg(convert_from(key::bytea, 'UTF8'), '' ORDER BY key)
                    FROM http_sessions";
        let left: String = sqlx::query_scalar(keys).fetch_one(&pool).await?;
        assert_eq!(left, "AB");
        // A row that Silverback writes has its own expiry, even one that has passed.
        let key = Key::new("A")?;
        let seen = backend
            .load(&key)
            .await?
            .expect("the row is valid")
            .revision;
        let next = Record::new("next", Expiry::after(Duration::from_secs(60)));
        let Outcome::Done(seen) = backend.swap(&key, &seen, &next).await? else {
            panic!("there is no concurrent write");
        };
        assert!(strict.load(&key).await?.is_some());
        let over = Expiry::from_millis(Expiry::now().as_millis() - 5_000);
        backend
            .touch(&key, &seen, over)
            .await?
            .done()
            .expect("the record exists");
        assert_eq!(backend.load(&key).await?, None);
    }
    let scs = GoTable::scs_postgresstore().without_max_age(Duration::from_secs(1));
    let pool = PgPool::connect(&server.url()).await?;
    let refused = GoPostgres::from_pool(pool, scs, PostgresOptions::new());
    assert!(refused.unwrap_err().is_usage());
    Ok(())
}
/// A refusal of a custom table names the column, its type and the required type, and nothing is
/// written.
pub(super) async fn an_incompatible_table_is_refused(server: &PostgresServer) -> Tried {
    const DATES: &str = "created_on TIMESTAMPTZ, modified_on TIMESTAMPTZ";
    let (url, pool) = database(server, "made_by_people", &[]).await?;
    let fold = "CREATE COLLATION folds (provider = icu, locale = 'und-u-ks-level2', deterministic = false)";
    let has_icu = sqlx::raw_sql(fold).execute(&pool).await.is_ok();
    let gorilla = "key TEXT PRIMARY KEY, data BYTEA, expires_on";
    let mut tables: Vec<(GoTable, String, [&str; 3])> = Vec::new();
    let mut pgstore = |columns: &str, parts| {
        tables.push((GoTable::pgstore(), format!("{columns}, {DATES}"), parts));
    };
    pgstore(
        &format!("{gorilla} TIMESTAMP"),
        ["expires_on", "timestamp without time zone", "timestamptz"],
    );
    pgstore(
        &format!("{gorilla} BIGINT"),
        ["expires_on", "bigint", "timestamptz"],
    );
    pgstore(
        &format!("{gorilla} DATE"),
        ["expires_on", "date", "timestamptz"],
    );
    let rest = "expires_on TIMESTAMPTZ";
    pgstore(
        &format!("key VARCHAR(32) PRIMARY KEY, data BYTEA, {rest}"),
        ["key", "character varying(32)", "varchar(52)"],
    );
    pgstore(
        &format!("key UUID PRIMARY KEY, data BYTEA, {rest}"),
        ["key", "uuid", "text"],
    );
    pgstore(
        &format!("key TEXT PRIMARY KEY, data JSON, {rest}"),
        ["data", "json", "bytea"],
    );
    pgstore(
        &format!("key TEXT PRIMARY KEY, data JSONB, {rest}"),
        ["data", "jsonb", "bytea"],
    );
    pgstore(
        &format!("key TEXT PRIMARY KEY, data VARCHAR(255), {rest}"),
        ["data", "character varying(255)", "varchar(4096)"],
    );
    pgstore(
        &format!("key TEXT PRIMARY KEY, payload BYTEA, {rest}"),
        ["data", "no column", "bytea"],
    );
    pgstore(
        &format!("key TEXT PRIMARY KEY, data BYTEA, {rest}, tenant INT NOT NULL"),
        ["tenant", "NOT NULL", "default"],
    );
    pgstore(
        &format!("key TEXT PRIMARY KEY, data TEXT GENERATED ALWAYS AS ('x') STORED, {rest}"),
        ["data", "generated", "bytea"],
    );
    if has_icu {
        pgstore(
            &format!("key TEXT COLLATE folds PRIMARY KEY, data BYTEA, {rest}"),
            [
                "key",
                "a collation that treats different texts as equal",
                "text",
            ],
        );
    }
    let columns = format!("{gorilla} TIMESTAMPTZ, created_on TIMESTAMPTZ");
    tables.push((
        GoTable::pgstore(),
        columns,
        ["modified_on", "no column", "timestamptz"],
    ));
    let scs = "token TEXT PRIMARY KEY, expiry TIMESTAMPTZ";
    tables.push((
        GoTable::scs_postgresstore(),
        format!("{scs}, data TEXT"),
        ["data", "text", "bytea"],
    ));
    tables.push((
        GoTable::scs_gormstore(),
        format!("{scs}, data JSONB"),
        ["data", "jsonb", "bytea"],
    ));
    for (number, (table, columns, parts)) in tables.into_iter().enumerate() {
        let name = format!("table_{number}");
        let create = AssertSqlSafe(format!("CREATE TABLE {name} ({columns})"));
        sqlx::raw_sql(create).execute(&pool).await?;
        let table = table.named(&name);
        let pooled = GoPostgres::from_pool(pool.clone(), table.clone(), PostgresOptions::new())?;
        let refusals = [
            GoPostgres::connect(&url, table).await.unwrap_err(),
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
    let view = "CREATE VIEW seen AS SELECT 'x'::text AS key";
    sqlx::raw_sql(view).execute(&pool).await?;
    let refused = GoPostgres::connect(&url, GoTable::pgstore().named("seen")).await;
    assert!(refused.unwrap_err().is_usage());
    Ok(())
}

/// A text column contains the value as text.
pub(super) async fn a_text_column_contains_the_value_as_text(server: &PostgresServer) -> Tried {
    let (url, pool) = database(server, "of_text", &[]).await?;
    let create = "CREATE TABLE http_sessions (key TEXT PRIMARY KEY, data TEXT,
        created_on TIMESTAMPTZ, modified_on TIMESTAMPTZ, expires_on TIMESTAMPTZ)";
    sqlx::raw_sql(create).execute(&pool).await?;
    let unprepared = format!("{url}?statement-cache-capacity=0");
    for url in [&url, &unprepared] {
        let backend = GoPostgres::connect(url, GoTable::pgstore()).await?;
        try_go_table(&backend).await?;
        let key = Key::new("ABC234")?;
        let record = Record::new("MTc2|te_xt==", Expiry::NEVER);
        backend
            .create(&key, &record)
            .await?
            .saved()
            .expect("the key is new");
        let text: String =
            sqlx::query_scalar("SELECT data FROM http_sessions WHERE key = 'ABC234'")
                .fetch_one(&pool)
                .await?;
        assert_eq!(text, "MTc2|te_xt==");
        let stored = backend.load(&key).await?.expect("the record exists");
        assert_eq!(stored.record.value(), record.value());
        // A row of another program that is not valid affects only its own key.
        let spoil = "INSERT INTO http_sessions (key, expires_on) VALUES ('NULLDATA', now() + interval '1 day');
            INSERT INTO http_sessions (key, data) VALUES ('NULLTIME', 'x');
            INSERT INTO http_sessions (key, data, expires_on) VALUES ('NULLMORE', NULL, now() + interval '1 day')";
        sqlx::raw_sql(spoil).execute(&pool).await?;
        assert!(
            backend
                .load(&Key::new("NULLDATA")?)
                .await
                .unwrap_err()
                .is_corrupt()
        );
        assert_eq!(backend.load(&Key::new("NULLTIME")?).await?, None);
        let page = backend.page(None, 10).await?;
        assert_eq!((page.entries.len(), page.skipped.len()), (1, 2), "{page:?}");
        let first = backend.page(None, 2).await?;
        assert_eq!(
            first.next,
            Some(Key::new("NULLDATA")?),
            "after the skipped row"
        );
        sqlx::raw_sql("DELETE FROM http_sessions")
            .execute(&pool)
            .await?;
    }
    Ok(())
}
