//! etcd's errors as a backend's. The texts contain etcd's own messages, which are constant, and
//! never a key, a value or a password.

use std::error::Error as StdError;

use etcd_client::Error as ClientError;

use super::super::Error;
use super::super::effect::Effect;

/// The numbers of gRPC's status codes.
mod codes {
    pub(super) const INVALID_ARGUMENT: i32 = 3;
    pub(super) const NOT_FOUND: i32 = 5;
    pub(super) const ALREADY_EXISTS: i32 = 6;
    pub(super) const PERMISSION_DENIED: i32 = 7;
    pub(super) const RESOURCE_EXHAUSTED: i32 = 8;
    pub(super) const FAILED_PRECONDITION: i32 = 9;
    pub(super) const UNAVAILABLE: i32 = 14;
    pub(super) const UNAUTHENTICATED: i32 = 16;
}

/// etcd's messages that decide what happens next.
const NO_LEADER: &str = "etcdserver: no leader";
const LEASE_NOT_FOUND: &str = "etcdserver: requested lease not found";
const OLD_AUTH_REVISION: &str = "etcdserver: revision of auth store is old";
const TOO_LARGE: &str = "etcdserver: request is too large";

/// The reason why a request has no result.
pub(super) struct Failure {
    text: String,
    /// etcd has not applied the request, and never will.
    pub(super) is_not_applied: bool,
    /// The connection or its member failed: another connection may succeed.
    pub(super) is_of_connection: bool,
    /// The transaction named a lease that does not exist.
    pub(super) is_missing_lease: bool,
}

impl Failure {
    /// Returns the failure of a request that was not answered in time.
    pub(super) fn timeout() -> Self {
        Failure {
            text: "etcd did not answer in time".to_owned(),
            is_not_applied: false,
            is_of_connection: true,
            is_missing_lease: false,
        }
    }

    /// Returns the failure of a request that was not sent, since no connection was open in time.
    pub(super) fn no_connection() -> Self {
        Failure {
            text: "the connection to etcd was not opened in time".to_owned(),
            is_not_applied: true,
            ..Failure::timeout()
        }
    }

    /// Returns the failure of a connection that could not be opened. No request was sent over it.
    pub(super) fn of_connecting(error: &ClientError) -> Self {
        Failure {
            is_not_applied: true,
            ..Failure::of(error)
        }
    }

    pub(super) fn of(error: &ClientError) -> Self {
        match error {
            ClientError::GRpcStatus(status) => {
                let code: i32 = status.code().into();
                match status.source() {
                    Some(source) => Failure::of_transport(code, source),
                    None => Failure::of_server(code, status.message()),
                }
            }
            ClientError::TransportError(error) => Failure::of_transport(0, error),
            // The client refused the request, and did not send it.
            _ => Failure {
                text: "the client of etcd refused the request".to_owned(),
                is_not_applied: true,
                is_of_connection: false,
                is_missing_lease: false,
            },
        }
    }

