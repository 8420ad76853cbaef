//! Files and folders: read whole, written whole, removed for good.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::super::Error;

/// Opens files for nobody else.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    if path.is_dir() {
        return Ok(());
    }
    builder.recursive(true).create(path)?;
    path.parent()
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// A file's bytes; none if there is no file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unavailable(error)),
    }
}

pub(super) fn paths_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unavailable(error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()).map_err(unavailable));
    paths.collect()
}

/// Makes a rename or removal last. If that fails it may last or not.
fn sync_folder_of(path: &Path) -> Result<(), Error> {
    let synced = path.parent().map(|folder| File::open(folder)?.sync_all());
    synced.transpose().map(drop).map_err(|error: io::Error| {
        Error::outcome_unknown("a folder could not be synced").with_source(error)
    })
}

pub(super) fn unavailable(error: io::Error) -> Error {
    Error::unavailable("the folder cannot be used").with_source(error)
}

/// Puts a file in its place, whole and synced: written `beside` first, on the same disk.
pub(super) fn write(path: &Path, beside: &Path, bytes: &[u8]) -> Result<(), Error> {
    let written = private().write(true).create_new(true).open(beside);
    let written = written.and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(beside, path));
    if let Err(error) = renamed {
        let _ = fs::remove_file(beside);
        return Err(unavailable(error));
    }
    sync_folder_of(path)
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder_of(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unavailable(error)),
    }
}
