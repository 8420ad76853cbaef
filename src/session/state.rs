//! A session within one request: what it was loaded as, what was done to it, and what
//! is to be sent for that; `state/work.rs` says what there is to do in the end. No locks, no I/O,
//! no clock.

mod work;

use std::sync::Arc;

use crate::backend::Owner;
use crate::codec::UnixTime;

use super::content::{Change, Content, Log};
use super::cookie_life::CookieLife;
use super::login::Login;
use super::metadata::Metadata;
use super::store::{Fate, Kept, Moved, Record, Saved, Setup};
use super::{Error, Lifetime, Refusal, Values};

pub(super) use work::{Saving, Task, Work};

pub(super) struct State {
    pub(super) content: Content,
    /// The changes that are not saved yet, where the store may have to make them again.
    log: Option<Log>,
    /// Counts changes, of values or else.
    version: u64,
    /// The version that the cookie in `outgoing`, or else the client's, holds.
    saved: u64,
    /// Counts the sessions that this handle has been: each login and end begins another.
    incarnation: u64,
    /// The date of its cookie; none before the first save.
    sealed_at: Option<UnixTime>,
    /// Where it is kept, if not in its cookie: this session, or the one that it takes the
    /// place of.
    kept: Option<Arc<Kept>>,
    fate: Fate,
    /// The version that the fate was decided in.
    fated: u64,
    cookie_life: CookieLife,
    /// When the client drops its cookie, as far as is known; none, if when the browser closes.
    cookie_end: Option<UnixTime>,
    /// The cookies of that name that the client sent.
    came: Came,
    /// True if the client may have a good cookie that this request does not know: then this one
    /// sets and removes none in its place, and only a login is saved.
    leaves_cookie: bool,
    /// Whether this request counts as no use of the session.
    is_passive: bool,
    /// Whether the session has ended where it was kept, by this request or before.
    has_ended: bool,
    is_new: bool,
    refusal: Option<Refusal>,
    /// Whose other sessions are to end with the next save.
    revokes: Vec<String>,
    /// Whether the deadline was set later than the owner's record was last extended.
    lasts_longer: bool,
    phase: Phase,
    is_closed: bool,
    outgoing: Outgoing,
}

/// Whether there is a session.
#[derive(Clone, PartialEq, Eq)]
enum Phase {
    Live,
    /// Nothing until something is written, which begins a new one.
    LoggedOut,
    /// Nothing, and only a login begins a new one.
    Destroyed,
    /// Somebody else ended it. Only a login begins a new one.
    Gone,
    /// Nobody knows whether it was saved: nothing more can be done with it.
    InDoubt,
}

/// The cookies of one name that a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    Nothing,
    /// A cookie that is removed with the session, and only then.
    Cookie,
    /// A cookie that is to be removed unless another takes its place: no session will ever
    /// have it again.
    DeadCookie,
}

/// A session before a change.
pub(super) struct Before {
    content: Content,
    log_end: usize,
    phase: Phase,
    was_saved: bool,
}

/// What is to be sent.
#[derive(Clone)]
pub(super) enum Outgoing {
    Nothing,
    Cookie(String),
    Removal,
}

impl State {
    /// A session that begins now.
    pub(super) fn new(setup: &Setup, came: Came, refusal: Option<Refusal>) -> Self {
        let content = Content {
            values: Values::of_model(setup.model.clone()),
            metadata: Metadata::new(&setup.lifetime, setup.now()),
        };
        State {
            is_new: true,
            refusal,
            leaves_cookie: refusal.is_some_and(Refusal::leaves_cookie),
            ..State::of(content, setup, came)
        }
    }

    pub(super) fn loaded(record: Record, setup: &Setup) -> Self {
        State {
            sealed_at: Some(record.sealed_at),
            cookie_end: setup.cookie_life.end(&record.content.metadata),
            kept: record.kept,
            ..State::of(record.content, setup, Came::Cookie)
        }
    }

    /// Of a request that arrived with an ID that has moved.
    pub(super) fn superseded(moved: Moved, setup: &Setup) -> Self {
        let new = State::new(setup, Came::Cookie, Some(Refusal::Moved));
        State {
            is_new: moved.content.is_none(),
            content: moved.content.unwrap_or(new.content),
            kept: moved.renewed,
            ..new
        }
    }

