//! Moves one row from the old store to the new one, in steps that may be interrupted anywhere.

use std::time::Instant;

use crate::backend::Key;

use super::super::login::{Begun, Login};
use super::super::rows::LiveRow;
use super::super::server_store::{KeyState, Target};
use super::super::store::RowRef;
use super::super::{Error, ServerStore};
use super::Parts;
use super::home::{is_current, is_same_login};

/// The most attempts at a move that other requests get in the way of.
const MOST_ATTEMPTS: usize = 16;

/// The result of a move.
pub(super) enum Relocated {
    /// The session is in the new store.
    InNew {
        row_ref: Box<RowRef>,
        /// True if nothing was saved since the caller had seen the session.
        is_as_seen: bool,
    },
    /// The session has to stay in the old store for now.
    Stays,
    Gone,
}

/// A copy that was written, and the row that it was made of.
pub(super) struct Copy {
    /// False if the same copy was there already.
    pub(super) is_new: bool,
    pub(super) original: Box<LiveRow>,
    pub(super) row_ref: RowRef,
}

/// The result of an attempt to copy a row.
pub(super) enum CopyAttempt {
    Copied(Box<Copy>),
    /// Another request has changed one of the rows.
    Again,
    /// The session is in the new store already.
    InNew,
    /// An ended session has the key in the new store.
    Stays,
    /// The old store has no such session.
    Missing(KeyState),
}

