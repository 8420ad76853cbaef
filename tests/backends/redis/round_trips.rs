//! The number of commands of each operation.

use silverback::backend::{
    Backend, Expiry, Generations, Key, Owner, OwnerName, Owners, Record, Redis, RedisOptions,
};

use super::super::servers::redis::RedisServer;
use super::Tried;

/// Returns the number of scripts that the server has run.
fn scripts(server: &RedisServer) -> Result<u64, String> {
    let statistics = server.command("INFO commandstats")?;
    let calls = |name: &str| {
        let line = statistics
            .lines()
            .find_map(|line| line.strip_prefix(name))?;
        line.strip_prefix(":calls=")?
            .split(',')
            .next()?
            .parse::<u64>()
            .ok()
    };
    Ok(calls("cmdstat_evalsha").unwrap_or(0) + calls("cmdstat_eval").unwrap_or(0))
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
