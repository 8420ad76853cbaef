//! Files that are written in place during a reload, one step at each pause.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::super::{HashKey, KeyFingerprint, KeyPair, KeyPairs};
use super::ring::Reloaded;
use super::{KeyRing, KeyRingOptions, KeySource};

fn fingerprints(spec: &str) -> Vec<KeyFingerprint> {
    let pairs: KeyPairs = spec.parse().unwrap();
    pairs.iter().map(KeyPair::fingerprint).collect()
}

/// A key file that is removed at the end, and a ring with its keys.
struct Loaded {
    path: PathBuf,
    ring: KeyRing,
}

impl Loaded {
    fn new(name: &str, spec: &str) -> Self {
        let file = format!("silverback-ring-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(file);
        fs::write(&path, spec).unwrap();
        let options = KeyRingOptions::new().settle_time(Duration::from_millis(1));
        let ring = KeyRing::with_options(KeySource::file(&path), options).unwrap();
        Loaded { path, ring }
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn old() -> String {
    format!("{}:{}", "a1".repeat(32), "f6".repeat(24))
}

/// A chain of three pairs. A part of it is a chain of one or two, or has shorter keys.
fn chain() -> String {
    let (first, second) = ("d4".repeat(40), "c3".repeat(64));
    format!("{first}:{}\n{second},{}\n", "e5".repeat(32), old())
}

/// A program stops after each byte until the ring has read the file.
#[test]
fn no_part_of_a_file_without_checksum_is_loaded_while_it_is_written() {
    let loaded = Loaded::new("in-place", &old());
    let (new, mut replaced) = (chain(), 0);
    for start in 0..new.len() {
        fs::write(&loaded.path, old()).unwrap();
        loaded.ring.reload().unwrap();
        fs::write(&loaded.path, &new[..start]).unwrap();
        let mut written = start;
        let mut write_on = |_| {
            written = (written + 1 + new.len() / 5).min(new.len());
            fs::write(&loaded.path, &new[..written]).unwrap();
            true
        };
        let result = loaded.ring.reload_with(&mut write_on);
        let keys = loaded.ring.status().keys;
        match result {
            Ok(Reloaded::Replaced) => assert_eq!(keys, fingerprints(&new), "{start} bytes"),
            // The keys of another pair begin with those of the chain before.
            _ => assert_eq!(keys, fingerprints(&old()), "{start} bytes"),
        }
        replaced += usize::from(keys.len() == 3);
    }
    assert!(replaced > new.len() / 2, "{replaced}");
}

/// The program was killed: no later read has the rest.
#[test]
fn no_loaded_pair_loses_a_part_of_its_keys() {
    let new = chain();
    let loaded = Loaded::new("killed", &new);
    let last_pair = new.rfind(',').unwrap() + 1;
    for length in last_pair..new.len() - 1 {
        fs::write(&loaded.path, &new[..length]).unwrap();
        assert!(loaded.ring.reload().is_err(), "{length} bytes");
        assert_eq!(loaded.ring.status().keys, fingerprints(&new));
    }
}

#[test]
fn a_watch_that_is_dropped_during_a_load_changes_and_reports_nothing() {
    let loaded = Loaded::new("dropped", &old());
    fs::write(&loaded.path, chain()).unwrap();
    let result = loaded.ring.reload_with(&mut |_| false);
    assert!(result.is_ok_and(|result| result == Reloaded::GivenUp));
    let status = loaded.ring.status();
    assert_eq!((status.replacements, status.refusals), (0, 0));
    assert_eq!(status.keys, fingerprints(&old()));
}

#[test]
fn a_fingerprint_depends_on_both_keys() {
    let [hash, other] = [1, 2].map(|byte| HashKey::new(&[byte; 32]).unwrap());
    let pairs = [
        KeyPair::sign_only(hash.clone()),
        KeyPair::sign_only(other),
        KeyPair::new(hash.clone(), [1; 16].into()),
        KeyPair::new(hash, [2; 16].into()),
    ];
    for (index, pair) in pairs.iter().enumerate() {
        for other in &pairs[..index] {
            assert_ne!(pair.fingerprint(), other.fingerprint());
        }
    }
}
