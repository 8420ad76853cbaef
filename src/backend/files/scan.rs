//! What a scan does: reads all files of the folder, and removes those that are over.
//!
//! A file that cannot be read keeps no other from being read or removed. A purge syncs nothing:
//! what a crash brings back of it is still over.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::{Entry, Error, Key, Page, Purged};
use super::folder::{Folder, Name, no_record, paths_in, read, read_record, remove};
use super::format::{OwnerFile, RecordFile};

/// How old a file is that a writer has left unfinished and does not go on with.
const UNFINISHED: Duration = Duration::from_secs(3_600);

/// Why files were skipped, one error for each.
type Skipped = Vec<Error>;

/// What was found, or nothing and a note of why.
fn noted<T: Default>(found: Result<T, Error>, skipped: &mut Skipped) -> T {
    found.unwrap_or_else(|error| {
        skipped.push(error);
        T::default()
    })
}

impl Folder {
    /// The first living records after the key, in the order of keys.
    pub(super) fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error> {
        let (mut entries, mut skipped) = (Vec::new(), Skipped::new());
        for folder in paths_in(&self.records)? {
            for path in noted(paths_in(&folder), &mut skipped) {
                let entry = noted(self.live_entry(&path), &mut skipped);
                let is_after = |entry: &Entry| after.is_none_or(|after| entry.key > *after);
                entries.extend(entry.filter(is_after));
            }
        }
        if after.is_some() {
            skipped.clear(); // the first page has named them
        }
        Ok(Page {
            skipped,
            ..Page::first_of(entries, limit)
        })
    }

    fn live_entry(&self, path: &Path) -> Result<Option<Entry>, Error> {
        Ok(match read_record(path)? {
            Some(file) if self.is_live(&file)? => Some(file.into_entry()),
            _ => None,
        })
    }

    /// Removes at most so many records that are over, and all else that is of no use.
    pub(super) fn purge(&self, limit: usize) -> Result<Purged, Error> {
        self.access()?;
        let mut purged = Purged::default();
        let mut folders = paths_in(&self.records)?;
        folders.sort();
        // It goes on where the last purge had reached its limit.
        let first = self.next_folder.load(Ordering::Relaxed) % folders.len().max(1);
        folders.rotate_left(first);
        for (number, folder) in folders.iter().enumerate() {
            self.purge_records(folder, limit, &mut purged);
            if purged.removed == limit {
                self.next_folder.store(first + number, Ordering::Relaxed);
                return Ok(purged);
            }
        }
        self.purge_leftovers(&mut purged.skipped)?;
        Ok(purged)
    }

    fn purge_records(&self, folder: &Path, limit: usize, purged: &mut Purged) {
        let Purged { removed, skipped } = purged;
        let mut over = Vec::new();
        for path in noted(paths_in(folder), skipped) {
            if over.len() == limit - *removed {
                break;
            }
            let found = noted(self.find_over(&path), skipped);
            over.extend(found.map(|_| path));
        }
        let part = folder.file_name().unwrap_or_default();
        if over.is_empty() {
            return;
        }
        let Some(_lock) = noted(self.lock_part("records", part).map(Some), skipped) else {
            return;
        };
        for path in over {
            *removed += usize::from(noted(self.remove_over(&path), skipped));
        }
    }

    /// The record in that file, if it is over.
    fn find_over(&self, path: &Path) -> Result<Option<RecordFile>, Error> {
        Ok(match read_record(path)? {
            Some(file) if !self.is_live(&file)? => Some(file),
            _ => None,
        })
    }

    /// Removes the record in that file, if it is still over now that no other process writes.
    fn remove_over(&self, path: &Path) -> Result<bool, Error> {
        let Some(file) = self.find_over(path)? else {
            return Ok(false);
        };
        let is_removed = remove(path)?;
        if let (Some(owner), Some(name)) = (file.record.owner(), name_of(path)) {
            remove(&self.mark_of(&owner.name, &name))?;
        }
        Ok(is_removed)
    }

    /// Removes what a crash left unfinished, owners that are over, and what is on an owner's
    /// list and not the owner's.
    fn purge_leftovers(&self, skipped: &mut Skipped) -> Result<(), Error> {
        for path in paths_in(&self.unfinished)? {
            noted(purge_unfinished(&path), skipped);
        }
        for path in paths_in(&self.owners)? {
            noted(self.purge_owner(&path), skipped);
        }
        for list in paths_in(&self.owned)? {
            for mark in noted(paths_in(&list), skipped) {
                noted(self.purge_mark(&list, &mark), skipped);
            }
        }
        Ok(())
    }

    fn purge_owner(&self, path: &Path) -> Result<(), Error> {
        let Some(bytes) = read(path)? else {
            return Ok(());
        };
        let file = OwnerFile::parse(&bytes).ok_or_else(|| no_record(path))?;
        if file.is_live() {
            return Ok(());
        }
        let _lock = self.lock("owners", &Name::of(file.name.as_bytes()))?;
        // Another process may have begun it anew.
        match self.read_owner(&file.name)? {
            Some(_) => Ok(()),
            None => remove(path).map(drop),
        }
    }

    pub(super) fn purge_mark(&self, list: &Path, mark: &Path) -> Result<(), Error> {
        let Some(name) = name_of(mark) else {
            return Ok(());
        };
        if self.is_listed_rightly(list, &name) {
            return Ok(());
        }
        let _lock = self.lock("records", &name)?;
        // Another process may have written the record after its mark.
        match self.is_listed_rightly(list, &name) {
            true => Ok(()),
            false => remove(mark).map(drop),
        }
    }

    /// Whether the record is that owner's. One that cannot be read may be: its own purge names
    /// it.
    fn is_listed_rightly(&self, list: &Path, name: &Name) -> bool {
        match read_record(&self.record_path(name)) {
            Ok(Some(file)) => {
                let owner = file.record.owner();
                owner.is_some_and(|owner| self.list_of(&owner.name) == list)
            }
            Ok(None) => false,
            Err(_) => true,
        }
    }
}

fn name_of(path: &Path) -> Option<Name> {
    Some(Name::of_file(path.file_name()?.to_str()?))
}

/// Removes what was being written when its writer ended.
fn purge_unfinished(path: &PathBuf) -> Result<(), Error> {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|modified| modified.elapsed().ok());
    match age.is_some_and(|age| age > UNFINISHED) {
        true => remove(path).map(drop),
        false => Ok(()),
    }
}
