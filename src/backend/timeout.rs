//! The check of a timeout, which all options of backends have.

use std::time::Duration;

use super::Error;

/// Refuses a timeout of zero.
///
/// # Errors
/// Returns a usage error.
pub(super) fn check_timeout(timeout: Duration) -> Result<(), Error> {
    match timeout.is_zero() {
        true => Err(Error::usage(
            "the timeout is zero, so that no operation could finish: set a longer one",
        )),
        false => Ok(()),
    }
}
