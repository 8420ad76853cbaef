//! `silverback keys`: the steps of a rotation, the steps that it refuses, and the file that it
//! writes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use silverback::codec::{KeyPairs, KeyRing};

use crate::program::{KEYS, OTHER, Run, command, run, silverback};
use crate::scratch::Scratch;

const DAY: u64 = 24 * 60 * 60;

/// The time of the first step.
const START: u64 = 1_800_000_000;

/// A key file, and the keys that were in it.
struct File {
    _folder: Scratch,
    path: PathBuf,
}

impl File {
    fn new() -> Self {
        let folder = Scratch::new("SILVERBACK_CLI_FOLDER");
        let path = folder.path().join("keys");
        File {
            _folder: folder,
            path,
        }
    }

    fn with(text: &str) -> Self {
        let file = File::new();
        fs::write(&file.path, text).unwrap();
        file
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    fn pairs(&self) -> Vec<String> {
        let pairs = KeyPairs::from_file(&self.path).unwrap();
        pairs
            .iter()
            .map(|pair| pair.fingerprint().to_string())
            .collect()
    }

    /// Runs a step at a time. No output contains a key.
    #[track_caller]
    fn step(&self, at: u64, arguments: &[&str]) -> Run {
        let before = fs::read_to_string(&self.path).unwrap_or_default();
        let (step, options) = arguments.split_first().unwrap();
        let at = at.to_string();
        let path = self.path.to_str().unwrap();
        let run = silverback(["keys", step, path, "--at", &at].iter().chain(options), "");
        let after = fs::read_to_string(&self.path).unwrap_or_default();
        for text in [&before, &after] {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            let keys = lines.flat_map(|line| line.split([':', ',']));
            for key in keys.filter(|key| key.len() > 12) {
                let part = &key[..12];
                assert!(!run.stdout.contains(part) && !run.stderr.contains(part));
            }
        }
        if run.status != 0 {
            assert_eq!(before, after, "a refused step changes nothing");
        }
        let folder = fs::read_dir(self.path.parent().unwrap()).unwrap();
        let names: Vec<_> = folder.map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| name == "keys"), "{names:?}");
        run
    }
}

#[test]
fn a_rotation_has_three_steps_and_each_waits_until_it_is_safe() {
    let file = File::new();
    let said = file.step(START, &["add"]).ok();
    assert!(said.contains("created with one pair"), "{said}");
    let [old] = &file.pairs()[..] else { panic!() };
    let seal = [
        "encode",
        "--name",
        "sid",
        "--keys-file",
        file.path.to_str().unwrap(),
    ];
    let cookie = silverback(seal, "\"ape\"").ok();
    let opens = || {
        let open = [
            "decode",
            "--name",
            "sid",
            "--keys-file",
            file.path.to_str().unwrap(),
            "-",
        ];
        silverback(open, &cookie).status == 0
    };

    let said = file.step(START, &["add"]).ok();
    let new = file.pairs()[1].clone();
    assert_eq!(file.pairs(), [old.clone(), new.clone()]);
    assert!(
        said.contains(&format!("pair 2 ({new}) was added")),
        "{said}"
    );
    assert!(
        said.contains(&format!(
            "next: promote pair 2 ({new}) from 2027-01-15T08:10:00Z on"
        )),
        "{said}"
    );
    let refused = file.step(START + 1, &["add"]).fails(1);
    assert!(refused.contains("promote it first"), "{refused}");
    let refused = file.step(START + 1, &["retire"]).fails(1);
    assert!(refused.contains("does not seal yet"), "{refused}");

    let refused = file.step(START + 599, &["promote"]).fails(1);
    assert!(
        refused.contains("safe to promote from 2027-01-15T08:10:00Z"),
        "{refused}"
    );
    file.step(START + 600, &["promote"]).ok();
    assert_eq!(file.pairs(), [new.clone(), old.clone()]);
    assert!(opens());
    let refused = file.step(START + 700, &["promote"]).fails(1);
    assert!(refused.contains("no pair waits"), "{refused}");

    let safe = START + 600 + 600 + 30 * DAY;
    let refused = file.step(safe - 1, &["retire"]).fails(1);
    assert!(
        refused.contains("can be valid until 2027-02-14T08:20:00Z"),
        "{refused}"
    );
    let said = file.step(safe, &["status"]).ok();
    assert!(
        said.contains(&format!("next: retire pair 2 ({old}) now")),
        "{said}"
    );
    file.step(safe, &["retire"]).ok();
    assert_eq!(file.pairs(), [new]);
    assert!(!opens());
    let refused = file.step(safe, &["retire"]).fails(1);
    assert!(refused.contains("one pair, which seals"), "{refused}");
}

