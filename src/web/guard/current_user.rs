//! [`CurrentUser`]: the user who is logged in, as an argument of a handler.

use std::any::type_name;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Extracts the user who is logged in. The session layer's [`Users`](super::Users) load it, once in
/// a request. Without a login, the handler does not run: the answer is [`Denied`](super::Denied).
///
/// `Option<CurrentUser<U>>` is `None` without a login, in axum and in actix-web. It uses the session
/// of the first store of the innermost session layer. In actix-web it is also `None` if there is no
/// session middleware around the handler.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use silverback::web::guard::CurrentUser;
///
/// struct User { name: String }
///
/// async fn home(user: Option<CurrentUser<User>>) -> String {
///     match user {
///         Some(user) => format!("Hello, {}.", user.name),
///         None => "Hello, stranger.".to_owned(),
///     }
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(home));
/// # }
/// ```
#[doc(alias = "AuthSession")]
#[doc(alias = "Identity")]
pub struct CurrentUser<U>(pub Arc<U>);

impl<U> Clone for CurrentUser<U> {
    fn clone(&self) -> Self {
        CurrentUser(self.0.clone())
    }
}

impl<U> Deref for CurrentUser<U> {
    type Target = U;

    fn deref(&self) -> &U {
        &self.0
    }
}

/// Shows the type, and nothing of the user.
impl<U> fmt::Debug for CurrentUser<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CurrentUser<{}>", type_name::<U>())
    }
}
