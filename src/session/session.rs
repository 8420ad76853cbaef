//! [`Session`]: the handle that a request's handler holds.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::UnixTime;
use crate::gob::Interface;

use super::content::{Change, Content};
use super::data_model::DataModel;
use super::flashes::{FLASHES, read_flashes};
use super::state::{Before, State};
use super::store::{Setup, Store};
use super::values::{TypedDraft, read};
use super::{Error, Refusal, Values};

/// A request's session: typed values under string keys, flashes, and who is logged in.
///
/// It is a handle: clones, and all handles of that name in one request, are the same
/// session. It is saved once, before the response's head leaves, and only if something
/// was written; after that, changes are refused as [closed](Error::is_closed).
///
/// ```
/// # use silverback::session::{Error, Session};
/// fn visit(session: &Session) -> Result<String, Error> {
///     let visits = session.update("visits", |visits: &mut u64| *visits += 1)?;
///     Ok(format!("visit {visits} of {}", session.owner().unwrap_or("nobody".into())))
/// }
/// # use silverback::{codec::{Codecs, KeyPairs}, session::{CookieStore, testing::Jar}};
/// # let store = CookieStore::new(Codecs::from_pairs(KeyPairs::generate(1)?)?)?;
/// # let jar = futures_lite(Jar::with(store.clone(), |session| visit(session).map(drop)))?;
/// # let session = futures_lite(jar.session(store))?;
/// # assert_eq!(visit(&session)?, "visit 2 of nobody");
/// # fn futures_lite<F: Future>(future: F) -> F::Output {
/// #     let mut future = std::pin::pin!(future);
/// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #     loop { if let std::task::Poll::Ready(done) = future.as_mut().poll(&mut context) { return done } }
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Session(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) is_loopback: bool,
    /// Never held across an await, nor while code of the user's runs.
    state: Mutex<State>,
    /// Whoever saves: one at a time, so that none overtakes another.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

impl Session {
    pub(super) fn new(store: Arc<dyn Store>, is_loopback: bool, state: State) -> Self {
        Session(Arc::new(Shared {
            store,
            is_loopback,
            state: Mutex::new(state),
            turn: Arc::default(),
        }))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing of the user's runs under the lock, so nobody panics there.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn setup(&self) -> &Setup {
        self.0.store.setup()
    }
}

/// How often a change is tried while others change the session at the same time.
const MOST_ATTEMPTS: usize = 10_000;

/// Takes a change back when it is dropped: also where whoever waits for it to be saved
/// waits no more.
pub(super) struct Undo {
    session: Session,
    version: u64,
    before: Option<Before>,
}

impl Undo {
    /// The change stays.
    pub(super) fn no_more(mut self) {
        self.before = None;
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            self.session.state().take_back(self.version, before);
        }
    }
}

/// The value under `key` after `change`, to be put there and as it is.
fn updated<T: Serialize + DeserializeOwned + Default>(
    key: &str,
    there: Option<&Interface>,
    model: &DataModel,
    change: &impl Fn(&mut T),
) -> Result<(TypedDraft, T), Error> {
    let mut value = match there {
        Some(there) => read(key, there)?.unwrap_or_default(),
        None => T::default(),
    };
    change(&mut value);
    Ok((TypedDraft::of(model, key, &value)?, value))
}

