//! One request that gets no answers to its writes: they are applied after the request has looked
//! for them, or never.

use super::*;

/// Applies the request's change to `fresh`, or to an empty session.
fn once_more(fresh: Option<&Counts>) -> Result<Counts, Error> {
    let mut counts = fresh.cloned().unwrap_or_default();
    *counts.of.entry(0).or_default() += 1;
    Ok(counts)
}

/// A request with one intent for a session, and the rows that the session is in.
pub(super) struct Lone {
    pub(super) rows: Rows,
    pub(super) protocol: Protocol<'static, Counts>,
}

impl Lone {
    const WRITE: WriteId = [7; 16];

    pub(super) fn new(mut rows: Rows, intent: impl Fn(SeenRow<u8>) -> Intent<Counts>) -> Self {
        let revision = rows.put(key("A"), Row::Live(Counts::default()), [9; 16]);
        let seen = SeenRow {
            key: key("A"),
            revision: Some(revision),
            login: 0,
        };
        let new_data = NewData {
            data: once_more(Some(&Counts::default())).unwrap(),
            recompute: &once_more,
        };
        let protocol = Protocol::new(intent(seen), Some(new_data), Lone::WRITE);
        Lone {
            protocol: protocol.moving(rows.are_moved),
            rows,
        }
    }

    pub(super) fn begin(&mut self) -> Call<Counts> {
        match self.protocol.begin() {
            Step::Ask(call) => call,
            _ => panic!("it asks first"),
        }
    }

    /// Returns the next call after `answer`.
    pub(super) fn asks_after(&mut self, answer: Answer<Counts>) -> Call<Counts> {
        match self.protocol.next(answer) {
            Step::Ask(call) => call,
            _ => panic!("it asks once more"),
        }
    }

    /// Lets the rows answer `call`, and returns the next call.
    pub(super) fn goes_on_after(&mut self, call: Call<Counts>) -> Call<Counts> {
        let answer = self.answer(call);
        self.asks_after(answer)
    }

    pub(super) fn answer(&mut self, call: Call<Counts>) -> Answer<Counts> {
        self.rows.answer(call, Lone::WRITE)
    }

    /// Returns the verdict if the rows answer every call after `answer`.
    pub(super) fn verdict_after(&mut self, answer: Answer<Counts>) -> Verdict<Counts> {
        let mut step = self.protocol.next(answer);
        for _ in 0..200 {
            match step {
                Step::Ask(call) => {
                    let answer = self.answer(call);
                    step = self.protocol.next(answer);
                }
                Step::Done(verdict) => return verdict,
                Step::Refused(error) => panic!("{error}"),
            }
        }
        panic!("it never ends")
    }
}

/// Runs a request that gets no answer to its first write. The write is applied after the request
/// has looked for it, right before the request sends it again. Returns the rows and the verdict.
pub(super) fn arriving_late(
    rows: Rows,
    intent: impl Fn(SeenRow<u8>) -> Intent<Counts>,
) -> (Rows, Verdict<Counts>) {
    let mut lone = Lone::new(rows, intent);
    let late = lone.begin();
    let look = lone.asks_after(Answer::Unknown);
    let again = lone.goes_on_after(look);
    lone.answer(late);
    let answer = lone.answer(again);
    let verdict = lone.verdict_after(answer);
    (lone.rows, verdict)
}

/// Runs a request with a first write that may still be on its way when the retry fails.
pub(super) fn failing_at_last(
    rows: Rows,
    intent: impl Fn(SeenRow<u8>) -> Intent<Counts>,
) -> Verdict<Counts> {
    let mut lone = Lone::new(rows, intent);
    lone.begin();
    let look = lone.asks_after(Answer::Unknown);
    let again = lone.goes_on_after(look);
    assert!(!matches!(again, Call::Load(_)), "it sends the write again");
    lone.verdict_after(Answer::Failed)
}

