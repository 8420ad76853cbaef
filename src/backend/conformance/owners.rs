//! Law 10: of records that are owned.

use std::collections::BTreeSet;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use super::super::{Backend, Expiry, Generation, Key, Outcome, Owner, Record};
use super::{KeySpace, at_once, created, done, loaded, owners_of, record, soon};

fn owned(owner: &str, generation: Generation) -> Record {
    record(b"v").owned_by(Owner {
        name: owner.to_owned(),
        generation,
    })
}

pub(super) async fn a_revoked_owner_has_no_records(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let (ape, other) = (keys.owner("ape"), keys.owner("Ape"));
    let generation = owners.begin(&ape, soon()).await.unwrap();
    let others = owners.begin(&other, soon()).await.unwrap();
    let (key, others_key, nobodys) = (keys.key("a"), keys.key("b"), keys.key("c"));
    let seen = created(&*backend, &key, &owned(&ape, generation)).await;
    created(&*backend, &others_key, &owned(&other, others)).await;
    created(&*backend, &nobodys, &record(b"v")).await;
    let stored = loaded(&*backend, &key).await.unwrap();
    assert_eq!(stored.record.owner().unwrap().name, ape);
    assert_eq!(owners.keys(&ape).await.unwrap(), slice::from_ref(&key));

    let next = owners.revoke(&ape, soon(), None).await.unwrap();
    assert_ne!(next, generation);
    assert_eq!(owners.generation(&ape).await.unwrap(), Some(next));
    assert_eq!(loaded(&*backend, &key).await, None);
    let outcomes = [
        backend
            .swap(&key, &seen, &owned(&ape, generation))
            .await
            .unwrap(),
        backend.touch(&key, &seen, soon()).await.unwrap(),
    ];
    assert_eq!(outcomes, [Outcome::Gone, Outcome::Gone]);
    assert_eq!(owners.keys(&ape).await.unwrap(), []);
    assert!(loaded(&*backend, &others_key).await.is_some());
    assert!(loaded(&*backend, &nobodys).await.is_some());
    // What is written after lives; what is written of the old generation does not.
    created(&*backend, &keys.key("new"), &owned(&ape, next)).await;
    created(&*backend, &keys.key("late"), &owned(&ape, generation)).await;
    assert!(loaded(&*backend, &keys.key("new")).await.is_some());
    assert_eq!(loaded(&*backend, &keys.key("late")).await, None);
    // The place of what was revoked is free.
    created(&*backend, &key, &record(b"w")).await;
    assert_eq!(loaded(&*backend, &key).await.unwrap().record.value(), b"w");
}

/// A server that compresses what it indexes takes long names that repeat themselves: so these
/// do not.
pub(super) async fn names_are_opaque_up_to_their_bound(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let letters = incompressible(Owner::LONGEST_NAME, "abcdefghijklmnopqrstuvwxyz234567");
    let wide = incompressible(Owner::LONGEST_NAME / 4, "🦍🦧🐒🐵🙈🙉🙊🌴🌿🍃🍌🥭🥥🌰🥜🍇");
    let names = [
        letters.clone(),
        // Of the same beginning.
        format!("{}!", &letters[..letters.len() - 1]),
        wide,
        keys.owner("a\0b"),
        keys.owner("a"),
        keys.owner("A"),
        keys.owner("a "),
        keys.owner("%_'\"\\/#..\u{fffd}\u{7f}\n"),
    ];
    let mut all = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let key = keys.key(&number.to_string());
        let generation = owners.begin(name, soon()).await.unwrap();
        let record = owned(name, generation);
        let seen = created(&*backend, &key, &record).await;
        let seen = done(backend.swap(&key, &seen, &record).await);
        done(backend.touch(&key, &seen, soon()).await);
        all.push(key);
    }
    for (name, key) in names.iter().zip(&all) {
        let stored = loaded(&*backend, key).await.unwrap();
        assert_eq!(stored.record.owner().map(|of| &of.name), Some(name));
        assert_eq!(owners.keys(name).await.unwrap(), slice::from_ref(key));
        owners.revoke(name, soon(), None).await.unwrap();
        assert_eq!(loaded(&*backend, key).await, None);
    }
    for refused in [String::new(), letters + "a"] {
        let error = owners.begin(&refused, soon()).await.unwrap_err();
        assert!(error.is_usage(), "{error}");
        let error = owners.revoke(&refused, soon(), None).await.unwrap_err();
        assert!(error.is_usage(), "{error}");
    }
}

