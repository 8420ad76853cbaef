//! [`Protocol`]: how a session that lives in a server is saved, moved to another ID, or
//! ended, call by call, whatever others do to it at the same time.
//!
//! A pure state machine: it is told what the backend answered, and says what to ask next.
//! It waits for nothing, reads no clock, and knows neither bytes nor cookies; `rows.rs` does
//! what it says.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | what is asked and answered, and the first and the next question |
//! | `save.rs` | a session that stays where it is |
//! | `moves.rs` | a session that ends, or goes on under a new key |
//!
//! # The rows
//!
//! A session is one row. Ending it, or moving it to another ID, is a compare-and-swap of
//! that row to a tombstone, which opens nothing and tells where the session went. So
//! - a save, touch or move of a session that has ended finds a tombstone, or nothing, and is
//!   [`Gone`](Verdict::Gone);
//! - a move is committed by the swap to the tombstone alone. The row under the new ID is
//!   made before, while nobody knows that ID, and removed again where the swap does not
//!   succeed;
//! - a request that ends a session which another one has moved follows the tombstone;
//! - a request that saves or renews a session which another one has *renewed* follows the
//!   tombstone, too: it is the same session, and this request's changes are made again on it.
//!   Its client has the new ID from the other response.
//!
//! # Who was first
//!
//! Every write has the revision that was seen. Where that is not the row's any more,
//! somebody else has saved: the row is read again, and this request's own changes are
//! [made again](Work::again) on what is there; unless somebody else logged in or out, which
//! is never mixed with.
//!
//! # Replies that are lost
//!
//! A write that may have been done is looked for by its random write ID. If the row is still
//! as it was seen, the same write is tried again: at most one of the two can succeed, since
//! both compare. If the row has changed and is not ours, nobody can tell: then the verdict
//! is [`Unknown`](Verdict::Unknown), and nothing is tried again. A write may also arrive
//! after it was looked for: whoever finds a place taken where a write was sent before looks
//! whether it is by that.
//!
//! # Rows without tombstones
//!
//! Where rows are a Go package's there are no tombstones: what ends is removed. A backend that
//! [moves](crate::backend::Moves) rows then moves one to its new ID in one step, which is the
//! commit; with another, a row that nobody has the ID of is left behind by a request that is
//! cut off between the two.

mod moves;
mod save;
#[cfg(test)]
mod tests;

use crate::backend::{Key, Outcome, Revision};

use super::Error;

/// How often a write is tried again that was not done though it was sent.
const MOST_REPEATS: usize = 3;

/// How many tombstones are followed, one to the next.
pub(super) const LONGEST_TRAIL: usize = 16;

/// What a session is to the protocol.
pub(super) trait Authenticated: Clone {
    /// Who is logged in, since when, of which generation.
    type Login: Clone + PartialEq;

    fn login(&self) -> Self::Login;
}

/// What a row is to the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row<C> {
    Live(C),
    /// A session was here. It has ended, or it has a successor.
    Tombstone {
        successor: Option<Successor>,
    },
}

/// The session that took the place of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Successor {
    pub(super) key: Key,
    /// Whether it is the same session under a new ID: same owner, same login, same values.
    pub(super) is_renewal: bool,
}

/// Marks one write, so that it is known again.
pub(super) type WriteId = [u8; 16];

/// A row as it was read.
#[derive(Clone, Debug)]
pub(super) struct Found<C> {
    pub(super) row: Row<C>,
    pub(super) revision: Revision,
    pub(super) write: WriteId,
}

/// Which state of which session is to be changed.
#[derive(Clone)]
pub(super) struct Seen<L> {
    pub(super) key: Key,
    /// None, if it is known that somebody else has saved since.
    pub(super) revision: Option<Revision>,
    pub(super) login: L,
}

/// What is to be done.
#[derive(Clone)]
pub(super) enum Intent<C: Authenticated> {
    /// A session that was never saved.
    Create { key: Key },
    /// A session stays where it is.
    Save { seen: Seen<C::Login> },
    /// The same session goes on under another key.
    Renew { seen: Seen<C::Login>, to: Key },
    /// Another session takes the place of one that ends, whatever became of that.
    Replace {
        seen: Seen<C::Login>,
        to: Key,
        keeps: bool,
    },
    /// A session ends, and whatever took its place.
    End { seen: Seen<C::Login> },
    /// A session ends, wherever it was renewed to, and no login that took its place.
    EndLogin { seen: Seen<C::Login> },
}

