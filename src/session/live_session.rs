//! [`LiveSession`]: a session in a server, for use outside of requests: in a WebSocket, a stream of
//! events, or a job.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::commit::run_to_its_end;
use super::observed;
use super::session_data::{Change, Log, SessionData};
use super::store::{IdChange, RowRef, SaveRequest, SaveResult, Store};
use super::{Error, Session, Values};

/// A handle that reads and writes a session after the head of the response has been sent.
///
/// A [`Session`] belongs to one response: once the head has been sent, it accepts no more changes.
/// This handle outlives the response. Each call reads the current session. Each change is saved
/// separately, and concurrent changes of other requests are kept. Each call returns a
/// [gone](Error::is_gone) error once the session has ended or expired, a user has logged in, or the
/// owner has [ended the other sessions](Session::end_others). A stream should then close;
/// [`Session::ended`] waits for that without a call.
///
/// If the session is renewed, the handle follows it to the new ID. A renewal is remembered for the
/// [longest request](super::ServerOptions::longest_request), so the handle must be used at least
/// once in that time. A stream that sends less often should call [`values`](LiveSession::values)
/// regularly.
///
/// Only sessions in a server have this handle; see [`Session::live`].
///
/// ```
/// use std::time::Duration;
/// use silverback::session::{Error, LiveSession, Session};
///
/// /// Starts a job whose progress the next pages show.
/// async fn start(session: Session) -> Result<&'static str, Error> {
///     session.insert("progress", 0)?;
///     session.save().await?;
///     tokio::spawn(work(session.live()?));
///     Ok("It has begun.")
/// }
///
/// async fn work(session: LiveSession) -> Result<(), Error> {
///     for percent in 1..=100 {
///         // .. a part of the work ..
///         session.transact(move |values| values.insert("progress", percent)).await?;
///     }
///     Ok(())
/// }
/// # use std::sync::Arc;
/// # use silverback::{backend::Memory, codec::{Codecs, KeyPairs}};
/// # use silverback::session::{ServerStore, testing::Jar};
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// # let store = ServerStore::new(Codecs::from_pairs(KeyPairs::generate(1)?)?, Arc::new(Memory::new()))?;
/// # let jar = Jar::with(store.clone(), |session| session.insert("progress", 0)).await?;
/// # start(jar.session(store.clone()).await?).await?;
/// # work(jar.session(store.clone()).await?.live()?).await?;
/// # assert_eq!(jar.session(store).await?.get::<u8>("progress")?, Some(100));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct LiveSession(Arc<SharedLiveSession>);

struct SharedLiveSession {
    store: Arc<dyn Store>,
    /// The data when the handle was created.
    data: SessionData,
    /// The row that holds the session, as far as this handle knows.
    row_ref: Mutex<RowRef>,
}

impl Session {
    /// Returns a handle on this session that outlives the response: see [`LiveSession`].
    ///
    /// # Errors
    /// Returns a usage error if the session is stored in its cookie, or has not been saved yet
    /// (call [`save`](Session::save) first). Returns a [gone](Error::is_gone) error if the
    /// request's ID [has moved](super::Refusal::Moved), even within a renewal grace.
    pub fn live(&self) -> Result<LiveSession, Error> {
        let (data, row_ref) = {
            let state = self.state();
            if state.leaves_cookie() {
                return Err(state.moved_or_ambiguous());
            }
            (state.data.clone(), state.row_ref())
        };
        // A session that is still in its cookie has no row.
        let stored = row_ref.filter(|row_ref| self.0.store.public_id(row_ref).is_some());
        let row_ref = stored.ok_or_else(|| {
            Error::usage(
                "the session is not saved in a server, so it cannot be used after the response: \
                 call save() first",
            )
        })?;
        Ok(LiveSession(Arc::new(SharedLiveSession {
            store: self.0.store.clone(),
            data,
            row_ref: Mutex::new(row_ref.outdated()),
        })))
    }
}

impl LiveSession {
    /// Returns the current values.
    ///
    /// Reading does not count as use of the session: the idle limit does not begin again.
    ///
    /// # Errors
    /// Returns a [gone](Error::is_gone) or an [unavailable](Error::is_unavailable) error.
    #[doc(alias = "reload")]
    pub async fn values(&self) -> Result<Values, Error> {
        let row_ref = self.row_ref();
        let data = self.0.store.reload(&row_ref).await?;
        Ok(data.ok_or_else(Error::gone)?.values)
    }

