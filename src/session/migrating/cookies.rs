//! Loads, saves and ends sessions that were in cookies.
//!
//! The text of a cookie determines the ID of its session in the new store, and the key of the mark
//! that the text is *spent*. The mark is a tombstone that names the session's row, and stays as long
//! as the text would open:
//!
//! 1. The session is created in the new store. Without the mark, its ID opens nothing: no cookie has
//!    it yet.
//! 2. The mark is created. This is the commit: of concurrent requests, one creates it.
//!
//! A logout creates the mark without a row.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::backend::{Expiry, Key};

use super::super::dialect::OpenedId;
use super::super::expiry::expiry_of;
use super::super::id::Id;
use super::super::metadata::{Metadata, earlier};
use super::super::protocol::Successor;
use super::super::server_store::KeyState;
use super::super::store::{
    IdChange, Loaded, LoadedSession, RowRef, SaveRequest, SaveResult, Storage,
};
use super::super::{CookieStore, Error, Lifetime, Refusal};
use super::home::is_same_login;
use super::{MigrationStage, Parts};

/// The most conflicts with concurrent moves that one save resolves.
const MOST_ATTEMPTS: usize = 8;

impl Parts {
    pub(super) async fn load_of_cookie(
        &self,
        old: &CookieStore,
        cookie: &str,
    ) -> Result<Loaded, Error> {
        if self.new.open_cookie(cookie)?.is_ok() {
            return Storage::load(&self.new, cookie).await;
        }
        let opened = match old.open(cookie)? {
            Loaded::Live(opened) => opened,
            refused => return Ok(refused),
        };
        let id = id_of(cookie);
        match self.new.state_of(&spent_key(&id)?).await? {
            KeyState::Missing => {}
            KeyState::Replaced(to, _) if Some(&to.key) == self.new.key_of(&id)?.as_ref() => {
                let opened = OpenedId {
                    id,
                    sealed_at: opened.sealed_at,
                    is_stale: true,
                };
                return self.new.load_opened(opened).await;
            }
            KeyState::Replaced(to, at) => return self.new.load_successor(to, at).await,
            _ => return Ok(Loaded::Refused(Refusal::Gone)),
        }
        match Storage::load(old, cookie).await? {
            Loaded::Live(session) => self.live_in_cookie(*session, id, &old.setup().lifetime),
            refused => Ok(refused),
        }
    }

    fn live_in_cookie(
        &self,
        session: LoadedSession,
        id: Id,
        lifetime: &Lifetime,
    ) -> Result<Loaded, Error> {
        let LoadedSession {
            mut data,
            sealed_at,
            is_stale,
            ..
        } = session;
        let Some(key) = self.new.key_of(&id)? else {
            return Ok(Loaded::Refused(Refusal::NotValid));
        };
        let row_ref = RowRef {
            id: Some(id),
            key,
            revision: None,
            login: data.metadata.login.clone(),
            expiry: end_of_cookie_text(&data.metadata, lifetime),
            is_stale: true,
            in_old: true,
        };
        data.values = data.values.loaded_as(&self.setup.model);
        Ok(Loaded::Live(Box::new(LoadedSession {
            data,
            sealed_at,
            is_stale,
            opener: None,
            row_ref: Some(Arc::new(row_ref)),
        })))
    }

    pub(super) async fn save_of_cookie(
        &self,
        old: &CookieStore,
        save: SaveRequest,
        dropped: CancellationToken,
    ) -> Result<SaveResult, Error> {
        let in_cookie = save.row_ref.clone().filter(|of| of.in_old);
        let Some(row_ref) = in_cookie else {
            let in_old = save.row_ref.is_none() && self.stage == MigrationStage::Prepare;
            let saved = match in_old {
                true => old.save(save, dropped).await?,
                false => self.new.save(save, dropped).await?,
            };
            return Ok(self.noted(saved, in_old));
        };
        for _ in 0..MOST_ATTEMPTS {
            let spent = self.spent_state(&row_ref).await?;
            let attempt = match spent {
                KeyState::Missing if self.stage == MigrationStage::Prepare => {
                    return self.save_in_cookie(old, &row_ref, save, dropped).await;
                }
                KeyState::Missing => self.move_cookie(old, &row_ref, &save, &dropped).await?,
                KeyState::Replaced(to, _) => {
                    let save = self.redirected(save, &row_ref, to).await?;
                    return Ok(self.noted(self.new.save(save, dropped).await?, false));
                }
                _ if matches!(save.id_change, IdChange::Replaced { .. }) => {
                    let save = created(&save, None);
                    return Ok(self.noted(self.new.save(save, dropped).await?, false));
                }
                _ => return Err(Error::gone()),
            };
            if let Some(saved) = attempt {
                return Ok(self.noted(saved, false));
            }
        }
        Err(Error::conflict())
    }

    /// Returns the save of a session that another request has moved to the new store, where its
    /// login has a number. A login ends what is there, and begins a session of its own.
    async fn redirected(
        &self,
        mut save: SaveRequest,
        seen: &RowRef,
        to: Successor,
    ) -> Result<SaveRequest, Error> {
        let is_login = matches!(save.id_change, IdChange::Replaced { .. });
        let (key, state) = self.new.follow(&to.key, false).await?;
        let login = match state {
            KeyState::Live(row) => row.row_ref.login,
            _ if is_login => None,
            _ => return Err(Error::gone()),
        };
        if !is_login && !is_same_login(login.as_ref(), seen.login.as_ref()) {
            return Err(Error::gone());
        }
        if !is_login {
            let begun = login.as_ref().and_then(|login| login.begun.clone());
            save.data = save.data.begun(begun.as_ref());
        }
        save.row_ref = Some(Arc::new(RowRef {
            id: seen.id.clone().filter(|_| key == seen.key),
            key,
            revision: None,
            login,
            in_old: false,
            ..seen.clone()
        }));
        Ok(save)
    }

