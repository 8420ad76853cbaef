//! Laws 1 to 8, 12 and 13: a single record, and many that are loaded at once.

use std::sync::Arc;
use std::time::Duration;

use super::super::{Backend, Created, Expiry, Key, Outcome, Record, Stored};
use super::{KeySpace, concurrently, create, expect_done, load, record, soon};

pub(super) async fn a_missing_record_loads_as_none(backend: Arc<dyn Backend>, keys: KeySpace) {
    let key = keys.key("a");
    assert_eq!(load(&*backend, &key).await, None);
    let seen = create(&*backend, &key, &record(b"v")).await;
    assert_eq!(load(&*backend, &key).await.unwrap().record.value(), b"v");
    expect_done(backend.remove(&key, &seen).await);
    assert_eq!(load(&*backend, &key).await, None);
}

pub(super) async fn an_expired_record_counts_as_missing(backend: Arc<dyn Backend>, keys: KeySpace) {
    let past = Expiry::from_millis(Expiry::now().as_millis() - 1_000);
    for (name, until) in [("past", past), ("epoch", Expiry::from_millis(0))] {
        let key = keys.key(name);
        let seen = create(&*backend, &key, &Record::new("v", until)).await;
        assert_eq!(load(&*backend, &key).await, None);
        let outcomes = [
            backend.swap(&key, &seen, &record(b"w")).await.unwrap(),
            backend.touch(&key, &seen, soon()).await.unwrap(),
        ];
        assert_eq!(outcomes, [Outcome::Gone, Outcome::Gone]);
        assert_eq!(backend.remove(&key, &seen).await.unwrap(), Outcome::Gone);
        create(&*backend, &key, &record(b"new")).await;
        assert_eq!(load(&*backend, &key).await.unwrap().record.value(), b"new");
    }
    // A record whose expiry is moved to the past is missing from then on.
    let key = keys.key("touched");
    let seen = create(&*backend, &key, &record(b"v")).await;
    expect_done(backend.touch(&key, &seen, past).await);
    assert_eq!(load(&*backend, &key).await, None);
    let seen = create(&*backend, &key, &record(b"v")).await;
    expect_done(backend.swap(&key, &seen, &Record::new("w", past)).await);
    assert_eq!(load(&*backend, &key).await, None);
}

