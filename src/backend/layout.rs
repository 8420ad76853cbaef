//! [`Layout`]: whose rows a backend's records are.

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "dynamodb"))]
use super::{Error, Key};

/// Whose rows a backend keeps: its own, or those of a Go package, which say less, and which
/// only that package's bytes fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// Ours: any bytes, with an expiry, a revision and an owner.
    Native,
    /// Those of a server store of gorilla/sessions: text.
    Gorilla {
        /// Whether a row has an expiry beside it. Where it has none, records never expire by
        /// themselves, and a [touch](super::Backend::touch) changes nothing.
        keeps_expiries: bool,
    },
    /// Those of pgstore: text as gorilla's, with an expiry. Two of a session's values are the
    /// package's own: it takes `created_on` and `expires_on` for a `time.Time`.
    Pgstore,
    /// Those of alexedwards/scs: gob, with an expiry.
    Scs,
}

impl Layout {
    /// Whether records have an expiry.
    #[must_use]
    pub fn keeps_expiries(self) -> bool {
        match self {
            Layout::Native | Layout::Pgstore | Layout::Scs => true,
            Layout::Gorilla { keeps_expiries } => keeps_expiries,
        }
    }
}

/// Refuses what is no key of a row that a Go package keeps: all of them are letters, digits,
/// `-` and `_`.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "dynamodb"))]
pub(super) fn plain_key(key: &Key) -> Result<&str, Error> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let text = std::str::from_utf8(key.as_bytes()).ok();
    text.filter(|text| text.len() <= 63 && text.bytes().all(is_plain))
        .ok_or_else(|| Error::usage("the key of a row has at most 63 letters, digits, - and _"))
}
