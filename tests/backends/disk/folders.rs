//! The backends that keep a file for each record, and their folders.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use silverback::backend::{Backend, Error, Files, GorillaFiles};

use super::super::candidates::on_disk;

/// The layout of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folders {
    Native,
    Gorilla,
}

impl Folders {
    pub(super) const ALL: [Folders; 2] = [Folders::Native, Folders::Gorilla];

    pub(super) fn name(self) -> &'static str {
        match self {
            Folders::Native => "files",
            Folders::Gorilla => "gorilla_files",
        }
    }

    pub(super) fn parse(name: &str) -> Self {
        let found = Folders::ALL.into_iter().find(|kind| kind.name() == name);
        found.expect("a name of these backends")
    }

    /// Returns a folder that no other test uses.
    pub(super) fn place(self) -> PathBuf {
        let url = on_disk("files");
        let (_, path) = url.split_once(':').expect("a path");
        path.into()
    }

    pub(super) fn open(self, folder: &Path) -> Result<Arc<dyn Backend>, Error> {
        Ok(match self {
            Folders::Native => Arc::new(Files::open(folder)?),
            Folders::Gorilla => Arc::new(GorillaFiles::open(folder)?),
        })
    }

    /// Returns all files that a store locks.
    pub(super) fn locks(self, folder: &Path) -> Vec<PathBuf> {
        let below: &[&str] = match self {
            Folders::Native => &["locks/records-", "locks/owners-"],
            Folders::Gorilla => &[".silverback/lock-"],
        };
        let parts = |kind: &&str| {
            (0..=255)
                .map(|part| folder.join(format!("{kind}{part:02x}")))
                .collect::<Vec<_>>()
        };
        below.iter().flat_map(parts).collect()
    }
}
