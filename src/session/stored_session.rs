//! [`StoredSession`]: a session as it lies in the server, outside of any request.

use std::fmt;

use crate::backend::Expiry;
use crate::codec::UnixTime;

use super::content::Content;
use super::rows::{LiveRow, unix_time};
use super::{Session, Values};

/// A session as it was in the server when it was [listed](super::ServerStore::list) or
/// [found](super::ServerStore::find): to be looked at, and to be ended.
#[derive(Clone)]
pub struct StoredSession {
    id: String,
    content: Content,
    expiry: Expiry,
}

impl StoredSession {
    pub(super) fn new(id: String, row: LiveRow) -> Self {
        StoredSession {
            id,
            content: row.content,
            expiry: row.expiry,
        }
    }

    /// The number of its login among those of its owner, by which sessions are listed.
    pub(super) fn login_number(&self) -> Option<u64> {
        let login = self.content.metadata.login.as_ref()?;
        Some(login.order()?.number)
    }

    /// What the session is called, as [`Session::id`] says it: good to
    /// [end](super::ServerStore::end) it where it has an owner, and to open nothing with.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it is that one: the device that a list is shown on.
    #[must_use]
    pub fn is(&self, session: &Session) -> bool {
        session.id().as_deref() == Some(self.id())
    }

    /// Whose it is; none, if nobody is logged in.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        let login = self.content.metadata.login.as_ref()?;
        Some(&login.owner)
    }

    /// When the owner logged in.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<UnixTime> {
        Some(self.content.metadata.login.as_ref()?.at)
    }

    /// When it began: with its login, if there was one.
    #[must_use]
    pub fn created(&self) -> UnixTime {
        self.content.metadata.created
    }

    /// When it was last used, to a tenth of the idle limit; without such a limit, when it was
    /// last saved.
    #[must_use]
    pub fn last_seen(&self) -> UnixTime {
        self.content.metadata.seen
    }

    /// When it ends, if it is not used until then; none for never.
    #[must_use]
    pub fn expires(&self) -> Option<UnixTime> {
        (self.expiry != Expiry::NEVER).then(|| unix_time(self.expiry))
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
impl fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSession")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
