//! [`GorillaFiles`]: the folder of gorilla/sessions' `FilesystemStore`.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::super::access::{Access, failed, failed_at};
use super::super::error::of_one;
use super::super::{
    Backend, Created, Error, Expiry, Generation, Key, Layout, Outcome, Record, Revision, Stored,
};
use super::base::Base;
use super::disk;
use super::folder::{check_folder, find_store};
use super::operations::{Lock, Locks, Operations};
use super::options::FilesOptions;

/// The beginning of the names of its files (gorilla/sessions v1.4.0 `store.go`).
const PREFIX: &str = "session_";

/// The folder of our own files: locks, and files that are being written.
const OURS: &str = ".silverback";

/// Keeps records as gorilla/sessions' `FilesystemStore` does, which may use the folder at the same
/// time. A record is a file named `session_` and the key, for its owner only. It contains nothing
/// but the value.
///
/// Therefore records have no expiry: a record goes missing only when it is removed, and nothing is
/// purged. A session ends by the limits that are sealed within it, and its last save counts as its
/// last use. There are no owners. A revision is the hash of the file.
///
/// Our writes rename a whole file into place, under a lock that all processes with this backend
/// share. A Go program does not know that lock, and writes in place: its concurrent write may be
/// lost, or only half of it may be read, which is no valid session.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use silverback::backend::GorillaFiles;
/// # #[cfg(feature = "session")] {
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::{CookieOptions, Dialect, ServerOptions, ServerStore};
///
/// let codecs = Codecs::from_pairs(KeyPairs::from_env("SESSION_KEYS")?)?;
/// let backend = Arc::new(GorillaFiles::open("/var/lib/shop/sessions")?);
/// let cookie = CookieOptions::new().name("session")?;
/// let options = ServerOptions::new().cookie(cookie);
/// let store = ServerStore::with_options(Dialect::gorilla(codecs), backend, options)?;
/// # }
/// # Ok(())
/// # }
/// ```
/// New files get the owner of the store as those of [`Files`](super::Files) do. Operations have the
/// same time limit.
#[derive(Clone)]
pub struct GorillaFiles(Arc<Operations<GorillaFolder>>);

struct GorillaFolder {
    files: Base,
    access: Access,
}

impl GorillaFiles {
    /// Opens the store in `folder`, and creates the folder if it is missing. Creates the folder
    /// `.silverback` in it, for locks and for unfinished files.
    ///
    /// # Errors
    /// Returns an [unavailable](Error::is_unavailable) error if a folder cannot be created or
    /// written to, or belongs to another user.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, Error> {
        GorillaFiles::open_with(folder, FilesOptions::new())
    }

    /// Opens the store as [`open`](GorillaFiles::open) does, with options.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), silverback::backend::Error> {
    /// use std::time::Duration;
    /// use silverback::backend::{FilesOptions, GorillaFiles};
    ///
    /// let options = FilesOptions::new().timeout(Duration::from_secs(2));
    /// let backend = GorillaFiles::open_with("/var/lib/shop/sessions", options)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`open`](GorillaFiles::open), and a [usage](Error::is_usage) error for
    /// options without a thread or without time. If nothing may be
    /// [created](FilesOptions::create_if_missing), returns a usage error if the folder or
    /// `.silverback` in it is missing.
    pub fn open_with(folder: impl AsRef<Path>, options: FilesOptions) -> Result<Self, Error> {
        options.check()?;
        let folder = match options.create_if_missing {
            true => GorillaFolder::create(folder.as_ref())?,
            false => GorillaFolder::find(folder.as_ref())?,
        };
        Ok(GorillaFiles(Arc::new(Operations::new(folder, &options))))
    }

    /// Applies `change` to the file that was seen. `change` returns the new contents.
    async fn change(
        &self,
        key: &Key,
        seen: &Revision,
        change: impl FnOnce(&GorillaFolder, &GorillaName, Vec<u8>) -> Result<Vec<u8>, Error>
        + Send
        + 'static,
    ) -> Result<Outcome<Revision>, Error> {
        let (name, seen) = (GorillaName::of(key)?, seen.clone());
        let lock = name.lock();
        let change = move |folder: &GorillaFolder| match folder.read(&name)? {
            None => Ok(Outcome::Gone),
            Some(bytes) if revision(&bytes) != seen => Ok(Outcome::Conflict),
            Some(bytes) => Ok(Outcome::Done(revision(&change(folder, &name, bytes)?))),
        };
        self.0.locked(lock, change).await
    }
}

fn revision(bytes: &[u8]) -> Revision {
    Revision::new(Sha256::digest(bytes).to_vec())
}

