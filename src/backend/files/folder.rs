//! [`Folder`]: what is done to the files of a backend, one by one and waiting for the disk.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;

use sha2::{Digest, Sha256};

use super::super::access::{Access, another_users, failed};
use super::super::{Error, Expiry, Generation, Key, Outcome, Record, Revision};
use super::disk;
use super::format::{OwnerFile, RecordFile};

/// The folder: its records, owners, lists of what is whose, locks, and files that are being
/// written.
pub(super) struct Folder {
    path: PathBuf,
    pub(super) records: PathBuf,
    pub(super) owners: PathBuf,
    pub(super) owned: PathBuf,
    locks: PathBuf,
    pub(super) unfinished: PathBuf,
    /// What new files get; the error of a program that must not write here.
    access: Result<Access, Error>,
    /// Which of the folders of records the next purge begins with.
    pub(super) next_folder: AtomicUsize,
}

/// The name of a file: nothing of what it is named after is left in it.
pub(super) struct Name(String);

impl Name {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Name(base16ct::lower::encode_string(&Sha256::digest(bytes)))
    }

    /// The name that a file has already.
    pub(super) fn of_file(name: &str) -> Self {
        Name(name.to_owned())
    }

    /// The part of all names that this one is in: its first two digits.
    pub(super) fn part(&self) -> &str {
        self.0.get(..2).unwrap_or_default()
    }
}