    fn of(content: Content, setup: &Setup, came: Came) -> Self {
        State {
            content,
            log: setup.replays.then(Log::default),
            version: 0,
            saved: 0,
            incarnation: 0,
            sealed_at: None,
            kept: None,
            fate: Fate::Stays,
            fated: 0,
            cookie_life: setup.cookie_life.clone(),
            cookie_end: None,
            came,
            leaves_cookie: false,
            is_passive: false,
            has_ended: false,
            is_new: false,
            refusal: None,
            revokes: Vec::new(),
            lasts_longer: false,
            phase: Phase::Live,
            is_closed: false,
            outgoing: Outgoing::Nothing,
        }
    }

    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Where the session is kept; none, if it is not, or not yet, or not to be read.
    pub(super) fn kept(&self) -> Option<Arc<Kept>> {
        let is_itself = !matches!(self.fate, Fate::Replaced { .. });
        let is_read = !(self.leaves_cookie && self.is_new);
        self.kept.clone().filter(|_| is_itself && is_read)
    }

    /// True if the client may have a good cookie that this request does not know.
    pub(super) fn leaves_cookie(&self) -> bool {
        self.leaves_cookie
    }

    pub(super) fn came(&self) -> Came {
        self.came
    }

    /// This request no longer counts as use of the session.
    pub(super) fn be_passive(&mut self) {
        self.is_passive = true;
    }