fn stored(bytes: Vec<u8>) -> Stored {
    Stored {
        revision: revision(&bytes),
        record: Record::new(bytes, Expiry::NEVER),
    }
}

/// The name of a file: the prefix and the key.
struct GorillaName(String);

impl GorillaName {
    /// Returns the name for a key. Refuses a key that could lead out of the folder, or be another
    /// file's name.
    fn of(key: &Key) -> Result<Self, Error> {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let name = std::str::from_utf8(key.as_bytes()).ok();
        match name.filter(|name| name.as_bytes().iter().all(is_plain)) {
            Some(name) => Ok(GorillaName(format!("{PREFIX}{name}"))),
            None => Err(Error::usage(
                "the key does not fit a file name: it must have letters, digits, - and _ only",
            )),
        }
    }

    fn lock(&self) -> Lock {
        let key = self.0.strip_prefix(PREFIX).unwrap_or_default();
        let part = Sha256::digest(key).first().copied().unwrap_or(0);
        let kind = "lock";
        Lock { kind, part }
    }

    /// Returns the beginning of the name, which is enough to find the file. The whole name may be a
    /// secret.
    fn shown(&self) -> String {
        let begin: String = self.0.chars().take(PREFIX.len() + 8).collect();
        format!("{begin}...")
    }
}

impl AsRef<Path> for GorillaName {
    fn as_ref(&self) -> &Path {
        self.0.as_ref()
    }
}

impl GorillaFolder {
    /// Opens the store in that folder, which is created if it is missing.
    fn create(path: &Path) -> Result<Self, Error> {
        let made = disk::make_folders(Access::default(), path);
        made.map_err(|error| failed("created", path, error))?;
        let ours = path.join(OURS);
        let access = Access::of(&ours, path)?;
        let made = disk::make_folder(access, &ours);
        made.map_err(|error| failed("created", &ours, error))?;
        Ok(GorillaFolder::at(path, access))
    }

    /// Opens the store in that folder, and creates nothing.
    fn find(path: &Path) -> Result<Self, Error> {
        let ours = path.join(OURS);
        find_store(path, &ours)?;
        Ok(GorillaFolder::at(path, Access::of(&ours, path)?))
    }

    fn at(path: &Path, access: Access) -> Self {
        let files = Base::with(path.to_owned(), OURS);
        GorillaFolder { files, access }
    }

    fn ours(&self) -> PathBuf {
        self.files.path(OURS)
    }

    fn failed(&self, what: &str, name: &GorillaName, error: io::Error) -> Error {
        let (path, shown) = (self.files.path(name), self.files.path(name.shown()));
        failed_at(what, &path, &shown, error)
    }

    fn read(&self, name: &GorillaName) -> Result<Option<Vec<u8>>, Error> {
        let read = self.files.read(name.as_ref());
        read.map_err(|error| self.failed("read", name, error))
    }

    fn write(&self, name: &GorillaName, bytes: &[u8]) -> Result<(), Error> {
        let random = base16ct::lower::encode_string(Generation::random()?.as_bytes());
        let (path, unfinished) = (self.files.path(name), self.ours().join(random));
        let replaced = disk::replace(self.access, &path, &unfinished, bytes);
        replaced.map_err(|error| self.failed("written", name, error))?;
        disk::sync_folder_of(&path)
    }

    fn remove(&self, name: &GorillaName) -> Result<(), Error> {
        let removed = self.files.remove(name.as_ref());
        match removed.map_err(|error| self.failed("removed", name, error))? {
            true => disk::sync_folder_of(&self.files.path(name)),
            false => Ok(()),
        }
    }

    fn check(&self) -> Result<(), Error> {
        check_folder(self.files.folder())?;
        check_folder(&self.ours())
    }
}

impl Locks for GorillaFolder {
    fn try_lock(&self, lock: Lock) -> Result<Option<File>, Error> {
        let path = self.ours().join(lock.to_string());
        disk::try_lock(self.access, &path).map_err(|error| failed("locked", &path, error))
    }

    fn path(&self) -> &Path {
        self.files.folder()
    }
}

