//! [`Error`]: the reason why [`SealedCookies`](super::SealedCookies) gives no value, or sets no
//! cookie.

use std::error::Error as StdError;
use std::fmt;

use crate::codec;

/// The reason why a cookie of a request was refused, or why a cookie cannot be set.
///
/// A request without the cookie is no error. axum and actix-web make a response of an error, with
/// [the error's status](Error::status) and no body. In debug builds, the response to a usage error
/// shows its text.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The codec refused the cookie, or could not seal one.
    Codec(codec::Error),
    /// Two different valid cookies of the name arrived. Another host of the domain may have planted
    /// one, or one was set with another path.
    Ambiguous,
    /// More cookies arrived than are read: over 8 of the name, or over 4,096 or 1 MiB in all.
    TooMany,
}

impl Error {
    /// Returns whether the client's cookie was refused. Most handlers then go on as if there were no
    /// cookie. All other errors are failures of the application or its system.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        match self {
            Error::Codec(error) => error.is_decode(),
            Error::Ambiguous | Error::TooMany => true,
        }
    }

    /// Returns whether the application asked for something impossible: a name that no cookie can
    /// have, or a value that is too long to seal.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Error::Codec(error) if error.is_usage())
    }

    /// Returns the status of the response: 400 if the client's cookie was refused, and otherwise
    /// 500.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.is_refused() {
            true => 400,
            false => 500,
        }
    }
}

impl From<codec::Error> for Error {
    fn from(error: codec::Error) -> Self {
        Error::Codec(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Codec(error) => error.fmt(f),
            Error::Ambiguous => f.write_str("two different valid cookies of one name"),
            Error::TooMany => f.write_str("too many cookies"),
        }
    }
}

impl StdError for Error {
    /// Returns the cause of the codec's error, whose text is already that of this error.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::Codec(error) => error.source(),
            Error::Ambiguous | Error::TooMany => None,
        }
    }
}
