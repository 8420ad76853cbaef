//! `silverback sessions` on the store of a service that runs as another user.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use silverback::backend::{self, Backend, Expiry, Key, Record};
use silverback::codec::CodecOptions;
use silverback::session::ServerOptions;

use crate::program::{KEYS, Run, command, run};
use crate::required::not_run;
use crate::sessions::Service;

/// The user `nobody`, who runs the service.
const NOBODY: u32 = 65_534;
/// A user without a name.
const STRANGER: u32 = 61_234;
const ROOT: u32 = 0;

const COMMANDS: [&[&str]; 4] = [
    &["list"],
    &["purge"],
    &["remove", KEY],
    &["list", "--owner", "ape"],
];
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const OTHER: &str = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";

/// A folder of the user `nobody`, for a store.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let folder = format!("silverback-cli-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        Place(folder)
    }

    /// Creates a store with two records, owned by `nobody`.
    async fn with_store(name: &str, kind: &str) -> (Self, String) {
        let place = Place::new(name);
        let url = format!("{kind}:{}", place.0.join("store").display());
        let backend = backend::connect(&url).await.unwrap();
        for key in [KEY, OTHER] {
            put(&*backend, key, Expiry::NEVER).await;
        }
        drop(backend);
        place.give_closed();
        (place, url)
    }

    /// Gives the folder to `nobody`, after SQLite has closed its connections.
    fn give_closed(&self) {
        while below(&self.0)
            .iter()
            .any(|path| path.ends_with("store-wal"))
        {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        for path in below(&self.0) {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    /// Returns each path in the folder with its owner, size and time of the last change.
    fn state(&self) -> Vec<(PathBuf, u32, u64, i64, i64)> {
        let paths = below(&self.0).into_iter();
        let mut state: Vec<_> = paths
            .map(|path| {
                let of = fs::symlink_metadata(&path).unwrap();
                (path, of.uid(), of.size(), of.mtime(), of.mtime_nsec())
            })
            .collect();
        state.sort();
        state
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_owned()];
    let mut next = 0;
    while let Some(path) = all.get(next).cloned() {
        next += 1;
        if path.is_dir() {
            let found = fs::read_dir(path).unwrap();
            all.extend(found.map(|entry| entry.unwrap().path()));
        }
    }
    all
}

async fn put(backend: &dyn Backend, key: &str, expiry: Expiry) {
    let (key, record) = (Key::new(key).unwrap(), Record::new("v", expiry));
    backend
        .create(&key, &record)
        .await
        .unwrap()
        .saved()
        .unwrap();
}

/// Runs `sessions ...` as this user.
fn as_user(user: u32, url: &str, arguments: &[&str]) -> Run {
    let mut command = command(["sessions"].iter().chain(arguments));
    command.args(["--store", url]).uid(user).gid(user);
    run(command, "")
}

/// Returns whether root runs the test: only root can run a program as another user.
fn is_root() -> bool {
    let is_root = fs::metadata("/proc/self").is_ok_and(|this| this.uid() == ROOT);
    if !is_root {
        not_run("root", "only root can run a program as another user");
    }
    is_root
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_can_use_its_store_after_root_has_changed_it() {
    if !is_root() {
        return;
    }
    for kind in [
        "files",
        #[cfg(feature = "sqlite")]
        "sqlite",
    ] {
        let (place, url) = Place::with_store(&format!("root-{kind}"), kind).await;
        let service = Service::at(url.clone(), &CodecOptions::new(), ServerOptions::new()).await;
        let (_, ended) = service.session(|session| session.login("ape")).await;
        let (_, other) = service.session(|session| session.login("ape")).await;
        drop(service);
        place.give_closed();
        // The service reads the tombstone at each request of that browser.
        let keys = ["--keys", KEYS, "--name", "__Host-id"];
        let end = |user, key: &str| as_user(user, &url, &[&["end", key], &keys[..]].concat());
        assert_eq!(end(ROOT, &ended).ok(), "");
        assert_eq!(as_user(ROOT, &url, &["remove", OTHER]).ok(), "");
        assert_eq!(as_user(ROOT, &url, &["list"]).ok().lines().count(), 3);
        for (path, owner, ..) in place.state() {
            assert_eq!(owner, NOBODY, "{path:?}");
        }
        assert!(end(NOBODY, &ended).fails(1).contains("no such session"));
        assert_eq!(end(NOBODY, &other).ok(), "");
        assert_eq!(as_user(NOBODY, &url, &["remove", KEY]).ok(), "");
        assert_eq!(as_user(NOBODY, &url, &["purge"]).ok(), "0\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_names_the_user_to_run_as_and_nothing_is_written() {
    if !is_root() {
        return;
    }
    for kind in [
        "files",
        #[cfg(feature = "sqlite")]
        "sqlite",
    ] {
        let (place, url) = Place::with_store(&format!("stranger-{kind}"), kind).await;
        let before = place.state();
        for arguments in COMMANDS {
            let refused = as_user(STRANGER, &url, arguments).fails(2);
            assert!(
                refused.contains("run as nobody"),
                "{arguments:?}: {refused}"
            );
        }
        assert_eq!(place.state(), before);
    }
    // Even if every user may write, a record of the stranger would be unreadable for the service.
    let (place, url) = Place::with_store("open", "files").await;
    for path in below(&place.0) {
        let mode = if path.is_dir() { 0o777 } else { 0o666 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let before = place.state();
    assert_eq!(as_user(STRANGER, &url, &["list"]).ok().lines().count(), 2);
    for arguments in [&["purge"][..], &["remove", KEY]] {
        let refused = as_user(STRANGER, &url, arguments).fails(2);
        assert!(
            refused.contains("run as nobody"),
            "{arguments:?}: {refused}"
        );
    }
    assert_eq!(place.state(), before);
}

/// The file of another user may come from an older version of the program, run by root.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_another_user_is_skipped_and_named() {
    if !is_root() {
        return;
    }
    let (place, url) = Place::with_store("foreign", "files").await;
    let backend = backend::connect(&url).await.unwrap();
    for number in 0..5 {
        put(&*backend, &format!("over {number}"), Expiry::from_millis(0)).await;
    }
    drop(backend);
    let files = below(&place.0.join("store/records"));
    let holds = |path: &&PathBuf| {
        path.is_file()
            && fs::read(path)
                .unwrap()
                .windows(9)
                .any(|part| part == b"AAAAAAAAA")
    };
    let foreign = files.iter().find(holds).unwrap();
    chown(foreign, Some(ROOT), Some(ROOT)).unwrap();
    let is_named = |run: Run| {
        assert_eq!(run.status, 0, "{}", run.stderr);
        let [line] = run.stderr.lines().collect::<Vec<_>>()[..] else {
            panic!("{}", run.stderr);
        };
        for part in [
            "skipped",
            foreign.to_str().unwrap(),
            "root",
            "ermission denied",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
        run.stdout
    };
    assert_eq!(is_named(as_user(NOBODY, &url, &["purge"])), "5\n");
    let listed = is_named(as_user(NOBODY, &url, &["list"]));
    assert!(
        listed.starts_with(OTHER) && listed.lines().count() == 1,
        "{listed}"
    );
    let refused = as_user(NOBODY, &url, &["remove", KEY]).fails(2);
    assert!(refused.contains(foreign.to_str().unwrap()), "{refused}");
    assert_eq!(as_user(NOBODY, &url, &["remove", OTHER]).ok(), "");
}