#[test]
fn a_write_that_may_still_arrive_is_not_reported_as_failed() {
    let unknown = |verdict| assert_eq!(verdict, Verdict::Unknown);
    let none = Rows::default;
    unknown(failing_at_last(none(), |seen| Intent::Save { seen }));
    unknown(failing_at_last(none(), |seen| Intent::End { seen }));
    unknown(failing_at_last(none(), |_| Intent::Create {
        key: key("N"),
    }));
}

#[test]
fn a_late_save_is_not_applied_twice() {
    let (rows, verdict) = arriving_late(Rows::default(), |seen| Intent::Save { seen });
    assert!(matches!(verdict, Verdict::Saved(..)), "{verdict:?}");
    assert_eq!(rows.live(&key("A")).unwrap().of[&0], 1);
}

#[test]
fn a_late_row_is_recognized_as_this_requests_row() {
    let (rows, verdict) = arriving_late(Rows::default(), |_| Intent::Create { key: key("N") });
    assert!(matches!(verdict, Verdict::Saved(..)), "{verdict:?}");
    assert_eq!(rows.live(&key("N")).unwrap().of[&0], 1);
    let (rows, verdict) =
        arriving_late(Rows::default(), |seen| Intent::Renew { seen, to: key("N") });
    assert!(matches!(verdict, Verdict::Saved(..)), "{verdict:?}");
    assert!(rows.live(&key("A")).is_none() && rows.live(&key("N")).is_some());
}

#[test]
fn a_late_write_is_not_reported_as_failed() {
    let intents: [fn(SeenRow<u8>) -> Intent<Counts>; 3] = [
        |seen| Intent::Save { seen },
        |seen| Intent::End { seen },
        |seen| Intent::Renew { seen, to: key("N") },
    ];
    for intent in intents {
        let mut lone = Lone::new(Rows::default(), intent);
        let mut late = lone.begin();
        if let Call::Create(..) = late {
            late = lone.goes_on_after(late);
        }
        let look = lone.asks_after(Answer::Unknown);
        let again = lone.goes_on_after(look);
        lone.answer(late);
        lone.goes_on_after(again); // a conflict, and nobody answers what is asked then
        assert_eq!(lone.verdict_after(Answer::Failed), Verdict::Unknown);
    }
}

fn renewal() -> Lone {
    Lone::new(Rows::default(), |seen| Intent::Renew { seen, to: key("N") })
}

#[test]
fn a_resolved_unknown_write_is_forgotten() {
    // At first the new row was not created, and then it was. The old row's end is a separate write.
    let mut lone = renewal();
    lone.begin();
    let look = lone.asks_after(Answer::Unknown);
    let again = lone.goes_on_after(look);
    lone.goes_on_after(again);
    assert_eq!(lone.verdict_after(Answer::Failed), Verdict::Failed);
    assert!(lone.rows.live(&key("N")).is_none());
    // The row did not end, and another request saves it. So it cannot end late any more.
    let mut lone = Lone::new(Rows::default(), |seen| Intent::End { seen });
    lone.begin();
    let look = lone.asks_after(Answer::Unknown);
    lone.rows
        .put(key("A"), Row::Live(Counts::default()), [8; 16]);
    lone.goes_on_after(look);
    assert_eq!(lone.verdict_after(Answer::Failed), Verdict::Failed);
}

#[test]
fn the_author_of_a_removal_is_unknown() {
    let mut lone = renewal();
    let create = lone.begin();
    lone.goes_on_after(create);
    let look = lone.asks_after(Answer::Unknown);
    let again = lone.goes_on_after(look);
    lone.rows.rows.remove(&key("A"));
    let gone = lone.answer(again);
    assert_eq!(lone.verdict_after(gone), Verdict::Unknown);
    // The row is already missing when the request looks for its write.
    let mut lone = renewal();
    let create = lone.begin();
    lone.goes_on_after(create);
    lone.rows.rows.remove(&key("A"));
    assert_eq!(lone.verdict_after(Answer::Unknown), Verdict::Unknown);
}

