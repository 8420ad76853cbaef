//! The number of requests of an operation, and which of them are repeated.

use silverback::backend::{
    Backend, Created, DynamoDb, DynamoDbOptions, Expiry, Generation, Generations, GoItems, Key,
    Login, Moves, Outcome, Owner, OwnerName, Owners, Record, Scan,
};

use super::super::Tried;
use super::super::faults::{TIMEOUT, key, record};
use super::super::servers::dynamodb::{DynamoDbServer, client, endpoint_at};
use super::recording_proxy::RecordingProxy;
use super::{open, open_go};

/// Returns a backend behind a proxy that records its requests.
async fn counted(
    server: &DynamoDbServer,
) -> Result<(RecordingProxy, DynamoDb), libtest_mimic::Failed> {
    let (proxy, port) = RecordingProxy::start(server.port()).await?;
    let options = DynamoDbOptions::new().timeout(4 * TIMEOUT);
    let backend = open(&client(&endpoint_at(port)), "counted", options).await?;
    proxy.requests();
    Ok((proxy, backend))
}

fn seen<T: std::fmt::Debug>(outcome: Outcome<T>) -> T {
    match outcome {
        Outcome::Done(seen) => seen,
        outcome => panic!("{outcome:?} without a concurrent write"),
    }
}

pub(super) async fn an_operation_is_one_request_and_an_owned_load_two(
    server: &DynamoDbServer,
) -> Tried {
    let (proxy, backend) = counted(server).await?;
    macro_rules! asks {
        ($expected:expr, $operation:expr) => {{
            let answer = $operation.await?;
            assert_eq!(proxy.requests(), $expected);
            answer
        }};
    }
    let key = key();
    let Created::Saved(revision) = asks!(["UpdateItem"], backend.create(&key, &record("v"))) else {
        panic!("the key is new");
    };
    let answer = asks!(["UpdateItem"], backend.create(&key, &record("w")));
    assert_eq!(answer, Created::Exists);
    asks!(["GetItem"], backend.load(&key));
    let revision = seen(asks!(
        ["UpdateItem"],
        backend.swap(&key, &revision, &record("w"))
    ));
    let again = seen(asks!(
        ["UpdateItem"],
        backend.touch(&key, &revision, Expiry::NEVER)
    ));
    // A conflict is not followed by a read.
    let conflict = asks!(["UpdateItem"], backend.swap(&key, &revision, &record("x")));
    assert_eq!(conflict, Outcome::Conflict);
    seen(asks!(["DeleteItem"], backend.remove(&key, &again)));
    let answer = asks!(["DeleteItem"], backend.remove(&key, &again));
    assert_eq!(answer, Outcome::Gone);

    let ape = OwnerName::new(format!("{:?}", key.as_bytes()))?;
    asks!(
        ["UpdateItem"; 2],
        backend.begin(&ape, record("").expiry(), &key)
    );
    let login = asks!(["UpdateItem"], backend.begin(&ape, Expiry::NEVER, &key));
    asks!(["UpdateItem"], backend.extend(&ape, Expiry::NEVER));
    let owned = record("v").owned_by(Owner {
        name: ape.clone(),
        login,
    });
    let Created::Saved(revision) = asks!(["UpdateItem"], backend.create(&key, &owned)) else {
        panic!("the key is new");
    };
    asks!(["GetItem", "GetItem"], backend.load(&key));
    let keys = [key.clone(), super::super::faults::key(), key.clone()];
    asks!(["BatchGetItem"; 2], backend.load_many(&keys));
    let missing: Vec<Key> = (0..1_000).map(|_| super::super::faults::key()).collect();
    asks!(["BatchGetItem"; 10], backend.load_many(&missing));
    let transaction = ["TransactWriteItems"];
    let revision = seen(asks!(transaction, backend.swap(&key, &revision, &owned)));
    let revision = seen(asks!(
        transaction,
        backend.touch(&key, &revision, Expiry::NEVER)
    ));
    asks!(["GetItem", "Query"], backend.keys(&ape));
    seen(asks!(transaction, backend.remove(&key, &revision)));
    // Logins are read directly if the index does not list them yet, or no longer.
    let expected = ["GetItem", "Query", "GetItem", "GetItem"];
    asks!(expected, backend.keys(&ape));
    asks!(
        ["UpdateItem"],
        backend.revoke_except(&ape, Expiry::NEVER, &login)
    );
    Ok(())
}

