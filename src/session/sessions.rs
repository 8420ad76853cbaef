//! [`Sessions`]: the sessions of one request, by name, and the [`ResponseFields`] for its response.
//! This is gorilla's registry, and all that a web framework's adapter needs.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cookie_header::CookieHeader;

use super::client_host::is_loopback;
use super::foreign_cookies::ForeignCookies;
use super::observed;
use super::opened_cookies::OpenedCookies;
use super::request_url::RequestUrl;
use super::state::{LegacyCookies, RequestCookie, State};
use super::{Error, Refusal, ResponseFields, Session};
use super::{Store, Stores};

/// The sessions of one request. A session is loaded when it is first asked for, and all callers get
/// the same one. A session that is not asked for costs nothing.
///
/// In handlers of axum and actix-web it is an extractor, and the layer does the rest. In another
/// framework, make one [of the request](Sessions::of_request), put it where handlers find it, and
/// [`finish`](Sessions::finish) it before the response's head leaves.
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
pub struct Sessions(Arc<SharedSessions>);

struct SharedSessions {
    /// The sessions of the layer around this one.
    outer: Option<Sessions>,
    /// The stores that this layer loads from and saves to.
    stores: Stores,
    /// The name of the session that is asked for without a name.
    first: Option<String>,
    request: Arc<Request>,
    loaded: Mutex<OpenSessions>,
}

/// A request as the client sent it.
struct Request {
    cookies: CookieHeader,
    url: RequestUrl,
    is_loopback: bool,
}

/// The sessions that were asked for.
#[derive(Default)]
struct OpenSessions {
    /// The index of a store, with its session.
    sessions: Vec<(usize, Session)>,
    /// True if any session was asked for, even if it could not be loaded.
    is_asked: bool,
    /// True if the response has begun.
    is_closed: bool,
    /// True if the request does not count as use.
    is_passive: bool,
    #[cfg(feature = "dbsc")]
    bindings: super::binding::RequestBindings,
}

impl OpenSessions {
    fn find(&self, place: usize) -> Option<Session> {
        let found = self.sessions.iter().find(|(of, _)| *of == place);
        found.map(|(_, session)| session.clone())
    }
}

