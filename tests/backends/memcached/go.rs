//! Items of a Go package: their form, their expiries, their size and their servers.

use std::time::Duration;

use silverback::backend::{
    Backend, Created, Expiry, GoKeys, GoMemcached, Key, Outcome, Record, Revision, Stored,
};

use super::super::servers::memcached::MemcachedServer;
use super::Tried;

/// The time by which the expiry of an item may be late.
const LATE: Duration = Duration::from_secs(3);

/// The same for an expiry in more than 30 days.
const FAR_LATE: Duration = Duration::from_secs(5);

const DAY: Duration = Duration::from_secs(86_400);

async fn with_prefix(
    server: &MemcachedServer,
    prefix: &str,
) -> Result<GoMemcached, silverback::backend::Error> {
    GoMemcached::connect(&server.url(), GoKeys::gorilla_sessions_memcache(prefix)).await
}

/// Returns a key of 52 equal letters.
fn id(letter: char) -> Key {
    Key::new(String::from(letter).repeat(52)).expect("a short key")
}

fn soon() -> Expiry {
    Expiry::after(Duration::from_secs(600))
}

fn record(value: &str) -> Record {
    Record::new(value, soon())
}

async fn create(backend: &GoMemcached, key: &Key, record: &Record) -> Revision {
    let created = backend.create(key, record).await.expect("a server");
    created.saved().expect("the key is free")
}

async fn load(backend: &GoMemcached, key: &Key) -> Stored {
    let stored = backend.load(key).await.expect("a server");
    stored.expect("the row exists")
}

/// Returns the first line of the server's answer about a key of 52 letters.
fn item(server: &MemcachedServer, prefix: &str, letter: char) -> Result<String, String> {
    let key = String::from(letter).repeat(52);
    let line = server.command(&format!("mg {prefix}{key} s f t"))?;
    Ok(line.trim_end().to_owned())
}

pub(super) async fn a_row_is_the_item_that_go_writes(server: &MemcachedServer) -> Tried {
    let backend = with_prefix(server, "form_").await?;
    assert!(backend.keeps_expiries() && backend.purges_itself());
    create(&backend, &id('A'), &Record::new("value", Expiry::NEVER)).await;
    assert_eq!(item(server, "form_", 'A')?, "HD s5 f0 t-1");
    let client = memcache::exp::AsyncMetaClient::connect(("127.0.0.1", server.port())).await?;
    let found = client
        .get(format!("form_{}", "A".repeat(52)))
        .send()
        .await?;
    assert_eq!(found.value.as_deref(), Some(&b"value"[..]));
    // As gomemcache writes it.
    server.command(&format!("set form_{} 0 600 5\r\nof go", "B".repeat(52)))?;
    let stored = load(&backend, &id('B')).await;
    assert_eq!(stored.record.value(), b"of go");
    let left = stored
        .record
        .expiry()
        .saturating_duration_since(Expiry::now());
    assert!((590..=600).contains(&left.as_secs()), "{left:?}");
    Ok(())
}

/// Checks the expiry that a load returns, after a write that began then.
async fn assert_expiry(backend: &GoMemcached, key: &Key, until: Expiry, began: Expiry) {
    let expiry = load(backend, key).await.record.expiry();
    let took = Expiry::now().saturating_duration_since(began);
    let left = until.saturating_duration_since(began);
    let late = if left > 30 * DAY { FAR_LATE } else { LATE };
    // 30 days are the longest time that Go can write.
    let early = match left > 30 * DAY - LATE && left <= 30 * DAY {
        true => Duration::from_secs(1),
        false => Duration::ZERO,
    };
    assert!(
        expiry + early >= until && expiry <= until + late + took,
        "{until} is read as {expiry}"
    );
}

