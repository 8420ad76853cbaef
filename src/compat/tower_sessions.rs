//! [`BackendStore`]: a store in any of our backends, for applications on the crate
//! `tower-sessions`, versions 0.15 and 0.14.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::backend::{self, Backend, Created, Expiry, IntoBackend, Key, Layout, Outcome, Record};

/// The first byte of each value. A value with another first byte is not a session of this store.
const VERSION: u8 = 1;

/// The maximum number of attempts to change a session that other requests change at the same
/// time. Whenever an attempt fails, another request has succeeded, so this many requests can
/// change one session at once.
const MOST_ATTEMPTS: usize = 64;

/// The maximum number of attempts to find a free ID. IDs are 128 random bits, so the first one
/// is practically always free.
const MOST_IDS: usize = 8;

/// The maximum depth of lists and maps in a value. serde_json does not read deeper ones.
const MOST_LEVELS: usize = 126;

/// A store for the crate `tower-sessions`, in any of our backends.
///
/// The feature `tower-sessions` is for version 0.15 of that crate. The feature
/// `tower-sessions-0-14` is for version 0.14, which axum-login 0.18 uses. Both read the same
/// rows.
///
/// ```
/// # #[cfg(not(feature = "tower-sessions"))]
/// # fn main() {}
/// # #[cfg(feature = "tower-sessions")]
/// # fn main() -> Result<(), silverback::backend::Error> {
/// use silverback::backend::Memory;
/// use silverback::compat::tower_sessions::BackendStore;
/// use tower_sessions::SessionManagerLayer;
///
/// let store = BackendStore::new(Memory::new())?; // or backend::connect(url).await?
/// let app: axum::Router = axum::Router::new().layer(SessionManagerLayer::new(store));
/// # Ok(())
/// # }
/// ```
///
/// # SessionRows
///
/// A row's key is the hash of the session's ID, so a copy of the rows opens no session. The row
/// holds the session's values as JSON, in the clear: a person who can write rows can write
/// sessions.
///
/// A session expires to the millisecond, by the backend's clock. A
/// [`Cleanup`](crate::backend::Cleanup) deletes expired rows, so this store does not implement
/// `ExpiredDeletion`.
///
/// An ID opens its session in every layer with the same backend, whatever the name of its
/// cookie. If two layers have different sessions, give each layer its own backend.
///
/// # Advantages over other stores
///
/// - **An ended session stays ended.** If a request saves a session late, after it was deleted
///   or renewed or has expired, saving is an error. The layer then answers 500 and sets no
///   cookie.
/// - **A client never chooses an ID.** `create` always makes a new one, since `flush` leaves the
///   client's ID in the record, and an attacker may have planted that ID.
///
/// End a session with `flush`. Begin one with `flush` or `cycle_id`. `clear` keeps the client's
/// ID and does not check that its session exists; if it does not exist, saving is an error.
///
/// # Limits
///
/// A `SessionStore` is not given the record that was loaded, so it cannot compare it with the
/// stored one:
///
/// - **The last writer wins.** If two requests change one session, the changes of the one that
///   saves first are lost.
/// - **A new ID (`cycle_id`) takes two steps**: the old session is deleted, and the new one is
///   created when the request ends. If the request fails or is cut off between the steps, no
///   session is left. Two such requests at once leave two sessions.
/// - If the answer to a write is lost, the request gets an error, although the write may have
///   been applied.
/// - The cookie is the bare ID of 128 bits, unless the layer signs it.
/// - A session has no owner, so the sessions of an owner cannot be listed or ended. There is no
///   absolute limit.
/// - A [`Memory`](crate::backend::Memory) gives records without an owner half of its capacity,
///   unless [`capacity_without_owner`](crate::backend::MemoryOptions::capacity_without_owner)
///   allows more. It cannot distinguish a login from a stranger's session.
/// - Behind the cache of a `CachingSessionStore`, a session that was ended elsewhere stays open.
///   This store cannot be the cache itself, because a cache must accept existing IDs.
///
/// [`ServerStore`](crate::session::ServerStore) with [`SessionLayer`](crate::web::tower::SessionLayer)
/// has no such limits, and signs its cookie.
#[derive(Clone)]
pub struct BackendStore(SessionRows);

impl BackendStore {
    /// Makes a store of sessions in `backend`.
    ///
    /// # Errors
    /// Returns a usage error if the backend's rows are those of a Go package.
    pub fn new(backend: impl IntoBackend) -> std::result::Result<Self, backend::Error> {
        let backend = backend.into_backend();
        match backend.layout() {
            Layout::Native => Ok(BackendStore(SessionRows(backend))),
            layout => Err(backend::Error::usage(format!(
                "the backend's rows have the layout {layout:?}, which tower-sessions cannot use: use a \
                 backend with tables of its own"
            ))),
        }
    }
}

/// The operations of a store, without the types of any version of `tower-sessions`.
#[derive(Clone)]
struct SessionRows(Arc<dyn Backend>);

/// The values of a session, by name.
type Data = HashMap<String, Value>;

/// The error of a store, which each version of `tower-sessions` has in its own types.
enum Error {
    Encode(String),
    Decode(String),
    Backend(String),
}

type Result<T> = std::result::Result<T, Error>;

impl SessionRows {
    /// Creates a session under a new ID, and returns the ID.
    async fn create(&self, data: &Data, expiry: OffsetDateTime) -> Result<i128> {
        let record = record(data, expiry)?;
        for _ in 0..MOST_IDS {
            let id = random_id()?;
            match self
                .0
                .create(&key(id)?, &record)
                .await
                .map_err(of_backend)?
            {
                Created::Saved(_) => return Ok(id),
                Created::Exists => {}
            }
        }
        Err(Error::Backend(
            "each new ID already had a session: try again".to_owned(),
        ))
    }

