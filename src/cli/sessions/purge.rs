//! `silverback sessions purge`: expired records go.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use clap::Args;

use super::super::{Failure, tell};
use super::store::Place;

/// How many records go at once, so that no purge holds a lock for long.
const BATCH: usize = 1_000;

/// How long somebody who watches waits for a word.
const PATIENCE: Duration = Duration::from_secs(3);

/// Remove the records that are expired, and print how many there were.
///
/// They open nothing any more, and only take room: a service purges them by itself where it
/// has a cleanup task, and some servers do without being asked.
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
        let mut said = io::stderr().is_terminal().then(Instant::now);
        let mut purged = 0;
        loop {
            let batch = scan.purge(BATCH).await?;
            purged += batch;
            if batch < BATCH {
                break;
            }
            if said.is_some_and(|said| said.elapsed() >= PATIENCE) {
                tell(format_args!("{purged} so far"));
                said = Some(Instant::now());
            }
        }
        writeln!(io::stdout(), "{purged}")?;
        Ok(())
    }
}
