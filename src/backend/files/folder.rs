//! [`Folder`]: the work of a backend on its files. Each method waits for the disk, and its caller
//! holds the locks.

use std::fmt;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;

use sha2::{Digest, Sha256};

use super::super::access::{Access, another_users, failed};
use super::super::envelope::{OwnerEnvelope, RecordEnvelope};
use super::super::owner_state::{OwnerChange, OwnerState};
use super::super::{Error, Expiry, Generation, Key, OwnerName, Record, Revision};
use super::base::{Base, paths_in};
use super::disk;
use super::operations::{Lock, Locks};

/// The folder of a store: its records, owners, lists of each owner's records, locks, and files that
/// are being written.
pub(super) struct Folder {
    path: PathBuf,
    pub(super) records: Base,
    pub(super) owners: Base,
    pub(super) owned: Base,
    locks: PathBuf,
    pub(super) unfinished: Base,
    /// The owner and mode of new files, or the error of a program that must not write here.
    access: Result<Access, Error>,
    /// The part of the records that the next purge begins with.
    pub(super) next_part: AtomicUsize,
}

/// The name of a file: a hash, which reveals neither the key nor the owner it is made from.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct HashedName([u8; 32]);

impl HashedName {
    pub(super) fn of(bytes: &[u8]) -> Self {
        HashedName(Sha256::digest(bytes).into())
    }

    /// Returns the name of a file, or `None` for a file that is not the store's.
    pub(super) fn of_file(path: &Path) -> Option<Self> {
        let mut hash = [0; 32];
        let name = path.file_name()?.to_str()?;
        let decoded = base16ct::lower::decode(name, &mut hash).ok()?;
        (decoded.len() == 32).then_some(HashedName(hash))
    }

    /// Returns the part of all names that this one is in.
    pub(super) fn part(&self) -> u8 {
        let HashedName([part, ..]) = self;
        *part
    }
}

/// Writes the file's name.
impl fmt::Display for HashedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

impl Lock {
    /// Returns the lock of a record.
    pub(super) fn record(name: &HashedName) -> Self {
        Lock::records(name.part())
    }

    /// Returns the lock of a part of the records.
    pub(super) fn records(part: u8) -> Self {
        let kind = "records";
        Lock { kind, part }
    }

    /// Returns the lock of an owner.
    pub(super) fn owner(owner: &OwnerName) -> Self {
        let (kind, part) = ("owners", HashedName::of(owner.as_str().as_bytes()).part());
        Lock { kind, part }
    }
}

impl Locks for Folder {
    fn try_lock(&self, lock: Lock) -> Result<Option<File>, Error> {
        let path = self.locks.join(lock.to_string());
        let locked = disk::try_lock(self.access()?, &path);
        locked.map_err(|error| failed("locked", &path, error))
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Folder {
    /// Opens the store in that folder, which is created if it is missing.
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let made = disk::make_folders(Access::default(), path);
        made.map_err(|error| failed("created", path, error))?;
        let folder = Folder::at(path);
        let access = folder.access()?;
        for below in folder.parts() {
            let made = disk::make_folder(access, below);
            made.map_err(|error| failed("created", below, error))?;
        }
        Ok(folder)
    }

    /// Opens the store in that folder, and creates nothing.
    pub(super) fn find(path: &Path) -> Result<Self, Error> {
        let folder = Folder::at(path);
        find_store(path, folder.records.folder())?;
        Ok(folder)
    }

    fn at(path: &Path) -> Self {
        let below = |name| Base::new(path.join(name));
        Folder {
            path: path.to_owned(),
            records: below("records"),
            owners: below("owners"),
            owned: below("owned"),
            locks: path.join("locks"),
            unfinished: below("unfinished"),
            access: Access::of(&path.join("records"), path),
            next_part: AtomicUsize::new(0),
        }
    }

    fn parts(&self) -> [&Path; 5] {
        let Folder {
            records,
            owners,
            owned,
            locks,
            unfinished,
            ..
        } = self;
        let [records, owners, owned, unfinished] =
            [records, owners, owned, unfinished].map(Base::folder);
        [records, owners, owned, locks, unfinished]
    }

    /// Returns the owner and mode of new files.
    ///
    /// # Errors
    /// Returns an unavailable error if this program must not write here.
    pub(super) fn access(&self) -> Result<Access, Error> {
        self.access.clone()
    }

    /// Checks that the whole store exists, and that this program may write to it.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.access()?;
        self.parts().into_iter().try_for_each(check_folder)
    }

    /// Returns the path of a record's file, below the folder of records.
    fn record_below(name: &HashedName) -> PathBuf {
        Folder::part_below(name.part()).join(name.to_string())
    }

