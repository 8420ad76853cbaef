//! [`RequestFacts`]: the parts of a request that decide.

use std::borrow::Cow;

use super::super::fields::Fields;
use super::origin::host_of_authority;

/// The parts of a request that decide, for any framework.
pub(super) struct RequestFacts<'r> {
    pub(super) method: &'r str,
    /// The first field Sec-Fetch-Site. Empty if it is missing, as of Go's `Header.Get`.
    pub(super) sec_fetch_site: &'r [u8],
    /// The first field Origin. Empty if it is missing.
    pub(super) origin: &'r [u8],
    /// The host as of Go's `Request.Host`: of the target, or else of the field Host.
    pub(super) host: Cow<'r, [u8]>,
    /// The path of the target, with its escapes.
    pub(super) path: &'r [u8],
}

/// The target of a request: the text after the method, or HTTP/2's pseudo fields.
pub(super) struct Target<'r> {
    pub(super) scheme: Option<&'r str>,
    pub(super) authority: Option<&'r str>,
    pub(super) path: &'r str,
}

impl<'r> RequestFacts<'r> {
    pub(super) fn new(method: &'r str, target: &Target<'r>, headers: &'r impl Fields) -> Self {
        let first = |name| headers.values(name).next().unwrap_or_default();
        RequestFacts {
            method,
            sec_fetch_site: first("sec-fetch-site"),
            origin: first("origin"),
            host: target.host(method).unwrap_or_else(|| first("host").into()),
            path: target.path.as_bytes(),
        }
    }
}

impl<'r> Target<'r> {
    /// Returns the host of the target. A bare `host:port` is a target of CONNECT alone (RFC 9112
    /// section 3.2.3).
    fn host(&self, method: &str) -> Option<Cow<'r, [u8]>> {
        let scheme = self.scheme.or((method == "CONNECT").then_some("http"))?;
        let authority = self.authority?.as_bytes();
        let host = host_of_authority(scheme.as_bytes(), authority);
        Some(host.map_or(authority.into(), Cow::Owned))
    }
}
