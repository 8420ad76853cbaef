//! The old cookies of a Go package in a request, which open a session if no other cookie does.

use super::super::Refusal;
use super::{LegacyCookies, State};

impl State {
    pub(in super::super) fn legacy_cookies(&self) -> LegacyCookies {
        self.legacy_cookies
    }

    /// Returns whether an old cookie may open the session: no cookie of the store opened one, and the
    /// client has no better one.
    pub(in super::super) fn lets_legacy_open(&self) -> bool {
        self.is_new && !self.leaves_cookie
    }

    /// Returns the state of a request that has old cookies.
    pub(in super::super) fn with_legacy(self, legacy_cookies: LegacyCookies) -> Self {
        State {
            legacy_cookies,
            ..self
        }
    }

    /// Returns the state of a request whose old cookies opened no session.
    pub(in super::super) fn refuse_legacy(self, refusal: Refusal) -> Self {
        let legacy_cookies = match refusal.may_be_planted() {
            true => LegacyCookies::Ambiguous,
            false => LegacyCookies::Present,
        };
        State {
            // A refusal of the store's own cookie counts first, unless no cookie may be set at all.
            refusal: match refusal.leaves_cookie() {
                true => Some(refusal),
                false => self.refusal.or(Some(refusal)),
            },
            leaves_cookie: refusal.leaves_cookie(),
            ..self.with_legacy(legacy_cookies)
        }
    }
}
