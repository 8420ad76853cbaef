//! [`Protocol`]: saves a session in a server, moves it to another ID, or ends it, call by call, and
//! correctly under concurrent requests.
//!
//! It is a pure state machine: it takes the backend's answer, and returns the next call. It never
//! waits, reads no clock, and knows neither bytes nor cookies. `rows.rs` performs its calls.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | the calls and answers, and the first and the next call |
//! | `save.rs` | a session that stays under its key |
//! | `moves.rs` | a session that ends, or continues under a new key |
//!
//! # The rows
//!
//! A session is one row. To end it, or to move it to another ID, a compare-and-swap replaces the
//! row with a tombstone. A tombstone opens no session, and names the session's successor.
//! Therefore:
//!
//! - A save, touch or move of a session that has ended finds a tombstone or no row, and is
//!   [`Gone`](Verdict::Gone).
//! - A move is committed by the swap to the tombstone alone. The row under the new ID is created
//!   before, while no client knows that ID. If the swap fails, this row is removed again.
//! - A request that ends a session follows the tombstone if another request has moved the session.
//! - A request that saves or renews a session also follows the tombstone if another request has
//!   *renewed* the session. It is the same session, and this request's changes are applied to it
//!   again. The client gets the new ID from the other response.
//!
//! # Conflicts
//!
//! Every write carries the revision that the request has seen. If the row has another revision by
//! then, another request has saved the session. The row is read again, and this request's own
//! changes are [applied again](NewData::recompute) to its data. If another request has logged in or
//! out, the changes are never mixed with its session.
//!
//! # Lost replies
//!
//! After a write without a reply, the protocol looks for the write's random ID. If the row is
//! unchanged, the same write is sent again: both compare the revision, so at most one of the two
//! can succeed. If the row has changed and holds another write, the outcome cannot be known. The
//! verdict is then [`Unknown`](Verdict::Unknown), and the protocol does not retry. A write may also
//! arrive after the search for it. Therefore, if a key is taken to which a write was sent before,
//! the protocol checks whether that write has taken it.
//!
//! # Rows without tombstones
//!
//! The rows of Go packages have no tombstones: the row of an ended session is removed. A backend
//! that can [move](crate::backend::Moves) rows moves such a row to its new ID in one step, and that
//! step is the commit. In any other backend, the new row is created first, and the old row is
//! removed second. A request that is cut off between them leaves the new row behind, and no client
//! has its ID.

mod moves;
mod save;
#[cfg(test)]
mod tests;

use crate::backend::{Key, Outcome, Revision};

use super::Error;

/// The most retries of a write that was sent but not applied.
const MOST_REPEATS: usize = 3;

/// The most tombstones that are followed, each to the next.
pub(super) const LONGEST_TRAIL: usize = 16;

/// The data of a session, as far as the protocol knows it.
pub(super) trait Authenticated: Clone {
    /// The user who is logged in, with the time and the generation of the login.
    type Login: Clone + PartialEq;

    fn login(&self) -> Self::Login;
}

/// A row, as the protocol sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row<C> {
    Live(C),
    /// The mark of a session that has ended, or has a successor.
    Tombstone {
        successor: Option<Successor>,
    },
}

/// The session that replaced another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Successor {
    pub(super) key: Key,
    /// True if it is the same session under a new ID: same owner, same login, same values.
    pub(super) is_renewal: bool,
}

/// A mark of one write, by which the write is recognized later.
pub(super) type WriteId = [u8; 16];

/// A row that was read.
#[derive(Clone, Debug)]
pub(super) struct Found<C> {
    pub(super) row: Row<C>,
    pub(super) revision: Revision,
    pub(super) write: WriteId,
}

/// The session that is to be changed, and the state in which the request has seen it.
#[derive(Clone)]
pub(super) struct SeenRow<L> {
    pub(super) key: Key,
    /// `None` if another request is known to have saved the session since.
    pub(super) revision: Option<Revision>,
    pub(super) login: L,
}

/// The task of the protocol.
#[derive(Clone)]
pub(super) enum Intent<C: Authenticated> {
    /// Creates a session that was never saved.
    Create { key: Key },
    /// Saves a session under its key.
    Save { seen: SeenRow<C::Login> },
    /// Moves a session to another key.
    Renew { seen: SeenRow<C::Login>, to: Key },
    /// Ends a session, and creates another one in its place. This succeeds even if the old session
    /// has already ended.
    Replace {
        seen: SeenRow<C::Login>,
        to: Key,
        keeps: bool,
    },
    /// Ends a session and any session that has replaced it.
    End { seen: SeenRow<C::Login> },
    /// Ends a session, even after a renewal, but not a session of a later login that has replaced
    /// it.
    EndLogin { seen: SeenRow<C::Login> },
    /// Ends the session only if no other request has written its row since. If one has, the verdict
    /// is [`Conflict`](Verdict::Conflict).
    EndUnchanged { seen: SeenRow<C::Login> },
}

