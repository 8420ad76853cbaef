//! Loads, saves and ends sessions that are in the rows of either store.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::super::dialect::OpenedId;
use super::super::metadata::Metadata;
use super::super::rows::LiveRow;
use super::super::server_store::KeyState;
use super::super::session_data::SessionData;
use super::super::store::{
    IdChange, Loaded, LoadedSession, RowRef, SaveRequest, SaveResult, Storage,
};
use super::super::{Error, Refusal, ServerStore, SessionEnd};
use super::home::{Home, Keys};
use super::relocation::Relocated;
use super::{MigrationStage, Parts};

/// The most moves of a session that one request follows.
const MOST_MOVES: usize = 8;

impl Parts {
    pub(super) async fn load_of_rows(
        &self,
        old: &ServerStore,
        cookie: &str,
    ) -> Result<Loaded, Error> {
        let (in_new, in_old) = (self.new.open_cookie(cookie)?, old.open_cookie(cookie)?);
        let id = match (&in_new, &in_old) {
            (Ok(opened), _) | (_, Ok(opened)) => opened.id.clone(),
            (Err(Refusal::NotValid), Err(refusal)) | (Err(refusal), _) => {
                return Ok(Loaded::of_refused_cookie(*refusal));
            }
        };
        let keys = Keys {
            new: self.new.key_of(&id)?,
            old: old.key_of(&id)?,
        };
        match self.home(old, &keys).await? {
            Home::New(row) => Ok(self.live(*row, in_new.ok(), in_old.ok(), &self.new)),
            Home::Old(row) => Ok(self.live(*row, in_old.ok(), in_new.ok(), old)),
            Home::Nowhere { new, old: in_old } => self.refuse(old, new, in_old).await,
        }
    }

    /// Returns a live session. If only the other store could have made its cookie, the cookie is
    /// stale.
    fn live(
        &self,
        row: LiveRow,
        own: Option<OpenedId>,
        other: Option<OpenedId>,
        store: &ServerStore,
    ) -> Loaded {
        let stale = other.map(|opened| OpenedId {
            is_stale: true,
            ..opened
        });
        let Some(opened) = own.or(stale) else {
            return Loaded::Refused(Refusal::NotValid);
        };
        let is_new = std::ptr::eq(store, &raw const self.new);
        let mut session = store.loaded(row, opened);
        if !is_new {
            session = in_old(session);
        }
        if is_new != (self.stage == MigrationStage::Prepare) {
            return Loaded::Live(Box::new(session));
        }
        // The request's changes are for the data model of the store in which it will be.
        session.data.values = session.data.values.loaded_as(&self.setup.model);
        Loaded::Live(Box::new(session))
    }

    async fn refuse(
        &self,
        old: &ServerStore,
        new_state: KeyState,
        old_state: KeyState,
    ) -> Result<Loaded, Error> {
        let leaves_marks = old.has_tombstones();
        match (new_state, old_state) {
            (KeyState::Replaced(to, at), _) => self.new.load_successor(to, at).await,
            (_, KeyState::Replaced(to, at)) => {
                let mut loaded = old.load_successor(to, at).await?;
                if let Loaded::Moved(moved) = &mut loaded {
                    let renewed = moved.renewed.take();
                    moved.renewed = renewed.map(|row_ref| Arc::new(noted_in_old(&row_ref)));
                }
                Ok(loaded)
            }
            (KeyState::Refused(refusal), _) | (_, KeyState::Refused(refusal)) => {
                Ok(match refusal {
                    Refusal::NotValid => Loaded::Refused(refusal),
                    over => Loaded::Dead(over),
                })
            }
            (KeyState::Missing, KeyState::Missing) if leaves_marks => {
                Ok(Loaded::Dead(Refusal::Gone))
            }
            _ => Ok(Loaded::Refused(Refusal::Gone)),
        }
    }

    /// Moves the session of a save to the new store, if this stage moves sessions. Returns the save
    /// for the session's place.
    pub(super) async fn placed(
        &self,
        old: &ServerStore,
        save: SaveRequest,
    ) -> Result<SaveRequest, Error> {
        let Some(row_ref) = save.row_ref.clone() else {
            return Ok(save);
        };
        let moves = self.stage == MigrationStage::Move && row_ref.in_old;
        if !moves {
            // A login ends the session that it replaces, so it has to find that session.
            let is_login = matches!(save.id_change, IdChange::Replaced { .. });
            let there = match is_login {
                true => self.elsewhere(old, &row_ref).await?,
                false => None,
            };
            return Ok(match there {
                Some(there) => redirected(save, &row_ref, there),
                None => save,
            });
        }
        match self.relocate(old, &row_ref).await? {
            Relocated::Stays => Ok(save),
            Relocated::InNew {
                row_ref: there,
                is_as_seen,
            } => {
                let revision = there.revision.clone().filter(|_| is_as_seen);
                let there = RowRef { revision, ..*there };
                Ok(redirected(save, &row_ref, there))
            }
            Relocated::Gone => match save.id_change {
                IdChange::Replaced { .. } => {
                    let there = RowRef {
                        key: old.key_after_move(&row_ref.key)?,
                        revision: None,
                        in_old: false,
                        ..RowRef::clone(&row_ref)
                    };
                    Ok(redirected(save, &row_ref, there))
                }
                _ => Err(Error::gone()),
            },
        }
    }

