//! Saves of sessions: the session's new key and ID, the beginning of its login, and the changes
//! that are applied again to the data that other requests have saved.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::backend::{Key, Outcome};

use super::super::caller::Caller;
use super::super::id::Id;
use super::super::login::{Begun, Login};
use super::super::metadata::Metadata;
use super::super::protocol::{Intent, NewData, SeenRow};
use super::super::rows::Conclusion;
use super::super::session_data::SessionData;
use super::super::store::{IdChange, RowRef, SaveRequest, SaveResult};
use super::super::{Error, Values};
use super::SharedStore;
use super::row_locks::{LatestRow, PendingSave, Rank, RowLock};

/// The place of a session after its save, its cookie, and the beginning of its login.
struct Plan {
    id: Option<Id>,
    key: Key,
    cookie: Option<String>,
    begun: Option<Begun>,
}

impl SharedStore {
    /// Returns whether a use is noted by the row's expiry alone, without a new row.
    fn can_touch(&self, data: &SessionData) -> bool {
        self.rows.backend.keeps_expiries() && !self.setup.cookie_life.redates(&data.metadata)
    }

    /// Saves a session, in turn with the other requests of this process that save it.
    pub(super) async fn save(
        &self,
        save: SaveRequest,
        caller: &Caller,
    ) -> Result<SaveResult, Error> {
        let permits = match rank_of(&save) {
            Rank::Urgent => &self.urgent_permits,
            Rank::Save => &self.permits,
        };
        let permit = permits.try_acquire();
        let _permit = permit.map_err(|_| Error::too_many_saves(self.max_saves))?;
        let Some(row_ref) = save.row_ref.clone() else {
            return self.save_alone(&save, None, caller).await;
        };
        // If a touch cannot note the use, the save notes it in the row itself. A touch would also
        // leave the mark of a copy, and the seal of an older key.
        let metadata = &save.data.metadata;
        let lasts_longer = self.rows.expiry(metadata) > row_ref.expiry;
        let is_resealed = metadata.is_stale && lasts_longer;
        let is_noted_in_row = save.owed_cookie || metadata.is_copy || is_resealed;
        if save.is_touch && !is_noted_in_row && self.can_touch(&save.data) {
            return self.touch(&save, &row_ref, caller).await;
        }
        if save.id_change == IdChange::Same && !save.revokes_others {
            return self.save_in_place(save, &row_ref, caller).await;
        }
        let (lock, _) = self
            .locks
            .lock(&row_ref.key, rank_of(&save), caller)
            .await?;
        self.save_alone(&save, Some(lock), caller).await
    }

    /// Notes that a session was used.
    async fn touch(
        &self,
        save: &SaveRequest,
        row_ref: &RowRef,
        caller: &Caller,
    ) -> Result<SaveResult, Error> {
        let until = self.rows.expiry(&save.data.metadata);
        let saved = |row_ref: RowRef, cookie: Option<String>| SaveResult {
            cookie,
            is_for_other: false,
            begun: begun_of(&save.data),
            row_ref: Some(Arc::new(row_ref)),
            merged: None,
        };
        // The deadline limits the expiry already, so a touch could not extend it.
        let (true, Some(seen)) = (until > row_ref.expiry, &row_ref.revision) else {
            return Ok(saved(row_ref.clone(), None));
        };
        let (mut lock, latest) = self.locks.lock(&row_ref.key, Rank::Save, caller).await?;
        let is_noted = |latest: &LatestRow| self.rows.expiry(&latest.data.metadata) >= until;
        if latest.as_ref().is_some_and(is_noted) {
            lock.wrote(latest);
            return Ok(saved(row_ref.outdated(), None));
        }
        let touched = self.rows.backend.touch(&row_ref.key, seen, until).await;
        match touched? {
            Outcome::Gone => Err(Error::gone()),
            // The other request that saved the session has also noted its use.
            Outcome::Conflict => Ok(saved(row_ref.outdated(), None)),
            Outcome::Done(revision) => {
                lock.wrote(Some(LatestRow::touched(&revision, &save.data)));
                let cookie = match row_ref.is_stale || save.wants_cookie {
                    true => self.seal(row_ref.id.as_ref(), save)?,
                    false => None,
                };
                let touched = RowRef {
                    revision: Some(revision),
                    expiry: until,
                    is_stale: false,
                    ..row_ref.clone()
                };
                Ok(saved(touched, cookie))
            }
        }
    }

