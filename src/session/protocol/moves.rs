//! A session that ends, or moves to a new key. The new row is created first, and the swap of the
//! old row to a tombstone is the commit. If the backend can move rows, the old row is moved
//! instead, in one step.

use crate::backend::{Key, Outcome, Revision};

use super::{
    Answer, Authenticated, Call, Found, Intent, LONGEST_TRAIL, PendingCall, Protocol, Row,
    RowVersion, Step, Successor, UnknownWrite, Verdict,
};

/// A session under a new key, and the end of the old one.
impl<C: Authenticated> Protocol<'_, C> {
    pub(super) fn after_create(&mut self, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Created(revision) => self.made(revision),
            Answer::Unknown => {
                self.has_unknown_write = true;
                self.look_for_new(PendingCall::LookForNew)
            }
            // An earlier create of this request was applied.
            Answer::Exists if self.has_unknown_write => self.look_for_new(PendingCall::LookForNew),
            // The key is random. A row of another session under it cannot be used.
            _ => self.failed(),
        }
    }

    /// Loads the new row, to see whether it was created. `pending` notes the reason.
    fn look_for_new(&mut self, pending: PendingCall) -> Step<C> {
        match self.new_key().cloned() {
            Some(key) => self.ask(pending, Call::Load(key)),
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

    /// Continues after the new row was created: the old row ends next.
    fn made(&mut self, revision: Revision) -> Step<C> {
        self.made = Some(revision);
        self.has_unknown_write = false;
        match &self.intent {
            Intent::Renew { .. } | Intent::Replace { .. } => self.bury_seen(),
            _ => self.moved(),
        }
    }

    /// Finishes when only the new row is left.
    fn moved(&mut self) -> Step<C> {
        match (self.made.take(), self.new_key().cloned()) {
            (Some(revision), key) => self.saved(key, revision),
            (None, _) => Step::Done(Verdict::Ended),
        }
    }

    pub(super) fn after_bury(&mut self, old: RowVersion, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Swapped(Outcome::Done(_)) => self.moved(),
            // An earlier removal of this request may have been applied.
            Answer::Swapped(Outcome::Gone) if self.has_unknown_write && self.is_renewal() => {
                self.give_up(Step::Done(Verdict::Unknown))
            }
            Answer::Swapped(Outcome::Gone) => self.nothing_to_bury(),
            Answer::Swapped(Outcome::Conflict) if self.wants_unchanged() => {
                Step::Done(Verdict::Conflict)
            }
            Answer::Swapped(Outcome::Conflict) if self.is_too_late() => {
                self.give_up(Step::Done(Verdict::TimedOut))
            }
            Answer::Swapped(Outcome::Conflict) => self.load_buried(old.key, None),
            Answer::Unknown => {
                self.has_unknown_write = true;
                self.load_buried(old.key, Some(old.revision))
            }
            _ => self.give_up(self.failed()),
        }
    }

    pub(super) fn after_move(&mut self, old: RowVersion, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Swapped(Outcome::Done(revision)) => self.moved_as(revision),
            Answer::Swapped(Outcome::Conflict) if self.is_too_late() => {
                Step::Done(Verdict::TimedOut)
            }
            Answer::Unknown if self.too_many_unanswered() => Step::Done(Verdict::Unknown),
            Answer::Unknown => {
                self.has_unknown_write = true;
                self.load_buried(old.key, Some(old.revision))
            }
            // An earlier move of this request may have been applied.
            Answer::Swapped(_) if self.has_unknown_write => {
                self.load_buried(old.key, Some(old.revision))
            }
            Answer::Swapped(Outcome::Conflict) => self.load_buried(old.key, None),
            Answer::Swapped(Outcome::Gone) => self.nothing_to_bury(),
            _ => self.failed(),
        }
    }

    /// Continues with the row at the new key. It was loaded because the row to be moved had changed
    /// or had left its old key.
    pub(super) fn after_look_for_moved(&mut self, key: Key, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Loaded(Some(found)) if found.write == self.write => {
                self.moved_as(found.revision)
            }
            // The move was not applied, and never will be, because it compares revisions.
            Answer::Loaded(_) => {
                self.has_unknown_write = false;
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
        unknown_write: UnknownWrite,
        answer: Answer<C>,
    ) -> Step<C> {
        let Answer::Loaded(found) = answer else {
            return self.give_up(self.failed());
        };
        let is_as_it_was = |found: &Found<C>| unknown_write.as_ref() == Some(&found.revision);
        let is_moved = self.moves && self.new_key().is_some() && unknown_write.is_some();
        if is_moved && !found.as_ref().is_some_and(is_as_it_was) {
            return self.look_for_new(PendingCall::LookForMoved(key));
        }
        let Some(found) = found else {
            // The row was removed without a tombstone. It is unknown which request did it.
            return match unknown_write {
                Some(_) if self.made.is_some() => self.give_up(Step::Done(Verdict::Unknown)),
                _ => self.nothing_to_bury(),
            };
        };
        match found.row {
            // A tombstone is never overwritten. So this request's tombstone is here, or it was
            // never written.
            Row::Tombstone { .. } if found.write == self.write => self.moved(),
            Row::Tombstone { successor } => self.follow(successor),
            Row::Live(fresh) => self.bury_fresh(key, found.revision, &fresh, unknown_write),
        }
    }

    /// Continues if the row that is to end is still live, unchanged or with the changes of another
    /// request.
    fn bury_fresh(
        &mut self,
        key: Key,
        revision: Revision,
        fresh: &C,
        unknown_write: UnknownWrite,
    ) -> Step<C> {
        if unknown_write.is_some() && self.too_many_repeats() {
            return self.give_up(Step::Done(Verdict::Unknown));
        }
        let is_as_it_was = matches!(&unknown_write, Some(on) if *on == revision);
        // If another request has saved the row, an earlier burial by this request can only fail.
        self.has_unknown_write &= is_as_it_was;
        if self.wants_unchanged() && !is_as_it_was {
            return Step::Done(Verdict::Conflict);
        }
        let keeps = match &self.intent {
            Intent::Renew { .. } => true,
            Intent::Replace { keeps, .. } => *keeps,
            _ => false,
        };
        if is_as_it_was || !keeps {
            return self.bury(key, revision);
        }
        match self.do_again(fresh) {
            Ok(true) => self.write_new(Some(RowVersion { key, revision })),
            // A login keeps nothing that another login left.
            Ok(false) => match self.intent {
                Intent::Replace { .. } => self.forget(Some(RowVersion { key, revision })),
                _ => self.give_up(Step::Done(Verdict::Gone)),
            },
            Err(error) => self.give_up(Step::Refused(error)),
        }
    }

    fn wants_unchanged(&self) -> bool {
        matches!(self.intent, Intent::EndUnchanged { .. })
    }

    pub(super) fn is_renewal(&self) -> bool {
        matches!(self.intent, Intent::Renew { .. })
    }

    /// Continues if the session that was to end is already a tombstone.
    fn follow(&mut self, successor: Option<Successor>) -> Step<C> {
        if self.is_renewal() {
            // It is the tombstone of another request. So an earlier burial by this request was not
            // applied, and never will be.
            self.has_unknown_write = false;
            return self.follow_renewal(successor);
        }
        self.trail += 1;
        let ends_one_login = matches!(self.intent, Intent::EndLogin { .. });
        let followed = successor.filter(|successor| match &self.intent {
            Intent::EndUnchanged { .. } => false,
            _ => successor.is_renewal || !ends_one_login,
        });
        match followed.map(|successor| successor.key) {
            Some(key) if self.trail <= LONGEST_TRAIL => self.load_buried(key, None),
            Some(_) => self.give_up(Step::Done(Verdict::Conflict)),
            None => self.nothing_to_bury(),
        }
    }

    /// Continues if nothing is left of the session that was to end.
    fn nothing_to_bury(&mut self) -> Step<C> {
        match &self.intent {
            Intent::Replace { keeps: true, .. } => self.forget(None),
            Intent::Replace { to, .. } if self.made.is_none() => self.begin_anew(to.clone()),
            Intent::Replace { .. } => self.moved(),
            // Another request ended it.
            _ => self.give_up(Step::Done(Verdict::Gone)),
        }
    }
}

