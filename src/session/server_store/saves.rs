//! Saves of sessions: the session's new key and ID, the beginning of its login, and the changes
//! that are applied again to the content that other requests have saved.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::backend::{Key, Outcome};

use super::super::caller::Caller;
use super::super::content::Content;
use super::super::id::Id;
use super::super::login::{Begun, Login};
use super::super::metadata::Metadata;
use super::super::protocol::{Intent, Seen, Work};
use super::super::rows::Driven;
use super::super::store::{Fate, Kept, Save, Saved};
use super::super::{Error, Values};
use super::Shared;
use super::row_locks::{Latest, PendingSave, Rank, RowLock};

/// The place of a session after its save, its cookie, and the beginning of its login.
struct Plan {
    id: Option<Id>,
    key: Key,
    cookie: Option<String>,
    begun: Option<Begun>,
}

impl Shared {
    /// Returns whether a use is noted by the row's expiry alone, without a new row.
    fn can_touch(&self, content: &Content) -> bool {
        self.rows.backend.keeps_expiries() && !self.setup.cookie_life.redates(&content.metadata)
    }

    /// Saves a session, in turn with the other requests of this process that save it.
    pub(super) async fn save(&self, save: Save, caller: &Caller) -> Result<Saved, Error> {
        let permits = match rank_of(&save) {
            Rank::Urgent => &self.urgent_permits,
            Rank::Save => &self.permits,
        };
        let permit = permits.try_acquire();
        let _permit = permit.map_err(|_| Error::too_many_saves(self.max_saves))?;
        let Some(kept) = save.kept.clone() else {
            return self.save_alone(&save, None, caller).await;
        };
        // If a touch cannot note the use, the save notes it in the row itself.
        if save.is_touch && !save.owed_cookie && self.can_touch(&save.content) {
            return self.touch(&save, &kept, caller).await;
        }
        if save.fate == Fate::Stays && !save.revokes_others {
            return self.save_in_place(save, &kept, caller).await;
        }
        let (lock, _) = self.locks.lock(&kept.key, rank_of(&save), caller).await?;
        self.save_alone(&save, Some(lock), caller).await
    }

    /// Notes that a session was used.
    async fn touch(&self, save: &Save, kept: &Kept, caller: &Caller) -> Result<Saved, Error> {
        let until = self.rows.expiry(&save.content.metadata);
        let saved = |kept: Kept, cookie: Option<String>| Saved {
            cookie,
            begun: begun_of(&save.content),
            kept: Some(Arc::new(kept)),
            merged: None,
        };
        // The deadline limits the expiry already, so a touch could not extend it.
        let (true, Some(seen)) = (until > kept.expiry, &kept.revision) else {
            return Ok(saved(kept.clone(), None));
        };
        let (mut lock, latest) = self.locks.lock(&kept.key, Rank::Save, caller).await?;
        let is_noted = |latest: &Latest| self.rows.expiry(&latest.content.metadata) >= until;
        if latest.as_ref().is_some_and(is_noted) {
            lock.wrote(latest);
            return Ok(saved(kept.outdated(), None));
        }
        let touched = self.rows.backend.touch(&kept.key, seen, until).await;
        match touched.map_err(Error::of_backend)? {
            Outcome::Gone => Err(Error::gone()),
            // The other request that saved the session has also noted its use.
            Outcome::Conflict => Ok(saved(kept.outdated(), None)),
            Outcome::Done(revision) => {
                lock.wrote(Some(Latest::touched(&revision, &save.content)));
                let cookie = match kept.is_stale || save.wants_cookie {
                    true => self.seal(kept.id.as_ref(), save)?,
                    false => None,
                };
                let touched = Kept {
                    revision: Some(revision),
                    expiry: until,
                    is_stale: false,
                    ..kept.clone()
                };
                Ok(saved(touched, cookie))
            }
        }
    }

    /// Returns the cookie's value for that ID, or `None` if this store does not know the ID.
    fn seal(&self, id: Option<&Id>, save: &Save) -> Result<Option<String>, Error> {
        let sealed = id.map(|id| self.rows.format.seal_id(id, save.sealed_at));
        sealed.transpose()
    }

    /// Returns the ID that a session is to have, and the key of its row.
    fn place(&self, save: &Save) -> Result<(Option<Id>, Key), Error> {
        match (&save.kept, save.fate) {
            (Some(kept), Fate::Stays) => Ok((kept.id.clone(), kept.key.clone())),
            _ => {
                let id = self.rows.format.new_id()?;
                let key = self.rows.format.key(&id)?;
                Ok((Some(id), key))
            }
        }
    }

    /// Saves a session that stays under its key, together with other waiting saves of it.
    async fn save_in_place(
        &self,
        save: Save,
        kept: &Kept,
        caller: &Caller,
    ) -> Result<Saved, Error> {
        let plan = Plan {
            cookie: match kept.is_stale || save.wants_cookie {
                true => self.seal(kept.id.as_ref(), &save)?,
                false => None,
            },
            id: kept.id.clone(),
            key: kept.key.clone(),
            begun: self.begin(&save, &kept.key).await?,
        };
        let pending = PendingSave {
            seen: kept.seen(),
            begun: plan.begun.clone(),
            caller: caller.clone(),
            save,
        };
        let driven = self.write_shared(pending).await?;
        self.saved(plan, driven).ok_or_else(Error::gone)
    }