    /// Returns the cookie's value for that ID, or `None` if this store does not know the ID.
    fn seal(&self, id: Option<&Id>, save: &SaveRequest) -> Result<Option<String>, Error> {
        let sealed = id.map(|id| self.rows.format.seal_id(id, save.sealed_at));
        sealed.transpose()
    }

    /// Returns the ID that a session is to have, and the key of its row.
    fn place(&self, save: &SaveRequest) -> Result<(Option<Id>, Key), Error> {
        match (&save.row_ref, save.id_change) {
            (Some(row_ref), IdChange::Same) => Ok((row_ref.id.clone(), row_ref.key.clone())),
            _ => {
                let id = match &save.id {
                    Some(id) => id.clone(),
                    None => self.rows.format.new_id()?,
                };
                let key = self.rows.format.key(&id)?;
                Ok((Some(id), key))
            }
        }
    }

    /// Saves a session that stays under its key, together with other waiting saves of it.
    async fn save_in_place(
        &self,
        save: SaveRequest,
        row_ref: &RowRef,
        caller: &Caller,
    ) -> Result<SaveResult, Error> {
        let plan = Plan {
            cookie: match row_ref.is_stale || save.wants_cookie {
                true => self.seal(row_ref.id.as_ref(), &save)?,
                false => None,
            },
            id: row_ref.id.clone(),
            key: row_ref.key.clone(),
            begun: self.begin(&save, &row_ref.key).await?,
        };
        let pending = PendingSave {
            seen: row_ref.seen(),
            begun: plan.begun.clone(),
            caller: caller.clone(),
            save,
        };
        let conclusion = self.write_shared(pending).await?;
        self.saved(plan, conclusion).ok_or_else(Error::gone)
    }

    /// Saves a session by its own write. This applies to a session that is new, gets another ID, or
    /// ends the other sessions of its owner.
    async fn save_alone(
        &self,
        save: &SaveRequest,
        lock: Option<RowLock>,
        caller: &Caller,
    ) -> Result<SaveResult, Error> {
        let is_new = save.row_ref.is_none() || save.id_change != IdChange::Same;
        let (id, key) = self.place(save)?;
        if save.revokes_others {
            // A session that cannot be written must not revoke others.
            let longest = Begun::longest_in_backend();
            let data = save.data.clone().begun(Some(&longest));
            self.rows.check(&key, data)?;
        }
        let is_stale = save
            .row_ref
            .as_ref()
            .is_some_and(|row_ref| row_ref.is_stale);
        let cookie = match is_new || is_stale || save.wants_cookie {
            true => self.seal(id.as_ref(), save)?,
            false => None,
        };
        let plan = Plan {
            begun: self.begin(save, &key).await?,
            id,
            key,
            cookie,
        };
        let saved = self.write_alone(save, plan, caller).await?;
        // Ending other sessions locks their rows, so this lock must be released first.
        drop(lock);
        if is_new && save.id_change != IdChange::Renewed {
            self.end_too_many(saved.merged.as_ref().unwrap_or(&save.data))
                .await;
        }
        Ok(saved)
    }

    /// Saves a session as planned. If another request has renewed it, saves it under its present
    /// key.
    async fn write_alone(
        &self,
        save: &SaveRequest,
        plan: Plan,
        caller: &Caller,
    ) -> Result<SaveResult, Error> {
        let begun = plan.begun.as_ref();
        let recompute = |fresh: Option<&SessionData>| merge(save, begun, fresh);
        let new_data = NewData {
            data: save.data.clone().begun(begun),
            recompute: &recompute,
        };
        let intent = intent(save, plan.key.clone());
        let conclusion = self.rows.run(intent, Some(new_data), caller).await?;
        self.saved(plan, conclusion)
            .ok_or_else(|| match save.revokes_others {
                true => Error::gone_having_revoked(),
                false => Error::gone(),
            })
    }

    /// Returns the result of a save, or `None` if the session is gone. If another request has
    /// renewed the session, that request's response sets the cookie.
    fn saved(&self, plan: Plan, conclusion: Conclusion) -> Option<SaveResult> {
        let Conclusion::Saved {
            key,
            revision,
            data,
            is_merged,
        } = conclusion
        else {
            return None;
        };
        let is_there = key == plan.key;
        let row_ref = RowRef {
            id: plan.id.filter(|_| is_there),
            key,
            revision: Some(revision),
            login: data.metadata.login.clone(),
            expiry: self.rows.expiry(&data.metadata),
            is_stale: false,
            in_old: false,
        };
        Some(SaveResult {
            cookie: plan.cookie.filter(|_| is_there),
            is_for_other: false,
            begun: plan.begun,
            row_ref: Some(Arc::new(row_ref)),
            merged: is_merged.then_some(data),
        })
    }

