//! [`Error`]: bytes that are no gob.

use std::fmt;

/// Bytes that Go would not have written. It says what is wrong, and quotes nothing.
///
/// ```
/// let error = silverback::gob::string_from_slice(b"no gob").unwrap_err();
/// assert_eq!(error.to_string(), "gob: the message's length is wrong");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    what: &'static str,
    /// The field that is missing, if one is, and the struct it is missing in.
    field: &'static str,
    within: &'static str,
}

impl Error {
    pub(super) const fn new(what: &'static str) -> Self {
        Error {
            what,
            field: "",
            within: "",
        }
    }

    pub(super) const fn missing(field: &'static str) -> Self {
        Error {
            what: "a field is missing:",
            field,
            within: "",
        }
    }

    /// The same, seen from the struct `within`, unless one within that has seen it.
    pub(super) fn within(mut self, within: &'static str) -> Self {
        if !self.field.is_empty() && self.within.is_empty() {
            self.within = within;
        }
        self
    }

    /// The struct and the field, if a field is missing.
    pub(super) fn missing_field(&self) -> Option<(&'static str, &'static str)> {
        (!self.field.is_empty()).then_some((self.within, self.field))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error { what, field, .. } = self;
        let space = if field.is_empty() { "" } else { " " };
        write!(f, "gob: {what}{space}{field}")
    }
}

impl std::error::Error for Error {}

/// What serde or a type says of a mismatch may quote the value, and is not kept.
impl serde::ser::Error for Error {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Error::new("the value refuses to be written")
    }
}

/// As when writing, except for the name of a field that is missing.
impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Error::new("the value is of another type")
    }

    fn missing_field(field: &'static str) -> Self {
        Error::missing(field)
    }
}
