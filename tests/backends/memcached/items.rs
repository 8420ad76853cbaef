//! Items: their size, their number, and those of other programs.

use silverback::backend::{
    Backend, Created, Expiry, Generations, Key, Memcached, MemcachedOptions, Outcome, Owner,
    OwnerName, Owners, Record,
};

use super::super::faults::{key, record};
use super::super::servers::memcached::MemcachedServer;
use super::Tried;

async fn with_prefix(
    server: &MemcachedServer,
    prefix: &str,
) -> Result<Memcached, libtest_mimic::Failed> {
    let options = MemcachedOptions::new().prefix(prefix);
    Ok(Memcached::connect_with(&server.url(), options).await?)
}

pub(super) async fn a_record_that_is_too_large_leaves_the_present_one(
    server: &MemcachedServer,
) -> Tried {
    let backend = with_prefix(server, "large:").await?;
    let key = Key::new(vec![0; 250])?;
    let sized = |size: usize| Record::new(vec![7; size], Expiry::NEVER);
    let refused = backend.create(&key, &sized(2_000_000)).await.unwrap_err();
    assert!(refused.is_too_large(), "{refused}");
    let text = refused.to_string();
    let limit: usize = text.rsplit(' ').next().unwrap().parse()?;
    assert!((1_000_000..1_048_576).contains(&limit), "{text}");
    // The largest record that is not refused is taken.
    let mut seen = backend
        .create(&key, &sized(limit))
        .await?
        .saved()
        .expect("the key is new");
    for size in [limit + 1, 1_048_576, 5_000_000] {
        let refused = backend.swap(&key, &seen, &sized(size)).await.unwrap_err();
        assert!(refused.is_too_large(), "{refused}");
        assert_eq!(
            backend.load(&key).await?.expect("it is still there").record,
            sized(limit)
        );
    }
    for _ in 0..2 {
        seen = backend
            .swap(&key, &seen, &sized(limit))
            .await?
            .done()
            .expect("it is there");
    }
    Ok(())
}

pub(super) async fn data_of_other_programs_is_left_alone(server: &MemcachedServer) -> Tried {
    let backend = with_prefix(server, "foreign:").await?;
    let (key, other) = (Key::new("text")?, Key::new("other")?);
    let seen = backend
        .create(&other, &record("v"))
        .await?
        .saved()
        .expect("the key is new");
    server.command("set foreign:session:text 0 0 7\r\nanother")?;
    assert!(backend.load(&key).await.unwrap_err().is_corrupt());
    assert!(
        backend
            .create(&key, &record("v"))
            .await
            .unwrap_err()
            .is_corrupt()
    );
    assert!(
        backend
            .swap(&key, &seen, &record("v"))
            .await
            .unwrap_err()
            .is_corrupt()
    );
    assert!(
        backend
            .touch(&key, &seen, Expiry::NEVER)
            .await
            .unwrap_err()
            .is_corrupt()
    );
    assert!(backend.remove(&key, &seen).await.unwrap_err().is_corrupt());
    // A record under another key than its own is refused.
    let (host, port) = ("127.0.0.1", server.port());
    let client = memcache::exp::AsyncMetaClient::connect((host, port)).await?;
    let record = client.get("foreign:session:other").send().await?;
    let copied = record.value.expect("it was created");
    client.set("foreign:session:text", copied).send().await?;
    assert!(backend.load(&key).await.unwrap_err().is_corrupt());
    Ok(())
}

/// This test uses its own server.
pub(super) async fn an_operation_takes_the_documented_number_of_requests(
    _: &MemcachedServer,
) -> Tried {
    let server = MemcachedServer::start(&[])?;
    let backend = Memcached::connect(&server.url()).await?;
    let requests = || -> Result<u64, String> {
        let names = ["cmd_get", "cmd_set", "delete_hits", "delete_misses"];
        names.map(|name| server.statistic(name)).into_iter().sum()
    };
    let mut count = requests()?;
    let mut taken = |name: &str, expected: u64| -> Result<(), String> {
        let before = std::mem::replace(&mut count, requests()?);
        assert_eq!(count - before, expected, "{name}");
        Ok(())
    };
    let (key, ape) = (key(), OwnerName::new("ape")?);
    let login = backend.begin(&ape, Expiry::NEVER, &key).await?;
    taken("begin", 2)?;
    let owned = record("v").owned_by(Owner {
        name: ape.clone(),
        login,
    });
    for (record, owner) in [(record("v"), 0), (owned, 1)] {
        let seen = backend
            .create(&key, &record)
            .await?
            .saved()
            .expect("the key is new");
        taken("create", 1)?;
        backend.load(&key).await?.expect("it exists");
        taken("load", 1 + owner)?;
        let seen = backend
            .swap(&key, &seen, &record)
            .await?
            .done()
            .expect("it exists");
        taken("swap", 1 + owner)?;
        let seen = backend
            .touch(&key, &seen, Expiry::NEVER)
            .await?
            .done()
            .expect("it exists");
        taken("touch", 2 + owner)?;
        assert_eq!(backend.remove(&key, &seen).await?, Outcome::Done(()));
        taken("remove", 1 + owner)?;
    }
    backend.revoke(&ape, Expiry::NEVER).await?;
    taken("revoke", 2)?;
    Ok(())
}

pub(super) async fn prefixes_share_only_the_server(server: &MemcachedServer) -> Tried {
    let key = Key::new("ABC234")?;
    let one = with_prefix(server, "one:").await?;
    let two = Memcached::connect(&format!("{}?prefix=two%3A", server.url())).await?;
    for (backend, text) in [(&one, "1"), (&two, "2")] {
        let created = backend.create(&key, &record(text)).await?;
        assert!(matches!(created, Created::Saved(_)), "{text}");
    }
    assert_eq!(
        one.load(&key).await?.expect("it exists").record,
        record("1")
    );
    assert_eq!(
        two.load(&key).await?.expect("it exists").record,
        record("2")
    );
    let odd = MemcachedOptions::new().prefix("a b");
    let refused = Memcached::connect_with(&server.url(), odd)
        .await
        .unwrap_err();
    assert!(refused.is_usage());
    Ok(())
}
