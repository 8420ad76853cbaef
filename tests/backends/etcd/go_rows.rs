//! The rows of scs's etcdstore: what is in etcd, and which expiry counts. A client of etcd does what
//! the Go package does.

use std::time::{Duration, Instant};

use etcd_client::{Client, KeyValue, Permission, PermissionType, PutOptions};
use silverback::backend::{
    Backend, Created, EtcdOptions, Expiry, Generation, GoEtcd, GoKeys, Key, Outcome, Record,
    Revision, Scan,
};

use super::super::operations::soon;
use super::super::servers::etcd::EtcdServer;
use super::requests::keys_under;
use super::{Tried, counting_server};

pub(super) type Failed = libtest_mimic::Failed;

/// Opens rows with a prefix of their own.
pub(super) async fn fresh(server: &EtcdServer) -> Result<(GoEtcd, String), Failed> {
    let prefix = format!("{}:", Generation::random()?);
    let keys = GoKeys::scs_etcdstore().with_prefix(&*prefix);
    Ok((GoEtcd::connect(&server.url(), keys).await?, prefix))
}

pub(super) async fn client(server: &EtcdServer) -> Result<Client, Failed> {
    Ok(Client::connect([server.endpoint()], None).await?)
}

/// Writes a row as the Go package does, and returns its lease.
pub(super) async fn commit_as_go(
    server: &EtcdServer,
    row: &str,
    value: &str,
    seconds: i64,
) -> Result<i64, Failed> {
    let mut client = client(server).await?;
    let lease = client.lease_grant(seconds, None).await?.id();
    let with_lease = PutOptions::new().with_lease(lease);
    client.put(row, value, Some(with_lease)).await?;
    Ok(lease)
}

pub(super) async fn create(
    backend: &GoEtcd,
    key: &Key,
    value: &str,
    until: Expiry,
) -> Result<Revision, Failed> {
    match backend.create(key, &Record::new(value, until)).await? {
        Created::Saved(revision) => Ok(revision),
        Created::Exists => Err("the key is in use".into()),
    }
}

pub(super) fn done(outcome: Outcome<Revision>) -> Revision {
    let Outcome::Done(revision) = outcome else {
        panic!("{outcome:?} without a concurrent write");
    };
    revision
}

pub(super) fn in_seconds(seconds: u64) -> Expiry {
    Expiry::after(Duration::from_secs(seconds))
}

fn texts(pairs: &[KeyValue]) -> Vec<(&str, &[u8])> {
    let pairs = pairs.iter();
    pairs
        .map(|pair| (pair.key_str().expect("text"), pair.value()))
        .collect()
}

pub(super) async fn a_row_is_what_go_writes_and_a_go_program_lists_nothing_else(
    server: &EtcdServer,
) -> Tried {
    let (backend, prefix) = fresh(server).await?;
    let key = Key::new("token-1_")?;
    let until = Expiry::from_millis(in_seconds(600).as_millis() / 1_000 * 1_000 + 7);
    let seen = create(&backend, &key, "\0value\u{ff}", until).await?;
    let row = format!("{prefix}token-1_");
    let rows = keys_under(server, &prefix).await?;
    assert_eq!(texts(&rows), [(&*row, "\0value\u{ff}".as_bytes())]);
    let own = keys_under(server, &format!("silverback/expiry/{prefix}")).await?;
    let millis = until.as_millis().to_be_bytes();
    assert_eq!(
        texts(&own),
        [(&*format!("silverback/expiry/{row}"), &millis[..])]
    );
    assert_eq!(own[0].lease(), rows[0].lease());
    let loaded = backend.load(&key).await?.expect("it exists");
    assert_eq!(loaded.record, Record::new("\0value\u{ff}", until));
    assert_eq!(loaded.revision, seen);
    // A touch keeps the value.
    done(backend.touch(&key, &seen, soon()).await?);
    let rows = keys_under(server, &prefix).await?;
    assert_eq!(texts(&rows), [(&*row, "\0value\u{ff}".as_bytes())]);
    Ok(())
}

fn counts(server: &EtcdServer) -> [usize; 5] {
    [
        "Range",
        "Txn",
        "LeaseGrant",
        "LeaseRevoke",
        "LeaseTimeToLive",
    ]
    .map(|method| server.requests(method))
}

