//! [`SessionId`]: the public ID of a session, which opens nothing.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The public ID of a stored session: a hash of the secret ID in its cookie. It is stable across a
/// process restart and changes with each login and renewal.
///
/// With it, an owner's session can be [ended](super::ServerStore::end), for example from a list of
/// devices. No session can be opened with it, so it may stand in a page, a URL or a log. It converts
/// from any text, since it comes back from clients: an unknown ID finds no session.
///
/// ```
/// use silverback::session::SessionId;
///
/// let id = SessionId::from("3q2-7w");
/// assert_eq!(id.as_str(), "3q2-7w");
/// assert_eq!(id.to_string(), "3q2-7w");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Box<str>);

impl SessionId {
    /// Returns the ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SessionId {
    fn from(text: &str) -> Self {
        SessionId(text.into())
    }
}

impl From<String> for SessionId {
    fn from(text: String) -> Self {
        SessionId(text.into())
    }
}

impl AsRef<str> for SessionId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({})", self.0)
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(SessionId::from)
    }
}
