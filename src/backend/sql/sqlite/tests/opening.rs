//! Opening a database: the file, its tables, its locks, and the limits of a pool.

use super::*;

#[tokio::test]
async fn a_path_is_not_parsed_as_a_url() {
    let folder = Temporary::new();
    for name in ["file:memory?mode=memory", "'; DROP", "50%25"] {
        let backend = Sqlite::open(folder.0.join(name)).await.unwrap();
        create(&backend, &key("a"), &record("v")).await;
        assert!(folder.0.join(name).is_file());
    }
    for path in ["", "/dev/null/sessions.db", "/"] {
        let refused = Sqlite::open(path).await.unwrap_err();
        assert!(refused.is_unavailable(), "{path}: {refused:?}");
    }
}

#[tokio::test]
async fn concurrent_opens_create_one_database_and_lose_no_update() {
    let folder = Temporary::new();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let path = folder.path();
            tokio::spawn(async move {
                let backend = Sqlite::open(path).await.unwrap();
                let zero = Record::new(0_u64.to_be_bytes(), soon());
                let _either = backend.create(&key("sum"), &zero).await.unwrap();
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
async fn opening_existing_tables_writes_nothing() {
    let folder = Temporary::new();
    drop(folder.open().await);
    let mut other = folder.connection().await;
    run(&mut other, "BEGIN IMMEDIATE").await;
    // A write would wait for the other connection.
    let start = Instant::now();
    let backend = folder.open().await;
    assert!(start.elapsed() < SqliteOptions::new().timeout);
    run(&mut other, "COMMIT").await;
    create(&backend, &key("a"), &record("v")).await;
}

#[tokio::test]
async fn a_read_only_database_serves_reads_and_refuses_writes() {
    let folder = Temporary::new();
    let writer = folder.open().await;
    create(&writer, &key("a"), &record("v")).await;
    let pool = SqlitePoolOptions::new().connect_lazy_with(folder.options().read_only(true));
    let reader = Sqlite::from_pool(pool, SqliteOptions::new()).unwrap();
    let stored = reader.load(&key("a")).await.unwrap().unwrap();
    assert_eq!(reader.page(None, 10).await.unwrap().entries.len(), 1);
    let refusals = [
        reader.create(&key("b"), &record("v")).await.map(drop),
        reader.remove(&key("a"), &stored.revision).await.map(drop),
        reader.extend(&owner_name("ape"), soon()).await.map(drop),
        reader.purge(10).await.map(drop),
    ];
    for refused in refusals.map(Result::unwrap_err) {
        assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
        let text = refused.to_string();
        assert!(text.starts_with("the database is read-only: "), "{text}");
    }
}

#[tokio::test]
async fn a_database_without_tables_is_unavailable_until_migrated() {
    let folder = Temporary::new();
    let options = folder.options().create_if_missing(true);
    let pool = SqlitePoolOptions::new().connect_lazy_with(options);
    let backend = Sqlite::from_pool(pool.clone(), SqliteOptions::new()).unwrap();
    assert!(backend.load(&key("a")).await.unwrap_err().is_unavailable());
    let refused = backend.create(&key("a"), &record("v")).await.unwrap_err();
    assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
    for _ in 0..2 {
        backend.migrate().await.unwrap();
        backend.purge(10).await.unwrap();
    }
    sqlx::raw_sql(Sqlite::SCHEMA).execute(&pool).await.unwrap();
    create(&backend, &key("a"), &record("v")).await;
}

#[tokio::test]
async fn the_timeout_limits_the_wait_for_a_lock() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    drop(backend);
    let mut other = folder.connection().await;
    run(&mut other, "BEGIN IMMEDIATE").await;
    let short = SqliteOptions::new().timeout(Duration::from_millis(1_500));
    let backend = Sqlite::open_with(folder.path(), short).await.unwrap();
    let start = Instant::now();
    let refused = backend.create(&key("a"), &record("v")).await.unwrap_err();
    assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
    assert!(start.elapsed() < SqliteOptions::new().timeout);
    run(&mut other, "COMMIT").await;
    let none = SqliteOptions::new().timeout(Duration::ZERO);
    let pool = SqlitePoolOptions::new().connect_lazy_with(folder.options());
    assert!(
        Sqlite::from_pool(pool, none.clone())
            .unwrap_err()
            .is_usage()
    );
    let refused = Sqlite::open_with(folder.path(), none).await.unwrap_err();
    assert!(refused.is_usage());
    let longest = SqliteOptions::new().timeout(Duration::MAX);
    let backend = Sqlite::open_with(folder.path(), longest).await.unwrap();
    create(&backend, &key("a"), &record("v")).await;
}

#[tokio::test]
async fn a_missing_file_is_created_only_if_the_options_allow_it() {
    let folder = Temporary::new();
    for _ in 0..2 {
        let missing = Sqlite::open_with(folder.path(), existing()).await;
        assert!(missing.unwrap_err().is_usage());
        assert!(!folder.path().exists());
    }
    drop(folder.open().await);
    let backend = Sqlite::open_with(folder.path(), existing()).await.unwrap();
    create(&backend, &key("a"), &record("v")).await;
}

#[tokio::test]
async fn a_locked_database_is_unavailable_until_it_is_unlocked() {
    let folder = Temporary::new();
    drop(folder.open().await);
    let options = folder.options().busy_timeout(Duration::from_millis(50));
    let pool = SqlitePoolOptions::new().connect_lazy_with(options);
    let backend = Sqlite::from_pool(pool, SqliteOptions::new()).unwrap();
    let mut other = folder.connection().await;
    run(&mut other, "BEGIN IMMEDIATE").await;
    let refused = backend.create(&key("a"), &record("v")).await.unwrap_err();
    assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
    let text = refused.to_string();
    assert!(
        text.starts_with("the database is locked by another connection: "),
        "{text}"
    );
    assert_eq!(
        backend.load(&key("a")).await.unwrap(),
        None,
        "a read waits for no lock"
    );
    run(&mut other, "COMMIT").await;
    create(&backend, &key("a"), &record("v")).await;
}

#[tokio::test]
async fn a_file_of_another_format_is_unavailable_and_unchanged() {
    let folder = Temporary::new();
    std::fs::write(folder.path(), [b'x'; 10_000]).unwrap();
    let refused = Sqlite::open(folder.path()).await.unwrap_err();
    assert!(refused.is_unavailable() && !refused.is_corrupt());
    assert_eq!(std::fs::read(folder.path()).unwrap(), [b'x'; 10_000]);
}