    /// Refuses a change that could not be sent any more.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        self.check_not_closed()?;
        match self.phase {
            Phase::Destroyed => Err(Error::destroyed()),
            Phase::Gone => Err(Error::gone()),
            Phase::Live | Phase::LoggedOut | Phase::InDoubt => Ok(()),
        }
    }

    /// Refuses to do anything more once the response's head has left.
    pub(super) fn check_not_closed(&self) -> Result<(), Error> {
        match self.phase {
            _ if self.is_closed => Err(Error::closed()),
            Phase::InDoubt => Err(Error::in_doubt()),
            _ => Ok(()),
        }
    }

    /// Changes the session, unless that fails, in a way that can be made again.
    pub(super) fn change(
        &mut self,
        change: impl Fn(&mut Content) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.check_open()?;
        change(&mut self.content)?;
        self.changed(|| Arc::new(change));
        Ok(())
    }

    /// Changes the session in a way that was worked out already, and notes how it would be
    /// made again.
    pub(super) fn apply(
        &mut self,
        apply: impl FnOnce(&mut Content) -> Result<(), Error>,
        again: impl FnOnce() -> Change,
    ) -> Result<(), Error> {
        self.check_open()?;
        apply(&mut self.content)?;
        self.changed(again);
        Ok(())
    }

    /// Removes a value, and says whether there was one; removing nothing is no change.
    pub(super) fn remove(&mut self, key: &str) -> Result<bool, Error> {
        self.check_open()?;
        let is_there = self.content.values.contains(key);
        if is_there {
            let key = key.to_owned();
            self.change(move |content| {
                content.values.remove(&key);
                Ok(())
            })?;
        }
        Ok(is_there)
    }

    fn changed(&mut self, again: impl FnOnce() -> Change) {
        if let Some(log) = &mut self.log {
            log.push(again());
        }
        self.version += 1;
        self.phase = Phase::Live;
    }

    /// Whether another request has renewed the session since this one loaded it: the response to
    /// that has the cookie.
    fn is_renewed_elsewhere(&self) -> bool {
        let kept = self.kept.as_ref();
        self.fate == Fate::Stays && kept.is_some_and(|kept| kept.id.is_none())
    }

    /// Whether something was done that is not saved.
    fn has_changes(&self) -> bool {
        self.version != self.saved
    }

    /// What a change can be taken back to.
    pub(super) fn before(&self) -> Before {
        Before {
            content: self.content.clone(),
            log_end: self.log_end(),
            phase: self.phase.clone(),
            was_saved: !self.has_changes(),
        }
    }

    /// Takes the change back that led to `version`, unless others have followed.
    pub(super) fn take_back(&mut self, version: u64, before: Before) {
        if self.version != version || matches!(self.phase, Phase::Gone | Phase::InDoubt) {
            return;
        }
        self.content = before.content;
        self.phase = before.phase;
        if let Some(log) = &mut self.log {
            log.take_back_to(before.log_end);
        }
        // Never a version that was in use.
        self.version += 1;
        if before.was_saved {
            self.saved = self.version;
        }
    }

    fn log_end(&self) -> usize {
        self.log.as_ref().map_or(0, Log::end)
    }

    /// Begins anew, with `owner` logged in. It may follow destroying.
    pub(super) fn login(
        &mut self,
        owner: String,
        keeps_values: bool,
        lifetime: &Lifetime,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.check_not_closed()?;
        Owner::check_name(&owner).map_err(|error| Error::usage(error.to_string()))?;
        // What ended has left nothing to keep.
        let keeps = keeps_values && self.phase == Phase::Live && !self.leaves_cookie;
        let kept = keeps.then(|| (self.content.values.clone(), self.log.clone()));
        let keeps_fate = !matches!(self.fate, Fate::Replaced { keeps: false });
        self.begin_anew(Phase::Live, lifetime, now);
        if let Some((values, log)) = kept {
            self.content.values = values;
            self.log = log;
            self.fate = Fate::Replaced { keeps: keeps_fate };
        }
        self.content.metadata.login = Some(Login {
            owner,
            at: now,
            begun: None,
        });
        Ok(())
    }

    /// Ends the session. What is written after begins a new one.
    pub(super) fn logout(&mut self, lifetime: &Lifetime, now: UnixTime) -> Result<(), Error> {
        self.check_open()?;
        self.begin_anew(Phase::LoggedOut, lifetime, now);
        Ok(())
    }

    /// Ends the session for good.
    pub(super) fn destroy(&mut self, lifetime: &Lifetime, now: UnixTime) -> Result<(), Error> {
        self.check_not_closed()?;
        if self.phase != Phase::Gone {
            self.begin_anew(Phase::Destroyed, lifetime, now);
        }
        Ok(())
    }

    /// Forgets all but whose sessions are to end, and which one this takes the place of.
    fn begin_anew(&mut self, phase: Phase, lifetime: &Lifetime, now: UnixTime) {
        // A login has a cookie of its own.
        let is_login = phase == Phase::Live;
        self.leaves_cookie = !is_login && self.refusal.is_some_and(Refusal::leaves_cookie);
        self.phase = phase;
        self.incarnation += 1;
        // Whoever has read the session has read another.
        self.version += 1;
        self.content.values.clear();
        self.content.metadata = Metadata::new(lifetime, now);
        if let Some(log) = &mut self.log {
            log.clear();
        }
        self.sealed_at = None;
        self.lasts_longer = false;
        self.decide(Fate::Replaced { keeps: false });
    }

    /// Decides what becomes of the session where it is kept.
    fn decide(&mut self, fate: Fate) {
        self.fate = fate;
        self.fated = self.version;
    }

    /// The same session under another ID.
    pub(super) fn renew(&mut self) -> Result<(), Error> {
        self.change(|_| Ok(()))?;
        let is_renewed = self.is_renewed_elsewhere();
        // Where another is made already, it has a new ID: unless it is saved before that.
        self.decide(match self.fate {
            Fate::Stays if !is_renewed => Fate::Renewed,
            fate => fate,
        });
        Ok(())
    }

    pub(super) fn destroy_others(&mut self) -> Result<(), Error> {
        let Some(login) = &self.content.metadata.login else {
            self.check_open()?;
            return Err(Error::usage("nobody is logged in: there are no others"));
        };
        let owner = login.owner.clone();
        self.change(|_| Ok(()))?;
        if !self.revokes.contains(&owner) {
            self.revokes.push(owner);
        }
        Ok(())
    }

    pub(super) fn remember(&mut self, remembered: bool, lifetime: &Lifetime) -> Result<(), Error> {
        self.check_open()?;
        if self.content.metadata.remembered == remembered {
            return Ok(());
        }
        let lifetime = lifetime.clone();
        let change = move |content: &mut Content| {
            content.metadata.remember(remembered, &lifetime);
            Ok(())
        };
        self.move_deadline(change.clone(), || Arc::new(change))
    }

    pub(super) fn set_deadline(
        &mut self,
        deadline: UnixTime,
        lifetime: &Lifetime,
    ) -> Result<(), Error> {
        // If another request has set other limits, the deadline is within those.
        let again = || -> Change {
            let lifetime = lifetime.clone();
            Arc::new(move |content| {
                content.metadata.cut_deadline(deadline, &lifetime);
                Ok(())
            })
        };
        self.move_deadline(
            |content| content.metadata.set_deadline(deadline, lifetime),
            again,
        )
    }

    /// Notes whether the session lasts longer than before.
    fn move_deadline(
        &mut self,
        apply: impl FnOnce(&mut Content) -> Result<(), Error>,
        again: impl FnOnce() -> Change,
    ) -> Result<(), Error> {
        let before = self.content.metadata.deadline;
        self.apply(apply, again)?;
        self.lasts_longer |= match (self.content.metadata.deadline, before) {
            (Some(deadline), Some(before)) => deadline > before,
            (deadline, _) => deadline.is_none(),
        };
        Ok(())
    }

    /// Lets go of the changes that nobody can save any more.
    pub(super) fn forget_changes(&mut self) -> Option<Log> {
        self.log.take()
    }

    /// Takes no more changes.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// The owner's sessions have ended.
    pub(super) fn revoked(&mut self, owner: &str) {
        self.revokes.retain(|of| of != owner);
    }

    /// The session has ended where it was kept; or had already, and then its cookie may be
    /// another's by now.
    pub(super) fn ended(&mut self, by_us: bool) {
        self.kept = None;
        self.fate = Fate::Stays;
        self.has_ended = true;
        if !by_us && matches!(self.phase, Phase::LoggedOut | Phase::Destroyed) {
            self.came = Came::Nothing;
            self.outgoing = Outgoing::Nothing;
        }
    }

    /// Somebody else ended the session: nothing is saved, and nothing sent. One that takes
    /// its place by now finds that out by itself, and what it kept with it.
    pub(super) fn gone(&mut self, incarnation: u64, has_revoked: bool) {
        if self.incarnation == incarnation {
            if has_revoked {
                self.revokes.clear();
            }
            self.kept = None;
            self.fate = Fate::Stays;
            self.phase = Phase::Gone;
            self.came = Came::Nothing;
            self.outgoing = Outgoing::Nothing;
        }
    }

    /// Nobody knows whether the session was saved: saving it once more might do everything
    /// twice.
    pub(super) fn in_doubt(&mut self) {
        self.phase = Phase::InDoubt;
        self.outgoing = Outgoing::Nothing;
    }

    /// The session was saved, unless it is another by now.
    ///
    /// What was saved of the log is still `saving`'s, and ends with it, not here: dropping it is
    /// the user's code, which may look at the session.
    pub(super) fn settle(&mut self, saving: &Saving, saved: Saved, cookie: Option<String>) {
        let is_latest = saving.version == self.version;
        if let Some(log) = &mut self.log {
            log.forget_to(saving.log_end);
        }
        if saving.incarnation != self.incarnation {
            // What is there now is what the present one takes the place of.
            self.kept = match (saved.kept, saved.merged) {
                (Some(kept), Some(_)) => Some(Arc::new(kept.outdated())),
                (kept, _) => kept,
            };
            return;
        }
        self.saved = saving.version;
        self.sealed_at = Some(saving.save.sealed_at);
        self.content.metadata.seen = saving.save.content.metadata.seen;
        if let Some(cookie) = cookie {
            let content = saved.merged.as_ref().unwrap_or(&saving.save.content);
            self.cookie_end = self.cookie_life.end(&content.metadata);
            self.outgoing = Outgoing::Cookie(cookie);
        }
        self.kept = match (saved.kept, &saved.merged) {
            // What others saved is in no value here: the next save has to look again.
            (Some(kept), Some(_)) if !is_latest => Some(Arc::new(kept.outdated())),
            (kept, _) => kept,
        };
        self.fate = match self.fated <= saving.version {
            true => Fate::Stays,
            // Nothing else is decided of the same session.
            false => Fate::Renewed,
        };
        if self.is_renewed_elsewhere() {
            // A cookie that an earlier save made is of the old ID.
            self.outgoing = Outgoing::Nothing;
        }
        if is_latest && let Some(merged) = saved.merged {
            self.content = merged;
        }
        if let Some(login) = &mut self.content.metadata.login {
            login.begun = saved.begun;
            if saving.save.revokes_others {
                self.revokes.retain(|of| *of != login.owner);
            }
        }
        self.lasts_longer &= !is_latest;
    }

    /// Whether a session was to end, this one or others of its owner, and has not.
    pub(super) fn owes_an_end(&self) -> bool {
        !self.revokes.is_empty() || self.ends_in_vain()
    }

    /// True if the request logs out of a session that it cannot know: one of a later login, or
    /// one of several.
    fn ends_in_vain(&self) -> bool {
        let ends = matches!(self.phase, Phase::LoggedOut | Phase::Destroyed)
            || matches!(self.fate, Fate::Replaced { .. });
        self.leaves_cookie && ends && self.kept.is_none() && !self.has_ended
    }

    pub(super) fn outgoing(&self) -> Outgoing {
        self.outgoing.clone()
    }
}
