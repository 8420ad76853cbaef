//! [`Refusal`]: why a client's cookie did not become a session.

use std::fmt;

use crate::codec;

use super::Error;

/// Why the cookie that came with a request was refused, so that the request got a
/// new session. For the handler and the log; a client learns nothing from it
/// unless you tell it.
///
/// [`Session::refusal`](super::Session::refusal) has it. Where axum's or actix-web's
/// extractor `Session` found it, the request's extensions have it, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// Not sealed by one of the keys under that name, or tampered with, or sealed
    /// and yet no session.
    NotValid,
    /// Longer than the codec opens.
    TooLong,
    /// Past the codec's `max_age` or the session's absolute limit.
    Expired,
    /// Dated in the future, or younger than the codec's `min_age`.
    TooNew,
    /// Not used for as long as the idle limit.
    Idle,
    /// Of another epoch than its owner's: all sessions of that owner were revoked.
    Revoked,
    /// Authentic, and yet there is no such session any more: it expired, was ended or
    /// revoked.
    Gone,
    /// The ID from before a login or a renewal by another request, a moment ago: the client
    /// has been sent another cookie. The session is anonymous (or, within a
    /// [`renewal_grace`](super::ServerOptions::renewal_grace), read-only), its changes are not
    /// kept, and the response sets and removes no cookie, so that a late request never replaces
    /// the good one. Only a [login](super::Session::login) is saved.
    Moved,
    /// Valid cookies of two sessions came, and nothing says which is the client's: another host
    /// of the domain may have planted one. The session is anonymous and its changes are not
    /// kept, as with [`Moved`](Refusal::Moved); only a [login](super::Session::login) is saved.
    ///
    /// The response leaves the cookie alone that the application set, and removes cookies of the
    /// name from the other scopes that the request's cookies can have: each domain that the host
    /// is in, and each beginning of the path. So the next request has the client's own session.
    /// At most 3 KiB of a response's head are removals; where there are more scopes, it takes a
    /// few responses. Under a name with the prefix `__Host-`, which no other host can set,
    /// nothing is removed before a login.
    Ambiguous,
    /// More cookies came than are looked at: over 8 of the name, or over 4,096 or 1 MiB in all.
    /// As [`Ambiguous`](Refusal::Ambiguous).
    TooMany,
}

impl Refusal {
    /// True if another host may have planted one of the cookies.
    pub(super) fn may_be_planted(self) -> bool {
        matches!(self, Refusal::Ambiguous | Refusal::TooMany)
    }

    /// True if the client may have a good cookie that the request does not know.
    pub(super) fn leaves_cookie(self) -> bool {
        self == Refusal::Moved || self.may_be_planted()
    }

    /// Why the codec refused the cookie.
    ///
    /// # Errors
    /// Unavailable, if it is the system that failed.
    pub(super) fn of_codec(error: codec::Error) -> Result<Self, Error> {
        match () {
            () if !error.is_decode() => {
                Err(Error::unavailable("the codec failed").with_source(error))
            }
            () if error.is_expired() => Ok(Refusal::Expired),
            () if error.is_too_new() => Ok(Refusal::TooNew),
            () if error.is_too_long() => Ok(Refusal::TooLong),
            () => Ok(Refusal::NotValid),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::NotValid => "not valid",
            Refusal::TooLong => "too long",
            Refusal::Expired => "expired",
            Refusal::TooNew => "too new",
            Refusal::Idle => "idle for too long",
            Refusal::Revoked => "revoked",
            Refusal::Gone => "gone",
            Refusal::Moved => "moved to another ID",
            Refusal::Ambiguous => "several valid cookies",
            Refusal::TooMany => "too many cookies",
        })
    }
}