/// What a session is to hold, and how that is found again on what somebody else saved.
#[derive(Clone)]
pub(super) struct Work<'w, C> {
    pub(super) content: C,
    pub(super) again: &'w (dyn Fn(Option<&C>) -> Result<C, Error> + Send + Sync),
}

/// What to ask the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call<C> {
    Load(Key),
    Create(Key, Row<C>),
    Swap(Key, Revision, Row<C>),
    /// The row of the key, to be under its successor's from now on, as this.
    Move(Key, Revision, Successor, Row<C>),
    Remove(Key, Revision),
}

/// What the backend answered.
#[derive(Clone, Debug)]
pub(super) enum Answer<C> {
    Loaded(Option<Found<C>>),
    Created(Revision),
    Exists,
    Swapped(Outcome<Revision>),
    /// Whatever came of it.
    Removed,
    /// The write may have been done, or not.
    Unknown,
    /// It was not done.
    Failed,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict<C> {
    /// It is under this key, at this revision.
    Saved(Key, Revision, C),
    Ended,
    /// There is no such session any more. Nothing was written; but an end whose answer was
    /// lost, where rows are removed, may have done it.
    Gone,
    /// Others renewed the session, again and again. Nothing was written.
    Conflict,
    /// Others were first until it was [too late](Protocol::is_late). Nothing was written.
    TimedOut,
    /// Nobody can tell.
    Unknown,
    /// The backend failed. Nothing was written.
    Failed,
}

#[derive(Clone)]
pub(super) enum Step<C> {
    Ask(Call<C>),
    Done(Verdict<C>),
    /// The changes cannot be made on what somebody else saved.
    Refused(Error),
}

/// A row that is being written to.
#[derive(Clone)]
struct Place {
    key: Key,
    revision: Revision,
}

/// What the last question was.
#[derive(Clone)]
enum Asked {
    Nothing,
    CreateNew,
    /// Whether the new row is there after all.
    LookForNew,
    /// The row of a save.
    SwapOwn(Revision),
    LoadOwn(Doubt),
    /// The row that ends.
    Bury(Place),
    LoadBuried(Key, Doubt),
    /// The row that ends, to be the new one.
    Move(Place),
    /// Whether the row of that key is the new one after all.
    LookForMoved(Key),
    /// The new row, to hold something else; and then the old one ends, if it has not.
    SwapNew(Option<Place>),
    LookForNewAgain(Option<Place>),
    RemoveNew,
}

/// The revision that a write was sent for, if nobody can tell yet whether it was done.
type Doubt = Option<Revision>;

/// How to go on once the row of a move that was not made is removed.
#[derive(Clone)]
enum AfterRemoval<C: Authenticated> {
    Stop(Step<C>),
    /// Another request has renewed the session: save it under the ID that it has now.
    Save(Seen<C::Login>),
}

/// Saves, moves or ends one session.
#[derive(Clone)]
pub(super) struct Protocol<'w, C: Authenticated> {
    intent: Intent<C>,
    work: Option<Work<'w, C>>,
    write: WriteId,
    /// Whether a row ends and is the new one in one step.
    moves: bool,
    asked: Asked,
    /// The row under the new key, once it is there.
    made: Option<Revision>,
    /// How to go on once the new row is removed.
    after_removal: Option<AfterRemoval<C>>,
    /// Whether the work was made again on what somebody else saved.
    merged: bool,
    /// Whether a write was sent that may be done, or still be on its way.
    doubted: bool,
    /// Whether the next conflict is the last.
    is_late: bool,
    conflicts: usize,
    repeats: usize,
    /// How many moves were not answered.
    unanswered: usize,
    trail: usize,
}

impl<'w, C: Authenticated> Protocol<'w, C> {
    /// `work` is what all intents write but those that end a session.
    pub(super) fn new(intent: Intent<C>, work: Option<Work<'w, C>>, write: WriteId) -> Self {
        Protocol {
            intent,
            work,
            write,
            moves: false,
            asked: Asked::Nothing,
            made: None,
            after_removal: None,
            merged: false,
            doubted: false,
            is_late: false,
            conflicts: 0,
            repeats: 0,
            unanswered: 0,
            trail: 0,
        }
    }

    /// The same, with whether rows are moved, and what ends is removed.
    pub(super) fn moving(self, moves: bool) -> Self {
        Protocol { moves, ..self }
    }

