//! A session that ends, or goes on under a new key: the new row is made, and the swap of the
//! old one to a tombstone is the commit; or the old one is moved, and is the new one.

use crate::backend::{Key, Outcome, Revision};

use super::{
    Answer, Asked, Authenticated, Call, Doubt, Found, Intent, LONGEST_TRAIL, Place, Protocol, Row,
    Step, Successor, Verdict,
};

/// A session under a new key, and the end of the one before.
impl<C: Authenticated> Protocol<'_, C> {
    pub(super) fn after_create(&mut self, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Created(revision) => self.made(revision),
            Answer::Unknown => {
                self.doubted = true;
                self.look_for_new(Asked::LookForNew)
            }
            // One that was sent before has arrived.
            Answer::Exists if self.doubted => self.look_for_new(Asked::LookForNew),
            // The key is random: somebody else's row under it is nothing to build on.
            _ => self.failed(),
        }
    }

    /// Whether the new row is there after all, asked as that question.
    fn look_for_new(&mut self, asked: Asked) -> Step<C> {
        match self.new_key().cloned() {
            Some(key) => self.ask(asked, Call::Load(key)),
            None => Step::Done(Verdict::Failed),
        }
    }

    pub(super) fn after_look_for_new(&mut self, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Loaded(Some(found)) if found.write == self.write => self.made(found.revision),
            Answer::Loaded(None) if !self.too_many_repeats() => self.create_new(),
            _ => Step::Done(Verdict::Unknown),
        }
    }

    /// The new row is there; now the old one ends.
    fn made(&mut self, revision: Revision) -> Step<C> {
        self.made = Some(revision);
        self.doubted = false;
        match &self.intent {
            Intent::Renew { .. } | Intent::Replace { .. } => self.bury_seen(),
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

    pub(super) fn after_bury(&mut self, old: Place, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Swapped(Outcome::Done(_)) => self.moved(),
            // Perhaps by a removal of ours that was sent before.
            Answer::Swapped(Outcome::Gone) if self.doubted && self.is_renewal() => {
                self.give_up(Step::Done(Verdict::Unknown))
            }
            Answer::Swapped(Outcome::Gone) => self.nothing_to_bury(),
            Answer::Swapped(Outcome::Conflict) if self.is_too_late() => {
                self.give_up(Step::Done(Verdict::TimedOut))
            }
            Answer::Swapped(Outcome::Conflict) => self.load_buried(old.key, None),
            Answer::Unknown => {
                self.doubted = true;
                self.load_buried(old.key, Some(old.revision))
            }
            _ => self.give_up(self.failed()),
        }
    }

    pub(super) fn after_move(&mut self, old: Place, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Swapped(Outcome::Done(revision)) => self.moved_as(revision),
            Answer::Swapped(Outcome::Conflict) if self.is_too_late() => {
                Step::Done(Verdict::TimedOut)
            }
            Answer::Unknown if self.too_many_unanswered() => Step::Done(Verdict::Unknown),
            Answer::Unknown => {
                self.doubted = true;
                self.load_buried(old.key, Some(old.revision))
            }
            // One that was sent before may have arrived.
            Answer::Swapped(_) if self.doubted => self.load_buried(old.key, Some(old.revision)),
            Answer::Swapped(Outcome::Conflict) => self.load_buried(old.key, None),
            Answer::Swapped(Outcome::Gone) => self.nothing_to_bury(),
            _ => self.failed(),
        }
    }

    /// The row that was to be moved is not where it was any more: is it where it was to be?
    pub(super) fn after_look_for_moved(&mut self, key: Key, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Loaded(Some(found)) if found.write == self.write => {
                self.moved_as(found.revision)
            }
            // What was not done by now is not done any more: it compares.
            Answer::Loaded(_) => {
                self.doubted = false;
                self.load_buried(key, None)
            }
            _ => Step::Done(Verdict::Unknown),
        }
    }

    fn moved_as(&mut self, revision: Revision) -> Step<C> {
        self.made = Some(revision);
        self.moved()
    }

    pub(super) fn after_load_buried(
        &mut self,
        key: Key,
        doubt: Doubt,
        answer: Answer<C>,
    ) -> Step<C> {
        let Answer::Loaded(found) = answer else {
            return self.give_up(self.failed());
        };
        let is_as_it_was = |found: &Found<C>| doubt.as_ref() == Some(&found.revision);
        let is_moved = self.moves && self.new_key().is_some() && doubt.is_some();
        if is_moved && !found.as_ref().is_some_and(is_as_it_was) {
            return self.look_for_new(Asked::LookForMoved(key));
        }
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
            Row::Tombstone { successor } => self.follow(successor),
            Row::Live(fresh) => self.bury_fresh(key, found.revision, &fresh, doubt),
        }
    }

    /// The row that ends still lives: as it was, or with what somebody else saved.
    fn bury_fresh(&mut self, key: Key, revision: Revision, fresh: &C, doubt: Doubt) -> Step<C> {
        if doubt.is_some() && self.too_many_repeats() {
            return self.give_up(Step::Done(Verdict::Unknown));
        }
        let is_as_it_was = matches!(&doubt, Some(on) if *on == revision);
        // It lives as somebody else has saved it: a burial of ours can only fail now.
        self.doubted &= is_as_it_was;
        let keeps = match &self.intent {
            Intent::Renew { .. } => true,
            Intent::Replace { keeps, .. } => *keeps,
            _ => false,
        };
        if is_as_it_was || !keeps {
            return self.bury(key, revision);
        }
        match self.do_again(fresh) {
            Ok(true) => self.write_new(Some(Place { key, revision })),
            // A login does not go on with what another login left.
            Ok(false) => match self.intent {
                Intent::Replace { .. } => self.forget(Some(Place { key, revision })),
                _ => self.give_up(Step::Done(Verdict::Gone)),
            },
            Err(error) => self.give_up(Step::Refused(error)),
        }
    }

    pub(super) fn is_renewal(&self) -> bool {
        matches!(self.intent, Intent::Renew { .. })
    }

    /// The session that was to end is a tombstone by now.
    fn follow(&mut self, successor: Option<Successor>) -> Step<C> {
        if self.is_renewal() {
            // A tombstone of another request: a burial of ours was not done, and never will be.
            self.doubted = false;
            return self.follow_renewal(successor);
        }
        self.trail += 1;
        let ends_one_login = matches!(self.intent, Intent::EndLogin { .. });
        let followed = successor.filter(|successor| successor.is_renewal || !ends_one_login);
        match followed.map(|successor| successor.key) {
            Some(key) if self.trail <= LONGEST_TRAIL => self.load_buried(key, None),
            Some(_) => self.give_up(Step::Done(Verdict::Conflict)),
            None => self.nothing_to_bury(),
        }
    }

    /// There is nothing left of the session that was to end.
    fn nothing_to_bury(&mut self) -> Step<C> {
        match &self.intent {
            Intent::Replace { keeps: true, .. } => self.forget(None),
            Intent::Replace { to, .. } if self.made.is_none() => self.begin_anew(to.clone()),
            Intent::Replace { .. } => self.moved(),
            // Somebody else ended it.
            _ => self.give_up(Step::Done(Verdict::Gone)),
        }
    }
}

