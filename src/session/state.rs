//! A session within one request: what it was loaded as, what was done to it, and what
//! is to be sent for that. No locks, no I/O.

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
    /// The date of its cookie; none before the first save.
    sealed_at: Option<UnixTime>,
    /// Whether the client sent a cookie of that name, good or bad.
    came: bool,
    /// Whether it was loaded, and not made for this request.
    is_new: bool,
    refusal: Option<Refusal>,
    revokes_others: bool,
    phase: Phase,
    outgoing: Outgoing,
}

/// Whether the session can still be changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Destroyed,
    /// The response's head has left. It may have been destroyed before.
    Closed {
        destroyed: bool,
    },
}

/// What is to be sent.
#[derive(Clone)]
pub(super) enum Outgoing {
    Nothing,
    Cookie(String),
    Removal,
}

impl State {
    pub(super) fn new(setup: &Setup, came: bool, refusal: Option<Refusal>) -> Self {
        let now = setup.now();
        State {
            values: Values::new(),
            metadata: Metadata::new(&setup.lifetime, now),
            version: 0,
            saved: 0,
            sealed_at: None,
            came,
            is_new: true,
            refusal,
            revokes_others: false,
            phase: Phase::Open,
            outgoing: Outgoing::Nothing,
        }
    }

    pub(super) fn loaded(setup: &Setup, record: Record) -> Self {
        State {
            values: record.values,
            metadata: record.metadata,
            sealed_at: Some(record.sealed_at),
            is_new: false,
            ..State::new(setup, true, None)
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
            Phase::Open => Ok(()),
            Phase::Destroyed => Err(Error::destroyed()),
            Phase::Closed { .. } => Err(Error::closed()),
        }
    }

    /// Refuses to do anything more once the response's head has left.
    pub(super) fn check_not_closed(&self) -> Result<(), Error> {
        match self.phase {
            Phase::Closed { .. } => Err(Error::closed()),
            Phase::Open | Phase::Destroyed => Ok(()),
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
        Ok(answer)
    }

    /// Begins anew, with `owner` logged in. It may follow destroying.
    pub(super) fn login(
        &mut self,
        owner: String,
        values: Values,
        setup: &Setup,
    ) -> Result<(), Error> {
        self.check_not_closed()?;
        let now = setup.now();
        self.phase = Phase::Open;
        self.version += 1;
        self.values = values;
        self.sealed_at = None;
        self.revokes_others = false;
        self.metadata = Metadata::new(&setup.lifetime, now);
        self.metadata.login = Some(Login {
            owner,
            at: now,
            epoch: None,
        });
        Ok(())
    }

    pub(super) fn destroy(&mut self, setup: &Setup) -> Result<(), Error> {
        self.check_not_closed()?;
        self.phase = Phase::Destroyed;
        self.values.clear();
        self.metadata = Metadata::new(&setup.lifetime, setup.now());
        self.revokes_others = false;
        Ok(())
    }

    pub(super) fn revoke_others(&mut self) -> Result<(), Error> {
        self.change(|session| {
            if session.metadata.login.is_none() {
                return Err(Error::usage("nobody is logged in: there are no others"));
            }
            session.revokes_others = true;
            Ok(())
        })
    }

    /// Takes no more changes.
    pub(super) fn close(&mut self) {
        let destroyed = self.is_destroyed();
        self.phase = Phase::Closed { destroyed };
    }

    fn is_destroyed(&self) -> bool {
        matches!(
            self.phase,
            Phase::Destroyed | Phase::Closed { destroyed: true }
        )
    }

    /// What is to be saved, and which version it is: nothing, if nothing was done and
    /// the session's use needs no noting yet.
    pub(super) fn prepare(&mut self, lifetime: &Lifetime, now: UnixTime) -> Option<(u64, Save)> {
        if self.is_destroyed() {
            self.outgoing = match self.came {
                true => Outgoing::Removal,
                false => Outgoing::Nothing,
            };
            return None;
        }
        let touches = self.sealed_at.is_some() && self.metadata.wants_touch(lifetime, now);
        if self.version == self.saved && !touches {
            return None;
        }
        self.metadata.seen = self.metadata.seen.max(now);
        let save = Save {
            values: self.values.clone(),
            metadata: self.metadata.clone(),
            sealed_at: self.sealed_at.unwrap_or(now),
            revokes_others: self.revokes_others,
        };
        Some((self.version, save))
    }

    /// The session was saved as it was at `version`.
    pub(super) fn settle(&mut self, version: u64, save: &Save, saved: Saved, cookie: String) {
        self.saved = version;
        self.sealed_at = Some(save.sealed_at);
        self.outgoing = Outgoing::Cookie(cookie);
        if let (Some(login), Some(of_save)) = (&mut self.metadata.login, &save.metadata.login)
            && login.owner == of_save.owner
            && login.at == of_save.at
        {
            login.epoch = saved.epoch;
            self.revokes_others &= version != self.version;
        }
    }

    pub(super) fn outgoing(&self) -> Outgoing {
        self.outgoing.clone()
    }
}
