//! Law 10: records with an owner.

use std::collections::BTreeSet;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use super::super::{Backend, Expiry, Generation, Key, Login, Outcome, OwnerName};
use super::{
    KeySpace, NearExpiry, assert_lists, begin_login, concurrently, create, expect_done, load,
    owned, owners_of, record, soon,
};

pub(super) async fn a_revoked_owner_has_no_records(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let (ape, other) = (keys.owner("ape"), keys.owner("Ape"));
    let login = begin_login(&*backend, &keys, &ape).await;
    let others = begin_login(&*backend, &keys, &other).await;
    let (key, others_key, unowned) = (keys.key("a"), keys.key("b"), keys.key("c"));
    let seen = create(&*backend, &key, &owned(&ape, login)).await;
    create(&*backend, &others_key, &owned(&other, others)).await;
    create(&*backend, &unowned, &record(b"v")).await;
    let stored = load(&*backend, &key).await.unwrap();
    assert_eq!(stored.record.owner().unwrap().name, ape);
    assert_lists(owners, &ape, slice::from_ref(&key)).await;

    let next = owners.revoke(&ape, soon()).await.unwrap();
    assert_ne!(next, login.generation);
    assert_eq!(owners.generation(&ape).await.unwrap(), Some(next));
    assert_eq!(load(&*backend, &key).await, None);
    let outcomes = [
        backend
            .swap(&key, &seen, &owned(&ape, login))
            .await
            .unwrap(),
        backend.touch(&key, &seen, soon()).await.unwrap(),
    ];
    assert_eq!(outcomes, [Outcome::Gone, Outcome::Gone]);
    assert_lists(owners, &ape, &[]).await;
    assert!(load(&*backend, &others_key).await.is_some());
    assert!(load(&*backend, &unowned).await.is_some());
    // A record of a new login lives. A late record of the old generation does not.
    let new = begin_login(&*backend, &keys, &ape).await;
    assert_eq!(new.generation, next);
    create(&*backend, &keys.key("new"), &owned(&ape, new)).await;
    create(&*backend, &keys.key("late"), &owned(&ape, login)).await;
    assert!(load(&*backend, &keys.key("new")).await.is_some());
    assert_eq!(load(&*backend, &keys.key("late")).await, None);
    // The key of a revoked record is free.
    create(&*backend, &key, &record(b"w")).await;
    assert_eq!(load(&*backend, &key).await.unwrap().record.value(), b"w");
}

/// A server that compresses its indexes accepts long names that repeat themselves. Therefore these
/// names are random.
pub(super) async fn names_are_opaque_up_to_their_bound(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let letters = incompressible(OwnerName::MAX_LEN, "abcdefghijklmnopqrstuvwxyz234567");
    let wide = incompressible(OwnerName::MAX_LEN / 4, "🦍🦧🐒🐵🙈🙉🙊🌴🌿🍃🍌🥭🥥🌰🥜🍇");
    let names = [
        OwnerName::new(letters.as_str()).unwrap(),
        // The same name, except for its last byte.
        OwnerName::new(format!("{}!", &letters[..letters.len() - 1])).unwrap(),
        OwnerName::new(wide).unwrap(),
        keys.owner("a\0b"),
        keys.owner("a"),
        keys.owner("A"),
        keys.owner("a "),
        keys.owner("%_'\"\\/#..\u{fffd}\u{7f}\n"),
    ];
    let mut all = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let key = keys.key(&number.to_string());
        let login = owners.begin(name, soon(), &key).await.unwrap();
        let record = owned(name, login);
        let seen = create(&*backend, &key, &record).await;
        let seen = expect_done(backend.swap(&key, &seen, &record).await);
        expect_done(backend.touch(&key, &seen, soon()).await);
        all.push(key);
    }
    for (name, key) in names.iter().zip(&all) {
        let stored = load(&*backend, key).await.unwrap();
        assert_eq!(stored.record.owner().map(|of| &of.name), Some(name));
        assert_lists(owners, name, slice::from_ref(key)).await;
        owners.revoke(name, soon()).await.unwrap();
        assert_eq!(load(&*backend, key).await, None);
    }
}

/// Returns this many random characters.
fn incompressible(length: usize, alphabet: &str) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let bytes = std::iter::repeat_with(|| *Generation::random().unwrap().as_bytes()).flatten();
    let characters = bytes.map(|byte| alphabet[usize::from(byte) % alphabet.len()]);
    characters.take(length).collect()
}