/// The data to be saved, and the function that computes it again from the data that another
/// request has saved.
#[derive(Clone)]
pub(super) struct NewData<'w, C> {
    pub(super) data: C,
    pub(super) recompute: &'w (dyn Fn(Option<&C>) -> Result<C, Error> + Send + Sync),
}

/// A call to the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call<C> {
    Load(Key),
    Create(Key, Row<C>),
    Swap(Key, Revision, Row<C>),
    /// Moves the row of this key to the successor's key, with this new data.
    Move(Key, Revision, Successor, Row<C>),
    Remove(Key, Revision),
}

/// The backend's answer.
#[derive(Clone, Debug)]
pub(super) enum Answer<C> {
    Loaded(Option<Found<C>>),
    Created(Revision),
    Exists,
    Swapped(Outcome<Revision>),
    /// The answer to a removal, even if it failed.
    Removed,
    /// The write may have been applied or not.
    Unknown,
    /// The call was not applied.
    Failed,
}

/// The result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict<C> {
    /// The session is under this key, at this revision.
    Saved(Key, Revision, C),
    Ended,
    /// The session no longer exists. Nothing was written. Exception: if rows are removed and the
    /// reply to an end was lost, that end may have been applied.
    Gone,
    /// Other requests renewed the session repeatedly. Nothing was written.
    Conflict,
    /// Conflicts occurred until it was [too late](Protocol::is_late) to resolve them. Nothing was
    /// written.
    TimedOut,
    /// The write may have been applied or not.
    Unknown,
    /// The backend failed. Nothing was written.
    Failed,
}

#[derive(Clone)]
pub(super) enum Step<C> {
    Ask(Call<C>),
    Done(Verdict<C>),
    /// The changes cannot be applied to the data that another request has saved.
    Refused(Error),
}

/// A row that the protocol writes to.
#[derive(Clone)]
struct RowVersion {
    key: Key,
    revision: Revision,
}

/// The call that the protocol waits for.
#[derive(Clone)]
enum PendingCall {
    Nothing,
    CreateNew,
    /// Checks whether the new row exists after all.
    LookForNew,
    /// Writes the row of a save.
    SwapOwn(Revision),
    LoadOwn(UnknownWrite),
    /// Writes the tombstone of the row that ends.
    Bury(RowVersion),
    LoadBuried(Key, UnknownWrite),
    /// Moves the row that ends to the new key.
    Move(RowVersion),
    /// Checks whether the row of that key has been moved after all.
    LookForMoved(Key),
    /// Writes other data to the new row. Afterwards the old row, if any, ends.
    SwapNew(Option<RowVersion>),
    LookForNewAgain(Option<RowVersion>),
    RemoveNew,
}

/// The revision for which a write was sent, as long as the outcome of the write is unknown.
type UnknownWrite = Option<Revision>;

/// The next step after the row of a failed move has been removed.
#[derive(Clone)]
enum AfterRemoval<C: Authenticated> {
    Stop(Step<C>),
    /// Saves the session under its present ID: another request has renewed it.
    Save(SeenRow<C::Login>),
}

/// The state machine that saves, moves or ends one session.
#[derive(Clone)]
pub(super) struct Protocol<'w, C: Authenticated> {
    intent: Intent<C>,
    new_data: Option<NewData<'w, C>>,
    write: WriteId,
    /// True if a row is moved to its new key in one step.
    moves: bool,
    pending: PendingCall,
    /// The revision of the row under the new key, once it exists.
    made: Option<Revision>,
    /// The next step once the new row is removed.
    after_removal: Option<AfterRemoval<C>>,
    /// True if the changes were applied again to data that another request saved.
    merged: bool,
    /// True if a write was sent that may have been applied or may still arrive.
    has_unknown_write: bool,
    /// True if the next conflict is not resolved any more.
    is_late: bool,
    conflicts: usize,
    repeats: usize,
    /// The number of moves without an answer.
    unanswered: usize,
    trail: usize,
}

impl<'w, C: Authenticated> Protocol<'w, C> {
    /// Creates the protocol. `new_data` is the data to write. It is absent only for intents that
    /// end a session.
    pub(super) fn new(intent: Intent<C>, new_data: Option<NewData<'w, C>>, write: WriteId) -> Self {
        Protocol {
            intent,
            new_data,
            write,
            moves: false,
            pending: PendingCall::Nothing,
            made: None,
            after_removal: None,
            merged: false,
            has_unknown_write: false,
            is_late: false,
            conflicts: 0,
            repeats: 0,
            unanswered: 0,
            trail: 0,
        }
    }

