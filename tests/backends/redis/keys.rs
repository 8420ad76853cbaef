//! Keys, prefixes, and servers that are refused.

use std::collections::BTreeSet;

use silverback::backend::{Backend, Created, Expiry, Key, Record, Redis, RedisOptions, Scan};

use super::super::servers::redis::RedisServer;
use super::Tried;

pub(super) async fn prefixes_share_only_the_server(server: &RedisServer) -> Tried {
    let key = Key::new("ABC234")?;
    let mut backends = Vec::new();
    for prefix in ["one:", "one*", "", "{tag}:"] {
        let options = RedisOptions::new().prefix(prefix);
        let backend = Redis::connect_with(&server.url(), options).await?;
        let created = backend
            .create(&key, &Record::new(prefix, Expiry::NEVER))
            .await?;
        assert!(matches!(created, Created::Saved(_)), "{prefix}");
        backends.push((prefix, backend));
    }
    for (prefix, backend) in &backends {
        let stored = backend.load(&key).await?.expect("it exists");
        assert_eq!(stored.record.value(), prefix.as_bytes());
        let page = backend.page(None, 9).await?;
        assert_eq!(page.entries.len(), 1, "{prefix}");
        assert_eq!(
            (&page.entries[0].key, page.entries[0].size),
            (&key, prefix.len())
        );
    }
    let url = format!("{}/0?prefix=one%3A", server.url());
    let stored = Redis::connect(&url).await?.load(&key).await?;
    assert_eq!(stored.expect("it exists").record.value(), b"one:");
    let odd = RedisOptions::new().prefix("a{b");
    assert!(
        Redis::connect_with(&server.url(), odd)
            .await
            .unwrap_err()
            .is_usage()
    );
    Ok(())
}

/// Data under a key of ours that is no record: a text, and a list.
pub(super) async fn data_of_other_programs_is_left_alone(server: &RedisServer) -> Tried {
    let options = RedisOptions::new().prefix("foreign:");
    let backend = Redis::connect_with(&server.url(), options).await?;
    let record = Record::new("v", Expiry::NEVER);
    let model = Key::new("model")?;
    let seen = backend
        .create(&model, &record)
        .await?
        .saved()
        .expect("the key is new");
    for (name, make, read) in [
        (
            "text",
            "SET foreign:session:text another",
            "GET foreign:session:text",
        ),
        (
            "list",
            "RPUSH foreign:session:list another",
            "LINDEX foreign:session:list 0",
        ),
    ] {
        server.command(make)?;
        let key = Key::new(name)?;
        assert!(backend.load(&key).await.unwrap_err().is_corrupt(), "{name}");
        assert!(
            backend
                .create(&key, &record)
                .await
                .unwrap_err()
                .is_corrupt(),
            "{name}"
        );
        assert!(
            backend
                .swap(&key, &seen, &record)
                .await
                .unwrap_err()
                .is_corrupt(),
            "{name}"
        );
        assert!(
            backend
                .touch(&key, &seen, Expiry::NEVER)
                .await
                .unwrap_err()
                .is_corrupt()
        );
        assert!(
            backend.remove(&key, &seen).await.unwrap_err().is_corrupt(),
            "{name}"
        );
        assert_eq!(server.command(read)?, "another", "{name}");
    }
    let page = backend.page(None, 9).await?;
    assert_eq!((page.entries.len(), page.skipped.len()), (1, 2));
    Ok(())
}

pub(super) async fn a_password_is_checked_and_never_quoted(_: &RedisServer) -> Tried {
    let server = RedisServer::start(&[])?;
    server.command("CONFIG SET requirepass secret")?;
    let with = |login: &str| {
        server
            .url()
            .replace("redis://", &format!("redis://{login}@"))
    };
    let backend = Redis::connect(&with(":secret")).await?;
    backend.ping().await?;
    assert!(Redis::connect(&with("default:secret")).await.is_ok());
    for wrong in [with(":hidden"), with("ape:hidden"), server.url()] {
        let error = Redis::connect(&wrong).await.unwrap_err();
        assert!(
            error.is_unavailable() && !error.is_outcome_unknown(),
            "{error:?}"
        );
        let texts = format!("{error} {error:?}");
        assert!(
            !texts.contains("hidden") && !texts.contains("secret"),
            "{texts}"
        );
    }
    Ok(())
}

pub(super) async fn a_server_that_may_lose_records_is_refused_if_durability_is_required(
    server: &RedisServer,
) -> Tried {
    let durable = || RedisOptions::new().require_durability(true);
    let refused = Redis::connect_with(&server.url(), durable())
        .await
        .unwrap_err();
    assert!(
        refused.is_usage() && refused.to_string().contains("appendonly"),
        "{refused}"
    );
    let evicting = [
        "--appendonly",
        "yes",
        "--maxmemory",
        "100mb",
        "--maxmemory-policy",
        "allkeys-lru",
    ];
    let evicting = RedisServer::start(&evicting)?;
    let refused = Redis::connect_with(&evicting.url(), durable())
        .await
        .unwrap_err();
    assert!(
        refused.is_usage() && refused.to_string().contains("noeviction"),
        "{refused}"
    );
    let lasting = RedisServer::start(&["--appendonly", "yes"])?;
    Redis::connect_with(&lasting.url(), durable()).await?;
    Ok(())
}

/// More records than a scan remembers the keys of.
pub(super) async fn a_scan_goes_on_after_the_keys_that_it_remembers(_: &RedisServer) -> Tried {
    const MANY: usize = 100_500;
    let server = RedisServer::start(&[])?;
    let backend = Redis::connect(&server.url()).await?;
    let record = Record::new("v", Expiry::NEVER);
    let key = Key::new("the first")?;
    backend
        .create(&key, &record)
        .await?
        .saved()
        .expect("the key is new");
    server.command(&format!(
        "EVAL \"local v = redis.call('GET', KEYS[1]) for i = 1, {} do redis.call('SET', 'silverback:session:' .. i, v) end\" 1 \"silverback:session:the first\"",
        MANY - 1
    ))?;
    let (mut found, mut after, mut last) = (BTreeSet::new(), None, None);
    loop {
        let page = backend.page(after.as_ref(), 50_000).await?;
        assert!(page.skipped.is_empty() && page.entries.len() <= 50_000);
        for entry in page.entries {
            assert!(
                last.as_ref().is_none_or(|last| *last < entry.key),
                "in the order of keys"
            );
            last = Some(entry.key.clone());
            found.insert(entry.key);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(found.len(), MANY);
    // A page after any key.
    let page = backend.page(Some(&Key::new("99999")?), 9).await?;
    assert_eq!(page.entries.len(), 1);
    assert_eq!(page.entries[0].key, key);
    Ok(())
}
