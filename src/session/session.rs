//! [`Session`]: the handle of a request's session.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::UnixTime;
use crate::gob::Interface;

use super::data_model::DataModel;
use super::flashes::{FLASHES, read_flashes};
use super::session_data::{Change, SessionData};
use super::setup::Setup;
use super::state::{Checkpoint, State};
use super::store::Store;
use super::values::{TypedDraft, read};
use super::{Error, Refusal, SessionId, Values};

/// A request's session: typed values under string keys, flashes, and the login.
///
/// It is a handle. Its clones, and all handles of that name in one request, are the same session.
/// The session is saved once, before the response's head leaves, and only if something was written.
/// After that, changes are refused as [closed](Error::is_closed).
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
pub struct Session(pub(super) Arc<SharedSession>);

pub(super) struct SharedSession {
    pub(super) store: Arc<dyn Store>,
    pub(super) is_loopback: bool,
    /// Never locked across an await, nor while code of the application runs.
    state: Mutex<State>,
    /// Held while the session is saved. Saves run one at a time, so that no save overtakes another.
    pub(super) save_lock: Arc<tokio::sync::Mutex<()>>,
}

impl Session {
    pub(super) fn new(store: Arc<dyn Store>, is_loopback: bool, state: State) -> Self {
        Session(Arc::new(SharedSession {
            store,
            is_loopback,
            state: Mutex::new(state),
            save_lock: Arc::default(),
        }))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // No code of the application runs under the lock, so nothing can panic there.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn setup(&self) -> &Setup {
        self.0.store.setup()
    }
}

/// The maximum number of attempts to apply a change while other tasks change the session.
const MOST_ATTEMPTS: usize = 10_000;

/// Undoes a change when it is dropped. This includes the case that the caller of the save is
/// dropped.
pub(super) struct Undo {
    session: Session,
    version: u64,
    before: Option<Checkpoint>,
}

