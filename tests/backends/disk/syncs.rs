//! Counts the syncs of a writer by its system calls.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::{Completion, Failed};

use super::super::candidates::on_disk;
use super::super::required::is_required;
use super::{report, writer};

/// The number of creations, and of swaps, touches and removals.
const TIMES: usize = 20;

/// The kinds of writes, in this order.
const WORKS: [&str; 4] = ["creations", "swaps", "touches", "removals"];

/// Each acknowledgement follows at least one successful sync. A file is synced before it is moved
/// into its place. The folder of each name that was made, moved or removed is synced afterwards,
/// since the folder contains the name.
pub(super) fn count(kind: &str) -> Result<Completion, Failed> {
    if let Err(why) = can_trace() {
        return match is_required("strace") {
            true => Err(format!("strace is required: {why}").into()),
            false => Ok(Completion::ignored_with(why)),
        };
    }
    let url = on_disk(match kind {
        "sqlite" => kind,
        _ => "files",
    });
    let (_, path) = url.split_once(':').expect("a path");
    let path = Path::new(path);
    let url = match kind {
        "sqlite" => url.clone(),
        // The folder does not exist yet.
        _ => format!("{kind}:{}/below/store", path.display()),
    };
    let log = path.with_extension("strace");
    let plain = writer(&TIMES.to_string(), &url);
    let mut traced = trace(&log);
    traced
        .arg(plain.get_program())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    for (name, value) in plain.get_envs() {
        traced.env(name, value.unwrap_or_default());
    }
    assert!(traced.status()?.success(), "the writer failed");
    let Trace {
        answers, opened, ..
    } = Trace::of(&std::fs::read_to_string(&log)?);
    let below =
        |names: &BTreeSet<String>| names.iter().any(|name| Path::new(name).starts_with(path));
    assert!(
        !below(&opened.unsynced),
        "a store was opened and not synced: {opened:?}"
    );
    assert_eq!(answers.len(), WORKS.len() * TIMES);
    for (work, answers) in WORKS.iter().zip(answers.chunks(TIMES)) {
        let syncs: usize = answers.iter().map(|answer| answer.syncs).sum();
        report(&format!(
            "{kind}: {syncs} syncs before {TIMES} {work} were acknowledged"
        ));
        for (
            number,
            Answer {
                syncs,
                unsynced,
                moved_unsynced,
                ..
            },
        ) in answers.iter().enumerate()
        {
            let which = format!("number {number} of the {work}");
            // Gorilla's files have no expiry to write.
            let writes = (kind, *work) != ("gorilla_files", "touches");
            assert!(
                !writes || *syncs >= 1,
                "{which} was acknowledged without a sync"
            );
            assert!(unsynced.is_empty(), "{which}: {unsynced:?} was not synced");
            let moved = moved_unsynced;
            assert!(
                moved.is_empty(),
                "{which}: {moved:?} was moved before it was synced"
            );
        }
    }
    Ok(Completion::Completed)
}

fn trace(log: &Path) -> Command {
    const CALLS: &str =
        "trace=fsync,fdatasync,write,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat";
    let mut command = Command::new("strace");
    // Prints the paths of open files.
    command.args(["-f", "-y", "-s", "512", "-e", CALLS, "-o"]);
    command.arg(log);
    command
}

/// Returns the reason if tracing is not available.
fn can_trace() -> Result<(), String> {
    let tried = trace(Path::new("/dev/null")).arg("true").output();
    let output = tried.map_err(|error| format!("strace is missing: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err("strace is not permitted here".to_owned()),
    }
}

/// The calls before an acknowledgement, since the write began.
#[derive(Debug, Default)]
struct Answer {
    syncs: usize,
    /// All synced paths.
    synced: BTreeSet<String>,
    /// Folders with a name that may be lost.
    unsynced: BTreeSet<String>,
    /// Files that were moved before they were synced.
    moved_unsynced: BTreeSet<String>,
}

/// The calls of all threads, in the order they ended.
#[derive(Default)]
struct Trace {
    answers: Vec<Answer>,
    /// The calls before the first write.
    opened: Answer,
    now: Answer,
    /// The calls that have begun, by their threads.
    begun: HashMap<String, String>,
}

impl Trace {
    fn of(log: &str) -> Self {
        let mut trace = Trace::default();
        for line in log.lines() {
            let (thread, call) = line.split_once(' ').unwrap_or_default();
            let call = call.trim_start();
            if let Some(call) = call.strip_suffix("<unfinished ...>") {
                trace.begun.insert(thread.to_owned(), call.to_owned());
            } else if let Some((_, rest)) = call.split_once(" resumed>") {
                let begun = trace.begun.remove(thread).unwrap_or_default();
                trace.ended(&(begun + rest));
            } else {
                trace.ended(call);
            }
        }
        trace
    }

    fn ended(&mut self, call: &str) {
        let (name, arguments) = call.split_once('(').unwrap_or_default();
        if name == "write" {
            if arguments.contains("\"done ") {
                self.answers.push(std::mem::take(&mut self.now));
            } else if arguments.contains("\"try ") {
                let before = std::mem::take(&mut self.now);
                if self.opened.syncs == 0 {
                    self.opened = before;
                }
            }
        } else if !call.trim_end().ends_with("= 0") {
            // The call had no effect.
        } else if name.ends_with("sync") {
            self.now.syncs += 1;
            // `fsync(7</path>) = 0`
            let path = arguments
                .split_once('<')
                .and_then(|(_, path)| path.split_once('>'));
            let path = path.unwrap_or_default().0;
            self.now.unsynced.remove(path);
            self.now.synced.insert(path.to_owned());
        } else {
            // The last path is that of the changed name.
            let path = arguments.rsplit('"').nth(1).unwrap_or_default();
            let folder = path.rsplit_once('/').unwrap_or_default().0;
            let from = arguments.split('"').nth(1).unwrap_or_default();
            if name.starts_with("rename") && !self.now.synced.contains(from) {
                self.now.moved_unsynced.insert(from.to_owned());
            }
            self.now.unsynced.insert(folder.to_owned());
        }
    }
}