#[test]
fn the_renewal_of_a_removed_session_leaves_nothing_behind() {
    let mut lone = renewal();
    lone.rows.rows.remove(&key("A"));
    let create = lone.begin();
    let created = lone.answer(create);
    assert_eq!(lone.verdict_after(created), Verdict::Gone);
    assert!(lone.rows.rows.is_empty());
}

#[test]
fn a_save_without_a_reply_is_found_by_one_load() {
    let mut lone = Lone::new(Rows::default(), |seen| Intent::Save { seen });
    let save = lone.begin();
    lone.answer(save);
    let look = lone.asks_after(Answer::Unknown);
    let found = lone.answer(look);
    let step = lone.protocol.next(found);
    assert!(matches!(step, Step::Done(Verdict::Saved(..))));
}

/// Returns a renewal that has created its new row, and its next call. The call writes the changes
/// of another request, which has saved the session since, to the new row.
fn changing_the_new_row() -> (Lone, Call<Counts>) {
    let mut lone = renewal();
    let create = lone.begin();
    let bury = lone.goes_on_after(create);
    lone.rows
        .put(key("A"), Row::Live(Counts::default()), [8; 16]);
    let look = lone.goes_on_after(bury);
    let change = lone.goes_on_after(look);
    assert!(matches!(&change, Call::Swap(of, ..) if *of == key("N")));
    (lone, change)
}

#[test]
fn a_change_of_the_new_row_without_a_reply_is_found() {
    let saved = |verdict| assert!(matches!(verdict, Verdict::Saved(..)), "{verdict:?}");
    let (mut lone, change) = changing_the_new_row();
    lone.answer(change);
    saved(lone.verdict_after(Answer::Unknown));
    // The change is applied after the request has looked for it.
    let (mut lone, change) = changing_the_new_row();
    let look = lone.asks_after(Answer::Unknown);
    let again = lone.goes_on_after(look);
    lone.answer(change);
    let conflict = lone.answer(again);
    saved(lone.verdict_after(conflict));
}

/// All sessions of the owner may be ended while a request renews one of them.
#[test]
fn a_renewal_is_gone_if_its_new_row_has_ended() {
    let bury = |lone: &mut Lone| {
        let tombstone = Row::Tombstone { successor: None };
        lone.rows.put(key("N"), tombstone, [8; 16]);
    };
    let remove = |lone: &mut Lone| drop(lone.rows.rows.remove(&key("N")));
    for end in [bury as fn(&mut Lone), remove] {
        let (mut lone, change) = changing_the_new_row();
        end(&mut lone);
        let removal = lone.goes_on_after(change);
        assert!(matches!(removal, Call::Remove(..)), "{removal:?}");
        let removed = lone.answer(removal);
        assert_eq!(lone.verdict_after(removed), Verdict::Gone);
        let (mut lone, _) = changing_the_new_row();
        end(&mut lone);
        assert_eq!(lone.verdict_after(Answer::Unknown), Verdict::Gone);
    }
}

#[test]
fn a_row_of_another_session_under_the_new_key_is_never_taken() {
    let create = |_| Intent::Create { key: key("N") };
    let occupied = || {
        let mut lone = Lone::new(Rows::default(), create);
        lone.rows
            .put(key("N"), Row::Live(Counts::default()), [8; 16]);
        lone
    };
    let mut lone = occupied();
    let call = lone.begin();
    let exists = lone.answer(call);
    assert_eq!(lone.verdict_after(exists), Verdict::Failed);
    let mut lone = occupied();
    lone.begin();
    assert_eq!(lone.verdict_after(Answer::Unknown), Verdict::Unknown);
}

#[test]
fn a_renewed_session_is_read_before_it_is_saved() {
    let mut lone = Lone::new(Rows::default(), |seen| Intent::Save { seen });
    let save = lone.begin();
    let successor = Some(Successor {
        key: key("B"),
        is_renewal: true,
    });
    lone.rows
        .put(key("A"), Row::Tombstone { successor }, [8; 16]);
    let look = lone.goes_on_after(save);
    // The revision that the request has seen is one of the old row.
    assert_eq!(lone.goes_on_after(look), Call::Load(key("B")));
}
