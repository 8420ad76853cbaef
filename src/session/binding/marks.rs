//! [`SessionProof`] and [`RequestBindings`]: the marks that the check of a request leaves for its
//! response.

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
    /// True if the request is for an endpoint, which checks the session itself.
    pub(super) is_for_endpoint: bool,
    /// The challenges to sessions that were refused.
    pub(super) challenges: Vec<String>,
}
