//! Copies and moves of sessions by key, for operators.

use crate::backend::Key;

use super::super::server_store::KeyState;
use super::super::{Error, Refusal, ServerStore};
use super::Migrating;
use super::home::is_same;
use super::relocation::{Copy, CopyAttempt};

/// The most attempts at a transfer that requests get in the way of.
const MOST_ATTEMPTS: usize = 16;

/// The result of [`Migrating::copy`] or [`Migrating::move_session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transfer {
    /// The session was copied or moved. Its row in the new store was read back and compared.
    Done,
    /// The new store has the same copy already.
    Same,
    /// The session is in the new store already, and nothing was written.
    Newer,
    /// The session has ended in one of the stores, and nothing was written.
    Ended,
    /// The row does not open in the old store, and nothing was written.
    Refused(Refusal),
}

impl Migrating {
    /// Copies the session under a key of the old store to the new store. While the old row is live,
    /// the copy opens nothing here, and is replaced when the session moves. It is for operators, who
    /// get keys from a [scan](crate::backend::Scan).
    ///
    /// An existing copy of an older state is replaced. A session that is in the new store itself is
    /// never overwritten, and one that has ended there is not restored.
    ///
    /// ```
    /// # use silverback::backend::Memory;
    /// # use silverback::codec::{Codecs, KeyPairs};
    /// use silverback::session::{Migrating, ServerStore, Transfer, testing::Jar};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// # let old = ServerStore::new(codecs.clone(), Memory::new())?;
    /// # let new = ServerStore::new(codecs, Memory::new())?;
    /// # Jar::with(old.clone(), |session| session.login("ape")).await?;
    /// let scan = old.backend().scan().ok_or("it cannot list its records")?;
    /// let stores = Migrating::new(old.clone(), new)?;
    /// for entry in scan.page(None, 100).await?.entries {
    ///     assert_eq!(stores.copy(&entry.key).await?, Transfer::Done);
    ///     assert_eq!(stores.copy(&entry.key).await?, Transfer::Same);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns a usage error if the old sessions are in cookies, or if the row in the new store
    /// cannot hold the session. Returns an unavailable error if a backend does not answer.
    pub async fn copy(&self, key: &Key) -> Result<Transfer, Error> {
        self.transfer(key, false).await
    }

    /// Moves the session under a key of the old store to the new store: [copies](Migrating::copy)
    /// it, reads the copy back, and then ends the old row, if no request has changed it. Requests
    /// may use the session at the same time through a store at the stage
    /// [`Prepare`](super::MigrationStage::Prepare) or [`Move`](super::MigrationStage::Move).
    ///
    /// ```
    /// # use silverback::backend::Memory;
    /// # use silverback::codec::{Codecs, KeyPairs};
    /// use silverback::session::{Migrating, ServerStore, Transfer, testing::Jar};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// # let old = ServerStore::new(codecs.clone(), Memory::new())?;
    /// # let new = ServerStore::new(codecs, Memory::new())?;
    /// # let jar = Jar::with(old.clone(), |session| session.login("ape")).await?;
    /// let scan = old.backend().scan().ok_or("it cannot list its records")?;
    /// let stores = Migrating::new(old.clone(), new.clone())?;
    /// for entry in scan.page(None, 100).await?.entries {
    ///     assert_eq!(stores.move_session(&entry.key).await?, Transfer::Done);
    /// }
    /// assert_eq!(jar.session(new).await?.owner().as_deref(), Some("ape"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`copy`](Migrating::copy).
    pub async fn move_session(&self, key: &Key) -> Result<Transfer, Error> {
        self.transfer(key, true).await
    }

