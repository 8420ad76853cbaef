//! [`Protocol`]: how a session that lives in a server is saved, moved to another ID, or
//! ended, call by call, whatever others do to it at the same time.
//!
//! A pure state machine: it is told what the backend answered, and says what to ask next.
//! It waits for nothing, reads no clock, and knows neither bytes nor cookies; `driver.rs`
//! does what it says.
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
//! - who ends a session that was moved meanwhile follows the tombstone.
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
//! is [`Unknown`](Verdict::Unknown), and nothing is tried again.

use crate::backend::{Key, Outcome, Revision};

use super::Error;

/// How often a conflict is tried to be resolved.
const MOST_CONFLICTS: usize = 200;

/// How often a write is tried again that was not done though it was sent.
const MOST_REPEATS: usize = 3;

/// How many tombstones are followed, one to the next.
const LONGEST_TRAIL: usize = 16;

/// What a session is to the protocol.
pub(super) trait Content: Clone {
    /// Who is logged in, since when, of which generation.
    type Login: Clone + PartialEq;

    fn login(&self) -> Self::Login;
}

/// What a row is to the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row<C> {
    Live(C),
    /// A session was here: it ended, or is under another key now.
    Tombstone {
        moved_to: Option<Key>,
    },
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
pub(super) enum Intent<C: Content> {
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
    /// A session ends.
    End { seen: Seen<C::Login> },
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
    /// There is no such session any more. Nothing was written.
    Gone,
    /// Others were first, again and again. Nothing was written.
    Conflict,
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
    /// The new row, to hold something else; and then the old one ends, if it has not.
    SwapNew(Option<Place>),
    LookForNewAgain(Option<Place>),
    RemoveNew,
}

/// The revision that a write was sent for, if nobody can tell yet whether it was done.
type Doubt = Option<Revision>;

/// Saves, moves or ends one session.
#[derive(Clone)]
pub(super) struct Protocol<'w, C: Content> {
    intent: Intent<C>,
    work: Option<Work<'w, C>>,
    write: WriteId,
    asked: Asked,
    /// The row under the new key, once it is there.
    made: Option<Revision>,
    /// What will be said once the new row is removed.
    verdict: Option<Step<C>>,
    conflicts: usize,
    repeats: usize,
    trail: usize,
}

impl<'w, C: Content> Protocol<'w, C> {
    /// `work` is what all intents but [`Intent::End`] write.
    pub(super) fn new(intent: Intent<C>, work: Option<Work<'w, C>>, write: WriteId) -> Self {
        Protocol {
            intent,
            work,
            write,
            asked: Asked::Nothing,
            made: None,
            verdict: None,
            conflicts: 0,
            repeats: 0,
            trail: 0,
        }
    }

    /// How often somebody else was first: a reason to wait a little.
    pub(super) fn conflicts(&self) -> usize {
        self.conflicts
    }

    /// The first question.
    pub(super) fn begin(&mut self) -> Step<C> {
        match &self.intent {
            Intent::Create { .. } | Intent::Renew { .. } | Intent::Replace { .. } => {
                self.create_new()
            }
            Intent::Save { seen } => match seen.revision.clone() {
                Some(revision) => self.swap_own(revision),
                None => self.load_own(None),
            },
            Intent::End { seen } => match seen.revision.clone() {
                Some(revision) => self.bury(seen.key.clone(), revision),
                None => self.load_buried(seen.key.clone(), None),
            },
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
            Asked::SwapNew(old) => self.after_swap_new(old, answer),
            Asked::LookForNewAgain(old) => self.after_look_for_new_again(old, answer),
            Asked::RemoveNew => match self.verdict.take() {
                Some(said) => said,
                None => Step::Done(Verdict::Failed),
            },
        }
    }
}