impl Undo {
    /// Keeps the change.
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

/// Returns the value under `key` after `change`: as a draft to store, and as a `T`.
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
    /// Returns the value under `key`, or `None` if there is no value.
    ///
    /// # Errors
    /// Returns a [wrong type](Error::is_wrong_type) error if the value is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.values().get(key)
    }

    /// Returns the value under `key`. If the value is not a `T`, removes it and returns `None`. Use
    /// it for values that an earlier version of the program left behind. See
    /// [`Values::get_or_remove`].
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error if there is a value to remove.
    pub fn get_or_remove<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let is_wrong = |values: &Values| match values.get::<T>(key) {
            Err(error) => error.is_wrong_type(),
            Ok(_) => false,
        };
        if !is_wrong(&self.values()) {
            return self.get(key);
        }
        self.attempt(
            |state| state.data.values.clone(),
            |values| Ok(is_wrong(&values)),
            |state, is_wrong| match is_wrong {
                true => state.remove(key).map(drop),
                false => Ok(()),
            },
        )?;
        self.get(key)
    }

    /// Stores `value` under `key`, and replaces the old value. The Go type of the old value stays
    /// if the new value fits it: see [`Values::insert`].
    ///
    /// # Errors
    /// Returns the errors of [`Values::insert`], and a [closed](Error::is_closed) error.
    #[doc(alias = "Put")]
    pub fn insert<T: Serialize>(&self, key: &str, value: T) -> Result<(), Error> {
        let value = TypedDraft::of(&self.setup().model, key, &value)?;
        let key = key.to_owned();
        self.state()
            .change(move |data| data.values.put(&key, &value, false))
    }

    /// Stores a value of exactly this Go type under `key`: see [`Values::insert_gob`].
    ///
    /// # Errors
    /// Returns the errors of [`Values::insert_gob`], and a [closed](Error::is_closed) error.
    pub fn insert_gob(&self, key: &str, value: impl Into<Interface>) -> Result<(), Error> {
        let (key, value) = (key.to_owned(), value.into());
        self.state()
            .change(move |data| data.values.insert_gob(&key, value.clone()))
    }

    /// Removes the value under `key`, and returns whether there was one. If there was no value, the
    /// session is not changed.
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error if the session takes no more changes.
    pub fn remove(&self, key: &str) -> Result<bool, Error> {
        self.state().remove(key)
    }

    /// Changes the value under `key`, or its default if there is no value. Returns the new value.
    ///
    /// The Go type of the value stays if the new value fits it, as in [`insert`](Session::insert).
    /// If the value is a Go struct, the fields that `T` does not have stay too.
    ///
    /// `change` may run again on a newer value if another task or request has changed the session.
    /// It must have no side effects.
    ///
    /// # Errors
    /// Returns the errors of [`get`](Session::get) and [`insert`](Session::insert).
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
            |state| state.data.values.interface(key),
            |there| updated(key, there.as_ref(), &model, &*change),
            |state, (updated_value, value)| {
                let again = || -> Change {
                    let (key, model, change) = (key.to_owned(), model.clone(), change.clone());
                    Arc::new(move |data| {
                        let there = data.values.interface(&key);
                        let (value, _) = updated(&key, there.as_ref(), &model, &*change)?;
                        data.values.put(&key, &value, true)
                    })
                };
                state.apply(|data| data.values.put(key, &updated_value, true), again)?;
                Ok(value)
            },
        )
    }

    /// Applies `change` to several values at once, saves the session now, and returns the result of
    /// `change`.
    ///
    /// If either fails, the change is undone, unless another task has changed the session since. If
    /// the future is dropped, the change is undone too, unless the session is already being saved
    /// in a server. `change` may run again, as in [`update`](Session::update). The result of its
    /// last run counts.
    ///
    /// # Errors
    /// Returns the errors of `change`, and of [`save`](Session::save).
    pub async fn transact<R: Send + 'static>(
        &self,
        change: impl Fn(&mut Values) -> Result<R, Error> + Send + Sync + 'static,
    ) -> Result<R, Error> {
        let answer = Arc::new(Mutex::new(None));
        let latest = answer.clone();
        let change: Change = Arc::new(move |data| {
            let answer = change(&mut data.values)?;
            *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            Ok(())
        });
        let guard = self.save_guard().await;
        let undo = self.change_for_now(change)?;
        self.commit(guard, Some(undo)).await?;
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.ok_or_else(|| Error::unavailable("the change was not applied"))
    }

    /// Applies a change to a copy, and takes the copy over unless the session has changed since.
    /// The change is undone when the returned [`Undo`] is dropped.
    fn change_for_now(&self, change: Change) -> Result<Undo, Error> {
        self.attempt(
            |state| state.data.clone(),
            |mut data| {
                change(&mut data)?;
                Ok(data)
            },
            |state, changed| {
                let before = state.before();
                let take_over = |data: &mut SessionData| {
                    *data = changed;
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

    /// Reads the session with `look`, runs the application's code on the result without the lock,
    /// and applies the outcome. If the session has changed since, it starts again.
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
            "the change does not come to an end: it must not change the session itself",
        ))
    }

    /// Returns whether there is a value under `key`.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.state().data.values.contains(key)
    }

    /// Returns the string keys.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.values().keys().map(str::to_owned).collect()
    }

    /// Returns all values as they are now.
    #[must_use]
    pub fn values(&self) -> Values {
        self.state().data.values.clone()
    }

    /// Removes all values. The login stays.
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error if the session takes no more changes.
    pub fn clear(&self) -> Result<(), Error> {
        let mut state = self.state();
        state.check_open()?;
        match state.data.values.is_empty() {
            true => Ok(()),
            false => state.change(|data| {
                data.values.clear();
                Ok(())
            }),
        }
    }

    /// Adds a message under gorilla's key `_flash`. The message is kept until it is read once.
    ///
    /// # Errors
    /// Returns the errors of [`insert`](Session::insert), and a [wrong type](Error::is_wrong_type)
    /// error if the value under that key is not a list of messages.
    #[doc(alias = "AddFlash")]
    #[doc(alias = "flash")]
    pub fn add_flash<T: Serialize>(&self, flash: T) -> Result<(), Error> {
        self.add_flash_to(FLASHES, flash)
    }

    /// Adds a message as [`add_flash`](Session::add_flash) does, but under a key of your own.
    ///
    /// # Errors
    /// Returns the errors of [`add_flash`](Session::add_flash).
    pub fn add_flash_to<T: Serialize>(&self, key: &str, flash: T) -> Result<(), Error> {
        let flash = TypedDraft::of(&self.setup().model, key, &flash)?;
        let key = key.to_owned();
        self.state()
            .change(move |data| data.values.add_flash(&key, &flash))
    }

    /// Takes the messages of type `T` under gorilla's key `_flash`, the oldest first. The next call
    /// does not return them again. If there are no such messages, the session is not changed.
    ///
    /// Messages of other types stay for a caller that knows their type. So a message that an
    /// earlier version of the program left behind breaks no page. [`remove`](Session::remove) drops
    /// all messages. (gorilla's `Flashes` takes all messages, whatever their types.)
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error if there are any messages, and a [wrong
    /// type](Error::is_wrong_type) error if the value under the key is not a list of messages.
    #[doc(alias = "Flashes")]
    pub fn flashes<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        self.flashes_from(FLASHES)
    }

    /// Takes messages as [`flashes`](Session::flashes) does, but under a key of your own.
    ///
    /// # Errors
    /// Returns the errors of [`flashes`](Session::flashes).
    pub fn flashes_from<T: DeserializeOwned>(&self, key: &str) -> Result<Vec<T>, Error> {
        if !self.contains(key) {
            return Ok(Vec::new());
        }
        self.attempt(
            |state| state.data.values.flash_list(key),
            |list| Ok(read_flashes(list?)),
            |state, (taken, flashes)| {
                if !taken.is_empty() {
                    let key = key.to_owned();
                    state.change(move |data| data.values.take_flashes(&key, &taken))?;
                }
                Ok(flashes)
            },
        )
    }
}

