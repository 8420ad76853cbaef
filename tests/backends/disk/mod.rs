//! What a backend on a disk owes beyond the laws: that a write which was acknowledged is
//! there after the writer was killed, at any moment, and every record whole; that writers in
//! several processes lose nothing; and that each acknowledged write was synced.
//!
//! Few rounds are quick; `SILVERBACK_ROUNDS=100` makes it so many, and says what was seen.

mod kill;
mod record;
mod syncs;
mod writer;

use std::process::{Command, Stdio};
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use silverback::backend::connect;
use tokio::runtime::Runtime;

use super::contestants::{ON_DISK, on_disk};
pub(super) use writer::is_writer;

/// How often what chance decides is tried.
pub(super) fn rounds() -> usize {
    let asked = std::env::var("SILVERBACK_ROUNDS").ok();
    asked.map_or(5, |rounds| {
        rounds.parse().expect("SILVERBACK_ROUNDS is a number")
    })
}

/// Says what was seen, to who asked for many rounds.
pub(super) fn report(text: &str) {
    if std::env::var_os("SILVERBACK_ROUNDS").is_some() {
        eprintln!("{text}");
    }
}

pub(super) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in ON_DISK.iter().copied() {
        let name = format!("{kind}::a_killed_writer_leaves_whole_records");
        let handle = runtime.clone();
        let kill = move || handle.block_on(kill::try_rounds(kind, rounds()));
        trials.push(Trial::test(name, kill));

        let name = format!("{kind}::writers_in_two_processes_lose_nothing");
        let handle = runtime.clone();
        trials.push(Trial::test(name, move || {
            handle.block_on(two_processes(kind))
        }));

        let name = format!("{kind}::every_acknowledged_write_is_synced");
        trials.push(Trial::ignorable_test(name, move || syncs::count(kind)));
    }
    trials
}

/// This program once more, to write.
fn writer(work: &str, url: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(writer::VARIABLE, format!("{work} {url}"));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

async fn two_processes(kind: &str) -> Result<(), Failed> {
    let url = on_disk(kind);
    let writers = [(); 2].map(|()| writer("add", &url).spawn());
    for writer in writers {
        assert!(writer?.wait()?.success(), "a writer failed");
    }
    let backend = connect(&url).await?;
    assert_eq!(writer::sum(&*backend).await?, Some(2 * writer::ADDED));
    Ok(())
}
