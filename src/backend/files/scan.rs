//! Scans, which read all files of the folder, and purges, which remove expired ones.
//!
//! An unreadable file does not keep other files from being read or removed. A purge syncs nothing:
//! a record that a crash brings back is still expired. Each batch of files is an operation of its
//! own, so that a scan of any length ends if the disk hangs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::super::{Entry, Error, Key, OwnerName, Page, Purged, Scan};
use super::Files;
use super::folder::{Folder, HashedName, invalid_record, list, remove};
use super::operations::{Lock, Operations};

/// The number of files that one operation reads at most.
const BATCH: usize = 256;

/// The age from which an unfinished file counts as abandoned by its writer.
const UNFINISHED: Duration = Duration::from_secs(3_600);

/// One error for each skipped file.
type FileErrors = Vec<Error>;

/// Returns the value. Adds an error to `skipped`, and returns the default instead.
fn or_skip<T: Default>(found: Result<T, Error>, skipped: &mut FileErrors) -> T {
    found.unwrap_or_else(|error| {
        skipped.push(error);
        T::default()
    })
}

#[async_trait]
impl Scan for Files {
    /// Returns the first live records after the key, in the order of keys.
    async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error> {
        let (mut entries, mut skipped) = (Vec::new(), FileErrors::new());
        for part in self.0.unlocked(Folder::parts_of_records).await? {
            let files = part_of_records(&self.0, part, &mut skipped).await?;
            let found = read_files(&self.0, files, usize::MAX, &mut skipped, live_entry).await?;
            let is_after = |entry: &Entry| after.is_none_or(|after| entry.key > *after);
            entries.extend(found.into_iter().filter(is_after));
        }
        if after.is_some() {
            skipped.clear(); // the first page has reported them
        }
        Ok(Page {
            skipped,
            ..Page::first_of(entries, limit)
        })
    }

    /// Removes at most `limit` expired records, and all other files that are not used any more.
    async fn purge(&self, limit: usize) -> Result<Purged, Error> {
        let mut purge = PurgeRun::new(&self.0);
        let mut parts = self.0.unlocked(Folder::parts_to_purge).await?;
        // Continues where the last purge reached its limit.
        let next = &self.0.folder().next_part;
        let first = next.load(Ordering::Relaxed) % parts.len().max(1);
        parts.rotate_left(first);
        for (number, part) in parts.into_iter().enumerate() {
            purge.records(part, limit).await?;
            if purge.purged.removed == limit {
                next.store(first + number, Ordering::Relaxed);
                return Ok(purge.purged);
            }
        }
        purge.unfinished().await?;
        purge.owners().await?;
        purge.marks().await?;
        Ok(purge.purged)
    }
}

/// Returns the files in a part of the records.
async fn part_of_records(
    files: &Operations<Folder>,
    part: u8,
    skipped: &mut FileErrors,
) -> Result<Vec<PathBuf>, Error> {
    let list = move |folder: &Folder| Ok(list(&folder.part_of_records(part)));
    Ok(or_skip(files.unlocked(list).await?, skipped))
}

/// Returns the values that `read` finds in the files, `enough` at most.
async fn read_files<T: Send + 'static>(
    files: &Operations<Folder>,
    paths: Vec<PathBuf>,
    enough: usize,
    skipped: &mut FileErrors,
    read: fn(&Folder, &Path) -> Result<Option<T>, Error>,
) -> Result<Vec<T>, Error> {
    let mut found = Vec::new();
    for batch in paths.chunks(BATCH) {
        if found.len() >= enough {
            break;
        }
        let batch = batch.to_vec();
        let read = move |folder: &Folder| {
            let mut skipped = FileErrors::new();
            let read = |path: &PathBuf| or_skip(read(folder, path), &mut skipped);
            let found: Vec<T> = batch.iter().filter_map(read).collect();
            Ok((found, skipped))
        };
        let (more, errors) = files.unlocked(read).await?;
        found.extend(more);
        skipped.extend(errors);
    }
    found.truncate(enough);
    Ok(found)
}

