//! [`NextPage`]: the page to which a login leads. It is always a page of this site.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer};

/// The longest path that is kept, in bytes.
const LONGEST: usize = 2_048;

/// A path of this site, with its query: the page to which a login leads.
///
/// Guards send it to the login page as `?next=`. Read it there, put it into a hidden field of the
/// form, and redirect to it after the login. A text that could lead to another site becomes `/`:
/// `https://evil.example`, `//evil.example`, `/\evil.example`, and the same with percent-encoding,
/// tabs or line ends, which browsers ignore.
///
/// ```
/// use silverback::web::guard::NextPage;
///
/// #[derive(serde::Deserialize)]
/// struct Query { #[serde(default)] next: NextPage }
///
/// # #[cfg(feature = "json")] {
/// # let query = |json| serde_json::from_str::<Query>(json);
/// assert_eq!(query(r#"{"next": "/account?tab=1"}"#)?.next.as_str(), "/account?tab=1");
/// assert_eq!(query(r#"{"next": "//evil.example"}"#)?.next.as_str(), "/");
/// assert_eq!(query("{}")?.next.as_str(), "/");
/// # }
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextPage(String);

impl NextPage {
    /// Returns the page, or `None` if `path` is not a path of this site.
    #[must_use]
    pub fn new(path: &str) -> Option<Self> {
        is_own(path).then(|| NextPage(path.to_owned()))
    }

    /// Returns the path with its query.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `/`.
impl Default for NextPage {
    fn default() -> Self {
        NextPage("/".to_owned())
    }
}

impl fmt::Display for NextPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for NextPage {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Reads a text. If it is not a path of this site, the result is `/`, so that a form with such a
/// field is not refused as a whole.
impl<'de> Deserialize<'de> for NextPage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = Cow::<str>::deserialize(deserializer)?;
        Ok(NextPage::new(&path).unwrap_or_default())
    }
}

/// Returns whether a browser that gets `path` as a Location stays on the site, also if a program on
/// the way decodes it once more, or removes its empty segments and dots.
fn is_own(path: &str) -> bool {
    // Only the text before the query and the fragment is a path, however it is decoded.
    let segments = path.split(['?', '#']).next().unwrap_or_default();
    let decoded = percent_decode_str(segments).decode_utf8_lossy();
    path.len() <= LONGEST
        && path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && is_absolute_path(segments)
        && is_absolute_path(&decoded)
}

/// Returns whether `path` begins with one slash and the name of a first segment, so that it does not
/// name a host (RFC 3986 section 3.3, `path-absolute`), and has no segment of dots. Browsers take a
/// backslash for a slash, and remove tabs and line ends.
fn is_absolute_path(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else {
        return false;
    };
    let has_dots = segments
        .split('/')
        .any(|segment| matches!(segment, "." | ".."));
    let is_named = !segments.starts_with('/');
    is_named && !has_dots && !path.contains(['\\', '\t', '\r', '\n', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_this_site_are_kept() {
        for path in [
            "/",
            "/account",
            "/account?tab=1&next=https://evil.example",
            "/a//b",
            "/a%20b/%C3%A4",
            "/files/a%2Fb",
            "/?q=a",
            "/#part",
            "/.well-known/x",
            "/a?q=%2e%2e/%2F/..//b",
            "/a%3Fb",
        ] {
            let next = NextPage::new(path);
            assert_eq!(next.as_ref().map(NextPage::as_str), Some(path));
        }
    }

    #[test]
    fn what_may_lead_to_another_site_is_no_path() {
        let long = format!("/{}", "a".repeat(LONGEST));
        for text in [
            "",
            "account",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "//evil.example/%2f..",
            "javascript:alert(1)",
            "data:text/html,x",
            "/\t/evil.example",
            "/\n/evil.example",
            "\t//evil.example",
            " //evil.example",
            " /account",
            "/%09/evil.example",
            "/%0a/evil.example",
            "/%0d%0aSet-Cookie:a=b",
            "/%2Fevil.example",
            "/%2f%2fevil.example",
            "/%5cevil.example",
            "%2f%2fevil.example",
            "/./%2Fevil.example",
            "/.//evil.example",
            "/..//evil.example",
            "/%2e%2e//evil.example",
            "/a/..//evil.example",
            "/a%3F/%2e%2e//evil.example",
            "/a%23/%2e%2e//evil.example",
            "/a%3f/..//evil.example",
            "/%3F/%2e%2e//evil.example",
            "/a/%2e%2e/%2e/b",
            "/a\\b",
            "/ä",
            "/a b",
            "/a\0",
            "/a%00b",
            "?next=/",
            "#",
            "@evil.example",
            ".evil.example",
            &long,
        ] {
            assert_eq!(NextPage::new(text), None, "{text:?}");
        }
    }
}
