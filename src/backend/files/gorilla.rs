//! [`GorillaFiles`]: the folder of gorilla/sessions' `FilesystemStore`.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::super::access::{Access, failed, failed_at};
use super::super::{
    Backend, Created, Error, Expiry, Generation, Key, Layout, Outcome, Record, Revision, Stored,
};
use super::disk;
use super::folder::check_folder;

/// What the names of its files begin with (gorilla/sessions v1.4.0 `store.go`).
const PREFIX: &str = "session_";

/// Our own files in the folder: locks, and what is being written.
const OURS: &str = ".silverback";

/// Keeps records as gorilla/sessions' `FilesystemStore` does, which may use the folder at the
/// same time: a file `session_` and the key, for its owner only, with nothing but the value in
/// it.
///
/// So there are no expiries: nothing is ever missing but what was removed, nothing is purged,
/// and whoever reads a session judges it by what is sealed within: its last save is its last
/// use. There are no owners. A revision is the hash
/// of the file.
///
/// Ours are written whole beside their place and renamed into it, under a lock between the
/// processes that use this. A Go program knows no such lock, and writes in place: what it
/// writes at the same moment may be lost, or found by half, which is no valid session.
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
/// let options = ServerOptions::new().cookie(cookie).dialect(Dialect::Gorilla);
/// let store = ServerStore::with_options(codecs, backend, options)?;
/// # }
/// # Ok(())
/// # }
/// ```
/// New files get the owner of the store as those of [`Files`](super::Files) do.
#[derive(Clone)]
pub struct GorillaFiles(Arc<Folder>);

struct Folder {
    path: PathBuf,
    access: Access,
}

impl GorillaFiles {
    /// The records in `folder`, which is made if there is none.
    ///
    /// # Errors
    /// [Unavailable](Error::is_unavailable), if it cannot be made or written to, or belongs to
    /// another user.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let path = folder.as_ref().to_owned();
        let made = disk::make_folders(Access::default(), &path);
        made.map_err(|error| failed("made", &path, error))?;
        let ours = path.join(OURS);
        let access = Access::of(&ours, &path)?;
        let made = disk::make_folder(access, &ours);
        made.map_err(|error| failed("made", &ours, error))?;
        Ok(GorillaFiles(Arc::new(Folder { path, access })))
    }

    /// Runs `work` on a file where waiting for the disk keeps nobody else waiting, to its end.
    async fn run<T: Send + 'static>(
        &self,
        key: &Key,
        work: impl FnOnce(&Place) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let place = Place::new(self.0.clone(), key)?;
        let done = tokio::task::spawn_blocking(move || work(&place)).await;
        done.unwrap_or_else(|error| {
            Err(Error::outcome_unknown("the work was not finished").with_source(error))
        })
    }

    /// Changes the file that was seen; `change` says what is in it then.
    async fn change(
        &self,
        key: &Key,
        seen: &Revision,
        change: impl FnOnce(&Place, Vec<u8>) -> Result<Vec<u8>, Error> + Send + 'static,
    ) -> Result<Outcome<Revision>, Error> {
        let seen = seen.clone();
        self.run(key, move |place| {
            let _lock = place.lock()?;
            match place.read()? {
                None => Ok(Outcome::Gone),
                Some(bytes) if revision(&bytes) != seen => Ok(Outcome::Conflict),
                Some(bytes) => Ok(Outcome::Done(revision(&change(place, bytes)?))),
            }
        })
        .await
    }
}

fn revision(bytes: &[u8]) -> Revision {
    Revision::new(Sha256::digest(bytes).to_vec())
}

/// A file, and the folder that it is in.
struct Place {
    folder: Arc<Folder>,
    name: String,
}

