//! The operations on single rows that a move between two stores needs. [`Migrating`] decides in
//! which order they run.
//!
//! [`Migrating`]: super::super::Migrating

use crate::backend::{self, Created, Expiry, Key, Outcome, OwnerName, Revision};
use crate::codec::UnixTime;

use super::super::dialect::OpenedId;
use super::super::id::Id;
use super::super::login::{Begun, Login, Order};
use super::super::protocol::{Row, Successor, WriteId};
use super::super::rows::{LiveRow, RowState};
use super::super::session_data::SessionData;
use super::super::store::{Loaded, LoadedSession, RowRef};
use super::super::{Error, Refusal};
use super::ServerStore;
use super::owners::owners_expiry;

/// The successor that the tombstone of a moved row names. No row has this key.
const MOVED: &str = "silverback-moved-to-another-store";

/// The state of a key in one of two stores.
pub(in super::super) enum KeyState {
    /// A session. Its metadata shows whether it is a copy.
    Live(Box<LiveRow>),
    Missing,
    Ended,
    /// The tombstone of a row that was moved to the other store.
    MovedAway,
    /// The tombstone of a session that has a successor in this store.
    Replaced(Successor, UnixTime),
    Refused(Refusal),
}

impl KeyState {
    /// Returns whether this is a session, and not the copy of one.
    pub(in super::super) fn is_original(&self) -> bool {
        matches!(self, KeyState::Live(row) if !row.data.metadata.is_copy)
    }
}

/// What a key held when it was read, for a write that replaces exactly that.
pub(in super::super) enum Target {
    Free,
    Taken(Revision),
}

impl ServerStore {
    /// Returns the key of an ID, or `None` if the ID is not of this store's dialect.
    pub(in super::super) fn key_of(&self, id: &Id) -> Result<Option<Key>, Error> {
        let format = &self.0.rows.format;
        format.is_id(id).then(|| format.key(id)).transpose()
    }

    /// Opens the ID in a cookie of this store's dialect.
    pub(in super::super) fn open_cookie(
        &self,
        cookie: &str,
    ) -> Result<Result<OpenedId, Refusal>, Error> {
        self.0.rows.format.open_id(cookie, self.0.setup.now())
    }

    /// Returns whether an ended session leaves a tombstone.
    pub(in super::super) fn has_tombstones(&self) -> bool {
        self.0.rows.format.has_tombstones()
    }

    /// Returns the key of a row after its move to a store of the native dialect: the session's
    /// public ID, which stays the same.
    pub(in super::super) fn key_after_move(&self, key: &Key) -> Result<Key, Error> {
        let id = self.0.rows.format.public_id(key);
        Key::new(id.as_str()).map_err(Error::of_backend)
    }

    /// Returns the state of a key.
    pub(in super::super) async fn state_of(&self, key: &Key) -> Result<KeyState, Error> {
        Ok(match self.0.rows.look_up(key).await? {
            RowState::Live(row) => match self.0.judge(*row) {
                Ok(row) => KeyState::Live(Box::new(row)),
                Err(refusal) => KeyState::Refused(refusal),
            },
            RowState::Missing => KeyState::Missing,
            RowState::Ended => KeyState::Ended,
            RowState::Moved(to, _) if to.key.as_bytes() == MOVED.as_bytes() => KeyState::MovedAway,
            RowState::Moved(to, at) => KeyState::Replaced(to, at),
            RowState::Refused(refusal) => KeyState::Refused(refusal),
        })
    }

    /// Returns the last key to which renewals in this store lead, and its state. With
    /// `after_logins`, also follows the sessions that have replaced the session.
    pub(in super::super) async fn follow(
        &self,
        key: &Key,
        after_logins: bool,
    ) -> Result<(Key, KeyState), Error> {
        let mut key = key.clone();
        for _ in 0..super::super::protocol::LONGEST_TRAIL {
            match self.state_of(&key).await? {
                KeyState::Replaced(to, _) if to.is_renewal || after_logins => key = to.key,
                state => return Ok((key, state)),
            }
        }
        Err(Error::conflict())
    }

