//! [`BackendStore`]: our backends beneath the `tower-sessions` crate, for applications that
//! are built on it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::{Id, Record as SessionRecord};
use tower_sessions_core::session_store::{Error, Result};

use crate::backend::{self, Backend, Created, Expiry, Key, Outcome, Record};

/// The first byte of each value; another one is no session of this store.
const VERSION: u8 = 1;

/// How often a change is tried while others change the same session.
const MOST_ATTEMPTS: usize = 64;

/// A store for `tower-sessions`, in any of our backends.
///
/// ```
/// use std::sync::Arc;
/// use silverback::backend::Memory;
/// use silverback::web::tower_sessions::BackendStore;
/// use tower_sessions::SessionManagerLayer;
///
/// let store = BackendStore::new(Arc::new(Memory::new())); // or backend::connect(url).await?
/// let app: axum::Router = axum::Router::new().layer(SessionManagerLayer::new(store));
/// ```
///
/// A row's key is the hash of the session's ID, so that a copy of the rows opens no session.
/// The values are in it as JSON, in the clear. Expired rows go with a
/// [`Cleanup`](crate::backend::Cleanup); `ExpiredDeletion` is not there.
///
/// # What it cannot do
///
/// A `SessionStore` is not told what was loaded, so nothing can be compared:
/// - **of two requests that change one session, the one that answers last wins**, and what
///   the other wrote is lost;
/// - **a new ID (`cycle_id`) is not one step**: the old session is deleted, and the new one
///   made when the request ends. A request that fails between leaves neither.
///
/// One thing it does that other stores do not: a session that was deleted meanwhile is not
/// brought back by a request that saves it late. That request's save fails.
///
/// [`ServerStore`](crate::session::ServerStore) with [`SessionLayer`](super::tower::SessionLayer)
/// can do all of it, and signs its cookie.
#[derive(Clone)]
pub struct BackendStore(Arc<dyn Backend>);

impl BackendStore {
    /// Sessions in that backend.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        BackendStore(backend)
    }

    /// Puts another record in place of the living one of that ID, or nothing. False, if
    /// there is none.
    async fn change(&self, id: &Id, to: Option<&Record>) -> Result<bool> {
        let key = key(id)?;
        for _ in 0..MOST_ATTEMPTS {
            let Some(stored) = self.0.load(&key).await.map_err(of_backend)? else {
                return Ok(false);
            };
            let seen = &stored.revision;
            let outcome = match to {
                Some(record) => {
                    let swapped = self.0.swap(&key, seen, record).await;
                    swapped.map(|outcome| outcome.map(drop))
                }
                None => self.0.remove(&key, seen).await,
            };
            match outcome.map_err(of_backend)? {
                Outcome::Done(()) => return Ok(true),
                Outcome::Gone => return Ok(false),
                Outcome::Conflict => {}
            }
        }
        let why = "others saved the session again and again: nothing was saved";
        Err(Error::Backend(why.to_owned()))
    }
}

fn of_backend(error: backend::Error) -> Error {
    Error::Backend(error.to_string())
}

fn key(id: &Id) -> Result<Key> {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(id.0.to_le_bytes()));
    Key::new(hash).map_err(of_backend)
}

fn record(session: &SessionRecord) -> Result<Record> {
    let mut value = vec![VERSION];
    let written = serde_json::to_writer(&mut value, &session.data);
    // serde_json's errors quote no values, but for the keys' types.
    written.map_err(|_| Error::Encode("a value is no JSON".to_owned()))?;
    let millis = session.expiry_date.unix_timestamp_nanos() / 1_000_000;
    let expiry = Expiry::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
    Ok(Record::new(value, expiry))
}

fn read(id: Id, record: &Record) -> Result<SessionRecord> {
    let no_session = || Error::Decode("the row is no session of this store".to_owned());
    let data: HashMap<String, serde_json::Value> = match record.value().split_first() {
        Some((&VERSION, json)) => serde_json::from_slice(json).map_err(|_| no_session())?,
        _ => return Err(no_session()),
    };
    let nanoseconds = i128::from(record.expiry().as_millis()) * 1_000_000;
    let expiry_date = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds);
    Ok(SessionRecord {
        id,
        data,
        expiry_date: expiry_date.map_err(|_| no_session())?,
    })
}

#[async_trait::async_trait]
impl SessionStore for BackendStore {
    async fn create(&self, session: &mut SessionRecord) -> Result<()> {
        for _ in 0..MOST_ATTEMPTS {
            let created = self.0.create(&key(&session.id)?, &record(session)?).await;
            match created.map_err(of_backend)? {
                Created::Saved(_) => return Ok(()),
                Created::Exists => session.id = Id::default(),
            }
        }
        Err(Error::Backend("each new ID was there already".to_owned()))
    }

    async fn save(&self, session: &SessionRecord) -> Result<()> {
        match self.change(&session.id, Some(&record(session)?)).await? {
            true => Ok(()),
            false => {
                let why = "the session has ended meanwhile: nothing was saved";
                Err(Error::Backend(why.to_owned()))
            }
        }
    }

    async fn load(&self, id: &Id) -> Result<Option<SessionRecord>> {
        let stored = self.0.load(&key(id)?).await.map_err(of_backend)?;
        stored.map(|stored| read(*id, &stored.record)).transpose()
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.change(id, None).await.map(drop)
    }
}

impl fmt::Debug for BackendStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackendStore(..)")
    }
}