/// So many characters at random.
fn incompressible(length: usize, alphabet: &str) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let bytes = std::iter::repeat_with(|| *Generation::random().unwrap().as_bytes()).flatten();
    let characters = bytes.map(|byte| alphabet[usize::from(byte) % alphabet.len()]);
    characters.take(length).collect()
}

pub(super) async fn a_kept_key_outlives_a_revocation(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let ape = keys.owner("ape");
    let generation = owners.begin(&ape, soon()).await.unwrap();
    let (kept, other) = (keys.key("kept"), keys.key("other"));
    for key in [&kept, &other] {
        created(&*backend, key, &owned(&ape, generation)).await;
    }
    let next = owners.revoke(&ape, soon(), Some(&kept)).await.unwrap();
    let stored = loaded(&*backend, &kept).await.unwrap();
    assert_eq!(loaded(&*backend, &other).await, None);
    assert_eq!(owners.keys(&ape).await.unwrap(), slice::from_ref(&kept));
    // Written anew it is of the new generation; kept by another key only, it dies.
    done(
        backend
            .swap(&kept, &stored.revision, &owned(&ape, next))
            .await,
    );
    assert!(loaded(&*backend, &kept).await.is_some());
    owners.revoke(&ape, soon(), Some(&other)).await.unwrap();
    assert_eq!(loaded(&*backend, &kept).await, None);
}

pub(super) async fn what_was_revoked_is_not_kept(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let ape = keys.owner("ape");
    let generation = owners.begin(&ape, soon()).await.unwrap();
    let (one, other) = (keys.key("one"), keys.key("other"));
    for key in [&one, &other] {
        created(&*backend, key, &owned(&ape, generation)).await;
    }
    owners.revoke(&ape, soon(), Some(&one)).await.unwrap();
    // Kept again, though of an older generation, it lives; the other has died.
    owners.revoke(&ape, soon(), Some(&one)).await.unwrap();
    assert!(loaded(&*backend, &one).await.is_some());
    owners.revoke(&ape, soon(), Some(&other)).await.unwrap();
    assert_eq!(loaded(&*backend, &one).await, None);
    assert_eq!(loaded(&*backend, &other).await, None);
    assert_eq!(owners.keys(&ape).await.unwrap(), []);
}

pub(super) async fn what_is_not_there_is_not_kept(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let (ape, bonobo) = (keys.owner("ape"), keys.owner("bonobo"));
    let old = owners.begin(&ape, soon()).await.unwrap();
    let others = owners.begin(&bonobo, soon()).await.unwrap();
    let (absent, nobodys, somebodys) = (keys.key("a"), keys.key("b"), keys.key("c"));
    let over = keys.key("d");
    let past = Expiry::from_millis(Expiry::now().as_millis() - 1_000);
    created(&*backend, &over, &owned(&ape, old).until(past)).await;
    let of_nobody = created(&*backend, &nobodys, &record(b"v")).await;
    let of_bonobo = created(&*backend, &somebodys, &owned(&bonobo, others)).await;
    for key in [&over, &absent, &nobodys, &somebodys] {
        owners.revoke(&ape, soon(), Some(key)).await.unwrap();
        // No record of the old generation gets there and lives.
        match key {
            key if [&absent, &over].contains(&key) => {
                drop(backend.create(key, &owned(&ape, old)).await.unwrap())
            }
            key if *key == nobodys => {
                done(backend.swap(key, &of_nobody, &owned(&ape, old)).await);
            }
            key => {
                done(backend.swap(key, &of_bonobo, &owned(&ape, old)).await);
            }
        }
        assert_eq!(loaded(&*backend, key).await, None);
    }
}

