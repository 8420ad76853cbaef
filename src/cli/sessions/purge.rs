//! `silverback sessions purge`: removes expired records.

use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use silverback::backend::Scan;
use tokio::time::Instant;

use super::super::failure::Failure;
use super::skipped::report_skipped;
use super::store::StoreArguments;

/// The number of records removed at once. It is small, so that no purge holds a lock for long.
const BATCH: usize = 1_000;

/// The interval at which the progress line is updated.
const STEP: Duration = Duration::from_millis(500);

/// Remove expired records, and print their number.
///
/// Expired records open no session, and only take space. A service with a cleanup task purges
/// them itself, and so do some servers. A record that cannot be read is skipped, and named
/// on standard error. On a terminal, a line shows the progress.
#[derive(Args)]
pub(super) struct Purge {
    #[command(flatten)]
    store: StoreArguments,

    /// Print a JSON object with the field `removed`
    #[arg(long)]
    json: bool,
}

impl Purge {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let backend = self.store.connect().await?;
        let no_scan =
            || Failure::usage("this store removes expired records itself: it needs no purge");
        let scan = backend.scan().ok_or_else(no_scan)?;
        let purged = purge(scan, Progress::new()).await?;
        match self.json {
            true => writeln!(io::stdout(), "{}", json!({ "removed": purged }))?,
            false => writeln!(io::stdout(), "{purged}")?,
        }
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
        report_skipped(&batch.skipped);
        if batch.removed < BATCH {
            return Ok(purged);
        }
        progress.show(purged);
    }
}

/// A progress line on a terminal, which is overwritten at each update.
struct Progress {
    began: Instant,
    is_terminal: bool,
    is_shown: bool,
}

impl Progress {
    fn new() -> Self {
        Progress {
            began: Instant::now(),
            is_terminal: io::stderr().is_terminal(),
            is_shown: false,
        }
    }

    fn show(&mut self, purged: usize) {
        if self.is_terminal && self.began.elapsed() >= STEP {
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

    /// Ignores errors: they mean that the terminal is closed.
    fn write(&self, text: &str) {
        let mut terminal = io::stderr();
        let _ = write!(terminal, "{text}").and_then(|()| terminal.flush());
    }
}
