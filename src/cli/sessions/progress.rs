//! [`Progress`]: a progress bar on a terminal, and a line now and then elsewhere.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use silverback::backend::{Key, Scan};

use super::super::failure::{Failure, report};

/// The time between two lines, if standard error is not a terminal.
const INTERVAL: Duration = Duration::from_secs(10);

const TEMPLATE: &str = "{bar:40} {human_pos} of {human_len} records, {per_sec}, {eta} left";

/// The progress of a run over all records.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    began: Instant,
    reported: Instant,
    records: usize,
}

impl Progress {
    /// Begins. On a terminal, counts the records first, because the bar shows the time left.
    pub(super) async fn of(
        scan: &dyn Scan,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Self, Failure> {
        let bar = match io::stderr().is_terminal() {
            true => Some(bar(count(scan, after, limit).await?)),
            false => None,
        };
        let now = Instant::now();
        Ok(Progress {
            bar,
            began: now,
            reported: now,
            records: 0,
        })
    }

    /// Counts one more record.
    pub(super) fn advance(&mut self) {
        self.records += 1;
        match &self.bar {
            Some(bar) => bar.inc(1),
            None if self.reported.elapsed() >= INTERVAL => {
                self.reported = Instant::now();
                let seconds = self.began.elapsed().as_secs().max(1);
                let records = self.records;
                report(format_args!("{records} records in {seconds} s"));
            }
            None => {}
        }
    }

    /// Prints something without disturbing the bar.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(records: u64) -> ProgressBar {
    let bar = ProgressBar::new(records);
    // The template is constant; if it were wrong, the default style would show the bar.
    if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

async fn count(scan: &dyn Scan, after: Option<&Key>, limit: usize) -> Result<u64, Failure> {
    let mut records = 0;
    let mut after = after.cloned();
    loop {
        let page = scan.page(after.as_ref(), limit).await?;
        records += u64::try_from(page.entries.len()).unwrap_or(0);
        after = page.next;
        if after.is_none() {
            return Ok(records);
        }
    }
}
