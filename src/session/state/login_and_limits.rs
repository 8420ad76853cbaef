//! The login of a session, its end, its ID and its limits.

use std::sync::Arc;

use crate::codec::UnixTime;

use super::super::clear_site_data::ClearSiteData;
use super::super::key_binding::KeyBinding;
use super::super::login::{Login, owner_name};
use super::super::metadata::Metadata;
use super::super::session_data::{Change, SessionData};
use super::super::store::IdChange;
use super::super::{Error, Lifetime, Refusal};
use super::{Phase, State};

impl State {
    /// Begins a new session, with `owner` logged in. It may follow `end`.
    pub(in super::super) fn login(
        &mut self,
        owner: String,
        keeps_values: bool,
        binding: Option<KeyBinding>,
        lifetime: &Lifetime,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.check_not_closed()?;
        let owner = owner_name(owner)?;
        // A session that has ended has no values to keep.
        let keeps = keeps_values && self.phase == Phase::Live && !self.leaves_cookie;
        let kept_values = keeps.then(|| (self.data.values.clone(), self.log.clone()));
        let opener = self.opener.clone().filter(|_| keeps);
        let keeps_values_of_old = !matches!(self.id_change, IdChange::Replaced { keeps: false });
        self.begin_anew(Phase::Live, lifetime, now);
        self.opener = opener;
        if let Some((values, log)) = kept_values {
            self.data.values = values;
            self.log = log;
            self.id_change = IdChange::Replaced {
                keeps: keeps_values_of_old,
            };
        }
        self.data.metadata.login = Some(Login {
            owner,
            at: now,
            begun: None,
        });
        self.data.metadata.binding = binding;
        self.has_new_login = true;
        Ok(())
    }

    /// Ends the session. The next change begins a new one.
    pub(in super::super) fn logout(
        &mut self,
        lifetime: &Lifetime,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.check_open()?;
        self.begin_anew(Phase::LoggedOut, lifetime, now);
        Ok(())
    }

    /// Ends the session as `logout` does, and lets the client clear that data with the response.
    pub(in super::super) fn logout_clearing(
        &mut self,
        data: &[ClearSiteData],
        lifetime: &Lifetime,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.logout(lifetime, now)?;
        self.clear_site_data = ClearSiteData::field(data);
        Ok(())
    }

    /// Ends the session. Only a login may follow.
    pub(in super::super) fn end(
        &mut self,
        lifetime: &Lifetime,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.check_not_closed()?;
        if self.phase != Phase::Gone {
            self.begin_anew(Phase::Ended, lifetime, now);
        }
        Ok(())
    }

    /// Begins a new session, and keeps only the owners to revoke and the place of the session that
    /// it replaces.
    fn begin_anew(&mut self, phase: Phase, lifetime: &Lifetime, now: UnixTime) {
        // A login sets a cookie of its own.
        let is_login = phase == Phase::Live;
        self.has_new_login = false;
        self.clear_site_data = None;
        #[cfg(feature = "dbsc")]
        {
            self.proof = super::super::binding::SessionProof::default();
        }
        self.leaves_cookie = !is_login && self.refusal.is_some_and(Refusal::leaves_cookie);
        self.phase = phase;
        self.incarnation += 1;
        // A change that was computed from the old session must not be applied to the new one.
        self.version += 1;
        self.data.values.clear();
        self.opener = None;
        self.data.metadata = Metadata::new(lifetime, now);
        if let Some(log) = &mut self.log {
            log.clear();
        }
        self.sealed_at = None;
        self.lasts_longer = false;
        self.decide(IdChange::Replaced { keeps: false });
    }

    /// Decides the fate of the stored session.
    fn decide(&mut self, id_change: IdChange) {
        self.id_change = id_change;
        self.id_changed_at = self.version;
    }

    /// Gives the session another ID. With `restart`, its limits count from that time.
    pub(in super::super) fn renew(
        &mut self,
        restart: Option<(&Lifetime, UnixTime)>,
    ) -> Result<(), Error> {
        match restart {
            Some((lifetime, now)) => {
                let lifetime = lifetime.clone();
                let restart = move |data: &mut SessionData| {
                    data.metadata.restart(&lifetime, now);
                    Ok(())
                };
                self.apply(restart.clone(), || Arc::new(restart))?;
            }
            None => self.change(|_| Ok(()))?,
        }
        let is_renewed = self.is_renewed_elsewhere();
        // A session that replaces another gets a new ID anyway. The fate counts for this version,
        // in case an earlier version is saved before it.
        self.decide(match self.id_change {
            IdChange::Same if !is_renewed => IdChange::Renewed,
            id_change => id_change,
        });
        Ok(())
    }

    pub(in super::super) fn end_others(&mut self) -> Result<(), Error> {
        let Some(login) = &self.data.metadata.login else {
            self.check_open()?;
            return Err(Error::usage(
                "the session has no owner, and so no other sessions: log in first",
            ));
        };
        let owner = login.owner.clone();
        self.change(|_| Ok(()))?;
        if !self.revokes.contains(&owner) {
            self.revokes.push(owner);
        }
        Ok(())
    }

    pub(in super::super) fn remember(
        &mut self,
        remembered: bool,
        lifetime: &Lifetime,
    ) -> Result<(), Error> {
        self.check_open()?;
        if self.data.metadata.remembered == remembered {
            return Ok(());
        }
        let lifetime = lifetime.clone();
        let change = move |data: &mut SessionData| {
            data.metadata.remember(remembered, &lifetime);
            Ok(())
        };
        self.apply(change.clone(), || Arc::new(change))
    }

    pub(in super::super) fn set_deadline(
        &mut self,
        deadline: UnixTime,
        lifetime: &Lifetime,
    ) -> Result<(), Error> {
        // If another request has set other limits, the deadline is kept within them.
        let again = || -> Change {
            let lifetime = lifetime.clone();
            Arc::new(move |data| {
                data.metadata.cut_deadline(deadline, &lifetime);
                Ok(())
            })
        };
        self.apply(|data| data.metadata.set_deadline(deadline, lifetime), again)
    }
}
