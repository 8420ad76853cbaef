//! Any key and any value in rows of Go packages, which do not support both, so that the laws of
//! records can be tested on them.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use silverback::backend::{
    Backend, Created, Error, Expiry, Generation, Key, Layout, Moves, Outcome, Record, Revision,
    Stored,
};

/// A backend without owners and without a scan, which do not accept any key.
pub(crate) struct Encoded {
    backend: Arc<dyn Backend>,
    /// True if each value begins with other random bytes.
    is_unique: bool,
}

impl Encoded {
    pub(crate) fn of(backend: Arc<dyn Backend>) -> Arc<dyn Backend> {
        let is_unique = false;
        Arc::new(Encoded { backend, is_unique })
    }

    /// Gives each write other bytes, as sessions do with their write ID, for rows whose revision is
    /// a hash of their contents.
    #[cfg(feature = "mysql")]
    pub(crate) fn with_unique_values(backend: Arc<dyn Backend>) -> Arc<dyn Backend> {
        let is_unique = true;
        Arc::new(Encoded { backend, is_unique })
    }

    fn text(&self, record: &Record) -> Result<Record, Error> {
        let random = Generation::random()?;
        let unique = if self.is_unique {
            &random.as_bytes()[..]
        } else {
            &[]
        };
        let value = URL_SAFE_NO_PAD.encode([unique, record.value()].concat());
        Ok(Record::new(value, record.expiry()))
    }

    fn bytes(&self, stored: Stored) -> Stored {
        let value = URL_SAFE_NO_PAD.decode(stored.record.value());
        let value = value.expect("the value is text");
        let begin = if self.is_unique { 16 } else { 0 };
        let record = Record::new(&value[begin..], stored.record.expiry());
        Stored::new(record, stored.revision)
    }
}

fn hash(key: &Key) -> Key {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(key.as_bytes()));
    Key::new(hash).expect("43 bytes")
}

#[async_trait]
impl Backend for Encoded {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        Ok(self
            .backend
            .load(&hash(key))
            .await?
            .map(|stored| self.bytes(stored)))
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        self.backend.create(&hash(key), &self.text(record)?).await
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        self.backend
            .swap(&hash(key), seen, &self.text(record)?)
            .await
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        self.backend.touch(&hash(key), seen, until).await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        self.backend.remove(&hash(key), seen).await
    }

    fn layout(&self) -> Layout {
        self.backend.layout()
    }

    fn keeps_expiries(&self) -> bool {
        self.backend.keeps_expiries()
    }

    fn moves(&self) -> Option<&dyn Moves> {
        self.backend.moves().map(|_| self as &dyn Moves)
    }
}

#[async_trait]
impl Moves for Encoded {
    async fn move_to(
        &self,
        key: &Key,
        seen: &Revision,
        to: &Key,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        let moves = self.backend.moves().expect("the backend supports moves");
        moves
            .move_to(&hash(key), seen, &hash(to), &self.text(record)?)
            .await
    }
}
