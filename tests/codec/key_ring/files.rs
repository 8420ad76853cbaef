//! Keys in files: replaced by a rename, written in place, in a folder that Kubernetes has mounted.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use silverback::codec::{
    Codec, KeyFingerprint, KeyPair, KeyRing, KeyRingOptions, KeySource, key_file_with_checksum,
};

use super::{fingerprints, scratch, spec, wait_until};
use crate::support::{NOW, encrypting, signing};

/// Reads of a file without a checksum are this far apart.
const SETTLE: Duration = Duration::from_millis(1);

fn ring(path: &Path) -> KeyRing {
    let options = KeyRingOptions::new().settle_time(SETTLE);
    KeyRing::with_options(KeySource::file(path), options).unwrap()
}

/// Replaces a file as `silverback keys` does.
fn rename_into(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, path).unwrap();
}

#[test]
fn wrong_files_are_refused_and_the_loaded_keys_serve_on() {
    let folder = scratch();
    let path = folder.path().join("keys");
    let pairs = [encrypting(1), signing(2)];
    fs::write(&path, spec(&pairs)).unwrap();
    let ring = ring(&path);
    let cookie = ring.seal_at("sid", b"ape", NOW).unwrap();
    let other_block = format!("{}:{}\n", "01".repeat(32), "99".repeat(16));
    let refusals = [
        ("", "no key pair"),
        ("# only a comment\n", "no key pair"),
        ("zz\n", "key pair 1"),
        (&spec(&[signing(3)])[..62], "32 or more"),
        (
            &spec(&[signing(3), signing(4), encrypting(3)]),
            "1 and 3 share a hash key",
        ),
        (&other_block, "another block key"),
        (&spec(&[signing(1)]), "another block key"),
        (&"#\n".repeat(40_000), "too large"),
    ];
    for (count, (text, why)) in (1..).zip(refusals) {
        rename_into(&path, text);
        let error = ring.reload().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        for secret in spec(&pairs)
            .split([':', '\n'])
            .filter(|key| !key.is_empty())
        {
            assert!(!error.contains(&secret[..8]), "{error}");
        }
        let status = ring.status();
        assert_eq!(
            (status.refusals, status.keys),
            (count, fingerprints(&pairs))
        );
        assert!(ring.open_at("sid", &cookie, NOW).is_ok());
    }
    fs::remove_file(&path).unwrap();
    assert!(
        ring.reload()
            .unwrap_err()
            .to_string()
            .contains("cannot be read")
    );
    fs::create_dir(&path).unwrap(); // even root cannot read a folder as a file
    assert!(ring.reload().is_err());
    fs::remove_dir(&path).unwrap();
    fs::write(&path, b"\xff\xfe").unwrap();
    assert!(ring.reload().is_err());
    rename_into(&path, &spec(&[signing(5)]));
    assert!(ring.reload().unwrap(), "a good file is loaded again");
    assert_eq!(ring.status().last_error, None);
}

#[test]
fn a_file_with_a_checksum_is_refused_if_it_is_cut_at_any_byte() {
    let folder = scratch();
    let path = folder.path().join("keys");
    let (loaded, new) = ([signing(1)], [encrypting(2), signing(1), encrypting(3)]);
    fs::write(&path, spec(&loaded)).unwrap();
    let ring = ring(&path);
    let text = key_file_with_checksum(&spec(&new));
    // All but the last line end.
    for length in 0..text.len() - 1 {
        fs::write(&path, &text[..length]).unwrap();
        assert!(ring.reload().is_err(), "{length} bytes");
        assert_eq!(ring.status().keys, fingerprints(&loaded));
    }
    fs::write(&path, &*text).unwrap();
    assert!(ring.reload().unwrap());
}

