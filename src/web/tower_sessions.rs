//! [`BackendStore`]: our backends beneath the `tower-sessions` crate, for applications that
//! are built on it, in its versions 0.15 and 0.14.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::backend::{self, Backend, Created, Expiry, Key, Layout, Outcome, Record};

/// The first byte of each value; another one is no session of this store.
const VERSION: u8 = 1;

/// How often a change is tried while other requests change the same session. Each time one of
/// them succeeds, so that as many may run at once.
const MOST_ATTEMPTS: usize = 64;

/// How many new IDs are tried. Of 128 random bits even the first is never taken.
const MOST_IDS: usize = 8;

/// How many lists and maps may be within each other in a value: what serde_json reads again.
const MOST_LEVELS: usize = 126;

/// A store for `tower-sessions`, in any of our backends: for version 0.15 of that crate with the
/// feature `tower-sessions`, and for 0.14, which axum-login 0.18 is built on, with
/// `tower-sessions-0-14`. Both read the same rows.
///
/// ```
/// # #[cfg(not(feature = "tower-sessions"))]
/// # fn main() {}
/// # #[cfg(feature = "tower-sessions")]
/// # fn main() -> Result<(), silverback::backend::Error> {
/// use std::sync::Arc;
/// use silverback::backend::Memory;
/// use silverback::web::tower_sessions::BackendStore;
/// use tower_sessions::SessionManagerLayer;
///
/// let store = BackendStore::new(Arc::new(Memory::new()))?; // or backend::connect(url).await?
/// let app: axum::Router = axum::Router::new().layer(SessionManagerLayer::new(store));
/// # Ok(())
/// # }
/// ```
///
/// A row's key is the hash of the session's ID, so that a copy of the rows opens no session.
/// The values are in it as JSON, in the clear: who can write rows can write sessions. A
/// session expires to the millisecond, by the backend's clock; expired rows go with a
/// [`Cleanup`](crate::backend::Cleanup), so `ExpiredDeletion` is not there.
///
/// An ID opens its session in every layer that has the same backend, whatever the name of
/// its cookie: give layers whose sessions differ a backend each.
///
/// # What it does that other stores do not
///
/// - **A session that was deleted is not brought back** by a request that saves it late, nor
///   one that was renewed or is over: saving is an error, and the layer answers 500 and sets
///   no cookie.
/// - **A client chooses no ID.** `create` always takes a new one,
///   since `flush` leaves in the record what the client sent, which an attacker may have
///   planted.
///
/// So end a session with `flush`, and begin one with `flush` or `cycle_id`. `clear` keeps the
/// client's ID without looking whether there is such a session: where there is none, saving
/// is that error.
///
/// # What it cannot do
///
/// A `SessionStore` does not learn what was loaded, so nothing can be compared:
/// - **Of two requests that change one session, the one that saves last wins**, and what the
///   other wrote is lost.
/// - **A new ID (`cycle_id`) is not one step**: the old session is deleted, and the new one
///   made when the request ends. A request that fails or is cut off between leaves neither,
///   and two at once leave two.
/// - A write whose answer was lost is an error, and may have been done.
/// - The cookie is the bare ID of 128 bits, unless the layer signs it; no session knows its
///   owner, so none are listed or ended for one; there is no absolute limit.
/// - Its records have no owner, so that a [`Memory`](crate::backend::Memory) gives them half of
///   its room unless [`capacity_without_owner`](crate::backend::MemoryOptions::capacity_without_owner)
///   says more, and knows no login from a stranger's session.
/// - Behind the cache of a `CachingSessionStore`, what was ended elsewhere stays open. And it
///   cannot be that cache itself, which has to take over IDs.
///
/// [`ServerStore`](crate::session::ServerStore) with [`SessionLayer`](super::tower::SessionLayer)
/// can do all of it, and signs its cookie.
#[derive(Clone)]
pub struct BackendStore(Rows);

impl BackendStore {
    /// Sessions in that backend.
    ///
    /// # Errors
    /// Usage, for a backend whose rows are those of a Go package.
    pub fn new(backend: Arc<dyn Backend>) -> std::result::Result<Self, backend::Error> {
        match backend.layout() {
            Layout::Native => Ok(BackendStore(Rows(backend))),
            layout => Err(backend::Error::usage(format!(
                "sessions of tower-sessions do not fit the backend's rows, which are {layout:?}"
            ))),
        }
    }
}

/// What every version of that crate asks of a store, in types of none.
#[derive(Clone)]
struct Rows(Arc<dyn Backend>);

/// A session's values.
type Data = HashMap<String, Value>;

/// What goes wrong, as every version has it.
enum Error {
    Encode(String),
    Decode(String),
    Backend(String),
}

type Result<T> = std::result::Result<T, Error>;

impl Rows {
    /// Makes a session under a new ID, which is returned.
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
        Err(Error::Backend("each new ID was there already".to_owned()))
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

    /// Puts another record in place of the living one of that ID, or nothing. False, if
    /// there is none.
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
        let why = "other requests kept saving the session: nothing was saved, try again";
        Err(Error::Backend(why.to_owned()))
    }
}

/// A new ID: 128 random bits of the operating system.
fn random_id() -> Result<i128> {
    let mut bits = [0; 16];
    let filled = getrandom::fill(&mut bits);
    filled.map_err(|_| Error::Backend("the system has no randomness to give".to_owned()))?;
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
        let why = format!("a value has more than {MOST_LEVELS} lists and maps within each other");
        return Err(Error::Encode(why));
    }
    let mut value = vec![VERSION];
    let written = serde_json::to_writer(&mut value, data);
    written.map_err(|_| Error::Encode("a value is no JSON".to_owned()))?;
    Ok(Record::new(value, expiry(expiry_date)?))
}

/// Whether more lists and maps are within each other than that.
fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => true,
        Value::Array(items) => items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(fields) => fields.values().any(|field| is_deeper(field, levels - 1)),
        _ => false,
    }
}

fn expiry(date: OffsetDateTime) -> Result<Expiry> {
    // Rounded down: what is over is over.
    let millis = i64::try_from(date.unix_timestamp_nanos().div_euclid(1_000_000));
    let millis = millis.map_err(|_| Error::Encode("the expiry is out of range".to_owned()))?;
    Ok(Expiry::from_millis(millis))
}

fn read(record: &Record) -> Result<(Data, OffsetDateTime)> {
    // What serde_json says of it may quote it.
    let no_session = || Error::Decode("the row is no session of this store".to_owned());
    let data = match record.value().split_first() {
        Some((&VERSION, json)) => serde_json::from_slice(json).map_err(|_| no_session())?,
        _ => return Err(no_session()),
    };
    let nanoseconds = i128::from(record.expiry().as_millis()) * 1_000_000;
    let expiry_date = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds);
    Ok((data, expiry_date.map_err(|_| no_session())?))
}

/// The trait of a version of that crate. The versions have the same items, in types of their
/// own.
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