/// Values.
impl Session {
    /// The value under `key`; none if there is none.
    ///
    /// # Errors
    /// [Wrong type](Error::is_wrong_type), if it is no `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.values().get(key)
    }

    /// The value under `key`; what is no `T` is removed, and the answer is `None`: for what
    /// an earlier version of the program left behind. See [`Values::get_or_remove`].
    ///
    /// # Errors
    /// [Closed](Error::is_closed), if there is something to remove.
    pub fn get_or_remove<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let is_wrong = |values: &Values| match values.get::<T>(key) {
            Err(error) => error.is_wrong_type(),
            Ok(_) => false,
        };
        if !is_wrong(&self.values()) {
            return self.get(key);
        }
        self.attempt(
            |state| state.content.values.clone(),
            |values| Ok(is_wrong(&values)),
            |state, is_wrong| match is_wrong {
                true => state.remove(key).map(drop),
                false => Ok(()),
            },
        )?;
        self.get(key)
    }

    /// Puts `value` under `key`, in place of what was there, whose Go type stays if the value
    /// fits it: see [`Values::insert`].
    ///
    /// # Errors
    /// As [`Values::insert`], and [closed](Error::is_closed).
    pub fn insert<T: Serialize>(&self, key: &str, value: T) -> Result<(), Error> {
        let value = TypedDraft::of(&self.setup().model, key, &value)?;
        let key = key.to_owned();
        self.state()
            .change(move |content| content.values.put(&key, &value, false))
    }

    /// Puts a value of just this Go type under `key`: see [`Values::insert_gob`].
    ///
    /// # Errors
    /// As [`Values::insert_gob`], and [closed](Error::is_closed).
    pub fn insert_gob(&self, key: &str, value: impl Into<Interface>) -> Result<(), Error> {
        let (key, value) = (key.to_owned(), value.into());
        self.state()
            .change(move |content| content.values.insert_gob(&key, value.clone()))
    }

    /// Removes what is under `key`, and says whether there was anything. Removing nothing
    /// is no change.
    ///
    /// # Errors
    /// [Closed](Error::is_closed).
    pub fn remove(&self, key: &str) -> Result<bool, Error> {
        self.state().remove(key)
    }

    /// Changes the value under `key`, from its default if there is none, and answers with
    /// what it is now.
    ///
    /// The Go type of the value stays if the new one fits it, as in
    /// [`insert`](Session::insert); of a Go struct, the fields that `T` does not have stay too.
    ///
    /// The change may run again on a fresher value, where another task or request has
    /// changed the session: it must do nothing else.
    ///
    /// # Errors
    /// As [`get`](Session::get) and [`insert`](Session::insert).
    pub fn update<T>(
        &self,
        key: &str,
        change: impl Fn(&mut T) + Send + Sync + 'static,
    ) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned + Default,
    {
        let (model, change) = (self.setup().model.clone(), Arc::new(change));
        self.attempt(
            |state| state.content.values.interface(key),
            |there| updated(key, there.as_ref(), &model, &*change),
            |state, (updated_value, value)| {
                let again = || -> Change {
                    let (key, model, change) = (key.to_owned(), model.clone(), change.clone());
                    Arc::new(move |content| {
                        let there = content.values.interface(&key);
                        let (value, _) = updated(&key, there.as_ref(), &model, &*change)?;
                        content.values.put(&key, &value, true)
                    })
                };
                state.apply(
                    |content| content.values.put(key, &updated_value, true),
                    again,
                )?;
                Ok(value)
            },
        )
    }

    /// Changes several values at once, and saves them now. What `change` returns is
    /// returned. If it fails, or the session cannot be saved, nothing is changed, unless
    /// another task has changed the session after; nor if nobody waits for it any more,
    /// unless it is being saved in a server already. It may run again, as in
    /// [`update`](Session::update); what it returned the last time counts.
    ///
    /// # Errors
    /// Those of `change`, and of [`save`](Session::save).
    pub async fn transact<R: Send + 'static>(
        &self,
        change: impl Fn(&mut Values) -> Result<R, Error> + Send + Sync + 'static,
    ) -> Result<R, Error> {
        let answer = Arc::new(Mutex::new(None));
        let latest = answer.clone();
        let change: Change = Arc::new(move |content| {
            let answer = change(&mut content.values)?;
            *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            Ok(())
        });
        let turn = self.turn().await;
        let undo = self.change_for_now(change)?;
        self.commit_in(turn, Some(undo)).await?;
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.ok_or_else(|| Error::unavailable("the change was never made"))
    }

    /// Makes a change on a copy, and takes it over unless the session has changed since; to
    /// be undone unless it is said otherwise.
    fn change_for_now(&self, change: Change) -> Result<Undo, Error> {
        self.attempt(
            |state| state.content.clone(),
            |mut content| {
                change(&mut content)?;
                Ok(content)
            },
            |state, changed| {
                let before = state.before();
                let take_over = |content: &mut Content| {
                    *content = changed;
                    Ok(())
                };
                state.apply(take_over, || change.clone())?;
                Ok(Undo {
                    session: self.clone(),
                    version: state.version(),
                    before: Some(before),
                })
            },
        )
    }

    /// Looks at the session, runs the user's code on what was seen, without the lock, and
    /// applies what came of it, unless the session has changed since: then once more.
    fn attempt<Seen, Changed, R>(
        &self,
        look: impl Fn(&State) -> Seen,
        run: impl Fn(Seen) -> Result<Changed, Error>,
        apply: impl Fn(&mut State, Changed) -> Result<R, Error>,
    ) -> Result<R, Error> {
        for _ in 0..MOST_ATTEMPTS {
            let (version, seen) = {
                let state = self.state();
                state.check_open()?;
                (state.version(), look(&state))
            };
            let changed = run(seen)?;
            let mut state = self.state();
            if state.version() == version {
                return apply(&mut state, changed);
            }
        }
        Err(Error::usage(
            "the change is never done: it changes the session itself",
        ))
    }

    /// Whether there is anything under `key`.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.state().content.values.contains(key)
    }

    /// The string keys.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.values().keys().map(str::to_owned).collect()
    }

    /// All values, as they are now.
    #[must_use]
    pub fn values(&self) -> Values {
        self.state().content.values.clone()
    }

    /// Removes all values. Who is logged in stays so.
    ///
    /// # Errors
    /// [Closed](Error::is_closed).
    pub fn clear(&self) -> Result<(), Error> {
        let mut state = self.state();
        state.check_open()?;
        match state.content.values.is_empty() {
            true => Ok(()),
            false => state.change(|content| {
                content.values.clear();
                Ok(())
            }),
        }
    }

    /// Adds a message that is kept until it is read once, under gorilla's key `_flash`.
    ///
    /// # Errors
    /// As [`insert`](Session::insert), and [wrong type](Error::is_wrong_type) if something
    /// else is under that key.
    #[doc(alias = "AddFlash")]
    pub fn add_flash<T: Serialize>(&self, flash: T) -> Result<(), Error> {
        self.add_flash_to(FLASHES, flash)
    }

    /// [`add_flash`](Session::add_flash) under a key of your own.
    ///
    /// # Errors
    /// As [`add_flash`](Session::add_flash).
    pub fn add_flash_to<T: Serialize>(&self, key: &str, flash: T) -> Result<(), Error> {
        let flash = TypedDraft::of(&self.setup().model, key, &flash)?;
        let key = key.to_owned();
        self.state()
            .change(move |content| content.values.add_flash(&key, &flash))
    }

    /// Takes the messages under gorilla's key `_flash` that are a `T`, oldest first: the next
    /// call has none. Taking none is no change.
    ///
    /// Messages of other types stay for a caller that knows their type, so that one that an
    /// earlier version of the program left behind stops no page; [`remove`](Session::remove)
    /// drops them all. (gorilla's `Flashes` takes all, whatever their types.)
    ///
    /// # Errors
    /// [Closed](Error::is_closed), if there are any; [wrong type](Error::is_wrong_type) if
    /// under the key is no list of messages.
    #[doc(alias = "Flashes")]
    pub fn flashes<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        self.flashes_from(FLASHES)
    }

    /// [`flashes`](Session::flashes) under a key of your own.
    ///
    /// # Errors
    /// As [`flashes`](Session::flashes).
    pub fn flashes_from<T: DeserializeOwned>(&self, key: &str) -> Result<Vec<T>, Error> {
        if !self.contains(key) {
            return Ok(Vec::new());
        }
        self.attempt(
            |state| state.content.values.flash_list(key),
            |list| Ok(read_flashes(list?)),
            |state, (taken, flashes)| {
                if !taken.is_empty() {
                    let key = key.to_owned();
                    state.change(move |content| content.values.take_flashes(&key, &taken))?;
                }
                Ok(flashes)
            },
        )
    }
}

