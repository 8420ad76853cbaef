//! [`Denied`]: the answer to a request that lacks the required login.

use std::fmt;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::session::Error;

use super::next_page::NextPage;

/// The characters of a query's value that are encoded: all except RFC 3986's unreserved ones.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The reason why a request may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    NoLogin,
    /// A user is logged in, and logged in too long ago.
    NotFresh,
    /// A user is logged in, and has given too few kinds of factors.
    LevelTooLow,
}

/// The parts of a request that decide on the answer.
pub(super) struct RequestLine<'r> {
    /// True for GET and HEAD, which a browser can repeat after the login.
    pub(super) is_safe: bool,
    pub(super) accepts_html: bool,
    /// The path and the query, as the client sent them.
    pub(super) target: &'r str,
}

/// The answer to a request that lacks the required login: a redirect to the login page, or the
/// status 401 or 403. The [module](super#answers-to-a-request-without-a-login) has the
/// table.
///
/// It is the rejection of [`CurrentUser`](super::CurrentUser).
#[derive(Clone, PartialEq, Eq)]
pub struct Denied {
    reason: Reason,
    /// The target of the redirect.
    location: Option<String>,
}

impl Denied {
    /// Returns the answer that leads to `page`, if the client can show a page.
    pub(super) fn new(reason: Reason, page: Option<&str>, request: &RequestLine<'_>) -> Self {
        let page = page.filter(|_| request.accepts_html);
        let page = page.filter(|page| !is_page_itself(page, request.target));
        Denied {
            reason,
            location: page.map(|page| location(page, request)),
        }
    }

    /// Returns the status: 303, 401 or 403.
    #[must_use]
    pub fn status(&self) -> u16 {
        match (&self.location, self.reason) {
            (Some(_), _) => 303,
            (None, Reason::NoLogin) => 401,
            (None, Reason::NotFresh | Reason::LevelTooLow) => 403,
        }
    }

    /// Returns the header fields of the answer.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let location = self.location.as_deref();
        // RFC 9110 section 15.5.2: a 401 names a scheme. No scheme is registered for cookies, and
        // browsers ignore one that they do not know.
        let challenge = (self.status() == 401).then_some("Cookie");
        [
            ("location", location),
            ("www-authenticate", challenge),
            ("cache-control", Some("no-store")),
            ("vary", Some("Accept")),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}

impl fmt::Debug for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denied")
            .field("reason", &self.reason)
            .field("status", &self.status())
            .finish()
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            Reason::NoLogin => "the request needs a login",
            Reason::NotFresh => "the request needs a newer login",
            Reason::LevelTooLow => "the request needs another factor of the user",
        })
    }
}

impl std::error::Error for Denied {}

/// Returns a page as the target of a redirect, or `None` if it cannot be one.
pub(in super::super) fn address(page: String) -> Option<Arc<str>> {
    let is_address = page.starts_with('/') || page.contains("://");
    if is_address && page.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(page.into());
    }
    let error = Error::usage(format!(
        "{page:?} is not used as the page of a guard: write a path that begins with a slash, or a \
         whole address, in visible ASCII characters"
    ));
    error.log();
    None
}

/// Returns whether a request is for the page itself. A redirect would lead to the page again and
/// again.
fn is_page_itself(page: &str, target: &str) -> bool {
    let path = |address: &str| address.split(['?', '#']).next() == target.split('?').next();
    if !path(page) {
        return false;
    }
    let error = Error::usage(format!(
        "the page {page:?} of a guard is behind a guard itself: add its route after the guard"
    ));
    error.log();
    true
}

/// Returns the address of a page. If the browser can repeat the request, the address has its path,
/// under `next`.
fn location(page: &str, request: &RequestLine<'_>) -> String {
    let next = NextPage::new(request.target).filter(|_| request.is_safe);
    let Some(next) = next else {
        return page.to_owned();
    };
    let (page, fragment) = match page.split_once('#') {
        Some((page, fragment)) => (page, format!("#{fragment}")),
        None => (page, String::new()),
    };
    let separator = if page.contains('?') { '&' } else { '?' };
    let next = utf8_percent_encode(next.as_str(), IN_QUERY);
    format!("{page}{separator}next={next}{fragment}")
}

