//! Memcached's errors as a backend's. The client's texts quote keys, and are not used.

use memcache::exp::Error as ClientError;

use super::super::Error;
use super::super::effect::Effect;

/// Returns the error of a request.
pub(super) fn failed(effect: Effect, error: ClientError) -> Error {
    match error {
        ClientError::Io(error) => {
            Error::unavailable("no connection to Memcached").with_source(error)
        }
        ClientError::Timeout { .. } => Error::unavailable("Memcached takes no requests in time"),
        ClientError::Ambiguous { .. } => effect.unanswered("Memcached did not answer the request"),
        ClientError::Server(_) => Error::unavailable(
            "Memcached refused the request: it may have no memory for the record",
        ),
        ClientError::Rejected(_) => Error::unavailable(
            "Memcached does not know the request: version 1.6 or newer is needed",
        ),
        _ => effect.unanswered("Memcached returned an invalid answer"),
    }
}

pub(super) fn too_late(effect: Effect) -> Error {
    effect.unanswered("Memcached did not answer in time")
}

/// Returns the error of an answer to a read that lacks something.
pub(super) fn invalid_answer() -> Error {
    Error::unavailable("Memcached returned an invalid answer")
}

/// Returns the error of a server that compares nothing.
pub(super) fn without_numbers() -> Error {
    Error::unavailable("Memcached runs without CAS numbers: start it without the option -C")
}

/// Returns the error of an item that is not a valid record.
pub(super) fn invalid_record() -> Error {
    Error::corrupt("an item of Memcached is not a valid record")
}
