//! [`ForeignCookies`]: the removals of cookies that have the name of the session's cookie but that
//! another host of the same domain set.
//!
//! A request does not show the scope of a cookie. If a request has two different valid cookies of
//! one name, the response removes the name from each scope that a cookie of this request can have
//! ([`RequestUrl`]). It does not remove it from the application's own scopes, because one of them
//! may hold the good cookie. [`CookieWriter`] writes the text of a removal.

use super::cookie_writer::{CookieWriter, Place};
use super::request_url::RequestUrl;

/// The maximum number of bytes that removals take in a response's head. Proxies limit the whole
/// head: nginx allows 4,096 bytes by default.
const MOST_BYTES: usize = 3 * 1024;
/// The bytes of a Set-Cookie field without its value.
const FIELD: usize = "set-cookie: \r\n".len();

/// The removals of one response, for all sessions of a layer together.
pub(super) struct ForeignCookies<'r> {
    url: &'r RequestUrl,
    /// The index of the first candidate, which the first removal chooses: most responses have none.
    /// If the candidates do not all fit into one response, a random start lets a few responses
    /// reach all of them.
    first: Option<usize>,
    bytes_left: usize,
}

/// The relation of a place to the places of the application's own cookie.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    Own,
    /// A place that some browsers treat as an own place. Browsers that do not know Partitioned do.
    /// All browsers do if the host is a public suffix, because they ignore a Domain attribute that
    /// names it.
    LikeOwn,
    Foreign,
}

impl<'r> ForeignCookies<'r> {
    pub(super) fn of_request(url: &'r RequestUrl) -> Self {
        ForeignCookies {
            url,
            first: None,
            bytes_left: MOST_BYTES,
        }
    }

    #[cfg(test)]
    fn starting_at(first: usize, url: &'r RequestUrl) -> Self {
        ForeignCookies {
            first: Some(first),
            ..ForeignCookies::of_request(url)
        }
    }

    /// Appends the removals to a response's Set-Cookies. If the response sets the application's own
    /// cookie after them, it also removes cookies from places that are like its own.
    pub(super) fn remove(&mut self, cookie: &CookieWriter, sets_own: bool, all: &mut Vec<String>) {
        let random = || getrandom::u32().unwrap_or_default() as usize;
        let first = *self.first.get_or_insert_with(random);
        let places = Places::of(self.url, cookie);
        for place in places.starting_at(first) {
            match self.likeness(place, cookie) {
                Likeness::Foreign => {}
                Likeness::LikeOwn if sets_own => {}
                Likeness::LikeOwn | Likeness::Own => continue,
            }
            let removal = cookie.removal_at(place);
            let Some(left) = self.bytes_left.checked_sub(removal.len() + FIELD) else {
                return;
            };
            self.bytes_left = left;
            all.push(removal);
        }
    }

    fn likeness(&self, place: Place<'_>, cookie: &CookieWriter) -> Likeness {
        let host = self.url.host_name();
        let is_host = |domain: Option<&str>| domain.is_none() || is_same(domain, host);
        let likeness = |own: Option<&str>| match is_same(place.domain, own) {
            true if place.is_partitioned == cookie.is_partitioned() => Likeness::Own,
            true => Likeness::LikeOwn,
            false if is_host(place.domain) && is_host(own) => Likeness::LikeOwn,
            false => Likeness::Foreign,
        };
        let scopes = cookie.scopes().filter(|own| own.path == place.path);
        let nearest = scopes.map(|own| likeness(own.domain.as_deref())).min();
        nearest.unwrap_or(Likeness::Foreign)
    }
}

/// Returns true if two Domain attributes are the same.
fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        (one, other) => one == other,
    }
}

/// The places of all cookies that a browser can have sent with the request.
struct Places<'r> {
    paths: Vec<&'r str>,
    domains: Vec<Option<&'r str>>,
    partitions: &'static [bool],
}

impl<'r> Places<'r> {
    fn of(url: &'r RequestUrl, cookie: &CookieWriter) -> Self {
        let (paths, domains) = match cookie.is_host_bound() {
            true => (vec!["/"], vec![None]),
            false => (url.paths(), url.domains()),
        };
        Places {
            paths,
            domains,
            // Partitioned needs Secure.
            partitions: if cookie.is_secure() {
                &[false, true]
            } else {
                &[false]
            },
        }
    }

