//! Opens rows that were copied out of the server.

use crate::backend::{Expiry, Key};

use super::super::protocol::Row;
use super::super::rows::LiveRow;
use super::super::store::RowRef;
use super::super::{Error, Lookup, Refusal, StoredSession};
use super::ServerStore;

impl ServerStore {
    /// Opens the value of a row that was copied out of the server, for example in a backup, without
    /// asking the backend. It is for operators: the session may have ended since, or have reached a
    /// limit, and its expiry is not in the value. If the row is the tombstone of an ended session, the
    /// refusal is [gone](Refusal::Gone); if it is not from this store or not under this key, [not
    /// valid](Refusal::NotValid).
    ///
    /// ```
    /// # use silverback::{backend::Memory, codec::{Codecs, KeyPairs}};
    /// # use silverback::session::{ServerStore, testing::Jar};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
    /// # let store = ServerStore::new(codecs.clone(), Memory::new())?;
    /// # Jar::with(store.clone(), |session| session.login("ape")).await?;
    /// # let scan = store.backend().scan().ok_or("no scan")?;
    /// # let key = scan.page(None, 1).await?.entries.remove(0).key;
    /// # let stored = store.backend().load(&key).await?.ok_or("no row")?;
    /// # let value = stored.record.value();
    /// let reader = ServerStore::new(codecs, Memory::new())?;
    /// let session = reader.open_row(&key, value)?.found().ok_or("refused")?;
    /// assert_eq!(session.owner(), Some("ape"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns an error if the row is longer than the codec reads.
    pub fn open_row(&self, key: &Key, value: &[u8]) -> Result<Lookup<StoredSession>, Error> {
        let rows = &self.0.rows;
        let data = match rows.format.read(key, value, self.0.setup.now())? {
            Ok((Row::Live(data), _)) => data,
            Ok((Row::Tombstone { .. }, _)) => return Ok(Lookup::Refused(Refusal::Gone)),
            Err(refusal) => return Ok(Lookup::Refused(refusal)),
        };
        let row_ref = RowRef {
            id: None,
            key: key.clone(),
            revision: None,
            login: data.metadata.login.clone(),
            expiry: Expiry::NEVER,
            is_stale: false,
            in_old: false,
        };
        let id = rows.format.public_id(key);
        Ok(Lookup::Found(StoredSession::new(
            id,
            LiveRow { data, row_ref },
        )))
    }
}
