//! [`Files`]: a file for each record, below one folder.
//!
//! A file is written beside its place, synced, and renamed into it: whoever reads finds the
//! whole old record or the whole new one, also after a crash. Names are hashes of keys, so
//! no key leads out of the folder. Compare and write are one step under a lock file for
//! each part of the keys, which holds between processes too.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | [`Files`]: the operations of a backend |
//! | `folder.rs` | the same, one by one and waiting for the disk |
//! | `disk.rs` | files read and written whole |
//! | `format.rs` | what is in a file |
//! | `gorilla.rs` | [`GorillaFiles`]: another folder, that of gorilla's `FilesystemStore` |

mod disk;
mod folder;
mod format;
mod gorilla;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Backend, Created, Entry, Error, Expiry, Generation, Key, Outcome, Owners, Record, Revision,
    Scan, Stored,
};
use disk::{paths_in, read};
use folder::{Folder, Name};
use format::{OwnerFile, RecordFile};
pub use gorilla::GorillaFiles;

/// Keeps each record in a file of its own: for one machine, and sessions that outlive the
/// process. Several processes may share the folder, as long as its file system has locks
/// (network file systems often do not).
///
/// Every acknowledged write is synced to the disk, file and folder, before the answer: it
/// costs what the disk's sync costs. Records expire by this machine's clock; expired ones
/// stay until they are purged ([`Cleanup`](super::Cleanup)). A page of a
/// [scan](Backend::scan) reads all records.
///
/// Folders and files are for their owner only (0700, 0600) where the system has modes.
///
/// ```no_run
/// # fn main() -> Result<(), silverback::backend::Error> {
/// let backend = silverback::backend::Files::open("/var/lib/shop/sessions")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Files(Arc<Folder>);

impl Files {
    /// Records below `folder`, which is made if there is none.
    ///
    /// # Errors
    /// [Unavailable](Error::is_unavailable), if it cannot be made or written to.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = Folder::open(folder.as_ref())?;
        Ok(Files(Arc::new(folder)))
    }

    /// Runs `work` where waiting for the disk keeps nobody else waiting. It is done whole,
    /// even if nobody waits for the answer any more.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let folder = self.0.clone();
        let done = tokio::task::spawn_blocking(move || work(&folder)).await;
        done.unwrap_or_else(|error| {
            Err(Error::outcome_unknown("the work was not finished").with_source(error))
        })
    }
}

#[async_trait]
impl Backend for Files {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let key = key.clone();
        self.run(move |folder| {
            let file = folder.read(&Name::of(key.as_bytes()), &key)?;
            Ok(file.map(RecordFile::into_stored))
        })
        .await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        let (key, record) = (key.clone(), record.clone());
        self.run(move |folder| {
            let name = Name::of(key.as_bytes());
            let _lock = folder.lock("records", &name)?;
            match folder.read(&name, &key)? {
                Some(_) => Ok(Created::Exists),
                None => folder
                    .write_record(&name, &key, &record)
                    .map(Created::Saved),
            }
        })
        .await
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        let (key, seen, record) = (key.clone(), seen.clone(), record.clone());
        self.run(move |folder| {
            folder.change(&key, &seen, |name, _| {
                folder.write_record(name, &key, &record)
            })
        })
        .await
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        let (key, seen) = (key.clone(), seen.clone());
        self.run(move |folder| {
            folder.change(&key, &seen, |name, file| {
                folder.write_record(name, &key, &file.record.until(until))
            })
        })
        .await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        let (key, seen) = (key.clone(), seen.clone());
        self.run(move |folder| {
            folder.change(&key, &seen, |name, file| {
                folder.remove_record(name, &file.record)
            })
        })
        .await
    }

    fn owners(&self) -> Option<&dyn Owners> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }
}

#[async_trait]
impl Owners for Files {
    async fn generation(&self, owner: &str) -> Result<Option<Generation>, Error> {
        let owner = owner.to_owned();
        self.run(move |folder| Ok(folder.read_owner(&owner)?.map(|of| of.generation)))
            .await
    }

