//! [`KeyFile`]: the text of a key file, with the dates of each pair.
//!
//! The dates are in a comment before the pair:
//!
//! ```text
//! # silverback keys, sha256 ...: to edit this file by hand, remove this line
//! # silverback pair 5f3a9c1e: added 2026-11-30T16:00:00Z, promoted 2026-12-01T09:00:00Z
//! HASH:BLOCK
//! ```

use std::path::Path;
use std::time::SystemTime;

use silverback::codec::{KeyPair, KeyPairs, UnixTime, key_file_with_checksum, read_key_file};
use zeroize::Zeroizing;

use super::super::failure::Failure;
use super::super::keygen::spec_of;

/// The beginning of the line with the checksum, which is written anew.
const CHECKSUM: &str = "# silverback keys, ";

/// The beginning of the comment with a pair's dates.
const NOTE: &str = "# silverback pair ";

/// The pairs of a file, the one that seals first.
pub(super) struct KeyFile {
    pub(super) entries: Vec<Entry>,
    /// The comments after the last pair.
    end: Vec<String>,
}

/// A pair with its dates.
pub(super) struct Entry {
    pub(super) pair: KeyPair,
    pub(super) dates: Dates,
    /// Other comments before the pair.
    comments: Vec<String>,
}

/// The dates of a pair, as far as the file has them.
#[derive(Clone, Copy, Default)]
pub(super) struct Dates {
    pub(super) added: Option<UnixTime>,
    /// When the pair began to seal.
    pub(super) promoted: Option<UnixTime>,
    /// When the pair stopped sealing.
    pub(super) demoted: Option<UnixTime>,
}

impl Dates {
    /// Returns the dates with their names, in the order of the steps.
    pub(super) fn named(&self) -> [(&'static str, Option<UnixTime>); 3] {
        [
            ("added", self.added),
            ("promoted", self.promoted),
            ("demoted", self.demoted),
        ]
    }

    /// Returns whether the pair was added, and has never sealed.
    pub(super) fn is_waiting(&self) -> bool {
        self.added.is_some() && self.promoted.is_none() && self.demoted.is_none()
    }

    fn parse(text: &str) -> Self {
        let mut dates = Dates::default();
        for part in text.split(',') {
            let (name, date) = part.trim().split_once(' ').unwrap_or_default();
            let date = parse_date(date).ok();
            match name {
                "added" => dates.added = date,
                "promoted" => dates.promoted = date,
                "demoted" => dates.demoted = date,
                _ => {}
            }
        }
        dates
    }
}

/// Returns the fingerprint and the dates in a comment, if it is one with dates.
fn note_of(line: &str) -> Option<(&str, Dates)> {
    let (name, dates) = line.strip_prefix(NOTE)?.split_once(": ")?;
    Some((name, Dates::parse(dates)))
}

/// Parses a date such as 2026-11-30T16:00:00Z.
pub(super) fn parse_date(text: &str) -> Result<UnixTime, humantime::TimestampError> {
    humantime::parse_rfc3339(text).map(|time: SystemTime| UnixTime::from(time))
}

impl Entry {
    pub(super) fn new(pair: KeyPair, dates: Dates) -> Self {
        Entry {
            pair,
            dates,
            comments: Vec::new(),
        }
    }

    fn fingerprint(&self) -> String {
        self.pair.fingerprint().to_string()
    }

    /// Returns the lines of the pair.
    fn lines(&self) -> Vec<Zeroizing<String>> {
        let dates = self.dates.named().into_iter();
        let dates = dates.filter_map(|(name, date)| Some(format!("{name} {}", date?)));
        let dates = dates.collect::<Vec<_>>().join(", ");
        let note = format!("{NOTE}{}: {dates}", self.fingerprint());
        let mut lines: Vec<_> = self.comments.iter().cloned().map(Zeroizing::new).collect();
        if !dates.is_empty() {
            lines.push(Zeroizing::new(note));
        }
        lines.push(spec_of(&self.pair));
        lines
    }
}

impl KeyFile {
    /// Creates a file with one pair, which seals at once.
    pub(super) fn new(pair: KeyPair, now: UnixTime) -> Self {
        let dates = Dates {
            added: Some(now),
            promoted: Some(now),
            demoted: None,
        };
        KeyFile {
            entries: vec![Entry::new(pair, dates)],
            end: Vec::new(),
        }
    }

    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_key_file(path)?;
        // Names the number of a wrong pair.
        text.parse::<KeyPairs>()?;
        let mut file = KeyFile {
            entries: Vec::new(),
            end: Vec::new(),
        };
        let mut notes = Vec::new();
        for line in text.lines().map(str::trim_ascii) {
            if line.is_empty() || line.starts_with(CHECKSUM) {
                continue;
            }
            match (note_of(line), line.starts_with('#')) {
                (Some(note), _) => notes.push(note),
                (None, true) => file.end.push(line.to_owned()),
                (None, false) => file.push_pairs(line)?,
            }
        }
        for entry in &mut file.entries {
            let name = entry.fingerprint();
            let note = notes.iter().find(|(pair, _)| *pair == name);
            entry.dates = note.map(|(_, dates)| *dates).unwrap_or_default();
        }
        Ok(file)
    }

    /// Appends the pairs of a line. The comments before it belong to the first of them.
    fn push_pairs(&mut self, line: &str) -> Result<(), Failure> {
        let pairs: KeyPairs = line.strip_suffix(',').unwrap_or(line).parse()?;
        for pair in pairs {
            self.entries.push(Entry {
                pair,
                dates: Dates::default(),
                comments: std::mem::take(&mut self.end),
            });
        }
        Ok(())
    }

    /// Returns the text of the file, with its checksum.
    pub(super) fn text(&self) -> Zeroizing<String> {
        let mut lines: Vec<_> = self.entries.iter().flat_map(Entry::lines).collect();
        lines.extend(self.end.iter().cloned().map(Zeroizing::new));
        let length = lines.iter().map(|line| line.len() + 1).sum();
        let mut text = Zeroizing::new(String::with_capacity(length));
        for line in &lines {
            text.push_str(line);
            text.push('\n');
        }
        key_file_with_checksum(&text)
    }

    /// Returns the index of a pair, by its fingerprint or its number.
    pub(super) fn find(&self, pair: &str) -> Option<usize> {
        let by_name = self.entries.iter().position(|of| of.fingerprint() == pair);
        let by_number = || {
            let index = pair.parse::<usize>().ok()?.checked_sub(1)?;
            (index < self.entries.len()).then_some(index)
        };
        by_name.or_else(by_number)
    }

    /// Returns whether no step was noted in the file: it was made by hand.
    pub(super) fn has_no_dates(&self) -> bool {
        let mut dates = self.entries.iter().map(|entry| entry.dates.named());
        dates.all(|dates| dates.iter().all(|(_, date)| date.is_none()))
    }

    /// Returns the name of the pair at an index, as people read it.
    pub(super) fn name(&self, index: usize) -> String {
        let fingerprint = self.entries.get(index).map(Entry::fingerprint);
        format!("pair {} ({})", index + 1, fingerprint.unwrap_or_default())
    }
}