    /// Sets whether a row is moved to its new key in one step.
    pub(super) fn moving(self, moves: bool) -> Self {
        Protocol { moves, ..self }
    }

    /// Stops resolving conflicts, since the save's deadline has passed. A call that has begun is
    /// still completed.
    pub(super) fn resolve_no_more(&mut self) {
        self.is_late = true;
    }

    /// Returns the number of conflicts with other requests. The caller pauses after each.
    pub(super) fn conflicts(&self) -> usize {
        self.conflicts
    }

    /// Returns whether the saved data also holds changes of other requests.
    pub(super) fn is_merged(&self) -> bool {
        self.merged
    }

    /// Returns the first call.
    pub(super) fn begin(&mut self) -> Step<C> {
        match &self.intent {
            Intent::Save { seen } => match seen.revision.clone() {
                Some(revision) => self.swap_own(revision),
                None => self.load_own(None),
            },
            Intent::Renew { .. } | Intent::Replace { .. } if self.moves => self.bury_seen(),
            Intent::End { .. } | Intent::EndLogin { .. } | Intent::EndUnchanged { .. } => {
                self.bury_seen()
            }
            _ => self.create_new(),
        }
    }

    /// Returns the next call, or the verdict.
    pub(super) fn next(&mut self, answer: Answer<C>) -> Step<C> {
        match std::mem::replace(&mut self.pending, PendingCall::Nothing) {
            PendingCall::Nothing => Step::Done(Verdict::Failed),
            PendingCall::CreateNew => self.after_create(answer),
            PendingCall::LookForNew => self.after_look_for_new(answer),
            PendingCall::SwapOwn(on) => self.after_swap_own(on, answer),
            PendingCall::LoadOwn(unknown_write) => self.after_load_own(unknown_write, answer),
            PendingCall::Bury(place) => self.after_bury(place, answer),
            PendingCall::LoadBuried(key, unknown_write) => {
                self.after_load_buried(key, unknown_write, answer)
            }
            PendingCall::Move(place) => self.after_move(place, answer),
            PendingCall::LookForMoved(key) => self.after_look_for_moved(key, answer),
            PendingCall::SwapNew(old) => self.after_swap_new(old, answer),
            PendingCall::LookForNewAgain(old) => self.after_look_for_new_again(old, answer),
            PendingCall::RemoveNew => match self.after_removal.take() {
                Some(AfterRemoval::Stop(step)) => step,
                Some(AfterRemoval::Save(seen)) => self.save_instead(seen),
                None => Step::Done(Verdict::Failed),
            },
        }
    }
}

