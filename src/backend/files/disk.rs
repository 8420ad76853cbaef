//! Files and folders: created, written as a whole, locked and synced.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::super::Error;
use super::super::access::Access;

/// Creates a folder, and the missing folders above it. All of them survive a crash.
pub(super) fn make_folders(access: Access, path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent()
        && !parent.as_os_str().is_empty()
        && !parent.is_dir()
    {
        make_folders(Access::default(), parent)?;
    }
    make_folder(access, path)
}

/// Creates a folder in an existing one. It survives a crash.
pub(super) fn make_folder(access: Access, path: &Path) -> io::Result<()> {
    if !access.make_folder(path)? {
        return Ok(());
    }
    match path.parent() {
        None => Ok(()),
        // The path is a single name, so its folder is the working directory.
        Some(parent) if parent.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(parent) => File::open(parent)?.sync_all(),
    }
}

/// Locks a file, which is created if it is missing, until the returned file is dropped. Returns
/// `None` while another process or operation holds the lock.
pub(super) fn try_lock(access: Access, path: &Path) -> io::Result<Option<File>> {
    let open = || OpenOptions::new().write(true).open(path);
    let file = match open() {
        Err(error) if error.kind() == ErrorKind::NotFound => match access.new_file(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => open(),
            made => made,
        },
        opened => opened,
    }?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Replaces a file as a whole: writes the bytes to `unfinished`, on the same disk, syncs them, and
/// renames that file to `path`. The rename survives a crash once [the folder is
/// synced](sync_folder_of).
pub(super) fn replace(
    access: Access,
    path: &Path,
    unfinished: &Path,
    bytes: &[u8],
) -> io::Result<()> {
    let mut file = access.new_file(unfinished)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let renamed = written.and_then(|()| fs::rename(unfinished, path));
    if renamed.is_err() {
        let _ = fs::remove_file(unfinished);
    }
    renamed
}

/// Syncs the folder of `path`, so that a rename or removal survives a crash. If this fails, the
/// outcome is unknown.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), Error> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| {
        let message = format!("{folder:?} cannot be synced: {error}");
        Error::outcome_unknown(message).with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_created_in_the_working_directory() {
        let name = format!("silverback-test-{}", std::process::id());
        let below = Path::new(&name).join("store");
        let made = make_folders(Access::default(), &below);
        let is_made = below.is_dir();
        let _ = fs::remove_dir_all(&name);
        assert!(made.is_ok() && is_made, "{made:?}");
    }
}