pub(super) async fn what_was_over_is_not_kept(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let (ape, bonobo) = (keys.owner("ape"), keys.owner("bonobo"));
    let (late, early) = (keys.key("late"), keys.key("early"));
    // Of an owner whose record has expired, and of one who never had a record.
    let over = Expiry::after(Duration::from_millis(300));
    let generation = owners.begin(&ape, over).await.unwrap();
    created(&*backend, &late, &owned(&ape, generation)).await;
    created(&*backend, &early, &owned(&bonobo, generation)).await;
    let watchdog = Expiry::after(Duration::from_secs(60));
    while loaded(&*backend, &late).await.is_some() {
        assert!(Expiry::now() < watchdog, "the owner's record never expires");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for (owner, key) in [(&ape, &late), (&bonobo, &early)] {
        owners.revoke(owner, soon(), Some(key)).await.unwrap();
        assert_eq!(loaded(&*backend, key).await, None);
    }
}

pub(super) async fn without_an_owners_record_there_is_none(
    backend: Arc<dyn Backend>,
    keys: KeySpace,
) {
    let owners = owners_of(&*backend);
    let ape = keys.owner("ape");
    assert_eq!(owners.generation(&ape).await.unwrap(), None);
    let generation = Generation::random().unwrap();
    created(&*backend, &keys.key("a"), &owned(&ape, generation)).await;
    assert_eq!(loaded(&*backend, &keys.key("a")).await, None);
    // A record that has expired is none.
    let past = Expiry::from_millis(Expiry::now().as_millis() - 1_000);
    let generation = owners.begin(&ape, past).await.unwrap();
    assert_eq!(owners.generation(&ape).await.unwrap(), None);
    created(&*backend, &keys.key("b"), &owned(&ape, generation)).await;
    assert_eq!(loaded(&*backend, &keys.key("b")).await, None);
}

pub(super) async fn an_owner_is_kept_as_long_as_asked(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let ape = keys.owner("ape");
    let past = Expiry::from_millis(Expiry::now().as_millis() - 1_000);
    let generation = owners.begin(&ape, soon()).await.unwrap();
    // Neither begins shorten it, nor do revocations.
    assert_eq!(owners.begin(&ape, past).await.unwrap(), generation);
    assert_eq!(owners.generation(&ape).await.unwrap(), Some(generation));
    let next = owners.revoke(&ape, past, None).await.unwrap();
    assert_eq!(owners.generation(&ape).await.unwrap(), Some(next));
    // All who begin at once begin the same.
    let begun = at_once(16, |_| {
        let (backend, bonobo) = (backend.clone(), keys.owner("bonobo"));
        async move {
            let owners = owners_of(&*backend);
            *owners.begin(&bonobo, soon()).await.unwrap().as_bytes()
        }
    });
    let begun: BTreeSet<[u8; 16]> = begun.await.into_iter().collect();
    assert_eq!(begun.len(), 1);
}

/// A moment that is soon, by the server's clock as by ours, and the wait for it.
struct Short {
    until: Expiry,
}

impl Short {
    fn after(milliseconds: u64) -> Self {
        Short {
            until: Expiry::after(Duration::from_millis(milliseconds)),
        }
    }

    /// Waits until this owner, who was begun until then, is over.
    async fn is_over_for(&self, backend: &dyn Backend, owner: &str) {
        let watchdog = Expiry::after(Duration::from_secs(60));
        let owners = owners_of(backend);
        while Expiry::now() < self.until || owners.generation(owner).await.unwrap().is_some() {
            assert!(Expiry::now() < watchdog, "the owner's record never expires");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub(super) async fn an_owner_is_kept_longer_when_asked(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    for milliseconds in [300, 3_000, 30_000] {
        let of = |name: &str| keys.owner(&format!("{name} {milliseconds}"));
        let (begun, revoked, over) = (of("begun"), of("revoked"), of("over"));
        let short = Short::after(milliseconds);
        let mut generations = Vec::new();
        for owner in [&begun, &revoked, &over] {
            generations.push(owners.begin(owner, short.until).await.unwrap());
        }
        let key = keys.key(&milliseconds.to_string());
        created(&*backend, &key, &owned(&begun, generations[0])).await;
        let longer = owners.begin(&begun, soon()).await.unwrap();
        let next = owners.revoke(&revoked, soon(), None).await.unwrap();
        if Expiry::now() >= short.until {
            continue; // the server was too slow: it may have been over before it was asked
        }
        // What is asked for last, though less, takes nothing away.
        let last = owners.begin(&begun, short.until).await.unwrap();
        assert_eq!([longer, last], [generations[0]; 2]);
        short.is_over_for(&*backend, &over).await;
        assert_eq!(owners.generation(&begun).await.unwrap(), Some(longer));
        assert_eq!(owners.generation(&revoked).await.unwrap(), Some(next));
        assert!(loaded(&*backend, &key).await.is_some());
        return;
    }
    panic!("the server takes half a minute for six requests");
}

pub(super) async fn an_owner_who_is_over_begins_anew(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    // Several, since a backend may drop some of those that are over at any time. The last to
    // expire is the last to be dropped.
    let names: Vec<String> = (0..8)
        .map(|number| keys.owner(&number.to_string()))
        .collect();
    let short = Short::after(300);
    let mut generations = Vec::new();
    for (number, owner) in (0..).zip(&names) {
        let until = Expiry::from_millis(short.until.as_millis() + number);
        generations.push(owners.begin(owner, until).await.unwrap());
    }
    let (ape, before) = (names.last().unwrap(), *generations.last().unwrap());
    let (key, kept) = (keys.key("a"), keys.key("kept"));
    for key in [&key, &kept] {
        created(&*backend, key, &owned(ape, before)).await;
    }
    let generation = owners.revoke(ape, short.until, Some(&kept)).await.unwrap();
    created(&*backend, &keys.key("b"), &owned(ape, generation)).await;
    short.is_over_for(&*backend, ape).await;
    let next = owners.begin(ape, soon()).await.unwrap();
    assert!(next != generation && next != before, "it is not revived");
    for key in [&key, &kept, &keys.key("b")] {
        assert_eq!(loaded(&*backend, key).await, None, "nor is a record");
    }
    assert_eq!(owners.keys(ape).await.unwrap(), []);
}

pub(super) async fn a_record_is_listed_with_its_owner_alone(
    backend: Arc<dyn Backend>,
    keys: KeySpace,
) {
    let owners = owners_of(&*backend);
    let (ape, bonobo) = (keys.owner("ape"), keys.owner("bonobo"));
    let apes = owners.begin(&ape, soon()).await.unwrap();
    let bonobos = owners.begin(&bonobo, soon()).await.unwrap();
    let key = keys.key("a");
    let listed = async || {
        let ape = owners.keys(&ape).await.unwrap();
        (ape, owners.keys(&bonobo).await.unwrap())
    };
    let (none, one) = (Vec::new(), vec![key.clone()]);
    let seen = created(&*backend, &key, &record(b"v")).await;
    assert_eq!(listed().await, (none.clone(), none.clone()));
    let seen = done(backend.swap(&key, &seen, &owned(&ape, apes)).await);
    assert_eq!(listed().await, (one.clone(), none.clone()));
    let seen = done(backend.touch(&key, &seen, soon()).await);
    assert_eq!(listed().await, (one.clone(), none.clone()));
    let seen = done(backend.swap(&key, &seen, &owned(&bonobo, bonobos)).await);
    assert_eq!(listed().await, (none.clone(), one.clone()));
    // It is one owner's alone to end.
    owners.revoke(&ape, soon(), None).await.unwrap();
    let stored = loaded(&*backend, &key).await.unwrap();
    assert_eq!(
        (
            stored.record.owner().unwrap().name.as_str(),
            stored.revision
        ),
        (&*bonobo, seen.clone())
    );
    let seen = done(backend.swap(&key, &seen, &record(b"v")).await);
    assert_eq!(listed().await, (none.clone(), none.clone()));
    let seen = done(backend.swap(&key, &seen, &owned(&bonobo, bonobos)).await);
    done(backend.remove(&key, &seen).await);
    assert_eq!(listed().await, (none.clone(), none));
}

pub(super) async fn a_revocation_and_a_write_agree(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let ape = keys.owner("ape");
    for round in 0..20 {
        let generation = owners.begin(&ape, soon()).await.unwrap();
        let key = keys.key(&round.to_string());
        let seen = created(&*backend, &key, &owned(&ape, generation)).await;
        at_once(2, |number| {
            let (backend, key, seen, ape) =
                (backend.clone(), key.clone(), seen.clone(), ape.clone());
            async move {
                if number == 0 {
                    let owners = owners_of(&*backend);
                    owners.revoke(&ape, soon(), None).await.unwrap();
                } else {
                    let record = owned(&ape, generation);
                    backend.swap(&key, &seen, &record).await.unwrap();
                }
            }
        })
        .await;
        assert_eq!(loaded(&*backend, &key).await, None, "whoever was first");
    }
}

pub(super) async fn two_thousand_records_of_an_owner_die_together(
    backend: Arc<dyn Backend>,
    keys: KeySpace,
) {
    const MANY: usize = 2_000;
    let owners = owners_of(&*backend);
    let ape = keys.owner("ape");
    let generation = owners.begin(&ape, soon()).await.unwrap();
    let mut expected = BTreeSet::new();
    for number in 0..MANY {
        let key = keys.key(&number.to_string());
        created(&*backend, &key, &owned(&ape, generation)).await;
        expected.insert(key);
    }
    let found: BTreeSet<Key> = owners.keys(&ape).await.unwrap().into_iter().collect();
    assert_eq!(found, expected);
    owners.revoke(&ape, soon(), None).await.unwrap();
    assert_eq!(owners.keys(&ape).await.unwrap(), []);
    for key in expected {
        assert_eq!(loaded(&*backend, &key).await, None);
    }
}