/// Who is logged in, and for how long.
impl Session {
    /// The session's name, which is its cookie's.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.store.name()
    }

    /// What the session is called where it is kept, for logs and lists: it tells two sessions
    /// apart, and nobody can open one with it. None for a session that lives in its cookie,
    /// or was never saved; another after a [login](Session::login) or
    /// [renewal](Session::renew) was saved.
    #[must_use]
    #[doc(alias = "ID")]
    pub fn id(&self) -> Option<String> {
        let kept = self.state().kept()?;
        self.0.store.name_of(&kept.key)
    }

    /// Whether the request brought no session that could be taken, so that this one
    /// began with it.
    #[must_use]
    #[doc(alias = "IsNew")]
    pub fn is_new(&self) -> bool {
        self.state().is_new()
    }

    /// Why the cookie that came with the request was refused, if one was.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.state().refusal()
    }

    /// Logs `owner` in: a new session, whose limits count from now. What an anonymous
    /// session brought is dropped, so that nobody can plant values in somebody else's
    /// session; [`login_keeping_values`](Session::login_keeping_values) keeps it.
    ///
    /// It is not [remembered](Session::remember) unless you say so afterwards. This is the
    /// one thing that may follow [`destroy`](Session::destroy).
    ///
    /// # Errors
    /// [Closed](Error::is_closed); usage, for a name that is empty or over
    /// [512 bytes](crate::backend::Owner::LONGEST_NAME): a user's ID is short.
    pub fn login(&self, owner: impl Into<String>) -> Result<(), Error> {
        let (owner, now) = (owner.into(), self.setup().now());
        let lifetime = &self.setup().lifetime;
        self.state().login(owner, false, lifetime, now)
    }

    /// [`login`](Session::login), and the values stay: a cart filled before. Keep in mind
    /// who may have put them there.
    ///
    /// # Errors
    /// As [`login`](Session::login).
    pub fn login_keeping_values(&self, owner: impl Into<String>) -> Result<(), Error> {
        let (owner, now) = (owner.into(), self.setup().now());
        let lifetime = &self.setup().lifetime;
        self.state().login(owner, true, lifetime, now)
    }

    /// Logs the owner out: the session's values are gone, and its cookie is removed if the
    /// client has one. What is written after that, such as a farewell flash (or a renewal,
    /// or a deadline), is in a new session, whose cookie then takes the place of the old.
    ///
    /// If the request's cookies are [ambiguous](Refusal::Ambiguous), nothing says which session
    /// is to end: saving is then a [gone](Error::is_gone) error, and the client logs out again.
    ///
    /// # Errors
    /// [Closed](Error::is_closed).
    pub fn logout(&self) -> Result<(), Error> {
        let now = self.setup().now();
        self.state().logout(&self.setup().lifetime, now)
    }

    /// Ends the session as [`logout`](Session::logout) does, and takes no more changes: for
    /// when nothing must follow. Only a [`login`](Session::login) may.
    ///
    /// # Errors
    /// [Closed](Error::is_closed).
    pub fn destroy(&self) -> Result<(), Error> {
        let now = self.setup().now();
        self.state().destroy(&self.setup().lifetime, now)
    }

    /// Who is logged in.
    #[must_use]
    pub fn owner(&self) -> Option<String> {
        let state = self.state();
        state
            .content
            .metadata
            .login
            .as_ref()
            .map(|login| login.owner.clone())
    }

    /// When the owner logged in.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<UnixTime> {
        let state = self.state();
        state.content.metadata.login.as_ref().map(|login| login.at)
    }

    /// Wants a login not longer ago than `age`: before a password is changed, or money is
    /// sent.
    ///
    /// # Errors
    /// [Not fresh](Error::is_not_fresh), if it is, or nobody is logged in.
    pub fn require_fresh(&self, age: Duration) -> Result<(), Error> {
        let now = self.setup().now();
        match self.authenticated_at() {
            Some(at) if now.since(at) <= age => Ok(()),
            _ => Err(Error::not_fresh()),
        }
    }

    /// A new ID and cookie for the same session, values and limits: after a change of
    /// rights. From the moment the new one is good, the old one is not; but where sessions
    /// live in cookies the old one stays good ([`CookieStore`](super::CookieStore) says why).
    ///
    /// # Errors
    /// [Closed](Error::is_closed).
    pub fn renew(&self) -> Result<(), Error> {
        self.state().renew()
    }

    /// Ends all other sessions of the owner when this one is saved; and with
    /// [`logout`](Session::logout) or [`destroy`](Session::destroy) after it, all of them.
    ///
    /// Where the session lives in its cookie the response must reach the client: the cookie it
    /// has is of the sessions that end. Stores that share a backend share its owners.
    ///
    /// # Errors
    /// [Closed](Error::is_closed); usage, if nobody is logged in; and, when it is saved, usage
    /// for a cookie store without [`epochs`](super::CookieStore::epochs) or a backend that knows
    /// no owners.
    pub fn destroy_others(&self) -> Result<(), Error> {
        self.state().destroy_others()
    }

    /// Keeps the cookie when the browser closes, and applies the lifetime's [remembered
    /// limits](super::Lifetime::remember_me); or, if false, neither. The limits count from the
    /// beginning of the session, so a session that is remembered no longer may end at once.
    ///
    /// # Errors
    /// [Closed](Error::is_closed); usage, to remember with a lifetime [without remembered
    /// limits](super::Lifetime::without_remember_me).
    pub fn remember(&self, remembered: bool) -> Result<(), Error> {
        let lifetime = &self.setup().lifetime;
        if remembered && !lifetime.remembers() {
            return Err(Error::usage(
                "the store's lifetime remembers no sessions: set limits with \
                 Lifetime::remember_me",
            ));
        }
        self.state().remember(remembered, lifetime)
    }

    /// Whether the session is [remembered](Session::remember).
    #[must_use]
    pub fn is_remembered(&self) -> bool {
        self.state().content.metadata.remembered
    }

    /// When the session will have been idle for too long, if no request uses it until then;
    /// none, if the lifetime has no idle limit. Use is noted to a tenth of the limit.
    #[must_use]
    pub fn idle_at(&self) -> Option<UnixTime> {
        let lifetime = &self.setup().lifetime;
        self.state().content.metadata.idle_at(lifetime)
    }

    /// Makes this request no use of the session: it does not count against the idle limit.
    ///
    /// For a poll that a page sends by itself, so that a user who went away is logged out in
    /// the end. Changes are saved as usual. The whole request, or a route, is passive by
    /// [`Sessions::passive`](super::Sessions::passive).
    ///
    /// ```
    /// # use silverback::session::{Error, Session};
    /// fn unread(session: &Session) -> Result<u64, Error> {
    ///     session.passive();
    ///     Ok(session.get("unread")?.unwrap_or(0))
    /// }
    /// ```
    pub fn passive(&self) {
        self.state().be_passive();
    }

    /// When the session ends, however much it is used; none, if the lifetime has no
    /// absolute limit.
    #[must_use]
    pub fn deadline(&self) -> Option<UnixTime> {
        self.state().content.metadata.deadline
    }

    /// Ends the session at `deadline`, if it does not end before by its idle limit. It
    /// stays when the session is [remembered](Session::remember), and goes with a login.
    ///
    /// # Errors
    /// [Closed](Error::is_closed); usage, for a time after the lifetime's absolute limit.
    pub fn set_deadline(&self, deadline: UnixTime) -> Result<(), Error> {
        self.state().set_deadline(deadline, &self.setup().lifetime)
    }
}

/// The name, and nothing of what is in it.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("name", &self.name())
            .field("is_new", &self.is_new())
            .finish_non_exhaustive()
    }
}
