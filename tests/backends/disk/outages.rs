//! A disk that is full, read-only, not readable for the user, or missing: each is an outage, and
//! the error names the cause. No record appears to be gone, and all works again when the disk is
//! back.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Completion, Failed};
use silverback::backend::{
    Backend, Created, Error, Expiry, Key, Outcome, Owner, OwnerName, Record, Revision,
};

use super::super::required::is_required;
use super::folders::Folders;
use super::{report, writer};

/// A user that is not root.
const USER: u32 = 61_234;

fn key(number: usize) -> Key {
    Key::new(format!("key-{number}")).expect("a short key")
}

fn record(size: usize) -> Record {
    Record::new(vec![b'v'; size], Expiry::NEVER)
}

/// A record, with an owner if the backend has owners.
struct Known {
    backend: Arc<dyn Backend>,
    seen: Revision,
    is_owned: bool,
}

fn ape() -> OwnerName {
    OwnerName::new("ape").expect("a short name")
}

impl Known {
    async fn in_folder(kind: Folders, folder: &Path) -> Result<Self, Error> {
        let backend = kind.open(folder)?;
        let mut record = record(10);
        if let Some(owners) = backend.owners() {
            let login = owners.begin(&ape(), Expiry::NEVER, &key(0)).await?;
            let name = ape();
            record = record.owned_by(Owner { name, login });
        }
        let Created::Saved(seen) = backend.create(&key(0), &record).await? else {
            panic!("the key is new");
        };
        Ok(Known {
            is_owned: backend.owners().is_some(),
            backend,
            seen,
        })
    }

    /// Calls each operation of the backend, and returns the errors.
    async fn errors(&self) -> Vec<(&'static str, Option<Error>)> {
        let (backend, seen, later) = (&self.backend, &self.seen, Expiry::NEVER);
        let mut errors = vec![
            ("load", backend.load(&key(0)).await.err()),
            ("load of none", backend.load(&key(1)).await.err()),
            ("create", backend.create(&key(1), &record(10)).await.err()),
            ("swap", backend.swap(&key(0), seen, &record(10)).await.err()),
            ("touch", backend.touch(&key(0), seen, later).await.err()),
            ("remove", backend.remove(&key(0), seen).await.err()),
            ("ping", backend.ping().await.err()),
        ];
        if let Some(owners) = backend.owners() {
            errors.extend([
                ("generation", owners.generation(&ape()).await.err()),
                ("begin", owners.begin(&ape(), later, &key(1)).await.err()),
                ("revoke", owners.revoke(&ape(), later).await.err()),
                ("keys", owners.keys(&ape()).await.err()),
            ]);
        }
        if let Some(scan) = backend.scan() {
            errors.push(("page", scan.page(None, 10).await.err()));
            errors.push(("purge", scan.purge(10).await.err()));
        }
        errors
    }

    /// Checks that all is unchanged, and that the backend works.
    async fn check(&self) -> Result<(), Failed> {
        let Known { backend, seen, .. } = self;
        backend.ping().await?;
        let stored = backend.load(&key(0)).await?.ok_or("the record is gone")?;
        assert_eq!(stored.revision, *seen);
        assert_eq!(backend.load(&key(1)).await?, None);
        if let Some(owners) = backend.owners().filter(|_| self.is_owned) {
            assert_eq!(owners.keys(&ape()).await?, [key(0)]);
        }
        assert!(matches!(
            backend.create(&key(1), &record(10)).await?,
            Created::Saved(_)
        ));
        assert_eq!(backend.remove(&key(0), seen).await?, Outcome::Done(()));
        Ok(())
    }
}

