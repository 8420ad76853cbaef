//! Any key and any value in rows of Go packages, which do not support both, so that the laws of
//! records can be tested on them.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use silverback::backend::{
    Backend, Created, Error, Expiry, Key, Layout, Moves, Outcome, Record, Revision, Stored,
};

/// A backend without owners and without a scan, which do not accept any key.
pub(crate) struct Encoded(Arc<dyn Backend>);

impl Encoded {
    pub(crate) fn of(backend: Arc<dyn Backend>) -> Arc<dyn Backend> {
        Arc::new(Encoded(backend))
    }
}

fn hash(key: &Key) -> Key {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(key.as_bytes()));
    Key::new(hash).expect("43 bytes")
}

fn text(record: &Record) -> Record {
    Record::new(URL_SAFE_NO_PAD.encode(record.value()), record.expiry())
}

fn bytes(stored: Stored) -> Stored {
    let value = URL_SAFE_NO_PAD.decode(stored.record.value());
    let record = Record::new(value.expect("the value is text"), stored.record.expiry());
    Stored::new(record, stored.revision)
}

#[async_trait]
impl Backend for Encoded {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        Ok(self.0.load(&hash(key)).await?.map(bytes))
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        self.0.create(&hash(key), &text(record)).await
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        self.0.swap(&hash(key), seen, &text(record)).await
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        self.0.touch(&hash(key), seen, until).await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        self.0.remove(&hash(key), seen).await
    }

    fn layout(&self) -> Layout {
        self.0.layout()
    }

    fn keeps_expiries(&self) -> bool {
        self.0.keeps_expiries()
    }

    fn moves(&self) -> Option<&dyn Moves> {
        self.0.moves().map(|_| self as &dyn Moves)
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
        let moves = self.0.moves().expect("the backend supports moves");
        moves
            .move_to(&hash(key), seen, &hash(to), &text(record))
            .await
    }
}
