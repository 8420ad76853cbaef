//! Prints the status of a key file: its pairs by their fingerprints, and the next step.

use std::io::{self, Write};

use serde_json::{Value, json};
use silverback::codec::UnixTime;

use super::super::dates::format_date;
use super::super::failure::Failure;
use super::file::{Entry, KeyFile};
use super::steps::{Limits, Next, next};

/// Prints what was done, the pairs, and the next step.
pub(super) fn print(
    file: &KeyFile,
    limits: &Limits,
    done: Option<&str>,
    as_json: bool,
) -> Result<(), Failure> {
    let mut out = io::stdout();
    if as_json {
        writeln!(out, "{}", json_of(file, limits, done))?;
        return Ok(());
    }
    if let Some(done) = done {
        writeln!(out, "{done}")?;
    }
    for (number, entry) in (1..).zip(&file.entries) {
        let role = if number == 1 { "seals" } else { "opens" };
        let form = if encrypts(entry) {
            "encrypts"
        } else {
            "signs only"
        };
        let dates = entry.dates.named().into_iter();
        let dates = dates.filter_map(|(name, date)| Some(format!("{name} {}", format_date(date?))));
        let dates = dates.collect::<Vec<_>>().join(", ");
        let line = format!(
            "pair {number}  {}  {role}  {form:10}  {dates}",
            entry.pair.fingerprint()
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out, "next: {}", next_step(file, limits).text)?;
    Ok(())
}

fn encrypts(entry: &Entry) -> bool {
    entry.pair.block().is_some()
}

fn json_of(file: &KeyFile, limits: &Limits, done: Option<&str>) -> Value {
    let pairs = (1..).zip(&file.entries).map(|(number, entry)| {
        let mut pair = json!({
            "number": number,
            "fingerprint": entry.pair.fingerprint().to_string(),
            "seals": number == 1,
            "encrypts": encrypts(entry),
        });
        for (name, date) in entry.dates.named() {
            if let Some(pair) = pair.as_object_mut() {
                pair.insert(name.to_owned(), date.map(format_date).into());
            }
        }
        pair
    });
    let next = next_step(file, limits);
    json!({
        "done": done,
        "pairs": pairs.collect::<Vec<_>>(),
        "next": { "step": next.name, "from": next.from, "is_safe": next.is_safe, "text": next.text },
    })
}

/// The next step, as it is printed.
struct NextStep {
    name: &'static str,
    /// The date from which the step is safe, or `None` if the file does not say it.
    from: Option<String>,
    is_safe: bool,
    text: String,
}

fn next_step(file: &KeyFile, limits: &Limits) -> NextStep {
    match next(file, limits) {
        Next::Add => NextStep {
            name: "add",
            from: None,
            is_safe: true,
            text: "add a pair, when you want to rotate".to_owned(),
        },
        Next::Promote(index, from) => {
            let unknown = "once every process has loaded it, with --deployed";
            dated("promote", &file.name(index), limits, from, unknown)
        }
        Next::Retire(from) => {
            let last = file.name(file.entries.len().saturating_sub(1));
            let unknown =
                "with --sealed-until DATE, or, if it is a new pair, promote it with --deployed";
            dated("retire", &last, limits, from, unknown)
        }
    }
}

/// Returns a step that is safe from a date on, or, if the date is unknown, under a condition.
fn dated(
    name: &'static str,
    pair: &str,
    limits: &Limits,
    from: Option<UnixTime>,
    unknown: &str,
) -> NextStep {
    let is_safe = from.is_some_and(|from| from <= limits.now);
    let from = from.map(format_date);
    let when = match &from {
        Some(_) if is_safe => "now".to_owned(),
        Some(from) => format!("from {from} on"),
        None => unknown.to_owned(),
    };
    NextStep {
        name,
        from,
        is_safe,
        text: format!("{name} {pair} {when}"),
    }
}