    /// Resolves no conflict from now on: the save's deadline has passed. What was begun is brought
    /// to its end.
    pub(super) fn resolve_no_more(&mut self) {
        self.is_late = true;
    }

    /// How often another request was first: a reason to wait a little.
    pub(super) fn conflicts(&self) -> usize {
        self.conflicts
    }

    /// Whether what is saved holds what somebody else saved, too.
    pub(super) fn is_merged(&self) -> bool {
        self.merged
    }

    /// The first question.
    pub(super) fn begin(&mut self) -> Step<C> {
        match &self.intent {
            Intent::Save { seen } => match seen.revision.clone() {
                Some(revision) => self.swap_own(revision),
                None => self.load_own(None),
            },
            Intent::Renew { .. } | Intent::Replace { .. } if self.moves => self.bury_seen(),
            Intent::End { .. } | Intent::EndLogin { .. } => self.bury_seen(),
            _ => self.create_new(),
        }
    }

    /// The next question, or the verdict.
    pub(super) fn next(&mut self, answer: Answer<C>) -> Step<C> {
        match std::mem::replace(&mut self.asked, Asked::Nothing) {
            Asked::Nothing => Step::Done(Verdict::Failed),
            Asked::CreateNew => self.after_create(answer),
            Asked::LookForNew => self.after_look_for_new(answer),
            Asked::SwapOwn(on) => self.after_swap_own(on, answer),
            Asked::LoadOwn(doubt) => self.after_load_own(doubt, answer),
            Asked::Bury(place) => self.after_bury(place, answer),
            Asked::LoadBuried(key, doubt) => self.after_load_buried(key, doubt, answer),
            Asked::Move(place) => self.after_move(place, answer),
            Asked::LookForMoved(key) => self.after_look_for_moved(key, answer),
            Asked::SwapNew(old) => self.after_swap_new(old, answer),
            Asked::LookForNewAgain(old) => self.after_look_for_new_again(old, answer),
            Asked::RemoveNew => match self.after_removal.take() {
                Some(AfterRemoval::Stop(step)) => step,
                Some(AfterRemoval::Save(seen)) => self.save_instead(seen),
                None => Step::Done(Verdict::Failed),
            },
        }
    }
}

