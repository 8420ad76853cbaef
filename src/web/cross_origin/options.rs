//! [`CrossOriginOptions`], and the rules that they make.

use crate::session::Error;

use super::bypass::Bypass;
use super::origin::OriginUrl;
use super::refused::Refused;
use super::request::RequestFacts;

/// The exceptions of a [`CrossOriginGuard`](super::CrossOriginGuard).
///
/// ```
/// use silverback::web::cross_origin::{CrossOriginGuard, CrossOriginOptions};
///
/// let options = CrossOriginOptions::new()
///     .trusted_origin("https://accounts.example.com") // its pages may send forms here
///     .bypass("POST /hooks/{provider}"); // checks a signature of its own
/// let guard = CrossOriginGuard::with_options(options)?;
/// # Ok::<(), silverback::session::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CrossOriginOptions {
    trusted_origins: Vec<String>,
    bypass: Vec<String>,
}

impl CrossOriginOptions {
    /// Makes options without exceptions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts all requests whose Origin is exactly this text (`AddTrustedOrigin` in Go). Write it as
    /// browsers do: `scheme://host`, or `scheme://host:port` if the port is not the scheme's own, in
    /// lower case, and with the Punycode of a host that is not ASCII. For another site that your own
    /// users use, such as a login on another host.
    ///
    /// A script on a page of that origin can then send any request in the user's name.
    pub fn trusted_origin(mut self, origin: impl Into<String>) -> Self {
        self.trusted_origins.push(origin.into());
        self
    }

    /// Accepts all requests that match a pattern (`AddInsecureBypassPattern` in Go). For an endpoint
    /// that other sites use on purpose, and that checks each request in another way, such as the
    /// signature of a webhook or a single sign-on that answers by a form.
    ///
    /// The syntax is that of patterns of [Go's ServeMux](https://pkg.go.dev/net/http#ServeMux):
    /// `[METHOD ][HOST]/[PATH]`. A segment `{name}` matches one segment, `{name...}` at the end
    /// matches all that follow, a slash at the end too, and `{$}` at the end matches nothing more. GET
    /// includes HEAD. The host has no port.
    ///
    /// Only requests match that ServeMux would serve as they are. The requests `/a`, `/b/../a/` and
    /// `//a/`, which it would redirect, do not match the pattern `/a/`. The path is that of the client's request, also in a
    /// nested router or a scope.
    pub fn bypass(mut self, pattern: impl Into<String>) -> Self {
        self.bypass.push(pattern.into());
        self
    }
}

/// The rules of a guard.
#[derive(Debug, Default)]
pub(super) struct Rules {
    trusted_origins: Vec<String>,
    bypass: Bypass,
}

impl Rules {
    pub(super) fn new(options: CrossOriginOptions) -> Result<Self, Error> {
        for origin in &options.trusted_origins {
            check_origin(origin)?;
        }
        Ok(Rules {
            bypass: Bypass::new(&options.bypass)?,
            trusted_origins: options.trusted_origins,
        })
    }

    /// Decides whether a request may pass, as `CrossOriginProtection.Check` does.
    pub(super) fn check(&self, request: &RequestFacts<'_>) -> Result<(), Refused> {
        if matches!(request.method, "GET" | "HEAD" | "OPTIONS") {
            return Ok(());
        }
        let suspicion = match (request.sec_fetch_site, request.origin) {
            (b"same-origin" | b"none", _) | (b"", b"") => return Ok(()),
            (b"", origin) if is_of_host(origin, &request.host) => return Ok(()),
            (b"", _) => Refused::Origin,
            (_, _) => Refused::SecFetchSite,
        };
        match self.is_exempt(request) {
            true => Ok(()),
            false => Err(suspicion),
        }
    }

    fn is_exempt(&self, request: &RequestFacts<'_>) -> bool {
        let mut trusted = self.trusted_origins.iter();
        self.bypass.matches(request) || trusted.any(|trusted| trusted.as_bytes() == request.origin)
    }
}

fn is_of_host(origin: &[u8], host: &[u8]) -> bool {
    OriginUrl::parse(origin).is_some_and(|origin| origin.host == host)
}

/// Refuses a text that is no origin, as `AddTrustedOrigin` does.
fn check_origin(origin: &str) -> Result<(), Error> {
    let url = OriginUrl::parse(origin.as_bytes());
    let is_origin = |url: OriginUrl| url.has_scheme && !url.host.is_empty() && !url.has_more;
    if url.is_some_and(is_origin) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "the trusted origin {origin:?} is no origin: write scheme://host or scheme://host:port, \
         without a path"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trusted_origin_is_an_origin() {
        let is_origin = |origin: &str| {
            let options = CrossOriginOptions::new().trusted_origin(origin);
            Rules::new(options).is_ok()
        };
        for origin in [
            "https://example.com",
            "http://localhost:8080",
            "https://[::1]:8443",
            "app://desktop",
        ] {
            assert!(is_origin(origin), "{origin}");
        }
        for origin in [
            "",
            "null",
            "example.com",
            "//example.com",
            "https://",
            "https://example.com/",
            "https://example.com/path",
            "https://example.com?query",
            "https://example.com#fragment",
            "https://example.com:port",
            "mailto:a@example.com",
        ] {
            assert!(!is_origin(origin), "{origin}");
        }
    }
}