    /// Saves a session by its own write. This applies to a session that is new, gets another ID, or
    /// ends the other sessions of its owner.
    async fn save_alone(
        &self,
        save: &Save,
        lock: Option<RowLock>,
        caller: &Caller,
    ) -> Result<Saved, Error> {
        let is_new = save.kept.is_none() || save.fate != Fate::Stays;
        let (id, key) = self.place(save)?;
        if save.revokes_others {
            // A session that cannot be written must not revoke others.
            let longest = Begun::longest_in_backend();
            let content = save.content.clone().begun(Some(&longest));
            self.rows.check(&key, content)?;
        }
        let is_stale = save.kept.as_ref().is_some_and(|kept| kept.is_stale);
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
        if is_new && save.fate != Fate::Renewed {
            self.end_too_many(saved.merged.as_ref().unwrap_or(&save.content))
                .await;
        }
        Ok(saved)
    }

    /// Saves a session as planned. If another request has renewed it, saves it under its present
    /// key.
    async fn write_alone(&self, save: &Save, plan: Plan, caller: &Caller) -> Result<Saved, Error> {
        let begun = plan.begun.as_ref();
        let again = |fresh: Option<&Content>| merge(save, begun, fresh);
        let work = Work {
            content: save.content.clone().begun(begun),
            again: &again,
        };
        let intent = intent(save, plan.key.clone());
        let driven = self.rows.drive(intent, Some(work), caller).await?;
        self.saved(plan, driven)
            .ok_or_else(|| match save.revokes_others {
                true => Error::gone_having_revoked(),
                false => Error::gone(),
            })
    }

    /// Returns the result of a save, or `None` if the session is gone. If another request has
    /// renewed the session, that request's response sets the cookie.
    fn saved(&self, plan: Plan, driven: Driven) -> Option<Saved> {
        let Driven::Saved {
            key,
            revision,
            content,
            is_merged,
        } = driven
        else {
            return None;
        };
        let is_there = key == plan.key;
        let kept = Kept {
            id: plan.id.filter(|_| is_there),
            key,
            revision: Some(revision),
            login: content.metadata.login.clone(),
            expiry: self.rows.expiry(&content.metadata),
            is_stale: false,
        };
        Some(Saved {
            cookie: plan.cookie.filter(|_| is_there),
            begun: plan.begun,
            kept: Some(Arc::new(kept)),
            merged: is_merged.then_some(content),
        })
    }

    /// Ends a session and any session that has replaced it, before all waiting saves. Returns false
    /// if another request had already ended it.
    pub(super) async fn end(&self, seen: Seen<Option<Login>>) -> Result<bool, Error> {
        self.end_by(&seen.key.clone(), Intent::End { seen }).await
    }

    /// Ends the session of one login, but not a session of another login that has replaced it.
    pub(super) async fn end_login(&self, seen: Seen<Option<Login>>) -> Result<bool, Error> {
        self.end_by(&seen.key.clone(), Intent::EndLogin { seen })
            .await
    }

    async fn end_by(&self, key: &Key, intent: Intent<Content>) -> Result<bool, Error> {
        let caller = Caller::new(self.save_timeout, CancellationToken::new());
        let (_lock, _) = self.locks.lock(key, Rank::Urgent, &caller).await?;
        let driven = self.rows.drive(intent, None, &caller).await?;
        Ok(matches!(driven, Driven::Ended))
    }

    /// Ends an owner's sessions beyond the limit after a login. If that fails, the new session
    /// still exists, and its client gets the cookie.
    async fn end_too_many(&self, content: &Content) {
        if let Err(error) = self.end_the_oldest(content).await {
            let cookie = self.setup.cookie.name();
            tracing::error!(cookie, %error, "an owner may have more sessions than max_sessions");
        }
    }
}

/// Returns whether a save goes before those that wait: if it is a login, gives a session another
/// ID, or ends sessions. A logout that is followed by a write is such a save, too.
fn rank_of(save: &Save) -> Rank {
    let is_login = save.kept.is_none() && save.content.metadata.login.is_some();
    match is_login || save.fate != Fate::Stays || save.revokes_others {
        true => Rank::Urgent,
        false => Rank::Save,
    }
}

fn begun_of(content: &Content) -> Option<Begun> {
    content.metadata.login.as_ref()?.begun.clone()
}

/// Returns the protocol's task for a session that will be under `key`.
fn intent(save: &Save, key: Key) -> Intent<Content> {
    match (&save.kept, save.fate) {
        (None, _) => Intent::Create { key },
        (Some(kept), Fate::Stays) => Intent::Save { seen: kept.seen() },
        (Some(kept), Fate::Renewed) => Intent::Renew {
            seen: kept.seen(),
            to: key,
        },
        (Some(kept), Fate::Replaced { keeps }) => Intent::Replace {
            seen: kept.seen(),
            to: key,
            keeps,
        },
    }
}

/// Returns the content after this request's changes are applied again, either to the content that
/// other requests saved, or to an empty session.
pub(super) fn merge(
    save: &Save,
    begun: Option<&Begun>,
    fresh: Option<&Content>,
) -> Result<Content, Error> {
    let mut content = fresh.cloned().unwrap_or_else(|| Content {
        values: Values::of_model(save.content.values.model().clone()),
        metadata: save.content.metadata.clone(),
    });
    let ends = |of: &Metadata| (of.remembered, of.deadline);
    let before = ends(&content.metadata);
    save.log.replay(&mut content)?;
    match save.fate {
        Fate::Replaced { .. } => content.metadata = save.content.metadata.clone(),
        Fate::Stays | Fate::Renewed => {
            let metadata = &mut content.metadata;
            metadata.seen = metadata.seen.max(save.content.metadata.seen);
            // If another request has renewed the session, this response does not set the cookie,
            // and the next one must.
            metadata.owes_cookie |= ends(metadata) != before;
        }
    }
    Ok(content.begun(begun))
}