impl Parts {
    /// Moves the session that a request has seen in the old store.
    pub(super) async fn relocate(
        &self,
        old: &ServerStore,
        row_ref: &RowRef,
    ) -> Result<Relocated, Error> {
        let mut failure = None;
        for _ in 0..MOST_ATTEMPTS {
            match self.try_relocate(old, row_ref).await {
                Ok(Some(relocated)) => return Ok(relocated),
                Ok(None) => {}
                // The next attempt finds out what was written.
                Err(error) if error.is_outcome_unknown() => failure = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(match failure {
            Some(cause) => Error::unavailable("the session could not be moved").with_source(cause),
            None => Error::conflict(),
        })
    }

    async fn try_relocate(
        &self,
        old: &ServerStore,
        row_ref: &RowRef,
    ) -> Result<Option<Relocated>, Error> {
        let login = row_ref.login.as_ref();
        Ok(match self.try_copy(old, &row_ref.key, login, true).await? {
            CopyAttempt::Again => None,
            CopyAttempt::Stays => Some(Relocated::Stays),
            // A renewal is followed in the old store.
            CopyAttempt::Missing(KeyState::Replaced(..)) => Some(Relocated::Stays),
            CopyAttempt::InNew | CopyAttempt::Missing(_) => {
                Some(match self.elsewhere(old, row_ref).await? {
                    Some(there) => Relocated::InNew {
                        row_ref: Box::new(there),
                        is_as_seen: false,
                    },
                    None => Relocated::Gone,
                })
            }
            CopyAttempt::Copied(copy) => {
                let Copy {
                    original,
                    row_ref: new,
                    ..
                } = *copy;
                let is_done = old.bury_moved(&original.row_ref).await?;
                is_done.then(|| Relocated::InNew {
                    is_as_seen: original.row_ref.revision == row_ref.revision,
                    row_ref: Box::new(RowRef {
                        id: row_ref.id.clone(),
                        ..new
                    }),
                })
            }
        })
    }

    /// Copies a row, if the login is still the one that the caller has seen.
    ///
    /// The order matters. The new key is read first: if the copy is written, it is as new as any
    /// copy that was there. The login begins in the new store before the old row is read: if the
    /// owner is revoked, in the old store first, then either the old row or the copy is dead.
    /// `replaces` also replaces a copy that is the same already.
    pub(super) async fn try_copy(
        &self,
        old: &ServerStore,
        key: &Key,
        login: Option<&Login>,
        replaces: bool,
    ) -> Result<CopyAttempt, Error> {
        let began = Instant::now();
        let new_key = old.key_after_move(key)?;
        let (target, there) = self.new.read_target(&new_key).await?;
        if there.is_original() {
            return Ok(CopyAttempt::InNew);
        }
        let begun = self.begun_for(&new_key, login, &there, old, key).await?;
        let row = match old.state_of(key).await? {
            KeyState::Live(row) => row,
            state => {
                self.discard_copy(old, &there, &state).await?;
                return Ok(CopyAttempt::Missing(state));
            }
        };
        let can_take = matches!(
            there,
            KeyState::Missing | KeyState::MovedAway | KeyState::Live(_)
        );
        if !can_take {
            return Ok(CopyAttempt::Stays);
        }
        if !is_same_login(row.row_ref.login.as_ref(), login) {
            return Ok(CopyAttempt::Missing(KeyState::Ended));
        }
        if row.data.metadata.is_copy {
            return match there {
                // The session has moved back here, and only its mark is left.
                KeyState::MovedAway => {
                    old.confirm(&row).await?;
                    Ok(CopyAttempt::Again)
                }
                _ => Ok(CopyAttempt::Missing(KeyState::Ended)),
            };
        }
        if let (false, KeyState::Live(copy)) = (replaces, &there)
            && is_current(copy, &row)
        {
            return Ok(CopyAttempt::Copied(Box::new(Copy {
                is_new: false,
                row_ref: copy.row_ref.clone(),
                original: row,
            })));
        }
        // A tombstone in the new store may have expired by then.
        if began.elapsed() > self.new.longest_move() / 2 {
            return Ok(CopyAttempt::Again);
        }
        self.write(old, row, new_key, &target, begun).await
    }

    /// Removes a copy whose session has ended in the old store.
    pub(super) async fn discard_copy(
        &self,
        old: &ServerStore,
        there: &KeyState,
        original: &KeyState,
    ) -> Result<bool, Error> {
        let KeyState::Live(copy) = there else {
            return Ok(false);
        };
        let has_ended = match original {
            KeyState::Live(_) | KeyState::MovedAway => false,
            KeyState::Missing => old.has_tombstones(),
            _ => true,
        };
        if has_ended {
            self.new.discard(&copy.row_ref).await?;
        }
        Ok(has_ended)
    }

    async fn write(
        &self,
        old: &ServerStore,
        row: Box<LiveRow>,
        new_key: Key,
        target: &Target,
        begun: Option<Begun>,
    ) -> Result<CopyAttempt, Error> {
        let data = row.data.clone().begun(begun.as_ref());
        let login = data.metadata.login.clone();
        let latest = old.expiry_kept(&row.row_ref);
        let written = self.new.write_copy(&new_key, target, data, latest).await?;
        let Some((revision, expiry)) = written else {
            return Ok(CopyAttempt::Again);
        };
        let row_ref = RowRef {
            id: None,
            key: new_key,
            revision: Some(revision),
            login,
            expiry,
            is_stale: true,
            in_old: false,
        };
        Ok(CopyAttempt::Copied(Box::new(Copy {
            is_new: true,
            original: row,
            row_ref,
        })))
    }

    /// Returns the beginning of the login in the new store: that of an earlier copy, or a new one.
    async fn begun_for(
        &self,
        new_key: &Key,
        login: Option<&Login>,
        there: &KeyState,
        old: &ServerStore,
        key: &Key,
    ) -> Result<Option<Begun>, Error> {
        let Some(login) = login else {
            return Ok(None);
        };
        if let KeyState::Live(copy) = there
            && is_same_login(copy.row_ref.login.as_ref(), Some(login))
        {
            let begun = copy.row_ref.login.as_ref().and_then(|of| of.begun.clone());
            if begun.is_some() {
                return Ok(begun);
            }
        }
        // The deadline, up to which the owner's record is kept.
        let KeyState::Live(row) = old.state_of(key).await? else {
            return Ok(None);
        };
        let deadline = row.data.metadata.deadline;
        self.new.begin_moved(login, deadline, new_key).await
    }
}
