//! [`ResponseFields`]: what a response that has to do with a session carries, so that
//! no cache gives one user's page to another.
//!
//! Sources: RFC 9111 (Cache-Control), RFC 9213 (targeted fields).

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
/// # let sessions = Sessions::of_request(&stores, [], None, "/");
/// # sessions.session().await.unwrap();
/// let fields: ResponseFields = sessions.finish().await.unwrap().unwrap();
/// assert!(fields.set_cookies().is_empty(), "the session was only read");
/// assert_eq!(fields.cache_control(["public"]), Some("private, no-cache"));
/// assert_eq!(fields.cache_control(["no-store"]), None, "it is strict enough");
/// assert!(fields.wants_vary(["Accept"]) && !fields.wants_vary(["Accept, cookie"]));
/// assert!(fields.removes("cdn-cache-control"));
/// # }
/// ```
#[derive(Clone)]
pub struct ResponseFields {
    set_cookies: Vec<String>,
    /// Whether the response shows a state that is over already.
    is_transient: bool,
    is_public: bool,
}

impl ResponseFields {
    pub(super) fn new(set_cookies: Vec<String>) -> Self {
        ResponseFields {
            set_cookies,
            is_transient: false,
            is_public: false,
        }
    }

    /// The same, with whether the response shows a state that is over already: no cache may
    /// keep it.
    pub(super) fn transient(self, is_transient: bool) -> Self {
        ResponseFields {
            is_transient,
            ..self
        }
    }

    /// The same for a response that the application declares public: the session did not
    /// shape it. Its cache fields stay as they are, unless a cookie is set: a response with a
    /// Set-Cookie is never public.
    #[must_use]
    pub fn of_public_response(mut self) -> Self {
        self.is_public = self.set_cookies.is_empty();
        self
    }

    /// The values of the Set-Cookie fields, each to be added to those there are.
    #[must_use]
    pub fn set_cookies(&self) -> &[String] {
        &self.set_cookies
    }

    /// What to put in place of the response's Cache-Control fields; none, if they are
    /// strict enough: `no-store` with a Set-Cookie, or for a session that [has
    /// moved](super::Refusal::Moved) or is [ambiguous](super::Refusal::Ambiguous); else `no-store`, or `private` with `no-cache` or a
    /// `max-age`.
    pub fn cache_control<'f>(
        &self,
        fields: impl IntoIterator<Item = &'f str>,
    ) -> Option<&'static str> {
        let fields = fields.into_iter().flat_map(members);
        // Only without an argument do the first four hold for the whole response.
        let (mut no_store, mut private, mut no_cache) = (false, false, false);
        let (mut public, mut max_age) = (false, false);
        for directive in fields {
            no_store |= directive.eq_ignore_ascii_case("no-store");
            private |= directive.eq_ignore_ascii_case("private");
            no_cache |= directive.eq_ignore_ascii_case("no-cache");
            public |= directive.eq_ignore_ascii_case("public");
            let name = directive.split('=').next().unwrap_or_default();
            max_age |= name.eq_ignore_ascii_case("max-age");
        }
        match self.set_cookies.is_empty() && !self.is_transient {
            _ if no_store || self.is_public => None,
            true if private && !public && (no_cache || max_age) => None,
            true => Some("private, no-cache"),
            false => Some("no-store"),
        }
    }

    /// Whether `Vary: Cookie` is to be added to the response's Vary fields.
    pub fn wants_vary<'f>(&self, fields: impl IntoIterator<Item = &'f str>) -> bool {
        let names_cookie = |member: &str| member == "*" || member.eq_ignore_ascii_case("cookie");
        !self.is_public && !fields.into_iter().flat_map(members).any(names_cookie)
    }

    /// Whether the response loses its fields of that name (in any case of letters): those
    /// that caches obey in place of Cache-Control.
    #[must_use]
    pub fn removes(&self, name: &str) -> bool {
        !self.is_public && ResponseFields::is_targeted(name)
    }

    /// Whether a field tells some caches what to do, whatever Cache-Control says:
    /// `CDN-Cache-Control` and all others that end so (RFC 9213, section 2.3: that of a
    /// vendor's CDN has its name before it), `Surrogate-Control` and `Edge-Control` of older
    /// CDNs, and `X-Accel-Expires` of nginx.
    #[must_use]
    pub fn is_targeted(name: &str) -> bool {
        let suffix = name.len().checked_sub("-cache-control".len());
        let suffix = suffix.and_then(|start| name.get(start..));
        suffix.is_some_and(|end| end.eq_ignore_ascii_case("-cache-control"))
            || ["surrogate-control", "edge-control", "x-accel-expires"]
                .iter()
                .any(|other| name.eq_ignore_ascii_case(other))
    }
}

/// How many cookies are set, and none of them.
impl fmt::Debug for ResponseFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseFields({} cookies)", self.set_cookies.len())
    }
}

/// The members of a field that is a list. A comma in quotes separates nothing.
fn members(field: &str) -> impl Iterator<Item = &str> {
    let mut in_quotes = false;
    let members = field.split(move |letter| {
        in_quotes ^= letter == '"';
        letter == ',' && !in_quotes
    });
    members.map(str::trim)
}
