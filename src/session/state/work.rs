//! Decides what must be done before a response leaves: nothing, a save, or an end. Notes what was
//! saved.

use std::sync::Arc;

use crate::backend::OwnerName;
use crate::codec::UnixTime;

use super::super::store::{Fate, Kept, Save, Saved};
use super::super::{Error, Lifetime};
use super::{Came, Outgoing, Phase, State};

/// The tasks of a commit.
pub(in super::super) struct Work {
    /// The owners to revoke. The owner of a session that is saved is not among them.
    pub(in super::super) revoke: Vec<OwnerName>,
    pub(in super::super) task: Task,
}

impl Work {
    pub(in super::super) fn is_nothing(&self) -> bool {
        self.revoke.is_empty() && matches!(self.task, Task::Nothing)
    }
}

pub(in super::super) enum Task {
    Nothing,
    /// Ends the stored session.
    End(Arc<Kept>),
    Save(Box<Saving>),
}

/// A session to be saved as it is now.
pub(in super::super) struct Saving {
    pub(in super::super) save: Save,
    pub(super) version: u64,
    pub(super) incarnation: u64,
    pub(super) log_end: usize,
}

impl State {
    /// Returns the work for a response that leaves now. There is no work if the session was not
    /// changed and its use does not have to be recorded yet.
    pub(in super::super) fn work(
        &mut self,
        lifetime: &Lifetime,
        now: UnixTime,
    ) -> Result<Work, Error> {
        match self.phase {
            _ if self.ends_in_vain() => Err(self.not_saved()),
            Phase::LoggedOut | Phase::Ended => Ok(self.work_to_end()),
            Phase::Gone => Err(Error::gone()),
            Phase::InDoubt => Err(Error::in_doubt()),
            Phase::Live if self.leaves_cookie => self.work_leaving_cookie(),
            Phase::Live => Ok(self.work_to_save(lifetime, now)),
        }
    }

    fn work_to_end(&mut self) -> Work {
        self.outgoing = match self.came {
            Came::Cookie | Came::DeadCookie if !self.leaves_cookie => Outgoing::Removal,
            _ => Outgoing::Nothing,
        };
        Work {
            revoke: self.revokes.clone(),
            task: self.kept.clone().map_or(Task::Nothing, Task::End),
        }
    }

    /// Returns the work to end a session that was logged out, whatever was written after that.
    /// Nothing is saved.
    fn work_leaving_cookie(&mut self) -> Result<Work, Error> {
        match self.fate {
            Fate::Replaced { .. } => Ok(self.work_to_end()),
            _ if self.has_changes() => Err(self.not_saved()),
            _ => Ok(Work {
                revoke: Vec::new(),
                task: Task::Nothing,
            }),
        }
    }

    /// Returns the error of a request that cannot save, because the client may have a good cookie
    /// that was not in the request.
    pub(in super::super) fn not_saved(&self) -> Error {
        match self.refusal {
            Some(refusal) if refusal.may_be_planted() => Error::ambiguous(),
            _ => Error::moved(),
        }
    }

    fn work_to_save(&mut self, lifetime: &Lifetime, now: UnixTime) -> Work {
        let metadata = &self.content.metadata;
        let owner = metadata.login.as_ref().map(|login| &login.owner);
        let revokes_others = owner.is_some_and(|owner| self.revokes.contains(owner));
        let others = self.revokes.iter().filter(|of| Some(*of) != owner);
        let revoke = others.cloned().collect();
        let is_use = self.sealed_at.is_some() && !self.is_passive;
        let touches = is_use && metadata.wants_touch(lifetime, now);
        let is_touch = !self.has_changes();
        let is_elsewhere = self.is_renewed_elsewhere();
        let pays = metadata.owes_cookie && !is_elsewhere;
        if is_touch && !touches && !pays {
            let task = Task::Nothing;
            return Work { revoke, task };
        }
        let mut content = self.content.clone();
        let owed_cookie = content.metadata.owes_cookie;
        if !self.is_passive {
            content.metadata.seen = content.metadata.seen.max(now);
        }
        let sealed_at = match self.cookie_life.redates(&content.metadata) {
            true => now,
            false => self.sealed_at.unwrap_or(now),
        };
        let wants_cookie = owed_cookie
            || self.cookie_end != self.cookie_life.end(&content.metadata)
            || self.sealed_at.is_some_and(|at| at != sealed_at);
        content.metadata.owes_cookie = is_elsewhere && wants_cookie;
        let save = Save {
            wants_cookie,
            owed_cookie,
            content,
            sealed_at,
            revokes_others,
            lasts_longer: self.lasts_longer,
            is_touch,
            kept: self.kept.clone(),
            fate: self.fate,
            log: self.log.clone().unwrap_or_default(),
        };
        let saving = Saving {
            save,
            version: self.version,
            incarnation: self.incarnation,
            log_end: self.log_end(),
        };
        let task = Task::Save(Box::new(saving));
        Work { revoke, task }
    }

    /// Notes that the session was saved, unless this handle is another session by now.
    ///
    /// The saved changes are still in `saving`, and are dropped with it and not here. Dropping them
    /// runs code of the application, which may look at the session.
    pub(in super::super) fn settle(
        &mut self,
        saving: &Saving,
        saved: Saved,
        cookie: Option<String>,
    ) {
        let is_latest = saving.version == self.version;
        if let Some(log) = &mut self.log {
            log.forget_to(saving.log_end);
        }
        if saving.incarnation != self.incarnation {
            // The present session replaces the one that was saved.
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
            // The changes of other requests are not in the values here. The next save must read the
            // row again.
            (Some(kept), Some(_)) if !is_latest => Some(Arc::new(kept.outdated())),
            (kept, _) => kept,
        };
        self.fate = match self.fated <= saving.version {
            true => Fate::Stays,
            // For the same session, only a renewal can have been decided since.
            false => Fate::Renewed,
        };
        if self.is_renewed_elsewhere() {
            // A cookie from an earlier save has the old ID.
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
}

impl Saving {
    pub(in super::super) fn incarnation(&self) -> u64 {
        self.incarnation
    }
}
