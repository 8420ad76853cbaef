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
//! | `options.rs` | [`FilesOptions`] |
//! | `operations.rs` | how long an operation takes, and when it has its lock |
//! | `workers.rs` | the threads that wait for the disk |
//! | `folder.rs` | what an operation does to files |
//! | `scan.rs` | the same, of all files |
//! | `base.rs` | files that are missing, and folders that have vanished |
//! | `disk.rs` | files and folders made, locked and synced |
//! | `format.rs` | what is in a file |
//! | `gorilla.rs` | [`GorillaFiles`]: another folder, that of gorilla's `FilesystemStore` |

mod base;
mod disk;
mod folder;
mod format;
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

use super::{
    Backend, Created, Error, Expiry, Generation, Key, Login, Outcome, Owner, Owners, Record,
    Revision, Scan, Stored,
};
use folder::{Folder, Name};
use format::{OwnerFile, RecordFile};
pub use gorilla::GorillaFiles;
use operations::{Lock, Locks, Operations};
pub use options::FilesOptions;

/// Keeps each record in a file of its own: for one machine, and sessions that outlive the
/// process. Several processes may share the folder, as long as its file system has locks
/// (network file systems often do not).
///
/// Every acknowledged write is synced to the disk, file and folder, before the answer: it
/// costs what the disk's sync costs. Records expire by this machine's clock; expired ones
/// stay until they are purged ([`Cleanup`](super::Cleanup)). A page of a
/// [scan](Backend::scan) reads all records.
///
/// It counts no records: [strangers](super#records-of-strangers) can fill the file system, its
/// space and its inodes. Give the folder a quota or a volume of its own.
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
pub struct Files(Arc<Operations<Folder>>);

impl Files {
    /// Records below `folder`, which is made if there is none.
    ///
    /// # Errors
    /// [Unavailable](Error::is_unavailable), if it cannot be made or written to, or belongs to
    /// another user.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, Error> {
        Files::open_with(folder, FilesOptions::new())
    }

    /// As [`open`](Files::open), with options.
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
    /// As [`open`](Files::open); [usage](Error::is_usage), for options without a thread.
    pub fn open_with(folder: impl AsRef<Path>, options: FilesOptions) -> Result<Self, Error> {
        let folder = Folder::open(folder.as_ref())?;
        Ok(Files(Arc::new(Operations::new(folder, &options)?)))
    }

    /// Records below `folder`, which holds a store already. Makes nothing: for programs that
    /// look after the store of a service.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), if there is no store;
    /// [unavailable](Error::is_unavailable), if the user who runs this program cannot read it.
    pub fn open_existing(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = Folder::open_existing(folder.as_ref())?;
        Ok(Files(Arc::new(Operations::new(
            folder,
            &FilesOptions::new(),
        )?)))
    }

    /// Changes the living record that was seen.
    async fn change<T: Send + 'static>(
        &self,
        key: &Key,
        seen: &Revision,
        change: impl FnOnce(&Folder, &Name, RecordFile) -> Result<T, Error> + Send + 'static,
    ) -> Result<Outcome<T>, Error> {
        let (key, seen) = (key.clone(), seen.clone());
        let name = Name::of(key.as_bytes());
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
    /// Changes the owner's file, or a fresh one, under its lock.
    async fn change_owner(
        &self,
        owner: &str,
        until: Expiry,
        change: impl FnOnce(&mut OwnerFile) -> Result<(), Error> + Send + 'static,
    ) -> Result<OwnerFile, Error> {
        Owner::check_name(owner)?;
        let name = owner.to_owned();
        let change = move |folder: &Folder| folder.change_owner(&name, until, change);
        self.0.locked(Lock::owner(owner), change).await
    }
}

#[async_trait]
impl Backend for Files {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let key = key.clone();
        let read = move |folder: &Folder| folder.read(&Name::of(key.as_bytes()), &key);
        let file = self.0.unlocked(read).await?;
        Ok(file.map(RecordFile::into_stored))
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        let (key, record) = (key.clone(), record.clone());
        let name = Name::of(key.as_bytes());
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
            folder.write_record(name, &of, &file.record.until(until))
        })
        .await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        self.change(key, seen, |folder, name, file| {
            folder.remove_record(name, &file.record)
        })
        .await
    }

    /// Looks whether the folder is there, and whether this program may write to it.
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

#[async_trait]
impl Owners for Files {
    async fn generation(&self, owner: &str) -> Result<Option<Generation>, Error> {
        let owner = owner.to_owned();
        let read = move |folder: &Folder| folder.read_owner(&owner);
        Ok(self.0.unlocked(read).await?.map(|of| of.generation))
    }

    async fn begin(&self, owner: &str, until: Expiry, _: &Key) -> Result<Login, Error> {
        let count = |file: &mut OwnerFile| {
            file.logins += 1;
            Ok(())
        };
        let counted = self.change_owner(owner, until, count).await?;
        Ok(Login {
            generation: counted.generation,
            number: counted.logins,
        })
    }

    async fn extend(&self, owner: &str, until: Expiry) -> Result<Generation, Error> {
        let extended = self.change_owner(owner, until, |_| Ok(())).await?;
        Ok(extended.generation)
    }

    async fn revoke(
        &self,
        owner: &str,
        until: Expiry,
        keep: Option<&Login>,
    ) -> Result<Generation, Error> {
        let keep = keep.copied();
        let revoke = move |file: &mut OwnerFile| {
            file.kept = keep.filter(|login| file.lets_live(login));
            file.generation = Generation::random()?;
            Ok(())
        };
        Ok(self.change_owner(owner, until, revoke).await?.generation)
    }

    async fn keys(&self, owner: &str) -> Result<Vec<Key>, Error> {
        let owner = owner.to_owned();
        let keys = move |folder: &Folder| folder.listed_keys(&owner);
        self.0.unlocked(keys).await
    }
}

/// The folder's path.
impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Files")
            .field(&self.0.folder().path())
            .finish()
    }
}
