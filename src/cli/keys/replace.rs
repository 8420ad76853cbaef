//! [`Replacement`]: replaces a file at once, so that no reader sees a part of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::super::failure::Failure;

/// A new version of a file, in the same folder. While it exists, no other process of this program
/// changes the file.
pub(super) struct Replacement {
    /// The file itself, behind symbolic links.
    target: PathBuf,
    new: PathBuf,
    file: File,
    is_done: bool,
}

impl Replacement {
    /// Creates the new version, which is empty and readable only for this user.
    pub(super) fn begin(path: &Path) -> Result<Self, Failure> {
        let target = match fs::symlink_metadata(path) {
            Ok(_) => fs::canonicalize(path).map_err(|error| unwritable(&error))?,
            Err(_) => path.to_owned(),
        };
        let no_file = || Failure::usage("the key file has no name: give the path of a file");
        let name = target.file_name().ok_or_else(no_file)?;
        let mut new_name = std::ffi::OsString::from(".");
        new_name.push(name);
        new_name.push(".silverback-new");
        let new = target.with_file_name(new_name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&new).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::usage(
                "another process changes the key file, or was killed: if none does, remove the \
                 hidden file in its folder whose name ends with .silverback-new",
            ),
            _ => unwritable(&error),
        })?;
        Ok(Replacement {
            target,
            new,
            file,
            is_done: false,
        })
    }

    /// Returns the path of the file to be replaced.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Replaces the file. After a crash, the old or the new version is there.
    pub(super) fn commit(mut self, text: &str) -> Result<(), Failure> {
        self.write(text).map_err(|error| unwritable(&error))?;
        self.is_done = true;
        sync_folder(&self.target).map_err(|error| {
            Failure::usage(format_args!(
                "the key file was replaced, but its folder cannot be synced: {error}: a crash of the \
                 machine may bring the old file back"
            ))
        })
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        if let Ok(old) = fs::metadata(&self.target) {
            keep_owner(&self.file, &old)?;
            self.file.set_permissions(old.permissions())?;
        }
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        fs::rename(&self.new, &self.target)
    }
}

/// The service must still be able to read the file if another user, such as root, replaces it.
#[cfg(unix)]
fn keep_owner(new: &File, old: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};

    let own = new.metadata()?;
    if (own.uid(), own.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    fchown(new, Some(old.uid()), Some(old.gid()))
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The path is not named: it may be a key by mistake.
fn unwritable(error: &io::Error) -> Failure {
    Failure::usage(format_args!(
        "the key file cannot be replaced: {error}: run as its owner, in a folder that you can write"
    ))
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.is_done {
            // If this fails, the next run names the file.
            let _ = fs::remove_file(&self.new);
        }
    }
}
