//! What is particular to files; the laws of all backends are in `conformance`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

/// A folder that is removed in the end.
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
    let paths = paths_in(folder).unwrap().into_iter();
    let files = paths.flat_map(|path| match path.is_dir() {
        true => files_below(&path),
        false => vec![path],
    });
    files.collect()
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn soon() -> Expiry {
    Expiry::after(Duration::from_secs(600))
}

#[tokio::test]
async fn nobody_else_may_read_them() {
    let folder = Temporary::new();
    let backend = Files::open(&folder.0).unwrap();
    let record = Record::new("v", soon());
    backend.create(&key("a"), &record).await.unwrap();
    backend.begin("ape", soon()).await.unwrap();
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
async fn two_who_share_a_folder_lose_nothing() {
    let folder = Temporary::new();
    let backends = [(); 2].map(|()| Files::open(&folder.0).unwrap());
    let record = |number: u64| Record::new(number.to_be_bytes(), soon());
    backends[0].create(&key("a"), &record(0)).await.unwrap();
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
async fn a_torn_file_is_an_error_for_its_key_alone() {
    let folder = Temporary::new();
    let backend = Files::open(&folder.0).unwrap();
    let past = Expiry::from_millis(0);
    for (name, until) in [("torn", soon()), ("whole", soon()), ("over", past)] {
        let record = Record::new(name, until);
        backend.create(&key(name), &record).await.unwrap();
    }
    let path = backend.0.record_path(&Name::of(b"torn"));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(backend.load(&key("torn")).await.unwrap_err().is_corrupt());
    assert!(backend.load(&key("whole")).await.unwrap().is_some());
    assert_eq!(backend.page(None, 10).await.unwrap().len(), 1);
    assert!(
        backend.purge(10).await.unwrap_err().is_corrupt(),
        "it tells"
    );
    assert_eq!(folder.files().len(), 2, "and has purged the others");
    // A file under another's name is not taken for it.
    let whole = fs::read(backend.0.record_path(&Name::of(b"whole"))).unwrap();
    fs::write(&path, whole).unwrap();
    assert!(backend.load(&key("torn")).await.unwrap_err().is_corrupt());
}

#[tokio::test]
async fn nothing_is_left_of_what_is_over() {
    let folder = Temporary::new();
    let backend = Files::open(&folder.0).unwrap();
    let generation = backend.begin("ape", soon()).await.unwrap();
    let owned = |name: &str| {
        let name = name.to_owned();
        Record::new("v", soon()).owned_by(crate::backend::Owner { name, generation })
    };
    for name in ["removed", "another's", "revoked"] {
        backend.create(&key(name), &owned("ape")).await.unwrap();
    }
    let seen = async |name| backend.load(&key(name)).await.unwrap().unwrap().revision;
    backend
        .remove(&key("removed"), &seen("removed").await)
        .await
        .unwrap();
    let others = backend.begin("bonobo", soon()).await.unwrap();
    let of_bonobo = Record::new("v", soon()).owned_by(crate::backend::Owner {
        name: "bonobo".to_owned(),
        generation: others,
    });
    let another = seen("another's").await;
    backend
        .swap(&key("another's"), &another, &of_bonobo)
        .await
        .unwrap();
    backend.revoke("ape", soon(), None).await.unwrap();
    assert_eq!(backend.purge(10).await.unwrap(), 1);
    // A record, its place on bonobo's list, and two owners.
    assert_eq!(folder.files().len(), 4);
    assert_eq!(backend.keys("bonobo").await.unwrap(), [key("another's")]);
    assert_eq!(backend.keys("ape").await.unwrap(), []);
}

#[tokio::test]
async fn a_damaged_file_keeps_no_other_from_its_list_or_its_purge() {
    let folder = Temporary::new();
    let backend = Files::open(&folder.0).unwrap();
    let generation = backend.begin("ape", soon()).await.unwrap();
    let owned = Record::new("v", soon()).owned_by(crate::backend::Owner {
        name: "ape".to_owned(),
        generation,
    });
    for name in ["torn", "whole"] {
        backend.create(&key(name), &owned).await.unwrap();
    }
    fs::write(backend.0.record_path(&Name::of(b"torn")), "x").unwrap();
    assert_eq!(backend.keys("ape").await.unwrap(), [key("whole")]);
    // A damaged owner lets nothing live, and begins anew.
    let owners = folder.0.join("owners");
    for path in files_below(&owners) {
        fs::write(path, "x").unwrap();
    }
    let past = Expiry::from_millis(0);
    for number in 0..10 {
        let over = format!("over {number}");
        backend.begin(&over, past).await.unwrap();
    }
    assert!(
        backend.purge(10).await.unwrap_err().is_corrupt(),
        "it tells"
    );
    assert_eq!(files_below(&owners).len(), 1, "and has purged the others");
    assert_ne!(backend.begin("ape", soon()).await.unwrap(), generation);
    assert_eq!(backend.load(&key("whole")).await.unwrap(), None);
}

#[test]
fn a_folder_that_cannot_be_had_is_an_error() {
    let refused = Files::open("/dev/null/sessions").unwrap_err();
    assert!(refused.is_unavailable());
}
