//! Counts the syncs of a writer, by the system calls it makes.

use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::{Completion, Failed};

use super::super::contestants::on_disk;
use super::super::required::is_required;
use super::{report, writer};

/// So many creations, and as many swaps.
const TIMES: usize = 20;

/// Between an acknowledgement and the next is at least one sync that succeeded.
pub(super) fn count(kind: &str) -> Result<Completion, Failed> {
    if let Err(why) = can_trace() {
        return match is_required("strace") {
            true => Err(format!("strace is required: {why}").into()),
            false => Ok(Completion::ignored_with(why)),
        };
    }
    let url = on_disk(kind);
    let (_, path) = url.split_once(':').expect("a path");
    let log = Path::new(path).with_extension("strace");
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
    let syncs = syncs_before_each_answer(&std::fs::read_to_string(&log)?);
    assert_eq!(syncs.len(), 2 * TIMES);
    let (creations, swaps) = syncs.split_at(TIMES);
    report(&format!(
        "{kind}: {} syncs before {TIMES} creations were acknowledged, {} before {TIMES} swaps",
        creations.iter().sum::<usize>(),
        swaps.iter().sum::<usize>()
    ));
    for (number, syncs) in syncs.iter().enumerate() {
        assert!(
            *syncs >= 1,
            "write {number} was acknowledged without a sync"
        );
    }
    Ok(Completion::Completed)
}

fn trace(log: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-e", "trace=fsync,fdatasync,write", "-o"]);
    command.arg(log);
    command
}

/// Why there is no tracing, where there is none.
fn can_trace() -> Result<(), String> {
    let tried = trace(Path::new("/dev/null")).arg("true").output();
    let output = tried.map_err(|error| format!("there is no strace: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err("strace may not trace here".to_owned()),
    }
}

/// How many syncs had ended between each answer and the one before, in the order they came.
fn syncs_before_each_answer(log: &str) -> Vec<usize> {
    let (mut counts, mut syncs) = (Vec::new(), 0);
    for line in log.lines() {
        if line.contains(" write(1, \"done ") {
            counts.push(std::mem::take(&mut syncs));
        } else if line.contains(" write(1, \"try ") {
            syncs = 0;
        } else if line.contains("sync") && line.trim_end().ends_with("= 0") {
            syncs += 1;
        }
    }
    counts
}