fn live_entry(folder: &Folder, path: &Path) -> Result<Option<Entry>, Error> {
    let name = HashedName::of_file(path).ok_or_else(|| invalid_record(path))?;
    Ok(match folder.record(&name)? {
        Some(file) if folder.is_live(&file)? => Some(file.into_entry()),
        _ => None,
    })
}

/// Returns the name of the record in that file, if it is not live any more.
fn expired_record(folder: &Folder, path: &Path) -> Result<Option<HashedName>, Error> {
    let name = HashedName::of_file(path).ok_or_else(|| invalid_record(path))?;
    let is_expired = match folder.record(&name)? {
        Some(file) => !folder.is_live(&file)?,
        None => false,
    };
    Ok(is_expired.then_some(name))
}

/// Returns the owner in that file, if the owner's record has expired.
fn expired_owner(folder: &Folder, path: &Path) -> Result<Option<OwnerName>, Error> {
    let below = path.file_name().unwrap_or_default().as_ref();
    let owner = folder.owner(below)?;
    Ok(owner
        .filter(|owner| !owner.is_live())
        .map(|owner| owner.name))
}

/// Removes an unfinished file whose writer has abandoned it.
fn purge_unfinished(folder: &Folder, path: &Path) -> Result<Option<()>, Error> {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|modified| modified.elapsed().ok());
    if age.is_some_and(|age| age > UNFINISHED) {
        remove(
            &folder.unfinished,
            path.file_name().unwrap_or_default().as_ref(),
        )?;
    }
    Ok(None)
}

/// A running purge.
struct PurgeRun<'a> {
    files: &'a Operations<Folder>,
    /// The time that it waits for locks of other processes. It is zero after the first wait that
    /// times out: a wait for the lock of each file would take too long.
    patience: Duration,
    purged: Purged,
}

impl<'a> PurgeRun<'a> {
    fn new(files: &'a Operations<Folder>) -> Self {
        PurgeRun {
            files,
            patience: files.timeout(),
            purged: Purged::default(),
        }
    }

    async fn records(&mut self, part: u8, limit: usize) -> Result<(), Error> {
        let skipped = &mut self.purged.skipped;
        let paths = part_of_records(self.files, part, skipped).await?;
        let remaining = limit - self.purged.removed;
        let expired = read_files(self.files, paths, remaining, skipped, expired_record).await?;
        for batch in expired.chunks(BATCH) {
            let batch = batch.to_vec();
            let remove = move |folder: &Folder| {
                let mut purged = Purged::default();
                for name in &batch {
                    let removed = or_skip(folder.remove_if_expired(name), &mut purged.skipped);
                    purged.removed += usize::from(removed);
                }
                Ok(purged)
            };
            let Purged { removed, skipped } = self.locked(Lock::records(part), remove).await;
            self.purged.removed += removed;
            self.purged.skipped.extend(skipped);
        }
        Ok(())
    }

    async fn unfinished(&mut self) -> Result<(), Error> {
        let unfinished = |folder: &Folder| list(folder.unfinished.folder());
        let paths = self.files.unlocked(unfinished).await?;
        let skipped = &mut self.purged.skipped;
        read_files(self.files, paths, usize::MAX, skipped, purge_unfinished).await?;
        Ok(())
    }

    async fn owners(&mut self) -> Result<(), Error> {
        let owners = |folder: &Folder| list(folder.owners.folder());
        let paths = self.files.unlocked(owners).await?;
        let skipped = &mut self.purged.skipped;
        for owner in read_files(self.files, paths, usize::MAX, skipped, expired_owner).await? {
            let lock = Lock::owner(&owner);
            self.locked(lock, move |folder| folder.remove_owner_if_expired(&owner))
                .await;
        }
        Ok(())
    }

