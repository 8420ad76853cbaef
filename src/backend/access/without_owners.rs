//! Access on systems where files have no owner and no mode: files stay as the system makes them.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use super::super::Error;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Access;

impl Access {
    pub(in super::super) fn of(_store: &Path, _folder: &Path) -> Result<Self, Error> {
        Ok(Access)
    }

    /// Checks that the folder exists.
    #[cfg(feature = "files")]
    pub(in super::super) fn check_folder(path: &Path) -> io::Result<()> {
        std::fs::read_dir(path).map(drop)
    }

    #[cfg(feature = "sqlite")]
    pub(in super::super) fn may_use_file(_path: &Path) -> bool {
        true
    }

    /// Creates a file that did not exist, and opens it for writing.
    pub(in super::super) fn new_file(self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    /// Makes a folder, and returns whether it was missing.
    #[cfg(feature = "files")]
    pub(in super::super) fn make_folder(self, path: &Path) -> io::Result<bool> {
        match path.is_dir() {
            true => Ok(false),
            false => std::fs::create_dir(path).map(|()| true),
        }
    }
}
