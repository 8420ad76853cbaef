//! [`Error`]: bytes that are no gob.

use std::fmt;

/// Bytes that Go would not have written. It says what is wrong, and quotes nothing.
///
/// ```
/// let error = silverback::gob::string_from_slice(b"no gob").unwrap_err();
/// assert_eq!(error.to_string(), "gob: the message's length is wrong");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(&'static str);

impl Error {
    pub(super) const fn new(what: &'static str) -> Self {
        Error(what)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gob: {}", self.0)
    }
}

impl std::error::Error for Error {}
