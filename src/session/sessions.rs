//! [`Sessions`]: the sessions of one request, by name, and the [`ResponseFields`] they
//! come to. Gorilla's registry, and all that a web framework's adapter needs.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::client_host::is_loopback;
use super::cookie_header::CookieHeader;
use super::foreign_cookies::ForeignCookies;
use super::opened_cookies::OpenedCookies;
use super::request_url::RequestUrl;
use super::state::{Came, State};
use super::store::{Store, Stores};
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
/// let cookies = [&b"__Host-id=.."[..]];
/// let sessions = Sessions::of_request(&stores, cookies, Some(b"example.com"), "/visits");
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
    /// The sessions of the layer around this one.
    outer: Option<Sessions>,
    /// Those that this layer loads and saves.
    stores: Stores,
    /// The session that is asked for without a name.
    first: Option<String>,
    request: Arc<Request>,
    loaded: Mutex<Loaded>,
}

/// A request as the client sent it.
struct Request {
    cookies: CookieHeader,
    url: RequestUrl,
    is_loopback: bool,
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
    /// Whether the request does not count as use.
    is_passive: bool,
}

impl Loaded {
    fn find(&self, place: usize) -> Option<Session> {
        let found = self.sessions.iter().find(|(of, _)| *of == place);
        found.map(|(_, session)| session.clone())
    }
}