    /// Settles what rehearsals and interrupted moves have left under a key of the new store: removes
    /// a copy whose session has ended in the old store, and clears the mark of a copy whose session
    /// has moved. Returns whether it did either. Call it for all keys, after all sessions have
    /// moved, and before the stage [`Done`](super::MigrationStage::Done).
    ///
    /// ```
    /// # use silverback::backend::Memory;
    /// # use silverback::codec::{Codecs, KeyPairs};
    /// use silverback::session::{Migrating, ServerStore, testing::Jar};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// # let old = ServerStore::new(codecs.clone(), Memory::new())?;
    /// # let new = ServerStore::new(codecs, Memory::new())?;
    /// # Jar::with(old.clone(), |session| session.login("ape")).await?;
    /// let stores = Migrating::new(old.clone(), new.clone())?;
    /// # let scan = old.backend().scan().ok_or("it cannot list its records")?;
    /// # for entry in scan.page(None, 100).await?.entries { stores.move_session(&entry.key).await?; }
    /// let scan = new.backend().scan().ok_or("it cannot list its records")?;
    /// for entry in scan.page(None, 100).await?.entries {
    ///     stores.settle_copy(&entry.key).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`copy`](Migrating::copy).
    pub async fn settle_copy(&self, new_key: &Key) -> Result<bool, Error> {
        let parts = &self.0;
        let Some(old) = parts.old_rows() else {
            return Ok(false);
        };
        let there = parts.new.state_of(new_key).await?;
        let copy = match &there {
            KeyState::Live(copy) if copy.data.metadata.is_copy => copy,
            _ => return Ok(false),
        };
        // The old key of a row without a tombstone cannot be computed, and such a row is the home.
        if !old.has_tombstones() {
            return Ok(false);
        }
        let original = old.state_of(new_key).await?;
        if matches!(original, KeyState::MovedAway) {
            parts.new.confirm(copy).await?;
            return Ok(true);
        }
        parts.discard_copy(old, &there, &original).await
    }

    async fn transfer(&self, key: &Key, ends_old: bool) -> Result<Transfer, Error> {
        let old = self.0.old_rows().ok_or_else(|| {
            Error::usage("only sessions of a server have keys: those in cookies move with a visit")
        })?;
        let mut failure = None;
        for _ in 0..MOST_ATTEMPTS {
            match self.try_transfer(old, key, ends_old).await {
                Ok(Some(transfer)) => return Ok(transfer),
                Ok(None) => {}
                Err(error) if error.is_outcome_unknown() => failure = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(failure.unwrap_or_else(Error::conflict))
    }

    async fn try_transfer(
        &self,
        old: &ServerStore,
        key: &Key,
        ends_old: bool,
    ) -> Result<Option<Transfer>, Error> {
        let login = match old.state_of(key).await? {
            KeyState::Live(row) => row.row_ref.login,
            KeyState::Refused(refusal) => return Ok(Some(Transfer::Refused(refusal))),
            KeyState::MovedAway => return Ok(Some(Transfer::Newer)),
            _ => return Ok(Some(Transfer::Ended)),
        };
        let parts = &self.0;
        let copy = match parts.try_copy(old, key, login.as_ref(), false).await? {
            CopyAttempt::Copied(copy) => copy,
            CopyAttempt::Again => return Ok(None),
            CopyAttempt::InNew => return Ok(Some(Transfer::Newer)),
            CopyAttempt::Missing(KeyState::Refused(refusal)) => {
                return Ok(Some(Transfer::Refused(refusal)));
            }
            CopyAttempt::Stays | CopyAttempt::Missing(_) => return Ok(Some(Transfer::Ended)),
        };
        if !self.check(&copy).await? {
            return Ok(None);
        }
        let is_done = !ends_old || old.bury_moved(&copy.original.row_ref).await?;
        Ok(is_done.then_some(match copy.is_new || ends_old {
            true => Transfer::Done,
            false => Transfer::Same,
        }))
    }

    /// Reads a copy back. Returns false if another request has replaced it.
    async fn check(&self, copy: &Copy) -> Result<bool, Error> {
        match self.0.new.state_of(&copy.row_ref.key).await? {
            KeyState::Live(there) if there.row_ref.revision == copy.row_ref.revision => {
                match is_same(&there, &copy.original) {
                    true => Ok(true),
                    false => Err(Error::usage(
                        "the copy differs from its original: the format of the new store's rows \
                         does not keep its values",
                    )),
                }
            }
            KeyState::Refused(refusal) => Err(Error::usage(format!(
                "the copy was refused by the new store: {refusal}"
            ))),
            _ => Ok(false),
        }
    }
}
