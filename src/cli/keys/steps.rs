//! The steps of a rotation, and the times from which they are safe.

use std::time::Duration;

use silverback::codec::{KeyPair, UnixTime};

use super::super::dates::format_date;
use super::super::failure::Failure;
use super::super::keygen::new_pair;
use super::file::{Dates, Entry, KeyFile};

/// The times on which the safety of a step depends.
pub(super) struct Limits {
    /// How long a cookie or a session can live.
    pub(super) max_age: Duration,
    /// The time in which a change reaches every process.
    pub(super) wait: Duration,
    pub(super) now: UnixTime,
}

/// The step that comes next.
pub(super) enum Next {
    /// No rotation is in progress.
    Add,
    /// The pair at the index is promoted, from a time on.
    Promote(usize, Option<UnixTime>),
    /// The last pair is retired, from a time on, or from an unknown time.
    Retire(Option<UnixTime>),
}

impl Limits {
    /// Returns the time from which a pair that was added at `added` may seal.
    fn promotion(&self, added: UnixTime) -> UnixTime {
        added + self.wait
    }

    /// Refuses a step that is safe only later, or whose safety is unknown. `{}` in the message stands
    /// for the date.
    fn check(&self, from: Option<UnixTime>, not_yet: &str, unknown: String) -> Result<(), Failure> {
        match from {
            Some(from) if from <= self.now => Ok(()),
            Some(from) => Err(refused(not_yet.replace("{}", &format_date(from)))),
            None => Err(refused(unknown)),
        }
    }

    /// Returns the time from which no cookie of a pair that sealed until `demoted` is valid. A
    /// process that loads the file late seals with the pair for the time of `wait`.
    fn retirement(&self, demoted: UnixTime) -> UnixTime {
        demoted + self.wait + self.max_age
    }
}

/// Returns the next step.
pub(super) fn next(file: &KeyFile, limits: &Limits) -> Next {
    let waiting = |(_, entry): &(usize, &Entry)| entry.dates.is_waiting();
    let mut others = file.entries.iter().enumerate().skip(1);
    if let Some((index, entry)) = others.find(waiting) {
        let added = entry.dates.added;
        return Next::Promote(index, added.map(|added| limits.promotion(added)));
    }
    match &*file.entries {
        [_, .., last] => {
            let demoted = last.dates.demoted;
            Next::Retire(demoted.map(|demoted| limits.retirement(demoted)))
        }
        _ => Next::Add,
    }
}

/// Adds a pair, which opens and does not seal.
pub(super) fn add(file: &mut KeyFile, limits: &Limits, pair: KeyPair) -> Result<String, Failure> {
    if let Next::Promote(index, _) = next(file, limits) {
        return Err(refused(format_args!(
            "{} was added before and does not seal yet: promote it first",
            file.name(index)
        )));
    }
    let dates = Dates {
        added: Some(limits.now),
        ..Dates::default()
    };
    file.entries.push(Entry::new(pair, dates));
    let name = file.name(file.entries.len() - 1);
    Ok(format!(
        "{name} was added: it opens cookies, and {} still seals",
        file.name(0)
    ))
}

/// Makes the added pair the one that seals.
pub(super) fn promote(
    file: &mut KeyFile,
    limits: &Limits,
    is_deployed: bool,
) -> Result<String, Failure> {
    let (index, from) = match next(file, limits) {
        Next::Promote(index, from) => (index, from),
        // The file was made by hand: the last pair is the new one, if the caller says so.
        Next::Retire(None) if file.has_no_dates() => (file.entries.len() - 1, None),
        Next::Add | Next::Retire(_) => {
            return Err(refused("no pair waits for its promotion: add one first"));
        }
    };
    let name = file.name(index);
    let not_yet = format!(
        "{name} is safe to promote from {{}} on: wait, or use --deployed if every process \
         has loaded it"
    );
    let unknown = format!(
        "the file does not say when {name} was added: use --deployed if it is the new pair, \
         and every process has loaded it"
    );
    if !is_deployed {
        limits.check(from, &not_yet, unknown)?;
    }
    if let Some(first) = file.entries.first_mut() {
        first.dates.demoted = Some(limits.now);
    }
    let mut promoted = file.entries.remove(index);
    promoted.dates.promoted = Some(limits.now);
    promoted.dates.demoted = None;
    file.entries.insert(0, promoted);
    Ok(format!(
        "{} seals from now on, and the other pairs still open",
        file.name(0)
    ))
}