    /// Returns the current value under `key`, or `None` if there is no value.
    ///
    /// # Errors
    /// Returns the errors of [`values`](LiveSession::values), and a [wrong
    /// type](Error::is_wrong_type) error if the value is not a `T`.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.values().await?.get(key)
    }

    /// Changes the value under `key` and saves it, as [`transact`](LiveSession::transact) does.
    /// Returns the new value. If there is no value, the change begins with the default.
    ///
    /// # Errors
    /// Returns the errors of [`transact`](LiveSession::transact), and a [wrong
    /// type](Error::is_wrong_type) error if the value is not a `T`.
    pub async fn update<T>(
        &self,
        key: &str,
        change: impl Fn(&mut T) + Send + Sync + 'static,
    ) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned + Default + Send + 'static,
    {
        let key = key.to_owned();
        self.transact(move |values| {
            let mut value = values.get(&key)?.unwrap_or_default();
            change(&mut value);
            values.insert(&key, &value)?;
            Ok(value)
        })
        .await
    }

    /// Changes the values and saves them at once. This does not count as use of the session; call
    /// [`touch`](LiveSession::touch) for that.
    ///
    /// `change` runs on the current session. It runs again if another request saves the session
    /// concurrently; the last result counts. If `change` fails, nothing is saved. If the future is
    /// dropped, a write that has begun is finished, but a save that still waits is not done.
    ///
    /// # Errors
    /// Returns the errors of `change`, and [gone](Error::is_gone), [too
    /// large](Error::is_too_large), [conflict](Error::is_conflict) and
    /// [unavailable](Error::is_unavailable) errors. An unavailable error may have an [unknown
    /// outcome](Error::is_outcome_unknown).
    pub async fn transact<R: Send + 'static>(
        &self,
        change: impl Fn(&mut Values) -> Result<R, Error> + Send + Sync + 'static,
    ) -> Result<R, Error> {
        let answer = Arc::new(Mutex::new(None));
        let latest = answer.clone();
        self.save(Arc::new(move |data| {
            let answer = change(&mut data.values)?;
            *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            Ok(())
        }))
        .await?;
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.ok_or_else(|| Error::unavailable("the change was not applied"))
    }

    /// Counts as use of the session: the idle limit begins again.
    ///
    /// # Errors
    /// Returns the errors of [`transact`](LiveSession::transact).
    pub async fn touch(&self) -> Result<(), Error> {
        let now = self.0.store.setup().now();
        self.save(Arc::new(move |data| {
            data.metadata.seen = data.metadata.seen.max(now);
            Ok(())
        }))
        .await
    }

    fn row_ref(&self) -> RowRef {
        let row_ref = self.0.row_ref.lock();
        row_ref.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn save(&self, change: Change) -> Result<(), Error> {
        let (save, handle) = (self.save_of(change), self.clone());
        let work = async move |dropped| {
            let saved: SaveResult = observed::save(&*handle.0.store, save, dropped).await?;
            if let Some(row_ref) = saved.row_ref {
                let mut own = handle
                    .0
                    .row_ref
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                *own = row_ref.outdated();
            }
            Ok(())
        };
        let saved = run_to_its_end(&*self.0.store, work).await;
        saved.unwrap_or_else(|error| {
            let error = Error::in_doubt().with_source(error);
            observed::save_failed(&*self.0.store, &error);
            Err(error)
        })
    }

    /// Creates a save that first reads the current row.
    fn save_of(&self, change: Change) -> SaveRequest {
        let mut log = Log::default();
        log.push(change);
        SaveRequest {
            data: self.0.data.clone(),
            sealed_at: self.0.data.metadata.created,
            opener: None,
            is_first: false,
            replaces: false,
            revokes_others: false,
            lasts_longer: false,
            is_touch: false,
            wants_cookie: false,
            owed_cookie: false,
            row_ref: Some(Arc::new(self.row_ref())),
            id_change: IdChange::Same,
            id: None,
            log,
        }
    }
}

/// Shows the store's name, and no values.
impl fmt::Debug for LiveSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSession")
            .field("name", &self.0.store.name())
            .finish_non_exhaustive()
    }
}