pub(super) async fn an_expiry_is_right_to_a_few_seconds(server: &MemcachedServer) -> Tried {
    let backend = with_prefix(server, "expiry_").await?;
    let spans = [
        Duration::from_millis(5_250),
        Duration::from_secs(600),
        29 * DAY,
        30 * DAY - Duration::from_secs(1),
        30 * DAY,
        31 * DAY,
        365 * DAY,
    ];
    for (letter, span) in ('A'..).zip(spans) {
        let (began, key) = (Expiry::now(), id(letter));
        let until = began + span;
        let seen = create(&backend, &key, &Record::new("v", until)).await;
        assert_expiry(&backend, &key, until, began).await;
        let swapped = backend.swap(&key, &seen, &Record::new("w", soon())).await?;
        let (began, seen) = (Expiry::now(), swapped.done().expect("it exists"));
        let until = began + span;
        let touched = backend.touch(&key, &seen, until).await?;
        assert!(touched.done().is_some());
        assert_expiry(&backend, &key, until, began).await;
    }
    // The server's numbers end in 2038.
    let last = Expiry::from_millis(i64::from(i32::MAX) * 1_000);
    for (letter, millis) in [('X', 2_147_483_648_000), ('Y', 4_102_444_800_000)] {
        let late = Record::new("v", Expiry::from_millis(millis));
        create(&backend, &id(letter), &late).await;
        let expiry = load(&backend, &id(letter)).await.record.expiry();
        let off = expiry.as_millis().abs_diff(last.as_millis());
        assert!(off < 5_000, "{off}");
    }
    create(&backend, &id('Z'), &Record::new("v", Expiry::NEVER)).await;
    let stored = load(&backend, &id('Z')).await;
    assert_eq!(stored.record.expiry(), Expiry::NEVER);
    Ok(())
}

pub(super) async fn a_touch_changes_the_expiry_only(server: &MemcachedServer) -> Tried {
    let (backend, key) = (with_prefix(server, "touch_").await?, id('A'));
    let seen = create(&backend, &key, &record("v")).await;
    let (began, later) = (Expiry::now(), Expiry::after(DAY));
    let touched = backend.touch(&key, &seen, later).await?;
    let touched = touched.done().expect("it exists");
    assert_ne!(touched, seen);
    assert_expiry(&backend, &key, later, began).await;
    let stored = load(&backend, &key).await;
    assert_eq!(stored.record.value(), b"v");
    assert_eq!(stored.revision, touched);
    let stale = backend.touch(&key, &seen, soon()).await?;
    assert_eq!(stale, Outcome::Conflict);
    assert_expiry(&backend, &key, later, began).await;
    Ok(())
}

