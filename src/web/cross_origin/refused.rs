//! [`Refused`]: the reason why a request may not pass.

use std::fmt;

/// The reason why a request may not pass: it is not safe, and comes from another origin. Its text is
/// one line, which the client may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The browser says so: Sec-Fetch-Site is neither `same-origin` nor `none`.
    SecFetchSite,
    /// There is no Sec-Fetch-Site, as in browsers before 2023, and the host of Origin is not the
    /// request's.
    Origin,
}

impl Refused {
    /// Returns the text of the default answer.
    pub(super) fn text(self) -> &'static str {
        match self {
            Refused::SecFetchSite => {
                "This request comes from another origin, and is not accepted (Sec-Fetch-Site)."
            }
            Refused::Origin => {
                "This request comes from another origin, and is not accepted (Origin)."
            }
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::SecFetchSite => "Sec-Fetch-Site names another origin",
            Refused::Origin => "Origin is not the host of the request",
        })
    }
}

impl std::error::Error for Refused {}
