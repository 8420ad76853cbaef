//! The number of requests of each operation, and what the server receives.

use etcd_client::{Client, GetOptions};
use silverback::backend::{
    Backend, Created, Etcd, EtcdOptions, Expiry, Generation, Generations, Key, Outcome, Owner,
    OwnerName, Owners, Record, Scan,
};

use super::super::faults::{key, record};
use super::super::operations::{every_operation, soon};
use super::super::servers::etcd::EtcdServer;
use super::{Tried, counting_server};

/// Opens a backend with keys of its own.
pub(super) async fn fresh(server: &EtcdServer) -> Result<(Etcd, String), libtest_mimic::Failed> {
    let prefix = format!("{}/", Generation::random()?);
    let options = EtcdOptions::new().prefix(&*prefix);
    Ok((Etcd::connect_with(&server.url(), options).await?, prefix))
}

/// Returns all keys with that prefix.
pub(super) async fn keys_under(
    server: &EtcdServer,
    prefix: &str,
) -> Result<Vec<etcd_client::KeyValue>, libtest_mimic::Failed> {
    let mut client = Client::connect([server.endpoint()], None).await?;
    let all = GetOptions::new().with_prefix();
    Ok(client.get(prefix, Some(all)).await?.take_kvs())
}

/// Returns the number of reads, transactions and new leases.
fn counts(server: &EtcdServer) -> [usize; 3] {
    ["Range", "Txn", "LeaseGrant"].map(|method| server.requests(method))
}

pub(super) async fn each_operation_is_few_requests(_: &EtcdServer) -> Tried {
    let server = counting_server().await?;
    let (backend, _) = fresh(&server).await?;
    // The leases for these expiries.
    backend.extend(&OwnerName::new("first")?, soon()).await?;
    let mut failed = Vec::new();
    macro_rules! counted {
        ($name:literal, $operation:expr) => {{
            let before = counts(&server);
            let answer = $operation;
            let after = counts(&server);
            let [reads, txns, leases] = [0, 1, 2].map(|place| after[place] - before[place]);
            let expected = match $name {
                "load" | "keys" => [1, 1, 0],
                // The record, and its owner.
                "load_many" => [0, 2, 0],
                "create" | "swap" | "touch" | "remove" => [0, 1, 0],
                "generation" => [1, 0, 0],
                // The record's and the owner's keys, and the owner of the record.
                "page" => [2, 0, 0],
                "begin" | "extend" | "revoke" => [1, 1, 0],
                name => panic!("{name} is new"),
            };
            if [reads, txns, leases] != expected {
                failed.push(format!(
                    "{}: {reads} reads, {txns} transactions, {leases} leases",
                    $name
                ));
            }
            answer
        }};
    }
    every_operation!(backend, counted);
    assert!(failed.is_empty(), "{failed:?}");
    let before = counts(&server);
    backend.ping().await?;
    backend.load(&key()).await?;
    let after = counts(&server);
    assert_eq!([after[0] - before[0], after[1] - before[1]], [0, 2]);
    let keys: Vec<_> = (0..1_000).map(|_| key()).collect();
    backend.load_many(&keys).await?;
    assert_eq!(counts(&server)[1] - after[1], 20);
    Ok(())
}

pub(super) async fn a_conflict_needs_no_further_request_for_the_same_owner(
    _: &EtcdServer,
) -> Tried {
    let server = counting_server().await?;
    let (backend, _) = fresh(&server).await?;
    let (key, name) = (key(), OwnerName::new("ape")?);
    let login = backend.begin(&name, soon(), &key).await?;
    let owned = Record::new("v", soon()).owned_by(Owner {
        name: name.clone(),
        login,
    });
    let first = backend
        .create(&key, &owned)
        .await?
        .saved()
        .expect("the key is new");
    let Outcome::Done(second) = backend.swap(&key, &first, &owned).await? else {
        panic!("there is no concurrent write");
    };
    let before = counts(&server);
    assert_eq!(
        backend.touch(&key, &first, soon()).await?,
        Outcome::Conflict
    );
    let after = counts(&server);
    assert_eq!([after[0] - before[0], after[1] - before[1]], [0, 1]);
    // The record is gone with its owner, whatever the caller saw.
    backend.revoke(&name, soon()).await?;
    let before = counts(&server);
    assert_eq!(backend.remove(&key, &second).await?, Outcome::Gone);
    assert_eq!(backend.remove(&key, &first).await?, Outcome::Gone);
    let after = counts(&server);
    assert_eq!([after[0] - before[0], after[1] - before[1]], [0, 2]);
    Ok(())
}

