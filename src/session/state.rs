//! A session within one request: what it was loaded as, what was done to it, and what
//! is to be sent for that. No locks, no I/O, no clock.

use crate::codec::UnixTime;

use super::metadata::{Login, Metadata};
use super::store::{Record, Save, Saved, Setup};
use super::{Error, Lifetime, Refusal, Values};

pub(super) struct State {
    pub(super) values: Values,
    pub(super) metadata: Metadata,
    /// Counts changes, of values or else.
    version: u64,
    /// The version that the cookie in `outgoing`, or else the client's, holds.
    saved: u64,
    /// Counts the sessions that this handle has been: each login and end begins another.
    incarnation: u64,
    /// The date of its cookie; none before the first save.
    sealed_at: Option<UnixTime>,
    /// Whether the client sent a cookie of that name, good or bad.
    came: bool,
    is_new: bool,
    refusal: Option<Refusal>,
    /// Whose other sessions are to end with the next save.
    revokes: Vec<String>,
    /// Whether the deadline was set later than the owner's epoch was asked for.
    lasts_longer: bool,
    phase: Phase,
    is_closed: bool,
    outgoing: Outgoing,
}

/// Whether there is a session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Live,
    /// Nothing until something is written, which begins a new one.
    LoggedOut,
    /// Nothing, and only a login begins a new one.
    Destroyed,
}

/// A session before a change.
pub(super) struct Before {
    values: Values,
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

/// What a commit has to do.
pub(super) struct Work {
    /// Whose sessions end, none of which is this one.
    pub(super) revoke: Vec<String>,
    pub(super) save: Option<Saving>,
}

/// A session to be saved as it is now.
pub(super) struct Saving {
    pub(super) save: Save,
    version: u64,
    incarnation: u64,
    /// Whether nobody wrote to it: only its use is to be noted.
    pub(super) is_touch: bool,
}

impl State {
    /// A session that begins now.
    pub(super) fn new(setup: &Setup, came: bool, refusal: Option<Refusal>) -> Self {
        State {
            is_new: true,
            refusal,
            ..State::of(
                Values::in_terms(setup.terms),
                Metadata::new(&setup.lifetime, setup.now()),
                came,
            )
        }
    }

    pub(super) fn loaded(record: Record) -> Self {
        State {
            sealed_at: Some(record.sealed_at),
            ..State::of(record.values, record.metadata, true)
        }
    }

    fn of(values: Values, metadata: Metadata, came: bool) -> Self {
        State {
            values,
            metadata,
            version: 0,
            saved: 0,
            incarnation: 0,
            sealed_at: None,
            came,
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

    /// Refuses a change that could not be sent any more.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        match self.phase {
            _ if self.is_closed => Err(Error::closed()),
            Phase::Destroyed => Err(Error::destroyed()),
            Phase::Live | Phase::LoggedOut => Ok(()),
        }
    }

    /// Refuses to do anything more once the response's head has left.
    pub(super) fn check_not_closed(&self) -> Result<(), Error> {
        match self.is_closed {
            true => Err(Error::closed()),
            false => Ok(()),
        }
    }

    /// Changes the session, unless that fails.
    pub(super) fn change<R>(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.check_open()?;
        let answer = change(self)?;
        self.version += 1;
        self.phase = Phase::Live;
        Ok(answer)
    }

    /// What a change can be taken back to.
    pub(super) fn before(&self) -> Before {
        Before {
            values: self.values.clone(),
            phase: self.phase,
            was_saved: self.version == self.saved,
        }
    }

