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
    /// Several different valid cookies of the name came, and nothing says which is
    /// the right one. Removals for all of them go out.
    Ambiguous,
    /// More cookies came than one browser sends: over 8 of the name, or over 256 or
    /// 64 KiB in all. Removals go out.
    TooMany,
}

impl Refusal {
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
