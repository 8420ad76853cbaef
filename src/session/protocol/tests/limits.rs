//! The protocol's limits, to the exact number: the tombstones it follows, its retries, its
//! conflicts.

use super::late::Lone;
use super::*;

/// Creates a chain of `hops` tombstones that begins at `A`, with the session at its end.
fn trail(hops: usize, is_renewal: bool) -> (Rows, Key) {
    let mut rows = Rows::default();
    let place = |hop: usize| match hop {
        0 => key("A"),
        hop => key(&format!("T{hop}")),
    };
    for hop in 0..hops {
        let successor = Some(Successor {
            key: place(hop + 1),
            is_renewal,
        });
        rows.put(place(hop), Row::Tombstone { successor }, [8; 16]);
    }
    rows.put(place(hops), Row::Live(Counts::default()), [8; 16]);
    (rows, place(hops))
}

/// Returns the verdict on an intent in those rows. Others have written them since the intent was
/// formed.
fn in_rows(rows: Rows, intent: fn(SeenRow<u8>) -> Intent<Counts>) -> (Verdict<Counts>, Rows) {
    let mut lone = Lone::new(Rows::default(), |seen| {
        intent(SeenRow {
            revision: None,
            ..seen
        })
    });
    lone.rows = rows;
    let call = lone.begin();
    let answer = lone.answer(call);
    (lone.verdict_after(answer), lone.rows)
}

/// Returns the verdict on an intent if the session is at the end of such a chain.
fn at_the_end(
    hops: usize,
    is_renewal: bool,
    intent: fn(SeenRow<u8>) -> Intent<Counts>,
) -> (Verdict<Counts>, Rows) {
    in_rows(trail(hops, is_renewal).0, intent)
}

#[test]
fn a_trail_is_followed_to_its_sixteenth_tombstone() {
    let renew = |seen| Intent::Renew { seen, to: key("N") };
    let intents: [fn(SeenRow<u8>) -> Intent<Counts>; 2] = [|seen| Intent::Save { seen }, renew];
    for intent in intents {
        let (verdict, rows) = at_the_end(LONGEST_TRAIL, true, intent);
        assert!(matches!(verdict, Verdict::Saved(..)), "{verdict:?}");
        let (_, end) = trail(LONGEST_TRAIL, true);
        assert_eq!(rows.live(&end).unwrap().of[&0], 1);
        let (verdict, rows) = at_the_end(LONGEST_TRAIL + 1, true, intent);
        assert_eq!(verdict, Verdict::Conflict);
        assert!(rows.live(&key("N")).is_none(), "nothing is left behind");
    }
    for is_renewal in [true, false] {
        let end = |seen| Intent::End { seen };
        let (verdict, _) = at_the_end(LONGEST_TRAIL, is_renewal, end);
        assert_eq!(verdict, Verdict::Ended);
        let (verdict, _) = at_the_end(LONGEST_TRAIL + 1, is_renewal, end);
        assert_eq!(verdict, Verdict::Conflict);
    }
}

/// A session beyond the owner's limit ends while its browser logs in again.
#[test]
fn the_end_of_one_login_ends_no_other() {
    let end = |seen| Intent::EndLogin { seen };
    let (verdict, rows) = at_the_end(1, false, end);
    assert_eq!(verdict, Verdict::Gone);
    assert!(rows.live(&key("T1")).is_some());
    let (verdict, rows) = at_the_end(1, true, end);
    assert_eq!(verdict, Verdict::Ended);
    assert!(rows.live(&key("T1")).is_none());
}

/// A merge takes over a session, and ends it only as it was taken over.
#[test]
fn the_end_of_an_unchanged_session_ends_no_other_version() {
    let end = |seen| Intent::EndUnchanged { seen };
    for is_renewal in [false, true] {
        let (verdict, rows) = at_the_end(1, is_renewal, end);
        assert_eq!(verdict, Verdict::Gone);
        assert!(rows.live(&key("T1")).is_some());
    }
    let (verdict, rows) = at_the_end(0, false, end);
    assert_eq!(verdict, Verdict::Conflict);
    assert!(rows.live(&key("A")).is_some());
    for is_lost in [false, true] {
        let mut lone = Lone::new(Rows::default(), end);
        let call = lone.begin();
        let answer = match is_lost {
            true => Answer::Unknown,
            false => lone.answer(call),
        };
        assert_eq!(
            lone.verdict_after(answer),
            Verdict::Ended,
            "lost: {is_lost}"
        );
        assert!(lone.rows.live(&key("A")).is_none());
    }
}