#[test]
fn the_waiting_times_can_be_shortened() {
    let file = File::new();
    file.step(START, &["add"]).ok();
    file.step(START, &["add"]).ok();
    file.step(START + 60, &["promote", "--wait", "1m"]).ok();
    file.step(START + 60, &["add", "--sign-only"]).ok();
    file.step(START + 60, &["promote", "--deployed"]).ok();
    assert_eq!(file.pairs().len(), 3);
    let short = ["retire", "--wait", "0s", "--max-age", "12h"];
    file.step(START + 60 + DAY / 2 - 1, &short).fails(1);
    file.step(START + 60 + DAY / 2, &short).ok();
    file.step(START + 60 + DAY / 2, &short).ok();
    assert_eq!(file.pairs().len(), 1);
    let status = file.step(START, &["status"]).ok();
    assert!(status.contains("signs only"), "{status}");
}

#[test]
fn a_file_made_by_hand_keeps_its_comments_and_has_no_dates() {
    let of_go = "text=an-authentication-key-of-a-Go-program";
    let file = File::with(&format!(
        "# the shop\n\n{KEYS}, {OTHER}\n# from Go\n{of_go}\n# end\n"
    ));
    let before = file.pairs();
    let refused = file.step(START, &["promote"]).fails(1);
    assert!(refused.contains("--deployed"), "{refused}");
    let refused = file.step(START, &["retire"]).fails(1);
    assert!(refused.contains("--sealed-until"), "{refused}");
    file.step(START, &["promote", "--deployed"]).ok();
    let [a, b, c] = &before[..] else { panic!() };
    assert_eq!(file.pairs(), [c.clone(), a.clone(), b.clone()]);
    let text = file.text();
    let comments: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("# ") && !line.contains("silverback"))
        .collect();
    assert_eq!(comments, ["# from Go", "# the shop", "# end"]);

    let long_ago = ["retire", "--sealed-until", "2020-01-01T00:00:00Z"];
    file.step(START, &long_ago).ok();
    let refused = file.step(START, &long_ago).fails(1);
    assert!(
        refused.contains("can be valid"),
        "the file has its date: {refused}"
    );
    file.step(START, &["retire", "--sealed-until", "tomorrow"])
        .fails(2);
}

#[test]
fn a_leaked_pair_is_removed_at_once_and_the_output_says_who_is_logged_out() {
    let file = File::new();
    for step in ["add", "add", "promote", "add"] {
        file.step(START, &[step, "--wait", "0s"]).ok();
    }
    let [second, first, waiting] = &file.pairs()[..] else {
        panic!()
    };
    let said = file
        .step(START, &["retire", "--leaked", "3", "--unused"])
        .ok();
    assert!(
        said.contains(waiting) && said.contains("no user is logged out"),
        "{said}"
    );
    let said = file.step(START, &["retire", "--leaked", "1"]).ok();
    assert!(said.contains(second) && said.contains(first), "{said}");
    assert!(
        said.contains("sealed since 2027-01-15T08:00:00Z are refused"),
        "{said}"
    );
    assert_eq!(file.pairs(), std::slice::from_ref(first));
    let said = file.step(START, &["retire", "--leaked", "1"]).ok();
    assert!(said.contains("a new pair takes its place"), "{said}");
    assert_ne!(file.pairs(), std::slice::from_ref(first));
    assert_eq!(file.pairs().len(), 1);
    for number in ["0", "2", "99"] {
        file.step(START, &["retire", "--leaked", number]).fails(2);
    }
    file.step(
        START,
        &[
            "retire",
            "--leaked",
            "1",
            "--sealed-until",
            "2020-01-01T00:00:00Z",
        ],
    )
    .fails(2);

    let file = File::with(&format!("{KEYS}\n"));
    file.step(START, &["add"]).ok();
    let said = file.step(START, &["retire", "--leaked", "1"]).ok();
    assert!(said.contains("a process that has not loaded it"), "{said}");
}