/// Returns whether Accept names HTML (RFC 9110 section 12.5.1). The ranges `*/*` and `text/*` do
/// not count: scripts and programs send them.
pub(super) fn accepts_html<'f>(accept: impl Iterator<Item = &'f str>) -> bool {
    accept.flat_map(|field| field.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let is_html = ["text/html", "application/xhtml+xml"]
            .iter()
            .any(|html| media_type.eq_ignore_ascii_case(html));
        is_html && !parts.any(is_refused)
    })
}

/// Returns whether a parameter is a weight of zero.
fn is_refused(parameter: &str) -> bool {
    let weight = parameter
        .split_once('=')
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    let weight = weight.and_then(|(_, weight)| weight.trim().parse::<f32>().ok());
    weight.is_some_and(|weight| weight <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_range_that_names_html_accepts_html() {
        for (accept, accepts) in [
            ("text/html", true),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                true,
            ),
            ("application/xhtml+xml", true),
            ("application/json, TEXT/HTML; charset=utf-8; q=0.1", true),
            ("", false),
            ("*/*", false),
            ("text/*", false),
            ("text/htmlx", false),
            ("application/json", false),
            ("text/html;q=0", false),
            ("text/html; Q = 0.000", false),
        ] {
            assert_eq!(accepts_html([accept].into_iter()), accepts, "{accept}");
        }
        assert!(accepts_html(["application/json", "text/html"].into_iter()));
    }

    #[test]
    fn a_redirect_has_the_path_of_a_request_that_can_be_repeated() {
        for (page, is_safe, target, expected) in [
            ("/login", true, "/a?b=c&d", "/login?next=%2Fa%3Fb%3Dc%26d"),
            ("/login", false, "/a", "/login"),
            ("/login", true, "//evil.example", "/login"),
            ("/login?lang=de", true, "/a", "/login?lang=de&next=%2Fa"),
            ("/#login", true, "/a", "/?next=%2Fa#login"),
            (
                "https://sso.example/",
                true,
                "/a",
                "https://sso.example/?next=%2Fa",
            ),
        ] {
            let request = RequestLine {
                is_safe,
                accepts_html: true,
                target,
            };
            let denied = Denied::new(Reason::NoLogin, Some(page), &request);
            assert_eq!(denied.status(), 303);
            assert_eq!(denied.location.as_deref(), Some(expected));
        }
    }

    #[test]
    fn only_an_address_is_a_page() {
        for page in ["/login", "/login?lang=de#form", "https://sso.example/"] {
            assert_eq!(address(page.to_owned()).as_deref(), Some(page));
        }
        for page in [
            "",
            "login",
            "/login ",
            "/\u{fc}ber",
            "/a\r\nb: c",
            "javascript:alert(1)",
        ] {
            assert_eq!(address(page.to_owned()), None, "{page}");
        }
    }

    #[test]
    fn a_guarded_login_page_leads_nowhere() {
        for (page, target) in [
            ("/login", "/login"),
            ("/login?a#b", "/login?next=%2Flogin"),
            ("/login", "/login?"),
        ] {
            let request = RequestLine {
                is_safe: true,
                accepts_html: true,
                target,
            };
            let denied = Denied::new(Reason::NoLogin, Some(page), &request);
            assert_eq!(denied.status(), 401, "{page} {target}");
        }
    }

    #[test]
    fn a_program_gets_a_status() {
        let request = RequestLine {
            is_safe: true,
            accepts_html: false,
            target: "/",
        };
        let html = RequestLine {
            accepts_html: true,
            ..request
        };
        let pages = [(Some("/login"), &request), (None, &html)];
        for (page, request) in pages {
            for (reason, status) in [
                (Reason::NoLogin, 401),
                (Reason::NotFresh, 403),
                (Reason::LevelTooLow, 403),
            ] {
                let denied = Denied::new(reason, page, request);
                assert_eq!(denied.status(), status);
                let has_challenge = denied.fields().any(|(name, _)| name == "www-authenticate");
                assert_eq!(has_challenge, status == 401);
            }
        }
    }
}