impl Sessions {
    /// Returns the sessions of a request.
    ///
    /// - `cookies` has its Cookie fields.
    /// - `host` is its Host (`:authority` in HTTP/2), as [`client_host`](super::client_host)
    ///   returns it.
    /// - `path` is its path as the browser sent it: not decoded, and with the parts that routers
    ///   strip.
    ///
    /// The host and the path decide from where cookies that another host planted can be
    /// [removed](Refusal::Ambiguous).
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
        Sessions(Arc::new(SharedSessions {
            outer: None,
            stores: stores.clone(),
            first: stores.first_name().map(str::to_owned),
            request: Arc::new(request),
            loaded: Mutex::default(),
        }))
    }

    /// Returns the sessions of the same request for an inner layer with `stores`.
    ///
    /// If a name exists in this layer already, its session stays the one of this layer, which saves
    /// it. The inner layer loads and saves the new names. Handlers inside reach both. The session
    /// without a name is that of the first of `stores`.
    #[must_use]
    pub fn within(&self, stores: &Stores) -> Self {
        let is_new = |name: &str| !self.has(name);
        Sessions(Arc::new(SharedSessions {
            outer: Some(self.clone()),
            stores: stores.only(is_new),
            first: stores.first_name().map(str::to_owned),
            request: self.0.request.clone(),
            loaded: Mutex::new(OpenSessions {
                is_passive: self.loaded().is_passive,
                ..OpenSessions::default()
            }),
        }))
    }

    /// Returns whether a session of that name is in this layer or in a layer around it.
    fn has(&self, name: &str) -> bool {
        let outer = self.0.outer.as_ref();
        self.0.stores.find(name).is_some() || outer.is_some_and(|outer| outer.has(name))
    }

    /// Makes this request not count as use of its sessions, those that are loaded later included:
    /// see [`Session::passive`]. A middleware around a route makes the route passive:
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

    fn loaded(&self) -> MutexGuard<'_, OpenSessions> {
        // No code of the application runs under the lock, so nothing can panic there.
        self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the session of the first store.
    ///
    /// # Errors
    /// Returns an [unavailable](Error::is_unavailable) error if a server behind the session or the
    /// system failed, so that the client's cookie could not be checked. Returns a [too
    /// large](Error::is_too_large) error if a Go program wrote a row that is longer than the
    /// codec's `max_length` here.
    pub async fn session(&self) -> Result<Session, Error> {
        let first = self.0.first.as_deref();
        let first = first
            .ok_or_else(|| Error::usage("the session layer has no store: add one to its Stores"))?;
        self.get(first).await
    }

    /// Returns the session of that cookie name.
    ///
    /// # Errors
    /// Returns the errors of [`session`](Sessions::session), and a usage error if no store has that
    /// name.
    pub async fn get(&self, name: &str) -> Result<Session, Error> {
        let mut layer = self;
        loop {
            match (layer.0.stores.find(name), &layer.0.outer) {
                (Some((place, store)), _) => return layer.load(place, store).await,
                (None, Some(outer)) => layer = outer,
                (None, None) => {
                    return Err(Error::usage(format!(
                        "no store has the cookie name {name}: add one to the session layer"
                    )));
                }
            }
        }
    }

    pub(super) async fn load(
        &self,
        place: usize,
        store: &Arc<dyn Store>,
    ) -> Result<Session, Error> {
        {
            let mut loaded = self.loaded();
            loaded.is_asked = true;
            if let Some(session) = loaded.find(place) {
                return Ok(session);
            }
        }
        let opened = self.open(store.as_ref()).await;
        #[cfg(feature = "dbsc")]
        let opened = opened.and_then(|state| self.check_binding(store.as_ref(), state));
        let state = opened.inspect_err(|error| match error.status() {
            // The request was refused, and no server failed.
            403 => {}
            _ => observed::load_failed(&**store, error),
        })?;
        if let Some(refusal) = state.refusal() {
            tracing::info!(cookie = store.name(), reason = %refusal, "the session cookie was refused");
        }
        let (refusal, is_stale) = (state.refusal(), state.has_stale_cookie());
        let session = {
            let mut loaded = self.loaded();
            // Another task may have loaded it in the meantime. The first one counts.
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
            session
        };
        // Without the lock: the observer is code of the application.
        observed::loaded(&**store, refusal, is_stale);
        Ok(session)
    }

    /// Opens the request's cookies of that store: its own, and otherwise the old ones of a Go package.
    async fn open(&self, store: &dyn Store) -> Result<State, Error> {
        let state = self.open_own(store).await?;
        let Some(legacy_cookie) = &store.setup().legacy_cookie else {
            return Ok(state);
        };
        match self.0.request.cookies.values(legacy_cookie.name()) {
            Ok(values) if values.is_empty() => Ok(state),
            _ if !state.lets_legacy_open() => Ok(state.with_legacy(LegacyCookies::Present)),
            Ok(values) => open_legacy(store, &values, state).await,
            Err(_) => Ok(state.refuse_legacy(Refusal::TooMany)),
        }
    }

    /// Opens the request's cookies of that store's own name.
    async fn open_own(&self, store: &dyn Store) -> Result<State, Error> {
        let setup = store.setup();
        let Ok(values) = self.0.request.cookies.values(store.name()) else {
            return Ok(State::new(
                setup,
                RequestCookie::Present,
                Some(Refusal::TooMany),
            ));
        };
        let mut opened = OpenedCookies::default();
        for value in values {
            let loaded = store.load(value).await?;
            if opened.add(loaded, setup).is_err() {
                return Ok(State::new(
                    setup,
                    RequestCookie::Present,
                    Some(Refusal::Ambiguous),
                ));
            }
        }
        let Some(other) = store.other_setup() else {
            return Ok(opened.into_state(setup));
        };
        let values = self.0.request.cookies.values(other.cookie.name());
        let values = values.unwrap_or_default();
        if !opened.has_session() {
            for value in &values {
                let loaded = store.load_other(value).await?;
                if opened.add_other(loaded, setup).is_err() {
                    let refusal = Some(Refusal::Ambiguous);
                    return Ok(State::new(setup, RequestCookie::Present, refusal));
                }
            }
        }
        let state = opened.into_state(setup);
        Ok(match values.is_empty() {
            true => state,
            false => state.with_other_cookie(),
        })
    }

    /// Saves the sessions that were written to, and returns the fields for the response, or `None`
    /// if no session was asked for. From then on, the sessions take no more changes.
    ///
    /// # Errors
    /// Returns the errors of [`Session::save`]. The response must not leave then. [`Error::status`]
    /// is the status of the response to send instead.
    ///
    /// If a session [is gone](Error::is_gone), that is an error only in two cases: the request was
    /// to end sessions (such as [others of the owner](Session::end_others)) and did not, or the
    /// store has the option [`fail_when_gone`](super::ServerOptions::fail_when_gone).
    pub async fn finish(&self) -> Result<Option<ResponseFields>, Error> {
        let sessions = self.close();
        if !self.were_asked_for() {
            return Ok(None);
        }
        let mut set_cookies = Vec::new();
        let mut others = Vec::new();
        let mut foreign = ForeignCookies::of_request(&self.0.request.url);
        let mut is_transient = false;
        for session in &sessions {
            let guard = session.save_guard().await;
            match session.commit(guard, None).await {
                Err(error) if error.is_gone() && session.may_be_lost() => {
                    tracing::info!(cookie = session.name(), %error, "the session was not saved");
                }
                committed => committed?,
            }
            session.set_cookies_into(&mut foreign, &mut set_cookies);
            others.extend(session.clear_site_data());
            #[cfg(feature = "dbsc")]
            self.add_binding_fields(session, &mut set_cookies, &mut others)?;
            is_transient |= session.leaves_cookie();
        }
        others.extend(self.challenges_to(&sessions));
        set_cookies.extend(self.bound_cookie_removals());
        let fields = ResponseFields::new(set_cookies).with_others(others);
        Ok(Some(fields.transient(is_transient)))
    }

    /// Closes the sessions that were asked for, and returns them.
    fn close(&self) -> Vec<Session> {
        let mut loaded = self.loaded();
        loaded.is_closed = true;
        let sessions = loaded.sessions.iter().map(|(_, session)| session);
        sessions
            .inspect(|session| session.close())
            .cloned()
            .collect()
    }

    /// Saves nothing, because another response leaves or there is nothing to save. The sessions
    /// take no more changes.
    ///
    /// Returns the fields that the other response must have, if any: the removals of cookies that
    /// [another host may have planted](Refusal::Ambiguous), and the challenges to sessions that are
    /// bound to a device. Without them, the next request would fail as this one did. They never
    /// touch the application's own cookie.
    pub fn abandon(&self) -> Option<ResponseFields> {
        let mut removals = Vec::new();
        let mut foreign = ForeignCookies::of_request(&self.0.request.url);
        let sessions = self.close();
        for session in &sessions {
            session.remove_foreign(&mut foreign, false, &mut removals);
        }
        removals.extend(self.bound_cookie_removals());
        let challenges = self.challenges_to(&sessions);
        let is_needed = !removals.is_empty() || !challenges.is_empty();
        is_needed.then(|| ResponseFields::new(removals).with_others(challenges))
    }

    /// Returns the removals of bound cookies that are not good.
    #[cfg(not(feature = "dbsc"))]
    fn bound_cookie_removals(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns the challenges to those of the sessions that lack a bound cookie.
    #[cfg(not(feature = "dbsc"))]
    fn challenges_to(&self, _: &[Session]) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Returns whether a session was asked for, so that [`finish`](Sessions::finish) has something
    /// to do.
    #[must_use]
    pub fn were_asked_for(&self) -> bool {
        self.loaded().is_asked
    }
}

