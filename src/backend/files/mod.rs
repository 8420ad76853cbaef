//! [`Files`]: a file for each record, below one folder.
//!
//! A file is written under a temporary name, synced, and renamed. Therefore a reader finds the
//! whole old record or the whole new one, even after a crash. File names are hashes of keys, so no
//! key leads out of the folder. Compare and write are one step under a lock file for each part of
//! the keys, which also holds between processes. The contents of a file are an envelope
//! (`backend/envelope.rs`).
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`Files`]: the operations of a backend |
//! | `options.rs` | [`FilesOptions`] |
//! | `operations.rs` | the time limits and the locks of operations |
//! | `workers.rs` | the threads that wait for the disk |
//! | `folder.rs` | the work of an operation on files |
//! | `scan.rs` | scans and purges, which read all files |
//! | `base.rs` | missing files, and folders that have vanished |
//! | `disk.rs` | files and folders: made, locked and synced |
//! | `gorilla.rs` | [`GorillaFiles`]: the folder of gorilla's `FilesystemStore` |

mod base;
mod disk;
mod folder;
mod gorilla;
mod operations;
mod options;
mod scan;
#[cfg(test)]
mod tests;
mod workers;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::envelope::RecordEnvelope;
use super::error::of_one;
use super::owner_state::{OwnerChange, OwnerState, owners_by_state};
use super::{
    Backend, Created, Error, Expiry, Generation, Generations, Key, Login, Outcome, OwnerName,
    Owners, Record, Revision, Scan, Stored,
};
use folder::{Folder, HashedName};
pub use gorilla::GorillaFiles;
use operations::{Lock, Locks, Operations};
pub use options::FilesOptions;

/// Keeps each record in a file of its own, for sessions on one machine that outlive the process.
/// Several processes may share the folder if its file system has locks; network file systems often
/// have none.
///
/// Every write is synced to the disk, file and folder, before it is acknowledged. It costs as much
/// as the disk's sync. Records expire by this machine's clock. Expired records stay until they are
/// purged ([`Cleanup`](super::Cleanup)). A page of a [scan](Backend::scan) reads all records.
///
/// The backend does not count records: [strangers](super#records-of-strangers) can fill the file
/// system, its space and its inodes. Give the folder a quota or a volume of its own.
///
/// Operations run in threads of the backend's own. An operation that exceeds its [time
/// limit](FilesOptions::timeout) is unavailable, or its outcome is unknown. An operation is also
/// unavailable if another process holds its lock. While the folder is missing, or an empty volume
/// is mounted in its place, every operation is unavailable. When the folder is back, the store goes
/// on.
///
/// Opening a store waits for the disk without a limit. Needs tokio with its timer; under a paused
/// clock, operations time out at once.
///
/// Folders and files are for their owner only (0700, 0600) where the system has modes. If the
/// folder existed before and its mode lets in a group but no others (0770), the store's files are
/// shared with that group.
///
/// A program that runs as root gives the files it makes to the owner of the store, so that an
/// operator's command does not lock the service out. The folder's owner could lead root's writes to
/// other places by links: run such commands as the service's user where you can. A program of any
/// other user may write only if the store is shared with its group. Otherwise the store's owner
/// could not read its files.
///
/// ```no_run
/// # fn main() -> Result<(), silverback::backend::Error> {
/// let backend = silverback::backend::Files::open("/var/lib/shop/sessions")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Files(Arc<Operations<Folder>>);