/// A session of a leaked pair may have been sealed again by each newer pair.
#[test]
fn a_leaked_pair_takes_the_newer_pairs_with_it() {
    let file_with_three = || {
        let file = File::new();
        for step in ["add", "add", "promote", "add", "promote"] {
            file.step(START, &[step, "--wait", "0s"]).ok();
        }
        file.step(START, &["add", "--wait", "0s"]).ok();
        let pairs = file.pairs();
        (file, pairs)
    };
    let (file, pairs) = file_with_three();
    let said = file.step(START, &["retire", "--leaked", &pairs[1]]).ok();
    assert!(
        said.contains("may have sealed its sessions again"),
        "{said}"
    );
    assert_eq!(
        file.pairs(),
        pairs[2..],
        "the older pair, and the one that waits"
    );
    let (file, pairs) = file_with_three();
    file.step(START, &["retire", "--leaked", "2", "--unused"])
        .ok();
    assert_eq!(file.pairs(), [&pairs[..1], &pairs[2..]].concat());
    let (file, _) = file_with_three();
    file.step(START, &["retire", "--leaked", "ffffffff"])
        .fails(2);
    file.step(START, &["retire", "--unused"]).fails(2);
}

/// A second promotion by mistake lets no older pair seal.
#[test]
fn a_promotion_that_is_repeated_is_refused() {
    let file = File::with(&format!("{KEYS}, {OTHER}\n"));
    file.step(START, &["add"]).ok();
    file.step(START, &["promote", "--deployed"]).ok();
    let pairs = file.pairs();
    let refused = file.step(START, &["promote", "--deployed"]).fails(1);
    assert!(refused.contains("no pair waits"), "{refused}");
    assert_eq!(file.pairs(), pairs);
}

#[test]
fn the_status_is_also_json() {
    let file = File::with(&format!("{KEYS}\n"));
    file.step(START, &["add", "--json"]).ok();
    let status: Value =
        serde_json::from_str(&file.step(START, &["status", "--json"]).ok()).unwrap();
    let pairs = file.pairs();
    assert_eq!(status["done"], Value::Null);
    assert_eq!(status["pairs"][0]["fingerprint"], *pairs[0]);
    assert_eq!(status["pairs"][0]["seals"], true);
    assert_eq!(status["pairs"][0]["added"], Value::Null);
    assert_eq!(status["pairs"][1]["number"], 2);
    assert_eq!(status["pairs"][1]["encrypts"], true);
    assert_eq!(status["pairs"][1]["added"], "2027-01-15T08:00:00Z");
    assert_eq!(status["next"]["step"], "promote");
    assert_eq!(status["next"]["from"], "2027-01-15T08:10:00Z");
    assert_eq!(status["next"]["is_safe"], false);
    let done: Value =
        serde_json::from_str(&file.step(START + 600, &["promote", "--json"]).ok()).unwrap();
    assert!(done["done"].as_str().unwrap().contains(&pairs[1]));
}

#[test]
fn a_ring_loads_what_the_program_writes_and_refuses_a_part_of_it() {
    let file = File::new();
    file.step(START, &["add"]).ok();
    file.step(START, &["add"]).ok();
    let ring = KeyRing::from_file(&file.path).unwrap();
    let keys = |ring: &KeyRing| -> Vec<String> {
        ring.status().keys.iter().map(ToString::to_string).collect()
    };
    assert_eq!(keys(&ring), file.pairs());
    file.step(START, &["promote", "--deployed"]).ok();
    assert!(ring.reload().unwrap());
    assert_eq!(keys(&ring), file.pairs());

    let text = file.text();
    let cut = text.trim_end().rfind('\n').unwrap() + 1;
    fs::write(&file.path, &text[..cut]).unwrap();
    assert!(ring.reload().is_err());
    for step in ["status", "add", "promote", "retire"] {
        let refused = file.step(START, &[step]).fails(2);
        assert!(refused.contains("checksum"), "{refused}");
    }
    fs::write(&file.path, text.split_once('\n').unwrap().1).unwrap();
    let status = file.step(START, &["status"]).ok();
    assert!(
        status.contains("promoted"),
        "an edited file keeps its dates: {status}"
    );
}

