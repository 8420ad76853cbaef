//! The moment of an expiry, to the millisecond: a record that ends just now, and one that is
//! written when it is over. The moment is a parameter of each statement.

use super::*;

const AT: i64 = 1_000_000;
const KEY: &str = "a";

/// A record of an owner's, of which one expires at that moment and the other later.
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
            .bind(None::<i64>)
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
            .bind(None::<i64>)
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
        let begun: (Vec<u8>, i64) = sqlx::query_as(statements::BEGIN)
            .bind(now)
            .bind(&b"ape"[..])
            .bind(&b"fresh"[..])
            .bind(i64::MAX)
            .bind(1)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        let expected = if is_over {
            (&b"fresh"[..], 1)
        } else {
            (&[1][..], 8)
        };
        assert_eq!((&*begun.0, begun.1), expected);
        let (_folder, mut connection) = expiring(AT, AT + 1).await;
        sqlx::query(statements::REVOKE)
            .bind(now)
            .bind(&b"ape"[..])
            .bind(&b"fresh"[..])
            .bind(i64::MAX)
            .bind(&[1_u8][..])
            .bind(7)
            .execute(&mut connection)
            .await
            .unwrap();
        let kept = "SELECT count(*) FROM silverback_owners
            WHERE kept_generation = x'01' AND kept_login = 7";
        assert_eq!(number(&mut connection, kept).await, i64::from(!is_over));
    }
}

/// What its owner does not let live when it is written is found by the next purge.
#[tokio::test]
async fn what_is_written_dead_is_expired_from_the_start() {
    let folder = Temporary::new();
    let backend = folder.open().await;
    let old = begun(&backend, "ape").await;
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
