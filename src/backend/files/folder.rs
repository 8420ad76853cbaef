//! [`Folder`]: what is done to the files of a backend, one by one and waiting for the disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::super::{Error, Expiry, Generation, Key, Outcome, Record, Revision};
use super::disk::{make_folder, paths_in, private, read, remove, unavailable, write};
use super::format::{OwnerFile, RecordFile};

/// The folder: its records, owners, lists of what is whose, locks, and files that are being
/// written.
pub(super) struct Folder {
    records: PathBuf,
    owners: PathBuf,
    owned: PathBuf,
    locks: PathBuf,
    unfinished: PathBuf,
}

/// The name of a file: nothing of what it is named after is left in it.
pub(super) struct Name(String);

impl Name {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Name(base16ct::lower::encode_string(&Sha256::digest(bytes)))
    }

    /// The part of all names that this one is in: its first two digits.
    pub(super) fn part(&self) -> &str {
        self.0.get(..2).unwrap_or_default()
    }
}

impl Folder {
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let below = |name| folder.join(name);
        let folder = Folder {
            records: below("records"),
            owners: below("owners"),
            owned: below("owned"),
            locks: below("locks"),
            unfinished: below("unfinished"),
        };
        let Folder {
            records,
            owners,
            owned,
            locks,
            unfinished,
        } = &folder;
        for path in [records, owners, owned, locks, unfinished] {
            make_folder(path).map_err(unavailable)?;
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.records.parent()
    }

    pub(super) fn record_path(&self, name: &Name) -> PathBuf {
        self.records.join(name.part()).join(&name.0)
    }

    /// The folder that lists an owner's records: a file for each, which holds its key.
    pub(super) fn list_of(&self, owner: &str) -> PathBuf {
        self.owned.join(Name::of(owner.as_bytes()).0)
    }

    pub(super) fn owner_path(&self, owner: &str) -> PathBuf {
        self.owners.join(Name::of(owner.as_bytes()).0)
    }

    /// Locks the part of the names that this one is in, until the file is dropped. `kind`
    /// keeps owners' locks apart from records'.
    pub(super) fn lock(&self, kind: &str, name: &Name) -> Result<File, Error> {
        let path = self.locks.join(format!("{kind}-{}", name.part()));
        let file = private()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let file = file.map_err(unavailable)?;
        file.lock().map_err(unavailable)?;
        Ok(file)
    }

    /// The record, if it lives.
    pub(super) fn read(&self, name: &Name, key: &Key) -> Result<Option<RecordFile>, Error> {
        let Some(bytes) = read(&self.record_path(name))? else {
            return Ok(None);
        };
        let file = RecordFile::parse(&bytes)?;
        if file.key != *key {
            return Err(Error::corrupt("a file holds another key's record"));
        }
        Ok(self.is_live(&file)?.then_some(file))
    }

    pub(super) fn is_live(&self, file: &RecordFile) -> Result<bool, Error> {
        let RecordFile { key, record, .. } = file;
        if record.expiry() <= Expiry::now() {
            return Ok(false);
        }
        let Some(owner) = record.owner() else {
            return Ok(true);
        };
        let current = self.read_owner(&owner.name)?;
        Ok(current
            .is_some_and(|of| of.generation == owner.generation || of.keep.as_ref() == Some(key)))
    }