#[test]
fn saves_and_renewals_follow_only_renewals() {
    for intent in [
        (|seen| Intent::Save { seen }) as fn(SeenRow<u8>) -> Intent<Counts>,
        |seen| Intent::Renew { seen, to: key("N") },
    ] {
        let (verdict, rows) = at_the_end(1, false, intent);
        assert_eq!(verdict, Verdict::Gone);
        assert!(rows.live(&key("T1")).unwrap().of.is_empty());
        assert!(rows.live(&key("N")).is_none());
    }
}

/// By now the session has another login, in the same row or in the row after a renewal.
#[test]
fn no_operation_continues_across_another_login() {
    let another = Counts {
        login: 9,
        ..Counts::default()
    };
    for intent in [
        (|seen| Intent::Save { seen }) as fn(SeenRow<u8>) -> Intent<Counts>,
        |seen| Intent::Renew { seen, to: key("N") },
    ] {
        for hops in [0, 1] {
            let (mut rows, end) = trail(hops, true);
            rows.put(end.clone(), Row::Live(another.clone()), [8; 16]);
            let (verdict, rows) = in_rows(rows, intent);
            assert_eq!(verdict, Verdict::Gone, "{hops}");
            assert_eq!(rows.live(&end), Some(&another));
            assert!(rows.live(&key("N")).is_none(), "nothing is left behind");
        }
    }
}

/// Runs a request. The writes that `is_lost` selects get no reply, and are never applied. Returns
/// the verdict, and the number of these writes.
fn with_lost_writes(
    lone: &mut Lone,
    is_lost: fn(&Call<Counts>) -> bool,
) -> (Verdict<Counts>, usize) {
    let (mut writes, mut step) = (0, lone.protocol.begin());
    loop {
        step = match step {
            Step::Ask(call) if is_lost(&call) => {
                writes += 1;
                assert!(writes < 50, "it asks again and again");
                lone.protocol.next(Answer::Unknown)
            }
            Step::Ask(call) => {
                let answer = lone.answer(call);
                lone.protocol.next(answer)
            }
            Step::Done(verdict) => return (verdict, writes),
            Step::Refused(error) => panic!("{error}"),
        };
    }
}

#[test]
fn a_write_is_repeated_three_times() {
    let intents: [fn(SeenRow<u8>) -> Intent<Counts>; 3] = [
        |seen| Intent::Save { seen },
        |seen| Intent::End { seen },
        |_| Intent::Create { key: key("N") },
    ];
    for intent in intents {
        let mut lone = Lone::new(Rows::default(), intent);
        let is_write = |call: &Call<Counts>| !matches!(call, Call::Load(_));
        let sent = with_lost_writes(&mut lone, is_write);
        assert_eq!(sent, (Verdict::Unknown, 1 + MOST_REPEATS));
    }
}

/// The request has created its new row. Then it finds that another request has saved the session,
/// and writes those changes to the new row.
#[test]
fn a_change_of_the_new_row_is_repeated_three_times() {
    let mut lone = Lone::new(Rows::default(), |seen| Intent::Renew { seen, to: key("N") });
    lone.rows
        .put(key("A"), Row::Live(Counts::default()), [8; 16]);
    let is_change = |call: &Call<Counts>| matches!(call, Call::Swap(of, ..) if *of == key("N"));
    let sent = with_lost_writes(&mut lone, is_change);
    assert_eq!(sent, (Verdict::Unknown, 1 + MOST_REPEATS));
    assert!(
        lone.rows.live(&key("N")).is_none(),
        "nothing is left behind"
    );
}

/// Writes as another request before each write, for `conflicts` writes. The deadline passes after
/// `late_after` conflicts.
fn against_others(
    rows: Rows,
    intent: fn(SeenRow<u8>) -> Intent<Counts>,
    conflicts: usize,
    late_after: usize,
) -> (Verdict<Counts>, Rows) {
    let mut lone = Lone::new(rows, intent);
    let (mut left, mut step) = (conflicts, lone.protocol.begin());
    loop {
        step = match step {
            Step::Ask(call) => {
                if left > 0
                    && matches!(&call, Call::Swap(of, ..) | Call::Move(of, ..) if *of == key("A"))
                {
                    left -= 1;
                    lone.rows
                        .put(key("A"), Row::Live(Counts::default()), [8; 16]);
                }
                if lone.protocol.conflicts() >= late_after {
                    lone.protocol.resolve_no_more();
                }
                let answer = lone.answer(call);
                lone.protocol.next(answer)
            }
            Step::Done(verdict) => return (verdict, lone.rows),
            Step::Refused(error) => panic!("{error}"),
        };
    }
}