impl Sessions {
    /// The sessions of a request with these Cookie fields, this Host (`:authority` in HTTP/2),
    /// as [`client_host`](super::client_host) says which it is, and this path, as the browser
    /// sent it: not decoded, and with what routers strip.
    ///
    /// Host and path say from where cookies can be [removed](Refusal::Ambiguous) that another
    /// host planted.
    #[must_use]
    pub fn of_request<'f>(
        stores: &Stores,
        cookies: impl IntoIterator<Item = &'f [u8]>,
        host: Option<&[u8]>,
        path: &str,
    ) -> Self {
        let request = Request {
            cookies: CookieHeader::new(cookies),
            url: RequestUrl::new(host, path),
            is_loopback: host.is_some_and(is_loopback),
        };
        Sessions(Arc::new(Shared {
            outer: None,
            stores: stores.clone(),
            first: stores.first_name().map(str::to_owned),
            request: Arc::new(request),
            loaded: Mutex::default(),
        }))
    }

    /// The sessions of the same request for a layer within this one, which has `stores`.
    ///
    /// A name that is here already stays the session that is here, and this layer saves it. The
    /// layer within loads and saves the names that are new. Handlers inside reach both; the
    /// session without a name is the first of `stores`.
    #[must_use]
    pub fn within(&self, stores: &Stores) -> Self {
        let is_new = |name: &str| !self.has(name);
        Sessions(Arc::new(Shared {
            outer: Some(self.clone()),
            stores: stores.only(is_new),
            first: stores.first_name().map(str::to_owned),
            request: self.0.request.clone(),
            loaded: Mutex::new(Loaded {
                is_passive: self.loaded().is_passive,
                ..Loaded::default()
            }),
        }))
    }

    /// Whether a session of that name is here, or in a layer around.
    fn has(&self, name: &str) -> bool {
        let outer = self.0.outer.as_ref();
        self.0.stores.find(name).is_some() || outer.is_some_and(|outer| outer.has(name))
    }

    /// Makes this request no use of its sessions, those that are loaded later included: see
    /// [`Session::passive`]. A middleware around a route makes the route passive:
    ///
    /// ```
    /// # #[cfg(feature = "axum")] {
    /// use axum::extract::Request;
    /// use axum::middleware::{Next, from_fn};
    /// use axum::response::Response;
    /// use axum::routing::get;
    /// use silverback::session::{Error, Session, Sessions};
    ///
    /// async fn passive(sessions: Sessions, request: Request, next: Next) -> Response {
    ///     sessions.passive();
    ///     next.run(request).await
    /// }
    ///
    /// async fn unread(session: Session) -> Result<String, Error> {
    ///     Ok(session.get::<u64>("unread")?.unwrap_or(0).to_string())
    /// }
    ///
    /// let app: axum::Router = axum::Router::new()
    ///     .route("/unread", get(unread).layer(from_fn(passive)));
    /// # }
    /// ```
    pub fn passive(&self) {
        let sessions = {
            let mut loaded = self.loaded();
            loaded.is_passive = true;
            loaded.sessions.clone()
        };
        for (_, session) in sessions {
            session.passive();
        }
        if let Some(outer) = &self.0.outer {
            outer.passive();
        }
    }

    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        // Nothing of the user's runs under the lock, so nobody panics there.
        self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of the first store.
    ///
    /// # Errors
    /// [Unavailable](Error::is_unavailable), if the store cannot tell what the client's cookie
    /// is good for.
    pub async fn session(&self) -> Result<Session, Error> {
        let first = self.0.first.as_deref();
        let first = first.ok_or_else(|| Error::usage("the layer has no store"))?;
        self.get(first).await
    }

    /// The session of that cookie name.
    ///
    /// # Errors
    /// As [`session`](Sessions::session), and usage for a name that no store has.
    pub async fn get(&self, name: &str) -> Result<Session, Error> {
        let mut layer = self;
        loop {
            match (layer.0.stores.find(name), &layer.0.outer) {
                (Some((place, store)), _) => return layer.load(place, store).await,
                (None, Some(outer)) => layer = outer,
                (None, None) => {
                    return Err(Error::usage(format!("no store has the cookie name {name}")));
                }
            }
        }
    }

    async fn load(&self, place: usize, store: &Arc<dyn Store>) -> Result<Session, Error> {
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
        let session = Session::new(store.clone(), self.0.request.is_loopback, state);
        if loaded.is_closed {
            session.close();
        }
        if loaded.is_passive {
            session.passive();
        }
        loaded.sessions.push((place, session.clone()));
        Ok(session)
    }

    /// What the request's cookies of that store are good for.
    async fn open(&self, store: &dyn Store) -> Result<State, Error> {
        let setup = store.setup();
        let Ok(values) = self.0.request.cookies.values(store.name()) else {
            return Ok(State::new(setup, Came::Cookie, Some(Refusal::TooMany)));
        };
        let mut opened = OpenedCookies::default();
        for value in values {
            let loaded = store.load(value).await?;
            if opened.add(loaded, setup).is_err() {
                return Ok(State::new(setup, Came::Cookie, Some(Refusal::Ambiguous)));
            }
        }
        Ok(opened.into_state(setup))
    }

    /// Saves the sessions that were written to, and says what the response is to carry;
    /// nothing, if no session was asked for. From now on they take no more changes.
    ///
    /// # Errors
    /// Those of [`Session::save`]. Then the response must not leave, and
    /// [`Error::status`] says what is to leave instead. That a session [is
    /// gone](Error::is_gone) is an error only for one that asked to
    /// [end others](Session::destroy_others), or if the store says
    /// [so](super::ServerOptions::fail_when_gone).
    pub async fn finish(&self) -> Result<Option<ResponseFields>, Error> {
        let sessions = self.close();
        if !self.were_asked_for() {
            return Ok(None);
        }
        let mut set_cookies = Vec::new();
        let mut foreign = ForeignCookies::of_request(&self.0.request.url);
        let mut is_transient = false;
        for session in sessions {
            match session.commit().await {
                Err(error) if error.is_gone() && session.may_be_lost() => {
                    tracing::info!(cookie = session.name(), %error, "session not saved");
                }
                committed => committed?,
            }
            session.set_cookies_into(&mut foreign, &mut set_cookies);
            is_transient |= session.leaves_cookie();
        }
        Ok(Some(
            ResponseFields::new(set_cookies).transient(is_transient),
        ))
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
    ///
    /// Returns what the other response carries all the same, if anything: the removals of cookies
    /// that [another host may have planted](Refusal::Ambiguous), without which the next request
    /// would fail as this one did. They never touch the application's own cookie.
    pub fn abandon(&self) -> Option<ResponseFields> {
        let mut removals = Vec::new();
        let mut foreign = ForeignCookies::of_request(&self.0.request.url);
        for session in self.close() {
            session.remove_foreign(&mut foreign, false, &mut removals);
        }
        (!removals.is_empty()).then(|| ResponseFields::new(removals))
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
