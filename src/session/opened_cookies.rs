//! [`OpenedCookies`]: chooses the session of a request from all its cookies of one name.

use crate::backend::Key;

use super::Refusal;
use super::setup::Setup;
use super::state::{RequestCookie, State};
use super::store::{Loaded, LoadedSession, Moved};

/// The cookies of one name that were opened so far. At most one session comes from them.
#[derive(Default)]
pub(super) struct OpenedCookies {
    live: Option<Box<LoadedSession>>,
    moved: Option<Box<Moved>>,
    /// The first refusal.
    refused: Option<Refusal>,
    /// True if a refused cookie may be valid on another machine.
    may_be_good: bool,
}

/// The error that two cookies belong to two sessions, and either may be the client's.
pub(super) struct Ambiguous;

impl OpenedCookies {
    /// Adds another cookie of the name.
    ///
    /// A cookie of a session that has moved counts too: its client has a good cookie, and that
    /// cookie belongs to the successor. Refused cookies never count.
    pub(super) fn add(&mut self, loaded: Loaded, setup: &Setup) -> Result<(), Ambiguous> {
        match loaded {
            Loaded::Live(live) => {
                self.check_one(key_of(&live))?;
                self.live = self.live.take().or(Some(live));
            }
            Loaded::Moved(moved) => {
                self.check_one(Some(&moved.successor))?;
                self.moved = self.moved.take().or(Some(moved));
            }
            Loaded::Dead(refusal) => self.refuse(refusal, false),
            Loaded::Refused(refusal) => self.refuse(refusal, !setup.cookie.removes(refusal)),
        }
        Ok(())
    }

    /// Adds a cookie under the store's second name. Its refusal says nothing about the first name.
    pub(super) fn add_other(&mut self, loaded: Loaded, setup: &Setup) -> Result<(), Ambiguous> {
        match loaded {
            Loaded::Dead(_) | Loaded::Refused(_) => Ok(()),
            loaded => self.add(loaded, setup),
        }
    }

    /// Returns whether a session was opened.
    pub(super) fn has_session(&self) -> bool {
        self.live.is_some() || self.moved.is_some()
    }

    /// Refuses a session that is not the one added before. Two different cookies that each contain
    /// their session are always two sessions.
    fn check_one(&self, key: Option<&Key>) -> Result<(), Ambiguous> {
        let live = self.live.as_deref().map(key_of);
        let moved = self.moved.as_deref().map(|moved| Some(&moved.successor));
        let mut here = live.into_iter().chain(moved);
        match here.all(|here| here.is_some() && here == key) {
            true => Ok(()),
            false => Err(Ambiguous),
        }
    }

    fn refuse(&mut self, refusal: Refusal, may_be_good: bool) {
        self.refused = self.refused.or(Some(refusal));
        self.may_be_good |= may_be_good;
    }

    /// Returns the live session, or the first refusal.
    pub(super) fn into_live(self) -> Result<LoadedSession, Option<Refusal>> {
        match self.live {
            Some(live) => Ok(*live),
            None => Err(self.refused),
        }
    }

    /// Returns the session of the request.
    pub(super) fn into_state(self, setup: &Setup) -> State {
        let request_cookie = match self.refused {
            None => RequestCookie::Absent,
            Some(_) if self.may_be_good => RequestCookie::Present,
            Some(_) => RequestCookie::Dead,
        };
        match (self.live, self.moved) {
            (Some(live), _) => State::loaded(*live, setup),
            (None, Some(moved)) => State::superseded(*moved, setup),
            (None, None) => State::new(setup, request_cookie, self.refused),
        }
    }
}

/// Returns the key of a stored session, or `None` if the session is in its cookie.
fn key_of(live: &LoadedSession) -> Option<&Key> {
    live.row_ref.as_ref().map(|row_ref| &row_ref.key)
}