    /// Returns the failure that the client reports, such as a broken connection. The client gives
    /// the code `UNAVAILABLE` to a request for which it could open no connection, and, since no
    /// keep-alive is set, to no other one.
    fn of_transport(code: i32, source: &(dyn StdError + 'static)) -> Self {
        Failure {
            text: format!("the connection to etcd failed: {}", innermost(source)),
            is_not_applied: code == codes::UNAVAILABLE,
            is_of_connection: true,
            is_missing_lease: false,
        }
    }

    /// Returns the failure that etcd, or a proxy in front of it, answered with.
    fn of_server(code: i32, message: &str) -> Self {
        let is_etcds = message.starts_with("etcdserver: ");
        Failure {
            text: refusal(code, message),
            is_not_applied: is_etcds && (is_refusal(code) || message == NO_LEADER),
            is_of_connection: code == codes::UNAVAILABLE || message == OLD_AUTH_REVISION,
            is_missing_lease: message == LEASE_NOT_FOUND,
        }
    }

    pub(super) fn into_error(self, effect: Effect) -> Error {
        match self.is_not_applied {
            true => Error::unavailable(self.text),
            false => effect.unanswered(self.text),
        }
    }
}

/// Returns whether etcd gives this code only to requests that it has not applied.
fn is_refusal(code: i32) -> bool {
    matches!(
        code,
        codes::INVALID_ARGUMENT
            | codes::NOT_FOUND
            | codes::ALREADY_EXISTS
            | codes::PERMISSION_DENIED
            | codes::RESOURCE_EXHAUSTED
            | codes::FAILED_PRECONDITION
            | codes::UNAUTHENTICATED
    )
}

/// Returns the text of a refusal. Only etcd's own messages are known to contain no secret.
fn refusal(code: i32, message: &str) -> String {
    match message.strip_prefix("etcdserver: ") {
        Some(_) if message == TOO_LARGE => format!(
            "etcd refused the request: {message} (set EtcdOptions::max_request_bytes as the \
             server's --max-request-bytes)"
        ),
        Some(_) if !message.contains(['\n', '\r']) => {
            format!("etcd refused the request: {message}")
        }
        _ => format!("etcd refused the request with the gRPC code {code}"),
    }
}

/// Returns the text of the last cause, such as `Connection refused (os error 111)`, in one line.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string().replace(['\n', '\r'], " ")
}

/// Returns the error of a key whose value is not valid.
pub(super) fn invalid_record() -> Error {
    Error::corrupt("a key of etcd does not hold a valid record")
}

/// Returns the error of a response without a revision. etcd sends none.
pub(super) fn invalid_response() -> Error {
    Error::outcome_unknown("the response of etcd is not valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: i32, message: &str) -> Error {
        Failure::of_server(code, message).into_error(Effect::Writes)
    }

    #[test]
    fn a_refused_write_was_not_applied_and_any_other_may_have_been() {
        for (code, message, is_unknown) in [
            (codes::UNAVAILABLE, "etcdserver: no leader", false),
            (codes::INVALID_ARGUMENT, TOO_LARGE, false),
            (
                codes::RESOURCE_EXHAUSTED,
                "etcdserver: mvcc: database space exceeded",
                false,
            ),
            (
                codes::PERMISSION_DENIED,
                "etcdserver: permission denied",
                false,
            ),
            (codes::UNAVAILABLE, "etcdserver: request timed out", true),
            (codes::UNAVAILABLE, "etcdserver: leader changed", true),
            (codes::UNAVAILABLE, "etcdserver: server stopped", true),
            // A proxy may send any code.
            (codes::RESOURCE_EXHAUSTED, "slow down", true),
            (codes::INVALID_ARGUMENT, "", true),
        ] {
            let error = error(code, message);
            assert!(error.is_unavailable(), "{error}");
            assert_eq!(error.is_outcome_unknown(), is_unknown, "{error}");
        }
    }

    #[test]
    fn another_connection_may_succeed_after_some_refusals() {
        for (code, message, is_of_connection) in [
            (codes::UNAVAILABLE, NO_LEADER, true),
            (codes::INVALID_ARGUMENT, OLD_AUTH_REVISION, true),
            (codes::INVALID_ARGUMENT, TOO_LARGE, false),
            (codes::NOT_FOUND, LEASE_NOT_FOUND, false),
        ] {
            let failure = Failure::of_server(code, message);
            assert_eq!(failure.is_of_connection, is_of_connection, "{message}");
            assert!(failure.is_not_applied, "{message}");
            assert_eq!(failure.is_missing_lease, message == LEASE_NOT_FOUND);
        }
    }

    #[test]
    fn only_messages_of_etcd_are_quoted() {
        let text = error(codes::PERMISSION_DENIED, "etcdserver: permission denied").to_string();
        assert!(text.contains("etcdserver: permission denied"), "{text}");
        for foreign in ["secret", "etcdserver: a\nsecret"] {
            let text = error(codes::PERMISSION_DENIED, foreign).to_string();
            assert!(
                !text.contains("secret") && text.contains("code 7"),
                "{text}"
            );
        }
    }
}
