//! [`Sessions`]: the sessions of one request, by name, and the [`ResponseFields`] they
//! come to. Gorilla's registry, and all that a web framework's adapter needs.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::client_host::is_loopback;
use super::cookie_header::CookieHeader;
use super::state::State;
use super::store::{self, Store, Stores};
use super::{Error, Refusal, ResponseFields, Session};

/// The sessions of one request. Each is loaded when it is first asked for, and is the
/// same for all who ask; those nobody asks for cost nothing.
///
/// In a handler of axum or actix-web it is an extractor; the layer does the rest. For
/// another framework: make one [of the request](Sessions::of_request), put it where
/// handlers find it, and [`finish`](Sessions::finish) it before the response's head
/// leaves.
///
/// ```
/// # use silverback::codec::{Codecs, KeyPairs};
/// # use silverback::session::{CookieStore, Sessions, Stores};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
/// let stores = Stores::from(CookieStore::new(codecs)?);
///
/// let sessions = Sessions::of_request(&stores, [b"__Host-id=.."].map(|field| &field[..]), Some(b"example.com"));
/// sessions.session().await?.insert("visits", 1)?;
/// let fields = sessions.finish().await?.expect("a session was asked for");
/// assert_eq!(fields.set_cookies().len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[doc(alias = "Registry")]
pub struct Sessions(Arc<Shared>);

struct Shared {
    stores: Stores,
    cookies: CookieHeader,
    is_loopback: bool,
    loaded: Mutex<Loaded>,
}

/// The sessions that were asked for.
#[derive(Default)]
struct Loaded {
    /// By the place of their store.
    sessions: Vec<(usize, Session)>,
    /// Whether any was asked for, also in vain.
    is_asked: bool,
    /// Whether the response has begun.
    is_closed: bool,
}

impl Loaded {
    fn find(&self, place: usize) -> Option<Session> {
        let found = self.sessions.iter().find(|(of, _)| *of == place);
        found.map(|(_, session)| session.clone())
    }
}

impl Sessions {
    /// The sessions of a request with these Cookie fields and this Host (`:authority` in
    /// HTTP/2), as [`client_host`](super::client_host) says which it is.
    #[must_use]
    pub fn of_request<'f>(
        stores: &Stores,
        cookies: impl IntoIterator<Item = &'f [u8]>,
        host: Option<&[u8]>,
    ) -> Self {
        Sessions(Arc::new(Shared {
            stores: stores.clone(),
            cookies: CookieHeader::new(cookies),
            is_loopback: host.is_some_and(is_loopback),
            loaded: Mutex::default(),
        }))
    }

    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        // Nothing of the user's runs under the lock, so nobody panics there.
        self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of the first store.
    ///
    /// # Errors
    /// [Unavailable](Error::is_unavailable), if nobody can tell what the client's cookie
    /// is good for.
    pub async fn session(&self) -> Result<Session, Error> {
        self.load(self.0.stores.first(), "the first").await
    }

    /// The session of that cookie name.
    ///
    /// # Errors
    /// As [`session`](Sessions::session), and usage for a name that no store has.
    pub async fn get(&self, name: &str) -> Result<Session, Error> {
        self.load(self.0.stores.find(name), name).await
    }

    async fn load(
        &self,
        found: Option<(usize, &Arc<dyn Store>)>,
        name: &str,
    ) -> Result<Session, Error> {
        let no_store = || Error::usage(format!("no store has the cookie name {name}"));
        let (place, store) = found.ok_or_else(no_store)?;
        {
            let mut loaded = self.loaded();
            loaded.is_asked = true;
            if let Some(session) = loaded.find(place) {
                return Ok(session);
            }
        }
        let state = self.open(store.as_ref()).await?;
        if let Some(refusal) = state.refusal() {
            tracing::info!(cookie = store.name(), reason = %refusal, "session cookie refused");
        }
        let mut loaded = self.loaded();
        // Somebody else may have loaded it meanwhile; the first counts.
        if let Some(session) = loaded.find(place) {
            return Ok(session);
        }
        let session = Session::new(store.clone(), self.0.is_loopback, state);
        if loaded.is_closed {
            session.close();
        }
        loaded.sessions.push((place, session.clone()));
        Ok(session)
    }

    /// What the request's cookies of that store are good for.
    async fn open(&self, store: &dyn Store) -> Result<State, Error> {
        let setup = store.setup();
        let Ok(values) = self.0.cookies.values(store.name()) else {
            return Ok(State::new(setup, true, Some(Refusal::TooMany)));
        };
        let mut record: Option<Box<store::Record>> = None;
        let mut refused = None;
        for value in &values {
            match store.load(value).await? {
                store::Loaded::Refused(refusal) => refused = refused.or(Some(refusal)),
                store::Loaded::Live(live) => match &record {
                    None => record = Some(live),
                    Some(first) if first.is_same_as(&live) => {}
                    Some(_) => return Ok(State::new(setup, true, Some(Refusal::Ambiguous))),
                },
            }
        }
        Ok(match record {
            Some(record) => State::loaded(*record, setup),
            None => State::new(setup, !values.is_empty(), refused),
        })
    }

    /// Whether these are sessions of all the names that `stores` have, so that a second
    /// layer within the first has nothing to do.
    #[must_use]
    pub fn cover(&self, stores: &Stores) -> bool {
        self.0.stores.cover(stores)
    }

    /// Saves the sessions that were written to, and says what the response is to carry;
    /// nothing, if no session was asked for. From now on they take no more changes.
    ///
    /// # Errors
    /// Those of [`Session::save`]. Then the response must not leave, and
    /// [`Error::status`] says what is to leave instead.
    pub async fn finish(&self) -> Result<Option<ResponseFields>, Error> {
        let sessions = self.close();
        if !self.were_asked_for() {
            return Ok(None);
        }
        let mut set_cookies = Vec::new();
        for session in sessions {
            match session.commit().await {
                // Somebody else ended it. The response may go, without its cookie.
                Err(error) if error.is_gone() => {
                    tracing::info!(cookie = session.name(), "session gone, not saved");
                }
                committed => committed?,
            }
            session.set_cookies_into(&mut set_cookies);
        }
        Ok(Some(ResponseFields::new(set_cookies)))
    }

    /// The sessions that were asked for, which take no more changes.
    fn close(&self) -> Vec<Session> {
        let mut loaded = self.loaded();
        loaded.is_closed = true;
        let sessions = loaded.sessions.iter().map(|(_, session)| session);
        sessions
            .inspect(|session| session.close())
            .cloned()
            .collect()
    }

    /// Saves nothing: the response that leaves is another one, or there was nothing to
    /// save. The sessions take no more changes.
    pub fn abandon(&self) {
        self.close();
    }

    /// Whether a session was asked for, so that [`finish`](Sessions::finish) has something
    /// to do.
    #[must_use]
    pub fn were_asked_for(&self) -> bool {
        self.loaded().is_asked
    }
}

/// Once a request is over, nothing of it is saved. A change that was to be made again may hold
/// the very session that holds it.
impl Drop for Shared {
    fn drop(&mut self) {
        let loaded = self.loaded.get_mut();
        let loaded = loaded.unwrap_or_else(PoisonError::into_inner);
        for (_, session) in loaded.sessions.iter().filter(|_| loaded.is_closed) {
            // What is the user's is dropped without the lock.
            let changes = session.state().forget_changes();
            drop(changes);
        }
    }
}

/// The names of the sessions that were asked for.
impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loaded = self.loaded();
        f.debug_list()
            .entries(loaded.sessions.iter().map(|(_, session)| session.name()))
            .finish()
    }
}
