//! Redis' errors as a backend's. The texts contain Redis' code for the error and never its message,
//! which may quote a key.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::super::Error;
use super::super::effect::Effect;

/// Returns whether the connection is of no use any more.
pub(super) fn ends_the_connection(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.is_io_error() || is_of_replica(error)
}

/// Returns whether the server has become a replica: a failover has made another one the primary.
/// Nothing was written.
pub(super) fn is_of_replica(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}

/// Returns whether the server does not know the script, and did nothing.
pub(super) fn has_no_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// Returns the error of a command.
pub(super) fn failed(effect: Effect, error: RedisError) -> Error {
    match error.kind() {
        ErrorKind::ClusterConnectionNotFound => {
            Error::unavailable("no node of the Redis cluster answers for the key")
        }
        ErrorKind::Server(_) | ErrorKind::Extension => refused(&error),
        ErrorKind::AuthenticationFailed => Error::unavailable("Redis refused the password"),
        _ => effect
            .unanswered("Redis did not answer the command")
            .with_source(error),
    }
}

/// Returns the error of a command that the server refused. Nothing was done.
fn refused(error: &RedisError) -> Error {
    let detail = error.detail().unwrap_or_default();
    let code = error.code().unwrap_or("ERR");
    if code == "WRONGTYPE" || detail.contains("WRONGTYPE") {
        return invalid_record();
    }
    if code == "OOM" || detail.contains("OOM ") {
        return Error::unavailable(
            "Redis has no memory for the write: raise maxmemory, or remove keys",
        );
    }
    Error::unavailable(format!("Redis returned the error {code}"))
}

/// Returns the error of a connection that could not be opened. Nothing was sent.
pub(super) fn no_connection(error: RedisError) -> Error {
    Error::unavailable("no connection to Redis").with_source(error)
}

/// Returns the error of an operation for which there was no connection in time.
pub(super) fn no_connection_in_time() -> Error {
    Error::unavailable("no connection to Redis in time")
}

pub(super) fn too_late(effect: Effect) -> Error {
    effect.unanswered("Redis did not answer in time")
}

/// Returns the error of an answer that no script gives.
pub(super) fn odd_answer(effect: Effect) -> Error {
    effect.unanswered("Redis returned an answer that no script gives")
}

/// Returns the error of data that is not a valid record.
pub(super) fn invalid_record() -> Error {
    Error::corrupt("the data under a key in Redis is not a valid record")
}