    /// Returns each place once.
    fn starting_at(&self, first: usize) -> impl Iterator<Item = Place<'r>> {
        let count = self.paths.len() * self.domains.len() * self.partitions.len();
        let first = first.checked_rem(count).unwrap_or_default();
        self.iter().skip(first).chain(self.iter().take(first))
    }

    fn iter(&self) -> impl Iterator<Item = Place<'r>> {
        self.paths.iter().flat_map(move |path| {
            self.domains.iter().flat_map(move |domain| {
                self.partitions.iter().map(move |is_partitioned| Place {
                    path,
                    domain: *domain,
                    is_partitioned: *is_partitioned,
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::{CookieOptions, SameSite};
    use super::*;

    fn named(name: &str) -> CookieOptions {
        CookieOptions::new().name(name).unwrap()
    }

    fn removals(options: CookieOptions, url: &RequestUrl, first: usize) -> Vec<String> {
        let mut all = Vec::new();
        let cookie = CookieWriter::new(options).unwrap();
        ForeignCookies::starting_at(first, url).remove(&cookie, false, &mut all);
        all
    }

    #[test]
    fn a_few_responses_cover_every_scope() {
        let deep = format!("/{}", "segment/".repeat(20));
        let url = RequestUrl::new(Some(b"a.b.c.d.example.com"), &deep);
        let cookie = CookieWriter::new(named("id")).unwrap();
        let places = Places::of(&url, &cookie);
        let places: BTreeSet<String> = places
            .starting_at(0)
            .map(|place| cookie.removal_at(place))
            .collect();
        assert_eq!(places.len(), (2 * 20 + 1) * 6 * 2);
        let mut reached = BTreeSet::new();
        for first in (0..places.len()).step_by(10) {
            let mut all = Vec::new();
            ForeignCookies::starting_at(first, &url).remove(&cookie, true, &mut all);
            let bytes: usize = all.iter().map(|removal| removal.len() + FIELD).sum();
            assert!((MOST_BYTES - 300..=MOST_BYTES).contains(&bytes), "{bytes}");
            reached.extend(all);
        }
        let own: Vec<&String> = places.difference(&reached).collect();
        assert_eq!(own, ["id=; Path=/; Secure; Max-Age=0"]);
    }

    #[test]
    fn a_request_of_any_size_is_answered_within_bounds() {
        let host = "a.".repeat(125) + "a.a";
        let url = RequestUrl::new(Some(host.as_bytes()), &"/".repeat(100_000));
        for first in [0, 1, usize::MAX] {
            let all = removals(named("id"), &url, first);
            assert!(!all.is_empty() && all.len() < 100);
        }
        let long = format!("/{}", "a".repeat(1_023));
        let long = RequestUrl::new(Some(b"example.com"), &long);
        for first in 0..12 {
            assert!(!removals(named("id"), &long, first).is_empty());
        }
    }

    proptest! {
        #[test]
        fn no_host_and_no_path_writes_an_attribute(
            host in "[a-z.:;\\r\\n =,\\[\\]\\PC]{0,40}",
            path in "/[a-z/;\\r\\n =,\\PC]{0,40}",
        ) {
            let url = RequestUrl::new(Some(host.as_bytes()), &path);
            for removal in removals(named("id"), &url, 0) {
                let mut parts = removal.split("; ");
                prop_assert_eq!(parts.next(), Some("id="));
                for part in parts {
                    let is_flag = ["Secure", "Partitioned", "Max-Age=0"].contains(&part);
                    let is_scope = part.starts_with("Path=/") || part.starts_with("Domain=");
                    prop_assert!(is_flag || is_scope, "{}", removal);
                }
                let is_fine = |byte: u8| matches!(byte, 0x20..=0x7e);
                prop_assert!(removal.bytes().all(is_fine), "{}", removal);
            }
        }
    }

    #[test]
    fn a_host_cookie_is_never_foreign() {
        let url = RequestUrl::new(Some(b"app.example.com"), "/a/b");
        for name in ["__Host-id", "__Host-Http-id"] {
            assert_eq!(removals(named(name), &url, 0), [""; 0], "{name}");
        }
        // Older browsers recognize the prefix only in the exact letters `__Host-`.
        assert_ne!(removals(named("__host-id"), &url, 0), [""; 0]);
    }

    #[test]
    fn a_removal_has_the_flags_that_browsers_require() {
        let url = RequestUrl::new(None, "/a");
        let first = |options| removals(options, &url, 0).swap_remove(0);
        assert_eq!(
            first(named("__Http-id")),
            "__Http-id=; Path=/a/; HttpOnly; Secure; Max-Age=0"
        );
        assert_eq!(
            first(named("id").same_site(SameSite::None)),
            "id=; Path=/a/; Secure; SameSite=None; Max-Age=0"
        );
        let insecure = CookieOptions::new().insecure_http();
        assert_eq!(first(insecure), "id=; Path=/a/; Max-Age=0");
    }
}
