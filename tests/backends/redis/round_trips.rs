//! The number of commands of each operation.

use silverback::backend::{
    Backend, Expiry, Generations, Key, Owner, OwnerName, Owners, Record, Redis, RedisOptions,
};

use super::super::servers::redis::RedisServer;
use super::Tried;

/// Returns the number of times that the server has run a command.
fn calls(server: &RedisServer, command: &str) -> Result<u64, String> {
    let statistics = server.command("INFO commandstats")?;
    let name = format!("cmdstat_{command}:calls=");
    let mut lines = statistics.lines();
    let calls = lines.find_map(|line| line.strip_prefix(&name)?.split(',').next()?.parse().ok());
    Ok(calls.unwrap_or(0))
}

/// Returns the number of scripts that the server has run.
fn scripts(server: &RedisServer) -> Result<u64, String> {
    Ok(calls(server, "evalsha")? + calls(server, "eval")?)
}

/// This test uses its own server.
pub(super) async fn a_save_within_a_minute_leaves_the_list_of_the_owner(_: &RedisServer) -> Tried {
    let server = RedisServer::start(&[])?;
    let backend = Redis::connect_with(&server.url(), RedisOptions::new()).await?;
    let (key, ape) = (Key::new("ABC234")?, OwnerName::new("ape")?);
    let login = backend.begin(&ape, Expiry::NEVER, &key).await?;
    // A minute of the list begins here, so all expiries up to 50 s later are in it.
    let minute = (Expiry::now().as_millis() / 60_000 + 60) * 60_000;
    let owned = |seconds: i64| {
        let owner = Owner {
            name: ape.clone(),
            login,
        };
        let expiry = Expiry::from_millis(minute + 5_000 + seconds * 1_000);
        Record::new("v", expiry).owned_by(owner)
    };
    let mut seen = backend
        .create(&key, &owned(0))
        .await?
        .saved()
        .expect("the key is new");
    assert_eq!(calls(&server, "zadd")?, 1);
    for (seconds, listings) in [(1, 1), (40, 1), (20, 1), (80, 2), (81, 2), (1, 3)] {
        let swapped = backend.swap(&key, &seen, &owned(seconds)).await?;
        let swapped = swapped.done().expect("it exists");
        let touched = backend
            .touch(&key, &swapped, owned(seconds).expiry())
            .await?;
        seen = touched.done().expect("it exists");
        assert_eq!(calls(&server, "zadd")?, listings, "{seconds}");
        assert_eq!(backend.keys(&ape).await?, std::slice::from_ref(&key));
    }
    // A record that gets its owner is listed, whatever its expiry was before.
    let seen = backend
        .swap(&key, &seen, &Record::new("v", owned(1).expiry()))
        .await?;
    let listings = calls(&server, "zadd")?;
    let seen = seen.done().expect("it exists");
    assert!(backend.swap(&key, &seen, &owned(1)).await?.done().is_some());
    assert_eq!(calls(&server, "zadd")?, listings + 1);
    Ok(())
}

/// This test uses its own server.
pub(super) async fn an_operation_is_one_command(_: &RedisServer) -> Tried {
    let server = RedisServer::start(&[])?;
    let backend = Redis::connect_with(&server.url(), RedisOptions::new()).await?;
    let (key, ape) = (Key::new("ABC234")?, OwnerName::new("ape")?);
    // The first round also teaches the server its scripts.
    for is_known in [false, true] {
        let mut count = scripts(&server)?;
        let mut taken = |name: &str| -> Result<(), String> {
            let before = std::mem::replace(&mut count, scripts(&server)?);
            if is_known {
                assert_eq!(count - before, 1, "{name}");
            }
            Ok(())
        };
        let login = backend.begin(&ape, Expiry::NEVER, &key).await?;
        taken("begin")?;
        let owner = Owner {
            name: ape.clone(),
            login,
        };
        let record = Record::new("v", Expiry::NEVER).owned_by(owner);
        let seen = backend
            .create(&key, &record)
            .await?
            .saved()
            .expect("the key is new");
        taken("create")?;
        backend.load(&key).await?.expect("it exists");
        taken("load an owned record")?;
        let keys: Vec<Key> = (0..1_000).map(|_| key.clone()).collect();
        assert_eq!(backend.load_many(&keys).await?.len(), 1_000);
        taken("load 1,000 owned records")?;
        let seen = backend
            .swap(&key, &seen, &record)
            .await?
            .done()
            .expect("it exists");
        taken("swap")?;
        let seen = backend
            .touch(&key, &seen, Expiry::NEVER)
            .await?
            .done()
            .expect("it exists");
        taken("touch")?;
        backend.generation(&ape).await?.expect("it exists");
        taken("read an owner")?;
        backend
            .remove(&key, &seen)
            .await?
            .done()
            .expect("it exists");
        taken("remove")?;
        backend.revoke(&ape, Expiry::NEVER).await?;
        taken("revoke")?;
        backend.ping().await?;
        taken("ping")?;
    }
    Ok(())
}
