//! `silverback sessions purge`: expired records go.

use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::time::Duration;

use clap::Args;
use silverback::backend::Scan;
use tokio::time::Instant;

use super::super::Failure;
use super::store::{Place, tell_of_skipped};

/// How many records go at once, so that no purge holds a lock for long.
const BATCH: usize = 1_000;

/// How often a person who watches sees how far it is.
const STEP: Duration = Duration::from_millis(500);

/// Remove the records that are expired, and print how many there were.
///
/// They open nothing any more, and only take room: a service purges them by itself where it
/// has a cleanup task, and some servers do without being asked. A record that cannot be read is
/// skipped, and named on standard error. On a terminal, a line says how far it is.
#[derive(Args)]
pub(super) struct Purge {
    #[command(flatten)]
    place: Place,
}

impl Purge {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let backend = self.place.connect().await?;
        let no_scan = || Failure::usage("this store lets its records expire by itself");
        let scan = backend.scan().ok_or_else(no_scan)?;
        let purged = purge(scan, Progress::new()).await?;
        writeln!(io::stdout(), "{purged}")?;
        Ok(())
    }
}

async fn purge(scan: &dyn Scan, mut progress: Progress) -> Result<usize, Failure> {
    let mut purged = 0;
    loop {
        let mut batch = pin!(scan.purge(BATCH));
        let batch = loop {
            tokio::select! {
                batch = &mut batch => break batch?,
                () = tokio::time::sleep(STEP) => progress.show(purged),
            }
        };
        purged += batch.removed;
        progress.clear();
        tell_of_skipped(&batch.skipped);
        if batch.removed < BATCH {
            return Ok(purged);
        }
        progress.show(purged);
    }
}

/// A line on a terminal that says how far it is, and is written over.
struct Progress {
    began: Instant,
    is_seen: bool,
    is_shown: bool,
}

impl Progress {
    fn new() -> Self {
        Progress {
            began: Instant::now(),
            is_seen: io::stderr().is_terminal(),
            is_shown: false,
        }
    }

    fn show(&mut self, purged: usize) {
        if self.is_seen && self.began.elapsed() >= STEP {
            let seconds = self.began.elapsed().as_secs();
            self.write(&format!("\r{purged} records removed, {seconds} s"));
            self.is_shown = true;
        }
    }

    fn clear(&mut self) {
        if self.is_shown {
            self.write("\r\x1b[K");
            self.is_shown = false;
        }
    }

    /// Where the terminal is gone, nobody watches.
    fn write(&self, text: &str) {
        let mut terminal = io::stderr();
        let _ = write!(terminal, "{text}").and_then(|()| terminal.flush());
    }
}
