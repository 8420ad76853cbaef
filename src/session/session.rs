//! [`Session`]: the handle of a request's session, its login and its limits.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::codec::UnixTime;

use super::setup::Setup;
use super::state::State;
use super::store::Store;
use super::{ClearSiteData, Error, Refusal, SessionId, SessionStatus};

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

    /// Returns whether the session was changed, or ended, since it was loaded or last saved.
    #[must_use]
    #[doc(alias = "Status")]
    pub fn status(&self) -> SessionStatus {
        self.state().status()
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
        self.begin_login(owner, false, now)
    }

    /// Logs `owner` in as [`login`](Session::login) does, and keeps the values: for example a cart
    /// that was filled before. Note that another person may have put them there.
    ///
    /// # Errors
    /// Returns the errors of [`login`](Session::login).
    pub fn login_keeping_values(&self, owner: impl Into<String>) -> Result<(), Error> {
        let (owner, now) = (owner.into(), self.setup().now());
        self.begin_login(owner, true, now)
    }

    fn begin_login(&self, owner: String, keeps_values: bool, now: UnixTime) -> Result<(), Error> {
        let setup = self.setup();
        let binding = setup.begin_binding()?;
        let mut state = self.state();
        state.login(owner, keeps_values, binding, &setup.lifetime, now)
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

    /// Logs the owner out as [`logout`](Session::logout) does, and asks the browser to clear data
    /// of the site: pages in its cache, values that scripts have stored, and other cookies.
    ///
    /// Browsers obey over HTTPS only, and clear the data of the origin (of the whole site, for
    /// cookies). With [`Cookies`](ClearSiteData::Cookies), they also drop the cookies of the
    /// response itself, such as that of a farewell flash, and those of other applications on the
    /// same site. A login that follows in the same request cancels the clearing.
    ///
    /// ```
    /// # use silverback::session::{ClearSiteData, Error, Session};
    /// fn log_out(session: &Session) -> Result<(), Error> {
    ///     session.logout_clearing([ClearSiteData::Storage, ClearSiteData::Cache])
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error if the session takes no more changes.
    #[doc(alias = "Clear-Site-Data")]
    pub fn logout_clearing(
        &self,
        data: impl IntoIterator<Item = ClearSiteData>,
    ) -> Result<(), Error> {
        let data: Vec<ClearSiteData> = data.into_iter().collect();
        let now = self.setup().now();
        let lifetime = &self.setup().lifetime;
        self.state().logout_clearing(&data, lifetime, now)
    }

    /// Returns the field Clear-Site-Data of the response, if it is to have one.
    pub(super) fn clear_site_data(&self) -> Option<(&'static str, String)> {
        let value = self.state().clear_site_data()?;
        Some(("clear-site-data", value))
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
        let owner = state.data.metadata.owner();
        owner.map(|owner| owner.clone().into())
    }

    /// Binds the login to the user's credentials, so that [`check_credentials`] ends the session after
    /// they have changed. `credentials` is a value that changes with them, such as the hash of the
    /// password with its salt. Call it after each login, which removes the binding.
    ///
    /// When the password is changed, call it for the session that stays, and
    /// [`save`](Session::save) the session right after the new hash is stored: until then, another
    /// request of the same browser finds the new hash, and ends the session.
    ///
    /// Versions of this crate before this method existed cannot read such sessions: update all
    /// instances of a service before the first call.
    ///
    /// The session keeps a hash of the value. If a cookie is signed and not encrypted, its client
    /// can read that hash: never pass a password, nor another value that can be guessed.
    ///
    /// ```
    /// # use silverback::session::{Error, Session};
    /// struct User { id: String, password_hash: String }
    ///
    /// fn log_in(session: &Session, user: &User) -> Result<(), Error> {
    ///     session.login(&user.id)?;
    ///     session.bind_credentials(&user.password_hash)
    /// }
    ///
    /// fn change_password(session: &Session, user: &mut User, new: String) -> Result<(), Error> {
    ///     user.password_hash = new; // and saved
    ///     session.bind_credentials(&user.password_hash)
    /// }
    /// ```
    ///
    /// [`check_credentials`]: Session::check_credentials
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error, and a usage error if there is no login.
    #[doc(alias = "session_auth_hash")]
    pub fn bind_credentials(&self, credentials: impl AsRef<[u8]>) -> Result<(), Error> {
        let owner = self.owner().ok_or_else(|| {
            Error::usage("no user is logged in: call login before bind_credentials")
        })?;
        let credentials = credentials.as_ref().to_vec();
        self.state().change(move |data| {
            // If another request has logged another user in, the credentials are not that user's.
            let current = data.metadata.owner();
            if current.is_some_and(|current| current.as_str() == owner) {
                data.metadata.bind_credentials(&credentials);
            }
            Ok(())
        })
    }

    /// Returns whether a user is logged in whose login was [bound](Session::bind_credentials) to
    /// these credentials. If the login was bound to others, or to none, ends the session as
    /// [`logout`](Session::logout) does.
    ///
    /// `web::guard::CurrentUser` calls it for you.
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error if the session is to end and takes no more
    /// changes.
    pub fn check_credentials(&self, credentials: impl AsRef<[u8]>) -> Result<bool, Error> {
        let setup = self.setup();
        let (is_logged_in, is_bound) = {
            let mut state = self.state();
            let metadata = &state.data.metadata;
            if metadata.has_credentials(credentials.as_ref()) {
                return Ok(true);
            }
            let is_logged_in = metadata.login.is_some();
            let is_bound = metadata.credentials.is_some();
            if is_logged_in {
                state.logout(&setup.lifetime, setup.now())?;
            }
            (is_logged_in, is_bound)
        };
        match (is_logged_in, is_bound) {
            (false, _) => {}
            (true, true) => {
                tracing::info!(
                    "the session ends: the user's credentials have changed since the login"
                );
            }
            (true, false) => tracing::warn!(
                "the session ends: its login is bound to no credentials; call bind_credentials after \
                 login"
            ),
        }
        Ok(false)
    }

    /// Gives the session a new ID and a new cookie, and keeps its values and limits. Use it after a
    /// change of rights.
    ///
    /// As soon as the new ID is valid, the old one is not. If the session is in its cookie, the old
    /// cookie stays valid ([`CookieStore`](super::CookieStore) explains why).
    ///
    /// In the [scs dialect](super::Dialect::scs), the limits count from now, as in Go.
    ///
    /// # Errors
    /// Returns a [closed](Error::is_closed) error if the session takes no more changes.
    #[doc(alias = "regenerate")]
    #[doc(alias = "cycle_id")]
    #[doc(alias = "RenewToken")]
    #[doc(alias = "fixation")]
    pub fn renew(&self) -> Result<(), Error> {
        let setup = self.setup();
        let restart = setup
            .renewal_restarts
            .then(|| (&setup.lifetime, setup.now()));
        self.state().renew(restart)
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
    /// lifetime's absolute limit. If a Go program has set a deadline after that limit, every earlier
    /// one is allowed.
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
