//! `silverback sessions migrate`: copies and moves of all records, from files to files.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use silverback::backend::{Expiry, Files, Key, Record};
use silverback::codec::{Codecs, KeyPairs};
use silverback::session::ServerStore;
use silverback::session::testing::Jar;

use crate::program::{KEYS, Run, command, run};

const OTHER_KEYS: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeffe0e1e2e3e4e5e6e7e8e9eaebecedeeef:ffeeddccbbaa99887766554433221100";

/// Two stores in folders.
struct Stores {
    folders: [PathBuf; 2],
    old: ServerStore,
    new: ServerStore,
}

impl Stores {
    fn with_new_keys(keys: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folders = ["old", "new"].map(|name| {
            let name = format!("cli-migrate-{}-{number}-{name}", std::process::id());
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
        });
        let open = |folder: &PathBuf, keys: &str| {
            let pairs: KeyPairs = keys.parse().unwrap();
            let backend = Arc::new(Files::open(folder).unwrap());
            ServerStore::new(Codecs::from_pairs(pairs).unwrap(), backend).unwrap()
        };
        Stores {
            old: open(&folders[0], KEYS),
            new: open(&folders[1], keys),
            folders,
        }
    }

    fn new() -> Self {
        Stores::with_new_keys(KEYS)
    }

    async fn jars(&self, count: u32) -> Vec<Jar> {
        let mut jars = Vec::new();
        for number in 0..count {
            let jar = Jar::with(self.old.clone(), |session| {
                if number > 0 {
                    session.login(format!("user {number}"))?;
                }
                session.insert("number", number)
            });
            jars.push(jar.await.unwrap());
        }
        jars
    }

    fn migrate(&self, arguments: &[&str]) -> Run {
        let [old, new] = [0, 1].map(|of| format!("files:{}", self.folders[of].display()));
        let before = ["sessions", "migrate", "--name", "__Host-id"];
        let mut command = command(before.iter().chain(arguments));
        command
            .env("SILVERBACK_FROM", old)
            .env("SILVERBACK_TO", new)
            .env("SILVERBACK_KEYS", KEYS);
        run(command, "")
    }

