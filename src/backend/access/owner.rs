//! The name of the user who owns a file.

use std::path::Path;

/// Returns the name of the user who owns a file, or `None` if it cannot be found out.
#[cfg(unix)]
pub(super) fn owner_of(path: &Path) -> Option<String> {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    let user = fs::symlink_metadata(path).ok()?.uid();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number: u32 = fields.nth(1)?.parse().ok()?;
        (number == user).then(|| name.to_owned())
    });
    Some(name.unwrap_or_else(|| format!("the user {user}")))
}

/// Returns `None`: files have no owner on this system.
#[cfg(not(unix))]
pub(super) fn owner_of(_path: &Path) -> Option<String> {
    None
}