/// The questions.
impl<C: Content> Protocol<'_, C> {
    fn ask(&mut self, asked: Asked, call: Call<C>) -> Step<C> {
        self.asked = asked;
        Step::Ask(call)
    }

    /// What is to be written; without work, nothing lives.
    fn live_row(&self) -> Row<C> {
        match &self.work {
            Some(work) => Row::Live(work.content.clone()),
            None => Row::Tombstone { moved_to: None },
        }
    }

    /// Where a session is made that is not there yet.
    fn new_key(&self) -> Option<&Key> {
        match &self.intent {
            Intent::Create { key } => Some(key),
            Intent::Renew { to, .. } | Intent::Replace { to, .. } => Some(to),
            Intent::Save { .. } | Intent::End { .. } => None,
        }
    }

    /// Which session there was.
    fn seen(&self) -> Option<&Seen<C::Login>> {
        match &self.intent {
            Intent::Create { .. } => None,
            Intent::Save { seen }
            | Intent::Renew { seen, .. }
            | Intent::Replace { seen, .. }
            | Intent::End { seen } => Some(seen),
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

    fn bury(&mut self, key: Key, revision: Revision) -> Step<C> {
        let moved_to = self.new_key().cloned();
        let call = Call::Swap(key.clone(), revision.clone(), Row::Tombstone { moved_to });
        self.ask(Asked::Bury(Place { key, revision }), call)
    }

    fn load_buried(&mut self, key: Key, doubt: Doubt) -> Step<C> {
        self.ask(Asked::LoadBuried(key.clone(), doubt), Call::Load(key))
    }

    /// Counts a conflict; too many are the verdict.
    fn too_many_conflicts(&mut self) -> bool {
        self.conflicts += 1;
        self.conflicts > MOST_CONFLICTS
    }

    fn too_many_repeats(&mut self) -> bool {
        self.repeats += 1;
        self.repeats > MOST_REPEATS
    }

    /// The verdict, once nothing is left of a move that was not made.
    fn give_up(&mut self, said: Step<C>) -> Step<C> {
        match (self.new_key().cloned(), self.made.take()) {
            (Some(key), Some(revision)) => {
                self.verdict = Some(said);
                self.ask(Asked::RemoveNew, Call::Remove(key, revision))
            }
            _ => said,
        }
    }
}

/// A session that stays where it is.
impl<C: Content> Protocol<'_, C> {
    fn after_swap_own(&mut self, on: Revision, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Swapped(Outcome::Done(revision)) => self.saved_own(revision),
            Answer::Swapped(Outcome::Gone) => Step::Done(Verdict::Gone),
            Answer::Swapped(Outcome::Conflict) if self.too_many_conflicts() => {
                Step::Done(Verdict::Conflict)
            }
            Answer::Swapped(Outcome::Conflict) => self.load_own(None),
            Answer::Unknown => self.load_own(Some(on)),
            _ => Step::Done(Verdict::Failed),
        }
    }

    fn after_load_own(&mut self, doubt: Doubt, answer: Answer<C>) -> Step<C> {
        let found = match (answer, &doubt) {
            (Answer::Loaded(found), _) => found,
            (_, None) => return Step::Done(Verdict::Failed),
            (_, Some(_)) => return Step::Done(Verdict::Unknown),
        };
        let Some(found) = found else {
            return Step::Done(Verdict::Gone);
        };
        let Row::Live(fresh) = found.row else {
            return Step::Done(Verdict::Gone);
        };
        match doubt {
            Some(on) if on == found.revision => match self.too_many_repeats() {
                true => Step::Done(Verdict::Unknown),
                false => self.swap_own(on),
            },
            Some(_) if found.write == self.write => self.saved_own(found.revision),
            Some(_) => Step::Done(Verdict::Unknown),
            None => match self.do_again(&fresh) {
                Ok(true) => self.swap_own(found.revision),
                Ok(false) => Step::Done(Verdict::Gone),
                Err(error) => Step::Refused(error),
            },
        }
    }

    fn saved_own(&mut self, revision: Revision) -> Step<C> {
        let key = self.seen().map(|seen| seen.key.clone());
        self.saved(key, revision)
    }

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
        }
        Ok(is_same)
    }
}

