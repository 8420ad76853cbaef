//! [`Access`]: the owner and the mode of the files that a store keeps on this machine.
//!
//! A service and an operator's commands use one store, perhaps as different users. A file that only
//! one of them can read would lock the other out. Therefore new files belong to the store's owner.

mod owner;
#[cfg(unix)]
mod unix;
#[cfg(not(unix))]
mod without_owners;

use std::io;
use std::path::Path;

use super::Error;
use owner::owner_of;

#[cfg(unix)]
pub(super) use unix::Access;
#[cfg(not(unix))]
pub(super) use without_owners::Access;

/// Returns the error of an operation on a file or folder that failed. `what` is a past participle,
/// such as "read".
pub(super) fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    failed_at(what, path, path, error)
}

/// Returns the error of [`failed`] for a path that must not be printed, since it contains a secret.
/// The error names `shown` instead.
pub(super) fn failed_at(what: &str, path: &Path, shown: &Path, error: io::Error) -> Error {
    let owner = match error.kind() {
        io::ErrorKind::PermissionDenied => owner_of(path),
        _ => None,
    };
    let owner = owner.map_or_else(String::new, |owner| format!(", which belongs to {owner},"));
    Error::unavailable(format!("{shown:?}{owner} cannot be {what}: {error}")).with_source(error)
}

/// Returns the error of a store that this program's user cannot read, or must not write to.
pub(super) fn another_users(folder: &Path) -> Error {
    let owner = owner_of(folder).unwrap_or_else(|| "another user".to_owned());
    Error::unavailable(format!("{folder:?} belongs to {owner}: run as {owner}"))
}