impl Folder {
    /// The store in that folder, which is made if there is none.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let made = disk::make_folders(Access::default(), path);
        made.map_err(|error| failed("made", path, error))?;
        let folder = Folder::at(path);
        let access = folder.access()?;
        for below in folder.parts() {
            let made = disk::make_folder(access, below);
            made.map_err(|error| failed("made", below, error))?;
        }
        Ok(folder)
    }

    /// The store in that folder. Makes nothing.
    pub(super) fn open_existing(path: &Path) -> Result<Self, Error> {
        let folder = Folder::at(path);
        match fs::read_dir(&folder.records) {
            Ok(_) => Ok(folder),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(another_users(path)),
            Err(error) => {
                let message = format!("{path:?} holds no store of sessions: nothing was made");
                Err(Error::usage(message).with_source(error))
            }
        }
    }

    fn at(path: &Path) -> Self {
        let below = |name| path.join(name);
        Folder {
            path: path.to_owned(),
            records: below("records"),
            owners: below("owners"),
            owned: below("owned"),
            locks: below("locks"),
            unfinished: below("unfinished"),
            access: Access::of(&below("records"), path),
            next_folder: AtomicUsize::new(0),
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
        [records, owners, owned, locks, unfinished]
    }

    /// What new files get.
    ///
    /// # Errors
    /// Unavailable, if this program must not write here.
    pub(super) fn access(&self) -> Result<Access, Error> {
        self.access.clone()
    }

    /// Whether all of the store is there, and this program may write to it.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.access()?;
        self.parts().into_iter().try_for_each(check_folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn record_path(&self, name: &Name) -> PathBuf {
        self.records.join(name.part()).join(&name.0)
    }

    /// The folder that lists an owner's records: a file for each, which holds its key.
    pub(super) fn list_of(&self, owner: &str) -> PathBuf {
        self.owned.join(Name::of(owner.as_bytes()).0)
    }

    /// The file in that list which holds the record's key.
    pub(super) fn mark_of(&self, owner: &str, name: &Name) -> PathBuf {
        self.list_of(owner).join(&name.0)
    }

    pub(super) fn owner_path(&self, owner: &str) -> PathBuf {
        self.owners.join(Name::of(owner.as_bytes()).0)
    }

    /// Locks the part of the names that this one is in, until the file is dropped. `kind`
    /// keeps owners' locks apart from records'.
    pub(super) fn lock(&self, kind: &str, name: &Name) -> Result<File, Error> {
        self.lock_part(kind, name.part().as_ref())
    }

    pub(super) fn lock_part(&self, kind: &str, part: &OsStr) -> Result<File, Error> {
        let path = self.locks.join(format!("{kind}-{}", part.display()));
        let locked = disk::lock(self.access()?, &path);
        locked.map_err(|error| failed("locked", &path, error))
    }

    /// The record, if it lives.
    pub(super) fn read(&self, name: &Name, key: &Key) -> Result<Option<RecordFile>, Error> {
        let path = self.record_path(name);
        let Some(file) = read_record(&path)? else {
            return Ok(None);
        };
        if file.key != *key {
            let message = format!("{path:?} holds the record of another key");
            return Err(Error::corrupt(message));
        }
        Ok(self.is_live(&file)?.then_some(file))
    }

    pub(super) fn is_live(&self, file: &RecordFile) -> Result<bool, Error> {
        let record = &file.record;
        if record.expiry() <= Expiry::now() {
            return Ok(false);
        }
        let Some(owner) = record.owner() else {
            return Ok(true);
        };
        let current = self.read_owner(&owner.name)?;
        Ok(current.is_some_and(|of| of.lets_live(&owner.login)))
    }

    /// The owner's record, if it lives.
    pub(super) fn read_owner(&self, owner: &str) -> Result<Option<OwnerFile>, Error> {
        let path = self.owner_path(owner);
        let Some(bytes) = read(&path)? else {
            return Ok(None);
        };
        let file = OwnerFile::parse(&bytes).ok_or_else(|| no_record(&path))?;
        if file.name != owner {
            let message = format!("{path:?} holds the record of another owner");
            return Err(Error::corrupt(message));
        }
        Ok(file.is_live().then_some(file))
    }

    pub(super) fn write_record(
        &self,
        name: &Name,
        key: &Key,
        record: &Record,
    ) -> Result<Revision, Error> {
        if let Some(owner) = record.owner() {
            // First the mark and then the record, so that none is missing from the list.
            let list = self.list_of(&owner.name);
            self.make_folder(&list)?;
            self.write(&list.join(&name.0), key.as_bytes())?;
        }
        let file = RecordFile {
            key: key.clone(),
            revision: *Generation::random()?.as_bytes(),
            record: record.clone(),
        };
        let path = self.record_path(name);
        if let Some(folder) = path.parent() {
            self.make_folder(folder)?;
        }
        self.write(&path, &file.to_vec())?;
        Ok(file.revision())
    }

    fn make_folder(&self, path: &Path) -> Result<(), Error> {
        let made = disk::make_folder(self.access()?, path);
        made.map_err(|error| failed("made", path, error))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let random = base16ct::lower::encode_string(Generation::random()?.as_bytes());
        let replaced = disk::replace(self.access()?, path, &self.unfinished.join(random), bytes);
        replaced.map_err(|error| failed("written", path, error))?;
        disk::sync_folder_of(path)
    }

    pub(super) fn remove_record(&self, name: &Name, record: &Record) -> Result<(), Error> {
        let mark = record.owner().map(|owner| self.mark_of(&owner.name, name));
        for path in [self.record_path(name)].into_iter().chain(mark) {
            if remove(&path)? {
                disk::sync_folder_of(&path)?;
            }
        }
        Ok(())
    }

    /// The owner and the key of the living record that is listed by that mark.
    pub(super) fn listed(&self, mark: &Path) -> Result<Option<(String, Key)>, Error> {
        let Some(bytes) = read(mark)? else {
            return Ok(None);
        };
        let key = Key::new(bytes)?;
        let file = self.read(&Name::of(key.as_bytes()), &key)?;
        let owner = file.and_then(|file| Some(file.record.owner()?.name.clone()));
        Ok(owner.map(|owner| (owner, key)))
    }

    /// Changes the living record that was seen.
    pub(super) fn change<T>(
        &self,
        key: &Key,
        seen: &Revision,
        change: impl FnOnce(&Name, RecordFile) -> Result<T, Error>,
    ) -> Result<Outcome<T>, Error> {
        let name = Name::of(key.as_bytes());
        let _lock = self.lock("records", &name)?;
        match self.read(&name, key)? {
            None => Ok(Outcome::Gone),
            Some(file) if file.revision() != *seen => Ok(Outcome::Conflict),
            Some(file) => change(&name, file).map(Outcome::Done),
        }
    }

    /// The owner's file, to be written anew. One that is damaged lets nothing live, and is as
    /// good as none.
    pub(super) fn owner_to_write(&self, name: &str) -> Result<Option<OwnerFile>, Error> {
        match self.read_owner(name) {
            Err(error) if error.is_corrupt() => Ok(None),
            read => read,
        }
    }

    /// Writes the owner's file as `change` makes it of the one that lives, or of a fresh one, to
    /// be kept to `until` at least.
    pub(super) fn change_owner(
        &self,
        name: &str,
        until: Expiry,
        change: impl FnOnce(&mut OwnerFile) -> Result<(), Error>,
    ) -> Result<OwnerFile, Error> {
        let _lock = self.lock("owners", &Name::of(name.as_bytes()))?;
        self.change_owner_locked(name, until, change)
    }

    /// The same, for a caller that has locked the owner.
    pub(super) fn change_owner_locked(
        &self,
        name: &str,
        until: Expiry,
        change: impl FnOnce(&mut OwnerFile) -> Result<(), Error>,
    ) -> Result<OwnerFile, Error> {
        let before = self.owner_to_write(name)?;
        let mut file = match &before {
            Some(of) => of.clone(),
            None => OwnerFile {
                name: name.to_owned(),
                generation: Generation::random()?,
                until,
                logins: 0,
                kept: None,
            },
        };
        file.until = file.until.max(until);
        change(&mut file)?;
        if before.as_ref() != Some(&file) {
            self.write(&self.owner_path(name), &file.to_vec())?;
        }
        Ok(file)
    }
}

/// The record in that file, living or not; none if there is no file.
pub(super) fn read_record(path: &Path) -> Result<Option<RecordFile>, Error> {
    let parse = |bytes: Vec<u8>| RecordFile::parse(&bytes).ok_or_else(|| no_record(path));
    read(path)?.map(parse).transpose()
}

pub(super) fn no_record(path: &Path) -> Error {
    Error::corrupt(format!("{path:?} is no record, or not whole"))
}

/// Whether the folder is there, and may be written to.
pub(super) fn check_folder(path: &Path) -> Result<(), Error> {
    Access::check_folder(path).map_err(|error| failed("used", path, error))
}

pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    disk::read(path).map_err(|error| failed("read", path, error))
}

pub(super) fn paths_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    disk::paths_in(folder).map_err(|error| failed("read", folder, error))
}

/// Removes a file, for good once its folder is synced, and says whether it was there.
pub(super) fn remove(path: &Path) -> Result<bool, Error> {
    disk::remove(path).map_err(|error| failed("removed", path, error))
}
