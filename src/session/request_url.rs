//! [`RequestUrl`]: the host and the path of a browser's request, and the scopes that the cookies of
//! the request may have.
//!
//! Sources: RFC 6265, sections 5.1.3 (domain-match) and 5.1.4 (path-match). `foreign_cookies.rs`
//! decides which of these cookies are removed.

/// The longest Path attribute that browsers accept.
const LONGEST_PATH: usize = 1024;
/// The longest host name.
const LONGEST_HOST: usize = 253;

/// The host and the path of a request. Both come from the network and can be any text.
#[derive(Clone, Debug)]
pub(super) struct RequestUrl {
    host: Vec<u8>,
    /// The path ends with a slash, so that it begins with each path that a cookie of the request
    /// can have. An added slash does no harm: a program between the browser and this one may have
    /// removed it.
    path: String,
    /// True if the request's own path ends with a slash.
    #[cfg(feature = "dbsc")]
    ends_with_slash: bool,
}

impl RequestUrl {
    pub(super) fn new(host: Option<&[u8]>, path: &str) -> Self {
        let slash = if path.ends_with('/') { "" } else { "/" };
        RequestUrl {
            host: host.unwrap_or_default().to_vec(),
            path: format!("{path}{slash}"),
            #[cfg(feature = "dbsc")]
            ends_with_slash: slash.is_empty(),
        }
    }

    /// Returns the path of the request.
    #[cfg(feature = "dbsc")]
    pub(super) fn path(&self) -> &str {
        match self.ends_with_slash {
            true => &self.path,
            false => self.path.strip_suffix('/').unwrap_or(&self.path),
        }
    }

    /// Returns the name of the host without its port, or `None` if the host is an address or not a
    /// name.
    ///
    /// Only names that a Set-Cookie can contain unchanged are returned. RFCs allow no underscore in
    /// a host name, but browsers accept it.
    pub(super) fn host_name(&self) -> Option<&str> {
        let host = std::str::from_utf8(&self.host).ok()?;
        let (name, port) = host.split_once(':').unwrap_or((host, ""));
        let is_label = |label: &str| {
            let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            !label.is_empty() && label.bytes().all(is_fine)
        };
        let last = name.rsplit('.').next()?;
        let is_name = name.len() <= LONGEST_HOST
            && name.split('.').all(is_label)
            && !last.starts_with(|letter: char| letter.is_ascii_digit())
            && port.bytes().all(|byte| byte.is_ascii_digit());
        is_name.then_some(name)
    }

    /// Returns the Domain attributes that cookies of the host can have: `None` for the host alone,
    /// then the host, and each domain that contains it. A single label is a public suffix, and is
    /// left out.
    pub(super) fn domains(&self) -> Vec<Option<&str>> {
        let name = self.host_name().unwrap_or_default();
        let ends = name.match_indices('.').map(|(dot, _)| dot + 1);
        let parents = ends.filter_map(|start| name.get(start..));
        let names = std::iter::once(name).chain(parents);
        let within = names.filter(|domain| domain.contains('.')).map(Some);
        std::iter::once(None).chain(within).collect()
    }

    /// Returns the Path attributes that cookies of the request can have, the longest first: each
    /// beginning of the path that ends with a slash or before one.
    ///
    /// Paths that no attribute can contain are left out.
    pub(super) fn paths(&self) -> Vec<&str> {
        let is_fine = |byte: u8| matches!(byte, 0x21..=0x7e) && byte != b';';
        let fine = self.path.bytes().take_while(|byte| is_fine(*byte)).count();
        let end = fine.min(LONGEST_PATH + 1);
        let readable = self.path.get(..end).unwrap_or_default();
        if !readable.starts_with('/') {
            return vec!["/"];
        }
        let slashes = readable.match_indices('/').map(|(slash, _)| slash);
        let ends = slashes.flat_map(|slash| [slash, slash + 1]);
        let mut paths: Vec<&str> = ends.filter_map(|end| readable.get(..end)).collect();
        paths.retain(|path| (1..=LONGEST_PATH).contains(&path.len()));
        // If two slashes follow each other, one path ends after the first and one before the
        // second. They are the same.
        paths.dedup();
        paths.reverse();
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domains(host: &str) -> Vec<String> {
        let url = RequestUrl::new(Some(host.as_bytes()), "/");
        let domains = url.domains().into_iter();
        domains
            .map(|domain| domain.unwrap_or("-").to_owned())
            .collect()
    }

    fn paths(path: &str) -> Vec<String> {
        let url = RequestUrl::new(None, path);
        url.paths().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_cookie_comes_from_the_host_or_one_of_its_domains() {
        for (host, expected) in [
            (
                "app.example.com",
                &["-", "app.example.com", "example.com"][..],
            ),
            (
                "app.example.com:8080",
                &["-", "app.example.com", "example.com"],
            ),
            ("example.com", &["-", "example.com"]),
            ("a_b.example.com", &["-", "a_b.example.com", "example.com"]),
            ("localhost:3000", &["-"]),
            ("", &["-"]),
        ] {
            assert_eq!(domains(host), expected, "{host}");
        }
    }

    #[test]
    fn an_ip_address_has_no_domains() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:80",
            "0x7f.0x1",
            "[::1]",
            "[2001:db8::1]:443",
            "example.com.",
            ".example.com",
            "a..example.com",
            "a.example.com; Path=/",
            "a.example.com\r\nSet-Cookie: b",
            "a.example.com,b.example.com",
            "a.example.com:80; Secure",
            "user@a.example.com",
            "\u{e4}.example.com",
            &format!("{}.example.com", "a.".repeat(130)),
        ] {
            assert_eq!(domains(host), ["-"], "{host}");
        }
        let bytes = RequestUrl::new(Some(b"\xff.example.com"), "/");
        assert_eq!(bytes.domains(), [None]);
    }

    #[test]
    fn a_cookies_path_contains_the_requests_path() {
        for (path, expected) in [
            ("/", &["/"][..]),
            ("/a", &["/a/", "/a", "/"]),
            ("/a/", &["/a/", "/a", "/"]),
            ("/a/b", &["/a/b/", "/a/b", "/a/", "/a", "/"]),
            ("/a//b", &["/a//b/", "/a//b", "/a//", "/a/", "/a", "/"]),
            ("//", &["//", "/"]),
            ("/%61/b", &["/%61/b/", "/%61/b", "/%61/", "/%61", "/"]),
        ] {
            assert_eq!(paths(path), expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_no_attribute_can_contain_is_skipped() {
        assert_eq!(paths("/a/b;c/d"), ["/a/", "/a", "/"]);
        assert_eq!(paths("/a/\r\nSet-Cookie: b/c"), ["/a/", "/a", "/"]);
        assert_eq!(paths("/a b/c"), ["/"]);
        assert_eq!(paths("/\u{e4}/b"), ["/"]);
        assert_eq!(paths(""), ["/"]);
        assert_eq!(paths("*"), ["/"]);
        let long = format!("/{}/b", "a".repeat(LONGEST_PATH - 2));
        assert_eq!(paths(&long).first().map(String::len), Some(LONGEST_PATH));
        let just = format!("/{}/b", "a".repeat(LONGEST_PATH - 1));
        assert_eq!(paths(&just).first().map(String::len), Some(LONGEST_PATH));
        let longer = format!("/a/{}/b", "a".repeat(LONGEST_PATH));
        assert_eq!(paths(&longer), ["/a/", "/a", "/"]);
        assert_eq!(paths(&"/".repeat(9_000)).len(), LONGEST_PATH);
    }
}