/// A session under a new key, and the end of the one before.
impl<C: Content> Protocol<'_, C> {
    fn after_create(&mut self, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Created(revision) => self.made(revision),
            Answer::Unknown => match self.new_key().cloned() {
                Some(key) => self.ask(Asked::LookForNew, Call::Load(key)),
                None => Step::Done(Verdict::Failed),
            },
            // The key is random: somebody else's row under it is nothing to build on.
            _ => Step::Done(Verdict::Failed),
        }
    }

    fn after_look_for_new(&mut self, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Loaded(Some(found)) if found.write == self.write => self.made(found.revision),
            Answer::Loaded(None) if !self.too_many_repeats() => self.create_new(),
            _ => Step::Done(Verdict::Unknown),
        }
    }

    /// The new row is there; now the old one ends.
    fn made(&mut self, revision: Revision) -> Step<C> {
        self.made = Some(revision);
        match &self.intent {
            Intent::Renew { seen, .. } | Intent::Replace { seen, .. } => {
                let (key, revision) = (seen.key.clone(), seen.revision.clone());
                match revision {
                    Some(revision) => self.bury(key, revision),
                    None => self.load_buried(key, None),
                }
            }
            _ => self.moved(),
        }
    }

    /// The new row is all there is.
    fn moved(&mut self) -> Step<C> {
        match (self.made.take(), self.new_key().cloned()) {
            (Some(revision), key) => self.saved(key, revision),
            (None, _) => Step::Done(Verdict::Ended),
        }
    }

    fn after_bury(&mut self, old: Place, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Swapped(Outcome::Done(_)) => self.moved(),
            Answer::Swapped(Outcome::Gone) => self.nothing_to_bury(),
            Answer::Swapped(Outcome::Conflict) if self.too_many_conflicts() => {
                self.give_up(Step::Done(Verdict::Conflict))
            }
            Answer::Swapped(Outcome::Conflict) => self.load_buried(old.key, None),
            Answer::Unknown => self.load_buried(old.key, Some(old.revision)),
            _ => self.give_up(Step::Done(Verdict::Failed)),
        }
    }

    fn after_load_buried(&mut self, key: Key, doubt: Doubt, answer: Answer<C>) -> Step<C> {
        let found = match (answer, &doubt) {
            (Answer::Loaded(found), _) => found,
            (_, None) => return self.give_up(Step::Done(Verdict::Failed)),
            (_, Some(_)) => return self.give_up(Step::Done(Verdict::Unknown)),
        };
        let Some(found) = found else {
            // Removed rather than buried: who did it, nobody can tell.
            return match doubt {
                Some(_) if self.made.is_some() => self.give_up(Step::Done(Verdict::Unknown)),
                _ => self.nothing_to_bury(),
            };
        };
        match found.row {
            // A tombstone is never written to: ours is there, or it was never written.
            Row::Tombstone { .. } if found.write == self.write => self.moved(),
            Row::Tombstone { moved_to } => self.follow(moved_to),
            Row::Live(fresh) => self.bury_fresh(key, found.revision, &fresh, doubt),
        }
    }

    /// The row that ends still lives: as it was, or with what somebody else saved.
    fn bury_fresh(&mut self, key: Key, revision: Revision, fresh: &C, doubt: Doubt) -> Step<C> {
        if matches!(doubt, Some(_)) && self.too_many_repeats() {
            return self.give_up(Step::Done(Verdict::Unknown));
        }
        let is_as_it_was = matches!(&doubt, Some(on) if *on == revision);
        let is_first = self.seen().is_some_and(|seen| seen.key == key);
        let keeps = match &self.intent {
            Intent::Renew { .. } => true,
            Intent::Replace { keeps, .. } => *keeps && is_first,
            _ => false,
        };
        if is_as_it_was || !keeps {
            return self.bury(key, revision);
        }
        match self.do_again(fresh) {
            Ok(true) => self.swap_new(Some(Place { key, revision })),
            // A login does not go on with what another login left.
            Ok(false) => match self.intent {
                Intent::Replace { .. } => self.forget(Some(Place { key, revision })),
                _ => self.give_up(Step::Done(Verdict::Gone)),
            },
            Err(error) => self.give_up(Step::Refused(error)),
        }
    }

    /// The session that was to end is a tombstone by now.
    fn follow(&mut self, moved_to: Option<Key>) -> Step<C> {
        if matches!(self.intent, Intent::Renew { .. }) {
            return self.give_up(Step::Done(Verdict::Gone));
        }
        self.trail += 1;
        match moved_to {
            Some(key) if self.trail <= LONGEST_TRAIL => self.load_buried(key, None),
            Some(_) => self.give_up(Step::Done(Verdict::Conflict)),
            None => self.nothing_to_bury(),
        }
    }

    /// There is nothing left of the session that was to end.
    fn nothing_to_bury(&mut self) -> Step<C> {
        match &self.intent {
            Intent::Replace { keeps: true, .. } => self.forget(None),
            Intent::Replace { .. } => self.moved(),
            // Somebody else ended it.
            _ => self.give_up(Step::Done(Verdict::Gone)),
        }
    }
}