/// The request, for the check of bindings.
#[cfg(feature = "dbsc")]
impl Sessions {
    /// Returns the layer around this one.
    pub(super) fn outer(&self) -> Option<&Sessions> {
        self.0.outer.as_ref()
    }

    /// Returns the stores of this layer, each with its index.
    pub(super) fn stores(&self) -> impl Iterator<Item = (usize, &Arc<dyn Store>)> {
        self.0.stores.iter().enumerate()
    }

    /// Returns the path of the request.
    pub(super) fn path(&self) -> &str {
        self.0.request.url.path()
    }

    /// Returns the values of the request's cookies of that name, or an empty list if they are too many.
    pub(super) fn cookies(&self, name: &str) -> Vec<&str> {
        let values = self.0.request.cookies.values(name);
        values.unwrap_or_default()
    }

    /// Reads or changes what the request has shown of bindings.
    pub(super) fn bindings<R>(
        &self,
        look: impl FnOnce(&mut super::binding::RequestBindings) -> R,
    ) -> R {
        look(&mut self.loaded().bindings)
    }
}

/// Opens the old cookies of a request that has no session in a cookie of the store. Returns `state` if
/// they open none.
async fn open_legacy(store: &dyn Store, values: &[&str], state: State) -> Result<State, Error> {
    let setup = store.setup();
    let mut opened = OpenedCookies::default();
    for value in values {
        let loaded = store.load_legacy(value).await?;
        if opened.add(loaded, setup).is_err() {
            return Ok(state.refuse_legacy(Refusal::Ambiguous));
        }
    }
    Ok(match opened.into_live() {
        Ok(live) => State::loaded(live, setup).with_legacy(LegacyCookies::Present),
        Err(Some(refusal)) => state.refuse_legacy(refusal),
        Err(None) => state.with_legacy(LegacyCookies::Present),
    })
}

/// When a request has ended, its unsaved changes are dropped. A change may contain the very session
/// that stores it, so both would stay in memory.
impl Drop for SharedSessions {
    fn drop(&mut self) {
        let loaded = self.loaded.get_mut();
        let loaded = loaded.unwrap_or_else(PoisonError::into_inner);
        for (_, session) in loaded.sessions.iter().filter(|_| loaded.is_closed) {
            // The application's changes are dropped without the lock.
            let changes = session.state().forget_changes();
            drop(changes);
        }
    }
}

/// Shows the names of the sessions that were asked for.
impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loaded = self.loaded();
        f.debug_list()
            .entries(loaded.sessions.iter().map(|(_, session)| session.name()))
            .finish()
    }
}
