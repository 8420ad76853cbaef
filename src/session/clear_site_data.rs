//! [`ClearSiteData`]: the kinds of data that a browser clears with a logout.

/// A kind of data of the site that a browser clears when it receives the response to
/// [`logout_clearing`](super::Session::logout_clearing). Source: the header field `Clear-Site-Data`
/// (W3C, Clear Site Data).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClearSiteData {
    /// Pages and files in caches.
    Cache,
    /// All cookies of the site.
    Cookies,
    /// Values that scripts have stored, and service workers.
    Storage,
    /// Everything that the browser knows how to clear.
    Everything,
}

impl ClearSiteData {
    /// Returns the directive, in its quotes.
    fn directive(self) -> &'static str {
        match self {
            ClearSiteData::Cache => "\"cache\"",
            ClearSiteData::Cookies => "\"cookies\"",
            ClearSiteData::Storage => "\"storage\"",
            ClearSiteData::Everything => "\"*\"",
        }
    }

    /// Returns the value of the header field, or `None` without data to clear.
    pub(super) fn field(data: &[Self]) -> Option<String> {
        let directives: Vec<&str> = data.iter().map(|data| data.directive()).collect();
        (!directives.is_empty()).then(|| directives.join(", "))
    }
}