    fn part_below(part: u8) -> PathBuf {
        format!("{part:02x}").into()
    }

    /// Returns the folder of a part of the records.
    pub(super) fn part_of_records(&self, part: u8) -> PathBuf {
        self.records.path(Folder::part_below(part))
    }

    pub(super) fn record_path(&self, name: &HashedName) -> PathBuf {
        self.records.path(Folder::record_below(name))
    }

    /// Returns the folder that lists an owner's records, below the folder of all lists. It contains
    /// a file for each record, which holds the record's key.
    fn list_below(owner: &OwnerName) -> PathBuf {
        HashedName::of(owner.as_str().as_bytes()).to_string().into()
    }

    /// Returns the file in that list which holds the record's key.
    fn mark_below(owner: &OwnerName, name: &HashedName) -> PathBuf {
        Folder::list_below(owner).join(name.to_string())
    }

    /// Returns the path of an owner's file, below the folder of owners.
    pub(super) fn owner_below(owner: &OwnerName) -> PathBuf {
        HashedName::of(owner.as_str().as_bytes()).to_string().into()
    }

    /// Returns the record, if it is live.
    pub(super) fn read(
        &self,
        name: &HashedName,
        key: &Key,
    ) -> Result<Option<RecordEnvelope>, Error> {
        let Some(file) = self.record(name)? else {
            return Ok(None);
        };
        if file.key != *key {
            let path = self.record_path(name);
            let message = format!("{path:?} contains the record of another key");
            return Err(Error::corrupt(message));
        }
        Ok(self.is_live(&file)?.then_some(file))
    }

    /// Returns the record, live or not, or `None` if there is no file.
    pub(super) fn record(&self, name: &HashedName) -> Result<Option<RecordEnvelope>, Error> {
        let bytes = read(&self.records, &Folder::record_below(name))?;
        let parse = |bytes: Vec<u8>| {
            RecordEnvelope::parse(&bytes).ok_or_else(|| invalid_record(&self.record_path(name)))
        };
        bytes.map(parse).transpose()
    }

    pub(super) fn is_live(&self, file: &RecordEnvelope) -> Result<bool, Error> {
        let record = &file.record;
        if record.expiry() <= Expiry::now() {
            return Ok(false);
        }
        let Some(owner) = record.owner() else {
            return Ok(true);
        };
        let current = self.read_owner(&owner.name)?;
        Ok(current.is_some_and(|of| of.state.lets_live(&owner.login)))
    }

    /// Returns the owner's record, if it is live.
    pub(super) fn read_owner(&self, owner: &OwnerName) -> Result<Option<OwnerEnvelope>, Error> {
        let below = Folder::owner_below(owner);
        let Some(file) = self.owner(&below)? else {
            return Ok(None);
        };
        if file.name != *owner {
            let path = self.owners.path(&below);
            let message = format!("{path:?} contains the record of another owner");
            return Err(Error::corrupt(message));
        }
        Ok(file.is_live().then_some(file))
    }

    /// Returns the owner in that file, live or not, or `None` if there is no file.
    pub(super) fn owner(&self, below: &Path) -> Result<Option<OwnerEnvelope>, Error> {
        let bytes = read(&self.owners, below)?;
        let parse = |bytes: Vec<u8>| {
            OwnerEnvelope::parse(&bytes).ok_or_else(|| invalid_record(&self.owners.path(below)))
        };
        bytes.map(parse).transpose()
    }

    pub(super) fn write_record(
        &self,
        name: &HashedName,
        key: &Key,
        record: &Record,
    ) -> Result<Revision, Error> {
        if let Some(owner) = record.owner() {
            // The mark is written before the record, so that the list is complete.
            let list = self.owned.path(Folder::list_below(&owner.name));
            self.make_folder(&list)?;
            self.write(&list.join(name.to_string()), key.as_bytes())?;
        }
        let file = RecordEnvelope {
            key: key.clone(),
            revision: *Generation::random()?.as_bytes(),
            record: record.clone(),
        };
        self.make_folder(&self.part_of_records(name.part()))?;
        let path = self.record_path(name);
        self.write(&path, &file.to_vec())?;
        Ok(file.revision())
    }

    fn make_folder(&self, path: &Path) -> Result<(), Error> {
        let made = disk::make_folder(self.access()?, path);
        made.map_err(|error| failed("created", path, error))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let random = base16ct::lower::encode_string(Generation::random()?.as_bytes());
        let replaced = disk::replace(self.access()?, path, &self.unfinished.path(random), bytes);
        replaced.map_err(|error| failed("written", path, error))?;
        disk::sync_folder_of(path)
    }