/// An index that does not contain a login yet returns no item.
pub(super) async fn a_login_is_listed_before_the_index_contains_it(
    server: &DynamoDbServer,
) -> Tried {
    let (proxy, backend) = counted(server).await?;
    let (key, other) = (key(), key());
    let ape = OwnerName::new(format!("{:?}", key.as_bytes()))?;
    let login = backend.begin(&ape, Expiry::NEVER, &key).await?;
    let others = backend.begin(&ape, Expiry::NEVER, &other).await?;
    let owned = |login: Login| {
        let name = ape.clone();
        record("v").owned_by(Owner { name, login })
    };
    let listed = async || {
        proxy.pass();
        proxy.answer(200, "{}".to_owned());
        backend.keys(&ape).await
    };
    assert_eq!(listed().await?, [], "the logins have no records yet");
    let Created::Saved(revision) = backend.create(&key, &owned(login)).await? else {
        panic!("the key is new");
    };
    assert_eq!(listed().await?, std::slice::from_ref(&key));
    // A record without an owner may be a tombstone that names the session's new key.
    let revision = seen(backend.swap(&key, &revision, &record("moved")).await?);
    assert_eq!(listed().await?, std::slice::from_ref(&key));
    seen(backend.remove(&key, &revision).await?);
    assert_eq!(listed().await?, []);
    // A session that has ended with its owner is not listed.
    backend
        .create(&key, &owned(login))
        .await?
        .saved()
        .expect("the key is new");
    backend
        .create(&other, &owned(others))
        .await?
        .saved()
        .expect("the key is new");
    assert_eq!(listed().await?.len(), 2);
    backend.revoke_except(&ape, Expiry::NEVER, &others).await?;
    assert_eq!(listed().await?, [other]);
    backend.revoke(&ape, Expiry::NEVER).await?;
    assert_eq!(listed().await?, []);
    Ok(())
}

pub(super) async fn a_move_is_one_transaction(server: &DynamoDbServer) -> Tried {
    let (proxy, port) = RecordingProxy::start(server.port()).await?;
    let options = DynamoDbOptions::new().timeout(4 * TIMEOUT);
    let client = client(&endpoint_at(port));
    let backend = open_go(&client, "moved", GoItems::dynamostore(), options).await?;
    let (key, to) = (Key::new("ABC234")?, Key::new("DEF567")?);
    let Created::Saved(first) = backend.create(&key, &record("v")).await? else {
        panic!("the key is new");
    };
    proxy.requests();
    let moved = seen(backend.move_to(&key, &first, &to, &record("w")).await?);
    // The result of a gone record needs no further request either.
    let gone = backend.move_to(&key, &first, &to, &record("w")).await?;
    assert_eq!(gone, Outcome::Gone);
    assert_eq!(proxy.requests(), ["TransactWriteItems"; 2]);
    assert_eq!(
        backend.load(&to).await?.map(|there| there.revision),
        Some(moved)
    );
    Ok(())
}

/// A purge reads the owners again for each page: the record of an owner that appears between two
/// pages is kept.
pub(super) async fn a_purge_reads_owners_again_for_each_page(server: &DynamoDbServer) -> Tried {
    const RECORDS: usize = 4;
    let (proxy, port) = RecordingProxy::start(server.port()).await?;
    let options = DynamoDbOptions::new().timeout(4 * TIMEOUT);
    let client = client(&endpoint_at(port));
    let backend = open(&client, "paged", options).await?;
    let ape = OwnerName::new("ape")?;
    let owner = Owner {
        login: backend.begin(&ape, Expiry::NEVER, &key()).await?,
        name: ape.clone(),
    };
    // A page ends with the item that exceeds a mebibyte.
    let record = Record::new(vec![7; 380_000], Expiry::NEVER).owned_by(owner);
    for _ in 0..RECORDS {
        backend
            .create(&key(), &record)
            .await?
            .saved()
            .expect("the key is new");
    }
    let first = client.scan().table_name("paged").consistent_read(true);
    let first = first.send().await?;
    let is_record = |item: &&std::collections::HashMap<_, _>| item.contains_key("value");
    let on_first = first.items().iter().filter(is_record).count();
    assert!((1..RECORDS).contains(&on_first) && first.last_evaluated_key().is_some());
    proxy.requests();
    proxy.pass();
    proxy.answer(200, "{}".to_owned());
    for _ in 0..on_first {
        proxy.fail(400, "ConditionalCheckFailedException"); // the item is not removed
    }
    assert_eq!(backend.purge(10).await?.removed, 0);
    let mut expected = vec!["Scan", "GetItem"];
    expected.extend(vec!["DeleteItem"; on_first]);
    expected.extend(["Scan", "GetItem"]);
    assert_eq!(proxy.requests(), expected);
    assert_eq!(backend.keys(&ape).await?.len(), RECORDS);
    Ok(())
}

