//! Decides what must be done before a response leaves: nothing, a save, or an end. Notes what was
//! saved.

use std::sync::Arc;

use crate::backend::OwnerName;
use crate::codec::UnixTime;

use super::super::store::{IdChange, RowRef, SaveRequest, SaveResult};
use super::super::{Error, Lifetime};
use super::{Phase, RequestCookie, ResponseCookie, State};

/// The tasks of a commit.
pub(in super::super) struct CommitPlan {
    /// The owners to revoke. The owner of a session that is saved is not among them.
    pub(in super::super) revoke: Vec<OwnerName>,
    pub(in super::super) task: CommitTask,
    /// True if the session ends here, and only the client's cookie has it.
    pub(in super::super) ends_cookie: bool,
}

impl CommitPlan {
    fn new(revoke: Vec<OwnerName>, task: CommitTask) -> Self {
        CommitPlan {
            revoke,
            task,
            ends_cookie: false,
        }
    }

    pub(in super::super) fn is_nothing(&self) -> bool {
        self.revoke.is_empty() && matches!(self.task, CommitTask::Nothing)
    }
}

pub(in super::super) enum CommitTask {
    Nothing,
    /// Ends the stored session.
    End(Arc<RowRef>),
    Save(Box<SaveSnapshot>),
}

/// A session to be saved as it is now.
pub(in super::super) struct SaveSnapshot {
    pub(in super::super) save: SaveRequest,
    pub(super) version: u64,
    pub(super) incarnation: u64,
    pub(super) log_end: usize,
}

impl State {
    /// Returns the plan for a response that leaves now. It is empty if the session was not
    /// changed and its use does not have to be recorded yet.
    pub(in super::super) fn plan_commit(
        &mut self,
        lifetime: &Lifetime,
        now: UnixTime,
    ) -> Result<CommitPlan, Error> {
        match self.phase {
            _ if self.ends_in_vain() => Err(self.moved_or_ambiguous()),
            Phase::LoggedOut | Phase::Ended => Ok(self.plan_end()),
            Phase::Gone => Err(Error::gone()),
            Phase::InDoubt => Err(Error::in_doubt()),
            Phase::Live if self.leaves_cookie => self.plan_leaving_cookie(),
            Phase::Live => Ok(self.plan_save(lifetime, now)),
        }
    }

    fn plan_end(&mut self) -> CommitPlan {
        let was_removed = matches!(self.response_cookie, ResponseCookie::Removed);
        self.response_cookie = match self.request_cookie {
            RequestCookie::Present | RequestCookie::Dead if !self.leaves_cookie => {
                ResponseCookie::Removed
            }
            _ => ResponseCookie::Unchanged,
        };
        CommitPlan {
            revoke: self.revokes.clone(),
            task: self
                .row_ref
                .clone()
                .map_or(CommitTask::Nothing, CommitTask::End),
            ends_cookie: self.row_ref.is_none()
                && self.has_opened()
                && !self.has_ended
                && !was_removed
                && matches!(self.response_cookie, ResponseCookie::Removed),
        }
    }

    /// Returns the plan to end a session that was logged out, whatever was written after that.
    /// Nothing is saved.
    fn plan_leaving_cookie(&mut self) -> Result<CommitPlan, Error> {
        match self.id_change {
            IdChange::Replaced { .. } => Ok(self.plan_end()),
            _ if self.has_changes() => Err(self.moved_or_ambiguous()),
            _ => Ok(CommitPlan::new(Vec::new(), CommitTask::Nothing)),
        }
    }

    /// Returns the error of a request that cannot save, because the client may have a good cookie
    /// that was not in the request.
    pub(in super::super) fn moved_or_ambiguous(&self) -> Error {
        match self.refusal {
            Some(refusal) if refusal.may_be_planted() => Error::ambiguous(),
            _ => Error::moved(),
        }
    }

