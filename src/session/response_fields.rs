//! [`ResponseFields`]: the header fields of a response that depends on a session. They keep caches
//! from giving one user's page to another user.
//!
//! Sources: RFC 9111 (Cache-Control), RFC 9213 (targeted fields).

use std::fmt;

/// The Set-Cookie fields of a response to a request that asked for a session, and the cache fields
/// that such a response needs. For adapters of web frameworks.
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
#[must_use = "the response must have these fields"]
pub struct ResponseFields {
    set_cookies: Vec<String>,
    others: Vec<(&'static str, String)>,
    /// True if the response shows an outdated state of the session.
    is_transient: bool,
    is_public: bool,
}

impl ResponseFields {
    pub(crate) fn new(set_cookies: Vec<String>) -> Self {
        ResponseFields {
            set_cookies,
            others: Vec::new(),
            is_transient: false,
            is_public: false,
        }
    }

    /// Adds fields that are neither a Set-Cookie nor for caches.
    pub(super) fn with_others(self, others: Vec<(&'static str, String)>) -> Self {
        ResponseFields { others, ..self }
    }

    /// Sets whether the response shows an outdated state of the session, which no cache may store.
    pub(super) fn transient(self, is_transient: bool) -> Self {
        ResponseFields {
            is_transient,
            ..self
        }
    }

    /// Marks a response that the application declares public: its content does not depend on the
    /// session. Its cache fields stay unchanged, unless a cookie is set: a response with a
    /// Set-Cookie is never public.
    pub fn of_public_response(mut self) -> Self {
        self.is_public = self.set_cookies.is_empty() && self.others.is_empty();
        self
    }

    /// Returns the values of the Set-Cookie fields. Add each of them to the existing fields.
    #[must_use]
    pub fn set_cookies(&self) -> &[String] {
        &self.set_cookies
    }

    /// Returns further fields, each with its name in lower case: `Clear-Site-Data` after
    /// [`logout_clearing`](super::Session::logout_clearing), and those of a device binding. Add each
    /// of them to the existing fields.
    #[must_use]
    pub fn others(&self) -> &[(&'static str, String)] {
        &self.others
    }

    /// Returns the value that must replace the response's Cache-Control fields, or `None` if they
    /// are strict enough.
    ///
    /// With a Set-Cookie, only `no-store` is strict enough. The same holds for a session that [has
    /// moved](super::Refusal::Moved) or is [ambiguous](super::Refusal::Ambiguous). In all other
    /// cases, `no-store` is, and so is `private` with `no-cache` or a `max-age`.
    pub fn cache_control<'f>(
        &self,
        fields: impl IntoIterator<Item = &'f str>,
    ) -> Option<&'static str> {
        let fields = fields.into_iter().flat_map(members);
        // The first four apply to the whole response only if they have no argument.
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
        let sets_nothing = self.set_cookies.is_empty() && self.others.is_empty();
        match sets_nothing && !self.is_transient {
            _ if no_store || self.is_public => None,
            true if private && !public && (no_cache || max_age) => None,
            true => Some("private, no-cache"),
            false => Some("no-store"),
        }
    }

    /// Returns whether `Vary: Cookie` must be added to the response's Vary fields.
    pub fn wants_vary<'f>(&self, fields: impl IntoIterator<Item = &'f str>) -> bool {
        let names_cookie = |member: &str| member == "*" || member.eq_ignore_ascii_case("cookie");
        !self.is_public && !fields.into_iter().flat_map(members).any(names_cookie)
    }

    /// Returns whether the response's fields of that name must be removed, since caches follow them
    /// instead of Cache-Control. The case of letters does not matter.
    #[must_use]
    pub fn removes(&self, name: &str) -> bool {
        !self.is_public && ResponseFields::is_targeted(name)
    }

    /// Returns whether a field gives instructions to some caches regardless of Cache-Control. These
    /// are `CDN-Cache-Control` and all other names with that ending (a vendor's CDN puts its name
    /// before it: RFC 9213, section 2.3), `Surrogate-Control` and `Edge-Control` of older CDNs, and
    /// `X-Accel-Expires` of nginx.
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

/// Shows the number of cookies, and not their values.
impl fmt::Debug for ResponseFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseFields({} cookies)", self.set_cookies.len())
    }
}

/// Splits a field that is a list. A comma in quotes is not a separator.
fn members(field: &str) -> impl Iterator<Item = &str> {
    let mut in_quotes = false;
    let members = field.split(move |letter| {
        in_quotes ^= letter == '"';
        letter == ',' && !in_quotes
    });
    members.map(str::trim)
}