    /// Removes the marks on owners' lists that belong to no record of that owner.
    async fn marks(&mut self) -> Result<(), Error> {
        let lists = |folder: &Folder| list(folder.owned.folder());
        for path in self.files.unlocked(lists).await? {
            let Some(owner) = HashedName::of_file(&path) else {
                continue;
            };
            let of = owner.clone();
            let stale = move |folder: &Folder| Ok(folder.stale_marks(&of));
            let stale = self.files.unlocked(stale).await?;
            for name in or_skip(stale, &mut self.purged.skipped) {
                let (lock, of) = (Lock::record(&name), owner.clone());
                self.locked(lock, move |folder| folder.remove_mark_if_stale(&of, &name))
                    .await;
            }
        }
        Ok(())
    }

    /// Runs the work under the lock, and returns its result, or the default if another process
    /// holds the lock.
    async fn locked<T: Default + Send + 'static>(
        &mut self,
        lock: Lock,
        work: impl FnOnce(&Folder) -> Result<T, Error> + Send + 'static,
    ) -> T {
        let give_up = Instant::now() + self.patience;
        let done = self.files.locked_until(give_up, lock, work).await;
        if done.as_ref().is_err_and(Error::is_unavailable) {
            self.patience = Duration::ZERO;
        }
        or_skip(done, &mut self.purged.skipped)
    }
}

impl Folder {
    /// Returns the parts that have a folder, in their order.
    fn parts_of_records(&self) -> Result<Vec<u8>, Error> {
        let paths = list(self.records.folder())?;
        let part = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?;
            u8::from_str_radix(name, 16).ok()
        };
        let mut parts: Vec<u8> = paths.iter().filter_map(part).collect();
        parts.sort_unstable();
        Ok(parts)
    }

    /// Returns the same parts, for a program that may write.
    ///
    /// # Errors
    /// Returns an unavailable error if this program must not write here.
    fn parts_to_purge(&self) -> Result<Vec<u8>, Error> {
        self.access()?;
        self.parts_of_records()
    }

    /// Removes an expired record, unless another process has replaced it before this one had the
    /// lock.
    fn remove_if_expired(&self, name: &HashedName) -> Result<bool, Error> {
        match self.record(name)? {
            Some(file) if !self.is_live(&file)? => self.drop_record(name, &file.record),
            _ => Ok(false),
        }
    }

    /// Removes the file of an expired owner, unless another process has renewed it before this one
    /// had the lock.
    fn remove_owner_if_expired(&self, owner: &OwnerName) -> Result<(), Error> {
        match self.read_owner(owner)? {
            Some(_) => Ok(()),
            None => remove(&self.owners, &Folder::owner_below(owner)).map(drop),
        }
    }

    /// Returns the marks on that owner's list that belong to no record of the owner.
    fn stale_marks(&self, owner: &HashedName) -> Result<Vec<HashedName>, Error> {
        let marks = list(&self.owned.path(owner.to_string()))?;
        let names = marks.iter().filter_map(|path| HashedName::of_file(path));
        Ok(names
            .filter(|name| !self.is_mark_valid(owner, name))
            .collect())
    }

    /// Removes a mark, unless another process has written its record since.
    fn remove_mark_if_stale(&self, owner: &HashedName, name: &HashedName) -> Result<(), Error> {
        let below = Path::new(&owner.to_string()).join(name.to_string());
        match self.is_mark_valid(owner, name) {
            true => Ok(()),
            false => remove(&self.owned, &below).map(drop),
        }
    }

    /// Returns whether the record belongs to that owner, or is a live one that has lost its owner. An
    /// unreadable record counts as the owner's. The purge of that record reports it.
    fn is_mark_valid(&self, list: &HashedName, name: &HashedName) -> bool {
        match self.record(name) {
            Ok(Some(file)) => match file.record.owner() {
                Some(owner) => HashedName::of(owner.name.as_str().as_bytes()) == *list,
                None => self.is_live(&file).unwrap_or(true),
            },
            Ok(None) => false,
            Err(_) => true,
        }
    }
}
