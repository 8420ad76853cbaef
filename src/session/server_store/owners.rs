//! What a [`ServerStore`](super::ServerStore) knows of the owners of its sessions: who has
//! which, of which generation they are, and how many one may have.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::backend::{Expiry, Key, Owner, Owners};
use crate::codec::UnixTime;

use super::super::backend_epochs::no_owners;
use super::super::content::Content;
use super::super::metadata::Login;
use super::super::rows::{Lookup, expiry_at};
use super::super::store::{Fate, Kept, Save};
use super::super::{Epoch, Error, StoredSession};
use super::{Shared, owner_name};

/// How much longer an owner is known than the last of the owner's sessions lives.
const OWNERS_OUTLIVE: Duration = Duration::from_secs(60);

/// How long an owner's record is kept for sessions that end at `deadline`.
fn owners_expiry(deadline: Option<UnixTime>) -> Expiry {
    let after = |deadline: UnixTime| {
        let seconds = deadline.as_secs().saturating_add(OWNERS_OUTLIVE.as_secs());
        expiry_at(UnixTime::from_secs(seconds))
    };
    deadline.map_or(Expiry::NEVER, after)
}

impl Shared {
    fn owners(&self) -> Result<&dyn Owners, Error> {
        self.rows.backend.owners().ok_or_else(no_owners)
    }

    pub(super) async fn list(&self, owner: &str) -> Result<Vec<StoredSession>, Error> {
        Owner::check_name(owner).map_err(Error::of_backend)?;
        let keys = self.owners()?.keys(owner).await;
        let mut found = BTreeMap::new();
        for key in keys.map_err(Error::of_backend)? {
            // A session that is renewed while it is listed is there under its new key.
            let (key, lookup) = self.rows.look_up_renewed(&key).await?;
            if let Lookup::Live(row) = lookup
                && let Ok(row) = self.judge(*row)
                && owner_name(&row.content) == Some(owner)
            {
                let session = StoredSession::new(self.rows.format.name_of(&key), row);
                found.insert(key, session);
            }
        }
        let mut found: Vec<StoredSession> = found.into_values().collect();
        found.sort_by(|one, other| other.order().cmp(&one.order()));
        Ok(found)
    }

    pub(super) async fn revoke(&self, owner: &str) -> Result<(), Error> {
        let longest = self.setup.lifetime.longest_deadline(self.setup.now());
        let until = owners_expiry(longest);
        let revoked = self.owners()?.revoke(owner, until, None).await;
        revoked.map(drop).map_err(Error::of_backend)
    }

    /// The generation that a session to be saved is of.
    pub(super) async fn epoch(&self, save: &Save) -> Result<Option<Epoch>, Error> {
        let metadata = &save.content.metadata;
        let Some(Login { owner, epoch, .. }) = &metadata.login else {
            return Ok(None);
        };
        let Some(owners) = self.rows.backend.owners() else {
            return match save.revokes_others {
                true => Err(no_owners()),
                false => Ok(None),
            };
        };
        let until = owners_expiry(metadata.deadline);
        let generation = match epoch {
            _ if save.revokes_others => {
                let spared = self.spared(save).await?;
                owners.revoke(owner, until, spared.as_ref()).await
            }
            None => owners.begin(owner, until).await,
            // What was spared by a revocation goes on under a key that was not.
            Some(_) if save.fate != Fate::Stays => match owners.generation(owner).await {
                // One that was revoked meanwhile has another.
                Ok(Some(generation)) if save.lasts_longer => {
                    match owners.begin(owner, until).await {
                        Ok(begun) if begun != generation => return Err(Error::gone()),
                        begun => begun,
                    }
                }
                Ok(Some(generation)) => Ok(generation),
                Ok(None) => return Err(Error::gone()),
                Err(error) => Err(error),
            },
            Some(epoch) => {
                if save.lasts_longer {
                    let begun = owners.begin(owner, until).await;
                    begun.map_err(Error::of_backend)?;
                }
                return Ok(Some(epoch.clone()));
            }
        };
        let generation = generation.map_err(Error::of_backend)?;
        Ok(Some(Epoch::of_generation(generation)))
    }

    /// The session that a revocation of all others spares, wherever it was renewed to. If it
    /// has ended and no login takes its place, nothing is revoked.
    async fn spared(&self, save: &Save) -> Result<Option<Key>, Error> {
        let Some(kept) = &save.kept else {
            return Ok(None);
        };
        match (self.rows.look_up_renewed(&kept.key).await?, save.fate) {
            ((key, Lookup::Live(_)), _) => Ok(Some(key)),
            (_, Fate::Replaced { .. }) => Ok(None),
            _ => Err(Error::gone()),
        }
    }

    /// The owner's sessions before a login, where there may be too many after it.
    pub(super) async fn there_already(&self, content: &Content) -> Result<Vec<Key>, Error> {
        match (self.at_most, owner_name(content)) {
            (Some(_), Some(owner)) => {
                let keys = self.owners()?.keys(owner).await;
                keys.map_err(Error::of_backend)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Ends sessions of an owner that are too many, once a login has made another.
    ///
    /// Those that were there `already` are older than it. Those that were not are logins of the
    /// same moment: of them the one with the first key ends the others, and no two end each
    /// other.
    pub(super) async fn end_the_oldest(
        &self,
        content: &Content,
        kept: &Kept,
        already: &[Key],
    ) -> Result<(), Error> {
        let (Some(at_most), Some(owner)) = (self.at_most, owner_name(content)) else {
            return Ok(());
        };
        let is_older = |session: &StoredSession| {
            let id = session.id().as_bytes();
            already.iter().any(|key| key.as_bytes() == id)
        };
        let (older, mut newest): (Vec<_>, Vec<_>) =
            self.list(owner).await?.into_iter().partition(is_older);
        newest.sort_by(|one, other| one.id().cmp(other.id()));
        let own = |session: &StoredSession| session.id().as_bytes() == kept.key.as_bytes();
        let place = newest.iter().position(own).unwrap_or(0);
        let kept_too = at_most.max(place + 1);
        for session in newest.iter().chain(&older).skip(kept_too) {
            let key = Key::new(session.id()).map_err(Error::of_backend)?;
            if let (key, Lookup::Live(row)) = self.rows.look_up_renewed(&key).await? {
                self.end_row(key, *row).await?;
            }
        }
        Ok(())
    }
}