/// Removes the last pair, if none of its cookies can be valid.
pub(super) fn retire(
    file: &mut KeyFile,
    limits: &Limits,
    sealed_until: Option<UnixTime>,
) -> Result<String, Failure> {
    let from = match next(file, limits) {
        Next::Retire(from) => from,
        Next::Add => {
            return Err(refused(
                "the file has one pair, which seals: add another first",
            ));
        }
        Next::Promote(index, _) => {
            return Err(refused(format_args!(
                "{} does not seal yet: promote it first, or remove it with --leaked {}",
                file.name(index),
                index + 1
            )));
        }
    };
    let last = file.entries.len() - 1;
    let from = from.or(sealed_until.map(|until| limits.retirement(until)));
    let name = file.name(last);
    let not_yet = format!(
        "cookies of {name} can be valid until {{}}: wait, or give the longest lifetime of your \
         cookies and sessions with --max-age"
    );
    let unknown = format!(
        "the file does not say when {name} stopped sealing: give the date with --sealed-until"
    );
    limits.check(from, &not_yet, unknown)?;
    file.entries.truncate(last);
    Ok(format!("{name} was removed: its cookies have expired"))
}

/// Removes a leaked pair at once, with the newer pairs that may have sealed its sessions again. With
/// `is_unused`, removes it alone. If no pair is left, a new one takes its place.
pub(super) fn remove_leaked(
    file: &mut KeyFile,
    limits: &Limits,
    leaked: &str,
    is_unused: bool,
) -> Result<String, Failure> {
    let index = file.find(leaked).ok_or_else(|| {
        Failure::usage(format_args!(
            "the file has no pair {leaked}: see `silverback keys status`"
        ))
    })?;
    let mut done = Vec::new();
    let seals = |index: usize, entry: &Entry| index == 0 || !entry.dates.is_waiting();
    // From the last one, so that the numbers are those of the file.
    for place in (0..=index).rev() {
        let is_removed = place == index || !is_unused;
        if let Some(entry) = file.entries.get(place)
            && is_removed
            && (place == index || seals(place, entry))
        {
            let name = file.name(place);
            let removed = file.entries.remove(place);
            let why = match place == index {
                true => "",
                false => ", which may have sealed its sessions again,",
            };
            let dates = &removed.dates;
            done.push(format!(
                "{name}{why} was removed: {}",
                logged_out(place, dates)
            ));
            if file.entries.is_empty() {
                *file = KeyFile::new(new_pair(removed.pair.block().is_none())?, limits.now);
                done.push("a new pair takes its place".to_owned());
                return Ok(done.join("; "));
            }
        }
    }
    let mut done = done.join("; ");
    if index == 0 || !is_unused {
        done.push_str(&seal_with_first(file, limits));
    }
    Ok(done)
}

/// Lets the first pair seal, after the pair before it was removed. Returns what that means.
fn seal_with_first(file: &mut KeyFile, limits: &Limits) -> String {
    let mut is_new = false;
    if let Some(first) = file.entries.first_mut() {
        is_new = first.dates.is_waiting();
        first.dates.promoted = Some(limits.now);
        first.dates.demoted = None;
    }
    let risk = match is_new {
        true => ", and a process that has not loaded it refuses its cookies until it has",
        false => "",
    };
    format!("; {} seals from now on{risk}", file.name(0))
}

/// Says which users the removal of a pair logs out.
fn logged_out(index: usize, dates: &Dates) -> String {
    let since = |date: Option<UnixTime>| {
        date.map_or_else(String::new, |date| format!(" since {}", format_date(date)))
    };
    match (index, dates.demoted) {
        _ if dates.is_waiting() => "it has sealed nothing, so no user is logged out".to_owned(),
        (0, _) => format!(
            "all cookies and sessions that it has sealed{} are refused, and their users are logged \
             out, as soon as each process has loaded the file",
            since(dates.promoted)
        ),
        (_, demoted) => format!(
            "cookies and sessions that it has sealed, and that were not used{}, are refused, and \
             their users are logged out, as soon as each process has loaded the file",
            since(demoted)
        ),
    }
}

/// A step that is not safe.
fn refused(why: impl std::fmt::Display) -> Failure {
    Failure::Refused(why.to_string())
}