    async fn spent_state(&self, row_ref: &RowRef) -> Result<KeyState, Error> {
        let Some(id) = &row_ref.id else {
            return Ok(KeyState::Missing);
        };
        self.new.state_of(&spent_key(id)?).await
    }

    /// Spends the text of a cookie. Returns false if it was spent before.
    async fn spend(&self, row_ref: &RowRef, successor: Option<Successor>) -> Result<bool, Error> {
        let Some(id) = &row_ref.id else {
            return Ok(false);
        };
        let key = spent_key(id)?;
        self.new.block(&key, successor, Some(row_ref.expiry)).await
    }

    /// Saves a session in a cookie, in its next text.
    async fn save_in_cookie(
        &self,
        old: &CookieStore,
        row_ref: &RowRef,
        save: SaveRequest,
        dropped: CancellationToken,
    ) -> Result<SaveResult, Error> {
        let ends_text = save.id_change != IdChange::Same;
        let saved = old.save(save, dropped).await?;
        if ends_text {
            self.end_of_cookie(row_ref).await?;
        }
        Ok(self.noted(saved, true))
    }

    /// Creates the session in the new store, and spends the cookie's text. Returns `None` if a
    /// concurrent request has spent it.
    async fn move_cookie(
        &self,
        old: &CookieStore,
        row_ref: &RowRef,
        save: &SaveRequest,
        dropped: &CancellationToken,
    ) -> Result<Option<SaveResult>, Error> {
        let stays = save.id_change == IdChange::Same;
        if stays && let KeyState::Live(_) = self.new.state_of(&row_ref.key).await? {
            // A concurrent request, or one that was killed, has created it.
            self.commit(old, row_ref, &row_ref.key, true).await?;
            return Ok(None);
        }
        let id = row_ref.id.clone().filter(|_| stays);
        let created = self.new.save(created(save, id), dropped.clone()).await;
        let saved = match created {
            Ok(saved) => saved,
            Err(error) => match self.new.state_of(&row_ref.key).await? {
                KeyState::Live(_) if stays => return Ok(None),
                _ => return Err(error),
            },
        };
        let Some(there) = saved.row_ref.clone() else {
            return Err(Error::unavailable("the session was not created"));
        };
        let is_login = matches!(save.id_change, IdChange::Replaced { .. });
        if self.commit(old, row_ref, &there.key, !is_login).await? {
            return Ok(Some(saved));
        }
        let state = self.spent_state(row_ref).await?;
        let is_home = matches!(&state, KeyState::Replaced(to, _) if to.key == there.key);
        if is_home {
            return Ok(Some(saved));
        }
        if is_login {
            self.end_of_cookie(row_ref).await?;
            return Ok(Some(saved));
        }
        Storage::end(&self.new, &there).await?;
        Ok(None)
    }

    /// Makes the row under `key` the session of the cookie's text. A revocation in the old store
    /// comes before the one in the new store, where the login has begun already.
    async fn commit(
        &self,
        old: &CookieStore,
        row_ref: &RowRef,
        key: &Key,
        is_renewal: bool,
    ) -> Result<bool, Error> {
        if is_renewal
            && let Some(login) = &row_ref.login
            && old.is_revoked(login).await?
        {
            self.spend(row_ref, None).await?;
            return Ok(false);
        }
        let key = key.clone();
        let successor = Successor { key, is_renewal };
        self.spend(row_ref, Some(successor)).await
    }

    /// Ends the session of a cookie's text, wherever it is by now.
    pub(super) async fn end_of_cookie(&self, row_ref: &RowRef) -> Result<bool, Error> {
        if self.spend(row_ref, None).await? {
            return Ok(true);
        }
        match self.spent_state(row_ref).await? {
            KeyState::Replaced(to, _) => {
                let there = RowRef {
                    id: None,
                    key: to.key,
                    revision: None,
                    in_old: false,
                    ..row_ref.clone()
                };
                Storage::end(&self.new, &there).await
            }
            _ => Ok(false),
        }
    }
}

/// Returns the save of a session that is created in the new store.
fn created(save: &SaveRequest, id: Option<Id>) -> SaveRequest {
    SaveRequest {
        data: save.data.clone().begun(None),
        row_ref: None,
        id_change: IdChange::Same,
        is_touch: false,
        id,
        ..save.clone()
    }
}

/// Returns the ID in the new store of the session in a cookie. It is as secret as the cookie.
fn id_of(cookie: &str) -> Id {
    let digest = Sha256::new_with_prefix("silverback: the session of a cookie\0");
    Id::new(digest.chain_update(cookie).finalize().to_vec())
}

/// Returns the key of the mark that a cookie's text is spent.
fn spent_key(id: &Id) -> Result<Key, Error> {
    let digest = Sha256::new_with_prefix("silverback: the spent mark of a cookie\0");
    let mark = Id::new(digest.chain_update(id.as_bytes()).finalize().to_vec());
    Key::new(mark.row_name()).map_err(Error::of_backend)
}

/// Returns the time from which a cookie's text opens nothing: it never learns of later uses.
fn end_of_cookie_text(metadata: &Metadata, lifetime: &Lifetime) -> Expiry {
    expiry_of(earlier(metadata.idle_at(lifetime), metadata.deadline))
}