pub(super) async fn a_record_that_does_not_fit_is_not_sent(server: &EtcdServer) -> Tried {
    let (backend, prefix) = fresh(server).await?;
    // The longest names: the largest record that is sent fits.
    let (key, name) = (Key::new([0xFF; 250])?, OwnerName::new("ü".repeat(256))?);
    let login = backend.begin(&name, soon(), &key).await?;
    let owner = Owner { name, login };
    let of_size = |size| Record::new(vec![7; size], soon()).owned_by(owner.clone());
    let refused = backend.create(&key, &of_size(1_507_329)).await.unwrap_err();
    assert!(refused.is_too_large(), "{refused}");
    let largest = of_size(1_507_328);
    let seen = backend
        .create(&key, &largest)
        .await?
        .saved()
        .expect("the key is new");
    assert!(backend.load(&key).await?.expect("it exists").record == largest);
    let refused = backend
        .swap(&key, &seen, &of_size(1_507_329))
        .await
        .unwrap_err();
    assert!(refused.is_too_large(), "{refused}");
    assert!(backend.load(&key).await?.expect("it exists").record == largest);
    // A server with another limit refuses the request: nothing is written.
    let options = EtcdOptions::new()
        .prefix(prefix)
        .max_request_bytes(9_000_000);
    let wrong = Etcd::connect_with(&server.url(), options).await?;
    let refused = wrong
        .swap(&key, &seen, &of_size(1_600_000))
        .await
        .unwrap_err();
    assert!(
        refused.is_unavailable() && !refused.is_outcome_unknown(),
        "{refused}"
    );
    assert!(
        refused.to_string().contains("max_request_bytes"),
        "{refused}"
    );
    let swapped = backend.swap(&key, &seen, &record("v")).await?;
    assert!(matches!(swapped, Outcome::Done(_)));
    Ok(())
}

/// This test uses its own server.
pub(super) async fn a_server_can_have_a_larger_limit(_: &EtcdServer) -> Tried {
    let server = EtcdServer::start_with_settings(&["--max-request-bytes=8000000"])?;
    let options = EtcdOptions::new().max_request_bytes(8_000_000);
    let backend = Etcd::connect_with(&server.url(), options).await?;
    let (key, largest) = (key(), Record::new(vec![7; 7_900_000], soon()));
    let created = backend.create(&key, &largest).await?;
    assert!(matches!(created, Created::Saved(_)));
    assert!(backend.load(&key).await?.expect("it exists").record == largest);
    Ok(())
}

pub(super) async fn damaged_records_are_named_and_skipped(server: &EtcdServer) -> Tried {
    let (backend, prefix) = fresh(server).await?;
    let mut client = Client::connect([server.endpoint()], None).await?;
    let [whole, foreign, bytes] = ["a", "b", "c"].map(Key::new);
    let (whole, foreign, bytes) = (whole?, foreign?, bytes?);
    for key in [&whole, &bytes] {
        let created = backend.create(key, &record("v")).await?;
        assert!(matches!(created, Created::Saved(_)));
    }
    client
        .put(format!("{prefix}session/b"), "foreign", None)
        .await?;
    client
        .put(format!("{prefix}value/c"), "other", None)
        .await?;
    // The header of one record under the key of another one.
    let moved = client.get(format!("{prefix}session/a"), None).await?;
    client
        .put(format!("{prefix}session/d"), moved.kvs()[0].value(), None)
        .await?;
    for key in [&foreign, &bytes, &Key::new("d")?] {
        assert!(backend.load(key).await.unwrap_err().is_corrupt());
    }
    let page = backend.page(None, 10).await?;
    let keys: Vec<&Key> = page.entries.iter().map(|entry| &entry.key).collect();
    assert_eq!(keys, [&whole, &bytes]);
    let purged = backend.purge(10).await?;
    assert_eq!(purged.removed, 0);
    for skipped in [page.skipped, purged.skipped] {
        let texts: Vec<String> = skipped.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), 2);
        assert!(
            texts[0].contains(&format!("{prefix}session/b")),
            "{texts:?}"
        );
        assert!(
            texts[1].contains(&format!("{prefix}session/d")),
            "{texts:?}"
        );
    }
    let never = Expiry::NEVER;
    assert!(backend.generation(&OwnerName::new("ape")?).await?.is_none());
    client
        .put(format!("{prefix}owner/ape/expiry"), "foreign", None)
        .await?;
    let refused = backend
        .extend(&OwnerName::new("ape")?, never)
        .await
        .unwrap_err();
    assert!(refused.is_corrupt(), "{refused}");
    Ok(())
}