/// The new row, to hold something else before the old one ends: written again, if it is there.
impl<C: Authenticated> Protocol<'_, C> {
    /// Takes back what was to be kept of the session that ends.
    fn forget(&mut self, then: Option<Place>) -> Step<C> {
        if let Intent::Replace { keeps, .. } = &mut self.intent {
            *keeps = false;
        }
        if let Some(work) = &mut self.work {
            match (work.again)(None) {
                Ok(content) => {
                    work.content = content;
                    self.merged = true;
                }
                Err(error) => return self.give_up(Step::Refused(error)),
            }
        }
        self.write_new(then)
    }

    fn write_new(&mut self, then: Option<Place>) -> Step<C> {
        match (self.new_key().cloned(), self.made.clone(), then) {
            (Some(key), Some(revision), then) => {
                let call = Call::Swap(key, revision, self.live_row());
                self.ask(Asked::SwapNew(then), call)
            }
            // It is not there yet, where rows are moved.
            (_, None, Some(old)) => self.bury(old.key, old.revision),
            (Some(key), None, None) => self.begin_anew(key),
            _ => Step::Done(Verdict::Failed),
        }
    }

    /// Nothing is there to be moved, and a session begins all the same.
    fn begin_anew(&mut self, key: Key) -> Step<C> {
        self.intent = Intent::Create { key };
        self.create_new()
    }

    pub(super) fn after_swap_new(&mut self, then: Option<Place>, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Swapped(Outcome::Done(revision)) => self.swapped_new(revision, then),
            // One that was sent before has arrived.
            Answer::Swapped(Outcome::Conflict) if self.doubted => {
                self.look_for_new(Asked::LookForNewAgain(then))
            }
            // Nobody knows its ID, but its owner's sessions may have ended.
            Answer::Swapped(_) => self.give_up(Step::Done(Verdict::Gone)),
            Answer::Unknown => {
                self.doubted = true;
                self.look_for_new(Asked::LookForNewAgain(then))
            }
            _ => self.give_up(self.failed()),
        }
    }

    pub(super) fn after_look_for_new_again(
        &mut self,
        then: Option<Place>,
        answer: Answer<C>,
    ) -> Step<C> {
        match answer {
            Answer::Loaded(Some(found)) if self.made.as_ref() == Some(&found.revision) => {
                match self.too_many_repeats() {
                    true => self.give_up(Step::Done(Verdict::Unknown)),
                    false => self.write_new(then),
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
        self.doubted = false;
        match then {
            Some(old) => self.bury(old.key, old.revision),
            None => self.moved(),
        }
    }
}
