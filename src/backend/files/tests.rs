//! Tests for files only. The laws of all backends are in `conformance`.

mod purges;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use super::super::Owner;
use super::folder::list;
use super::*;

/// A folder that is removed when the test ends.
pub(super) struct Temporary(pub(super) PathBuf);

impl Temporary {
    pub(super) fn new() -> Self {
        let name = base16ct::lower::encode_string(Generation::random().unwrap().as_bytes());
        Temporary(std::env::temp_dir().join(format!("silverback-{name}")))
    }

    fn files(&self) -> Vec<PathBuf> {
        let folders = ["records", "owners", "owned", "unfinished"];
        let below = folders.map(|folder| files_below(&self.0.join(folder)));
        below.concat()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let paths = list(folder).unwrap().into_iter();
    let files = paths.flat_map(|path| match path.is_dir() {
        true => files_below(&path),
        false => vec![path],
    });
    files.collect()
}

/// Asserts that there is one error, and that it names the file.
fn assert_only_error_names(skipped: &[Error], path: &Path) {
    let [error] = skipped else {
        panic!("{skipped:?}");
    };
    let named = error.to_string();
    assert!(named.contains(&format!("{path:?}")), "{named}");
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn owned(owner: &str, login: Login) -> Record {
    let name = owner_name(owner);
    Record::new("v", soon()).owned_by(Owner { name, login })
}

/// Creates a record under a key that has none.
async fn create(backend: &impl Backend, key: &Key, record: &Record) {
    let created = backend.create(key, record).await;
    created.unwrap().saved().unwrap();
}

fn soon() -> Expiry {
    Expiry::after(Duration::from_secs(600))
}

fn owner_name(name: &str) -> OwnerName {
    OwnerName::new(name).unwrap()
}

/// Begins a login, which names another key than its record will have.
async fn begin_login(backend: &Files, owner: &str) -> Login {
    let begun = backend
        .begin(&owner_name(owner), soon(), &key("elsewhere"))
        .await;
    begun.unwrap()
}

#[test]
fn options_without_time_or_threads_are_refused() {
    let folder = Temporary::new();
    for options in [
        FilesOptions::new().timeout(Duration::ZERO),
        FilesOptions::new().max_threads(0),
    ] {
        assert!(Files::open_with(&folder.0, options).unwrap_err().is_usage());
    }
}

#[tokio::test]
async fn the_longest_timeout_is_accepted() {
    let folder = Temporary::new();
    let options = FilesOptions::new().timeout(Duration::MAX);
    let backend = Files::open_with(&folder.0, options).unwrap();
    backend.ping().await.unwrap();
}

#[tokio::test]
async fn no_other_user_can_read_the_files() {
    let folder = Temporary::new();
    let backend = Files::open(&folder.0).unwrap();
    let record = Record::new("v", soon());
    create(&backend, &key("a"), &record).await;
    begin_login(&backend, "ape").await;
    assert_eq!(folder.files().len(), 2);
    #[cfg(unix)]
    for path in folder.files() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }
}

#[tokio::test]
async fn two_backends_on_one_folder_lose_no_update() {
    let folder = Temporary::new();
    let backends = [(); 2].map(|()| Files::open(&folder.0).unwrap());
    let record = |number: u64| Record::new(number.to_be_bytes(), soon());
    create(&backends[0], &key("a"), &record(0)).await;
    let tasks = backends.clone().map(|backend| {
        tokio::spawn(async move {
            let mut left = 50;
            while left > 0 {
                let stored = backend.load(&key("a")).await.unwrap().unwrap();
                let number = u64::from_be_bytes(stored.record.value().try_into().unwrap());
                let next = record(number + 1);
                let swapped = backend.swap(&key("a"), &stored.revision, &next).await;
                left -= u64::from(matches!(swapped.unwrap(), Outcome::Done(_)));
            }
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
    let stored = backends[1].load(&key("a")).await.unwrap().unwrap();
    assert_eq!(stored.record.value(), 100_u64.to_be_bytes());
}

#[tokio::test]
async fn a_truncated_file_is_an_error_for_its_key_only() {
    let folder = Temporary::new();
    let backend = Files::open(&folder.0).unwrap();
    let past = Expiry::from_millis(0);
    for (name, until) in [("torn", soon()), ("whole", soon()), ("expired", past)] {
        let record = Record::new(name, until);
        create(&backend, &key(name), &record).await;
    }
    let path = backend.0.folder().record_path(&HashedName::of(b"torn"));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(backend.load(&key("torn")).await.unwrap_err().is_corrupt());
    assert!(backend.load(&key("whole")).await.unwrap().is_some());
    let page = backend.page(None, 10).await.unwrap();
    assert_eq!((page.entries.len(), page.next), (1, None));
    assert_only_error_names(&page.skipped, &path);
    let purged = backend.purge(10).await.unwrap();
    assert_eq!(purged.removed, 1);
    assert_only_error_names(&purged.skipped, &path);
    assert_eq!(folder.files().len(), 2, "the purge removed the other files");
    // A file under the name of another record is refused.
    let whole = fs::read(backend.0.folder().record_path(&HashedName::of(b"whole"))).unwrap();
    fs::write(&path, whole).unwrap();
    assert!(backend.load(&key("torn")).await.unwrap_err().is_corrupt());
}

#[tokio::test]
async fn a_removed_or_revoked_record_leaves_no_file() {
    let folder = Temporary::new();
    let backend = Files::open(&folder.0).unwrap();
    let login = begin_login(&backend, "ape").await;
    for name in ["removed", "another's", "revoked"] {
        create(&backend, &key(name), &owned("ape", login)).await;
    }
    let seen = async |name| backend.load(&key(name)).await.unwrap().unwrap().revision;
    backend
        .remove(&key("removed"), &seen("removed").await)
        .await
        .unwrap()
        .done()
        .unwrap();
    let others = begin_login(&backend, "bonobo").await;
    let of_bonobo = owned("bonobo", others);
    let another = seen("another's").await;
    backend
        .swap(&key("another's"), &another, &of_bonobo)
        .await
        .unwrap()
        .done()
        .unwrap();
    backend.revoke(&owner_name("ape"), soon()).await.unwrap();
    assert_eq!(backend.purge(10).await.unwrap().removed, 1);
    // A record, its mark on bonobo's list, and two owners remain.
    assert_eq!(folder.files().len(), 4);
    assert_eq!(
        backend.keys(&owner_name("bonobo")).await.unwrap(),
        [key("another's")]
    );
    assert_eq!(backend.keys(&owner_name("ape")).await.unwrap(), []);
}

#[tokio::test]
async fn lists_and_purges_skip_a_damaged_file() {
    let folder = Temporary::new();
    let backend = Files::open(&folder.0).unwrap();
    let login = begin_login(&backend, "ape").await;
    let owned = owned("ape", login);
    for name in ["torn", "whole"] {
        create(&backend, &key(name), &owned).await;
    }
    fs::write(
        backend.0.folder().record_path(&HashedName::of(b"torn")),
        "x",
    )
    .unwrap();
    assert_eq!(
        backend.keys(&owner_name("ape")).await.unwrap(),
        [key("whole")]
    );
    // No record is live without a valid owner's file. The next login replaces that file.
    let owners = folder.0.join("owners");
    for path in files_below(&owners) {
        fs::write(path, "x").unwrap();
    }
    let past = Expiry::from_millis(0);
    for number in 0..10 {
        let expired = owner_name(&format!("expired {number}"));
        backend
            .begin(&expired, past, &key("elsewhere"))
            .await
            .unwrap();
    }
    let purged = backend.purge(10).await.unwrap();
    assert_eq!(purged.skipped.len(), 3, "the owner, and two records");
    assert_eq!(
        files_below(&owners).len(),
        1,
        "the purge removed the other files"
    );
    let renewed = begin_login(&backend, "ape").await;
    assert_ne!(renewed.generation, login.generation);
    assert_eq!(backend.load(&key("whole")).await.unwrap(), None);
}

#[test]
fn a_folder_that_cannot_be_created_is_unavailable() {
    let refused = Files::open("/dev/null/sessions").unwrap_err();
    assert!(refused.is_unavailable());
}

/// Replaces the record's file by a folder, which no user can read as a file, root included.
async fn make_unreadable(backend: &Files, name: &str) -> PathBuf {
    let path = backend
        .0
        .folder()
        .record_path(&HashedName::of(name.as_bytes()));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    path
}

#[tokio::test]
async fn an_unreadable_file_is_an_error_for_its_key_only() {
    let folder = Temporary::new();
    let backend = Files::open(&folder.0).unwrap();
    let login = begin_login(&backend, "ape").await;
    let owned = owned("ape", login);
    for name in ["unreadable", "readable"] {
        create(&backend, &key(name), &owned).await;
    }
    for number in 0..30 {
        let expired = Record::new("v", Expiry::from_millis(0));
        let name = format!("expired {number}");
        create(&backend, &key(&name), &expired).await;
    }
    let path = make_unreadable(&backend, "unreadable").await;
    let refused = backend.load(&key("unreadable")).await.unwrap_err();
    assert!(refused.is_unavailable() && !refused.is_outcome_unknown());
    assert_only_error_names(std::slice::from_ref(&refused), &path);
    assert!(refused.to_string().contains("directory"), "{refused}");
    assert!(backend.load(&key("readable")).await.unwrap().is_some());
    assert_eq!(
        backend.keys(&owner_name("ape")).await.unwrap(),
        [key("readable")]
    );
    let page = backend.page(None, 1).await.unwrap();
    assert_eq!(page.entries.len(), 1);
    assert_only_error_names(&page.skipped, &path);
    let purged = backend.purge(7).await.unwrap();
    assert_eq!(purged.removed, 7);
    let purged = backend.purge(100).await.unwrap();
    assert_eq!(purged.removed, 23);
    assert_only_error_names(&purged.skipped, &path);
    // An unreadable owner is an error, and not an owner without sessions.
    let owner = files_below(&folder.0.join("owners")).remove(0);
    fs::remove_file(&owner).unwrap();
    fs::create_dir(&owner).unwrap();
    assert!(
        backend
            .keys(&owner_name("ape"))
            .await
            .unwrap_err()
            .is_unavailable()
    );
    assert!(backend.extend(&owner_name("ape"), soon()).await.is_err());
}

#[tokio::test]
async fn a_cleanup_reports_an_unreadable_file_and_continues() {
    let folder = Temporary::new();
    let backend = Files::open(&folder.0).unwrap();
    let expired = Record::new("v", Expiry::from_millis(0));
    for number in 0..1_200 {
        let name = format!("expired {number}");
        create(&backend, &key(&name), &expired).await;
    }
    let path = make_unreadable(&backend, "expired 7").await;
    let errors = Arc::new(Mutex::new(Vec::new()));
    let reported = errors.clone();
    let cleanup = crate::backend::Cleanup::every(
        Duration::from_secs(3_600),
        Arc::new(backend.clone()),
        move |error| reported.lock().unwrap().push(error.clone()),
    );
    // This takes more than one batch, each in an operation of its own.
    let left = || files_below(&folder.0.join("records")).len();
    for _ in 0..60_000 {
        if left() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    cleanup.stop().await;
    assert_eq!(left(), 0, "the cleanup removed all files except the folder");
    let errors = errors.lock().unwrap();
    let path = format!("{path:?}");
    assert!(errors.iter().any(|error| error.to_string().contains(&path)));
}

#[tokio::test]
async fn a_ping_of_a_missing_folder_is_unavailable() {
    let folder = Temporary::new();
    let backend = Files::open(&folder.0).unwrap();
    let gorilla = GorillaFiles::open(folder.0.join("gorilla")).unwrap();
    backend.ping().await.unwrap();
    gorilla.ping().await.unwrap();
    fs::remove_dir_all(&folder.0).unwrap();
    for refused in [backend.ping().await, gorilla.ping().await] {
        assert!(refused.unwrap_err().is_unavailable());
    }
}

/// A file that root creates in another user's store belongs to that user.
#[cfg(unix)]
#[tokio::test]
async fn root_creates_files_for_the_owner_of_the_store() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    const USER: u32 = 61_234;
    const GROUP: u32 = 61_235;
    if !rustix::process::geteuid().is_root() {
        return; // `tests/cli/other_users.rs` reports that this test did not run
    }
    for (mode, of_files, of_folders) in [
        (0o700, 0o600, 0o700),
        (0o770, 0o660, 0o770),
        (0o755, 0o600, 0o700),
    ] {
        let folder = Temporary::new();
        fs::create_dir(&folder.0).unwrap();
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(mode)).unwrap();
        chown(&folder.0, Some(USER), Some(GROUP)).unwrap();
        let backend = Files::open(&folder.0).unwrap();
        let record = Record::new("v", soon());
        create(&backend, &key("a"), &record).await;
        begin_login(&backend, "ape").await;
        let gorilla = GorillaFiles::open(folder.0.join("gorilla")).unwrap();
        chown(folder.0.join("gorilla"), Some(USER), Some(GROUP)).unwrap();
        drop(gorilla);
        fs::remove_dir_all(folder.0.join("gorilla/.silverback")).unwrap();
        let gorilla = GorillaFiles::open(folder.0.join("gorilla")).unwrap();
        create(&gorilla, &key("A"), &record).await;
        let mut found = vec![folder.0.clone()];
        while let Some(path) = found.pop() {
            let metadata = fs::symlink_metadata(&path).unwrap();
            let owner = (metadata.uid(), metadata.gid());
            assert_eq!(owner, (USER, GROUP), "{path:?}");
            let is_ours = path != folder.0 && !path.starts_with(folder.0.join("gorilla"));
            let expected = if metadata.is_dir() {
                of_folders
            } else {
                of_files
            };
            let is_so = metadata.mode() & 0o777 == expected;
            assert!(!is_ours || is_so, "{path:?} {:o}", metadata.mode());
            if metadata.is_dir() {
                found.extend(list(&path).unwrap());
            }
        }
        // No link leads the store out of its folder.
        let outside = Temporary::new();
        fs::create_dir(&outside.0).unwrap();
        let part = backend.0.folder().record_path(&HashedName::of(b"b"));
        let part = part.parent().unwrap();
        let _ = fs::remove_dir_all(part);
        symlink(&outside.0, part).unwrap();
        let refused = backend.create(&key("b"), &record).await.unwrap_err();
        assert!(refused.is_unavailable(), "{refused}");
        assert_eq!(list(&outside.0).unwrap(), [] as [PathBuf; 0]);
    }
}

/// Each file is a pipe without a writer, so that reads of this store hang. They time out, and other
/// stores answer. Once the disk answers, this store answers too.
#[cfg(unix)]
#[tokio::test]
async fn a_hanging_disk_delays_no_other_store() {
    let (folder, other) = (Temporary::new(), Temporary::new());
    let timeout = Duration::from_millis(200);
    let options = FilesOptions::new().timeout(timeout).max_threads(2);
    let backend = Files::open_with(&folder.0, options).unwrap();
    let other = Files::open(&other.0).unwrap();
    let record = Record::new("v", soon());
    create(&other, &key("a"), &record).await;
    create(&backend, &key("a"), &record).await;
    let hanging = ["b", "c", "d"];
    let path = |name: &str| {
        backend
            .0
            .folder()
            .record_path(&HashedName::of(name.as_bytes()))
    };
    for name in hanging {
        create(&backend, &key(name), &record).await;
        fs::remove_file(path(name)).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(path(name))
            .status();
        assert!(made.unwrap().success());
    }
    for name in hanging {
        let refused = backend.load(&key(name)).await.unwrap_err();
        assert!(refused.is_unavailable(), "{refused}");
    }
    // All threads wait for the disk, so the next operation times out while it waits for a thread.
    assert!(backend.load(&key("a")).await.unwrap_err().is_unavailable());
    assert!(other.load(&key("a")).await.unwrap().is_some());
    for name in ["b", "c"] {
        let opened = fs::OpenOptions::new().write(true).open(path(name));
        drop(opened.unwrap());
    }
    assert!(backend.load(&key("a")).await.unwrap().is_some());
}

#[test]
fn files_without_a_thread_are_refused() {
    let folder = Temporary::new();
    let options = FilesOptions::new().max_threads(0);
    assert!(Files::open_with(&folder.0, options).unwrap_err().is_usage());
}

#[test]
fn without_create_if_missing_nothing_is_created() {
    let options = || FilesOptions::new().create_if_missing(false);
    let (native, gorilla) = (Temporary::new(), Temporary::new());
    for folder in [&native.0, &gorilla.0] {
        assert!(Files::open_with(folder, options()).unwrap_err().is_usage());
        let refused = GorillaFiles::open_with(folder, options());
        assert!(refused.unwrap_err().is_usage());
        assert!(!folder.exists());
    }
    Files::open(&native.0).unwrap();
    GorillaFiles::open(&gorilla.0).unwrap();
    assert!(Files::open_with(&native.0, options()).is_ok());
    assert!(GorillaFiles::open_with(&gorilla.0, options()).is_ok());
    // A store in another layout is no store.
    assert!(Files::open_with(&gorilla.0, options()).is_err());
    assert!(GorillaFiles::open_with(&native.0, options()).is_err());
}