    /// Returns the answer for an ID whose session has a successor in this store.
    pub(in super::super) async fn load_successor(
        &self,
        to: Successor,
        at: UnixTime,
    ) -> Result<Loaded, Error> {
        self.0.load_moved(to, at).await
    }

    /// Loads the session of an ID that a client sent.
    pub(in super::super) async fn load_opened(&self, opened: OpenedId) -> Result<Loaded, Error> {
        self.0.load(opened).await
    }

    /// Returns a loaded session of an ID that a client sent.
    pub(in super::super) fn loaded(&self, row: LiveRow, opened: OpenedId) -> LoadedSession {
        LoadedSession {
            sealed_at: opened.sealed_at,
            is_stale: opened.is_stale,
            opener: None,
            row_ref: Some(std::sync::Arc::new(RowRef {
                id: Some(opened.id),
                is_stale: opened.is_stale,
                ..row.row_ref
            })),
            data: row.data,
        }
    }

    /// Begins the login of a session that moves here from another store.
    pub(in super::super) async fn begin_moved(
        &self,
        login: &Login,
        deadline: Option<UnixTime>,
        key: &Key,
    ) -> Result<Option<Begun>, Error> {
        let Some(owners) = self.0.rows.backend.owners() else {
            return Ok(None);
        };
        let until = owners_expiry(deadline);
        let begun = owners.begin(&login.owner, until, key).await?;
        let order = Order {
            number: begun.number,
            replaces: None,
            place: None,
        };
        Ok(Some(Begun::in_backend(begun.generation, order)))
    }

    /// Ends all sessions of an owner, except the one under a key, if it is theirs.
    pub(in super::super) async fn end_all_but(
        &self,
        owner: &OwnerName,
        key: &Key,
    ) -> Result<(), Error> {
        let kept = match self.state_of(key).await? {
            KeyState::Live(row) => row.data.metadata.login,
            _ => None,
        };
        let kept = kept.filter(|login| login.owner == *owner);
        self.0
            .revoke_but(owner, kept.and_then(|login| login.in_backend()))
            .await
    }

    /// Reads a key for a write that replaces exactly what is there. Returns the state with it.
    pub(in super::super) async fn read_target(
        &self,
        key: &Key,
    ) -> Result<(Target, KeyState), Error> {
        let Some(stored) = self.0.rows.backend.load(key).await? else {
            return Ok((Target::Free, KeyState::Missing));
        };
        let expiry = stored.record.expiry();
        let target = Target::Taken(stored.revision.clone());
        let found = match self.0.rows.read(key, stored)? {
            Ok(found) => found,
            Err(refusal) => return Ok((target, KeyState::Refused(refusal))),
        };
        let state = match found.row {
            Row::Live(data) => KeyState::Live(Box::new(LiveRow {
                row_ref: RowRef {
                    id: None,
                    key: key.clone(),
                    revision: Some(found.revision),
                    login: data.metadata.login.clone(),
                    expiry,
                    is_stale: false,
                    in_old: false,
                },
                data,
            })),
            Row::Tombstone { successor: None } => KeyState::Ended,
            Row::Tombstone {
                successor: Some(to),
            } if to.key.as_bytes() == MOVED.as_bytes() => KeyState::MovedAway,
            Row::Tombstone {
                successor: Some(to),
            } => KeyState::Replaced(to, UnixTime::from_secs(0)),
        };
        Ok((target, state))
    }

