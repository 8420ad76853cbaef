//! Tests of rows without tombstones that are moved in one step: the same interleavings, and the
//! rules that hold for them. After a renewal, a logout or login that comes with the old ID does not
//! find the session.

use super::late::{Lone, arriving_late, failing_at_last};
use super::*;

fn rows() -> Rows {
    Rows {
        are_moved: true,
        ..Rows::default()
    }
}

fn explore_all(wishes: &[Wish], faults: Faults) -> usize {
    let is_faultless = faults.lost_replies + faults.cuts == 0;
    explore_from(rows(), wishes, faults, &|rows, requests| {
        check(rows, requests);
        if faults.cuts == 0 {
            check_what_is_told(rows, requests);
        }
        if is_faultless {
            check_progress(rows, requests);
        }
    })
}

/// Checks the rules that hold under all faults.
fn check(rows: &Rows, requests: &[Request<'_>]) {
    let story = story(requests);
    check_failures(rows, requests);
    let logins = requests.iter().filter(|of| of.wish.logs_in());
    let live: Vec<&Counts> = rows.rows.keys().filter_map(|key| rows.live(key)).collect();
    // Even requests that are cut off leave nothing behind.
    let old = live.iter().filter(|counts| counts.login == 0);
    assert!(old.count() <= 1, "two rows of one session: {story}");
    assert!(live.len() <= 1 + logins.count(), "too many rows: {story}");
    for counts in live {
        let once = counts.of.values().all(|count| *count == 1);
        assert!(once, "twice: {story}");
        for request in requests {
            let is_in = counts.of.contains_key(&request.number);
            let is_own = usize::from(counts.login) == 10 + request.number;
            if counts.login == 0 && matches!(request.wish, Wish::Save | Wish::Renew) {
                assert!(is_in || !request.is_acknowledged(), "lost: {story}");
            }
            if counts.login >= 10 && is_in && !is_own {
                let has_kept = requests.iter().any(|of| of.wish == Wish::LoginKeeping);
                assert!(has_kept, "mixed: {story}");
            }
        }
    }
    let logs_in = |of: &Request<'_>| of.wish.logs_in() && of.verdict().is_some();
    let ended = requests.iter().any(Request::has_ended_it);
    if ended && !requests.iter().any(logs_in) {
        assert!(open(rows, requests).is_empty(), "it came back: {story}");
    }
}

/// Checks the rules that hold if every request gets a verdict.
fn check_what_is_told(rows: &Rows, requests: &[Request<'_>]) {
    let story = story(requests);
    for request in requests {
        let has_id = request.released().is_some() || request.wish == Wish::End;
        assert!(has_id || !request.is_acknowledged(), "of no ID: {story}");
    }
    let known = open(rows, requests).len();
    let is_unknown = |of: &Request<'_>| of.verdict() == Some(&Verdict::Unknown);
    if !requests.iter().any(is_unknown) {
        assert_eq!(rows.rows.len(), known, "a row of nobody's: {story}");
    }
}

/// Checks the rules that hold without faults.
fn check_progress(rows: &Rows, requests: &[Request<'_>]) {
    let story = story(requests);
    for request in requests {
        let is_told = request.is_acknowledged() || request.verdict() == Some(&Verdict::Gone);
        assert!(is_told, "{story}");
        assert!(
            request.is_acknowledged() || !request.wish.logs_in(),
            "{story}"
        );
        let is_in = |(_, counts): &(Key, &Counts)| counts.of.contains_key(&request.number);
        let is_anywhere = open(rows, requests).iter().any(is_in);
        assert!(
            request.is_acknowledged() || !is_anywhere,
            "silently: {story}"
        );
    }
    let ends = requests.iter().any(Request::has_ended_it);
    assert!(
        ends || !open(rows, requests).is_empty(),
        "nobody has it: {story}"
    );
}

#[test]
fn without_concurrency_each_operation_is_one_call() {
    for wish in WISHES {
        assert_eq!(explore_all(&[wish], NONE), 1);
        let mut rows = rows();
        let revision = rows.put(key("A"), Row::Live(Counts::default()), [9; 16]);
        let seen = rows.rows[&key("A")].clone();
        let changes = changes(&[wish]);
        let mut requests = requests(&[wish], &changes, &seen, true);
        let request = &mut requests[0];
        let call = request.pending().unwrap().clone();
        if wish != Wish::Save && wish != Wish::End {
            assert!(
                matches!(&call, Call::Move(_, on, ..) if *on == revision),
                "{call:?}"
            );
        }
        request.step = request.protocol.next(rows.answer(call, [0; 16]));
        assert!(request.is_acknowledged(), "{wish:?}");
    }
}

#[test]
fn every_interleaving_of_two() {
    let ways = each_two(|wishes| explore_all(wishes, NONE));
    assert!(ways >= 50, "{ways}");
}

#[test]
fn every_interleaving_of_three() {
    let ways = each_three(|wishes| explore_all(wishes, NONE));
    assert!(ways > 1_000, "{ways}");
}

#[test]
fn every_interleaving_of_two_with_lost_replies_and_requests_cut_off() {
    for (lost_replies, cuts) in [(2, 0), (1, 1)] {
        let faults = Faults { lost_replies, cuts };
        let ways = each_two(|wishes| explore_all(wishes, faults));
        assert!(ways > 3_000, "{ways}");
    }
}

#[test]
fn a_late_move_is_recognized_as_this_requests_move() {
    for keeps in [None, Some(true), Some(false)] {
        let (rows, verdict) = arriving_late(rows(), |seen| match keeps {
            None => Intent::Renew { seen, to: key("N") },
            Some(keeps) => Intent::Replace {
                seen,
                to: key("N"),
                keeps,
            },
        });
        assert!(matches!(verdict, Verdict::Saved(..)), "{verdict:?}");
        assert!(rows.live(&key("A")).is_none());
        assert_eq!(rows.live(&key("N")).unwrap().of[&0], 1);
    }
}

#[test]
fn a_logout_whose_answer_was_lost_ends_the_session() {
    let mut lone = Lone::new(rows(), |seen| Intent::End { seen });
    let removal = lone.begin();
    lone.answer(removal);
    assert_eq!(lone.verdict_after(Answer::Unknown), Verdict::Gone);
    // The removal was not applied, and another request has saved the session since.
    let mut lone = Lone::new(rows(), |seen| Intent::End { seen });
    lone.begin();
    lone.rows
        .put(key("A"), Row::Live(Counts::default()), [8; 16]);
    assert_eq!(lone.verdict_after(Answer::Unknown), Verdict::Ended);
    assert!(lone.rows.live(&key("A")).is_none());
}

#[test]
fn a_move_that_may_still_arrive_is_not_reported_as_failed() {
    let verdict = failing_at_last(rows(), |seen| Intent::Renew { seen, to: key("N") });
    assert_eq!(verdict, Verdict::Unknown);
}

#[test]
fn a_move_without_an_answer_is_repeated_three_times() {
    let mut lone = Lone::new(rows(), |seen| Intent::Renew { seen, to: key("N") });
    let (mut moves, mut step) = (0, lone.protocol.begin());
    while let Step::Ask(call) = step {
        let answer = match call {
            Call::Move(..) => {
                moves += 1;
                assert!(moves < 50, "it asks again and again");
                // Another request saves the session each time.
                lone.rows
                    .put(key("A"), Row::Live(Counts::default()), [8; 16]);
                Answer::Unknown
            }
            call => lone.answer(call),
        };
        step = lone.protocol.next(answer);
    }
    assert!(matches!(step, Step::Done(Verdict::Unknown)));
    assert_eq!(moves, 1 + MOST_REPEATS);
}

#[test]
fn a_conflict_costs_one_load_and_one_move() {
    let mut lone = Lone::new(rows(), |seen| Intent::Renew { seen, to: key("N") });
    let first = lone.begin();
    lone.rows
        .put(key("A"), Row::Live(Counts::default()), [8; 16]);
    let look = lone.goes_on_after(first);
    assert_eq!(look, Call::Load(key("A")));
    let again = lone.goes_on_after(look);
    assert!(matches!(again, Call::Move(..)), "{again:?}");
}

#[test]
fn a_row_of_another_session_under_the_new_key_is_never_taken() {
    let mut lone = Lone::new(rows(), |seen| Intent::Renew { seen, to: key("N") });
    lone.begin();
    for taken in ["A", "N"] {
        lone.rows
            .put(key(taken), Row::Live(Counts::default()), [8; 16]);
    }
    let look = lone.asks_after(Answer::Unknown);
    let look_for_new = lone.goes_on_after(look);
    assert_eq!(look_for_new, Call::Load(key("N")));
    assert_eq!(lone.goes_on_after(look_for_new), Call::Load(key("A")));
}
