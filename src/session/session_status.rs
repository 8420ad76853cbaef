//! [`SessionStatus`]: whether a session was changed or ended in a request.

/// The status of a [`Session`](super::Session) in a request, as scs's `Status` returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "Status")]
pub enum SessionStatus {
    /// Nothing is to be saved: the session was not changed, or its changes are saved.
    Unmodified,
    /// The session has changes that are not saved yet.
    Modified,
    /// The session was [logged out](super::Session::logout) or [ended](super::Session::end), by this
    /// request or by another one that this request has found out about.
    #[doc(alias = "Destroyed")]
    Ended,
}