/// The new row, written again before the old one ends.
impl<C: Content> Protocol<'_, C> {
    /// Takes back what was to be kept of the session that ends.
    fn forget(&mut self, then: Option<Place>) -> Step<C> {
        if let Intent::Replace { keeps, .. } = &mut self.intent {
            *keeps = false;
        }
        if let Some(work) = &mut self.work {
            match (work.again)(None) {
                Ok(content) => work.content = content,
                Err(error) => return self.give_up(Step::Refused(error)),
            }
        }
        self.swap_new(then)
    }

    fn swap_new(&mut self, then: Option<Place>) -> Step<C> {
        match (self.new_key().cloned(), self.made.clone()) {
            (Some(key), Some(revision)) => {
                let call = Call::Swap(key, revision, self.live_row());
                self.ask(Asked::SwapNew(then), call)
            }
            _ => Step::Done(Verdict::Failed),
        }
    }

    fn after_swap_new(&mut self, then: Option<Place>, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Swapped(Outcome::Done(revision)) => self.swapped_new(revision, then),
            // Nobody knows its ID, but its owner's sessions may have ended.
            Answer::Swapped(_) => self.give_up(Step::Done(Verdict::Gone)),
            Answer::Unknown => match self.new_key().cloned() {
                Some(key) => self.ask(Asked::LookForNewAgain(then), Call::Load(key)),
                None => Step::Done(Verdict::Failed),
            },
            _ => self.give_up(Step::Done(Verdict::Failed)),
        }
    }

    fn after_look_for_new_again(&mut self, then: Option<Place>, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Loaded(Some(found)) if self.made.as_ref() == Some(&found.revision) => {
                match self.too_many_repeats() {
                    true => self.give_up(Step::Done(Verdict::Unknown)),
                    false => self.swap_new(then),
                }
            }
            Answer::Loaded(Some(found)) if found.write == self.write => {
                self.swapped_new(found.revision, then)
            }
            Answer::Loaded(_) => self.give_up(Step::Done(Verdict::Gone)),
            _ => self.give_up(Step::Done(Verdict::Unknown)),
        }
    }

    fn swapped_new(&mut self, revision: Revision, then: Option<Place>) -> Step<C> {
        self.made = Some(revision);
        match then {
            Some(old) => self.bury(old.key, old.revision),
            None => self.moved(),
        }
    }
}

#[cfg(test)]
mod tests;