/// Login, ID and limits.
impl Session {
    /// Returns the session's name, which is also its cookie's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.store.name()
    }

    /// Returns the session's public ID, for logs and lists. It identifies the session, and cannot be
    /// used to open it.
    ///
    /// Returns `None` for a session in its cookie, and for a session that was never saved. After a
    /// [login](Session::login) or [renewal](Session::renew) was saved, the ID is another one.
    #[must_use]
    #[doc(alias = "ID")]
    pub fn id(&self) -> Option<SessionId> {
        let row_ref = self.state().row_ref()?;
        self.0.store.public_id(&row_ref)
    }

    /// Returns whether the session began with this request, because no cookie of the request opened
    /// one.
    #[must_use]
    #[doc(alias = "IsNew")]
    pub fn is_new(&self) -> bool {
        self.state().is_new()
    }

    /// Returns the reason why the request's cookie was refused, if it was refused.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.state().refusal()
    }

    /// Logs `owner` in. This begins a new session, and its limits count from now.
    ///
    /// The values of the old session are dropped, so that no attacker can plant values in another
    /// person's session. [`login_keeping_values`](Session::login_keeping_values) keeps them.
    ///
    /// The new session is not [remembered](Session::remember) unless you call that method
    /// afterwards. A login is the only call that may follow [`end`](Session::end).
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error, and a usage error if the name is empty or longer
    /// than [512 bytes](crate::backend::OwnerName::MAX_LEN). Use a short name, such as a user ID.
    #[doc(alias = "fixation")]
    #[doc(alias = "regenerate")]
    pub fn login(&self, owner: impl Into<String>) -> Result<(), Error> {
        let (owner, now) = (owner.into(), self.setup().now());
        let lifetime = &self.setup().lifetime;
        self.state().login(owner, false, lifetime, now)
    }

    /// Logs `owner` in as [`login`](Session::login) does, and keeps the values: for example a cart
    /// that was filled before. Note that another person may have put them there.
    ///
    /// # Errors
    /// Returns the errors of [`login`](Session::login).
    pub fn login_keeping_values(&self, owner: impl Into<String>) -> Result<(), Error> {
        let (owner, now) = (owner.into(), self.setup().now());
        let lifetime = &self.setup().lifetime;
        self.state().login(owner, true, lifetime, now)
    }

    /// Logs the owner out. The session's values are dropped, and its cookie is removed if the
    /// client has one. Any change after that, such as a farewell flash, a renewal or a deadline,
    /// begins a new session. The new session's cookie then replaces the old one.
    ///
    /// If the request's cookies are [ambiguous](Refusal::Ambiguous), the session to end is unknown.
    /// Saving then returns a [gone](Error::is_gone) error, and the client must log out again.
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error if the session takes no more changes.
    #[doc(alias = "flush")]
    #[doc(alias = "invalidate")]
    pub fn logout(&self) -> Result<(), Error> {
        let now = self.setup().now();
        self.state().logout(&self.setup().lifetime, now)
    }

    /// Ends the session as [`logout`](Session::logout) does, and refuses all further changes. Only
    /// a [`login`](Session::login) may follow.
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error if the session takes no more changes.
    #[doc(alias = "destroy")]
    #[doc(alias = "flush")]
    #[doc(alias = "purge")]
    #[doc(alias = "invalidate")]
    pub fn end(&self) -> Result<(), Error> {
        let now = self.setup().now();
        self.state().end(&self.setup().lifetime, now)
    }

    /// Returns the owner who is logged in, or `None` without a login.
    #[must_use]
    pub fn owner(&self) -> Option<String> {
        let state = self.state();
        state
            .data
            .metadata
            .login
            .as_ref()
            .map(|login| login.owner.clone().into())
    }

    /// Returns the time of the login, or `None` without a login.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<UnixTime> {
        let state = self.state();
        state.data.metadata.login.as_ref().map(|login| login.at)
    }

    /// Requires a login that is not older than `age`. Use it before a password is changed, or money
    /// is sent.
    ///
    /// # Errors
    /// Returns a [not fresh](Error::is_not_fresh) error if the login is older, or if there is no
    /// login.
    pub fn require_fresh(&self, age: Duration) -> Result<(), Error> {
        let now = self.setup().now();
        match self.authenticated_at() {
            Some(at) if now.saturating_duration_since(at) <= age => Ok(()),
            _ => Err(Error::not_fresh()),
        }
    }

    /// Gives the session a new ID and a new cookie, and keeps its values and limits. Use it after a
    /// change of rights.
    ///
    /// As soon as the new ID is valid, the old one is not. If the session is in its cookie, the old
    /// cookie stays valid ([`CookieStore`](super::CookieStore) explains why).
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error if the session takes no more changes.
    #[doc(alias = "regenerate")]
    #[doc(alias = "cycle_id")]
    #[doc(alias = "RenewToken")]
    #[doc(alias = "fixation")]
    pub fn renew(&self) -> Result<(), Error> {
        self.state().renew()
    }

    /// Ends all other sessions of the owner when this one is saved. If [`logout`](Session::logout)
    /// or [`end`](Session::end) follows, it ends all sessions of the owner.
    ///
    /// If the session is in its cookie, the response must reach the client, because the client's
    /// old cookie belongs to the sessions that end. Stores that share a backend share its owners.
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error, and a usage error if there is no login. Saving
    /// the session returns a usage error if a cookie store has no
    /// [`revocable`](super::CookieStore::revocable), or if the backend has no owners.
    #[doc(alias = "revoke")]
    pub fn end_others(&self) -> Result<(), Error> {
        self.state().end_others()
    }

    /// Sets whether the session is remembered. If it is, the cookie is kept when the browser
    /// closes, and the lifetime's [remembered limits](super::Lifetime::remembered) apply.
    ///
    /// The limits count from the beginning of the session. So a session that is no longer
    /// remembered may end at once.
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error, and a usage error if a session is to be
    /// remembered and the lifetime has [no remembered
    /// limits](super::Lifetime::without_remembering).
    #[doc(alias = "RememberMe")]
    pub fn remember(&self, remembered: bool) -> Result<(), Error> {
        let lifetime = &self.setup().lifetime;
        if remembered && !lifetime.remembers() {
            return Err(Error::usage(
                "the store's lifetime has no limits for remembered sessions: set them with \
                 Lifetime::remembered",
            ));
        }
        self.state().remember(remembered, lifetime)
    }

    /// Returns whether the session is [remembered](Session::remember).
    #[must_use]
    pub fn is_remembered(&self) -> bool {
        self.state().data.metadata.remembered
    }

    /// Returns the time at which the session becomes idle for too long if no request uses it until
    /// then. Returns `None` if the lifetime has no idle limit. The last use is known to a tenth of
    /// the limit.
    #[must_use]
    pub fn idle_at(&self) -> Option<UnixTime> {
        let lifetime = &self.setup().lifetime;
        self.state().data.metadata.idle_at(lifetime)
    }

    /// Makes this request not count as use of the session, so that it does not extend the idle
    /// limit.
    ///
    /// Use it for a poll that a page sends by itself. A user who went away is then logged out in
    /// the end. Changes are saved as usual. To make a whole request or route passive, use
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

    /// Returns the time at which the session ends even if it is in use, or `None` if the lifetime
    /// has no absolute limit.
    #[must_use]
    pub fn deadline(&self) -> Option<UnixTime> {
        self.state().data.metadata.deadline
    }

    /// Ends the session at `deadline`, unless its idle limit ends it before. The deadline stays
    /// when the session is [remembered](Session::remember). A login removes it.
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error, and a usage error if the deadline is after the
    /// lifetime's absolute limit.
    pub fn set_deadline(&self, deadline: UnixTime) -> Result<(), Error> {
        self.state().set_deadline(deadline, &self.setup().lifetime)
    }
}

/// Shows the name and `is_new`, and no value.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("name", &self.name())
            .field("is_new", &self.is_new())
            .finish_non_exhaustive()
    }
}