impl Place {
    /// Refuses keys that could lead out of the folder, or be another file's name.
    fn new(folder: Arc<Folder>, key: &Key) -> Result<Self, Error> {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let name = std::str::from_utf8(key.as_bytes()).ok();
        match name.filter(|name| name.as_bytes().iter().all(is_plain)) {
            Some(name) => Ok(Place {
                folder,
                name: name.to_owned(),
            }),
            None => Err(Error::usage(
                "the name of a file has letters, digits, - and _ only",
            )),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path.join(format!("{PREFIX}{}", self.name))
    }

    /// The beginning of the path, enough to find the file by: the whole name may be a secret.
    fn shown(&self) -> PathBuf {
        let begin: String = self.name.chars().take(8).collect();
        self.folder.path.join(format!("{PREFIX}{begin}..."))
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        failed_at(what, &self.path(), &self.shown(), error)
    }

    fn lock(&self) -> Result<File, Error> {
        let part: u8 = Sha256::digest(&self.name).first().copied().unwrap_or(0);
        let Folder { path, access } = &*self.folder;
        let path = path.join(OURS).join(format!("lock-{part:02x}"));
        disk::lock(*access, &path).map_err(|error| failed("locked", &path, error))
    }

    fn read(&self) -> Result<Option<Vec<u8>>, Error> {
        disk::read(&self.path()).map_err(|error| self.failed("read", error))
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        let random = base16ct::lower::encode_string(Generation::random()?.as_bytes());
        let Folder { path, access } = &*self.folder;
        let unfinished = path.join(OURS).join(random);
        let replaced = disk::replace(*access, &self.path(), &unfinished, bytes);
        replaced.map_err(|error| self.failed("written", error))?;
        disk::sync_folder_of(&self.path())
    }

    fn remove(&self) -> Result<(), Error> {
        match disk::remove(&self.path()).map_err(|error| self.failed("removed", error))? {
            true => disk::sync_folder_of(&self.path()),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Backend for GorillaFiles {
    async fn load(&self, key: &Key) -> Result<Option<Stored>, Error> {
        self.run(key, |place| {
            Ok(place.read()?.map(|bytes| Stored {
                revision: revision(&bytes),
                record: Record::new(bytes, Expiry::NEVER),
            }))
        })
        .await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Created, Error> {
        let record = record.clone();
        self.run(key, move |place| {
            let _lock = place.lock()?;
            match place.read()? {
                Some(_) => Ok(Created::Exists),
                None => {
                    place.write(record.value())?;
                    Ok(Created::Saved(revision(record.value())))
                }
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
        let record = record.clone();
        self.change(key, seen, move |place, _| {
            place.write(record.value())?;
            Ok(record.value().to_vec())
        })
        .await
    }

    /// Compares, and changes nothing: there are no expiries.
    async fn touch(
        &self,
        key: &Key,
        seen: &Revision,
        _: Expiry,
    ) -> Result<Outcome<Revision>, Error> {
        self.change(key, seen, |_, bytes| Ok(bytes)).await
    }

    async fn remove(&self, key: &Key, seen: &Revision) -> Result<Outcome<()>, Error> {
        let removed = self.change(key, seen, |place, bytes| {
            place.remove()?;
            Ok(bytes)
        });
        Ok(removed.await?.map(drop))
    }

    /// Looks whether the folders are there, and whether this program may write to them.
    async fn ping(&self) -> Result<(), Error> {
        let folder = self.0.clone();
        let checked = tokio::task::spawn_blocking(move || {
            check_folder(&folder.path)?;
            check_folder(&folder.path.join(OURS))
        });
        checked.await.unwrap_or_else(|error| {
            Err(Error::unavailable("the work was not finished").with_source(error))
        })
    }

    fn layout(&self) -> Layout {
        Layout::Gorilla {
            keeps_expiries: false,
        }
    }
}

/// The folder's path.
impl fmt::Debug for GorillaFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GorillaFiles").field(&self.0.path).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Temporary;
    use super::*;

    #[tokio::test]
    async fn no_key_leads_out_of_the_folder() {
        let folder = Temporary::new();
        let backend = GorillaFiles::open(&folder.0).unwrap();
        for name in ["../x", "a/b", ".", "..", "a\0b", "*", "a b", "ä"] {
            let record = Record::new("v", Expiry::NEVER);
            let refused = backend.create(&Key::new(name).unwrap(), &record).await;
            assert!(refused.unwrap_err().is_usage(), "{name}");
        }
    }

    #[tokio::test]
    async fn a_file_is_what_gorilla_would_have_written() {
        let folder = Temporary::new();
        let backend = GorillaFiles::open(&folder.0).unwrap();
        let key = Key::new("ABC234").unwrap();
        let record = Record::new("text", Expiry::NEVER);
        let Created::Saved(seen) = backend.create(&key, &record).await.unwrap() else {
            panic!("it is the first");
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
        // What a Go program wrote meanwhile is another revision.
        std::fs::write(&path, "other").unwrap();
        let other = Record::new("mine", Expiry::NEVER);
        let swapped = backend.swap(&key, &seen, &other).await.unwrap();
        assert_eq!(swapped, Outcome::Conflict);
        let removed = backend.remove(&key, &seen).await.unwrap();
        assert_eq!(removed, Outcome::Conflict);
        let stored = backend.load(&key).await.unwrap().unwrap();
        let swapped = backend.swap(&key, &stored.revision, &other).await.unwrap();
        let Outcome::Done(seen) = swapped else {
            panic!("nobody else has changed it");
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
    async fn an_unreadable_file_is_named_by_its_beginning() {
        let folder = Temporary::new();
        let backend = GorillaFiles::open(&folder.0).unwrap();
        let path = folder.0.join("session_ABCDEFGHIJKL");
        std::fs::create_dir(&path).unwrap(); // which not even root reads as a file
        let (bad, good) = (Key::new("ABCDEFGHIJKL").unwrap(), Key::new("good").unwrap());
        let refused = backend.load(&bad).await.unwrap_err();
        assert!(refused.is_unavailable(), "{refused:?}");
        let said = refused.to_string();
        assert!(
            said.contains("session_ABCDEFGH...") && !said.contains("IJKL"),
            "{said}"
        );
        assert_eq!(
            backend.load(&good).await.unwrap(),
            None,
            "for its key alone"
        );
    }
}