    /// Writes the copy of a session of another store. Returns `None` if the key has changed since it
    /// was read.
    pub(in super::super) async fn write_copy(
        &self,
        key: &Key,
        target: &Target,
        mut data: SessionData,
        latest: Option<Expiry>,
    ) -> Result<Option<(Revision, Expiry)>, Error> {
        let rows = &self.0.rows;
        data.metadata.is_copy = true;
        let expiry = rows.expiry(&data.metadata);
        let expiry = latest.map_or(expiry, |latest| latest.min(expiry));
        let record = rows.record_as_is(key, &Row::Live(data), random_mark()?)?;
        let record = record.ok_or_else(|| Error::usage("the dialect has no such row"))?;
        let record = record.with_expiry(expiry);
        let written = match target {
            Target::Free => rows.backend.create(key, &record).await?.saved(),
            Target::Taken(seen) => rows.backend.swap(key, seen, &record).await?.done(),
        };
        Ok(written.map(|revision| (revision, expiry)))
    }

    /// Removes a row, if it is still as it was read.
    pub(in super::super) async fn discard(&self, row_ref: &RowRef) -> Result<(), Error> {
        if let Some(seen) = &row_ref.revision {
            let _ = self.0.rows.backend.remove(&row_ref.key, seen).await?;
        }
        Ok(())
    }

    /// Clears the mark of a copy, if the row is still as it was read.
    pub(in super::super) async fn confirm(&self, row: &LiveRow) -> Result<(), Error> {
        let rows = &self.0.rows;
        let row_ref = &row.row_ref;
        let mut data = row.data.clone();
        data.metadata.is_copy = false;
        let record = rows.record_as_is(&row_ref.key, &Row::Live(data), random_mark()?)?;
        if let (Some(record), Some(seen)) = (record, &row_ref.revision) {
            let record = record.with_expiry(row_ref.expiry);
            let _ = rows.backend.swap(&row_ref.key, seen, &record).await?;
        }
        Ok(())
    }

    /// Replaces a row by the mark that the session has moved to the other store, or removes it if
    /// its dialect has no tombstones. The mark stays as long as the row would have stayed. Returns
    /// false if the row has changed since it was read.
    pub(in super::super) async fn bury_moved(&self, row_ref: &RowRef) -> Result<bool, Error> {
        let rows = &self.0.rows;
        let Some(seen) = &row_ref.revision else {
            return Ok(false);
        };
        let successor = Successor {
            key: Key::new(MOVED).map_err(Error::of_backend)?,
            is_renewal: false,
        };
        let tombstone = Row::Tombstone {
            successor: Some(successor),
        };
        let key = &row_ref.key;
        let done = match rows.record_as_is(key, &tombstone, random_mark()?)? {
            Some(record) => {
                let expiry = record.expiry().max(row_ref.expiry);
                let record = record.with_expiry(expiry);
                rows.backend.swap(key, seen, &record).await?.map(drop)
            }
            None => rows.backend.remove(key, seen).await?,
        };
        Ok(matches!(done, Outcome::Done(())))
    }

    /// Takes a free key with a tombstone that stays until `until`, so that no session can be created
    /// there. Returns false if the key is taken.
    pub(in super::super) async fn block(
        &self,
        key: &Key,
        successor: Option<Successor>,
        until: Option<Expiry>,
    ) -> Result<bool, Error> {
        let rows = &self.0.rows;
        let tombstone = Row::Tombstone { successor };
        let Some(record) = rows.record_as_is(key, &tombstone, random_mark()?)? else {
            return Ok(true);
        };
        let expiry = until.map_or(record.expiry(), |until| until.max(record.expiry()));
        let record = record.with_expiry(expiry);
        let created = rows.backend.create(key, &record).await?;
        Ok(matches!(created, Created::Saved(_)))
    }

    /// Returns the expiry of a session's row.
    pub(in super::super) fn expiry_kept(&self, row_ref: &RowRef) -> Option<Expiry> {
        let is_kept = self.0.rows.backend.keeps_expiries();
        is_kept.then_some(row_ref.expiry)
    }

    /// Returns the time for which tombstones are kept, which is the longest time that a move may
    /// take.
    pub(in super::super) fn longest_move(&self) -> std::time::Duration {
        self.0.rows.longest_request
    }
}

fn random_mark() -> Result<WriteId, Error> {
    Ok(*backend::Generation::random()?.as_bytes())
}