/// The folder is moved away, or an empty folder takes its place.
pub(super) async fn a_folder_that_vanishes(kind: Folders) -> Result<(), Failed> {
    for is_empty in [false, true] {
        let folder = kind.place();
        let known = Known::in_folder(kind, &folder).await?;
        let away = folder.with_extension("away");
        fs::rename(&folder, &away)?;
        if is_empty {
            fs::create_dir(&folder)?;
        }
        let errors = known.errors().await;
        let answered: Vec<_> = errors.iter().filter(|(_, error)| error.is_none()).collect();
        report(&format!(
            "{kind:?}: {} of {} answered without the folder",
            answered.len(),
            errors.len()
        ));
        assert!(
            answered.is_empty(),
            "answered without the folder: {answered:?}"
        );
        for (what, error) in errors
            .iter()
            .filter_map(|(what, error)| Some((what, error.as_ref()?)))
        {
            assert!(
                error.is_unavailable() && !error.is_outcome_unknown(),
                "{what}: {error}"
            );
            assert!(error.to_string().contains("os error 2"), "{what}: {error}");
        }
        if is_empty {
            fs::remove_dir(&folder)?;
        }
        fs::rename(&away, &folder)?;
        known.check().await?;
    }
    Ok(())
}

/// The folder disappears and returns repeatedly: at no moment does a record appear to be missing.
pub(super) async fn a_folder_that_flickers(kind: Folders) -> Result<(), Failed> {
    let folder = kind.place();
    let known = Known::in_folder(kind, &folder).await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let (stop, place) = (is_over.clone(), folder.clone());
    let flicker = std::thread::spawn(move || {
        let away = place.with_extension("away");
        while !stop.load(Ordering::Relaxed) {
            fs::rename(&place, &away).expect("a folder");
            fs::rename(&away, &place).expect("a folder");
        }
    });
    let (mut found, mut unavailable, mut missing) = (0, 0, 0);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        match known.backend.load(&key(0)).await {
            Ok(Some(_)) => found += 1,
            Ok(None) => missing += 1,
            Err(error) => {
                assert!(error.is_unavailable(), "{error}");
                unavailable += 1;
            }
        }
    }
    is_over.store(true, Ordering::Relaxed);
    flicker.join().expect("a thread");
    report(&format!(
        "{kind:?}: {found} found, {unavailable} unavailable, {missing} missing"
    ));
    assert_eq!(missing, 0, "a record is missing while its folder is away");
    known.check().await
}

/// A small disk, which is unmounted at the end.
struct Disk(PathBuf);

impl Disk {
    /// Mounts the disk, or returns the reason why not.
    fn mount(place: PathBuf) -> Result<Self, String> {
        fs::create_dir_all(&place).map_err(|error| error.to_string())?;
        let disk = Disk(place);
        disk.run("mount", &["-t", "tmpfs", "-o", "size=256k", "tmpfs"])?;
        Ok(disk)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let output = Command::new(program).args(arguments).arg(&self.0).output();
        let output = output.map_err(|error| format!("{program}: {error}"))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.run("umount", &["-l"]);
    }
}

/// Returns the result of a trial that needs root.
fn unless_required(why: String) -> Result<Completion, Failed> {
    match is_required("root") {
        true => Err(format!("root is required: {why}").into()),
        false => Ok(Completion::ignored_with(why)),
    }
}