    async fn save(&self, id: i128, data: &Data, expiry: OffsetDateTime) -> Result<()> {
        match self.change(id, Some(&record(data, expiry)?)).await? {
            true => Ok(()),
            false => {
                let why = "the session has ended since this request loaded it: nothing was saved";
                Err(Error::Backend(why.to_owned()))
            }
        }
    }

    async fn load(&self, id: i128) -> Result<Option<(Data, OffsetDateTime)>> {
        let stored = self.0.load(&key(id)?).await.map_err(of_backend)?;
        stored.map(|stored| read(&stored.record)).transpose()
    }

    async fn delete(&self, id: i128) -> Result<()> {
        self.change(id, None).await.map(drop)
    }

    /// Replaces the live record under `id` by `to`, or removes it if `to` is `None`. Returns
    /// false if there is no live record.
    async fn change(&self, id: i128, to: Option<&Record>) -> Result<bool> {
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
        let why = "concurrent requests kept saving the session: nothing was saved; try again";
        Err(Error::Backend(why.to_owned()))
    }
}

/// Returns a new ID: 128 random bits from the operating system.
fn random_id() -> Result<i128> {
    let mut bits = [0; 16];
    let filled = getrandom::fill(&mut bits);
    filled.map_err(|_| Error::Backend("the operating system has no randomness".to_owned()))?;
    Ok(i128::from_le_bytes(bits))
}

fn of_backend(error: backend::Error) -> Error {
    let message = error.to_string();
    match error.is_corrupt() {
        true => Error::Decode(message),
        false => Error::Backend(message),
    }
}

fn key(id: i128) -> Result<Key> {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(id.to_le_bytes()));
    Key::new(hash).map_err(of_backend)
}

fn record(data: &Data, expiry_date: OffsetDateTime) -> Result<Record> {
    if data.values().any(|value| is_deeper(value, MOST_LEVELS)) {
        let why = format!("a value has lists and maps nested over {MOST_LEVELS} deep");
        return Err(Error::Encode(why));
    }
    let mut value = vec![VERSION];
    let written = serde_json::to_writer(&mut value, data);
    written.map_err(|_| Error::Encode("a value cannot be written as JSON".to_owned()))?;
    Ok(Record::new(value, expiry(expiry_date)?))
}

/// Returns whether lists and maps are nested deeper than `levels`.
fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => true,
        Value::Array(items) => items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(fields) => fields.values().any(|field| is_deeper(field, levels - 1)),
        _ => false,
    }
}

fn expiry(date: OffsetDateTime) -> Result<Expiry> {
    // Rounded down, so that no session outlives its expiry date.
    let millis = i64::try_from(date.unix_timestamp_nanos().div_euclid(1_000_000));
    let millis = millis.map_err(|_| Error::Encode("the expiry is out of range".to_owned()))?;
    Ok(Expiry::from_millis(millis))
}

fn read(record: &Record) -> Result<(Data, OffsetDateTime)> {
    // serde_json's error text may quote the value.
    let no_session = || Error::Decode("the row is not a session of this store".to_owned());
    let data = match record.value().split_first() {
        Some((&VERSION, json)) => serde_json::from_slice(json).map_err(|_| no_session())?,
        _ => return Err(no_session()),
    };
    let nanoseconds = i128::from(record.expiry().as_millis()) * 1_000_000;
    let expiry_date = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds);
    Ok((data, expiry_date.map_err(|_| no_session())?))
}

/// Implements the trait of one version of `tower-sessions`. The versions have the same items, in
/// types of their own.
macro_rules! session_store_of {
    ($core:ident) => {
        #[async_trait::async_trait]
        impl $core::SessionStore for BackendStore {
            async fn create(
                &self,
                session: &mut $core::session::Record,
            ) -> $core::session_store::Result<()> {
                let created = self.0.create(&session.data, session.expiry_date).await;
                session.id = $core::session::Id(created?);
                Ok(())
            }

            async fn save(
                &self,
                session: &$core::session::Record,
            ) -> $core::session_store::Result<()> {
                let $core::session::Id(id) = session.id;
                let saved = self.0.save(id, &session.data, session.expiry_date).await;
                Ok(saved?)
            }

            async fn load(
                &self,
                id: &$core::session::Id,
            ) -> $core::session_store::Result<Option<$core::session::Record>> {
                let loaded = self.0.load(id.0).await?;
                Ok(loaded.map(|(data, expiry_date)| $core::session::Record {
                    id: *id,
                    data,
                    expiry_date,
                }))
            }

            async fn delete(&self, id: &$core::session::Id) -> $core::session_store::Result<()> {
                Ok(self.0.delete(id.0).await?)
            }
        }

        impl From<Error> for $core::session_store::Error {
            fn from(error: Error) -> Self {
                match error {
                    Error::Encode(message) => $core::session_store::Error::Encode(message),
                    Error::Decode(message) => $core::session_store::Error::Decode(message),
                    Error::Backend(message) => $core::session_store::Error::Backend(message),
                }
            }
        }
    };
}

#[cfg(feature = "tower-sessions")]
session_store_of!(tower_sessions_core);
#[cfg(feature = "tower-sessions-0-14")]
session_store_of!(tower_sessions_core_0_14);

impl fmt::Debug for BackendStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackendStore(..)")
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    #[test]
    fn expiries_are_rounded_down_before_1970_too() {
        for (nanoseconds, millis) in [(1_999_999, 1), (0, 0), (-1, -1), (-1_000_000, -1)] {
            let date = OffsetDateTime::UNIX_EPOCH + Duration::nanoseconds(nanoseconds);
            assert!(expiry(date).is_ok_and(|at| at == Expiry::from_millis(millis)));
        }
    }
}