    /// Removes the record, and then its mark. The removals survive a crash.
    pub(super) fn remove_record(&self, name: &HashedName, record: &Record) -> Result<(), Error> {
        let mark = record.owner().map(|owner| &owner.name);
        let mark = mark.map(|owner| (&self.owned, Folder::mark_below(owner, name)));
        for (base, below) in [(&self.records, Folder::record_below(name))]
            .into_iter()
            .chain(mark)
        {
            if remove(base, &below)? {
                disk::sync_folder_of(&base.path(&below))?;
            }
        }
        Ok(())
    }

    /// Removes the record and its mark, and syncs nothing. Returns whether the record existed.
    pub(super) fn drop_record(&self, name: &HashedName, record: &Record) -> Result<bool, Error> {
        let is_removed = remove(&self.records, &Folder::record_below(name))?;
        if let Some(owner) = record.owner() {
            remove(&self.owned, &Folder::mark_below(&owner.name, name))?;
        }
        Ok(is_removed)
    }

    /// Returns the keys of the live records on the owner's list. A mark stays until a purge removes it,
    /// so that a list that is read during a move has one of the two keys.
    pub(super) fn listed_keys(&self, owner: &OwnerName) -> Result<Vec<Key>, Error> {
        let mut keys = Vec::new();
        if self.owner_to_write(owner)?.is_none() {
            return Ok(keys);
        }
        let list = Folder::list_below(owner);
        let marks = self.owned.paths_in(&list);
        for mark in marks.map_err(|error| failed("read", &self.owned.path(&list), error))? {
            // The list skips an unreadable record. A purge reports it.
            keys.extend(self.listed(owner, &mark).unwrap_or_default());
        }
        Ok(keys)
    }

    /// Returns the key of the live record that the mark lists, unless it has another owner. A record
    /// that has lost its owner may name the key that it moved to.
    fn listed(&self, owner: &OwnerName, mark: &Path) -> Result<Option<Key>, Error> {
        let Some(bytes) = read(&self.owned, mark)? else {
            return Ok(None);
        };
        let key = Key::new(bytes)?;
        let file = self.read(&HashedName::of(key.as_bytes()), &key)?;
        let is_listed = |record: &Record| record.owner().is_none_or(|of| of.name == *owner);
        Ok(file
            .is_some_and(|file| is_listed(&file.record))
            .then_some(key))
    }

    /// Returns the owner's file, for a caller that is about to replace it. A damaged file lets no
    /// record live, so it counts as missing.
    pub(super) fn owner_to_write(&self, name: &OwnerName) -> Result<Option<OwnerEnvelope>, Error> {
        match self.read_owner(name) {
            Err(error) if error.is_corrupt() => Ok(None),
            read => read,
        }
    }

    /// Changes the owner's live file, or a new one, and returns the owner's state after that. The
    /// caller holds the owner's lock.
    pub(super) fn change_owner(
        &self,
        name: &OwnerName,
        until: Expiry,
        change: OwnerChange,
    ) -> Result<OwnerState, Error> {
        let before = self.owner_to_write(name)?.map(|file| file.state);
        let (fresh, now) = (Generation::random()?, Expiry::now());
        let state = OwnerState::after(change, before.as_ref(), until, fresh, now);
        if before.as_ref() != Some(&state) {
            let file = OwnerEnvelope {
                name: name.clone(),
                state: state.clone(),
            };
            let path = self.owners.path(Folder::owner_below(name));
            self.write(&path, &file.to_vec())?;
        }
        Ok(state)
    }
}

pub(super) fn invalid_record(path: &Path) -> Error {
    Error::corrupt(format!("{path:?} is not a complete record"))
}

/// Checks that the store in the folder `path` exists: that this program's user can read the folder
/// `held` in it, which was created with the store.
pub(super) fn find_store(path: &Path, held: &Path) -> Result<(), Error> {
    match fs::read_dir(held) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(another_users(path)),
        Err(error) => {
            let message =
                format!("{path:?} contains no session store: check the path (nothing was created)");
            Err(Error::usage(message).with_source(error))
        }
    }
}

/// Checks that the folder exists and may be written to.
pub(super) fn check_folder(path: &Path) -> Result<(), Error> {
    Access::check_folder(path).map_err(|error| failed("used", path, error))
}

pub(super) fn read(base: &Base, below: &Path) -> Result<Option<Vec<u8>>, Error> {
    let read = base.read(below);
    read.map_err(|error| failed("read", &base.path(below), error))
}

/// Returns the paths in an existing folder.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    paths_in(folder).map_err(|error| failed("read", folder, error))
}

/// Removes a file, and returns whether it existed. The removal survives a crash once the folder is
/// synced.
pub(super) fn remove(base: &Base, below: &Path) -> Result<bool, Error> {
    let removed = base.remove(below);
    removed.map_err(|error| failed("removed", &base.path(below), error))
}