/// The questions.
impl<C: Authenticated> Protocol<'_, C> {
    fn ask(&mut self, asked: Asked, call: Call<C>) -> Step<C> {
        self.asked = asked;
        Step::Ask(call)
    }

    /// What is to be written; without work, nothing lives.
    fn live_row(&self) -> Row<C> {
        match &self.work {
            Some(work) => Row::Live(work.content.clone()),
            None => Row::Tombstone { successor: None },
        }
    }

    /// Where a session is made that is not there yet.
    fn new_key(&self) -> Option<&Key> {
        match &self.intent {
            Intent::Create { key } => Some(key),
            Intent::Renew { to, .. } | Intent::Replace { to, .. } => Some(to),
            Intent::Save { .. } | Intent::End { .. } | Intent::EndLogin { .. } => None,
        }
    }

    /// Which session there was.
    fn seen(&self) -> Option<&Seen<C::Login>> {
        match &self.intent {
            Intent::Create { .. } => None,
            Intent::Save { seen }
            | Intent::Renew { seen, .. }
            | Intent::Replace { seen, .. }
            | Intent::End { seen }
            | Intent::EndLogin { seen } => Some(seen),
        }
    }

    fn create_new(&mut self) -> Step<C> {
        match self.new_key().cloned() {
            Some(key) => self.ask(Asked::CreateNew, Call::Create(key, self.live_row())),
            None => Step::Done(Verdict::Failed),
        }
    }

    fn swap_own(&mut self, on: Revision) -> Step<C> {
        let Some(key) = self.seen().map(|seen| seen.key.clone()) else {
            return Step::Done(Verdict::Failed);
        };
        let call = Call::Swap(key, on.clone(), self.live_row());
        self.ask(Asked::SwapOwn(on), call)
    }

    fn load_own(&mut self, doubt: Doubt) -> Step<C> {
        let Some(key) = self.seen().map(|seen| seen.key.clone()) else {
            return Step::Done(Verdict::Failed);
        };
        self.ask(Asked::LoadOwn(doubt), Call::Load(key))
    }

    /// The session that was seen, to end.
    fn bury_seen(&mut self) -> Step<C> {
        let seen = self.seen();
        match seen.map(|seen| (seen.key.clone(), seen.revision.clone())) {
            Some((key, Some(revision))) => self.bury(key, revision),
            Some((key, None)) => self.load_buried(key, None),
            None => Step::Done(Verdict::Failed),
        }
    }

    fn bury(&mut self, key: Key, revision: Revision) -> Step<C> {
        let successor = self.new_key().map(|key| Successor {
            key: key.clone(),
            is_renewal: self.is_renewal(),
        });
        let (old, on) = (key.clone(), revision.clone());
        if let (Some(to), true) = (&successor, self.moves) {
            let call = Call::Move(old, on, to.clone(), self.live_row());
            return self.ask(Asked::Move(Place { key, revision }), call);
        }
        let call = Call::Swap(old, on, Row::Tombstone { successor });
        self.ask(Asked::Bury(Place { key, revision }), call)
    }

    fn load_buried(&mut self, key: Key, doubt: Doubt) -> Step<C> {
        self.ask(Asked::LoadBuried(key.clone(), doubt), Call::Load(key))
    }

    /// The backend failed: nothing was written, unless it was before.
    fn failed(&self) -> Step<C> {
        Step::Done(match self.doubted {
            true => Verdict::Unknown,
            false => Verdict::Failed,
        })
    }

    /// Counts a conflict, and says whether it is to be resolved.
    fn is_too_late(&mut self) -> bool {
        self.conflicts += 1;
        self.is_late
    }

    /// Counts a move that was not answered.
    fn too_many_unanswered(&mut self) -> bool {
        self.unanswered += 1;
        self.unanswered > MOST_REPEATS
    }

    fn too_many_repeats(&mut self) -> bool {
        self.repeats += 1;
        self.repeats > MOST_REPEATS
    }

    /// The verdict, once nothing is left of a move that was not made.
    fn give_up(&mut self, step: Step<C>) -> Step<C> {
        match self.remove_new(AfterRemoval::Stop(step.clone())) {
            Some(removal) => removal,
            None => step,
        }
    }

    /// Removes the new row, if it is there.
    fn remove_new(&mut self, then: AfterRemoval<C>) -> Option<Step<C>> {
        let (key, revision) = (self.new_key()?.clone(), self.made.take()?);
        self.after_removal = Some(then);
        Some(self.ask(Asked::RemoveNew, Call::Remove(key, revision)))
    }
}

/// A session that another request has renewed: nothing but its ID has changed.
impl<C: Authenticated> Protocol<'_, C> {
    /// Saves the session under the ID that it has now. If it has ended, or somebody logged
    /// in, it is gone.
    fn follow_renewal(&mut self, successor: Option<Successor>) -> Step<C> {
        let renewed = successor.filter(|successor| successor.is_renewal);
        let (Some(renewed), Some(seen)) = (renewed, self.seen().cloned()) else {
            return self.give_up(Step::Done(Verdict::Gone));
        };
        // The successor may hold a write whose answer was lost, or not.
        if self.doubted {
            return self.give_up(Step::Done(Verdict::Unknown));
        }
        self.trail += 1;
        if self.trail > LONGEST_TRAIL {
            return self.give_up(Step::Done(Verdict::Conflict));
        }
        let seen = Seen {
            key: renewed.key,
            revision: None,
            ..seen
        };
        match self.remove_new(AfterRemoval::Save(seen.clone())) {
            Some(removal) => removal,
            None => self.save_instead(seen),
        }
    }

    fn save_instead(&mut self, seen: Seen<C::Login>) -> Step<C> {
        self.intent = Intent::Save { seen };
        self.begin()
    }
}

/// What both ways to save have in common.
impl<C: Authenticated> Protocol<'_, C> {
    /// The last write was done.
    fn saved(&mut self, key: Option<Key>, revision: Revision) -> Step<C> {
        match (key, self.work.take()) {
            (Some(key), Some(work)) => Step::Done(Verdict::Saved(key, revision, work.content)),
            _ => Step::Done(Verdict::Failed),
        }
    }

    /// Makes the changes again on what somebody else saved; not, if somebody else logged in
    /// or out.
    fn do_again(&mut self, fresh: &C) -> Result<bool, Error> {
        let is_same = self.seen().is_some_and(|seen| seen.login == fresh.login());
        if let Some(work) = &mut self.work
            && is_same
        {
            work.content = (work.again)(Some(fresh))?;
            self.merged = true;
        }
        Ok(is_same)
    }
}