pub(super) async fn a_row_is_not_removed_before_its_expiry(server: &MemcachedServer) -> Tried {
    let backend = with_prefix(server, "end_").await?;
    let mut rows = Vec::new();
    for (letter, tenths) in ('A'..='T').zip(1..) {
        let (key, until) = (
            id(letter),
            Expiry::after(Duration::from_millis(100 * tenths)),
        );
        let seen = create(&backend, &key, &Record::new("v", until)).await;
        rows.push((key, until, seen));
    }
    let watchdog = Expiry::after(Duration::from_secs(60));
    while !rows.is_empty() {
        assert!(Expiry::now() < watchdog, "{} rows are left", rows.len());
        let mut left = Vec::new();
        for (key, until, seen) in rows {
            match backend.load(&key).await? {
                Some(_) => left.push((key, until, seen)),
                None => {
                    assert!(Expiry::now() >= until, "the row ended before {until}");
                    let swapped = backend.swap(&key, &seen, &record("w")).await?;
                    assert_eq!(swapped, Outcome::Gone);
                }
            }
        }
        rows = left;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

pub(super) async fn an_expiry_in_the_past_removes_the_item(server: &MemcachedServer) -> Tried {
    let backend = with_prefix(server, "past_").await?;
    let (key, past) = (id('A'), Expiry::from_millis(1_000));
    let expired = Record::new("v", past);
    let missing = || item(server, "past_", 'A').map(|line| line == "EN");
    let unseen = create(&backend, &key, &expired).await;
    assert!(missing()?);
    let seen = create(&backend, &key, &record("v")).await;
    assert_eq!(backend.create(&key, &expired).await?, Created::Exists);
    // The revision of an expired record is that of no item.
    let stale = [
        backend.swap(&key, &unseen, &record("w")).await?,
        backend.touch(&key, &unseen, soon()).await?,
        backend.touch(&key, &unseen, past).await?,
    ];
    assert!(stale.iter().all(|stale| *stale == Outcome::Conflict));
    assert_eq!(backend.remove(&key, &unseen).await?, Outcome::Conflict);
    assert_eq!(load(&backend, &key).await.revision, seen);

    let touched = backend.touch(&key, &seen, past).await?;
    assert!(missing()? && touched.done().is_some());
    let seen = create(&backend, &key, &record("v")).await;
    let swapped = backend.swap(&key, &seen, &expired).await?;
    let unseen = swapped.done().expect("it exists");
    assert!(missing()?);
    assert_eq!(backend.remove(&key, &unseen).await?, Outcome::Gone);
    Ok(())
}

pub(super) async fn a_row_that_is_too_large_leaves_the_present_one(
    server: &MemcachedServer,
) -> Tried {
    let (backend, key) = (with_prefix(server, &"p".repeat(198)).await?, id('A'));
    let sized = |size: usize| Record::new(vec![b'a'; size], Expiry::NEVER);
    let refused = backend.create(&key, &sized(2_000_000)).await.unwrap_err();
    assert!(refused.is_too_large(), "{refused}");
    let limit: usize = refused.to_string().rsplit(' ').next().unwrap().parse()?;
    let seen = create(&backend, &key, &sized(limit)).await;
    for size in [limit + 1, 1_048_576] {
        let refused = backend.swap(&key, &seen, &sized(size)).await.unwrap_err();
        assert!(refused.is_too_large(), "{refused}");
        assert_eq!(load(&backend, &key).await.record, sized(limit));
    }
    Ok(())
}

/// This test uses its own server.
pub(super) async fn an_operation_is_one_request(_: &MemcachedServer) -> Tried {
    let server = MemcachedServer::start(&[])?;
    let (backend, key) = (with_prefix(&server, "").await?, id('A'));
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
    let stale = create(&backend, &key, &record("v")).await;
    taken("create", 1)?;
    load(&backend, &key).await;
    taken("load", 1)?;
    let swapped = backend.swap(&key, &stale, &record("w")).await?;
    taken("swap", 1)?;
    let touched = backend
        .touch(&key, &swapped.done().expect("it exists"), soon())
        .await?;
    taken("touch", 1)?;
    let conflict = backend.swap(&key, &stale, &record("x")).await?;
    assert_eq!(conflict, Outcome::Conflict);
    taken("a swap that finds another item", 2)?;
    let removed = backend
        .remove(&key, &touched.done().expect("it exists"))
        .await?;
    assert_eq!(removed, Outcome::Done(()));
    taken("remove", 1)?;
    Ok(())
}

pub(super) async fn a_prefix_that_go_refuses_is_refused(server: &MemcachedServer) -> Tried {
    for prefix in ["a b", "a\n", "a\u{7F}", "\0", &"p".repeat(199)] {
        let refused = with_prefix(server, prefix).await.unwrap_err();
        assert!(refused.is_usage(), "{prefix:?}");
        let keys = GoKeys::gorilla_sessions_memcache("").with_prefix(prefix);
        let refused = GoMemcached::connect(&server.url(), keys).await.unwrap_err();
        assert!(refused.is_usage(), "{prefix:?}");
    }
    let of_redis = GoMemcached::connect(&server.url(), GoKeys::redistore()).await;
    assert!(of_redis.unwrap_err().is_usage());
    let url = format!("{}?prefix=a%20b", server.url());
    let keys = GoKeys::gorilla_sessions_memcache("");
    let refused = GoMemcached::connect(&url, keys.clone()).await;
    assert!(refused.unwrap_err().is_usage());
    // Go's client takes other characters.
    let url = format!("{}?prefix=%C3%A9_", server.url());
    let backend = GoMemcached::connect(&url, keys).await?;
    create(&backend, &id('A'), &Record::new("v", Expiry::NEVER)).await;
    assert_eq!(item(server, "é_", 'A')?, "HD s1 f0 t-1");
    // A key of a Go package is at most 250 bytes long.
    let backend = with_prefix(server, &"p".repeat(198)).await?;
    let longer = Key::new("A".repeat(53))?;
    assert!(backend.load(&longer).await.unwrap_err().is_usage());
    create(&backend, &id('Q'), &Record::new("v", Expiry::NEVER)).await;
    Ok(())
}

/// `crc32.ChecksumIEEE("go_AAA..") % 2` and so on. This test uses its own servers.
pub(super) async fn a_key_is_on_the_server_that_go_chooses(_: &MemcachedServer) -> Tried {
    let servers = [MemcachedServer::start(&[])?, MemcachedServer::start(&[])?];
    let url = format!("{},127.0.0.1:{}", servers[0].url(), servers[1].port());
    let keys = GoKeys::gorilla_sessions_memcache("go_");
    let backend = GoMemcached::connect(&url, keys).await?;
    for (letter, chosen) in CHOSEN {
        create(&backend, &id(letter), &Record::new("v", Expiry::NEVER)).await;
        let found = [
            item(&servers[0], "go_", letter)?,
            item(&servers[1], "go_", letter)?,
        ];
        assert_eq!(found[chosen], "HD s1 f0 t-1", "{letter}");
        assert_eq!(found[1 - chosen], "EN", "{letter}");
    }
    Ok(())
}

const CHOSEN: [(char, usize); 6] = [('A', 1), ('B', 0), ('C', 0), ('D', 1), ('E', 1), ('F', 0)];
