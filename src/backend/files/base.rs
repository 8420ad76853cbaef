//! [`Base`]: a folder of files, which may be unmounted or moved for a while.
//!
//! A disk that is unmounted, or a folder that is moved away, takes all files with it. Therefore a
//! file counts as missing only if its folder exists at that moment.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// A folder of a store.
pub(super) struct Base {
    folder: PathBuf,
    /// A folder in it that was created with the store. An empty mount point lacks that folder.
    marker: Option<&'static str>,
}

impl Base {
    pub(super) fn new(folder: PathBuf) -> Self {
        let marker = None;
        Base { folder, marker }
    }

    /// Returns a folder that contains the folder `marker`, and counts as missing without it.
    pub(super) fn with(folder: PathBuf, marker: &'static str) -> Self {
        let marker = Some(marker);
        Base { folder, marker }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the path of a file `below` the folder.
    pub(super) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.folder.join(below)
    }

    /// Returns a file's bytes, or `None` if the folder has no such file.
    pub(super) fn read(&self, below: &Path) -> io::Result<Option<Vec<u8>>> {
        let path = self.path(below);
        let opened = self.if_found(|| File::open(&path), |folder| folder.open(below))?;
        let Some(mut file) = opened else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Removes a file, and returns whether it existed. The removal survives a crash once the file's
    /// folder is synced.
    pub(super) fn remove(&self, below: &Path) -> io::Result<bool> {
        let path = self.path(below);
        let remove = || fs::remove_file(&path);
        let removed = self.if_found(remove, |folder| folder.remove(below))?;
        Ok(removed.is_some())
    }

    /// Returns the contents of the folder `below`, as paths below this one. If there is no such
    /// folder, there are no paths.
    pub(super) fn paths_in(&self, below: &Path) -> io::Result<Vec<PathBuf>> {
        let path = self.path(below);
        let is_there = self.if_found(|| path.metadata().map(drop), |base| base.has(below))?;
        let entries = match is_there {
            Some(()) => fs::read_dir(&path)?,
            None => return Ok(Vec::new()),
        };
        entries
            .map(|entry| Ok(below.join(entry?.file_name())))
            .collect()
    }

    /// Runs `first`, which uses a file by its path. If the file is not found, opens the folder and
    /// runs `again` in it: an open folder cannot vanish in between.
    fn if_found<T>(
        &self,
        first: impl FnOnce() -> io::Result<T>,
        again: impl FnOnce(&OpenFolder) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        let is_missing = |error: &io::Error| error.kind() == ErrorKind::NotFound;
        match first() {
            Err(error) if is_missing(&error) => match again(&self.open()?) {
                Err(error) if is_missing(&error) => Ok(None),
                done => done.map(Some),
            },
            done => done.map(Some),
        }
    }

    fn open(&self) -> io::Result<OpenFolder> {
        OpenFolder::new(self).map_err(|error| {
            let message = format!("the store's folder cannot be opened: {error}");
            io::Error::new(error.kind(), message)
        })
    }
}

/// Returns the paths in an existing folder.
pub(super) fn paths_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

#[cfg(unix)]
use by_descriptor::OpenFolder;
#[cfg(not(unix))]
use by_path::OpenFolder;

#[cfg(unix)]
mod by_descriptor {
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::{AtFlags, Mode, OFlags, open, openat, statat, unlinkat};

    use super::Base;

    /// A folder that stays open even if it is moved away or unmounted.
    pub(super) struct OpenFolder(OwnedFd);

    impl OpenFolder {
        pub(super) fn new(base: &Base) -> io::Result<Self> {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let opened = OpenFolder(open(&base.folder, flags, Mode::empty())?);
            base.marker
                .map_or(Ok(()), |held| opened.has(held.as_ref()))?;
            Ok(opened)
        }

        pub(super) fn has(&self, below: &Path) -> io::Result<()> {
            statat(&self.0, below, AtFlags::empty())?;
            Ok(())
        }

        pub(super) fn open(&self, below: &Path) -> io::Result<File> {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            Ok(openat(&self.0, below, flags, Mode::empty())?.into())
        }

        pub(super) fn remove(&self, below: &Path) -> io::Result<()> {
            Ok(unlinkat(&self.0, below, AtFlags::empty())?)
        }
    }
}

#[cfg(not(unix))]
mod by_path {
    use std::fs::{self, File};
    use std::io;
    use std::path::{Path, PathBuf};

    use super::Base;

    /// A folder that existed when it was opened.
    pub(super) struct OpenFolder(PathBuf);

    impl OpenFolder {
        pub(super) fn new(base: &Base) -> io::Result<Self> {
            fs::metadata(base.path(base.marker.unwrap_or_default()))?;
            Ok(OpenFolder(base.folder.clone()))
        }

        pub(super) fn has(&self, below: &Path) -> io::Result<()> {
            fs::metadata(self.0.join(below)).map(drop)
        }

        pub(super) fn open(&self, below: &Path) -> io::Result<File> {
            File::open(self.0.join(below))
        }

        pub(super) fn remove(&self, below: &Path) -> io::Result<()> {
            fs::remove_file(self.0.join(below))
        }
    }
}
