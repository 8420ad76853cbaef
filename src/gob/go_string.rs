//! [`GoString`]: Go's strings, which need not be UTF-8.

use std::borrow::Cow;
use std::fmt;

/// A Go string: any bytes, usually UTF-8.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct GoString(Cow<'static, [u8]>);

impl GoString {
    /// Creates an empty string.
    #[must_use]
    pub const fn new() -> Self {
        GoString(Cow::Borrowed(&[]))
    }

    /// Creates a string from static text, without allocating.
    pub(super) const fn from_static(text: &'static str) -> Self {
        GoString(Cow::Borrowed(text.as_bytes()))
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the text, or `None` if the bytes are not UTF-8.
    #[must_use]
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Returns the text, with U+FFFD in place of bytes that are not UTF-8.
    #[must_use]
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl From<&str> for GoString {
    fn from(text: &str) -> Self {
        GoString(Cow::Owned(text.as_bytes().to_vec()))
    }
}

impl From<Vec<u8>> for GoString {
    fn from(bytes: Vec<u8>) -> Self {
        GoString(Cow::Owned(bytes))
    }
}

impl From<&[u8]> for GoString {
    fn from(bytes: &[u8]) -> Self {
        GoString(Cow::Owned(bytes.to_vec()))
    }
}

impl std::borrow::Borrow<[u8]> for GoString {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq<str> for GoString {
    fn eq(&self, text: &str) -> bool {
        *self.0 == *text.as_bytes()
    }
}

impl fmt::Debug for GoString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_string_lossy().fmt(f)
    }
}