#[test]
fn conflicts_are_resolved_until_it_is_too_late() {
    let intents: [fn(SeenRow<u8>) -> Intent<Counts>; 3] = [
        |seen| Intent::Save { seen },
        |seen| Intent::End { seen },
        |seen| Intent::Renew { seen, to: key("N") },
    ];
    for (intent, are_moved) in intents.into_iter().flat_map(|of| [(of, false), (of, true)]) {
        let rows = || Rows {
            are_moved,
            ..Rows::default()
        };
        let (verdict, _) = against_others(rows(), intent, 5_000, usize::MAX);
        assert!(
            matches!(verdict, Verdict::Saved(..) | Verdict::Ended),
            "{verdict:?}"
        );
        let (verdict, rows_after) = against_others(rows(), intent, 11, 10);
        assert_eq!(verdict, Verdict::TimedOut);
        assert_eq!(rows_after.live(&key("A")), Some(&Counts::default()));
        assert!(
            rows_after.live(&key("N")).is_none(),
            "nothing is left behind"
        );
        let (verdict, _) = against_others(rows(), intent, 10, 10);
        assert_ne!(verdict, Verdict::TimedOut, "the last attempt counts");
    }
}

#[test]
fn a_session_without_a_row_is_gone() {
    let intents: [fn(SeenRow<u8>) -> Intent<Counts>; 3] = [
        |seen| Intent::Save { seen },
        |seen| Intent::End { seen },
        |seen| Intent::Renew { seen, to: key("N") },
    ];
    for intent in intents {
        let (verdict, rows) = in_rows(Rows::default(), intent);
        assert_eq!(verdict, Verdict::Gone);
        assert!(rows.rows.is_empty(), "nothing is left behind");
    }
}

fn login(are_moved: bool) -> Lone {
    let rows = Rows {
        are_moved,
        ..Rows::default()
    };
    Lone::new(rows, |seen| Intent::Replace {
        seen,
        to: key("N"),
        keeps: true,
    })
}

#[test]
fn a_login_that_keeps_values_keeps_those_of_a_concurrent_save() {
    for are_moved in [false, true] {
        let mut lone = login(are_moved);
        let saved = Counts {
            of: BTreeMap::from([(5, 1)]),
            ..Counts::default()
        };
        lone.rows.put(key("A"), Row::Live(saved), [8; 16]);
        let first = lone.begin();
        let answer = lone.answer(first);
        let verdict = lone.verdict_after(answer);
        assert!(matches!(verdict, Verdict::Saved(..)), "{verdict:?}");
        let kept = &lone.rows.live(&key("N")).unwrap().of;
        assert_eq!(*kept, BTreeMap::from([(0, 1), (5, 1)]));
    }
}

#[test]
fn a_login_keeps_no_value_of_a_session_that_has_ended() {
    for are_moved in [false, true] {
        let mut lone = login(are_moved);
        let new_data = lone.protocol.new_data.as_mut().unwrap();
        new_data.data.of.insert(5, 1); // of the session that the request has seen
        lone.rows.rows.remove(&key("A"));
        let first = lone.begin();
        let answer = lone.answer(first);
        let verdict = lone.verdict_after(answer);
        assert!(matches!(verdict, Verdict::Saved(..)), "{verdict:?}");
        let kept = &lone.rows.live(&key("N")).unwrap().of;
        assert_eq!(*kept, BTreeMap::from([(0, 1)]));
    }
}

#[test]
fn a_save_is_merged_only_with_changes_of_another_request() {
    let save = |seen| Intent::Save { seen };
    for is_concurrent in [false, true] {
        let mut lone = Lone::new(Rows::default(), save);
        let call = lone.begin();
        if is_concurrent {
            lone.rows
                .put(key("A"), Row::Live(Counts::default()), [8; 16]);
        }
        let answer = lone.answer(call);
        let verdict = lone.verdict_after(answer);
        assert!(matches!(verdict, Verdict::Saved(..)), "{verdict:?}");
        assert_eq!(lone.protocol.is_merged(), is_concurrent);
    }
}