/// The mount of a Secret: the file is a symbolic link into `..data`, which is a symbolic link to
/// the folder of a version. The kubelet replaces `..data` by a rename.
#[cfg(unix)]
fn update_mount(mount: &Path, version: usize, text: &str) {
    use std::os::unix::fs::symlink;

    let folder = mount.join(format!("..2026_{version}"));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("session-keys"), text).unwrap();
    let next = mount.join("..data_tmp");
    symlink(folder.file_name().unwrap(), &next).unwrap();
    fs::rename(&next, mount.join("..data")).unwrap();
    let file = mount.join("session-keys");
    if !file.exists() {
        symlink("..data/session-keys", file).unwrap();
    }
    if version > 1 {
        fs::remove_dir_all(mount.join(format!("..2026_{}", version - 2))).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_watch_follows_the_mount_of_a_secret() {
    let folder = scratch();
    update_mount(folder.path(), 0, &spec(&[signing(1)]));
    let ring = ring(&folder.path().join("session-keys"));
    let _watch = ring.watch(Duration::from_millis(2)).unwrap();
    for version in 1..6 {
        let pairs = [signing(version as u8 + 1), signing(version as u8)];
        update_mount(folder.path(), version, &spec(&pairs));
        wait_until(|| ring.status().keys == fingerprints(&pairs));
    }
    assert_eq!(ring.status().replacements, 5);
}

/// Writes a text in place, some bytes at a time, over the old text or after removing it.
fn write_slowly(path: &Path, text: &str, part: usize, truncates: bool) {
    let mut file = OpenOptions::new()
        .write(true)
        .truncate(truncates)
        .open(path)
        .unwrap();
    for bytes in text.as_bytes().chunks(part) {
        file.write_all(bytes).unwrap();
        std::thread::yield_now();
    }
    let end = file.stream_position().unwrap();
    file.set_len(end).unwrap();
}

/// The chains of the test below.
fn versions() -> Vec<Vec<KeyPair>> {
    let all: Vec<KeyPair> = (1..6).map(encrypting).chain((6..10).map(signing)).collect();
    let at = |start: usize, length| (start..start + length).map(|n| all[n % all.len()].clone());
    (0..24).map(|n| at(n * 4, 1 + n % 4).collect()).collect()
}

/// A writer replaces the file by renames and in place, in all orders, while two threads reload the
/// ring and one opens cookies.
#[test]
fn no_reload_yields_a_chain_that_was_not_written() {
    let folder = scratch();
    let path = folder.path().join("keys");
    let versions = versions();
    let written: HashSet<Vec<KeyFingerprint>> =
        versions.iter().map(|pairs| fingerprints(pairs)).collect();
    let text_of = |number: usize| key_file_with_checksum(&spec(&versions[number % versions.len()]));
    rename_into(&path, &text_of(0));
    let ring = ring(&path);
    let is_done = AtomicBool::new(false);
    let loaded = std::thread::scope(|threads| {
        let reload = || {
            let mut loaded = HashSet::new();
            while !is_done.load(Ordering::SeqCst) {
                let _ = ring.reload();
                let keys = ring.status().keys;
                assert!(written.contains(&keys), "{keys:?} were never written");
                loaded.insert(keys);
            }
            loaded
        };
        let reloads = [threads.spawn(reload), threads.spawn(reload)];
        let opener = threads.spawn(|| {
            while !is_done.load(Ordering::SeqCst) {
                let chain = ring.chain();
                let sealed = chain.seal_at("sid", b"ape", NOW).unwrap();
                assert!(chain.open_at("sid", &sealed, NOW).is_ok());
            }
        });
        for number in 1..300 {
            let text = text_of(number);
            match number % 3 {
                0 => rename_into(&path, &text),
                1 => write_slowly(&path, &text, 1 + number % 40, true),
                _ => write_slowly(&path, &text, 1 + number % 40, false),
            }
            std::thread::sleep(SETTLE * (number % 4) as u32);
            if number % 50 == 0 {
                let keys = fingerprints(&versions[number % versions.len()]);
                wait_until(|| ring.status().keys == keys);
            }
        }
        is_done.store(true, Ordering::SeqCst);
        opener.join().unwrap();
        reloads.map(|thread| thread.join().unwrap())
    });
    ring.reload().unwrap();
    assert_eq!(
        ring.status().keys,
        fingerprints(&versions[299 % versions.len()])
    );
    let loaded: HashSet<_> = loaded.into_iter().flatten().collect();
    assert!(
        loaded.len() > 3,
        "only {} versions were loaded",
        loaded.len()
    );
}

#[test]
fn a_leaked_pair_is_dead_after_one_reload() {
    let folder = scratch();
    let path = folder.path().join("keys");
    let write = |pairs: &[KeyPair]| rename_into(&path, &key_file_with_checksum(&spec(pairs)));
    write(&[signing(1), signing(2)]);
    let (ring, watched) = (ring(&path), ring(&path));
    let forged = ring.seal_at("sid", b"forged", NOW).unwrap();
    let _watch = watched.watch(Duration::from_millis(5)).unwrap();
    write(&[signing(2)]);
    assert!(ring.open_at("sid", &forged, NOW).is_ok());
    assert!(ring.reload().unwrap());
    assert!(ring.open_at("sid", &forged, NOW).is_err());
    wait_until(|| watched.open_at("sid", &forged, NOW).is_err());
}