    /// Saves a session where it is. If it has moved since, follows it.
    pub(super) async fn save_of_rows(
        &self,
        old: &ServerStore,
        mut save: SaveRequest,
        dropped: CancellationToken,
    ) -> Result<SaveResult, Error> {
        for _ in 0..MOST_MOVES {
            let in_old = self.is_in_old(&save);
            let store = if in_old { old } else { &self.new };
            let seen = save.row_ref.clone();
            match (store.save(save.clone(), dropped.clone()).await, seen) {
                (Ok(saved), seen) => {
                    if let Some(seen) = seen.filter(|_| save.id_change != IdChange::Same) {
                        self.end_leftover(old, &seen).await;
                    }
                    return Ok(self.noted(saved, in_old));
                }
                (Err(error), Some(seen)) if error.is_gone() && !error.has_revoked() => {
                    match self.elsewhere(old, &seen).await? {
                        Some(there) => save = redirected(save, &seen, there),
                        None => return Err(error),
                    }
                }
                (Err(error), _) => return Err(error),
            }
        }
        Err(Error::conflict())
    }

    /// Returns whether a save is for the old store.
    pub(super) fn is_in_old(&self, save: &SaveRequest) -> bool {
        match &save.row_ref {
            Some(row_ref) => row_ref.in_old,
            None => self.stage == MigrationStage::Prepare,
        }
    }

    /// Ends the copy in the new store of a row in the old store whose session has got another ID.
    async fn end_leftover(&self, old: &ServerStore, row_ref: &RowRef) {
        if row_ref.in_old
            && let Err(error) = self.take_new_key(old, row_ref).await
        {
            let cookie = self.setup.cookie.name();
            tracing::warn!(cookie, %error, "an interrupted copy of a session may be left");
        }
    }

    /// Ends the session under the key in the new store, and keeps the key taken.
    async fn take_new_key(&self, old: &ServerStore, row_ref: &RowRef) -> Result<bool, Error> {
        let key = old.key_after_move(&row_ref.key)?;
        if self.new.block(&key, None, None).await? {
            return Ok(false);
        }
        let there = RowRef {
            key,
            in_old: false,
            ..row_ref.outdated()
        };
        Storage::end(&self.new, &there).await
    }

    /// Ends a session, wherever it is by now.
    pub(super) async fn end_of_rows(
        &self,
        old: &ServerStore,
        row_ref: &RowRef,
    ) -> Result<bool, Error> {
        let mut place = row_ref.clone();
        let mut has_ended = false;
        for _ in 0..MOST_MOVES {
            // First, because a row without a tombstone would leave its copy as the home.
            if place.in_old {
                has_ended |= self.take_new_key(old, &place).await?;
            }
            let store = if place.in_old { old } else { &self.new };
            if Storage::end(store, &place).await? {
                return Ok(true);
            }
            match self.moved_place(old, &place, true).await? {
                Some(moved) => place = moved,
                None => return Ok(has_ended),
            }
        }
        Err(Error::conflict())
    }

    pub(super) async fn reload_of_rows(
        &self,
        old: &ServerStore,
        row_ref: &RowRef,
    ) -> Result<Option<SessionData>, Error> {
        let mut place = row_ref.clone();
        for _ in 0..MOST_MOVES {
            let store = if place.in_old { old } else { &self.new };
            if let Some(data) = store.reload(&place).await? {
                return Ok(Some(data));
            }
            match self.elsewhere(old, &place).await? {
                Some(there) => place = there,
                None => return Ok(None),
            }
        }
        Err(Error::conflict())
    }

    /// Waits until a session has ended in one store, and has not moved to the other one.
    pub(super) async fn ended_of_rows(
        &self,
        old: &ServerStore,
        metadata: &Metadata,
        row_ref: &RowRef,
    ) -> SessionEnd {
        let mut place = row_ref.clone();
        let store = |in_old| if in_old { old } else { &self.new };
        let mut session = store(place.in_old).watched(metadata, row_ref);
        loop {
            let (end, last_seen) = store(place.in_old).watch(session).await;
            session = last_seen;
            place.key = session.key.clone().unwrap_or(place.key);
            place.login = session.login.clone();
            match self.elsewhere(old, &place).await {
                Ok(Some(there)) => {
                    session.key = Some(there.key.clone());
                    place = there;
                }
                Ok(None) => return end,
                // While a store does not answer, the session may have moved.
                Err(error) => {
                    if let Some(end) = session.passed_limit(self.setup.now()) {
                        return end;
                    }
                    tracing::warn!(%error, "a session may have ended or moved to the other store");
                }
            }
        }
    }
}

fn in_old(session: LoadedSession) -> LoadedSession {
    let row_ref = session.row_ref.as_deref().map(noted_in_old);
    LoadedSession {
        row_ref: row_ref.map(Arc::new),
        ..session
    }
}

fn noted_in_old(row_ref: &RowRef) -> RowRef {
    RowRef {
        in_old: true,
        ..row_ref.clone()
    }
}

/// Returns the save for a session that is at another place than the request has seen. Its login has
/// another number there.
fn redirected(mut save: SaveRequest, seen: &RowRef, there: RowRef) -> SaveRequest {
    let is_login = matches!(save.id_change, IdChange::Replaced { .. });
    if !is_login && save.data.metadata.login.is_some() && seen.login.is_some() {
        let begun = there.login.as_ref().and_then(|of| of.begun.clone());
        save.data = save.data.begun(begun.as_ref());
    }
    save.data.metadata.is_copy = true; // a touch is a save there
    save.row_ref = Some(Arc::new(there));
    save
}
