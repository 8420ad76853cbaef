//! Tests of an expiry to the millisecond: records that expire at the time of the statement, and
//! records that have expired when they are written. The time is a parameter of each statement.

use sqlx::Row;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;

use super::super::super::rows::packed_keys;
use super::super::super::statements::{Bind, OwnerStatements, Statement};
use super::*;

const AT: i64 = 1_000_000;
const KEY: &str = "a";

fn owners() -> &'static OwnerStatements {
    STATEMENTS.owners.as_ref().unwrap()
}

/// Returns a database with an owner and a record of the owner, which expire at these times.
async fn expiring(owner: i64, session: i64) -> (Temporary, SqliteConnection) {
    let folder = Temporary::new();
    drop(folder.open().await);
    let mut connection = folder.connection().await;
    sqlx::query(
        "INSERT INTO silverback_owners VALUES (CAST('ape' AS BLOB), x'01', ?1, 7, NULL, NULL)",
    )
    .bind(owner)
    .execute(&mut connection)
    .await
    .unwrap();
    let insert = "INSERT INTO silverback_sessions (key, revision, expiry, owner, generation, login,
            value) VALUES (CAST('a' AS BLOB), x'07', ?1, CAST('ape' AS BLOB), x'01', 7, x'')";
    sqlx::query(insert)
        .bind(session)
        .execute(&mut connection)
        .await
        .unwrap();
    (folder, connection)
}

/// Binds values for any statement, at that time.
fn at(now: i64, statement: &Statement) -> Query<'static, sqlx::Sqlite, SqliteArguments> {
    let binds = statement.binds.iter();
    binds.fold(
        sqlx::query(statement.sql.for_sqlx()),
        |query, bind| match bind {
            Bind::Now => query.bind(now),
            Bind::Key => query.bind(KEY.as_bytes()),
            Bind::Keys => query.bind(packed_keys([Key::new(KEY).unwrap()].iter())),
            Bind::Login | Bind::KeptLogin => query.bind(7),
            Bind::Logins => query.bind(1),
            Bind::KeptGeneration => query.bind(&[1_u8][..]),
            Bind::After | Bind::Value => query.bind(&b""[..]),
            Bind::Seen => query.bind(&[7_u8][..]),
            Bind::New | Bind::Generation => query.bind(&b"fresh"[..]),
            Bind::Until => query.bind(i64::MAX),
            Bind::Owner => query.bind(&b"ape"[..]),
            Bind::Limit => query.bind(10),
            Bind::To => panic!("no row moves"),
        },
    )
}

/// Returns the number of rows that a statement returns or changes at that time.
async fn count(statement: &Statement, now: i64, owner: i64, session: i64) -> usize {
    let (_folder, mut connection) = expiring(owner, session).await;
    let query = at(now, statement);
    match statement.sql.as_str().starts_with("SELECT") {
        true => query.fetch_all(&mut connection).await.unwrap().len(),
        false => {
            let done = query.execute(&mut connection).await.unwrap();
            usize::try_from(done.rows_affected()).unwrap()
        }
    }
}

#[tokio::test]
async fn a_record_is_missing_from_its_expiry_on() {
    let (later, before) = (AT + 1, AT - 1);
    for (statement, of_living, of_missing) in [
        (&STATEMENTS.load, 1, 0),
        (&STATEMENTS.find, 1, 0),
        (&STATEMENTS.swap, 1, 0),
        (&STATEMENTS.touch, 1, 0),
        (&STATEMENTS.remove, 1, 0),
        (&owners().keys, 1, 0),
        (&STATEMENTS.page, 1, 0),
        (&STATEMENTS.create, 0, 1),
    ] {
        // In the first round the record expires, in the second its owner.
        for (owner, session) in [(later, AT), (AT, later)] {
            let counted = count(statement, AT, owner, session).await;
            assert_eq!(counted, of_missing, "{statement:?}");
            let counted = count(statement, before, owner, session).await;
            assert_eq!(counted, of_living, "{statement:?}");
        }
    }
    for (now, purged) in [(before, 0), (AT, 1)] {
        assert_eq!(count(&STATEMENTS.purge, now, later, AT).await, purged);
        assert_eq!(count(&owners().purge, now, AT, later).await, purged);
        assert_eq!(
            count(&owners().generation, now, AT, later).await,
            1 - purged
        );
    }
}

#[tokio::test]
async fn an_expired_owner_keeps_neither_generation_nor_login() {
    for (now, is_expired) in [(AT - 1, false), (AT, true)] {
        let (_folder, mut connection) = expiring(AT, AT + 1).await;
        let begun = at(now, &owners().begin).fetch_one(&mut connection);
        let begun = begun.await.unwrap();
        let begun: (Vec<u8>, i64) = (begun.get(0), begun.get(1));
        let expected = match is_expired {
            true => (&b"fresh"[..], 1),
            false => (&[1][..], 8),
        };
        assert_eq!((&*begun.0, begun.1), expected);
        let (_folder, mut connection) = expiring(AT, AT + 1).await;
        let revoked = at(now, &owners().revoke).execute(&mut connection);
        revoked.await.unwrap();
        let kept = "SELECT count(*) FROM silverback_owners
            WHERE kept_generation = x'01' AND kept_login = 7";
        assert_eq!(number(&mut connection, kept).await, i64::from(!is_expired));
    }
}

/// The next purge removes a record whose login was revoked before the record was written.
#[tokio::test]
async fn a_record_of_a_revoked_login_is_written_as_expired() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    let old = begin_login(&backend, "ape").await;
    backend.revoke(&owner_name("ape"), soon()).await.unwrap();
    let Created::Saved(seen) = backend.create(&key("swapped"), &record("v")).await.unwrap() else {
        panic!("the key is new");
    };
    let swapped = backend
        .swap(&key("swapped"), &seen, &owned("ape", old))
        .await;
    assert!(matches!(swapped.unwrap(), Outcome::Done(_)));
    backend
        .create(&key("created"), &owned("ape", old))
        .await
        .unwrap()
        .saved()
        .unwrap();
    let mut other = folder.connection().await;
    let dead = "SELECT count(*) FROM silverback_sessions WHERE expiry = 0";
    assert_eq!(number(&mut other, dead).await, 2);
    assert_eq!(backend.purge(10).await.unwrap().removed, 2);
}