#[test]
fn of_several_concurrent_steps_one_is_done() {
    let file = File::with(&format!("{KEYS}\n"));
    let path = file.path.to_str().unwrap();
    let runs: Vec<Run> = std::thread::scope(|threads| {
        let add = || threads.spawn(|| run(command(["keys", "add", path]), ""));
        let runs: Vec<_> = (0..8).map(|_| add()).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let done = runs.iter().filter(|run| run.status == 0).count();
    assert_eq!((done, file.pairs().len()), (1, 2));
}

#[test]
fn a_file_that_a_killed_program_left_is_named() {
    let file = File::with(&format!("{KEYS}\n"));
    let left = file.path.with_file_name(".keys.silverback-new");
    fs::write(&left, "").unwrap();
    let run = silverback(["keys", "add", file.path.to_str().unwrap()], "");
    assert!(run.fails(2).contains(".silverback-new"));
    assert!(left.exists(), "another process may use it");
}

#[test]
fn a_file_that_cannot_be_read_or_replaced_is_refused() {
    let file = File::with("not a key");
    file.step(START, &["status"]).fails(2);
    let missing = file.path.with_file_name("missing/keys");
    for step in ["add", "promote", "retire", "status"] {
        silverback(["keys", step, missing.to_str().unwrap()], "").fails(2);
    }
    silverback(["keys", "add", "/"], "").fails(2);
}

#[cfg(unix)]
mod on_unix {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_file_is_private_and_an_old_one_keeps_its_mode() {
        let file = File::new();
        file.step(START, &["add"]).ok();
        assert_eq!(mode(&file.path), 0o600);
        for kept in [0o400, 0o440, 0o640] {
            fs::set_permissions(&file.path, fs::Permissions::from_mode(kept)).unwrap();
            file.step(START, &["add"]).ok();
            assert_eq!(mode(&file.path), kept);
            file.step(START, &["promote", "--deployed"]).ok();
            assert_eq!(mode(&file.path), kept);
        }
    }

    #[test]
    fn a_symbolic_link_stays_and_its_file_is_replaced() {
        let file = File::new();
        file.step(START, &["add"]).ok();
        let links = Scratch::new("SILVERBACK_CLI_FOLDER");
        let (link, to_link) = (links.path().join("link"), links.path().join("to-link"));
        symlink(&file.path, &link).unwrap();
        symlink("link", &to_link).unwrap();
        let old = fs::metadata(&file.path).unwrap().ino();
        silverback(["keys", "add", to_link.to_str().unwrap()], "").ok();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::symlink_metadata(&to_link).unwrap().is_symlink());
        assert_ne!(
            fs::metadata(&file.path).unwrap().ino(),
            old,
            "replaced by a rename"
        );
        assert_eq!(file.pairs().len(), 2);
        assert_eq!(fs::read_dir(links.path()).unwrap().count(), 2);

        fs::remove_file(&file.path).unwrap();
        silverback(["keys", "add", link.to_str().unwrap()], "").fails(2);
        assert!(
            fs::symlink_metadata(&link).unwrap().is_symlink(),
            "a link to no file stays"
        );
    }

    #[test]
    fn the_owner_of_the_file_stays() {
        let file = File::new();
        file.step(START, &["add"]).ok();
        if chown(&file.path, Some(4321), Some(4322)).is_err() {
            eprintln!("not run: only root can give a file away");
            return;
        }
        file.step(START, &["add"]).ok();
        let owner = fs::metadata(&file.path).unwrap();
        assert_eq!((owner.uid(), owner.gid()), (4321, 4322));
    }
}
