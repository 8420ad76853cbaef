//! The rights to create the tables, and to use them.

use silverback::backend::{
    Backend, Created, Expiry, GoPostgres, GoTable, Key, Postgres, PostgresOptions, Record, Scan,
};
use sqlx::PgPool;

use super::super::servers::postgres::PostgresServer;
use super::{Tried, database};

/// Options that create nothing.
fn existing() -> PostgresOptions {
    PostgresOptions::new().create_if_missing(false)
}

async fn number_of_tables(pool: &PgPool) -> Result<i64, sqlx::Error> {
    let count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    sqlx::query_scalar(count).fetch_one(pool).await
}

pub(super) async fn a_user_without_the_right_to_create_uses_existing_tables(
    server: &PostgresServer,
) -> Tried {
    let (url, pool) = database(server, "rights", &[]).await?;
    sqlx::raw_sql("DROP ROLE IF EXISTS rights_user; CREATE ROLE rights_user LOGIN")
        .execute(&pool)
        .await?;
    let user = url.replace("silverback@", "rights_user@");
    // Without tables the user can do nothing.
    let refused = Postgres::connect(&user).await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused:?}");
    assert!(refused.to_string().contains("rights"), "{refused}");
    let owner = Postgres::from_pool(pool.clone(), PostgresOptions::new())?;
    owner.migrate().await?;
    // A user without rights cannot use them either.
    let backend = Postgres::connect(&user).await?;
    let refused = backend.load(&Key::new("a")?).await.unwrap_err();
    assert!(refused.to_string().contains("rights"), "{refused}");
    sqlx::raw_sql(
        "GRANT SELECT, INSERT, UPDATE, DELETE
         ON silverback_sessions, silverback_owners TO rights_user",
    )
    .execute(&pool)
    .await?;
    let backend = Postgres::connect(&user).await?;
    let record = Record::new("v", Expiry::NEVER);
    let created = backend.create(&Key::new("a")?, &record).await?;
    assert!(matches!(created, Created::Saved(_)));
    let stored = owner.load(&Key::new("a")?).await?;
    assert_eq!(stored.expect("the record exists").record, record);
    // The tables of Go packages are not created either.
    let table = GoTable::scs_postgresstore;
    let missing = GoPostgres::connect_with(&user, table(), existing()).await;
    let missing = missing.unwrap_err();
    assert!(missing.is_usage() && missing.to_string().contains("no table \"sessions\""));
    assert_eq!(number_of_tables(&pool).await?, 2);
    let given = GoPostgres::from_pool(pool.clone(), table(), PostgresOptions::new())?;
    assert!(
        given
            .load(&Key::new("a")?)
            .await
            .unwrap_err()
            .is_unavailable()
    );
    given.migrate().await?;
    GoPostgres::connect_with(&url, table(), existing()).await?;
    assert_eq!(given.load(&Key::new("a")?).await?, None);
    Ok(())
}

pub(super) async fn concurrent_programs_create_the_tables_once(server: &PostgresServer) -> Tried {
    let (url, pool) = database(server, "at_once", &[]).await?;
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let url = url.clone();
            tokio::spawn(async move {
                let backend = Postgres::connect(&url).await?;
                let key = Key::new(format!("key {number}"))?;
                backend.create(&key, &Record::new("v", Expiry::NEVER)).await
            })
        })
        .collect();
    for task in tasks {
        assert!(matches!(task.await??, Created::Saved(_)));
    }
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { GoPostgres::connect(&url, GoTable::pgstore()).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await??.page(None, 1).await?.entries, []);
    }
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM silverback_sessions")
        .fetch_one(&pool)
        .await?;
    assert_eq!(rows, 8);
    Ok(())
}

/// Tables of an older version, or tables with custom columns.
pub(super) async fn native_tables_with_other_columns_are_refused(server: &PostgresServer) -> Tried {
    let (url, pool) = database(server, "other_columns", &[]).await?;
    let missing = Postgres::connect_with(&url, existing()).await.unwrap_err();
    assert!(missing.is_usage() && missing.to_string().contains("no table silverback_sessions"));
    assert_eq!(number_of_tables(&pool).await?, 0);
    Postgres::connect(&url).await?;
    Postgres::connect_with(&url, existing()).await?;
    for (change, parts) in [
        (
            "ALTER TABLE silverback_sessions ALTER COLUMN value TYPE text USING 'x'",
            ["\"value\"", "text", "bytea"],
        ),
        (
            "ALTER TABLE silverback_sessions DROP COLUMN expiry_minute",
            ["\"expiry_minute\"", "no column", "bigint"],
        ),
    ] {
        sqlx::raw_sql(change).execute(&pool).await?;
        for connected in [
            Postgres::connect(&url).await,
            Postgres::connect_with(&url, existing()).await,
        ] {
            let refused = connected.unwrap_err();
            assert!(refused.is_usage(), "{refused:?}");
            for part in parts {
                assert!(refused.to_string().contains(part), "{refused}");
            }
        }
        sqlx::raw_sql("DROP TABLE silverback_owners, silverback_sessions")
            .execute(&pool)
            .await?;
        Postgres::connect(&url).await?;
    }
    Ok(())
}