    async fn number(&self, jar: &Jar, is_new: bool) -> Option<u32> {
        let store = if is_new { &self.new } else { &self.old };
        let session = jar.session(store.clone()).await.unwrap();
        session.get("number").unwrap()
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        for folder in &self.folders {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// Returns what the program prints.
fn counts(done: &str, [copied, same, newer, ended, failed]: [usize; 5]) -> String {
    format!("{done}: {copied}\nsame: {same}\nnewer: {newer}\nended: {ended}\nfailed: {failed}\n")
}

#[tokio::test]
async fn every_session_is_copied_once() {
    let stores = Stores::new();
    let jars = stores.jars(40).await;
    let preview = stores.migrate(&["--dry-run"]).ok();
    assert_eq!(preview, "to copy: 40\nsame: 0\nended: 0\nfailed: 0\n");
    assert_eq!(stores.number(&jars[1], true).await, None);
    let copied = stores.migrate(&[]).ok();
    assert_eq!(copied, counts("copied", [40, 0, 0, 0, 0]));
    let again = stores.migrate(&[]).ok();
    assert_eq!(again, counts("copied", [0, 40, 0, 0, 0]));
    for (number, jar) in (0..).zip(&jars) {
        for is_new in [false, true] {
            assert_eq!(stores.number(jar, is_new).await, Some(number));
        }
    }
    let listed = stores.new.list("user 7").await.unwrap();
    assert_eq!(listed.len(), 1, "the owner moves too");
    let expiry = |store: &ServerStore| {
        let (backend, key) = (store.backend().clone(), listed[0].id().clone());
        async move {
            let key = Key::new(key.as_str()).unwrap();
            backend.load(&key).await.unwrap().unwrap().record.expiry()
        }
    };
    assert_eq!(expiry(&stores.old).await, expiry(&stores.new).await);
}

#[tokio::test]
async fn every_session_is_moved_once() {
    let stores = Stores::new();
    let jars = stores.jars(20).await;
    let moved = stores.migrate(&["--move"]).ok();
    assert_eq!(moved, counts("moved", [20, 0, 0, 0, 0]));
    for (number, jar) in (0..).zip(&jars) {
        assert_eq!(stores.number(jar, true).await, Some(number));
        assert_eq!(stores.number(jar, false).await, None);
    }
    // What the new store has changed since is newer, and what it has ended stays ended.
    stores.new.end_all("user 3").await.unwrap();
    let again = stores.migrate(&["--move"]).ok();
    assert_eq!(again, counts("moved", [0, 0, 20, 0, 0]));
    assert_eq!(stores.number(&jars[3], true).await, None);
}

#[tokio::test]
async fn sessions_move_to_other_keys_with_their_ids() {
    let stores = Stores::with_new_keys(OTHER_KEYS);
    let jars = stores.jars(3).await;
    let id = jars[1].session(stores.old.clone()).await.unwrap().id();
    let copied = stores.migrate(&["--to-keys", OTHER_KEYS]).ok();
    assert_eq!(copied, counts("copied", [3, 0, 0, 0, 0]));
    let listed = stores.new.list("user 1").await.unwrap();
    assert_eq!(listed.first().map(|session| session.id().clone()), id);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_named_and_counted() {
    let stores = Stores::new();
    stores.jars(2).await;
    let key = Key::new("A".repeat(43)).unwrap();
    let garbage = Record::new("garbage", Expiry::NEVER);
    let _ = stores.old.backend().create(&key, &garbage).await.unwrap();
    let run = stores.migrate(&[]);
    assert_eq!(run.status, 1);
    assert_eq!(run.stdout, counts("copied", [2, 0, 0, 0, 1]));
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains(&"A".repeat(43)), "{}", run.stderr);
    assert!(run.stderr.contains("not valid"), "{}", run.stderr);
}

#[tokio::test]
async fn a_session_that_has_ended_in_the_new_store_is_not_restored() {
    let stores = Stores::new();
    let jars = stores.jars(2).await;
    stores.migrate(&[]).ok();
    let sessions = jars[1].sessions(stores.new.clone());
    sessions.session().await.unwrap().end().unwrap();
    sessions.finish().await.unwrap();
    let again = stores.migrate(&[]).ok();
    assert_eq!(again, counts("copied", [0, 1, 0, 1, 0]));
    assert_eq!(stores.number(&jars[1], true).await, None);
}

#[tokio::test]
async fn a_run_begins_after_its_checkpoint() {
    let stores = Stores::new();
    stores.jars(3).await;
    let place = stores.folders[0].with_extension("place");
    let file = place.display().to_string();
    let copied = stores.migrate(&["--checkpoint", &file]).ok();
    assert_eq!(copied, counts("copied", [3, 0, 0, 0, 0]));
    assert!(!place.exists(), "a whole run leaves no checkpoint");
    // The last possible key.
    std::fs::write(&place, "enp6enp6\n").unwrap();
    let rest = stores.migrate(&["--checkpoint", &file]).ok();
    assert_eq!(rest, counts("copied", [0, 0, 0, 0, 0]));
    std::fs::write(&place, "?\n").unwrap();
    let error = stores.migrate(&["--checkpoint", &file]).fails(2);
    assert!(error.contains("checkpoint"), "{error}");
    std::fs::remove_file(&place).unwrap();
}

#[test]
fn wrong_usage_is_refused() {
    let stores = Stores::new();
    let dialect = stores.migrate(&["--to-dialect", "pgstore"]).fails(2);
    assert!(dialect.contains("--to-dialect"), "{dialect}");
    let tokens = ["--from-dialect", "scs-redisstore", "--checkpoint", "place"];
    let secret = stores.migrate(&tokens).fails(2);
    assert!(secret.contains("--checkpoint"), "{secret}");
    let without = ["sessions", "migrate", "--name", "__Host-id"];
    let mut command = command(without);
    command.env_remove("SILVERBACK_FROM");
    let missing = run(command, "").fails(2);
    assert!(missing.contains("SILVERBACK_FROM"), "{missing}");
    let help = stores.migrate(&["--help"]).ok();
    for part in ["--move", "--dry-run", "Examples:", "SILVERBACK_TO"] {
        assert!(help.contains(part), "{part}: {help}");
    }
}
