//! Tests of backends on a disk beyond the laws: after a writer was killed at any moment, each
//! acknowledged write is stored and every record is whole; concurrent writers in several processes
//! lose no update; and each acknowledged write was synced.
//!
//! The default is a few quick rounds; `SILVERBACK_ROUNDS=100` runs that many, and prints the
//! figures.

#[cfg(feature = "files")]
mod folders;
#[cfg(feature = "files")]
mod held_locks;
mod kill;
#[cfg(feature = "files")]
mod outages;
mod record;
mod syncs;
mod writer;

use std::process::{Command, Stdio};
use std::sync::Arc;

use libtest_mimic::{Completion, Failed, Trial};
use silverback::backend::connect;
use tokio::runtime::Runtime;

use super::candidates::{ON_DISK, on_disk};
pub(super) use writer::is_writer;

/// Returns the number of rounds of random tests.
pub(super) fn rounds() -> usize {
    let asked = std::env::var("SILVERBACK_ROUNDS").ok();
    asked.map_or(5, |rounds| {
        rounds.parse().expect("SILVERBACK_ROUNDS is a number")
    })
}

/// Prints figures if many rounds were requested.
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
    #[cfg(feature = "files")]
    trials.extend(of_folders(runtime));
    trials
}

/// Tests of backends with a file for each record: they answer in time, even if the disk fails.
#[cfg(feature = "files")]
fn of_folders(runtime: &Arc<Runtime>) -> Vec<Trial> {
    use folders::Folders;

    let mut trials = Vec::new();
    for kind in Folders::ALL {
        let mut add = |name: &str, run: Box<dyn FnOnce() -> Result<Completion, Failed> + Send>| {
            trials.push(Trial::ignorable_test(
                format!("{}::{name}", kind.name()),
                run,
            ));
        };
        let completed = |()| Completion::Completed;
        let on = runtime.clone();
        let run = move || {
            on.block_on(held_locks::are_refused_in_time(kind))
                .map(completed)
        };
        add("held_locks_are_refused_in_time", Box::new(run));
        let run = move || held_locks::need_no_thread_of_the_application(kind).map(completed);
        add("files_need_no_thread_of_the_application", Box::new(run));
        let on = runtime.clone();
        let run = move || {
            on.block_on(outages::a_folder_that_vanishes(kind))
                .map(completed)
        };
        add("a_folder_that_vanishes_is_an_outage", Box::new(run));
        let on = runtime.clone();
        let run = move || {
            on.block_on(outages::a_folder_that_flickers(kind))
                .map(completed)
        };
        add("a_folder_that_flickers_misses_no_record", Box::new(run));
        let on = runtime.clone();
        let run = move || on.block_on(outages::a_full_or_read_only_disk(kind));
        add(
            "a_full_or_read_only_disk_is_an_outage_with_its_cause",
            Box::new(run),
        );
        let run = move || outages::too_many_open_files(kind).map(completed);
        add(
            "too_many_open_files_are_an_outage_with_their_cause",
            Box::new(run),
        );
        let run = move || outages::files_that_are_closed_to_the_user(kind);
        add("closed_files_are_an_outage_with_their_cause", Box::new(run));
    }
    let name = "gorilla_files::every_acknowledged_write_is_synced";
    trials.push(Trial::ignorable_test(name, || {
        syncs::count("gorilla_files")
    }));
    let on = runtime.clone();
    trials.push(Trial::test(
        "files::held_locks_delay_no_purge_for_long",
        move || on.block_on(held_locks::delay_no_purge_for_long()),
    ));
    trials
}

/// Returns a command that runs this program as a writer.
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