pub(super) async fn each_operation_is_few_requests(_: &EtcdServer) -> Tried {
    let server = counting_server().await?;
    let (backend, prefix) = fresh(&server).await?;
    let (key, other) = (Key::new("a")?, Key::new("b")?);
    let (until, later) = (in_seconds(600), in_seconds(700));
    let mut failed = Vec::new();
    macro_rules! counted {
        ($name:literal, $expected:expr, $operation:expr) => {{
            let before = counts(&server);
            let answer = $operation;
            let after = counts(&server);
            let sent: [usize; 5] = std::array::from_fn(|place| after[place] - before[place]);
            if sent != $expected {
                failed.push(format!("{}: {sent:?}", $name));
            }
            answer
        }};
    }
    let record = Record::new("v", until);
    // Reads, transactions; leases that are granted, revoked, asked for.
    let seen = counted!(
        "create",
        [0, 1, 1, 0, 0],
        create(&backend, &key, "v", until).await?
    );
    counted!("load", [0, 1, 0, 0, 0], backend.load(&key).await?);
    let swapped = counted!(
        "swap",
        [0, 1, 0, 0, 0],
        backend.swap(&key, &seen, &record).await?
    );
    let stale = counted!(
        "stale",
        [0, 2, 0, 0, 0],
        backend.swap(&key, &seen, &record).await?
    );
    assert_eq!(stale, Outcome::Conflict);
    let seen = done(swapped);
    let touched = counted!(
        "touch",
        [0, 1, 1, 1, 0],
        backend.touch(&key, &seen, later).await?
    );
    let moves = backend.moves().expect("rows can be moved");
    let record = Record::new("v", later);
    let moved = counted!(
        "move",
        [0, 1, 0, 0, 0],
        moves.move_to(&key, &done(touched), &other, &record).await?
    );
    let seen = done(moved);
    counted!("page", [1, 1, 0, 0, 0], backend.page(None, 10).await?);
    let removed = counted!(
        "remove",
        [0, 1, 0, 1, 0],
        backend.remove(&other, &seen).await?
    );
    assert_eq!(removed, Outcome::Done(()));
    // The row of a Go program.
    commit_as_go(&server, &format!("{prefix}a"), "go", 600).await?;
    let found = counted!("load of Go", [0, 1, 0, 0, 1], backend.load(&key).await?);
    let seen = found.expect("it exists").revision;
    counted!("page of Go", [1, 1, 0, 0, 1], backend.page(None, 10).await?);
    let swapped = counted!(
        "swap of Go",
        [0, 1, 1, 1, 1],
        backend.swap(&key, &seen, &record).await?
    );
    done(swapped);
    commit_as_go(&server, &format!("{prefix}b"), "go", 600).await?;
    let seen = backend.load(&other).await?.expect("it exists").revision;
    let removed = counted!(
        "remove of Go",
        [0, 1, 0, 1, 1],
        backend.remove(&other, &seen).await?
    );
    assert_eq!(removed, Outcome::Done(()));
    assert!(failed.is_empty(), "{failed:?}");
    Ok(())
}

