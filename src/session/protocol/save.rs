//! A session that keeps its key. Its row is swapped. If another request has saved the row, it is
//! read and swapped again.

use crate::backend::{Outcome, Revision};

use super::{Answer, Authenticated, Protocol, Row, Step, UnknownWrite, Verdict};

impl<C: Authenticated> Protocol<'_, C> {
    pub(super) fn after_swap_own(&mut self, on: Revision, answer: Answer<C>) -> Step<C> {
        match answer {
            Answer::Swapped(Outcome::Done(revision)) => self.saved_own(revision),
            Answer::Swapped(Outcome::Gone) => Step::Done(Verdict::Gone),
            Answer::Swapped(Outcome::Conflict) if self.is_too_late() => {
                Step::Done(Verdict::TimedOut)
            }
            Answer::Swapped(Outcome::Conflict) => self.load_own(None),
            Answer::Unknown => {
                self.has_unknown_write = true;
                self.load_own(Some(on))
            }
            _ => self.failed(),
        }
    }

    pub(super) fn after_load_own(
        &mut self,
        unknown_write: UnknownWrite,
        answer: Answer<C>,
    ) -> Step<C> {
        let found = match answer {
            Answer::Loaded(Some(found)) => found,
            Answer::Loaded(None) => return Step::Done(Verdict::Gone),
            _ => return self.failed(),
        };
        let fresh = match found.row {
            Row::Live(fresh) => fresh,
            Row::Tombstone { successor } => return self.follow_renewal(successor),
        };
        match unknown_write {
            Some(on) if on == found.revision => match self.too_many_repeats() {
                true => Step::Done(Verdict::Unknown),
                false => self.swap_own(on),
            },
            // The write was applied after all, perhaps after this request had looked for it.
            _ if found.write == self.write => self.saved_own(found.revision),
            // Other requests have written since. It is unknown whether this request's write came
            // before theirs.
            _ if self.has_unknown_write => Step::Done(Verdict::Unknown),
            _ => match self.do_again(&fresh) {
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
}
