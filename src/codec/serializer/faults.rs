//! The errors that all formats share.

use super::Error;

/// Returns the error for a value that the format cannot hold.
pub(super) fn encode_error(why: impl Into<String>) -> Error {
    Error::usage("the value cannot be serialized").with_source(why.into())
}

/// Returns the error for authentic bytes that are not a value of the wanted type.
///
/// `why` must not quote the bytes. serde's message on a mismatch quotes them, so it must not
/// be used as it is.
pub(super) fn decode_error(why: impl Into<String>) -> Error {
    Error::not_valid_though_authentic().with_source(why.into())
}