pub(super) async fn a_kept_login_survives_a_revocation(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let ape = keys.owner("ape");
    let [kept, other] = two_logins(&*backend, &keys, &ape).await;
    let (place, new, others) = (keys.key("kept"), keys.key("new"), keys.key("other"));
    let seen = create(&*backend, &place, &owned(&ape, kept)).await;
    create(&*backend, &others, &owned(&ape, other)).await;
    owners.revoke_except(&ape, soon(), &kept).await.unwrap();
    assert!(load(&*backend, &place).await.is_some());
    assert_eq!(load(&*backend, &others).await, None);
    assert_lists(owners, &ape, slice::from_ref(&place)).await;
    // The login is kept under any key, and also for records that are written later.
    create(&*backend, &new, &owned(&ape, kept)).await;
    let seen = expect_done(backend.swap(&place, &seen, &owned(&ape, kept)).await);
    let seen = expect_done(backend.touch(&place, &seen, soon()).await);
    expect_done(backend.remove(&place, &seen).await);
    assert!(load(&*backend, &new).await.is_some());
    assert_lists(owners, &ape, slice::from_ref(&new)).await;
    // A late record of another login is not kept.
    create(&*backend, &keys.key("late"), &owned(&ape, other)).await;
    assert_eq!(load(&*backend, &keys.key("late")).await, None);
    owners.revoke(&ape, soon()).await.unwrap();
    assert_eq!(load(&*backend, &new).await, None);
}

async fn two_logins(backend: &dyn Backend, keys: &KeySpace, owner: &OwnerName) -> [Login; 2] {
    [
        begin_login(backend, keys, owner).await,
        begin_login(backend, keys, owner).await,
    ]
}

pub(super) async fn a_revoked_login_cannot_be_kept(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let ape = keys.owner("ape");
    let logins @ [one, other] = two_logins(&*backend, &keys, &ape).await;
    let places = [keys.key("one"), keys.key("other")];
    for (key, login) in places.iter().zip(logins) {
        create(&*backend, key, &owned(&ape, login)).await;
    }
    owners.revoke_except(&ape, soon(), &one).await.unwrap();
    // The login can be kept again, although its generation is older. The other one was revoked.
    owners.revoke_except(&ape, soon(), &one).await.unwrap();
    assert!(load(&*backend, &places[0]).await.is_some());
    for login in [other, one] {
        owners.revoke_except(&ape, soon(), &login).await.unwrap();
        for (key, login) in places.iter().zip(logins) {
            assert_eq!(load(&*backend, key).await, None);
            // A late record of a revoked login is revoked, too.
            create(&*backend, key, &owned(&ape, login)).await;
            assert_eq!(load(&*backend, key).await, None);
        }
        assert_lists(owners, &ape, &[]).await;
    }
}

pub(super) async fn a_login_of_another_owner_cannot_be_kept(
    backend: Arc<dyn Backend>,
    keys: KeySpace,
) {
    let owners = owners_of(&*backend);
    let (ape, bonobo) = (keys.owner("ape"), keys.owner("bonobo"));
    let login = begin_login(&*backend, &keys, &ape).await;
    let others = begin_login(&*backend, &keys, &bonobo).await;
    let of_nothing = Login {
        generation: Generation::random().unwrap(),
        ..login
    };
    for (number, foreign) in [others, of_nothing].into_iter().enumerate() {
        owners.revoke_except(&ape, soon(), &foreign).await.unwrap();
        let key = keys.key(&number.to_string());
        create(&*backend, &key, &owned(&ape, foreign)).await;
        assert_eq!(load(&*backend, &key).await, None);
        // The owner's own login of the same number is not kept instead.
        let own = keys.key(&format!("own {number}"));
        create(&*backend, &own, &owned(&ape, login)).await;
        assert_eq!(load(&*backend, &own).await, None);
    }
}

