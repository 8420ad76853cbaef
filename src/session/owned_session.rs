//! [`OwnedSession`]: what a list of an owner's sessions says of each.

use std::fmt;

use crate::backend::Key;
use crate::codec::UnixTime;

use super::content::Content;
use super::metadata::Login;
use super::{Session, Values};

/// One of the sessions of an owner, as it was when they were
/// [listed](super::ServerStore::list).
#[derive(Clone)]
pub struct OwnedSession {
    id: String,
    content: Content,
    login: Login,
}

impl OwnedSession {
    pub(super) fn new(key: &Key, content: Content) -> Option<Self> {
        let login = content.metadata.login.clone()?;
        let id = String::from_utf8(key.as_bytes().to_vec()).ok()?;
        Some(OwnedSession { id, content, login })
    }

    /// What sessions are listed by.
    pub(super) fn order(&self) -> (UnixTime, &str) {
        (self.login.at, &self.id)
    }

    /// What the session is called, as [`Session::id`] says it: good to
    /// [end](super::ServerStore::end) it, and to open nothing with.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it is that one: the device that the list is shown on.
    #[must_use]
    pub fn is(&self, session: &Session) -> bool {
        session.id().as_deref() == Some(self.id())
    }

    /// When the owner logged in.
    #[must_use]
    pub fn authenticated_at(&self) -> UnixTime {
        self.login.at
    }

    /// When it was last used, to a tenth of the idle limit.
    #[must_use]
    pub fn last_seen(&self) -> UnixTime {
        self.content.metadata.seen
    }

    /// When it ends, however much it is used; none, if the lifetime has no absolute limit.
    #[must_use]
    pub fn deadline(&self) -> Option<UnixTime> {
        self.content.metadata.deadline
    }

    /// Whether it is [remembered](Session::remember).
    #[must_use]
    pub fn is_remembered(&self) -> bool {
        self.content.metadata.remembered
    }

    /// Its values: what the program noted of the device, say.
    #[must_use]
    pub fn values(&self) -> &Values {
        &self.content.values
    }
}

/// The ID, and nothing of what is in it.
impl fmt::Debug for OwnedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedSession")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
