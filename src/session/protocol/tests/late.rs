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
    fn asks_after(&mut self, answer: Answer<Counts>) -> Call<Counts> {
        match self.protocol.next(answer) {
            Step::Ask(call) => call,
            _ => panic!("it asks once more"),
        }
    }

    /// Lets the rows answer `call`, and returns the next call.
    fn goes_on_after(&mut self, call: Call<Counts>) -> Call<Counts> {
        let answer = self.answer(call);
        self.asks_after(answer)
    }

    pub(super) fn answer(&mut self, call: Call<Counts>) -> Answer<Counts> {
        self.rows.answer(call, Lone::WRITE)
    }

    /// Returns the verdict if the rows answer every call after `answer`.
    pub(super) fn verdict_after(&mut self, answer: Answer<Counts>) -> Verdict<Counts> {
        let mut step = self.protocol.next(answer);
        loop {
            match step {
                Step::Ask(call) => {
                    let answer = self.answer(call);
                    step = self.protocol.next(answer);
                }
                Step::Done(verdict) => return verdict,
                Step::Refused(error) => panic!("{error}"),
            }
        }
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
    lone.goes_on_after(look);
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
}
