//! [`Refusal`]: the reason why a client's cookie opened no session.

use std::fmt;

use crate::codec;

use super::Error;

/// The reason why a request's cookie was refused, so that the request got a new session. It is for
/// the handler and the log. A client learns nothing of it unless you send it.
///
/// [`Session::refusal`](super::Session::refusal) returns it. If axum's or actix-web's extractor
/// `Session` loaded the session, the request's extensions contain it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// No key sealed the cookie under that name, or it was changed, or its contents are not a
    /// session.
    NotValid,
    /// Longer than the codec opens.
    TooLong,
    /// Past the codec's `max_age` or the session's absolute limit.
    Expired,
    /// Dated in the future, or younger than the codec's `min_age`.
    TooNew,
    /// Unused for longer than the idle limit.
    Idle,
    /// Of another generation than the owner's current one: all sessions of that owner were revoked.
    Revoked,
    /// Authentic, but its session does not exist any more: it expired, ended or was revoked.
    Gone,
    /// An ID from before a login or a renewal by another request, a moment ago. The client has been
    /// sent another cookie.
    ///
    /// The session is anonymous, or read-only within a
    /// [`renewal_grace`](super::ServerOptions::renewal_grace). Its changes are not kept. The
    /// response sets and removes no cookie, so a late request never replaces the good one. Only a
    /// [login](super::Session::login) is saved.
    Moved,
    /// Valid cookies of two sessions arrived, and either may be the client's: another host of the
    /// domain may have planted one. The session is anonymous, and its changes are not kept, as with
    /// [`Moved`](Refusal::Moved). Only a [login](super::Session::login) is saved.
    ///
    /// The response leaves the cookie that the application set. It removes cookies of the name from
    /// all other scopes that the request's cookies can have: each domain that contains the host,
    /// and each beginning of the path. The next request then usually has the client's own session.
    /// A response has at most 3 KiB of removals. If there are more scopes, it takes a few responses.
    /// A cookie that another host planted in a
    /// [former scope](super::CookieOptions::former_scope) stays until a login: drop a former scope
    /// once its last cookie has expired.
    /// If the name has the prefix `__Host-`, no other host can set it, and nothing is removed
    /// before a login.
    Ambiguous,
    /// More cookies arrived than are read: over 8 of the name, or over 4,096 or 1 MiB in all. The
    /// request is treated as with [`Ambiguous`](Refusal::Ambiguous).
    TooMany,
    /// The session is bound to a device, and the request has no good bound cookie. A request to a
    /// path of logins, as [`required`](super::binding::BindingOptions::required) names them, gets a
    /// new session for this reason. If it writes to that session, its cookie replaces the other.
    #[cfg(feature = "dbsc")]
    Unproven,
    /// The session of another owner. Only [`Session::merge`](super::Session::merge) refuses it.
    OtherOwner,
}

impl Refusal {
    /// Returns true if another host may have planted one of the cookies.
    pub(super) fn may_be_planted(self) -> bool {
        matches!(self, Refusal::Ambiguous | Refusal::TooMany)
    }

    /// Returns true if the client may have a good cookie that was not in the request.
    pub(super) fn leaves_cookie(self) -> bool {
        self == Refusal::Moved || self.may_be_planted()
    }

    /// Converts a codec's error to the refusal of a cookie.
    ///
    /// # Errors
    /// Returns an unavailable error if the system failed.
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
            #[cfg(feature = "dbsc")]
            Refusal::Unproven => "without the bound cookie of its device",
            Refusal::OtherOwner => "the session of another owner",
        })
    }
}
