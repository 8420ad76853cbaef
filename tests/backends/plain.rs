//! Any key and any value in rows of Go packages, which hold neither: so that the laws of
//! records are tried on them, too.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use silverback::backend::{
    Backend, Created, Error, Expiry, Key, Layout, Moves, Outcome, Record, Revision, Stored,
};

/// Has no owners, and no scan: those are not asked for by any key.
pub(crate) struct Plain(Arc<dyn Backend>);

impl Plain {
    pub(crate) fn of(backend: Arc<dyn Backend>) -> Arc<dyn Backend> {
        Arc::new(Plain(backend))
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
    let record = Record::new(value.expect("it was text"), stored.record.expiry());
    Stored::new(record, stored.revision)
}

#[async_trait]
impl Backend for Plain {
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

    fn moves(&self) -> Option<&dyn Moves> {
        self.0.moves().map(|_| self as &dyn Moves)
    }
}

#[async_trait]
impl Moves for Plain {
    async fn move_to(
        &self,
        key: &Key,
        seen: &Revision,
        to: &Key,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        let moves = self.0.moves().expect("it was asked for");
        moves
            .move_to(&hash(key), seen, &hash(to), &text(record))
            .await
    }
}
