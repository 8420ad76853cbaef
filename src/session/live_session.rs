//! [`LiveSession`]: a session in a server, outside of any request: for a WebSocket, a stream of
//! events, or a job.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::content::{Change, Content, Log};
use super::saving::run_to_its_end;
use super::store::{Fate, Kept, Save, Saved, Store};
use super::{Error, Session, Values};

/// A session that is read and written after the response's head has left.
///
/// A [`Session`] belongs to one response: once the head has left, it takes no more changes.
/// This handle outlives the response. Each call reads the session as it is then, each change
/// is saved by itself, and what other requests save at the same time is kept. Once the session
/// has ended or expired, somebody has logged in, or the owner has [ended the other
/// sessions](Session::destroy_others), each call is [gone](Error::is_gone): a stream then closes.
///
/// If the session is renewed, the handle goes with it, provided that it is used at least once in
/// the [longest request](super::ServerOptions::longest_request): for so long a renewal is
/// remembered. A stream that is quiet for longer calls [`values`](LiveSession::values) now and
/// then.
///
/// Only sessions that live in a server have it: [`Session::live`] says when.
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
pub struct LiveSession(Arc<Shared>);

struct Shared {
    store: Arc<dyn Store>,
    /// As it was when the handle was made.
    content: Content,
    /// Where it is, as far as this handle knows.
    kept: Mutex<Kept>,
}

impl Session {
    /// A handle on this session that outlives the response: see [`LiveSession`].
    ///
    /// # Errors
    /// Usage, for a session that lives in its cookie, or that was not saved yet (call
    /// [`save`](Session::save) first); [gone](Error::is_gone), for a request whose ID [has
    /// moved](super::Refusal::Moved), also within a renewal grace.
    pub fn live(&self) -> Result<LiveSession, Error> {
        let (content, kept) = {
            let state = self.state();
            if state.leaves_cookie() {
                return Err(state.not_saved());
            }
            (state.content.clone(), state.kept())
        };
        let kept = kept.ok_or_else(|| {
            Error::usage(
                "only a session that is saved in a server can be used after the response: call \
                 save() first",
            )
        })?;
        Ok(LiveSession(Arc::new(Shared {
            store: self.0.store.clone(),
            content,
            kept: Mutex::new(kept.outdated()),
        })))
    }
}

impl LiveSession {
    /// The values as they are now.
    ///
    /// A read is no use of the session: it does not count against the idle limit.
    ///
    /// # Errors
    /// [Gone](Error::is_gone), and [unavailable](Error::is_unavailable).
    pub async fn values(&self) -> Result<Values, Error> {
        let kept = self.kept();
        let content = self.0.store.reload(&kept).await?;
        Ok(content.ok_or_else(Error::gone)?.values)
    }

    /// The value under `key` as it is now; none if there is none.
    ///
    /// # Errors
    /// As [`values`](LiveSession::values), and [wrong type](Error::is_wrong_type).
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.values().await?.get(key)
    }

    /// Changes the value under `key`, from its default if there is none, saves it, and returns
    /// it. As [`transact`](LiveSession::transact).
    ///
    /// # Errors
    /// As [`transact`](LiveSession::transact), and [wrong type](Error::is_wrong_type).
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

    /// Changes the values and saves them now. It is no use of the session:
    /// [`touch`](LiveSession::touch) is.
    ///
    /// `change` runs on the session as it is then, and again if another request saves it at the
    /// same time; the last result counts. If `change` fails, nothing is saved. If the future is
    /// dropped, a write that has begun is finished; a save that waits is not done.
    ///
    /// # Errors
    /// Those of `change`; [gone](Error::is_gone); [too large](Error::is_too_large);
    /// [conflict](Error::is_conflict); [unavailable](Error::is_unavailable), and then perhaps of
    /// [unknown outcome](Error::is_outcome_unknown).
    pub async fn transact<R: Send + 'static>(
        &self,
        change: impl Fn(&mut Values) -> Result<R, Error> + Send + Sync + 'static,
    ) -> Result<R, Error> {
        let answer = Arc::new(Mutex::new(None));
        let latest = answer.clone();
        self.save(Arc::new(move |content| {
            let answer = change(&mut content.values)?;
            *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            Ok(())
        }))
        .await?;
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.ok_or_else(|| Error::unavailable("the change was never made"))
    }

    /// Counts as use of the session: the idle limit begins again.
    ///
    /// # Errors
    /// As [`transact`](LiveSession::transact).
    pub async fn touch(&self) -> Result<(), Error> {
        let now = self.0.store.setup().now();
        self.save(Arc::new(move |content| {
            content.metadata.seen = content.metadata.seen.max(now);
            Ok(())
        }))
        .await
    }

    fn kept(&self) -> Kept {
        let kept = self.0.kept.lock();
        kept.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn save(&self, change: Change) -> Result<(), Error> {
        let (save, handle) = (self.save_of(change), self.clone());
        let work = async move |dropped| {
            let saved: Saved = handle.0.store.save(save, dropped).await?;
            if let Some(kept) = saved.kept {
                let mut own = handle.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
                *own = kept.outdated();
            }
            Ok(())
        };
        let saved = run_to_its_end(&*self.0.store, work).await;
        saved.unwrap_or_else(|error| Err(Error::in_doubt().with_source(error)))
    }

    /// A save that begins with a look at what is there.
    fn save_of(&self, change: Change) -> Save {
        let mut log = Log::default();
        log.push(change);
        Save {
            content: self.0.content.clone(),
            sealed_at: self.0.content.metadata.created,
            revokes_others: false,
            lasts_longer: false,
            is_touch: false,
            wants_cookie: false,
            owed_cookie: false,
            kept: Some(Arc::new(self.kept())),
            fate: Fate::Stays,
            log,
        }
    }
}

/// The name, and nothing of what is in it.
impl fmt::Debug for LiveSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSession")
            .field("name", &self.0.store.name())
            .finish_non_exhaustive()
    }
}
