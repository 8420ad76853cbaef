//! The home of a session: the store whose row decides about it.

use crate::backend::Key;
use crate::gob::Value;

use super::super::login::Login;
use super::super::rows::LiveRow;
use super::super::server_store::KeyState;
use super::super::store::RowRef;
use super::super::{Error, ServerStore};
use super::Parts;

/// The keys of one session in the two stores. A key is `None` if no row of that store can have the
/// session's ID.
pub(super) struct Keys {
    pub(super) new: Option<Key>,
    pub(super) old: Option<Key>,
}

/// The home of a session, or the states of the two keys if the session has none.
pub(super) enum Home {
    New(Box<LiveRow>),
    Old(Box<LiveRow>),
    Nowhere { new: KeyState, old: KeyState },
}

impl Parts {
    /// Returns the home of the session under these keys.
    ///
    /// The new store is read first, and again after the old one: a session that moves between the
    /// two reads is then in the second answer.
    pub(super) async fn home(&self, old: &ServerStore, keys: &Keys) -> Result<Home, Error> {
        let new_state = state_in(&self.new, keys.new.as_ref()).await?;
        if new_state.is_original() {
            return Ok(decide(new_state, KeyState::Missing, old.has_tombstones()));
        }
        let old_state = state_in(old, keys.old.as_ref()).await?;
        let is_certain = old_state.is_original()
            || matches!(
                (&new_state, &old_state),
                (KeyState::MovedAway, KeyState::Live(_))
            );
        if is_certain {
            return Ok(decide(new_state, old_state, old.has_tombstones()));
        }
        let new_state = state_in(&self.new, keys.new.as_ref()).await?;
        Ok(decide(new_state, old_state, old.has_tombstones()))
    }

    /// Returns the place to which a session has moved from a place where it no longer is. With
    /// `after_logins`, also follows the sessions that have replaced it.
    pub(super) async fn moved_place(
        &self,
        old: &ServerStore,
        row_ref: &RowRef,
        after_logins: bool,
    ) -> Result<Option<RowRef>, Error> {
        let store = if row_ref.in_old { old } else { &self.new };
        let (key, state) = store.follow(&row_ref.key, after_logins).await?;
        let has_moved = match state {
            KeyState::MovedAway => true,
            KeyState::Missing => row_ref.in_old && !old.has_tombstones(),
            _ => false,
        };
        if !has_moved {
            return Ok(None);
        }
        let is_renewed = key != row_ref.key;
        Ok(Some(RowRef {
            id: row_ref.id.clone().filter(|_| !is_renewed),
            key: store.key_after_move(&key)?,
            revision: None,
            is_stale: true,
            in_old: !row_ref.in_old,
            ..row_ref.clone()
        }))
    }

    /// Returns the home of a session that is no longer where a request has seen it, if it is the
    /// session of the same login.
    pub(super) async fn elsewhere(
        &self,
        old: &ServerStore,
        row_ref: &RowRef,
    ) -> Result<Option<RowRef>, Error> {
        let Some(moved) = self.moved_place(old, row_ref, false).await? else {
            return Ok(None);
        };
        let store = if moved.in_old { old } else { &self.new };
        let (key, state) = store.follow(&moved.key, false).await?;
        let KeyState::Live(row) = state else {
            return Ok(None);
        };
        if !is_same_login(row.row_ref.login.as_ref(), row_ref.login.as_ref()) {
            return Ok(None);
        }
        Ok(Some(RowRef {
            id: moved.id.clone().filter(|_| key == moved.key),
            key,
            login: row.row_ref.login.clone(),
            expiry: row.row_ref.expiry,
            ..moved
        }))
    }
}

async fn state_in(store: &ServerStore, key: Option<&Key>) -> Result<KeyState, Error> {
    match key {
        Some(key) => store.state_of(key).await,
        None => Ok(KeyState::Missing),
    }
}

/// Applies the table in the documentation of the module. `leaves_marks` is false if a row that
/// moves out of the old store is removed there.
fn decide(new: KeyState, old: KeyState, leaves_marks: bool) -> Home {
    let is_moved = match &old {
        KeyState::MovedAway => true,
        KeyState::Missing => !leaves_marks,
        _ => false,
    };
    let is_moved_back = matches!(new, KeyState::MovedAway);
    match (new, old) {
        (KeyState::Live(row), _) if is_moved || !row.data.metadata.is_copy => Home::New(row),
        (_, KeyState::Live(row)) if is_moved_back || !row.data.metadata.is_copy => Home::Old(row),
        (new, old) => Home::Nowhere { new, old },
    }
}

/// Returns whether two logins are the same. When a session moves, its login gets another number.
pub(super) fn is_same_login(one: Option<&Login>, other: Option<&Login>) -> bool {
    let identity = |login: &Login| (login.owner.clone(), login.at);
    one.map(identity) == other.map(identity)
}

/// Returns whether a copy has the values, the beginning and the owner of its original.
pub(super) fn is_same(copy: &LiveRow, original: &LiveRow) -> bool {
    let values = |row: &LiveRow| Value::Composite(row.data.values.to_gob()).to_vec();
    let dates = |row: &LiveRow| (row.data.metadata.created, row.data.metadata.remembered);
    let logins = [copy, original].map(|row| row.row_ref.login.as_ref());
    let [login, original_login] = logins;
    is_same_login(login, original_login)
        && dates(copy) == dates(original)
        && values(copy) == values(original)
}

/// Returns whether a copy is the [same](is_same), and ends when its original does.
pub(super) fn is_current(copy: &LiveRow, original: &LiveRow) -> bool {
    copy.row_ref.expiry == original.row_ref.expiry
        && copy.data.metadata.deadline == original.data.metadata.deadline
        && is_same(copy, original)
}