#[async_trait]
impl Backend for GorillaFiles {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        let name = GorillaName::of(key)?;
        let read = move |folder: &GorillaFolder| folder.read(&name);
        Ok(self.0.unlocked(read).await?.map(stored))
    }

    async fn load_many(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>, Error>>, Error> {
        let names: Vec<Result<GorillaName, Error>> = keys.iter().map(GorillaName::of).collect();
        let read = move |folder: &GorillaFolder| {
            let read = |name: Result<GorillaName, Error>| folder.read(&name?);
            names.into_iter().map(|name| of_one(read(name))).collect()
        };
        let files: Vec<Result<Option<Vec<u8>>, Error>> = self.0.unlocked(read).await?;
        let files = files.into_iter();
        Ok(files.map(|bytes| Ok(bytes?.map(stored))).collect())
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        let (name, record) = (GorillaName::of(key)?, record.clone());
        let lock = name.lock();
        let create = move |folder: &GorillaFolder| match folder.read(&name)? {
            Some(_) => Ok(Created::Exists),
            None => {
                folder.write(&name, record.value())?;
                Ok(Created::Saved(revision(record.value())))
            }
        };
        self.0.locked(lock, create).await
    }

    async fn swap(
        &self,
        key: &Key,
        seen: &Revision,
        record: &Record,
    ) -> Result<Outcome<Revision>, Error> {
        let record = record.clone();
        self.change(key, seen, move |folder, name, _| {
            folder.write(name, record.value())?;
            Ok(record.value().to_vec())
        })
        .await
    }

    /// Compares the revision, and changes nothing: there are no expiries.
    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        _: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        self.change(key, seen, |_, _, bytes| Ok(bytes)).await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        let removed = self.change(key, seen, |folder, name, bytes| {
            folder.remove(name)?;
            Ok(bytes)
        });
        Ok(removed.await?.map(drop))
    }

    /// Checks that the folders exist, and that this program may write to them.
    async fn ping(&self) -> Result<(), Error> {
        self.0.unlocked(GorillaFolder::check).await
    }

    fn layout(&self) -> Layout {
        Layout::Gorilla
    }

    fn keeps_expiries(&self) -> bool {
        false
    }
}

/// Shows the folder's path.
impl fmt::Debug for GorillaFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GorillaFiles")
            .field(&self.0.folder().path())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Temporary;
    use super::*;

    #[tokio::test]
    async fn a_key_that_is_no_plain_file_name_is_refused() {
        let folder = Temporary::new();
        let backend = GorillaFiles::open(&folder.0).unwrap();
        for name in ["../x", "a/b", ".", "..", "a\0b", "*", "a b", "ä"] {
            let record = Record::new("v", Expiry::NEVER);
            let refused = backend.create(&Key::new(name).unwrap(), &record).await;
            assert!(refused.unwrap_err().is_usage(), "{name}");
        }
    }

    #[tokio::test]
    async fn a_file_has_gorillas_name_and_contents() {
        let folder = Temporary::new();
        let backend = GorillaFiles::open(&folder.0).unwrap();
        let key = Key::new("ABC234").unwrap();
        let record = Record::new("text", Expiry::NEVER);
        let Created::Saved(seen) = backend.create(&key, &record).await.unwrap() else {
            panic!("the key is new");
        };
        let again = backend.create(&key, &record).await.unwrap();
        assert_eq!(again, Created::Exists);
        let path = folder.0.join("session_ABC234");
        assert_eq!(std::fs::read(&path).unwrap(), b"text");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        // A concurrent write of a Go program makes another revision.
        std::fs::write(&path, "other").unwrap();
        let other = Record::new("mine", Expiry::NEVER);
        let swapped = backend.swap(&key, &seen, &other).await.unwrap();
        assert_eq!(swapped, Outcome::Conflict);
        let removed = backend.remove(&key, &seen).await.unwrap();
        assert_eq!(removed, Outcome::Conflict);
        let stored = backend.load(&key).await.unwrap().unwrap();
        let swapped = backend.swap(&key, &stored.revision, &other).await.unwrap();
        let Outcome::Done(seen) = swapped else {
            panic!("there was no concurrent write");
        };
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        assert_eq!(
            backend.remove(&key, &seen).await.unwrap(),
            Outcome::Done(())
        );
        assert!(!path.exists());
        assert_eq!(backend.load(&key).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_error_quotes_only_the_beginning_of_a_file_name() {
        let folder = Temporary::new();
        let backend = GorillaFiles::open(&folder.0).unwrap();
        let path = folder.0.join("session_ABCDEFGHIJKL");
        std::fs::create_dir(&path).unwrap(); // not even root can read a folder as a file
        let (bad, good) = (Key::new("ABCDEFGHIJKL").unwrap(), Key::new("good").unwrap());
        let refused = backend.load(&bad).await.unwrap_err();
        assert!(refused.is_unavailable(), "{refused:?}");
        let text = refused.to_string();
        assert!(
            text.contains("session_ABCDEFGH...") && !text.contains("IJKL"),
            "{text}"
        );
        assert_eq!(
            backend.load(&good).await.unwrap(),
            None,
            "other keys can be read"
        );
    }
}
