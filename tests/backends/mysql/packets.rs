//! Rows that are longer than the server's `max_allowed_packet`.

use silverback::backend::{Backend, GoMysql, GoTable, Key, Mysql, Record};
use sqlx::MySqlPool;

use super::super::operations::soon;
use super::super::servers::mariadb::MariaDbServer;
use super::{Tried, database};

const MIB: usize = 1024 * 1024;

async fn check_longest(backend: &impl Backend, longest: usize, too_long: usize) -> Tried {
    let key = Key::new("KEY")?;
    let record = |size| Record::new(vec![7; size], soon());
    let created = backend.create(&key, &record(longest)).await?;
    let seen = created.saved().expect("the key is new");
    let loaded = backend.load(&key).await?.expect("it exists");
    assert_eq!(loaded.record.value(), record(longest).value());
    let others = Key::new("OTHER")?;
    for refused in [
        backend.create(&others, &record(too_long)).await.err(),
        backend.swap(&key, &seen, &record(too_long)).await.err(),
    ] {
        let refused = refused.expect("it does not fit");
        assert!(refused.is_too_large(), "{refused:?}");
        // It was not sent.
        assert!(refused.to_string().contains("the limit is"), "{refused}");
    }
    let swapped = backend.swap(&key, &seen, &record(longest)).await?;
    swapped.done().expect("nothing was written");
    Ok(())
}

pub(super) async fn a_row_that_the_server_does_not_take_is_too_large(
    server: &MariaDbServer,
) -> Tried {
    let (url, pool) = database(server, "packets").await?;
    let backend = Mysql::connect(&url).await?;
    check_longest(&backend, 2 * MIB - 2048, 2 * MIB - 1024).await?;
    // A statement has the value as hex digits.
    let table = GoTable::scs_gormstore();
    check_longest(&GoMysql::connect(&url, table).await?, MIB - 4096, MIB).await?;
    check_lowered(&backend, &pool).await
}

/// The server's limit is lowered after the backend has read it. The server then refuses the row and
/// closes the connection, which may lose its answer: the outcome is then unknown.
async fn check_lowered(backend: &Mysql, pool: &MySqlPool) -> Tried {
    let lower = "SET GLOBAL max_allowed_packet = 1048576";
    sqlx::raw_sql(lower).execute(pool).await?;
    end_other_connections(pool).await?;
    let (key, large) = (
        Key::new("LOWERED")?,
        Record::new(vec![7; MIB + MIB / 2], soon()),
    );
    for _ in 0..100 {
        let refused = backend.create(&key, &large).await.unwrap_err();
        assert_eq!(backend.load(&key).await?, None);
        if refused.is_too_large() {
            return Ok(());
        }
        assert!(refused.is_unavailable(), "{refused:?}");
    }
    panic!("no answer of the server has arrived");
}

async fn end_other_connections(pool: &MySqlPool) -> Tried {
    // The pool must not change to a connection that has just ended.
    let mut own = pool.acquire().await?;
    let others = "SELECT id FROM information_schema.processlist
        WHERE user = 'silverback' AND id <> CONNECTION_ID()";
    let others: Vec<i64> = sqlx::query_scalar(others).fetch_all(&mut *own).await?;
    for id in others {
        let end = sqlx::AssertSqlSafe(format!("KILL {id}"));
        sqlx::raw_sql(end).execute(&mut *own).await?;
    }
    Ok(())
}