/// The calls.
impl<C: Authenticated> Protocol<'_, C> {
    fn ask(&mut self, pending: PendingCall, call: Call<C>) -> Step<C> {
        self.pending = pending;
        Step::Ask(call)
    }

    /// Returns the row to be written: the data, or a tombstone if there is no new data.
    fn live_row(&self) -> Row<C> {
        match &self.new_data {
            Some(new_data) => Row::Live(new_data.data.clone()),
            None => Row::Tombstone { successor: None },
        }
    }

    /// Returns the key of the session that is to be created.
    fn new_key(&self) -> Option<&Key> {
        match &self.intent {
            Intent::Create { key } => Some(key),
            Intent::Renew { to, .. } | Intent::Replace { to, .. } => Some(to),
            Intent::Save { .. }
            | Intent::End { .. }
            | Intent::EndLogin { .. }
            | Intent::EndUnchanged { .. } => None,
        }
    }

    /// Returns the session that the request has seen.
    fn seen(&self) -> Option<&SeenRow<C::Login>> {
        match &self.intent {
            Intent::Create { .. } => None,
            Intent::Save { seen }
            | Intent::Renew { seen, .. }
            | Intent::Replace { seen, .. }
            | Intent::End { seen }
            | Intent::EndLogin { seen }
            | Intent::EndUnchanged { seen } => Some(seen),
        }
    }

    fn create_new(&mut self) -> Step<C> {
        match self.new_key().cloned() {
            Some(key) => self.ask(PendingCall::CreateNew, Call::Create(key, self.live_row())),
            None => Step::Done(Verdict::Failed),
        }
    }

    fn swap_own(&mut self, on: Revision) -> Step<C> {
        let Some(key) = self.seen().map(|seen| seen.key.clone()) else {
            return Step::Done(Verdict::Failed);
        };
        let call = Call::Swap(key, on.clone(), self.live_row());
        self.ask(PendingCall::SwapOwn(on), call)
    }

    fn load_own(&mut self, unknown_write: UnknownWrite) -> Step<C> {
        let Some(key) = self.seen().map(|seen| seen.key.clone()) else {
            return Step::Done(Verdict::Failed);
        };
        self.ask(PendingCall::LoadOwn(unknown_write), Call::Load(key))
    }

    /// Ends the session that the request has seen.
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
            return self.ask(PendingCall::Move(RowVersion { key, revision }), call);
        }
        let call = Call::Swap(old, on, Row::Tombstone { successor });
        self.ask(PendingCall::Bury(RowVersion { key, revision }), call)
    }

    fn load_buried(&mut self, key: Key, unknown_write: UnknownWrite) -> Step<C> {
        self.ask(
            PendingCall::LoadBuried(key.clone(), unknown_write),
            Call::Load(key),
        )
    }

    /// Returns the verdict after a failure of the backend. It is unknown if an earlier write is in
    /// doubt.
    fn failed(&self) -> Step<C> {
        Step::Done(match self.has_unknown_write {
            true => Verdict::Unknown,
            false => Verdict::Failed,
        })
    }

    /// Counts a conflict, and returns whether it is too late to resolve it.
    fn is_too_late(&mut self) -> bool {
        self.conflicts += 1;
        self.is_late
    }

    /// Counts a move without an answer, and returns whether there are too many.
    fn too_many_unanswered(&mut self) -> bool {
        self.unanswered += 1;
        self.unanswered > MOST_REPEATS
    }

    fn too_many_repeats(&mut self) -> bool {
        self.repeats += 1;
        self.repeats > MOST_REPEATS
    }

    /// Ends with `step`, after the new row of a failed move has been removed.
    fn give_up(&mut self, step: Step<C>) -> Step<C> {
        match self.remove_new(AfterRemoval::Stop(step.clone())) {
            Some(removal) => removal,
            None => step,
        }
    }

    /// Removes the new row if it exists.
    fn remove_new(&mut self, then: AfterRemoval<C>) -> Option<Step<C>> {
        let (key, revision) = (self.new_key()?.clone(), self.made.take()?);
        self.after_removal = Some(then);
        Some(self.ask(PendingCall::RemoveNew, Call::Remove(key, revision)))
    }
}

/// Follows a session that another request has renewed: only its ID has changed.
impl<C: Authenticated> Protocol<'_, C> {
    /// Saves the session under its present ID. If it has ended, or another request has logged in,
    /// the session is gone.
    fn follow_renewal(&mut self, successor: Option<Successor>) -> Step<C> {
        let renewed = successor.filter(|successor| successor.is_renewal);
        let (Some(renewed), Some(seen)) = (renewed, self.seen().cloned()) else {
            return self.give_up(Step::Done(Verdict::Gone));
        };
        // The write with the lost reply may already be in the successor.
        if self.has_unknown_write {
            return self.give_up(Step::Done(Verdict::Unknown));
        }
        self.trail += 1;
        if self.trail > LONGEST_TRAIL {
            return self.give_up(Step::Done(Verdict::Conflict));
        }
        let seen = SeenRow {
            key: renewed.key,
            revision: None,
            ..seen
        };
        match self.remove_new(AfterRemoval::Save(seen.clone())) {
            Some(removal) => removal,
            None => self.save_instead(seen),
        }
    }

    fn save_instead(&mut self, seen: SeenRow<C::Login>) -> Step<C> {
        self.intent = Intent::Save { seen };
        self.begin()
    }
}

/// The steps that both kinds of save share.
impl<C: Authenticated> Protocol<'_, C> {
    /// Returns the verdict after the last write has been applied.
    fn saved(&mut self, key: Option<Key>, revision: Revision) -> Step<C> {
        match (key, self.new_data.take()) {
            (Some(key), Some(new_data)) => Step::Done(Verdict::Saved(key, revision, new_data.data)),
            _ => Step::Done(Verdict::Failed),
        }
    }

    /// Applies the changes again to the data that another request has saved. Returns false if
    /// that request has logged in or out.
    fn do_again(&mut self, fresh: &C) -> Result<bool, Error> {
        let is_same = self.seen().is_some_and(|seen| seen.login == fresh.login());
        if let Some(new_data) = &mut self.new_data
            && is_same
        {
            new_data.data = (new_data.recompute)(Some(fresh))?;
            self.merged = true;
        }
        Ok(is_same)
    }
}
