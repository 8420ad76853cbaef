//! [`ResponseFields`]: what a response that has to do with a session carries, so that
//! no cache gives one user's page to another.

use std::fmt;

/// The Set-Cookie fields of a response whose request asked for a session, and the cache
/// fields that belong to it. For adapters of web frameworks.
///
/// ```
/// use silverback::session::ResponseFields;
/// # use silverback::{codec::{Codecs, KeyPairs}, session::{CookieStore, Sessions, Stores}};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let codecs = Codecs::from_pairs(KeyPairs::generate(1).unwrap()).unwrap();
/// # let stores = Stores::from(CookieStore::new(codecs).unwrap());
/// # let sessions = Sessions::of_request(&stores, [], None);
/// # sessions.session().await.unwrap();
/// let fields: ResponseFields = sessions.finish().await.unwrap().unwrap();
/// assert!(fields.set_cookies().is_empty(), "the session was only read");
/// assert_eq!(fields.cache_control(["public"]), Some("private, no-cache"));
/// assert_eq!(fields.cache_control(["no-store"]), None, "it is strict enough");
/// assert!(fields.wants_vary(["Accept"]) && !fields.wants_vary(["Accept, cookie"]));
/// # }
/// ```
#[derive(Clone)]
pub struct ResponseFields {
    set_cookies: Vec<String>,
}

impl ResponseFields {
    pub(super) fn new(set_cookies: Vec<String>) -> Self {
        ResponseFields { set_cookies }
    }

    /// The values of the Set-Cookie fields, each to be added to those there are.
    #[must_use]
    pub fn set_cookies(&self) -> &[String] {
        &self.set_cookies
    }

    /// What to put in place of the response's Cache-Control fields; none, if they are
    /// strict enough: `no-store` with a Set-Cookie, `private, no-cache` or `no-store`
    /// without.
    pub fn cache_control<'f>(
        &self,
        fields: impl IntoIterator<Item = &'f str>,
    ) -> Option<&'static str> {
        let (mut no_store, mut private, mut no_cache) = (false, false, false);
        for directive in fields.into_iter().flat_map(members) {
            // Only without an argument do they hold for the whole response.
            no_store |= directive.eq_ignore_ascii_case("no-store");
            private |= directive.eq_ignore_ascii_case("private");
            no_cache |= directive.eq_ignore_ascii_case("no-cache");
        }
        match self.set_cookies.is_empty() {
            _ if no_store => None,
            true if private && no_cache => None,
            true => Some("private, no-cache"),
            false => Some("no-store"),
        }
    }

    /// Whether `Vary: Cookie` is to be added to the response's Vary fields.
    pub fn wants_vary<'f>(&self, fields: impl IntoIterator<Item = &'f str>) -> bool {
        let names_cookie = |member: &str| member == "*" || member.eq_ignore_ascii_case("cookie");
        !fields.into_iter().flat_map(members).any(names_cookie)
    }
}

/// How many cookies are set, and none of them.
impl fmt::Debug for ResponseFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseFields({} cookies)", self.set_cookies.len())
    }
}

/// The members of a field that is a list.
fn members(field: &str) -> impl Iterator<Item = &str> {
    field.split(',').map(str::trim)
}
