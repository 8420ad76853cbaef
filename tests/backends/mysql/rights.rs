//! The rights to create the tables, and to use them.

use silverback::backend::{
    Backend, Created, Expiry, GoMysql, GoTable, Key, Mysql, MysqlOptions, Record, Scan,
};
use sqlx::{AssertSqlSafe, MySqlPool};

use super::super::servers::mariadb::MariaDbServer;
use super::{Tried, database};

/// Options that create nothing.
fn existing() -> MysqlOptions {
    MysqlOptions::new().create_if_missing(false)
}

async fn number_of_tables(pool: &MySqlPool) -> Result<i64, sqlx::Error> {
    let count = "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE()";
    sqlx::query_scalar(count).fetch_one(pool).await
}

pub(super) async fn a_user_without_the_right_to_create_uses_existing_tables(
    server: &MariaDbServer,
) -> Tried {
    let (url, pool) = database(server, "rights").await?;
    sqlx::raw_sql(
        "CREATE OR REPLACE USER rights_user@'%'; GRANT SELECT ON rights.* TO rights_user@'%'",
    )
    .execute(&pool)
    .await?;
    let user = url.replace("silverback@", "rights_user@");
    // Without tables the user can do nothing.
    let refused = Mysql::connect(&user).await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused:?}");
    assert!(refused.to_string().contains("rights"), "{refused}");
    let owner = Mysql::from_pool(pool.clone(), MysqlOptions::new())?;
    owner.migrate().await?;
    // A user who may only read cannot write.
    let backend = Mysql::connect(&user).await?;
    let record = Record::new("v", Expiry::NEVER);
    let refused = backend.create(&Key::new("a")?, &record).await.unwrap_err();
    assert!(refused.to_string().contains("rights"), "{refused}");
    assert!(!refused.is_outcome_unknown(), "{refused:?}");
    sqlx::raw_sql("GRANT SELECT, INSERT, UPDATE, DELETE ON rights.* TO rights_user@'%'")
        .execute(&pool)
        .await?;
    let backend = Mysql::connect(&user).await?;
    let created = backend.create(&Key::new("a")?, &record).await?;
    assert!(matches!(created, Created::Saved(_)));
    let stored = owner.load(&Key::new("a")?).await?;
    assert_eq!(stored.expect("the record exists").record, record);
    // The tables of Go packages are not created either.
    let table = GoTable::scs_mysqlstore;
    let missing = GoMysql::connect_with(&user, table(), existing()).await;
    let missing = missing.unwrap_err();
    assert!(missing.is_usage() && missing.to_string().contains("no table \"sessions\""));
    assert_eq!(number_of_tables(&pool).await?, 2);
    let given = GoMysql::from_pool(pool.clone(), table(), MysqlOptions::new())?;
    let refused = given.load(&Key::new("a")?).await.unwrap_err();
    assert!(refused.is_unavailable());
    given.migrate().await?;
    GoMysql::connect_with(&url, table(), existing()).await?;
    assert_eq!(given.load(&Key::new("a")?).await?, None);
    Ok(())
}

pub(super) async fn concurrent_programs_create_the_tables_once(server: &MariaDbServer) -> Tried {
    let (url, pool) = database(server, "at_once").await?;
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let url = url.clone();
            tokio::spawn(async move {
                let backend = Mysql::connect(&url).await?;
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
            tokio::spawn(async move { GoMysql::connect(&url, GoTable::scs_mysqlstore()).await })
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
pub(super) async fn tables_with_other_columns_are_refused(server: &MariaDbServer) -> Tried {
    let (url, pool) = database(server, "other_columns").await?;
    let missing = Mysql::connect_with(&url, existing()).await.unwrap_err();
    assert!(missing.is_usage() && missing.to_string().contains("no table silverback_sessions"));
    assert_eq!(number_of_tables(&pool).await?, 0);
    Mysql::connect(&url).await?;
    Mysql::connect_with(&url, existing()).await?;
    for (change, parts) in [
        (
            "MODIFY value TEXT NOT NULL",
            ["\"value\"", "text", "mediumblob"],
        ),
        (
            "MODIFY value BLOB NOT NULL",
            ["\"value\"", "blob", "mediumblob"],
        ),
        (
            "MODIFY `key` VARCHAR(250) NOT NULL",
            ["\"key\"", "varchar(250)", "varbinary(250)"],
        ),
        (
            "DROP COLUMN expiry_minute",
            ["\"expiry_minute\"", "no column", "bigint"],
        ),
        ("DROP PRIMARY KEY", ["\"key\"", "primary key", "unique"]),
        (
            "MODIFY expiry_minute BIGINT",
            ["\"expiry_minute\"", "generated", "SCHEMA"],
        ),
        (
            "ENGINE = MyISAM",
            ["silverback_sessions", "MyISAM", "InnoDB"],
        ),
    ] {
        let change = AssertSqlSafe(format!("ALTER TABLE silverback_sessions {change}"));
        sqlx::raw_sql(change).execute(&pool).await?;
        for connected in [
            Mysql::connect(&url).await,
            Mysql::connect_with(&url, existing()).await,
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
        Mysql::connect(&url).await?;
    }
    let nowhere = url.replace("/other_columns", "");
    let refused = Mysql::connect(&nowhere).await.unwrap_err();
    assert!(
        refused.to_string().contains("names no database"),
        "{refused}"
    );
    let refused = Mysql::connect("mysql://secret:secret@[host/shop").await;
    let refused = refused.unwrap_err();
    assert!(refused.is_usage() && !refused.to_string().contains("secret"));
    Ok(())
}
