//! Errors that servers share. Each server's other errors are in its own folder.

use std::fmt;

use crate::backend::Error;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "mssql"))]
use crate::backend::effect::Effect;

/// Returns the error of an operation that timed out.
#[cfg(any(feature = "postgres", feature = "mysql", feature = "mssql"))]
pub(super) fn too_late(effect: Effect) -> Error {
    effect.unanswered("the database did not answer in time")
}

/// The cause of an error if a write was refused because another row has its key.
#[derive(Debug)]
pub(super) struct KeyTaken;

impl KeyTaken {
    pub(super) fn is_cause_of(error: &Error) -> bool {
        error.cause().is_some_and(|cause| cause.is::<KeyTaken>())
    }
}

impl fmt::Display for KeyTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another row has the key")
    }
}

impl std::error::Error for KeyTaken {}