/// The new row gets other contents before the old one ends. If it exists already, it is written
/// again.
impl<C: Authenticated> Protocol<'_, C> {
    /// Drops the values that were to be kept of the session that ends.
    fn forget(&mut self, then: Option<RowVersion>) -> Step<C> {
        if let Intent::Replace { keeps, .. } = &mut self.intent {
            *keeps = false;
        }
        if let Some(new_data) = &mut self.new_data {
            match (new_data.recompute)(None) {
                Ok(data) => {
                    new_data.data = data;
                    self.merged = true;
                }
                Err(error) => return self.give_up(Step::Refused(error)),
            }
        }
        self.write_new(then)
    }

    fn write_new(&mut self, then: Option<RowVersion>) -> Step<C> {
        match (self.new_key().cloned(), self.made.clone(), then) {
            (Some(key), Some(revision), then) => {
                let call = Call::Swap(key, revision, self.live_row());
                self.ask(PendingCall::SwapNew(then), call)
            }
            // If the backend moves rows, the new row does not exist yet.
            (_, None, Some(old)) => self.bury(old.key, old.revision),
            (Some(key), None, None) => self.begin_anew(key),
            _ => Step::Done(Verdict::Failed),
        }
    }

    /// Begins a new session if there is no row to move.
    fn begin_anew(&mut self, key: Key) -> Step<C> {
        self.intent = Intent::Create { key };
        self.create_new()
    }

    pub(super) fn after_swap_new(
        &mut self,
        then: Option<RowVersion>,
        answer: Answer<C>,
    ) -> Step<C> {
        match answer {
            Answer::Swapped(Outcome::Done(revision)) => self.swapped_new(revision, then),
            // An earlier swap of this request may have been applied.
            Answer::Swapped(Outcome::Conflict) if self.has_unknown_write => {
                self.look_for_new(PendingCall::LookForNewAgain(then))
            }
            // No client knows its ID, but all sessions of its owner may have been ended.
            Answer::Swapped(_) => self.give_up(Step::Done(Verdict::Gone)),
            Answer::Unknown => {
                self.has_unknown_write = true;
                self.look_for_new(PendingCall::LookForNewAgain(then))
            }
            _ => self.give_up(self.failed()),
        }
    }

    pub(super) fn after_look_for_new_again(
        &mut self,
        then: Option<RowVersion>,
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

    fn swapped_new(&mut self, revision: Revision, then: Option<RowVersion>) -> Step<C> {
        self.made = Some(revision);
        self.has_unknown_write = false;
        match then {
            Some(old) => self.bury(old.key, old.revision),
            None => self.moved(),
        }
    }
}