/// Checks that nothing was written, and that the error's text ends with that of the system.
fn assert_caused_by(error: &Error, cause: &str) {
    let text = error.to_string();
    assert!(
        error.is_unavailable() && !error.is_outcome_unknown(),
        "{text}"
    );
    assert_eq!(text.matches(cause).count(), 1, "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

pub(super) async fn a_full_or_read_only_disk(kind: Folders) -> Result<Completion, Failed> {
    let disk = match Disk::mount(kind.place()) {
        Ok(disk) => disk,
        Err(why) => return unless_required(why),
    };
    let known = Known::in_folder(kind, &disk.0.join("store")).await?;
    let backend = &known.backend;
    let mut kept = Vec::new();
    let full = loop {
        match backend
            .create(&key(1_000 + kept.len()), &record(20_000))
            .await
        {
            Ok(Created::Saved(seen)) => kept.push(seen),
            Ok(Created::Exists) => panic!("the key is new"),
            Err(error) => break error,
        }
    };
    assert_caused_by(&full, "No space left on device (os error 28)");
    assert_eq!(backend.load(&key(1_000 + kept.len())).await?, None);
    for (number, seen) in kept.iter().enumerate() {
        let key = key(1_000 + number);
        assert!(backend.load(&key).await?.is_some());
        assert_eq!(backend.remove(&key, seen).await?, Outcome::Done(()));
    }
    disk.run("mount", &["-o", "remount,ro"])?;
    assert!(backend.load(&key(0)).await?.is_some());
    for refused in [
        backend.create(&key(2), &record(10)).await.err(),
        backend.remove(&key(0), &known.seen).await.err(),
        backend.ping().await.err(),
    ] {
        assert_caused_by(
            &refused.expect("an error"),
            "Read-only file system (os error 30)",
        );
    }
    disk.run("mount", &["-o", "remount,rw"])?;
    known.check().await?;
    Ok(Completion::Completed)
}

/// Runs in a child that may not read its files, or that has opened the maximum number of files:
/// prints an error in each line.
pub(super) async fn ask(asked: &str) {
    let mut words = asked.splitn(3, ' ');
    let (limit, kind, folder) = (words.next(), words.next(), words.next());
    let folder = Path::new(folder.expect("a folder"));
    let kind = Folders::parse(kind.expect("a kind"));
    let known = Known::in_folder(kind, folder).await.expect("a store");
    known.backend.load(&key(0)).await.expect("a record"); // its threads and files exist
    let mut opened = Vec::new();
    match limit {
        Some("closed") => {
            let closed = match kind {
                Folders::Native => "records",
                Folders::Gorilla => "",
            };
            let closed = folder.join(closed);
            fs::set_permissions(closed, fs::Permissions::from_mode(0o0))
                .expect("a folder of this user");
        }
        _ => opened.extend(std::iter::from_fn(|| fs::File::open("/dev/null").ok())),
    }
    let refused = [
        known.backend.load(&key(0)).await.err(),
        known.backend.create(&key(1), &record(10)).await.err(),
    ];
    drop(opened);
    for error in refused {
        println!(
            "{}",
            error.map_or_else(String::new, |error| error.to_string())
        );
    }
}

fn check_refusals(mut child: Command, cause: &str) -> Result<(), Failed> {
    let output = child.output()?;
    let text = String::from_utf8(output.stdout)?;
    assert_eq!(text.lines().count(), 2, "{text}");
    for line in text.lines() {
        assert_eq!(line.matches(cause).count(), 1, "{line}");
    }
    Ok(())
}

pub(super) fn too_many_open_files(kind: Folders) -> Result<(), Failed> {
    let folder = kind.place();
    let plain = writer(
        &format!("ask open {}", kind.name()),
        &folder.display().to_string(),
    );
    let mut child = Command::new("sh");
    child.args(["-c", "ulimit -n 40; exec \"$0\""]);
    child.arg(plain.get_program());
    for (name, value) in plain.get_envs() {
        child.env(name, value.unwrap_or_default());
    }
    check_refusals(child, "Too many open files (os error 24)")
}

pub(super) fn files_that_are_closed_to_the_user(kind: Folders) -> Result<Completion, Failed> {
    let folder = std::env::temp_dir().join(format!(
        "silverback-closed-{}-{}",
        kind.name(),
        std::process::id()
    ));
    fs::create_dir_all(&folder)?;
    if let Err(error) = chown(&folder, Some(USER), Some(USER)) {
        return unless_required(error.to_string());
    }
    let mut child = writer(
        &format!("ask closed {}", kind.name()),
        &folder.display().to_string(),
    );
    child.uid(USER).gid(USER);
    if let Err(error) = child.spawn().and_then(|child| child.wait_with_output()) {
        let _ = fs::remove_dir_all(&folder);
        return unless_required(format!("the user cannot run this program: {error}"));
    }
    fs::remove_dir_all(&folder)?;
    fs::create_dir_all(&folder)?;
    chown(&folder, Some(USER), Some(USER))?;
    let refused = check_refusals(child, "Permission denied (os error 13)");
    fs::remove_dir_all(&folder)?;
    refused.map(|()| Completion::Completed)
}