    async fn begin(&self, owner: &str, until: Expiry) -> Result<Generation, Error> {
        let name = owner.to_owned();
        self.run(move |folder| {
            let _lock = folder.lock("owners", &Name::of(name.as_bytes()))?;
            let file = match folder.owner_to_write(&name)? {
                Some(of) if of.until >= until => return Ok(of.generation),
                Some(of) => OwnerFile { until, ..of },
                None => OwnerFile {
                    name,
                    generation: Generation::random()?,
                    until,
                    keep: None,
                },
            };
            folder.write_owner(&file)?;
            Ok(file.generation)
        })
        .await
    }

    async fn revoke(
        &self,
        owner: &str,
        until: Expiry,
        keep: Option<&Key>,
    ) -> Result<Generation, Error> {
        let (name, keep) = (owner.to_owned(), keep.cloned());
        self.run(move |folder| {
            let _lock = folder.lock("owners", &Name::of(name.as_bytes()))?;
            let before = folder.owner_to_write(&name)?.map(|of| of.until);
            let keep = match keep.map(|key| (folder.read(&Name::of(key.as_bytes()), &key), key)) {
                Some((Ok(Some(stored)), key)) => {
                    let owner = stored.record.owner();
                    owner.is_some_and(|owner| owner.name == name).then_some(key)
                }
                Some((Err(error), _)) if !error.is_corrupt() => return Err(error),
                _ => None,
            };
            let file = OwnerFile {
                name,
                generation: Generation::random()?,
                until: before.map_or(until, |before| before.max(until)),
                keep,
            };
            folder.write_owner(&file)?;
            Ok(file.generation)
        })
        .await
    }

    async fn keys(&self, owner: &str) -> Result<Vec<Key>, Error> {
        let owner = owner.to_owned();
        self.run(move |folder| {
            let mut keys = Vec::new();
            for mark in paths_in(&folder.list_of(&owner))? {
                let Some(bytes) = read(&mark)? else { continue };
                let key = Key::new(bytes)?;
                let file = match folder.read(&Name::of(key.as_bytes()), &key) {
                    // One file that is no record hides none of the others.
                    Err(error) if error.is_corrupt() => continue,
                    file => file?,
                };
                let of = file.and_then(|file| Some(file.record.owner()?.name.clone()));
                if of.as_ref() == Some(&owner) {
                    keys.push(key);
                }
            }
            Ok(keys)
        })
        .await
    }
}

#[async_trait]
impl Scan for Files {
    async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, Error> {
        let after = after.cloned();
        self.run(move |folder| {
            let mut entries = Vec::new();
            for path in folder.record_files()? {
                let Some(bytes) = read(&path)? else { continue };
                // One file that is no record hides none of the others; a purge tells of it.
                let Ok(file) = RecordFile::parse(&bytes) else {
                    continue;
                };
                let is_after = after.as_ref().is_none_or(|after| file.key > *after);
                if is_after && folder.is_live(&file)? {
                    entries.push(file.into_entry());
                }
            }
            entries.sort_by(|one, other| one.key.cmp(&other.key));
            entries.truncate(limit);
            Ok(entries)
        })
        .await
    }

    async fn purge(&self, limit: usize) -> Result<usize, Error> {
        self.run(move |folder| {
            let (mut purged, mut failure) = (0, None);
            for path in folder.record_files()? {
                if purged == limit {
                    return Ok(purged);
                }
                match folder.purge_record(&path) {
                    Ok(was_over) => purged += usize::from(was_over),
                    // One file that cannot be read keeps none of the others.
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            let leftovers = folder.purge_leftovers();
            failure.or(leftovers.err()).map_or(Ok(purged), Err)
        })
        .await
    }
}

/// The folder's path.
impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Files").field(&self.0.path()).finish()
    }
}
