//! What a save asks of the rows: which key and ID a session has from then on, how its login
//! began, and how it is made again on what other requests have saved.

use std::sync::Arc;

use crate::backend::{Key, Outcome};

use super::super::content::Content;
use super::super::id::Id;
use super::super::login::Begun;
use super::super::metadata::Metadata;
use super::super::protocol::{Intent, Work};
use super::super::rows::Driven;
use super::super::store::{Fate, Kept, Save, Saved};
use super::super::{Error, Values};
use super::Shared;

impl Shared {
    /// Whether use is noted by the row's expiry alone, and not within the row.
    pub(super) fn can_touch(&self, content: &Content) -> bool {
        let keeps_expiries = self.rows.backend.layout().keeps_expiries();
        keeps_expiries && !self.setup.cookie_life.redates(&content.metadata)
    }

    /// Notes that a session was used.
    pub(super) async fn touch(&self, save: &Save, kept: &Kept) -> Result<Saved, Error> {
        let until = self.rows.expiry(&save.content.metadata);
        let saved = |kept: Kept, cookie: Option<String>| Saved {
            cookie,
            begun: begun_of(&save.content),
            kept: Some(Arc::new(kept)),
            merged: None,
        };
        // Its deadline is near: it lives as long as it may.
        let (true, Some(seen)) = (until > kept.expiry, &kept.revision) else {
            return Ok(saved(kept.clone(), None));
        };
        let touched = self.rows.backend.touch(&kept.key, seen, until).await;
        match touched.map_err(Error::of_backend)? {
            Outcome::Gone => Err(Error::gone()),
            // Whoever saved it meanwhile has noted it, too.
            Outcome::Conflict => Ok(saved(kept.outdated(), None)),
            Outcome::Done(revision) => {
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

    /// What the cookie of that ID holds; none, if the ID is not known here.
    fn seal(&self, id: Option<&Id>, save: &Save) -> Result<Option<String>, Error> {
        let sealed = id.map(|id| self.rows.format.seal_id(id, save.sealed_at));
        sealed.transpose()
    }

    /// The ID that a session is to have, and the key of its row.
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

    pub(super) async fn save(&self, save: &Save) -> Result<Saved, Error> {
        let is_new = save.kept.is_none() || save.fate != Fate::Stays;
        let (id, key) = self.place(save)?;
        if save.revokes_others {
            // What cannot be written revokes nobody.
            let longest = Begun::longest_in_backend();
            let content = save.content.clone().begun(Some(&longest));
            self.rows.check(&key, content)?;
        }
        let is_stale = save.kept.as_ref().is_some_and(|kept| kept.is_stale);
        let cookie = match is_new || is_stale || save.wants_cookie {
            true => self.seal(id.as_ref(), save)?,
            false => None,
        };
        let begun = self.begin(save, &key).await?;
        let saved = self.save_to(id, key, cookie, save, begun).await?;
        if is_new && save.fate != Fate::Renewed {
            self.end_too_many(saved.merged.as_ref().unwrap_or(&save.content))
                .await;
        }
        Ok(saved)
    }

    /// Saves a session under that key, unless another request has renewed it: then wherever it
    /// is now, and that request's response has the cookie.
    async fn save_to(
        &self,
        id: Option<Id>,
        key: Key,
        cookie: Option<String>,
        save: &Save,
        begun: Option<Begun>,
    ) -> Result<Saved, Error> {
        let intended = key.clone();
        let again = |fresh: Option<&Content>| merge(save, begun.as_ref(), fresh);
        let work = Work {
            content: save.content.clone().begun(begun.as_ref()),
            again: &again,
        };
        let driven = self.rows.drive(intent(save, key), Some(work)).await?;
        let Driven::Saved {
            key,
            revision,
            content,
            is_merged,
        } = driven
        else {
            return Err(match save.revokes_others {
                true => Error::gone_having_revoked(),
                false => Error::gone(),
            });
        };
        let is_there = key == intended;
        let kept = Kept {
            id: id.filter(|_| is_there),
            key,
            revision: Some(revision),
            login: content.metadata.login.clone(),
            expiry: self.rows.expiry(&content.metadata),
            is_stale: false,
        };
        Ok(Saved {
            cookie: cookie.filter(|_| is_there),
            begun,
            kept: Some(Arc::new(kept)),
            merged: is_merged.then_some(content),
        })
    }

    /// Ends sessions of an owner that are too many after a login. If that fails, the session is
    /// there all the same, and its client gets the cookie.
    async fn end_too_many(&self, content: &Content) {
        if let Err(error) = self.end_the_oldest(content).await {
            let cookie = self.setup.cookie.name();
            tracing::error!(cookie, %error, "an owner may have more sessions than allowed");
        }
    }
}

fn begun_of(content: &Content) -> Option<Begun> {
    content.metadata.login.as_ref()?.begun.clone()
}

/// What there is to do for a session, and where it is from now on.
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

/// What a session holds where this request's changes are made again: on what others saved,
/// or on nothing.
fn merge(save: &Save, begun: Option<&Begun>, fresh: Option<&Content>) -> Result<Content, Error> {
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
            // Another request may have renewed the session: then this response does not set the
            // cookie, and the next one has to.
            metadata.owes_cookie |= ends(metadata) != before;
        }
    }
    Ok(content.begun(begun))
}
