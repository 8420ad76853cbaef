//! [`GoString`]: Go's strings, which need not be UTF-8.

use std::borrow::Cow;
use std::fmt;

/// A Go string: any bytes, mostly UTF-8.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct GoString(Cow<'static, [u8]>);

impl GoString {
    /// The empty string.
    #[must_use]
    pub const fn new() -> Self {
        GoString(Cow::Borrowed(&[]))
    }

    /// A string of the program's own, which takes no memory.
    pub(super) const fn from_static(text: &'static str) -> Self {
        GoString(Cow::Borrowed(text.as_bytes()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, if it is UTF-8.
    #[must_use]
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The text, with U+FFFD for what is not UTF-8.
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