    /// The owner's record, if it lives.
    pub(super) fn read_owner(&self, owner: &str) -> Result<Option<OwnerFile>, Error> {
        let Some(bytes) = read(&self.owner_path(owner))? else {
            return Ok(None);
        };
        let file = OwnerFile::parse(&bytes)?;
        if file.name != owner {
            return Err(Error::corrupt("a file holds another owner's record"));
        }
        Ok((file.until > Expiry::now()).then_some(file))
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
            make_folder(&list).map_err(unavailable)?;
            self.write(&list.join(&name.0), key.as_bytes())?;
        }
        let file = RecordFile {
            key: key.clone(),
            revision: *Generation::random()?.as_bytes(),
            record: record.clone(),
        };
        let path = self.record_path(name);
        if let Some(folder) = path.parent() {
            make_folder(folder).map_err(unavailable)?;
        }
        self.write(&path, &file.to_vec())?;
        Ok(file.revision())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let random = base16ct::lower::encode_string(Generation::random()?.as_bytes());
        write(path, &self.unfinished.join(random), bytes)
    }

    pub(super) fn remove_record(&self, name: &Name, record: &Record) -> Result<(), Error> {
        remove(&self.record_path(name))?;
        match record.owner() {
            Some(owner) => remove(&self.list_of(&owner.name).join(&name.0)),
            None => Ok(()),
        }
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

    pub(super) fn write_owner(&self, file: &OwnerFile) -> Result<(), Error> {
        self.write(&self.owner_path(&file.name), &file.to_vec())
    }

    /// All record files, living or not.
    pub(super) fn record_files(&self) -> Result<Vec<PathBuf>, Error> {
        let mut files = Vec::new();
        for part in paths_in(&self.records)? {
            files.extend(paths_in(&part)?);
        }
        Ok(files)
    }

    /// Removes the file if its record is over, and says whether it was.
    pub(super) fn purge_record(&self, path: &Path) -> Result<bool, Error> {
        let over = || match read(path)? {
            Some(bytes) => {
                let file = RecordFile::parse(&bytes)?;
                Ok((!self.is_live(&file)?).then_some(file))
            }
            None => Ok(None),
        };
        if over()?.is_none() {
            return Ok(false);
        }
        // Once more, now that nobody writes.
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Ok(false);
        };
        let name = Name(name.to_owned());
        let _lock = self.lock("records", &name)?;
        match over()? {
            Some(file) => self.remove_record(&name, &file.record).map(|()| true),
            None => Ok(false),
        }
    }

    /// Removes what a crash left unfinished, owners that are over, and what is on an owner's
    /// list and not the owner's.
    pub(super) fn purge_leftovers(&self) -> Result<(), Error> {
        let mut done = Ok(());
        // One that fails keeps none of the others.
        let mut note = |purged: Result<(), Error>| {
            if let (Ok(()), Err(error)) = (&done, purged) {
                done = Err(error);
            }
        };
        for path in paths_in(&self.unfinished)? {
            note(purge_unfinished(&path));
        }
        for path in paths_in(&self.owners)? {
            note(self.purge_owner(&path));
        }
        for list in paths_in(&self.owned)? {
            for mark in paths_in(&list)? {
                note(self.purge_mark(&list, &mark));
            }
        }
        done
    }

    fn purge_owner(&self, path: &Path) -> Result<(), Error> {
        let Some(bytes) = read(path)? else {
            return Ok(());
        };
        let name = OwnerFile::parse(&bytes)?.name;
        let _lock = self.lock("owners", &Name::of(name.as_bytes()))?;
        match self.read_owner(&name)? {
            Some(_) => Ok(()),
            None => remove(path),
        }
    }

    pub(super) fn purge_mark(&self, list: &Path, mark: &Path) -> Result<(), Error> {
        let Some(bytes) = read(mark)? else {
            return Ok(());
        };
        let name = Name::of(&bytes);
        let _lock = self.lock("records", &name)?;
        let record = read(&self.record_path(&name))?;
        let record = record.as_deref().map(RecordFile::parse).transpose()?;
        let owner = record.as_ref().and_then(|file| file.record.owner());
        match owner.is_some_and(|owner| self.list_of(&owner.name) == list) {
            true => Ok(()),
            false => remove(mark),
        }
    }
}

/// Removes what was being written when its writer ended.
fn purge_unfinished(path: &Path) -> Result<(), Error> {
    const OLD: std::time::Duration = std::time::Duration::from_secs(3_600);
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|modified| modified.elapsed().ok());
    match age.is_some_and(|age| age > OLD) {
        true => remove(path),
        false => Ok(()),
    }
}
