//! Any key and any value in rows of Go packages, which do not support both, so that the laws of
//! records can be tested on them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use silverback::backend::{
    Backend, Change, Changes, Created, Error, Expiry, Generation, Key, Layout, Listener, Moves,
    Outcome, Record, Revision, Stored,
};

/// A backend without owners and without a scan, which do not accept any key.
pub(crate) struct Encoded {
    rows: Arc<dyn Backend>,
    has_nonces: bool,
}

/// The length of a nonce.
const NONCE: usize = 16;

impl Encoded {
    #[cfg(any(
        feature = "aws",
        feature = "postgres",
        feature = "memcached",
        feature = "etcd"
    ))]
    pub(crate) fn of(rows: Arc<dyn Backend>) -> Arc<dyn Backend> {
        Arc::new(Encoded {
            rows,
            has_nonces: false,
        })
    }

    /// Returns a backend whose values begin with a random nonce, as the values of sessions contain
    /// one: for rows whose revision is their content.
    #[cfg(any(feature = "mysql", feature = "sqlite", feature = "redis"))]
    pub(crate) fn with_nonces(rows: Arc<dyn Backend>) -> Arc<dyn Backend> {
        Arc::new(Encoded {
            rows,
            has_nonces: true,
        })
    }

    fn key(&self, key: &Key) -> Key {
        hash(key, self.rows.layout())
    }

    fn text(&self, record: &Record) -> Record {
        let mut value = Vec::new();
        if self.has_nonces {
            value.extend(Generation::random().expect("randomness").as_bytes());
        }
        value.extend(record.value());
        Record::new(URL_SAFE_NO_PAD.encode(value), record.expiry())
    }

    fn bytes(&self, stored: Stored) -> Stored {
        let value = URL_SAFE_NO_PAD.decode(stored.record.value());
        let value = value.expect("the value is text");
        let nonce = if self.has_nonces { NONCE } else { 0 };
        let record = Record::new(&value[nonce..], stored.record.expiry());
        Stored::new(record, stored.revision)
    }
}

/// Returns a key in the form of the Go package's.
fn hash(key: &Key, layout: Layout) -> Key {
    let hash = Sha256::digest(key.as_bytes());
    let text = match layout {
        Layout::Dolab => base16ct::lower::encode_string(&hash[..16]),
        _ => URL_SAFE_NO_PAD.encode(hash),
    };
    Key::new(text).expect("a short key")
}

#[async_trait]
impl Backend for Encoded {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let stored = self.rows.load(&self.key(key)).await?;
        Ok(stored.map(|stored| self.bytes(stored)))
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        self.rows.create(&self.key(key), &self.text(record)).await
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        self.rows
            .swap(&self.key(key), seen, &self.text(record))
            .await
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        self.rows.touch(&self.key(key), seen, until).await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        self.rows.remove(&self.key(key), seen).await
    }

    fn layout(&self) -> Layout {
        self.rows.layout()
    }

    fn keeps_expiries(&self) -> bool {
        self.rows.keeps_expiries()
    }

    fn moves(&self) -> Option<&dyn Moves> {
        self.rows.moves().map(|_| self as &dyn Moves)
    }

    fn changes(&self) -> Option<&dyn Changes> {
        self.rows.changes().map(|_| self as &dyn Changes)
    }
}

#[async_trait]
impl Changes for Encoded {
    async fn listen(&self) -> Result<Box<dyn Listener>, Error> {
        let changes = self.rows.changes().expect("the backend reports changes");
        Ok(Box::new(EncodedListener {
            inner: changes.listen().await?,
            layout: self.rows.layout(),
            wanted: HashMap::new(),
        }))
    }
}

struct EncodedListener {
    inner: Box<dyn Listener>,
    layout: Layout,
    /// The changes that are wanted, by those of the rows.
    wanted: HashMap<Change, Change>,
}

#[async_trait]
impl Listener for EncodedListener {
    async fn listen_for(&mut self, wanted: &HashSet<Change>) -> Result<(), Error> {
        let encoded = wanted.iter().map(|change| match change {
            Change::Record(key) => (Change::Record(hash(key, self.layout)), change.clone()),
            other => (other.clone(), other.clone()),
        });
        self.wanted = encoded.collect();
        let rows = self.wanted.keys().cloned().collect();
        self.inner.listen_for(&rows).await
    }

    async fn next(&mut self) -> Result<Change, Error> {
        loop {
            let change = self.inner.next().await?;
            if let Some(wanted) = self.wanted.get(&change) {
                return Ok(wanted.clone());
            }
        }
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
        let moves = self.rows.moves().expect("the backend supports moves");
        moves
            .move_to(&self.key(key), seen, &self.key(to), &self.text(record))
            .await
    }
}
