//! [`Error`]: the error for bytes that are not gob, and for values that gob cannot hold.

use std::fmt;

/// The bytes are not gob that Go writes, or a value and its type do not match.
///
/// The message names the fault, and never quotes a value.
///
/// ```
/// let error = silverback::gob::string_from_slice(b"no gob").unwrap_err();
/// assert_eq!(error.to_string(), "gob: the message's length is wrong");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    what: &'static str,
    /// The missing field, or empty.
    field: &'static str,
    /// The struct in which the field is missing, or empty.
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

    /// Sets the struct in which the field is missing, unless an inner struct has set itself.
    pub(super) fn within(mut self, within: &'static str) -> Self {
        if !self.field.is_empty() && self.within.is_empty() {
            self.within = within;
        }
        self
    }

    /// Returns the struct and the field, if a field is missing.
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

/// Discards the message of serde or of a type, which may quote the value.
impl serde::ser::Error for Error {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Error::new("the type's own Serialize returned an error")
    }
}

/// Discards the message too, but keeps the name of a missing field.
impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Error::new("the value has another type than the one requested")
    }

    fn missing_field(field: &'static str) -> Self {
        Error::missing(field)
    }
}