    fn plan_save(&mut self, lifetime: &Lifetime, now: UnixTime) -> CommitPlan {
        let metadata = &self.data.metadata;
        let owner = metadata.owner();
        let revokes_others = owner.is_some_and(|owner| self.revokes.contains(owner));
        let others = self.revokes.iter().filter(|of| Some(*of) != owner);
        let revoke = others.cloned().collect();
        let is_use = self.sealed_at.is_some() && !self.is_passive;
        let touches = is_use && metadata.wants_touch(lifetime, now);
        let is_touch = !self.has_changes();
        let is_elsewhere = self.is_renewed_elsewhere();
        let pays = metadata.owes_cookie && !is_elsewhere;
        if is_touch && !touches && !pays {
            return CommitPlan::new(revoke, CommitTask::Nothing);
        }
        let mut data = self.data.clone();
        let owed_cookie = data.metadata.owes_cookie;
        if !self.is_passive {
            data.metadata.seen = data.metadata.seen.max(now);
        }
        let sealed_at = match self.cookie_life.redates(&data.metadata) {
            true => now,
            false => self.sealed_at.unwrap_or(now),
        };
        let wants_cookie = owed_cookie
            || self.cookie_end != self.cookie_life.end(&data.metadata)
            || self.sealed_at.is_some_and(|at| at != sealed_at);
        data.metadata.owes_cookie = is_elsewhere && wants_cookie;
        let save = SaveRequest {
            wants_cookie,
            owed_cookie,
            data,
            sealed_at,
            opener: self.opener.clone(),
            is_first: self.sealed_at.is_none(),
            replaces: self.sealed_at.is_none() && self.has_opened(),
            revokes_others,
            lasts_longer: self.lasts_longer,
            is_touch,
            row_ref: self.row_ref.clone(),
            id_change: self.id_change,
            id: None,
            log: self.log.clone().unwrap_or_default(),
        };
        let snapshot = SaveSnapshot {
            save,
            version: self.version,
            incarnation: self.incarnation,
            log_end: self.log_end(),
        };
        CommitPlan::new(revoke, CommitTask::Save(Box::new(snapshot)))
    }

    /// Notes that the session was saved, unless this handle is another session by now.
    ///
    /// The saved changes are still in `snapshot`, and are dropped with it and not here. Dropping them
    /// runs code of the application, which may look at the session.
    pub(in super::super) fn settle(
        &mut self,
        snapshot: &SaveSnapshot,
        saved: SaveResult,
        cookie: Option<String>,
    ) {
        let is_latest = snapshot.version == self.version;
        if let Some(log) = &mut self.log {
            log.forget_to(snapshot.log_end);
        }
        if snapshot.incarnation != self.incarnation {
            // The present session replaces the one that was saved.
            self.row_ref = match (saved.row_ref, saved.merged) {
                (Some(row_ref), Some(_)) => Some(Arc::new(row_ref.outdated())),
                (row_ref, _) => row_ref,
            };
            return;
        }
        self.saved = snapshot.version;
        self.sealed_at = Some(snapshot.save.sealed_at);
        self.data.metadata.seen = snapshot.save.data.metadata.seen;
        if let Some(cookie) = cookie {
            let data = saved.merged.as_ref().unwrap_or(&snapshot.save.data);
            self.cookie_end = self.cookie_life.end(&data.metadata);
            self.response_cookie = ResponseCookie::Set(cookie);
        }
        self.row_ref = match (saved.row_ref, &saved.merged) {
            // The changes of other requests are not in the values here. The next save must read the
            // row again.
            (Some(row_ref), Some(_)) if !is_latest => Some(Arc::new(row_ref.outdated())),
            (row_ref, _) => row_ref,
        };
        self.id_change = match self.id_changed_at <= snapshot.version {
            true => IdChange::Same,
            // For the same session, only a renewal can have been decided since.
            false => IdChange::Renewed,
        };
        if self.is_renewed_elsewhere() {
            // A cookie from an earlier save has the old ID.
            self.response_cookie = ResponseCookie::Unchanged;
        }
        if is_latest && let Some(merged) = saved.merged {
            self.data = merged;
        }
        if let Some(login) = &mut self.data.metadata.login {
            login.begun = saved.begun;
            if snapshot.save.revokes_others {
                self.revokes.retain(|of| *of != login.owner);
            }
        }
        self.lasts_longer &= !is_latest;
    }
}

impl SaveSnapshot {
    pub(in super::super) fn incarnation(&self) -> u64 {
        self.incarnation
    }
}
