//! Law 11: moves of records to other keys.

use std::sync::Arc;

use super::super::{Backend, Expiry, Outcome, Record};
use super::{KeySpace, concurrently, create, expect_done, load, moves_of, record};

pub(super) async fn a_move_is_atomic(backend: Arc<dyn Backend>, keys: KeySpace) {
    let (old, new) = (keys.key("old"), keys.key("new"));
    let seen = create(&*backend, &old, &record(b"before")).await;
    let after = record(b"after");
    let there = expect_done(moves_of(&*backend).move_to(&old, &seen, &new, &after).await);
    assert_eq!(load(&*backend, &old).await, None);
    let stored = load(&*backend, &new).await.unwrap();
    let expected = (&b"after"[..], &there);
    assert_eq!((stored.record.value(), &stored.revision), expected);
    // If a caller got no answer and repeats the move, the record is gone.
    let again = moves_of(&*backend).move_to(&old, &seen, &new, &after).await;
    assert_eq!(again.unwrap(), Outcome::Gone);
    let next = expect_done(backend.swap(&new, &there, &record(b"next")).await);
    // The old key is free.
    create(&*backend, &old, &record(b"another")).await;
    let stale = backend.remove(&new, &there).await.unwrap();
    assert_eq!(stale, Outcome::Conflict);
    expect_done(backend.remove(&new, &next).await);
}

pub(super) async fn a_move_needs_the_current_revision(backend: Arc<dyn Backend>, keys: KeySpace) {
    let moves = moves_of(&*backend);
    let (old, new) = (keys.key("old"), keys.key("new"));
    let stale = create(&*backend, &old, &record(b"one")).await;
    let seen = expect_done(backend.swap(&old, &stale, &record(b"two")).await);
    let conflict = moves.move_to(&old, &stale, &new, &record(b"three")).await;
    assert_eq!(conflict.unwrap(), Outcome::Conflict);
    let kept = load(&*backend, &old).await.unwrap();
    assert_eq!((kept.record.value(), &kept.revision), (&b"two"[..], &seen));
    expect_done(backend.remove(&old, &seen).await);
    let gone = moves.move_to(&old, &seen, &new, &record(b"three")).await;
    assert_eq!(gone.unwrap(), Outcome::Gone);
    let past = Expiry::from_millis(Expiry::now().as_millis() - 1_000);
    let expired = create(&*backend, &old, &Record::new("expired", past)).await;
    let gone = moves.move_to(&old, &expired, &new, &record(b"three")).await;
    assert_eq!(gone.unwrap(), Outcome::Gone);
    assert_eq!(load(&*backend, &new).await, None);
}

pub(super) async fn a_move_to_a_key_in_use_is_refused(backend: Arc<dyn Backend>, keys: KeySpace) {
    let (old, taken) = (keys.key("old"), keys.key("taken"));
    let seen = create(&*backend, &old, &record(b"one")).await;
    let other = create(&*backend, &taken, &record(b"other")).await;
    let two = record(b"two");
    let moved = moves_of(&*backend).move_to(&old, &seen, &taken, &two).await;
    assert!(moved.unwrap_err().is_usage());
    let kept = load(&*backend, &old).await.unwrap();
    assert_eq!((kept.record.value(), &kept.revision), (&b"one"[..], &seen));
    let kept = load(&*backend, &taken).await.unwrap();
    let unchanged = (&b"other"[..], &other);
    assert_eq!((kept.record.value(), &kept.revision), unchanged);
}

pub(super) async fn moves_and_swaps_have_one_winner(backend: Arc<dyn Backend>, keys: KeySpace) {
    const WRITERS: usize = 8;
    for round in 0..5 {
        let old = keys.key(&format!("old-{round}"));
        let new = move |number| format!("new-{round}-{number}");
        let seen = create(&*backend, &old, &record(b"one")).await;
        let (shared, space, place) = (backend.clone(), keys.clone(), old.clone());
        let outcomes = concurrently(WRITERS, move |number| {
            let (backend, old, seen) = (shared.clone(), place.clone(), seen.clone());
            let to = space.key(&new(number));
            async move {
                let outcome = match number % 2 {
                    0 => {
                        moves_of(&*backend)
                            .move_to(&old, &seen, &to, &record(b"moved"))
                            .await
                    }
                    _ => backend.swap(&old, &seen, &record(b"swapped")).await,
                };
                matches!(outcome.unwrap(), Outcome::Done(_))
            }
        })
        .await;
        let winners: Vec<usize> = (0..WRITERS).filter(|number| outcomes[*number]).collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        let was_moved = winners[0].is_multiple_of(2);
        assert_eq!(load(&*backend, &old).await.is_none(), was_moved);
        for number in (0..WRITERS).step_by(2) {
            let there = load(&*backend, &keys.key(&new(number))).await;
            assert_eq!(there.is_some(), winners[0] == number);
        }
    }
}
