//! [`Checkpoint`]: a file with the key of the last record that was migrated.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use silverback::backend::Key;

use super::super::failure::Failure;

/// A file with the place that a run has reached, or no file.
pub(super) struct Checkpoint {
    path: Option<PathBuf>,
    place: Option<Key>,
}

impl Checkpoint {
    /// Reads the file, if it exists.
    pub(super) fn open(path: Option<PathBuf>) -> Result<Self, Failure> {
        let text = match path.as_ref().map(fs::read_to_string) {
            Some(Ok(text)) => Some(text),
            Some(Err(error)) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => None,
        };
        let place = text.map(|text| {
            let bytes = URL_SAFE_NO_PAD.decode(text.trim_end()).ok();
            let key = bytes.and_then(|bytes| Key::new(bytes).ok());
            key.ok_or_else(|| Failure::usage("the checkpoint is not valid: remove its file"))
        });
        Ok(Checkpoint {
            place: place.transpose()?,
            path,
        })
    }

    pub(super) fn place(&self) -> Option<Key> {
        self.place.clone()
    }

    /// Notes the place. The file is replaced in one step.
    pub(super) fn note(&mut self, key: &Key) -> Result<(), Failure> {
        if let Some(path) = &self.path {
            let mut next = path.clone().into_os_string();
            next.push(".new");
            fs::write(&next, URL_SAFE_NO_PAD.encode(key.as_bytes()) + "\n")?;
            fs::rename(&next, path)?;
        }
        Ok(())
    }

    /// Removes the file, when all records were migrated.
    pub(super) fn remove(&self) -> Result<(), Failure> {
        let removed: io::Result<()> = self.path.as_ref().map_or(Ok(()), fs::remove_file);
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}
