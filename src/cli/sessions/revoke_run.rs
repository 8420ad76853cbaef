//! [`Revocation`]: ends the sessions that an operator selects, one by one.

use std::time::Duration;

use silverback::backend::Key;
use silverback::codec::UnixTime;
use silverback::session::{Error, Lookup, Refusal, ServerStore};

use super::super::failure::{Failure, report};
use super::concurrent::{PAGE, run_all};
use super::keys::KeyForm;
use super::list::entries_of;
use super::progress::Progress;
use super::skipped::report_skipped;
use super::store::reason;

/// The number of records that are named if they cannot be read. Wrong keys open none at all.
const NAMED: usize = 10;

/// The number of times that the records are read, if sessions keep appearing.
const MAX_PASSES: usize = 1_000;

/// The selection of sessions that end.
pub(super) struct Revocation {
    pub(super) store: ServerStore,
    pub(super) form: KeyForm,
    /// Only sessions of this owner.
    pub(super) owner: Option<String>,
    /// Only sessions that began before this time.
    pub(super) before: Option<UnixTime>,
    pub(super) dry_run: bool,
    /// How long after the time the records are last read.
    pub(super) wait: Duration,
}

/// The numbers of sessions, by result.
pub(super) struct Counts {
    /// `None` if the store cannot count them.
    pub(super) ended: Option<usize>,
    pub(super) later: usize,
    pub(super) failed: usize,
}

impl Default for Counts {
    fn default() -> Self {
        Counts {
            ended: Some(0),
            later: 0,
            failed: 0,
        }
    }
}

/// The result for one record.
enum Fate {
    Ended,
    /// It began later, or has no date.
    Later,
    /// It is no session, has ended already, or has another owner.
    Other,
    NotReadable(Refusal),
}

impl Revocation {
    /// Reads all records, and ends the selected sessions. Reads them again until none is left: a
    /// concurrent request may move a session behind the place that was read, or save one late.
    pub(super) async fn run(&self, counts: &mut Counts) -> Result<(), Failure> {
        let began = UnixTime::now();
        // Dates are in whole seconds, so a session of this second may have begun just before.
        let limit = self.before.unwrap_or(began + Duration::from_secs(1));
        // The first pass ends all sessions that it reads, even if their machine's clock is ahead.
        self.pass(self.before, counts).await?;
        if self.dry_run {
            return Ok(());
        }
        for _ in 1..MAX_PASSES {
            let began = UnixTime::now();
            // The records that cannot be read have been named.
            let mut again = Counts {
                failed: NAMED,
                ..Counts::default()
            };
            let passed = self.pass(Some(limit), &mut again).await;
            counts.ended = counts.ended.zip(again.ended).map(|(all, more)| all + more);
            passed?;
            if again.ended != Some(0) {
                continue;
            }
            let last = limit + self.wait;
            if began >= last {
                return Ok(());
            }
            tokio::time::sleep(last.saturating_duration_since(began)).await;
        }
        Err(Failure::usage(
            "sessions that began before the time keep appearing: does a program restore them?",
        ))
    }

    /// Reads the records once.
    async fn pass(&self, limit: Option<UnixTime>, counts: &mut Counts) -> Result<(), Failure> {
        if let Some(owner) = &self.owner {
            let entries = entries_of(owner, usize::MAX, &**self.store.backend()).await?;
            let keys = entries.into_iter().map(|entry| entry.key);
            return self
                .end_all(keys, limit, |key, fate| self.note(key, fate, counts))
                .await;
        }
        let no_scan = || {
            Failure::usage(
                "this store cannot list its records: give the service another store name or other \
                 keys, and no older session opens",
            )
        };
        let scan = self.store.backend().scan().ok_or_else(no_scan)?;
        let mut progress = Progress::of(scan, None, PAGE).await?;
        let mut after = None;
        loop {
            let page = scan.page(after.as_ref(), PAGE).await?;
            if counts.failed < NAMED {
                progress.suspend(|| report_skipped(&page.skipped));
            }
            counts.failed += page.skipped.len();
            let keys = page.entries.into_iter().map(|entry| entry.key);
            let note = |key: &Key, fate| {
                progress.suspend(|| self.note(key, fate, counts));
                progress.advance();
            };
            self.end_all(keys, limit, note).await?;
            after = page.next;
            if after.is_none() {
                progress.finish();
                return Ok(());
            }
        }
    }

    /// Ends those sessions under these keys that are selected.
    async fn end_all(
        &self,
        keys: impl Iterator<Item = Key>,
        limit: Option<UnixTime>,
        mut note: impl FnMut(&Key, Fate),
    ) -> Result<(), Failure> {
        let task = |key: Key| {
            let (store, owner) = (self.store.clone(), self.owner.clone());
            let dry_run = self.dry_run;
            async move {
                let fate = end(&store, &key, owner.as_deref(), limit, dry_run).await;
                (key, fate)
            }
        };
        run_all(keys, task, |(key, fate): (Key, Result<Fate, Error>)| {
            note(&key, fate?);
            Ok(())
        })
        .await
    }

    fn note(&self, key: &Key, fate: Fate, counts: &mut Counts) {
        match fate {
            Fate::Ended => counts.ended = counts.ended.map(|ended| ended + 1),
            Fate::Later => counts.later += 1,
            Fate::Other => {}
            Fate::NotReadable(refusal) => {
                counts.failed += 1;
                if counts.failed <= NAMED {
                    let (name, reason) = (self.form.text(key), reason(refusal));
                    report(format_args!("silverback: {name}: {reason}"));
                }
            }
        }
    }
}

/// Ends the session under a key, if it is of this owner and began before the limit.
async fn end(
    store: &ServerStore,
    key: &Key,
    owner: Option<&str>,
    limit: Option<UnixTime>,
    dry_run: bool,
) -> Result<Fate, Error> {
    let session = match store.find(key).await? {
        Lookup::Found(session) => session,
        Lookup::Refused(refusal @ (Refusal::NotValid | Refusal::TooLong)) => {
            return Ok(Fate::NotReadable(refusal));
        }
        Lookup::Refused(_) => return Ok(Fate::Other),
    };
    if owner.is_some() && session.owner() != owner {
        return Ok(Fate::Other);
    }
    if limit.is_some_and(|limit| session.created() >= limit) {
        return Ok(Fate::Later);
    }
    if dry_run {
        return Ok(Fate::Ended);
    }
    Ok(match store.end_by_key(key).await? {
        Lookup::Found(_) => Fate::Ended,
        Lookup::Refused(_) => Fate::Other,
    })
}
