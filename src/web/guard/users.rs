//! [`Users`]: the users of an application, as guards and extractors see them.

use std::any::{Any, type_name};
use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;

use crate::session::{Error, Session};

/// The users of an application: loads the user that a session belongs to. Give it to the session
/// layer (`SessionLayer::users`, `SessionMiddleware::users`).
///
/// The [module's example](super#a-page-for-users) implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not load the users of the application",
    note = "implement `Users` for the type that has your database pool"
)]
#[doc(alias = "AuthnBackend")]
pub trait Users: Send + Sync + 'static {
    /// The user, as handlers get it in [`CurrentUser`](super::CurrentUser).
    type User: Send + Sync + 'static;

    /// The reason why the database did not answer. Its text goes into the log and must hold no
    /// secret.
    type Error: Into<Box<dyn StdError + Send + Sync>>;

    /// Returns the user with the name that was given to [`Session::login`], or `None` if there is no
    /// such user, or the user may not use the application any more. The request then has no user,
    /// and the session stays.
    ///
    /// It runs at most once in a request, and only if a guard or an extractor asks. An error becomes
    /// a 503. Read from a primary server: a replica may not know a new password yet, and the session
    /// would end.
    fn find(
        &self,
        owner: &str,
    ) -> impl Future<Output = Result<Option<Self::User>, Self::Error>> + Send;

    /// Returns what changes with the user's credentials, such as the hash of the password. If the
    /// session's login was not [bound](Session::bind_credentials) to it, the session ends.
    ///
    /// The default, `None`, ends no session. If a running service begins to return a value, the
    /// sessions that were not bound end once.
    #[doc(alias = "session_auth_hash")]
    fn credentials(user: &Self::User) -> Option<&[u8]> {
        let _ = user;
        None
    }
}

/// A user of a type that the caller knows.
pub(super) type AnyUser = Arc<dyn Any + Send + Sync>;

type Loading<'u> = Pin<Box<dyn Future<Output = Result<Option<AnyUser>, Error>> + Send + 'u>>;

/// [`Users`] of any type.
pub(in super::super) trait AnyUsers: Send + Sync {
    /// Returns the user of the session, or `None` if no user is logged in. Ends the session if the
    /// credentials have changed.
    fn load<'u>(&'u self, session: &'u Session) -> Loading<'u>;

    /// Returns the name of the type of users, for messages.
    fn type_name(&self) -> &'static str;
}

impl<U: Users> AnyUsers for U {
    fn load<'u>(&'u self, session: &'u Session) -> Loading<'u> {
        Box::pin(async move {
            let Some(owner) = session.owner() else {
                return Ok(None);
            };
            let found = self.find(&owner).await;
            let found = found.map_err(|error| {
                Error::unavailable("the session's user cannot be loaded").with_source(error)
            })?;
            let Some(user) = found else {
                return Ok(None);
            };
            let is_current = match U::credentials(&user) {
                Some(credentials) => session.check_credentials(credentials)?,
                None => true,
            };
            Ok(is_current.then(|| Arc::new(user) as AnyUser))
        })
    }

    fn type_name(&self) -> &'static str {
        type_name::<U::User>()
    }
}
