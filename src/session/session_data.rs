//! [`SessionData`]: a session's values and metadata, which are loaded, changed and saved together.
//! [`Log`]: a request's changes to them, which can be replayed on a version that another request
//! has saved.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::login::{Begun, Login};
use super::metadata::Metadata;
use super::protocol::Authenticated;
use super::{Error, Values};

#[derive(Clone)]
pub(super) struct SessionData {
    pub(super) values: Values,
    pub(super) metadata: Metadata,
}

impl SessionData {
    /// Returns the same data, with `begun` set in its login, if there is a login.
    pub(super) fn begun(mut self, begun: Option<&Begun>) -> Self {
        if let Some(login) = &mut self.metadata.login {
            login.begun = begun.cloned();
        }
        self
    }
}

impl Authenticated for SessionData {
    type Login = Option<Login>;

    fn login(&self) -> Option<Login> {
        self.metadata.login.clone()
    }
}

/// A change that can be replayed.
pub(super) type Change = Arc<dyn Fn(&mut SessionData) -> Result<(), Error> + Send + Sync>;

/// The changes that are not saved yet, in order.
#[derive(Clone, Default)]
pub(super) struct Log {
    /// The number of changes before the first of `changes`.
    before: usize,
    changes: Vec<Change>,
}

impl Log {
    pub(super) fn push(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Returns the number of all changes so far, the saved ones included.
    pub(super) fn end(&self) -> usize {
        self.before + self.changes.len()
    }

    /// Removes the changes before `end`, because they are saved.
    pub(super) fn forget_to(&mut self, end: usize) {
        let saved = end.saturating_sub(self.before).min(self.changes.len());
        self.changes.drain(..saved);
        self.before += saved;
    }

    /// Removes the changes from `end` on, because they are undone.
    pub(super) fn take_back_to(&mut self, end: usize) {
        self.changes.truncate(end.saturating_sub(self.before));
    }

    pub(super) fn clear(&mut self) {
        self.forget_to(self.end());
    }

    /// Replays all changes. They are code of the application. A panic in one of them becomes an
    /// error of the request that made the change, even if another request runs it.
    pub(super) fn replay(&self, data: &mut SessionData) -> Result<(), Error> {
        let replay = || self.changes.iter().try_for_each(|change| change(data));
        catch_unwind(AssertUnwindSafe(replay)).unwrap_or_else(|_| Err(Error::change_panicked()))
    }
}
