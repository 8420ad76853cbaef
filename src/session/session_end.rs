//! [`SessionEnd`]: why a session has ended.

use std::fmt;

/// The reason why a session has ended, for [`Session::ended`](super::Session::ended).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionEnd {
    /// A logout, a revocation or the login of another user ended it, or its row was lost.
    Ended,
    /// It was unused for longer than the idle limit.
    Idle,
    /// It is past its absolute limit, or its own [deadline](super::Session::deadline).
    Expired,
    /// There is no session to watch: it was not saved, the request's cookie [opens no
    /// session](super::Refusal) that may be changed, or no tokio runtime is there.
    Unwatched,
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SessionEnd::Ended => "ended",
            SessionEnd::Idle => "idle for too long",
            SessionEnd::Expired => "expired",
            SessionEnd::Unwatched => "not watched",
        })
    }
}
