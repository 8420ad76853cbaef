//! [`Content`]: a session's values and what it knows of itself, as one thing that is loaded,
//! changed and saved; and the [`Log`] of a request's changes to it, so that they can be made
//! again on what somebody else saved meanwhile.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::login::{Begun, Login};
use super::metadata::Metadata;
use super::protocol::Authenticated;
use super::{Error, Values};

#[derive(Clone)]
pub(super) struct Content {
    pub(super) values: Values,
    pub(super) metadata: Metadata,
}

impl Content {
    /// The same, its login having begun so.
    pub(super) fn begun(mut self, begun: Option<&Begun>) -> Self {
        if let Some(login) = &mut self.metadata.login {
            login.begun = begun.cloned();
        }
        self
    }
}

impl Authenticated for Content {
    type Login = Option<Login>;

    fn login(&self) -> Option<Login> {
        self.metadata.login.clone()
    }
}

/// A change that can be made again.
pub(super) type Change = Arc<dyn Fn(&mut Content) -> Result<(), Error> + Send + Sync>;

/// Changes that are not saved yet, in order.
#[derive(Clone, Default)]
pub(super) struct Log {
    /// How many changes came before those that are here.
    before: usize,
    changes: Vec<Change>,
}

impl Log {
    pub(super) fn push(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// How many changes there ever were.
    pub(super) fn end(&self) -> usize {
        self.before + self.changes.len()
    }

    /// Forgets the changes that came before `end`: they are saved.
    pub(super) fn forget_to(&mut self, end: usize) {
        let saved = end.saturating_sub(self.before).min(self.changes.len());
        self.changes.drain(..saved);
        self.before += saved;
    }

    /// Forgets the changes from `end` on: they are taken back.
    pub(super) fn take_back_to(&mut self, end: usize) {
        self.changes.truncate(end.saturating_sub(self.before));
    }

    pub(super) fn clear(&mut self) {
        self.forget_to(self.end());
    }

    /// Makes all changes again. They are the application's code: a panic is the error of the
    /// request that made the change, whichever request runs it.
    pub(super) fn replay(&self, content: &mut Content) -> Result<(), Error> {
        let replay = || self.changes.iter().try_for_each(|change| change(content));
        catch_unwind(AssertUnwindSafe(replay)).unwrap_or_else(|_| Err(Error::change_panicked()))
    }
}