pub(super) async fn only_requests_without_capacity_are_repeated(server: &DynamoDbServer) -> Tried {
    let (proxy, backend) = counted(server).await?;
    let key = key();
    for error in [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
    ] {
        proxy.fail(400, error);
        proxy.fail(400, error);
        backend.load(&key).await?;
        assert_eq!(proxy.requests(), ["GetItem"; 3], "{error}");
    }
    // Only a transaction that conflicts with another is repeated.
    let login = Login::new(Generation::random()?, 1);
    let owner = Owner {
        name: OwnerName::new("ape")?,
        login,
    };
    let Created::Saved(revision) = backend.create(&key, &record("v").owned_by(owner)).await? else {
        panic!("the key is new");
    };
    proxy.requests();
    let cancelled = |own: &str, other: &str| {
        let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
        let reasons = format!(r#"[{{"Code":"{own}"}},{{"Code":"{other}"}}]"#);
        proxy.answer(
            400,
            format!(r#"{{"__type":"{kind}","CancellationReasons":{reasons}}}"#),
        );
    };
    cancelled("TransactionConflict", "None");
    cancelled("None", "ThrottlingError");
    cancelled("TransactionConflict", "ConditionalCheckFailed");
    let gone = backend.remove(&key, &revision).await?;
    assert_eq!((gone, proxy.requests().len()), (Outcome::Gone, 3));
    // The capacity is exceeded for the whole timeout of the operation.
    for _ in 0..100 {
        proxy.fail(400, "ThrottlingException");
    }
    let refused = backend.load(&key).await.unwrap_err();
    assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
    assert!(refused.to_string().contains("capacity"), "{refused}");
    Ok(())
}

pub(super) async fn a_write_that_may_be_applied_is_unknown(server: &DynamoDbServer) -> Tried {
    let (proxy, backend) = counted(server).await?;
    let key = key();
    for (status, error, may_be_applied) in [
        (500, "InternalServerError", true),
        (503, "ServiceUnavailable", true),
        (400, "ValidationException", false),
        (400, "AccessDeniedException", false),
        (400, "ResourceNotFoundException", false),
    ] {
        proxy.fail(status, error);
        let wrote = backend.create(&key, &record("v")).await.unwrap_err();
        assert_eq!(wrote.is_outcome_unknown(), may_be_applied, "{error}");
        proxy.fail(status, error);
        let read = backend.load(&key).await.unwrap_err();
        assert!(
            read.is_unavailable() && !read.is_outcome_unknown(),
            "{error}"
        );
        assert!(read.to_string().contains(error), "{read}");
        assert_eq!(proxy.requests(), ["UpdateItem", "GetItem"]);
    }
    Ok(())
}

pub(super) async fn no_item_exceeds_the_limit_of_dynamodb(server: &DynamoDbServer) -> Tried {
    let (proxy, backend) = counted(server).await?;
    for size in [0, 65_536] {
        let (key, value) = (key(), vec![7; size]);
        let record = Record::new(value, Expiry::NEVER);
        backend
            .create(&key, &record)
            .await?
            .saved()
            .expect("the key is new");
        assert!(backend.load(&key).await?.expect("the record exists").record == record);
    }
    // The largest item that the backend sends is accepted; a larger one is not sent.
    let (key, name) = (Key::new([0xFF; 250])?, OwnerName::new("o".repeat(512))?);
    let login = backend.begin(&name, Expiry::NEVER, &key).await?;
    let owner = Owner { name, login };
    let of_size = |size| Record::new(vec![7; size], Expiry::NEVER).owned_by(owner.clone());
    let refused = backend.create(&key, &of_size(409_600)).await.unwrap_err();
    assert!(refused.is_too_large());
    let text = refused.to_string();
    let limit = text
        .rsplit(' ')
        .next()
        .expect("a figure")
        .parse::<usize>()?;
    assert!(text.contains("409600") && limit > 400_000, "{text}");
    proxy.requests();
    assert!(backend.create(&key, &of_size(limit + 1)).await.is_err());
    assert!(proxy.requests().is_empty());
    assert!(matches!(
        backend.create(&key, &of_size(limit)).await?,
        Created::Saved(_)
    ));
    Ok(())
}
