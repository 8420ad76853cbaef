//! The calls of a [`ServerStore`](super::ServerStore) to the owners of its sessions: listing an
//! owner's sessions, beginning a login, and ending other sessions.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::backend::{self, Change, Expiry, Key, OwnerName, Owners};
use crate::codec::UnixTime;

use super::super::expiry::expiry_of;
use super::super::login::{Begun, Login, Order};
use super::super::observed;
use super::super::rows::{LiveRow, RowState};
use super::super::session_data::SessionData;
use super::super::store::{IdChange, SaveRequest};
use super::super::{Error, StoredSession};
use super::SharedStore;
use super::limit::{Standing, too_many};

/// The time for which an owner's record outlives the owner's last session.
const OWNERS_OUTLIVE: Duration = Duration::from_secs(60);

/// Returns the expiry of an owner's record for sessions that end at `deadline`.
pub(super) fn owners_expiry(deadline: Option<UnixTime>) -> Expiry {
    expiry_of(deadline.map(|deadline| deadline + OWNERS_OUTLIVE))
}

impl SharedStore {
    fn owners(&self) -> Result<&dyn Owners, Error> {
        self.rows.backend.owners().ok_or_else(Error::no_owners)
    }

    /// Returns the live rows of an owner's sessions. A session that is being renewed may have two
    /// rows with one number.
    async fn rows_of(&self, owner: &OwnerName) -> Result<Vec<LiveRow>, Error> {
        let keys = self.owners()?.keys(owner).await?;
        let mut found = BTreeMap::new();
        for key in keys {
            // If a session is renewed during the listing, it is found under its new key.
            let state = match self.rows.look_up_renewed(&key).await {
                Err(error) if error.is_too_large() => continue, // an unreadable row opens nothing
                found => found?,
            };
            if let RowState::Live(row) = state
                && let Ok(row) = self.judge(*row)
                && row.data.metadata.owner() == Some(owner)
            {
                found.insert(row.row_ref.key.clone(), row);
            }
        }
        Ok(found.into_values().collect())
    }

    /// Returns the sessions of an owner, each once, the latest login first.
    pub(super) async fn list(&self, owner: &OwnerName) -> Result<Vec<StoredSession>, Error> {
        let rows = self.rows_of(owner).await?;
        let mut sessions: Vec<StoredSession> = rows
            .into_iter()
            .map(|row| StoredSession::new(self.rows.format.public_id(&row.row_ref.key), row))
            .collect();
        sessions.sort_by_key(|session| std::cmp::Reverse(session.login_number()));
        sessions.dedup_by_key(|session| session.login_number());
        Ok(sessions)
    }

    pub(super) async fn end_all(&self, owner: &OwnerName) -> Result<(), Error> {
        self.revoke_but(owner, None).await
    }

    /// Ends all sessions of an owner, except that of one login.
    pub(super) async fn revoke_but(
        &self,
        owner: &OwnerName,
        kept: Option<backend::Login>,
    ) -> Result<(), Error> {
        let longest = self.setup.lifetime.longest_deadline(self.setup.now());
        let until = owners_expiry(longest);
        let owners = self.owners()?;
        match kept {
            Some(kept) => owners.revoke_except(owner, until, &kept).await?,
            None => owners.revoke(owner, until).await?,
        };
        self.rows.announce(Change::Owner(owner.clone())).await;
        Ok(())
    }

    /// Returns how the login of a session to be saved under `key` began. Begins it if it has not
    /// begun yet. Ends the other sessions of the owner if the save asks for it.
    pub(super) async fn begin(
        &self,
        save: &SaveRequest,
        key: &Key,
    ) -> Result<Option<Begun>, Error> {
        let metadata = &save.data.metadata;
        let Some(login) = &metadata.login else {
            return Ok(None);
        };
        let Some(owners) = self.rows.backend.owners() else {
            return match save.revokes_others {
                true => Err(Error::no_owners()),
                false => Ok(None),
            };
        };
        let (owner, until) = (&login.owner, owners_expiry(metadata.deadline));
        let before = login_before(save, login);
        if save.revokes_others {
            self.check_is_there(save).await?;
            match &before {
                Some(keep) => owners.revoke_except(owner, until, keep).await?,
                None => owners.revoke(owner, until).await?,
            };
            self.rows.announce(Change::Owner(owner.clone())).await;
        } else if save.lasts_longer && login.begun.is_some() {
            owners.extend(owner, until).await?;
        }
        if login.begun.is_some() {
            return Ok(login.begun.clone());
        }
        let begun = owners.begin(owner, until, key).await?;
        let order = Order {
            number: begun.number,
            replaces: before.map(|of| of.number),
            place: save.row_ref.as_ref().map(|row_ref| place_of(&row_ref.key)),
        };
        Ok(Some(Begun::in_backend(begun.generation, order)))
    }

    /// Refuses to end other sessions for a session that has ended itself, unless a login takes its
    /// place.
    async fn check_is_there(&self, save: &SaveRequest) -> Result<(), Error> {
        let Some(row_ref) = &save.row_ref else {
            return Ok(());
        };
        match (
            self.rows.look_up_renewed(&row_ref.key).await?,
            save.id_change,
        ) {
            (RowState::Live(_), _) | (_, IdChange::Replaced { .. }) => Ok(()),
            _ => Err(Error::gone()),
        }
    }

    /// Ends the sessions of an owner beyond the limit, after a login has created another.
    pub(super) async fn end_the_oldest(&self, data: &SessionData) -> Result<(), Error> {
        let (Some(max_sessions), Some(owner)) = (self.max_sessions, data.metadata.owner()) else {
            return Ok(());
        };
        let rows = self.rows_of(owner).await?;
        let standings = rows.iter().filter_map(|row| self.standing(row));
        let ended = too_many(standings, max_sessions);
        let mut failed = Ok(());
        for row in rows {
            let standing = self.standing(&row);
            if standing.is_some_and(|of| ended.contains(&of.number)) {
                // An end that fails must not spare the sessions after it.
                let ended = self.end_login(row.row_ref.seen()).await;
                let id = || self.rows.format.public_id(&row.row_ref.key).into();
                observed::report_end_in(&self.setup, &id, Some(owner), &ended);
                failed = failed.and(ended.map(drop));
            }
        }
        failed
    }

    fn standing(&self, row: &LiveRow) -> Option<Standing> {
        let login = row.data.metadata.login.as_ref()?;
        let order = login.order()?;
        // If the login took longer, it was interrupted, and the session that it was to replace
        // stays.
        let may_go_on =
            self.setup.now().saturating_duration_since(login.at) <= self.rows.longest_request;
        Some(Standing {
            number: order.number,
            replaces: order.replaces.filter(|_| may_go_on),
            place: order.place.filter(|_| may_go_on).map(NonZeroU64::get),
        })
    }
}

/// Returns a mark of the row that a login replaces. Two concurrent logins of one browser have the
/// same mark.
fn place_of(key: &Key) -> NonZeroU64 {
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    let mark = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    NonZeroU64::new(mark).unwrap_or(NonZeroU64::MAX)
}

/// Returns the earlier login of the session that is saved or replaced, if its owner is the same.
fn login_before(save: &SaveRequest, login: &Login) -> Option<backend::Login> {
    let before = save.row_ref.as_ref()?.login.as_ref()?;
    let is_same_owner = before.owner == login.owner;
    is_same_owner.then(|| before.in_backend())?
}