pub(super) async fn a_row_of_go_expires_with_its_lease(server: &EtcdServer) -> Tried {
    let (backend, prefix) = fresh(server).await?;
    let key = Key::new("a")?;
    let row = format!("{prefix}a");
    let before = in_seconds(590);
    let lease = commit_as_go(server, &row, "v", 600).await?;
    let after = in_seconds(600);
    let expiry = async || -> Result<Expiry, Failed> {
        let stored = backend.load(&key).await?.expect("it exists");
        Ok(stored.record.expiry())
    };
    let first = expiry().await?;
    assert!(
        (before..=after).contains(&first),
        "{before} {first} {after}"
    );
    let mut admin = client(server).await?;
    while admin.lease_time_to_live(lease, None).await?.ttl() > 597 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let again = expiry().await?;
    assert!(
        (before..=after).contains(&again),
        "{before} {again} {after}"
    );
    // Without a lease, only the deadline in the value ends the session.
    admin.put(&*row, "w", None).await?;
    let stored = backend.load(&key).await?.expect("it exists");
    assert_eq!(stored.record, Record::new("w", Expiry::NEVER));
    done(backend.touch(&key, &stored.revision, soon()).await?);
    // The shortest lease of etcd, which it ends by itself. A slow machine may miss it.
    let watchdog = Instant::now() + Duration::from_secs(60);
    let seen = loop {
        commit_as_go(server, &row, "x", -7).await?;
        // In the middle of a second: etcd tells the time left in whole seconds.
        tokio::time::sleep(Duration::from_millis(500)).await;
        match backend.load(&key).await? {
            Some(stored) => break stored.revision,
            None => assert!(Instant::now() < watchdog, "the lease is never seen"),
        }
    };
    let watchdog = Instant::now() + Duration::from_secs(60);
    while backend.load(&key).await?.is_some() {
        assert!(Instant::now() < watchdog, "the row remains");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let late = Record::new("late", soon());
    assert_eq!(backend.swap(&key, &seen, &late).await?, Outcome::Gone);
    assert!(matches!(
        backend.create(&key, &late).await?,
        Created::Saved(_)
    ));
    Ok(())
}

/// The exact expiry counts only for the row that was written with it.
pub(super) async fn a_write_of_go_ends_the_exact_expiry(server: &EtcdServer) -> Tried {
    let (backend, prefix) = fresh(server).await?;
    let key = Key::new("a")?;
    let row = format!("{prefix}a");
    let soon_over = Expiry::after(Duration::from_millis(1_500));
    let seen = create(&backend, &key, "v", soon_over).await?;
    commit_as_go(server, &row, "go", 600).await?;
    let late = Record::new("late", soon());
    assert_eq!(backend.swap(&key, &seen, &late).await?, Outcome::Conflict);
    while Expiry::now() <= soon_over {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let stored = backend.load(&key).await?.expect("Go has prolonged it");
    assert_eq!(stored.record.value(), b"go");
    assert_eq!(backend.swap(&key, &seen, &late).await?, Outcome::Conflict);
    // And the other way round: the expiry of ours counts although the lease of etcd lasts.
    let until = Expiry::after(Duration::from_millis(200));
    let seen = done(backend.touch(&key, &stored.revision, until).await?);
    while Expiry::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(backend.load(&key).await?, None);
    assert_eq!(backend.swap(&key, &seen, &late).await?, Outcome::Gone);
    assert_eq!(backend.remove(&key, &seen).await?, Outcome::Gone);
    assert!(backend.page(None, 10).await?.entries.is_empty());
    assert_eq!(
        keys_under(server, &prefix).await?.len(),
        1,
        "etcd has the row"
    );
    Ok(())
}

pub(super) async fn rows_of_both_programs_are_listed(server: &EtcdServer) -> Tried {
    const ROWS: usize = 100;
    let (backend, prefix) = fresh(server).await?;
    for number in 0..ROWS {
        let (name, value) = (format!("row-{number:03}"), "v".repeat(number));
        match number % 4 {
            0 => drop(commit_as_go(server, &format!("{prefix}{name}"), &value, 600).await?),
            // The next row has expired.
            3 => drop(create(&backend, &Key::new(name)?, &value, Expiry::from_millis(0)).await?),
            _ => drop(create(&backend, &Key::new(name)?, &value, soon()).await?),
        }
    }
    // Keys that are not rows of the package.
    let mut client = client(server).await?;
    for foreign in ["", "row:001", "2:row-000"] {
        client.put(format!("{prefix}{foreign}"), "v", None).await?;
    }
    for size in [1, 7, 32, 33, 1_000] {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = backend.page(after.as_ref(), size).await?;
            assert!(page.entries.len() <= size && page.skipped.is_empty());
            listed.extend(page.entries);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let expected: Vec<usize> = (0..ROWS).filter(|number| number % 4 != 3).collect();
        assert_eq!(listed.len(), expected.len());
        for (entry, number) in listed.iter().zip(expected) {
            let name = format!("row-{number:03}");
            assert_eq!((&entry.key, entry.size), (&Key::new(name)?, number));
            let left = entry.expiry.as_millis() - Expiry::now().as_millis();
            assert!((500_000..=600_000).contains(&left), "{left}");
        }
    }
    assert_eq!(backend.purge(10).await?.removed, 0);
    Ok(())
}

pub(super) async fn other_keys_are_left_alone(server: &EtcdServer) -> Tried {
    let (backend, prefix) = fresh(server).await?;
    for odd in ["a:b", "a/b", "ü", &"a".repeat(64)] {
        let key = Key::new(odd)?;
        assert!(backend.load(&key).await.unwrap_err().is_usage());
        let record = Record::new("v", soon());
        assert!(backend.create(&key, &record).await.unwrap_err().is_usage());
    }
    // A damaged expiry is named, and nothing is written.
    let key = Key::new("a")?;
    create(&backend, &key, "v", soon()).await?;
    let mut client = client(server).await?;
    let (row, own) = (format!("{prefix}a"), format!("silverback/expiry/{prefix}a"));
    let both = [(row, "w"), (own, "short")];
    let puts = both.map(|(key, value)| etcd_client::TxnOp::put(key, value, None));
    client.txn(etcd_client::Txn::new().and_then(puts)).await?;
    assert!(backend.load(&key).await.unwrap_err().is_corrupt());
    assert_eq!(backend.page(None, 10).await?.skipped.len(), 1);
    // The keys of another server are refused, and so is a prefix that Go would list ours under.
    for keys in [
        GoKeys::scs_redisstore(),
        GoKeys::scs_etcdstore().with_prefix(""),
        GoKeys::scs_etcdstore().with_prefix("silverback/"),
    ] {
        let refused = GoEtcd::connect(&server.url(), keys).await.unwrap_err();
        assert!(refused.is_usage(), "{refused}");
    }
    // The prefix in the URL is that of Go's `NewWithPrefix`.
    let url = format!("{}/?prefix={prefix}2:", server.url());
    let second = GoEtcd::connect(&url, GoKeys::scs_etcdstore()).await?;
    create(&second, &key, "second", soon()).await?;
    assert_eq!(keys_under(server, &format!("{prefix}2:a")).await?.len(), 1);
    Ok(())
}

const PASSWORD: &str = "s3cret word";

/// This test uses its own server.
pub(super) async fn a_user_needs_both_prefixes(_: &EtcdServer) -> Tried {
    let server = EtcdServer::start()?;
    let mut root = client(&server).await?;
    for user in ["root", "shop", "go"] {
        root.user_add(user, PASSWORD, None).await?;
        root.role_add(user).await?;
        root.user_grant_role(user, user).await?;
    }
    for (role, prefix) in [
        ("shop", "scs:session:"),
        ("go", "scs:session:"),
        ("shop", "silverback/expiry/"),
    ] {
        let below = Permission::new(PermissionType::Readwrite, prefix).with_prefix();
        root.role_grant_permission(role, below).await?;
    }
    root.auth_enable().await?;
    let open = |user: &str| {
        let options = EtcdOptions::new().user(user, PASSWORD);
        let url = server.url();
        async move { GoEtcd::connect_with(&url, GoKeys::scs_etcdstore(), options).await }
    };
    let backend = open("shop").await?;
    let key = Key::new("a")?;
    let seen = create(&backend, &key, "v", soon()).await?;
    let seen = done(backend.touch(&key, &seen, in_seconds(700)).await?);
    assert_eq!(backend.page(None, 10).await?.entries.len(), 1);
    assert_eq!(backend.remove(&key, &seen).await?, Outcome::Done(()));
    let refused = open("go").await.unwrap_err();
    assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
    assert!(
        refused.to_string().contains("permission denied"),
        "{refused}"
    );
    assert!(!format!("{refused} {refused:?} {backend:?}").contains("s3cret"));
    Ok(())
}

pub(super) async fn a_record_that_does_not_fit_is_not_sent(server: &EtcdServer) -> Tried {
    let (backend, _) = fresh(server).await?;
    let of_size = |size| Record::new(vec![7; size], soon());
    let key = Key::new("a".repeat(63))?;
    let refused = backend.create(&key, &of_size(1_568_769)).await.unwrap_err();
    assert!(refused.is_too_large(), "{refused}");
    let largest = of_size(1_568_768);
    let seen = backend.create(&key, &largest).await?.saved();
    let seen = seen.expect("the key is new");
    assert!(backend.load(&key).await?.expect("it exists").record == largest);
    let refused = backend.swap(&key, &seen, &of_size(1_568_769)).await;
    assert!(refused.unwrap_err().is_too_large());
    // Pages with several of the largest rows.
    for name in ["b", "c", "d", "e"] {
        let created = backend.create(&Key::new(name)?, &largest).await?;
        assert!(created.saved().is_some());
    }
    let entries = backend.page(None, 10).await?.entries;
    assert_eq!(
        entries
            .iter()
            .filter(|entry| entry.size == 1_568_768)
            .count(),
        5
    );
    Ok(())
}