    /// Takes the change back that led to `version`, unless others have followed.
    pub(super) fn take_back(&mut self, version: u64, before: Before) {
        if self.version == version {
            self.values = before.values;
            self.phase = before.phase;
            // Never a version that was in use.
            self.version += 1;
            if before.was_saved {
                self.saved = self.version;
            }
        }
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
        let values = self.values.clone();
        self.begin_anew(Phase::Live, lifetime, now);
        if keeps_values {
            self.values = values;
        }
        self.metadata.login = Some(Login {
            owner,
            at: now,
            epoch: None,
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
        self.begin_anew(Phase::Destroyed, lifetime, now);
        Ok(())
    }

    /// Forgets all but whose sessions are to end.
    fn begin_anew(&mut self, phase: Phase, lifetime: &Lifetime, now: UnixTime) {
        self.phase = phase;
        self.incarnation += 1;
        // Whoever has read the session has read another.
        self.version += 1;
        self.values.clear();
        self.metadata = Metadata::new(lifetime, now);
        self.sealed_at = None;
        self.lasts_longer = false;
    }

    pub(super) fn destroy_others(&mut self) -> Result<(), Error> {
        let Some(login) = &self.metadata.login else {
            self.check_open()?;
            return Err(Error::usage("nobody is logged in: there are no others"));
        };
        let owner = login.owner.clone();
        self.change(|session| {
            if !session.revokes.contains(&owner) {
                session.revokes.push(owner);
            }
            Ok(())
        })
    }

    pub(super) fn remember(&mut self, remembered: bool, lifetime: &Lifetime) -> Result<(), Error> {
        self.check_open()?;
        if self.metadata.remembered == remembered {
            return Ok(());
        }
        self.change(|session| {
            session.move_deadline(|metadata| metadata.remember(remembered, lifetime));
            Ok(())
        })
    }

    pub(super) fn set_deadline(
        &mut self,
        deadline: UnixTime,
        lifetime: &Lifetime,
    ) -> Result<(), Error> {
        self.change(|session| {
            let limits = lifetime.limits(session.metadata.remembered);
            let limit = limits.deadline(session.metadata.created);
            if limit.is_some_and(|limit| deadline > limit) {
                return Err(Error::usage(
                    "the deadline is after the lifetime's absolute limit",
                ));
            }
            session.move_deadline(|metadata| {
                metadata.deadline = Some(deadline);
                metadata.own_deadline = true;
            });
            Ok(())
        })
    }

    /// Notes whether the session lasts longer than before.
    fn move_deadline(&mut self, change: impl FnOnce(&mut Metadata)) {
        let before = self.metadata.deadline;
        change(&mut self.metadata);
        self.lasts_longer |= match (self.metadata.deadline, before) {
            (Some(deadline), Some(before)) => deadline > before,
            (deadline, _) => deadline.is_none(),
        };
    }

    /// Takes no more changes.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// What there is to do for a response that leaves now: nothing, if nothing was done
    /// and the session's use needs no noting yet.
    pub(super) fn work(&mut self, lifetime: &Lifetime, now: UnixTime) -> Work {
        if self.phase != Phase::Live {
            self.outgoing = match self.came {
                true => Outgoing::Removal,
                false => Outgoing::Nothing,
            };
            return Work {
                revoke: self.revokes.clone(),
                save: None,
            };
        }
        let owner = self.metadata.login.as_ref().map(|login| &login.owner);
        let revokes_others = owner.is_some_and(|owner| self.revokes.contains(owner));
        let others = self.revokes.iter().filter(|of| Some(*of) != owner);
        let revoke = others.cloned().collect();
        let touches = self.sealed_at.is_some() && self.metadata.wants_touch(lifetime, now);
        let is_touch = self.version == self.saved;
        if is_touch && !touches {
            return Work { revoke, save: None };
        }
        let mut metadata = self.metadata.clone();
        metadata.seen = metadata.seen.max(now);
        let save = Save {
            values: self.values.clone(),
            metadata,
            sealed_at: self.sealed_at.unwrap_or(now),
            revokes_others,
            lasts_longer: self.lasts_longer,
        };
        let save = Some(Saving {
            save,
            version: self.version,
            incarnation: self.incarnation,
            is_touch,
        });
        Work { revoke, save }
    }

    /// The owner's sessions have ended.
    pub(super) fn revoked(&mut self, owner: &str) {
        self.revokes.retain(|of| of != owner);
    }

    /// The session was saved, unless it is another by now.
    pub(super) fn settle(&mut self, saving: Saving, saved: Saved, cookie: String) {
        if saving.incarnation != self.incarnation {
            return;
        }
        self.saved = saving.version;
        self.sealed_at = Some(saving.save.sealed_at);
        self.metadata.seen = saving.save.metadata.seen;
        self.outgoing = Outgoing::Cookie(cookie);
        if let Some(login) = &mut self.metadata.login {
            login.epoch = saved.epoch;
            if saving.save.revokes_others {
                self.revokes.retain(|of| *of != login.owner);
            }
        }
        self.lasts_longer &= saving.version != self.version;
    }

    pub(super) fn outgoing(&self) -> Outgoing {
        self.outgoing.clone()
    }
}
