//! Times to live, and expiries.

use std::time::Duration;

use silverback::backend::{
    Backend, Created, Expiry, Key, Outcome, Owner, OwnerName, Owners, Record, Redis, RedisOptions,
    Scan,
};

use super::super::servers::redis::RedisServer;
use super::Tried;

fn number(answer: &str) -> i64 {
    let digits = answer.trim().trim_start_matches(':');
    digits
        .parse()
        .unwrap_or_else(|_| panic!("{answer} is no number"))
}

pub(super) async fn each_record_has_a_time_to_live_and_its_own_expiry_decides(
    server: &RedisServer,
) -> Tried {
    let options = RedisOptions::new().prefix("expiry:");
    let backend = Redis::connect_with(&server.url(), options).await?;
    let key = Key::new("ABC234")?;
    let until = Expiry::after(Duration::from_secs(60));
    let seen = backend
        .create(&key, &Record::new("v", until))
        .await?
        .saved()
        .expect("new");
    let in_redis = "expiry:session:ABC234";
    let left = || {
        server
            .command(&format!("PTTL {in_redis}"))
            .map(|answer| number(&answer))
    };
    assert!((50_000..=60_000).contains(&left()?));
    let Outcome::Done(seen) = backend.touch(&key, &seen, Expiry::NEVER).await? else {
        panic!("no one else writes");
    };
    assert_eq!(left()?, -1, "it never expires");
    let soon = Expiry::after(Duration::from_millis(1_500));
    let Outcome::Done(seen) = backend.touch(&key, &seen, soon).await? else {
        panic!("no one else writes");
    };
    assert!((1..=1_500).contains(&left()?));
    // A server that has lost the time to live, as after a copy, still has the expiry.
    server.command(&format!("PERSIST {in_redis}"))?;
    assert!(backend.load(&key).await?.is_some());
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    assert_eq!(number(&server.command(&format!("EXISTS {in_redis}"))?), 1);
    assert_eq!(backend.load(&key).await?, None);
    assert_eq!(backend.page(None, 9).await?.entries.len(), 0);
    let next = Record::new("w", until);
    assert_eq!(backend.swap(&key, &seen, &next).await?, Outcome::Gone);
    assert_eq!(backend.touch(&key, &seen, until).await?, Outcome::Gone);
    assert_eq!(backend.remove(&key, &seen).await?, Outcome::Gone);
    assert!(matches!(
        backend.create(&key, &next).await?,
        Created::Saved(_)
    ));
    Ok(())
}

pub(super) async fn a_list_expires_with_its_last_record(server: &RedisServer) -> Tried {
    let options = RedisOptions::new().prefix("lists:");
    let backend = Redis::connect_with(&server.url(), options).await?;
    let ape = OwnerName::new("ape")?;
    let far = Expiry::after(Duration::from_secs(600));
    let list = "lists:records:{ape}";
    let listed = || {
        server
            .command(&format!("ZCARD {list}"))
            .map(|answer| number(&answer))
    };
    let mut last = None;
    for (name, seconds) in [("one", 1), ("two", 60), ("three", 30)] {
        let key = Key::new(name)?;
        let login = backend.begin(&ape, far, &key).await?;
        let owner = Owner {
            name: ape.clone(),
            login,
        };
        let until = Expiry::after(Duration::from_secs(seconds));
        let record = Record::new("v", until).owned_by(owner);
        last = backend
            .create(&key, &record)
            .await?
            .saved()
            .map(|seen| (key, seen));
    }
    assert_eq!(listed()?, 3);
    let left = number(&server.command(&format!("PTTL {list}"))?);
    assert!((110_000..=180_000).contains(&left), "{left}");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(backend.keys(&ape).await?.len(), 2);
    // The time until which the expired record is listed passes.
    let set = "redis.call('ZADD', KEYS[1], 1, redis.call('ZRANGE', KEYS[1], 0, 0)[1])";
    server.command(&format!("EVAL \"{set}\" 1 {list}"))?;
    let (key, seen) = last.expect("it was created");
    let Outcome::Done(seen) = backend.touch(&key, &seen, far).await? else {
        panic!("no one else writes");
    };
    assert_eq!(listed()?, 2, "a write removes what has expired");
    let left = number(&server.command(&format!("PTTL {list}"))?);
    assert!((650_000..=720_000).contains(&left), "{left}");
    assert_eq!(backend.remove(&key, &seen).await?, Outcome::Done(()));
    assert_eq!(listed()?, 1, "a removed record is not listed");
    Ok(())
}