    /// Ends a session and any session that has replaced it, before all waiting saves. Returns false
    /// if another request had already ended it.
    pub(super) async fn end(&self, seen: SeenRow<Option<Login>>) -> Result<bool, Error> {
        self.end_by(&seen.key.clone(), Intent::End { seen }).await
    }

    /// Ends the session of one login, but not a session of another login that has replaced it.
    pub(super) async fn end_login(&self, seen: SeenRow<Option<Login>>) -> Result<bool, Error> {
        self.end_by(&seen.key.clone(), Intent::EndLogin { seen })
            .await
    }

    /// Ends a session unless another request has written its row since. Returns false if one has.
    pub(super) async fn end_unchanged(&self, seen: SeenRow<Option<Login>>) -> Result<bool, Error> {
        match self
            .end_by(&seen.key.clone(), Intent::EndUnchanged { seen })
            .await
        {
            Err(error) if error.is_conflict() => Ok(false),
            ended => ended.map(|_| true),
        }
    }

    async fn end_by(&self, key: &Key, intent: Intent<SessionData>) -> Result<bool, Error> {
        let caller = Caller::new(self.save_timeout, CancellationToken::new());
        let (_lock, _) = self.locks.lock(key, Rank::Urgent, &caller).await?;
        let conclusion = self.rows.run(intent, None, &caller).await?;
        Ok(matches!(conclusion, Conclusion::Ended))
    }

    /// Ends an owner's sessions beyond the limit after a login. If that fails, the new session
    /// still exists, and its client gets the cookie.
    async fn end_too_many(&self, data: &SessionData) {
        if let Err(error) = self.end_the_oldest(data).await {
            let cookie = self.setup.cookie.name();
            tracing::error!(cookie, %error, "an owner may have more sessions than max_sessions");
        }
    }
}

/// Returns whether a save goes before those that wait: if it is a login, gives a session another
/// ID, or ends sessions. A logout that is followed by a write is such a save, too.
fn rank_of(save: &SaveRequest) -> Rank {
    let is_login = save.row_ref.is_none() && save.data.metadata.login.is_some();
    match is_login || save.id_change != IdChange::Same || save.revokes_others {
        true => Rank::Urgent,
        false => Rank::Save,
    }
}

fn begun_of(data: &SessionData) -> Option<Begun> {
    data.metadata.login.as_ref()?.begun.clone()
}

/// Returns the protocol's task for a session that will be under `key`.
fn intent(save: &SaveRequest, key: Key) -> Intent<SessionData> {
    match (&save.row_ref, save.id_change) {
        (None, _) => Intent::Create { key },
        (Some(row_ref), IdChange::Same) => Intent::Save {
            seen: row_ref.seen(),
        },
        (Some(row_ref), IdChange::Renewed) => Intent::Renew {
            seen: row_ref.seen(),
            to: key,
        },
        (Some(row_ref), IdChange::Replaced { keeps }) => Intent::Replace {
            seen: row_ref.seen(),
            to: key,
            keeps,
        },
    }
}

/// Returns the data after this request's changes are applied again, either to the data that
/// other requests saved, or to an empty session.
pub(super) fn merge(
    save: &SaveRequest,
    begun: Option<&Begun>,
    fresh: Option<&SessionData>,
) -> Result<SessionData, Error> {
    let mut data = fresh.cloned().unwrap_or_else(|| SessionData {
        values: Values::of_model(save.data.values.model().clone()),
        metadata: save.data.metadata.clone(),
    });
    let ends = |of: &Metadata| (of.remembered, of.deadline);
    let before = ends(&data.metadata);
    save.log.replay(&mut data)?;
    match save.id_change {
        IdChange::Replaced { .. } => data.metadata = save.data.metadata.clone(),
        IdChange::Same | IdChange::Renewed => {
            let metadata = &mut data.metadata;
            metadata.seen = metadata.seen.max(save.data.metadata.seen);
            // If another request has renewed the session, this response does not set the cookie,
            // and the next one must.
            metadata.owes_cookie |= ends(metadata) != before;
        }
    }
    Ok(data.begun(begun))
}
