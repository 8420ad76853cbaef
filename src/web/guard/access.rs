//! [`Access`]: what a session layer knows about users and login pages, and the decision whether a
//! request may pass.

use std::any::type_name;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::session::{Error, Session};

use super::denied::{Denied, Reason, RequestLine};
use super::users::{AnyUser, AnyUsers};

/// The settings of a session layer for its guards.
#[derive(Clone, Default)]
pub(in super::super) struct Access {
    pub(in super::super) users: Option<Arc<dyn AnyUsers>>,
    pub(in super::super) login_page: Option<Arc<str>>,
    pub(in super::super) confirm_page: Option<Arc<str>>,
}

impl Access {
    /// Returns whether any setting is set.
    pub(in super::super) fn is_set(&self) -> bool {
        self.users.is_some() || self.login_page.is_some() || self.confirm_page.is_some()
    }

    fn page(&self, reason: Reason) -> Option<&str> {
        match reason {
            Reason::NoLogin => self.login_page.as_deref(),
            Reason::NotFresh | Reason::LevelTooLow => {
                self.confirm_page.as_deref().or(self.login_page.as_deref())
            }
        }
    }
}

/// The methods of a session layer that set its [`Access`].
macro_rules! access_setters {
    () => {
        /// Sets the users of the application, so that guards and handlers get the
        /// [user](crate::web::guard::CurrentUser) of a session. After the user's credentials have
        /// changed, a session ends at its next request that a guard or `CurrentUser` checks. The
        /// page of [`guard`](crate::web::guard) has an example.
        ///
        /// An inner layer without users has those of the layer around it.
        #[must_use]
        pub fn users(mut self, users: impl crate::web::guard::Users) -> Self {
            self.access.users = Some(std::sync::Arc::new(users));
            self
        }

        /// Sets the address of the login page, to which
        /// [guards](crate::web::guard::require_login) lead browsers: a path such as `/login`, or
        /// a whole address, in visible ASCII characters. Any other page is logged as an error and
        /// not used. Without a page, the response is a 401.
        #[must_use]
        pub fn login_page(mut self, page: impl Into<String>) -> Self {
            self.access.login_page = crate::web::guard::address(page.into());
            self
        }

        /// Sets the address of the page that asks a logged-in user for the password once more, or for
        /// another factor: for [`require_fresh`](crate::web::guard::require_fresh) and
        /// [`require_level`](crate::web::guard::require_level). Default: the login page.
        #[must_use]
        pub fn confirm_page(mut self, page: impl Into<String>) -> Self {
            self.access.confirm_page = crate::web::guard::address(page.into());
            self
        }
    };
}
pub(in super::super) use access_setters;

/// The settings, and the user of one request. Put into the request's extensions.
#[derive(Clone, Default)]
pub(in super::super) struct RequestAccess {
    access: Access,
    loaded: Arc<Mutex<Option<Loaded>>>,
}

/// The result of a load for one session: a user, or none.
struct Loaded {
    cookie_name: String,
    owner: Option<String>,
    user: Option<AnyUser>,
}

impl RequestAccess {
    /// Returns the settings of a layer, and of the layer around it for what this one does not set.
    pub(in super::super) fn within(outer: Option<&Self>, access: Access) -> Self {
        let outer = outer.cloned().unwrap_or_default();
        RequestAccess {
            // Other users need another load.
            loaded: match access.users {
                Some(_) => Arc::default(),
                None => outer.loaded,
            },
            access: Access {
                users: access.users.or(outer.access.users),
                login_page: access.login_page.or(outer.access.login_page),
                confirm_page: access.confirm_page.or(outer.access.confirm_page),
            },
        }
    }

    /// Returns the answer to a request that may not pass. It leads to `page`, or else to the page of
    /// the settings.
    pub(super) fn denied(
        &self,
        reason: Reason,
        page: Option<&str>,
        request: &RequestLine<'_>,
    ) -> Denied {
        let page = page.or_else(|| self.access.page(reason));
        Denied::new(reason, page, request)
    }

    /// Decides whether the session's user may pass, with a login of that level, and of that age at
    /// most.
    pub(super) async fn check(
        &self,
        session: &Session,
        level: u8,
        age: Option<Duration>,
    ) -> Result<Result<(), Reason>, Error> {
        let is_user = match &self.access.users {
            Some(users) => self.load(&**users, session).await?.is_some(),
            None => session.owner().is_some(),
        };
        let is_fresh = age.is_none_or(|age| session.require_fresh(age).is_ok());
        let has_level = match age {
            Some(age) => session.require_fresh_level(level, age),
            None => session.require_level(level),
        };
        Ok(match () {
            () if !is_user => Err(Reason::NoLogin),
            () if !is_fresh => Err(Reason::NotFresh),
            () if has_level.is_err() => Err(Reason::LevelTooLow),
            () => Ok(()),
        })
    }

    /// Returns the session's user, or `None` if no user is logged in.
    pub(super) async fn user<U: Send + Sync + 'static>(
        &self,
        session: &Session,
    ) -> Result<Option<Arc<U>>, Error> {
        let users = self.access.users.as_deref().ok_or_else(|| {
            Error::usage("the session layer has no users: give it yours with its method `users`")
        })?;
        let Some(user) = self.load(users, session).await? else {
            return Ok(None);
        };
        let of_type = user.downcast::<U>().map_err(|_| {
            Error::usage(format!(
                "the session layer has users of the type {}, and the handler asks for {}",
                users.type_name(),
                type_name::<U>()
            ))
        })?;
        Ok(Some(of_type))
    }

    /// Loads the user, unless this request has already done so for the same session and owner. Each
    /// session has a login, and so credentials, of its own.
    async fn load(
        &self,
        users: &dyn AnyUsers,
        session: &Session,
    ) -> Result<Option<AnyUser>, Error> {
        let mut loaded = self.loaded.lock().await;
        if let Some(loaded) = &*loaded
            && loaded.cookie_name == session.name()
            && loaded.owner == session.owner()
        {
            return Ok(loaded.user.clone());
        }
        let user = users.load(session).await?;
        *loaded = Some(Loaded {
            cookie_name: session.name().to_owned(),
            // Read afterwards: the session may have ended.
            owner: session.owner(),
            user: user.clone(),
        });
        Ok(user)
    }
}
