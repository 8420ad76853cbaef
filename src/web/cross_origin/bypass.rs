//! [`Bypass`]: the requests that pass unchecked, by patterns of Go's ServeMux.

use crate::session::Error;

use super::path;
use super::pattern::Pattern;
use super::request::RequestFacts;

/// Patterns of which no two conflict.
#[derive(Clone, Debug, Default)]
pub(super) struct Bypass {
    /// The most specific pattern of a request comes first.
    patterns: Vec<Pattern>,
}

impl Bypass {
    /// Parses patterns.
    ///
    /// # Errors
    /// Returns a usage error for a pattern that is malformed, and for two that conflict.
    pub(super) fn new(texts: &[String]) -> Result<Self, Error> {
        let mut patterns: Vec<Pattern> = Vec::new();
        for text in texts {
            let pattern = Pattern::parse(text)
                .map_err(|why| Error::usage(format!("the bypass pattern {text:?}: {why}")))?;
            if let Some(other) = patterns.iter().find(|other| pattern.conflicts_with(other)) {
                return Err(Error::usage(format!(
                    "the bypass patterns {:?} and {text:?} match some of the same requests, and \
                     neither is more specific: remove or narrow one",
                    other.text
                )));
            }
            patterns.push(pattern);
        }
        patterns.sort_by_cached_key(Pattern::precedence);
        Ok(Bypass { patterns })
    }

    /// Returns whether a request matches a pattern as it is. A request that ServeMux would redirect,
    /// to a cleaned path or to one with a slash at its end, does not match.
    ///
    /// This is `findHandler` of net/http/server.go with one handler for all patterns.
    pub(super) fn matches(&self, request: &RequestFacts<'_>) -> bool {
        let Some(path) = path::escaped(request.path) else {
            return false;
        };
        let (host, method) = (&*request.host, request.method);
        if method == "CONNECT" {
            // Neither the path nor the host is cleaned, and the redirect ignores the field Host.
            return !self.is_redirected(b"", method, &path)
                && self.find(host, method, &path).is_some();
        }
        let host = without_port(host);
        path::is_clean(&path)
            && !self.is_redirected(host, method, &path)
            && self.find(host, method, &path).is_some()
    }

    fn find(&self, host: &[u8], method: &str, path: &[u8]) -> Option<&Pattern> {
        let mut patterns = self.patterns.iter();
        patterns.find(|pattern| pattern.matches(host, method, path))
    }

    /// Returns whether ServeMux redirects to the path with a slash at its end (`matchOrRedirect`).
    fn is_redirected(&self, host: &[u8], method: &str, path: &[u8]) -> bool {
        if path.is_empty() || path.ends_with(b"/") {
            return false;
        }
        let found = self.find(host, method, path);
        if found.is_some_and(|pattern| !pattern.is_open()) {
            return false;
        }
        let with_slash = [path, b"/"].concat();
        let found = self.find(host, method, &with_slash);
        found.is_some_and(|pattern| pattern.is_exact(&with_slash))
    }
}

/// Returns a host without its port, or the same text if it is no host with a port (`stripHostPort`
/// of net/http/server.go, and `net.SplitHostPort`). An IPv6 address loses its brackets with its
/// port.
fn without_port(host: &[u8]) -> &[u8] {
    split_port(host).unwrap_or(host)
}

fn split_port(text: &[u8]) -> Option<&[u8]> {
    let colon = text.iter().rposition(|byte| *byte == b':')?;
    let (before, _) = text.split_at_checked(colon)?;
    let is_bracket = |byte: &u8| matches!(byte, b'[' | b']');
    let (host, rest) = match before.strip_prefix(b"[") {
        // The port follows the first closing bracket.
        Some(inside) => (inside.strip_suffix(b"]")?, text.get(colon..)?),
        None if before.contains(&b':') => return None,
        None => (before, text),
    };
    (!host.iter().chain(rest).any(is_bracket)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_split_off_as_in_go() {
        for (host, expected) in [
            ("example.com", "example.com"),
            ("example.com:80", "example.com"),
            ("example.com:", "example.com"),
            ("example.com:port", "example.com"),
            (":80", ""),
            ("[::1]:80", "::1"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
            ("[::1", "[::1"),
            ("[a]b:80", "[a]b:80"),
            ("[[a]:80", "[[a]:80"),
            ("a]:80", "a]:80"),
            ("", ""),
        ] {
            let found = without_port(host.as_bytes());
            assert_eq!(found, expected.as_bytes(), "{host}");
        }
    }

    #[test]
    fn a_malformed_pattern_is_a_usage_error() {
        for pattern in [
            "",
            "example.com",
            "POST",
            "P{ST /",
            "POST example{x}.com/",
            "/a{x}",
            "/{x}a",
            "/{",
            "/{}",
            "/{...}",
            "/{$...}",
            "/{$}/a",
            "/{x...}/a",
            "/{x}/{x}",
            "/{1x}",
            "/{x-y}",
            "/{{x}}",
            "/{\u{e9}}",
            "//a",
            "/a//",
            "POST /a/../b",
        ] {
            let error = Bypass::new(&[pattern.to_owned()]).unwrap_err();
            assert!(error.is_usage(), "{pattern}");
            assert!(error.to_string().contains(&format!("{pattern:?}")));
        }
    }

    #[test]
    fn patterns_of_which_neither_is_more_specific_conflict() {
        for (one, other, conflict) in [
            ("/a", "/a", true),
            ("/a", "/b", false),
            ("/a", "/{x}", false),
            ("/{x}", "/{y}", true),
            ("/a/", "/a/{x...}", true),
            ("/a/{$}", "/a/", false),
            ("/{x}/{$}", "/a/", true),
            ("/{x}/b", "/a/{y}", true),
            ("/{x}/b/", "/a/", true),
            ("POST /a", "/a", false),
            ("POST /a", "/{x}", false),
            ("POST /{x}", "/a", true),
            ("POST /a", "PUT /a", false),
            ("GET /a", "HEAD /a", false),
            ("GET /a", "HEAD /{x}", true),
            ("example.com/a", "/a", false),
            ("example.com/a", "example.com/a", true),
        ] {
            for pair in [[one, other], [other, one]] {
                let texts = pair.map(str::to_owned);
                let is_conflict = Bypass::new(&texts).is_err();
                assert_eq!(is_conflict, conflict, "{pair:?}");
            }
        }
    }
}