impl Files {
    /// Opens the store in `folder`, and creates the folder if it is missing.
    ///
    /// # Errors
    /// Returns an [unavailable](Error::is_unavailable) error if the folder cannot be created or
    /// written to, or belongs to another user.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, Error> {
        Files::open_with(folder, FilesOptions::new())
    }

    /// Opens the store as [`open`](Files::open) does, with options.
    ///
    /// ```
    /// # fn main() -> Result<(), silverback::backend::Error> {
    /// # let folder = std::env::temp_dir().join(format!("silverback-doc-{}", std::process::id()));
    /// use std::time::Duration;
    /// use silverback::backend::{Files, FilesOptions};
    ///
    /// let options = FilesOptions::new().timeout(Duration::from_secs(2));
    /// let backend = Files::open_with(&folder, options)?;
    /// # drop(backend);
    /// # std::fs::remove_dir_all(&folder).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`open`](Files::open), and a [usage](Error::is_usage) error for
    /// options without a thread or without time. If nothing may be
    /// [created](FilesOptions::create_if_missing), returns a usage error if there is no store, and
    /// an unavailable error if this program's user cannot read it.
    pub fn open_with(folder: impl AsRef<Path>, options: FilesOptions) -> Result<Self, Error> {
        options.check()?;
        let folder = match options.create_if_missing {
            true => Folder::create(folder.as_ref())?,
            false => Folder::find(folder.as_ref())?,
        };
        Ok(Files(Arc::new(Operations::new(folder, &options))))
    }

    /// Applies `change` to the live record that was seen.
    async fn change<T: Send + 'static>(
        &self,
        key: &Key,
        seen: &Revision,
        change: impl FnOnce(&Folder, &HashedName, RecordEnvelope) -> Result<T, Error> + Send + 'static,
    ) -> Result<Outcome<T>, Error> {
        let (key, seen) = (key.clone(), seen.clone());
        let name = HashedName::of(key.as_bytes());
        let lock = Lock::record(&name);
        let change = move |folder: &Folder| match folder.read(&name, &key)? {
            None => Ok(Outcome::Gone),
            Some(file) if file.revision() != seen => Ok(Outcome::Conflict),
            Some(file) => change(folder, &name, file).map(Outcome::Done),
        };
        self.0.locked(lock, change).await
    }
}

impl Files {
    async fn live_owner(&self, owner: &OwnerName) -> Result<Option<OwnerState>, Error> {
        let owner = owner.clone();
        let read = move |folder: &Folder| folder.read_owner(&owner);
        Ok(self.0.unlocked(read).await?.map(|of| of.state))
    }

    /// Changes the owner's file, or a new one, under its lock. Returns the owner's state after that.
    async fn change_owner(
        &self,
        owner: &OwnerName,
        until: Expiry,
        change: OwnerChange,
    ) -> Result<OwnerState, Error> {
        let name = owner.clone();
        let change = move |folder: &Folder| folder.change_owner(&name, until, change);
        self.0.locked(Lock::owner(owner), change).await
    }
}

#[async_trait]
impl Backend for Files {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let key = key.clone();
        let read = move |folder: &Folder| folder.read(&HashedName::of(key.as_bytes()), &key);
        let file = self.0.unlocked(read).await?;
        Ok(file.map(RecordEnvelope::into_stored))
    }

    async fn load_many(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
        let keys = keys.to_vec();
        let read = move |folder: &Folder| {
            let read = |key: &Key| folder.read(&HashedName::of(key.as_bytes()), key);
            keys.iter().map(|key| of_one(read(key))).collect()
        };
        let files: Vec<Result<Option<RecordEnvelope>, Error>> = self.0.unlocked(read).await?;
        let stored = |file: Option<RecordEnvelope>| file.map(RecordEnvelope::into_stored);
        Ok(files.into_iter().map(|file| file.map(stored)).collect())
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        let (key, record) = (key.clone(), record.clone());
        let name = HashedName::of(key.as_bytes());
        let lock = Lock::record(&name);
        let create = move |folder: &Folder| match folder.read(&name, &key)? {
            Some(_) => Ok(Created::Exists),
            None => folder
                .write_record(&name, &key, &record)
                .map(Created::Saved),
        };
        self.0.locked(lock, create).await
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        let (of, record) = (key.clone(), record.clone());
        self.change(key, seen, move |folder, name, _| {
            folder.write_record(name, &of, &record)
        })
        .await
    }

    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        until: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        let of = key.clone();
        self.change(key, seen, move |folder, name, file| {
            folder.write_record(name, &of, &file.record.with_expiry(until))
        })
        .await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        self.change(key, seen, |folder, name, file| {
            folder.remove_record(name, &file.record)
        })
        .await
    }

    /// Checks that the folder exists, and that this program may write to it.
    async fn ping(&self) -> Result<(), Error> {
        self.0.unlocked(Folder::check).await
    }

    fn owners(&self) -> Option<&dyn Owners> {
        Some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }
}

owners_by_state!(Files {
    async fn keys(&self, owner: &OwnerName) -> Result<Vec<Key>, Error> {
        let owner = owner.clone();
        let keys = move |folder: &Folder| folder.listed_keys(&owner);
        self.0.unlocked(keys).await
    }
});

/// Shows the folder's path.
impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Files")
            .field(&self.0.folder().path())
            .finish()
    }
}
