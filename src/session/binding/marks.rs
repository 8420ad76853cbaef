//! [`SessionProof`] and [`RequestBindings`]: the marks that the check of a request leaves for its
//! response.

use super::super::key_binding::BindingId;

/// What a request shows of one session's binding.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct SessionProof {
    /// True if the request has a good bound cookie.
    pub(super) is_proven: bool,
    /// True if a handler has refused the request for want of a bound cookie.
    pub(super) is_wanted: bool,
}

/// What a request shows of the bindings of all its sessions.
#[derive(Default)]
pub(in super::super) struct RequestBindings {
    /// True if the application has the endpoints of bindings.
    pub(super) has_endpoints: bool,
    /// The challenges to sessions that were refused, each with the ID of its binding.
    pub(super) challenges: Vec<(BindingId, String)>,
    /// The Set-Cookies that remove bound cookies that are not good.
    pub(super) removals: Vec<String>,
}
