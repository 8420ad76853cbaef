//! [`StoredSession`]: a session as stored in the server, for use outside of requests.

use std::fmt;

use crate::backend::{Expiry, Key};
use crate::codec::UnixTime;

use super::expiry::unix_time;
use super::rows::LiveRow;
use super::session_data::SessionData;
use super::{Factor, Session, SessionId, Values};

/// A session as it was when it was [listed](super::ServerStore::list) or
/// [found](super::ServerStore::find) in the server. A program can inspect it and end it.
#[derive(Clone)]
pub struct StoredSession {
    id: SessionId,
    key: Key,
    data: SessionData,
    expiry: Expiry,
}

impl StoredSession {
    pub(super) fn new(id: SessionId, row: LiveRow) -> Self {
        StoredSession {
            id,
            key: row.row_ref.key.clone(),
            data: row.data,
            expiry: row.row_ref.expiry,
        }
    }

    /// Returns the number of its login among the owner's logins. Lists are in this order.
    pub(super) fn login_number(&self) -> Option<u64> {
        let login = self.data.metadata.login.as_ref()?;
        Some(login.order()?.number)
    }

    /// Returns whether the row is a copy of a row in another store.
    pub(super) fn is_copy(&self) -> bool {
        self.data.metadata.is_copy
    }

    /// Returns the session's public ID, the same as [`Session::id`].
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Returns the key of its row, for [`ServerStore::end_by_key`](super::ServerStore::end_by_key).
    /// Do not show it: in some [dialects](super::Dialect), a person who knows it can use the session.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Returns whether this is the given session, for example the device on which a list is shown.
    #[must_use]
    pub fn is_same_session(&self, session: &Session) -> bool {
        session.id().as_ref() == Some(self.id())
    }

    /// Returns the owner, or `None` if no user is logged in.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        Some(self.data.metadata.owner()?.as_str())
    }

    /// Returns when the owner last proved their identity, as [`Session::authenticated_at`] does.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<UnixTime> {
        self.data.metadata.authenticated_at()
    }

    /// Returns the factors of the login, as [`Session::factors`] does.
    #[must_use]
    pub fn factors(&self) -> Vec<(Factor, UnixTime)> {
        self.data.metadata.factors.iter().collect()
    }

    /// Returns when the session began: at its login if there was one.
    #[must_use]
    pub fn created(&self) -> UnixTime {
        self.data.metadata.created
    }

    /// Returns when the session was last used, accurate to a tenth of the idle limit. Without an
    /// idle limit, returns when it was last saved.
    #[must_use]
    pub fn last_seen(&self) -> UnixTime {
        self.data.metadata.seen
    }

    /// Returns when the session ends if it is not used until then, or `None` for never.
    #[must_use]
    pub fn expires(&self) -> Option<UnixTime> {
        (self.expiry != Expiry::NEVER).then(|| unix_time(self.expiry))
    }

    /// Returns when the session ends even if it is used, or `None` for never.
    #[must_use]
    pub fn deadline(&self) -> Option<UnixTime> {
        self.data.metadata.deadline
    }

    /// Returns whether the session is [remembered](Session::remember).
    #[must_use]
    pub fn is_remembered(&self) -> bool {
        self.data.metadata.remembered
    }

    /// Returns whether the session is [bound](super::binding) to the client's device.
    #[cfg(feature = "dbsc")]
    #[must_use]
    pub fn is_bound(&self) -> bool {
        let binding = self.data.metadata.binding.as_ref();
        binding.is_some_and(|binding| binding.key.is_some())
    }

    /// Returns the session's values, for example what the program noted about the device.
    #[must_use]
    pub fn values(&self) -> &Values {
        &self.data.values
    }
}

/// Shows the ID, and no values.
impl fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSession")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
