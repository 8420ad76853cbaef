//! What is particular to SQLite; the laws of all backends are in `conformance`.

use std::path::PathBuf;
use std::time::Instant;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection, SqliteConnection};

use super::super::Owner;
use super::*;

/// A folder that is removed in the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        let name = base16ct::lower::encode_string(Generation::random().unwrap().as_bytes());
        let folder = std::env::temp_dir().join(format!("silverback-{name}"));
        std::fs::create_dir(&folder).unwrap();
        Temporary(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.join("sessions.db")
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new().filename(self.path())
    }

    async fn open(&self) -> Sqlite {
        Sqlite::open(self.path()).await.unwrap()
    }

    /// Somebody else's connection.
    async fn connection(&self) -> SqliteConnection {
        SqliteConnection::connect_with(&self.options())
            .await
            .unwrap()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn run(connection: &mut SqliteConnection, statement: &'static str) {
    sqlx::raw_sql(statement).execute(connection).await.unwrap();
}

async fn number(connection: &mut SqliteConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query)
        .fetch_one(connection)
        .await
        .unwrap()
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn soon() -> Expiry {
    Expiry::after(Duration::from_secs(600))
}

fn record(value: &str) -> Record {
    Record::new(value, soon())
}

fn owned(owner: &str, generation: Generation) -> Record {
    let name = owner.to_owned();
    record("v").owned_by(Owner { name, generation })
}

#[tokio::test]
async fn nobody_else_may_read_it() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    backend.create(&key("a"), &record("v")).await.unwrap();
    let files: Vec<_> = std::fs::read_dir(&folder.0).unwrap().collect();
    assert_eq!(files.len(), 3, "the database, its log, and the log's index");
    #[cfg(unix)]
    for file in files {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_path_is_nothing_but_a_path() {
    let folder = Temporary::new();
    for name in ["file:memory?mode=memory", "'; DROP", "50%25"] {
        let backend = Sqlite::open(folder.0.join(name)).await.unwrap();
        backend.create(&key("a"), &record("v")).await.unwrap();
        assert!(folder.0.join(name).is_file());
    }
    for path in ["", "/dev/null/sessions.db", "/"] {
        let refused = Sqlite::open(path).await.unwrap_err();
        assert!(refused.is_unavailable(), "{path}: {refused:?}");
    }
}

#[tokio::test]
async fn all_who_open_it_at_once_make_it_once_and_lose_nothing() {
    let folder = Temporary::new();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let path = folder.path();
            tokio::spawn(async move {
                let backend = Sqlite::open(path).await.unwrap();
                let zero = Record::new(0_u64.to_be_bytes(), soon());
                backend.create(&key("sum"), &zero).await.unwrap();
                let mut left = 20;
                while left > 0 {
                    let stored = backend.load(&key("sum")).await.unwrap().unwrap();
                    let sum = u64::from_be_bytes(stored.record.value().try_into().unwrap());
                    let next = Record::new((sum + 1).to_be_bytes(), soon());
                    let swapped = backend.swap(&key("sum"), &stored.revision, &next).await;
                    left -= u64::from(matches!(swapped.unwrap(), Outcome::Done(_)));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let stored = folder
        .open()
        .await
        .load(&key("sum"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.record.value(), 160_u64.to_be_bytes());
}

#[tokio::test]
async fn tables_that_are_there_are_not_made_again() {
    let folder = Temporary::new();
    drop(folder.open().await);
    let mut other = folder.connection().await;
    run(&mut other, "BEGIN IMMEDIATE").await;
    // It would wait for the other, had it anything to write.
    let start = Instant::now();
    let backend = folder.open().await;
    assert!(start.elapsed() < WAIT);
    run(&mut other, "COMMIT").await;
    backend.create(&key("a"), &record("v")).await.unwrap();
}

#[tokio::test]
async fn who_may_only_read_reads_and_is_told() {
    let folder = Temporary::new();
    let writer = folder.open().await;
    writer.create(&key("a"), &record("v")).await.unwrap();
    let pool = SqlitePoolOptions::new().connect_lazy_with(folder.options().read_only(true));
    let reader = Sqlite::with_pool(pool);
    let stored = reader.load(&key("a")).await.unwrap().unwrap();
    assert_eq!(reader.page(None, 10).await.unwrap().entries.len(), 1);
    let refusals = [
        reader.create(&key("b"), &record("v")).await.map(drop),
        reader.remove(&key("a"), &stored.revision).await.map(drop),
        reader.begin("ape", soon()).await.map(drop),
        reader.purge(10).await.map(drop),
    ];
    for refused in refusals.map(Result::unwrap_err) {
        assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
        let text = refused.to_string();
        assert!(
            text.starts_with("the database is for reading only: "),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_pool_without_tables_is_told_and_given_none() {
    let folder = Temporary::new();
    let options = folder.options().create_if_missing(true);
    let pool = SqlitePoolOptions::new().connect_lazy_with(options);
    let backend = Sqlite::with_pool(pool.clone());
    assert!(backend.load(&key("a")).await.unwrap_err().is_unavailable());
    let refused = backend.create(&key("a"), &record("v")).await.unwrap_err();
    assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
    for _ in 0..2 {
        sqlx::raw_sql(Sqlite::SCHEMA).execute(&pool).await.unwrap();
        backend.purge(10).await.unwrap();
    }
    backend.create(&key("a"), &record("v")).await.unwrap();
}

#[tokio::test]
async fn a_busy_database_is_unavailable_and_then_is_not() {
    let folder = Temporary::new();
    drop(folder.open().await);
    let options = folder.options().busy_timeout(Duration::from_millis(50));
    let backend = Sqlite::with_pool(SqlitePoolOptions::new().connect_lazy_with(options));
    let mut other = folder.connection().await;
    run(&mut other, "BEGIN IMMEDIATE").await;
    let refused = backend.create(&key("a"), &record("v")).await.unwrap_err();
    assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
    let text = refused.to_string();
    assert!(text.starts_with("the database is busy: "), "{text}");
    assert_eq!(
        backend.load(&key("a")).await.unwrap(),
        None,
        "readers wait for nobody"
    );
    run(&mut other, "COMMIT").await;
    backend.create(&key("a"), &record("v")).await.unwrap();
}

#[tokio::test]
async fn what_is_no_database_is_unavailable_and_no_lost_session() {
    let folder = Temporary::new();
    std::fs::write(folder.path(), [b'x'; 10_000]).unwrap();
    let refused = Sqlite::open(folder.path()).await.unwrap_err();
    assert!(refused.is_unavailable() && !refused.is_corrupt());
    assert_eq!(std::fs::read(folder.path()).unwrap(), [b'x'; 10_000]);
}

#[tokio::test]
async fn a_row_that_is_no_record_is_an_error_for_its_key_alone() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    let generation = backend.begin("ape", soon()).await.unwrap();
    for name in ["a", "b"] {
        let created = backend.create(&key(name), &owned("ape", generation)).await;
        created.unwrap();
    }
    let mut other = folder.connection().await;
    let spoil = "UPDATE silverback_owners SET kept = CAST('a' AS BLOB);
        UPDATE silverback_sessions SET generation = x'00' WHERE key = CAST('a' AS BLOB)";
    run(&mut other, spoil).await;
    assert!(backend.load(&key("a")).await.unwrap_err().is_corrupt());
    assert!(backend.load(&key("b")).await.unwrap().is_some());
}

/// A write whose first row is there, and whose end fails.
#[tokio::test]
async fn a_write_is_acknowledged_when_it_has_ended_well() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    let stored = backend.begin("bonobo", soon()).await.unwrap();
    let mut other = folder.connection().await;
    let fail = "CREATE TABLE elsewhere (id INTEGER PRIMARY KEY);
        CREATE TABLE late (id REFERENCES elsewhere (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER at_the_end_1 AFTER INSERT ON silverback_owners
            BEGIN INSERT INTO late VALUES (1); END;
        CREATE TRIGGER at_the_end_2 AFTER INSERT ON silverback_sessions
            BEGIN INSERT INTO late VALUES (1); END";
    run(&mut other, fail).await;
    let refusals = [
        backend.begin("ape", soon()).await.map(drop),
        backend.revoke("ape", soon(), None).await.map(drop),
        backend.create(&key("a"), &record("v")).await.map(drop),
    ];
    for refused in refusals.map(Result::unwrap_err) {
        assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
    }
    assert_eq!(backend.generation("ape").await.unwrap(), None);
    assert_eq!(backend.load(&key("a")).await.unwrap(), None);
    assert_eq!(backend.generation("bonobo").await.unwrap(), Some(stored));
}

#[tokio::test]
async fn what_no_row_holds_is_too_large() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    // Zeros that nobody looks at take no memory.
    let large = Record::new(vec![0; LARGEST], soon());
    let refused = backend.create(&key("a"), &large).await.unwrap_err();
    assert!(refused.is_too_large() && refused.to_string().contains("1000000000"));
}

#[tokio::test]
async fn nothing_is_left_of_what_is_over() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    let generation = backend.begin("ape", soon()).await.unwrap();
    for name in ["revoked", "kept"] {
        let created = backend.create(&key(name), &owned("ape", generation)).await;
        created.unwrap();
    }
    backend
        .revoke("ape", soon(), Some(&key("kept")))
        .await
        .unwrap();
    backend
        .create(&key("late"), &owned("ape", generation))
        .await
        .unwrap();
    backend
        .create(&key("nobody's"), &owned("nobody", generation))
        .await
        .unwrap();
    assert_eq!(backend.purge(2).await.unwrap().removed, 2);
    assert_eq!(backend.purge(2).await.unwrap().removed, 1);
    assert!(backend.load(&key("kept")).await.unwrap().is_some());
    // An owner that is over takes its records along, also when it begins again first.
    let mut other = folder.connection().await;
    let over = "UPDATE silverback_owners SET expiry = 1";
    run(&mut other, over).await;
    let next = backend.begin("ape", soon()).await.unwrap();
    assert_eq!(backend.purge(10).await.unwrap().removed, 1);
    backend
        .create(&key("new"), &owned("ape", next))
        .await
        .unwrap();
    run(&mut other, over).await;
    assert_eq!(backend.load(&key("new")).await.unwrap(), None);
    assert_eq!(backend.purge(10).await.unwrap().removed, 1);
    for left in [
        "SELECT count(*) FROM silverback_sessions",
        "SELECT count(*) FROM silverback_owners",
    ] {
        assert_eq!(number(&mut other, left).await, 0, "{left}");
    }
}

#[tokio::test]
async fn who_stops_waiting_leaves_it_done_or_undone() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    for round in 0..200_u64 {
        let (key, backend) = (key(&round.to_string()), backend.clone());
        let create = {
            let (key, backend) = (key.clone(), backend.clone());
            async move { backend.create(&key, &record("v")).await }
        };
        let _ = tokio::time::timeout(Duration::from_micros(round * 10), create).await;
        // Whatever became of it, the next goes on.
        let found = backend.load(&key).await.unwrap();
        assert!(found.is_none_or(|stored| stored.record.value() == b"v"));
        backend.create(&key, &record("v")).await.unwrap();
    }
    let page = backend.page(None, usize::MAX).await.unwrap();
    assert_eq!(page.entries.len(), 200);
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index() {
    let folder = Temporary::new();
    drop(folder.open().await);
    let mut connection = folder.connection().await;
    for statement in statements::ALL {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        for (.., step) in plan {
            let by_index = !step.starts_with("SCAN");
            assert!(
                by_index && !step.contains("TEMP B-TREE"),
                "{statement}: {step}"
            );
        }
    }
}

#[tokio::test]
async fn a_url_names_its_file() {
    let folder = Temporary::new();
    for (prefix, name) in [("sqlite:", "a.db"), ("sqlite://", "b.db")] {
        let path = folder.0.join(name);
        let url = format!("{prefix}{}", path.display());
        super::super::connect(&url).await.unwrap();
        assert!(path.is_file());
        let backend = Sqlite::open(&path).await.unwrap();
        assert_eq!(format!("{backend:?}"), format!("Sqlite({path:?})"));
    }
}

#[tokio::test]
async fn a_dead_record_is_not_brought_back_by_keeping_it() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    let generation = backend.begin("ape", soon()).await.unwrap();
    for name in ["one", "other"] {
        let created = backend.create(&key(name), &owned("ape", generation)).await;
        created.unwrap();
    }
    for name in ["one", "other"] {
        let revoked = backend.revoke("ape", soon(), Some(&key(name))).await;
        revoked.unwrap();
        assert_eq!(backend.load(&key("other")).await.unwrap(), None);
    }
    assert_eq!(backend.keys("ape").await.unwrap(), []);
}

#[tokio::test]
async fn tables_with_other_columns_are_refused_and_left_as_they_are() {
    for (table, named) in [
        (
            "CREATE TABLE silverback_sessions (key TEXT, revision BLOB, expiry TEXT,
                owner BLOB, generation BLOB, value BLOB)",
            "\"key\"",
        ),
        (
            "CREATE TABLE silverback_sessions (key BLOB, revision BLOB, expiry REAL,
                owner BLOB, generation BLOB, value BLOB)",
            "\"expiry\"",
        ),
        (
            "CREATE TABLE silverback_owners (name BLOB, expiry INTEGER)",
            "\"generation\"",
        ),
    ] {
        let folder = Temporary::new();
        let options = folder.options().create_if_missing(true);
        let mut other = SqliteConnection::connect_with(&options).await.unwrap();
        run(&mut other, table).await;
        let refusals = [
            Sqlite::open(folder.path()).await,
            Sqlite::open_existing(folder.path()).await,
        ];
        for refused in refusals.map(Result::unwrap_err) {
            assert!(refused.is_usage(), "{refused:?}");
            assert!(refused.to_string().contains(named), "{refused}");
        }
        let tables = "SELECT count(*) FROM sqlite_schema";
        assert_eq!(number(&mut other, tables).await, 1);
    }
}

#[tokio::test]
async fn a_row_that_is_no_record_is_skipped_by_a_page_and_named() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    for name in ["a", "b", "c", "d"] {
        backend.create(&key(name), &record("v")).await.unwrap();
    }
    let mut other = folder.connection().await;
    let spoil = "UPDATE silverback_sessions SET owner = x'ff', generation = x'00' WHERE key IN (CAST('b' AS BLOB), CAST('c' AS BLOB));
        INSERT INTO silverback_owners VALUES (x'ff', x'00', 9223372036854775807, NULL)";
    run(&mut other, spoil).await;
    let (mut found, mut skipped, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let page = backend.page(after.as_ref(), 1).await.unwrap();
        found.extend(page.entries.into_iter().map(|entry| entry.key));
        skipped.extend(page.skipped);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, [key("a"), key("d")]);
    assert_eq!(skipped.len(), 2);
    assert!(skipped.iter().all(Error::is_corrupt));
}

#[tokio::test]
async fn a_ping_of_closed_connections_is_unavailable() {
    let folder = Temporary::new();
    drop(folder.open().await);
    let pool = SqlitePoolOptions::new().connect_lazy_with(folder.options());
    let backend = Sqlite::with_pool(pool.clone());
    backend.ping().await.unwrap();
    pool.close().await;
    assert!(backend.ping().await.unwrap_err().is_unavailable());
}

/// What a statement does at the very moment that something expires, and a millisecond before.
/// The moment is a parameter of each.
mod at_the_expiry {
    use super::*;

    const AT: i64 = 1_000_000;
    const KEY: &str = "a";

    /// A record of an owner's, of which one expires at that moment and the other later.
    async fn expiring(owner: i64, session: i64) -> (Temporary, SqliteConnection) {
        let folder = Temporary::new();
        drop(folder.open().await);
        let mut connection = folder.connection().await;
        sqlx::query("INSERT INTO silverback_owners VALUES (CAST('ape' AS BLOB), x'01', ?1, NULL)")
            .bind(owner)
            .execute(&mut connection)
            .await
            .unwrap();
        let insert =
            "INSERT INTO silverback_sessions (key, revision, expiry, owner, generation, value)
            VALUES (CAST('a' AS BLOB), x'07', ?1, CAST('ape' AS BLOB), x'01', x'')";
        sqlx::query(insert)
            .bind(session)
            .execute(&mut connection)
            .await
            .unwrap();
        (folder, connection)
    }

    /// How many rows a statement answers with or changes at that time, of the key, the revision,
    /// and whatever else it takes.
    async fn count(statement: &'static str, now: i64, owner: i64, session: i64) -> usize {
        let (_folder, mut connection) = expiring(owner, session).await;
        let query = sqlx::query(statement).bind(now);
        let (key, seen) = (KEY.as_bytes(), [7_u8]);
        let query = match statement {
            statements::LOAD | statements::FIND => query.bind(key),
            statements::SWAP => query
                .bind(key)
                .bind(&seen[..])
                .bind(i64::MAX)
                .bind(None::<&[u8]>)
                .bind(None::<&[u8]>)
                .bind(&b"v"[..])
                .bind(&b"new"[..]),
            statements::TOUCH => query
                .bind(key)
                .bind(&seen[..])
                .bind(&b"new"[..])
                .bind(i64::MAX),
            statements::REMOVE => query.bind(key).bind(&seen[..]),
            statements::KEYS | statements::GENERATION => query.bind(&b"ape"[..]),
            statements::PAGE => query.bind(&b""[..]).bind(10),
            statements::PURGE | statements::PURGE_OWNERS => query.bind(10),
            statements::CREATE => query
                .bind(key)
                .bind(&b"new"[..])
                .bind(i64::MAX)
                .bind(None::<&[u8]>)
                .bind(None::<&[u8]>)
                .bind(&b"v"[..]),
            _ => panic!("it is not tried so"),
        };
        let answers = statement.starts_with("SELECT");
        match answers {
            true => query.fetch_all(&mut connection).await.unwrap().len(),
            false => {
                let done = query.execute(&mut connection).await.unwrap();
                usize::try_from(done.rows_affected()).unwrap()
            }
        }
    }

    #[tokio::test]
    async fn a_record_is_missing_and_a_millisecond_before_it_is_not() {
        let (later, before) = (AT + 1, AT - 1);
        for (statement, of_living, of_missing) in [
            (statements::LOAD, 1, 0),
            (statements::FIND, 1, 0),
            (statements::SWAP, 1, 0),
            (statements::TOUCH, 1, 0),
            (statements::REMOVE, 1, 0),
            (statements::KEYS, 1, 0),
            (statements::PAGE, 1, 0),
            (statements::CREATE, 0, 1),
        ] {
            // Its own expiry, and its owner's.
            for (owner, session) in [(later, AT), (AT, later)] {
                let counted = count(statement, AT, owner, session).await;
                assert_eq!(counted, of_missing, "{statement}");
                let counted = count(statement, before, owner, session).await;
                assert_eq!(counted, of_living, "{statement}");
            }
        }
        for (now, purged) in [(before, 0), (AT, 1)] {
            assert_eq!(count(statements::PURGE, now, later, AT).await, purged);
            assert_eq!(
                count(statements::PURGE_OWNERS, now, AT, later).await,
                purged
            );
            assert_eq!(
                count(statements::GENERATION, now, AT, later).await,
                1 - purged
            );
        }
    }

    #[tokio::test]
    async fn an_owner_begins_anew_and_keeps_nothing() {
        for (now, is_over) in [(AT - 1, false), (AT, true)] {
            let (_folder, mut connection) = expiring(AT, AT + 1).await;
            let begun: Vec<u8> = sqlx::query_scalar(statements::BEGIN)
                .bind(now)
                .bind(&b"ape"[..])
                .bind(&b"fresh"[..])
                .bind(i64::MAX)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            assert_eq!(begun == b"fresh", is_over);
            let (_folder, mut connection) = expiring(AT, AT + 1).await;
            sqlx::query(statements::REVOKE)
                .bind(now)
                .bind(&b"ape"[..])
                .bind(&b"fresh"[..])
                .bind(i64::MAX)
                .bind(KEY.as_bytes())
                .execute(&mut connection)
                .await
                .unwrap();
            let kept = "SELECT count(*) FROM silverback_owners WHERE kept IS NOT NULL";
            assert_eq!(number(&mut connection, kept).await, i64::from(!is_over));
        }
    }
}

/// What its owner does not let live when it is written is found by the next purge.
#[tokio::test]
async fn what_is_written_dead_is_expired_from_the_start() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    let old = backend.begin("ape", soon()).await.unwrap();
    backend.revoke("ape", soon(), None).await.unwrap();
    let Created::Saved(seen) = backend.create(&key("swapped"), &record("v")).await.unwrap() else {
        panic!("it is the first");
    };
    let swapped = backend
        .swap(&key("swapped"), &seen, &owned("ape", old))
        .await;
    assert!(matches!(swapped.unwrap(), Outcome::Done(_)));
    backend
        .create(&key("created"), &owned("ape", old))
        .await
        .unwrap();
    let mut other = folder.connection().await;
    let dead = "SELECT count(*) FROM silverback_sessions WHERE expiry = 0";
    assert_eq!(number(&mut other, dead).await, 2);
    assert_eq!(backend.purge(10).await.unwrap().removed, 2);
}
