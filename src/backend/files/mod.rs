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
//! | `scan.rs` | the same, of all files |
//! | `disk.rs` | files read and written whole |
//! | `format.rs` | what is in a file |
//! | `gorilla.rs` | [`GorillaFiles`]: another folder, that of gorilla's `FilesystemStore` |

mod disk;
mod folder;
mod format;
mod gorilla;
mod scan;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Backend, Created, Error, Expiry, Generation, Key, Outcome, Owner, Owners, Page, Purged, Record,
    Revision, Scan, Stored,
};
use folder::{Folder, Name, paths_in};
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
/// Folders and files are for their owner only (0700, 0600) where the system has modes. A folder
/// that was there before, and that its mode closes to all but a group (0770), is shared with
/// that group, and so are the files.
///
/// A program that runs as root gives what it makes to the owner of the store, so that a command
/// of an operator shuts no service out. Whoever owns the folder could lead root's writes
/// elsewhere by links: run such commands as the service's user where you can. A program of
/// another user, who could not give its files to the store's owner, must not write.
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
    /// [Unavailable](Error::is_unavailable), if it cannot be made or written to, or belongs to
    /// another user.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = Folder::open(folder.as_ref())?;
        Ok(Files(Arc::new(folder)))
    }

    /// Records below `folder`, which holds a store already. Makes nothing: for programs that
    /// look after the store of a service.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), if there is no store;
    /// [unavailable](Error::is_unavailable), if the user who runs this program cannot read it.
    pub fn open_existing(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = Folder::open_existing(folder.as_ref())?;
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

    /// Looks whether the folder is there, and whether this program may write to it.
    async fn ping(&self) -> Result<(), Error> {
        self.run(|folder| folder.check()).await
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
        Owner::check_name(owner)?;
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
        Owner::check_name(owner)?;
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
            if folder.owner_to_write(&owner)?.is_none() {
                return Ok(keys);
            }
            for mark in paths_in(&folder.list_of(&owner))? {
                // One that cannot be read hides none of the others: a purge names it.
                let listed = folder.listed(&mark).unwrap_or_default();
                keys.extend(listed.filter(|(of, _)| *of == owner).map(|(_, key)| key));
            }
            Ok(keys)
        })
        .await
    }
}

#[async_trait]
impl Scan for Files {
    async fn page(&self, after: Option<&Key>, limit: usize) -> Result<Page, Error> {
        let after = after.cloned();
        self.run(move |folder| folder.page(after.as_ref(), limit))
            .await
    }

    async fn purge(&self, limit: usize) -> Result<Purged, Error> {
        self.run(move |folder| folder.purge(limit)).await
    }
}

/// The folder's path.
impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Files").field(&self.0.path()).finish()
    }
}
