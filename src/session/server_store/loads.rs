//! Loads the session of an ID that a client sent, or of a key that an operator has. Checks its
//! limits, and follows it if another request has moved it.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::Key;
use crate::codec::UnixTime;

use super::super::dialect::OpenedId;
use super::super::protocol::Successor;
use super::super::rows::{LiveRow, RowState};
use super::super::store::{Loaded, LoadedSession, Moved, RowRef};
use super::super::{Error, Refusal};
use super::SharedStore;

/// The maximum error of a time that was stored as an expiry.
const ROUNDING: Duration = Duration::from_secs(2);

impl SharedStore {
    /// Returns the live session under that key.
    pub(super) async fn find(&self, key: &Key) -> Result<Result<LiveRow, Refusal>, Error> {
        let found = self.live_row(self.rows.look_up(key).await?);
        Ok(found.map_err(|refusal| self.refused(refusal)))
    }

    /// Returns the live session in a row, or why there is none. Logs nothing.
    pub(super) fn live_row(&self, state: RowState) -> Result<LiveRow, Refusal> {
        match state {
            RowState::Live(row) => self.judge(*row),
            RowState::Missing | RowState::Ended => Err(Refusal::Gone),
            RowState::Moved(..) => Err(Refusal::Moved),
            RowState::Refused(refusal) => Err(refusal),
        }
    }

    /// Refuses a session that is past its limits.
    pub(super) fn judge(&self, row: LiveRow) -> Result<LiveRow, Refusal> {
        let metadata = &row.data.metadata;
        metadata.check(&self.setup.lifetime, self.setup.now())?;
        Ok(row)
    }

    fn refused(&self, refusal: Refusal) -> Refusal {
        if refusal == Refusal::NotValid {
            let cookie = self.setup.cookie.name();
            tracing::error!(cookie, "the session's row is not valid");
        }
        refusal
    }

    /// Returns the live session under that key, as `find` does. If the row is too long, it is
    /// logged and refused, and not an error.
    pub(super) async fn find_any(&self, key: &Key) -> Result<Result<LiveRow, Refusal>, Error> {
        match self.find(key).await {
            Err(error) if error.is_too_large() => {
                let cookie = self.setup.cookie.name();
                tracing::error!(cookie, %error, "the session's row is too long");
                Ok(Err(Refusal::TooLong))
            }
            found => found,
        }
    }

    /// Loads the session of an ID that a client sent.
    pub(super) async fn load(&self, opened: OpenedId) -> Result<Loaded, Error> {
        let key = self.rows.format.key(&opened.id)?;
        let row = match self.rows.look_up(&key).await? {
            RowState::Live(row) => *row,
            RowState::Moved(to, at) => return self.load_moved(to, at).await,
            // While a tombstone exists, a concurrent request may just have sent the client a good
            // cookie. A missing row means that the tombstone has expired, so the cookie can be
            // removed. In a dialect without tombstones, the client may always have a good cookie.
            RowState::Missing if self.rows.format.has_tombstones() => {
                return Ok(Loaded::Dead(Refusal::Gone));
            }
            RowState::Missing | RowState::Ended => return Ok(Loaded::Refused(Refusal::Gone)),
            RowState::Refused(refusal) => {
                return Ok(Loaded::of_refused_cookie(self.refused(refusal)));
            }
        };
        let row = match self.judge(row) {
            Ok(row) => row,
            Err(refusal) => return Ok(Loaded::Dead(refusal)),
        };
        let row_ref = RowRef {
            id: Some(opened.id),
            is_stale: opened.is_stale,
            ..row.row_ref
        };
        Ok(Loaded::Live(Box::new(LoadedSession {
            data: row.data,
            sealed_at: opened.sealed_at,
            is_stale: opened.is_stale,
            opener: None,
            row_ref: Some(Arc::new(row_ref)),
        })))
    }

    /// Loads the session of an ID that anyone may have sent. It has no login, and the client still
    /// needs its cookie.
    pub(super) async fn load_unproven(&self, opened: OpenedId) -> Result<Loaded, Error> {
        Ok(match self.load(opened).await? {
            // A login gives the session an ID that no such cookie has, unless it is forged.
            Loaded::Live(live) if live.data.metadata.login.is_some() => {
                Loaded::Refused(Refusal::NotValid)
            }
            Loaded::Live(mut live) => {
                live.data.metadata.owes_cookie = true;
                Loaded::Live(live)
            }
            // The client has been sent the new ID. The old one neither reads nor ends the session.
            Loaded::Moved(_) => Loaded::Refused(Refusal::Moved),
            refused => refused,
        })
    }

    /// Returns whether an old ID may read the session when `passed` has gone by since the renewal.
    /// `passed` is in whole seconds of the clock, so the real time differs by less than a second.
    fn grants(&self, passed: Duration) -> bool {
        !self.renewal_grace.is_zero() && passed <= self.renewal_grace
    }

    /// Loads the session of an ID that was replaced by another one.
    pub(super) async fn load_moved(&self, to: Successor, at: UnixTime) -> Result<Loaded, Error> {
        let mut moved = Moved {
            successor: to.key.clone(),
            renewed: None,
            data: None,
        };
        if to.is_renewal {
            let now = self.setup.now();
            // A time in the future was written by a store with another longest request, and proves
            // nothing.
            let is_past = at.saturating_duration_since(now) <= ROUNDING;
            let is_granted = is_past && self.grants(now.saturating_duration_since(at));
            // After too many renewals, the old ID no longer leads to the session.
            let found = match self.rows.look_up_renewed(&to.key).await {
                Err(error) if error.is_conflict() => None,
                found => Some(found?),
            };
            if let Some(RowState::Live(row)) = found
                && let Ok(row) = self.judge(*row)
            {
                moved.successor = row.row_ref.key.clone();
                moved.renewed = Some(Arc::new(row.row_ref));
                // Only a session with a login has anything to lose from an empty page, and a
                // renewal does not change its owner.
                moved.data = (is_granted && row.data.metadata.login.is_some()).then_some(row.data);
            }
        }
        Ok(Loaded::Moved(Box::new(moved)))
    }
}