pub(super) async fn an_expired_login_cannot_be_kept(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let (ape, bonobo) = (keys.owner("ape"), keys.owner("bonobo"));
    let (late, early) = (keys.key("late"), keys.key("early"));
    // One owner's record has expired, and the other owner never had a record.
    let until = Expiry::after(Duration::from_millis(300));
    let login = owners.begin(&ape, until, &late).await.unwrap();
    create(&*backend, &late, &owned(&ape, login)).await;
    create(&*backend, &early, &owned(&bonobo, login)).await;
    let watchdog = Expiry::after(Duration::from_secs(60));
    while load(&*backend, &late).await.is_some() {
        assert!(
            Expiry::now() < watchdog,
            "the owner's record did not expire in time"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for (owner, key) in [(&ape, &late), (&bonobo, &early)] {
        owners.revoke_except(owner, soon(), &login).await.unwrap();
        assert_eq!(load(&*backend, key).await, None);
    }
}

pub(super) async fn a_record_needs_its_owners_record(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let ape = keys.owner("ape");
    assert_eq!(owners.generation(&ape).await.unwrap(), None);
    let unknown = Login {
        generation: Generation::random().unwrap(),
        number: 1,
    };
    create(&*backend, &keys.key("a"), &owned(&ape, unknown)).await;
    assert_eq!(load(&*backend, &keys.key("a")).await, None);
    // An owner's record that has expired counts as missing.
    let past = Expiry::from_millis(Expiry::now().as_millis() - 1_000);
    let login = owners.begin(&ape, past, &keys.key("b")).await.unwrap();
    assert_eq!(owners.generation(&ape).await.unwrap(), None);
    create(&*backend, &keys.key("b"), &owned(&ape, login)).await;
    assert_eq!(load(&*backend, &keys.key("b")).await, None);
}

pub(super) async fn an_owners_expiry_is_never_shortened(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let ape = keys.owner("ape");
    let past = Expiry::from_millis(Expiry::now().as_millis() - 1_000);
    let generation = owners.extend(&ape, soon()).await.unwrap();
    // An earlier expiry does not shorten it.
    assert_eq!(owners.extend(&ape, past).await.unwrap(), generation);
    let login = owners.begin(&ape, past, &keys.key("a")).await.unwrap();
    assert_eq!(login.generation, generation);
    assert_eq!(owners.generation(&ape).await.unwrap(), Some(generation));
    let next = owners.revoke(&ape, past).await.unwrap();
    assert_eq!(owners.generation(&ape).await.unwrap(), Some(next));
    // All concurrent extensions return the same generation.
    let extended = concurrently(16, |_| {
        let (backend, bonobo) = (backend.clone(), keys.owner("bonobo"));
        async move {
            let owners = owners_of(&*backend);
            *owners.extend(&bonobo, soon()).await.unwrap().as_bytes()
        }
    });
    let extended: BTreeSet<[u8; 16]> = extended.await.into_iter().collect();
    assert_eq!(extended.len(), 1);
}

pub(super) async fn an_owners_expiry_can_be_extended(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    for milliseconds in [300, 3_000, 30_000] {
        let of = |name: &str| keys.owner(&format!("{name} {milliseconds}"));
        let (extended, begun, revoked, unchanged) =
            (of("extended"), of("begun"), of("revoked"), of("unchanged"));
        let near = NearExpiry::after(milliseconds);
        let key = keys.key(&milliseconds.to_string());
        let mut logins = Vec::new();
        for owner in [&extended, &begun, &revoked, &unchanged] {
            logins.push(owners.begin(owner, near.until, &key).await.unwrap());
        }
        create(&*backend, &key, &owned(&extended, logins[0])).await;
        let longer = owners.extend(&extended, soon()).await.unwrap();
        let later = owners.begin(&begun, soon(), &key).await.unwrap();
        let next = owners.revoke(&revoked, soon()).await.unwrap();
        if Expiry::now() >= near.until {
            continue; // the server was too slow: the records may have expired before the last request
        }
        // A later request with an earlier expiry does not shorten it.
        let last = owners.extend(&extended, near.until).await.unwrap();
        assert_eq!([longer, last], [logins[0].generation; 2]);
        assert_eq!(later.generation, logins[1].generation);
        near.wait_for_expiry_of(&*backend, &unchanged).await;
        assert_eq!(owners.generation(&extended).await.unwrap(), Some(longer));
        assert_eq!(
            owners.generation(&begun).await.unwrap(),
            Some(later.generation)
        );
        assert_eq!(owners.generation(&revoked).await.unwrap(), Some(next));
        assert!(load(&*backend, &key).await.is_some());
        return;
    }
    panic!("the server took over 30 s for six requests");
}

pub(super) async fn an_expired_owner_begins_a_new_generation(
    backend: Arc<dyn Backend>,
    keys: KeySpace,
) {
    let owners = owners_of(&*backend);
    // There are several owners, since a backend may drop some expired ones at any time. The last to
    // expire is the last to be dropped.
    let names: Vec<OwnerName> = (0..8)
        .map(|number| keys.owner(&number.to_string()))
        .collect();
    let near = NearExpiry::after(300);
    let (key, kept) = (keys.key("a"), keys.key("kept"));
    for (number, owner) in (0..).zip(&names) {
        let until = Expiry::from_millis(near.until.as_millis() + number);
        owners.begin(owner, until, &key).await.unwrap();
    }
    let ape = names.last().unwrap();
    let one = owners.begin(ape, near.until, &key).await.unwrap();
    let other = owners.begin(ape, near.until, &kept).await.unwrap();
    create(&*backend, &key, &owned(ape, one)).await;
    create(&*backend, &kept, &owned(ape, other)).await;
    let generation = owners.revoke_except(ape, near.until, &other).await.unwrap();
    let new = owners.begin(ape, near.until, &key).await.unwrap();
    create(&*backend, &keys.key("b"), &owned(ape, new)).await;
    near.wait_for_expiry_of(&*backend, ape).await;
    // Logins are counted from 1 again, in another generation.
    let next = owners.begin(ape, soon(), &keys.key("c")).await.unwrap();
    let before = [one.generation, generation];
    assert!(
        !before.contains(&next.generation),
        "the owner got an earlier generation again"
    );
    assert_eq!(next.number, 1);
    for key in [&key, &kept, &keys.key("b")] {
        assert_eq!(
            load(&*backend, key).await,
            None,
            "a record of an earlier generation is live again"
        );
    }
    assert_lists(owners, ape, &[]).await;
}

pub(super) async fn a_record_is_listed_with_its_owner_only(
    backend: Arc<dyn Backend>,
    keys: KeySpace,
) {
    let owners = owners_of(&*backend);
    let (ape, bonobo) = (keys.owner("ape"), keys.owner("bonobo"));
    let apes = begin_login(&*backend, &keys, &ape).await;
    let bonobos = begin_login(&*backend, &keys, &bonobo).await;
    let key = keys.key("a");
    let listed = async || {
        let ape = owners.keys(&ape).await.unwrap();
        (ape, owners.keys(&bonobo).await.unwrap())
    };
    let (none, one) = (Vec::new(), vec![key.clone()]);
    let seen = create(&*backend, &key, &record(b"v")).await;
    assert_eq!(listed().await, (none.clone(), none.clone()));
    let seen = expect_done(backend.swap(&key, &seen, &owned(&ape, apes)).await);
    assert_eq!(listed().await, (one.clone(), none.clone()));
    let seen = expect_done(backend.touch(&key, &seen, soon()).await);
    assert_eq!(listed().await, (one.clone(), none.clone()));
    let seen = expect_done(backend.swap(&key, &seen, &owned(&bonobo, bonobos)).await);
    assert_eq!(listed().await, (none.clone(), one.clone()));
    // Only its present owner's revocation ends the record.
    owners.revoke(&ape, soon()).await.unwrap();
    let stored = load(&*backend, &key).await.unwrap();
    assert_eq!(stored.record.owner().unwrap().name, bonobo);
    assert_eq!(stored.revision, seen);
    let seen = expect_done(backend.swap(&key, &seen, &record(b"v")).await);
    // The key of a live record that has lost its owner may be listed.
    let (apes, bonobos_keys) = listed().await;
    assert!(apes.iter().chain(&bonobos_keys).all(|of| *of == key));
    let seen = expect_done(backend.swap(&key, &seen, &owned(&bonobo, bonobos)).await);
    expect_done(backend.remove(&key, &seen).await);
    assert_eq!(listed().await, (none.clone(), none));
}

/// Returns whether the record under `key` has an owner, or names a key whose record does.
async fn leads_to_an_owned_record(backend: &dyn Backend, mut key: Key) -> bool {
    while let Some(stored) = load(backend, &key).await {
        if stored.record.owner().is_some() {
            return true;
        }
        key = Key::new(stored.record.value()).unwrap();
    }
    false
}

pub(super) async fn a_record_that_moves_is_always_listed(
    backend: Arc<dyn Backend>,
    keys: KeySpace,
) {
    const MOVES: usize = 200;
    let owners = owners_of(&*backend);
    let (ape, first) = (keys.owner("ape"), keys.key("0"));
    let login = owners.begin(&ape, soon(), &first).await.unwrap();
    let mut seen = create(&*backend, &first, &owned(&ape, login)).await;
    let moves = tokio::spawn({
        let (backend, ape) = (backend.clone(), ape.clone());
        async move {
            let mut key = first;
            for number in 1..=MOVES {
                let to = keys.key(&number.to_string());
                let created = create(&*backend, &to, &owned(&ape, login)).await;
                let moved = backend.swap(&key, &seen, &record(to.as_bytes())).await;
                expect_done(moved);
                (key, seen) = (to, created);
            }
        }
    });
    while !moves.is_finished() {
        let mut is_found = false;
        for key in owners.keys(&ape).await.unwrap() {
            is_found = is_found || leads_to_an_owned_record(&*backend, key).await;
        }
        assert!(is_found, "a record is not listed while it moves");
    }
    moves.await.unwrap();
}

pub(super) async fn a_concurrent_write_does_not_survive_a_revocation(
    backend: Arc<dyn Backend>,
    keys: KeySpace,
) {
    let owners = owners_of(&*backend);
    let ape = keys.owner("ape");
    for round in 0..20 {
        let key = keys.key(&round.to_string());
        let login = owners.begin(&ape, soon(), &key).await.unwrap();
        let seen = create(&*backend, &key, &owned(&ape, login)).await;
        concurrently(2, |number| {
            let (backend, key, seen, ape) =
                (backend.clone(), key.clone(), seen.clone(), ape.clone());
            async move {
                if number == 0 {
                    let owners = owners_of(&*backend);
                    owners.revoke(&ape, soon()).await.unwrap();
                } else {
                    let record = owned(&ape, login);
                    let _either = backend.swap(&key, &seen, &record).await.unwrap();
                }
            }
        })
        .await;
        assert_eq!(
            load(&*backend, &key).await,
            None,
            "a record of an earlier generation is live"
        );
    }
}

pub(super) async fn two_thousand_records_of_an_owner_end_together(
    backend: Arc<dyn Backend>,
    keys: KeySpace,
) {
    const MANY: usize = 2_000;
    let owners = owners_of(&*backend);
    let ape = keys.owner("ape");
    let login = begin_login(&*backend, &keys, &ape).await;
    let mut expected = BTreeSet::new();
    for number in 0..MANY {
        let key = keys.key(&number.to_string());
        create(&*backend, &key, &owned(&ape, login)).await;
        expected.insert(key);
    }
    let found: BTreeSet<Key> = owners.keys(&ape).await.unwrap().into_iter().collect();
    assert_eq!(found, expected);
    owners.revoke(&ape, soon()).await.unwrap();
    assert_lists(owners, &ape, &[]).await;
    for key in expected {
        assert_eq!(load(&*backend, &key).await, None);
    }
}

pub(super) async fn many_loads_follow_the_owners(backend: Arc<dyn Backend>, keys: KeySpace) {
    let owners = owners_of(&*backend);
    let (ape, other) = (keys.owner("ape"), keys.owner("other"));
    let kept = begin_login(&*backend, &keys, &ape).await;
    let revoked = begin_login(&*backend, &keys, &ape).await;
    let others = begin_login(&*backend, &keys, &other).await;
    let records = [
        ("kept", Some(owned(&ape, kept))),
        ("revoked", Some(owned(&ape, revoked))),
        ("other", Some(owned(&other, others))),
        ("unowned", Some(record(b"v"))),
        ("ownerless", Some(owned(&keys.owner("missing"), others))),
        ("missing", None),
    ];
    let all = records.clone().map(|(name, _)| keys.key(name));
    for (key, (_, record)) in all.iter().zip(&records) {
        if let Some(record) = record {
            create(&*backend, key, record).await;
        }
    }
    let live = async || {
        let loaded = backend.load_many(&all).await.unwrap();
        let mut live = Vec::new();
        for ((name, record), loaded) in records.iter().zip(loaded) {
            if let Some(stored) = loaded.unwrap() {
                assert_eq!(
                    Some(stored.record.owner()),
                    record.as_ref().map(|of| of.owner())
                );
                live.push(*name);
            }
        }
        live
    };
    assert_eq!(live().await, ["kept", "revoked", "other", "unowned"]);
    owners.revoke_except(&ape, soon(), &kept).await.unwrap();
    assert_eq!(live().await, ["kept", "other", "unowned"]);
    owners.revoke(&other, soon()).await.unwrap();
    assert_eq!(live().await, ["kept", "unowned"]);
}