pub(super) async fn a_record_expires_by_itself(backend: Arc<dyn Backend>, keys: KeySpace) {
    let key = keys.key("a");
    let until = Expiry::after(Duration::from_millis(300));
    let seen = create(&*backend, &key, &Record::new("v", until)).await;
    while Expiry::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The server's clock may be a little behind ours.
    let watchdog = Expiry::after(Duration::from_secs(60));
    while load(&*backend, &key).await.is_some() {
        assert!(
            Expiry::now() < watchdog,
            "the record did not expire in time"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let swapped = backend.swap(&key, &seen, &record(b"w")).await.unwrap();
    assert_eq!(swapped, Outcome::Gone);
}

pub(super) async fn create_has_one_winner(backend: Arc<dyn Backend>, keys: KeySpace) {
    for round in 0..20 {
        let key = keys.key(&round.to_string());
        let answers = concurrently(16, |number| {
            let (backend, key) = (backend.clone(), key.clone());
            async move {
                let record = record(number.to_string().as_bytes());
                (number, backend.create(&key, &record).await.unwrap())
            }
        });
        let answers = answers.await;
        let winners: Vec<_> = answers
            .iter()
            .filter(|(_, answer)| *answer != Created::Exists)
            .collect();
        let [(winner, Created::Saved(revision))] = winners[..] else {
            panic!("{} creations succeeded instead of 1", winners.len());
        };
        let stored = load(&*backend, &key).await.unwrap();
        assert_eq!(stored.record.value(), winner.to_string().as_bytes());
        assert_eq!(stored.revision, *revision);
    }
}

pub(super) async fn a_stale_revision_is_a_conflict(backend: Arc<dyn Backend>, keys: KeySpace) {
    let key = keys.key("a");
    let stale = create(&*backend, &key, &record(b"v")).await;
    let seen = expect_done(backend.swap(&key, &stale, &record(b"w")).await);
    let swapped = backend.swap(&key, &stale, &record(b"x")).await.unwrap();
    assert_eq!(swapped, Outcome::Conflict);
    let touched = backend.touch(&key, &stale, soon()).await.unwrap();
    assert_eq!(touched, Outcome::Conflict);
    assert_eq!(
        backend.remove(&key, &stale).await.unwrap(),
        Outcome::Conflict
    );
    let stored = load(&*backend, &key).await.unwrap();
    assert_eq!(
        (stored.record.value(), &stored.revision),
        (&b"w"[..], &seen)
    );
    // The same bytes again make another revision.
    let again = expect_done(backend.swap(&key, &seen, &record(b"w")).await);
    assert_eq!(
        backend.remove(&key, &seen).await.unwrap(),
        Outcome::Conflict
    );
    expect_done(backend.remove(&key, &again).await);
}

pub(super) async fn swap_has_one_winner(backend: Arc<dyn Backend>, keys: KeySpace) {
    let key = keys.key("a");
    let mut seen = create(&*backend, &key, &record(b"v")).await;
    for _ in 0..20 {
        let answers = concurrently(16, |number| {
            let (backend, key, seen) = (backend.clone(), key.clone(), seen.clone());
            async move {
                let record = record(number.to_string().as_bytes());
                backend.swap(&key, &seen, &record).await.unwrap()
            }
        });
        let answers = answers.await;
        let mut winners = Vec::new();
        for (number, answer) in answers.into_iter().enumerate() {
            match answer {
                Outcome::Done(revision) => winners.push((number, revision)),
                Outcome::Conflict => {}
                Outcome::Gone => panic!("the record is gone, and no request removed it"),
            }
        }
        assert_eq!(winners.len(), 1);
        let (winner, revision) = winners.remove(0);
        let stored = load(&*backend, &key).await.unwrap();
        assert_eq!(stored.record.value(), winner.to_string().as_bytes());
        assert_eq!(stored.revision, revision);
        seen = revision;
    }
}

pub(super) async fn no_update_is_lost(backend: Arc<dyn Backend>, keys: KeySpace) {
    const TASKS: usize = 8;
    const EACH: u64 = 25;
    let key = keys.key("a");
    create(&*backend, &key, &record(&0_u64.to_be_bytes())).await;
    let number = |stored: &Stored| u64::from_be_bytes(stored.record.value().try_into().unwrap());
    concurrently(TASKS, |_| {
        let (backend, key) = (backend.clone(), key.clone());
        async move {
            let mut left = EACH;
            while left > 0 {
                let stored = load(&*backend, &key).await.unwrap();
                let next = record(&(number(&stored) + 1).to_be_bytes());
                match backend.swap(&key, &stored.revision, &next).await.unwrap() {
                    Outcome::Done(_) => left -= 1,
                    Outcome::Conflict => {}
                    Outcome::Gone => panic!("the record is gone, and no request removed it"),
                }
            }
        }
    })
    .await;
    let stored = load(&*backend, &key).await.unwrap();
    assert_eq!(number(&stored), TASKS as u64 * EACH);
}

pub(super) async fn no_revision_is_reused(backend: Arc<dyn Backend>, keys: KeySpace) {
    let key = keys.key("a");
    let first = create(&*backend, &key, &record(b"v")).await;
    expect_done(backend.remove(&key, &first).await);
    // The same record is created again. A caller that loaded the first one must not change it.
    create(&*backend, &key, &record(b"v")).await;
    let outcomes = [
        backend.swap(&key, &first, &record(b"w")).await.unwrap(),
        backend.touch(&key, &first, soon()).await.unwrap(),
    ];
    assert_eq!(outcomes, [Outcome::Conflict, Outcome::Conflict]);
    assert_eq!(
        backend.remove(&key, &first).await.unwrap(),
        Outcome::Conflict
    );
}

pub(super) async fn update_after_remove_is_gone(backend: Arc<dyn Backend>, keys: KeySpace) {
    let key = keys.key("a");
    let seen = create(&*backend, &key, &record(b"v")).await;
    expect_done(backend.remove(&key, &seen).await);
    let outcomes = [
        backend.swap(&key, &seen, &record(b"w")).await.unwrap(),
        backend.touch(&key, &seen, soon()).await.unwrap(),
    ];
    assert_eq!(outcomes, [Outcome::Gone, Outcome::Gone]);
    assert_eq!(load(&*backend, &key).await, None);
}

pub(super) async fn a_second_remove_is_gone(backend: Arc<dyn Backend>, keys: KeySpace) {
    let key = keys.key("a");
    let seen = create(&*backend, &key, &record(b"v")).await;
    let answers = concurrently(8, |_| {
        let (backend, key, seen) = (backend.clone(), key.clone(), seen.clone());
        async move { backend.remove(&key, &seen).await.unwrap() }
    });
    let answers = answers.await;
    let removed = answers
        .iter()
        .filter(|answer| **answer == Outcome::Done(()));
    assert_eq!(removed.count(), 1);
    let gone = answers.iter().filter(|answer| **answer == Outcome::Gone);
    assert_eq!(gone.count(), 7);
    assert_eq!(backend.remove(&key, &seen).await.unwrap(), Outcome::Gone);
}

pub(super) async fn remove_and_swap_have_one_winner(backend: Arc<dyn Backend>, keys: KeySpace) {
    for round in 0..20 {
        let key = keys.key(&round.to_string());
        let seen = create(&*backend, &key, &record(b"v")).await;
        let answers = concurrently(2, |number| {
            let (backend, key, seen) = (backend.clone(), key.clone(), seen.clone());
            async move {
                if number == 0 {
                    return backend.remove(&key, &seen).await.unwrap() == Outcome::Done(());
                }
                let swapped = backend.swap(&key, &seen, &record(b"w")).await.unwrap();
                matches!(swapped, Outcome::Done(_))
            }
        });
        let answers = answers.await;
        let [removed, swapped] = answers[..] else {
            panic!("the backend did not give two answers");
        };
        assert_ne!(
            removed, swapped,
            "exactly one of the removal and the swap must succeed"
        );
        assert_eq!(load(&*backend, &key).await.is_some(), swapped);
    }
}

pub(super) async fn touch_changes_the_expiry_only(backend: Arc<dyn Backend>, keys: KeySpace) {
    let key = keys.key("a");
    let seen = create(&*backend, &key, &record(b"v")).await;
    let later = Expiry::after(Duration::from_secs(3_600));
    let began = Expiry::now();
    let touched = expect_done(backend.touch(&key, &seen, later).await);
    assert_ne!(touched, seen);
    assert_expiry(&*backend, &key, later, began).await;
    let stored = load(&*backend, &key).await.unwrap();
    assert_eq!(
        (stored.record.value(), stored.record.owner()),
        (&b"v"[..], None)
    );
    assert_eq!(stored.revision, touched);
    let swapped = backend.swap(&key, &seen, &record(b"w")).await.unwrap();
    assert_eq!(swapped, Outcome::Conflict);
}

pub(super) async fn all_bytes_are_kept(backend: Arc<dyn Backend>, keys: KeySpace) {
    let every: Vec<u8> = (0..=255).collect();
    let large = every.repeat(128);
    for (name, value) in [("every", &every[..]), ("empty", b""), ("large", &large)] {
        let key = keys.key(name);
        let seen = create(&*backend, &key, &record(value)).await;
        assert_eq!(load(&*backend, &key).await.unwrap().record.value(), value);
        expect_done(backend.swap(&key, &seen, &record(value)).await);
        assert_eq!(load(&*backend, &key).await.unwrap().record.value(), value);
    }
}

pub(super) async fn keys_are_opaque(backend: Arc<dyn Backend>, keys: KeySpace) {
    let every: Vec<u8> = (0..=255).collect();
    let (low, high) = every.split_at(128);
    let endings: [&[u8]; 20] = [
        b"a",
        b"A",
        b"a ",
        b" a",
        b"a\0",
        b"a\0b",
        b"a%",
        b"a_",
        b"a'",
        b"a' OR '1'='1",
        b"a\"",
        b"a;b",
        b"../a",
        b"a/b",
        b"a\\b",
        b"a\r\nb",
        b"*",
        "ä".as_bytes(),
        low,
        high,
    ];
    let longest = [&keys.0.as_bytes()[..32], &[b'x'; 218]].concat();
    let mut all: Vec<Key> = vec![Key::new(longest).unwrap()];
    for ending in endings {
        let key = [keys.0.as_bytes(), ending].concat();
        all.push(Key::new(key).unwrap());
    }
    for (number, key) in all.iter().enumerate() {
        create(&*backend, key, &record(number.to_string().as_bytes())).await;
    }
    for (number, key) in all.iter().enumerate() {
        let stored = load(&*backend, key).await.unwrap();
        assert_eq!(stored.record.value(), number.to_string().as_bytes());
        expect_done(backend.remove(key, &stored.revision).await);
    }
    for key in &all {
        assert_eq!(load(&*backend, key).await, None);
    }
}

pub(super) async fn far_expiries_are_right(backend: Arc<dyn Backend>, keys: KeySpace) {
    let day = Duration::from_secs(86_400);
    let far = [
        ("31 days", Expiry::after(31 * day)),
        ("2038", Expiry::from_millis(2_147_483_648_000)),
        ("2106", Expiry::from_millis(4_294_967_296_001)),
        (
            "a millisecond",
            Expiry::from_millis(soon().as_millis() / 1_000 * 1_000 + 1),
        ),
        ("never", Expiry::NEVER),
    ];
    for (name, until) in far {
        let key = keys.key(name);
        let began = Expiry::now();
        let seen = create(&*backend, &key, &Record::new("v", until)).await;
        assert_expiry(&*backend, &key, until, began).await;
        let seen = expect_done(backend.touch(&key, &seen, soon()).await);
        let began = Expiry::now();
        expect_done(backend.touch(&key, &seen, until).await);
        assert_expiry(&*backend, &key, until, began).await;
    }
}

pub(super) async fn a_ping_is_answered(backend: Arc<dyn Backend>, keys: KeySpace) {
    let key = keys.key("a");
    let seen = create(&*backend, &key, &record(b"v")).await;
    backend.ping().await.unwrap();
    // Concurrent and repeated pings disturb no other operation.
    let answers = concurrently(8, |_| {
        let backend = backend.clone();
        async move { backend.ping().await }
    });
    for answer in answers.await {
        answer.unwrap();
    }
    let stored = load(&*backend, &key).await.unwrap();
    assert_eq!((stored.record.value(), stored.revision), (&b"v"[..], seen));
}

/// Asserts that the record expires at that time. If the backend uses its server's clock, the expiry
/// may be off by the time that a write and a read take, and by a millisecond of each clock.
async fn assert_expiry(backend: &dyn Backend, key: &Key, until: Expiry, began: Expiry) {
    let expiry = load(backend, key).await.unwrap().record.expiry();
    let took = Expiry::now().as_millis() - began.as_millis();
    let off = expiry.as_millis().abs_diff(until.as_millis());
    assert!(
        i64::try_from(off).unwrap() <= took + 2
            && (until == Expiry::NEVER) == (off == 0 && expiry == Expiry::NEVER),
        "the expiry is {off} ms off, and the requests took {took} ms"
    );
}

/// Loads a thousand keys, in another order than that of the records, some of them twice. A third of
/// them is missing or expired.
pub(super) async fn many_loads_are_loads(backend: Arc<dyn Backend>, keys: KeySpace) {
    const KEYS: usize = 1_000;
    const TASKS: usize = 8;
    let all: Arc<Vec<Key>> = Arc::new((0..KEYS).map(|n| keys.key(&n.to_string())).collect());
    let past = Expiry::from_millis(Expiry::now().as_millis() - 1_000);
    let has_expiries = backend.keeps_expiries();
    concurrently(TASKS, |task| {
        let (backend, all) = (backend.clone(), all.clone());
        async move {
            for (number, key) in all.iter().enumerate().skip(task).step_by(TASKS) {
                let record = match number % 6 {
                    0 => continue,
                    1 if has_expiries => Record::new("expired", past),
                    _ => record(number.to_string().as_bytes()),
                };
                create(&*backend, key, &record).await;
            }
        }
    })
    .await;
    let again = all.iter().rev().take(20);
    let order: Vec<Key> = all.iter().rev().chain(again).cloned().collect();
    let loaded = backend.load_many(&order).await.unwrap();
    assert_eq!(loaded.len(), order.len());
    for (place, (key, loaded)) in order.iter().zip(loaded).enumerate() {
        let (number, loaded) = (KEYS - 1 - place % KEYS, loaded.unwrap());
        let is_live = number % 6 > 1 || (number % 6 == 1 && !has_expiries);
        let value = loaded.as_ref().map(|stored| stored.record.value().to_vec());
        assert_eq!(
            value,
            is_live.then(|| number.to_string().into_bytes()),
            "{number}"
        );
        // The expiry may differ a little if the server's clock measures the time left.
        if number % 10 == 0 {
            let single = load(&*backend, key).await;
            assert_eq!(single.is_some(), loaded.is_some());
            if let (Some(single), Some(loaded)) = (single, loaded) {
                assert_eq!(single.revision, loaded.revision);
                assert_eq!(single.record.value(), loaded.record.value());
                let expiries = [single, loaded].map(|stored| stored.record.expiry());
                assert!(is_about(expiries), "{expiries:?}");
            }
        }
    }
    assert!(backend.load_many(&[]).await.unwrap().is_empty());
}

/// Returns whether two expiries are at most two seconds apart.
fn is_about([one, other]: [Expiry; 2]) -> bool {
    one.as_millis().abs_diff(other.as_millis()) <= 2_000
}
