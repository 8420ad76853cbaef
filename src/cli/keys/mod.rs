//! `silverback keys`: rotates the keys in a file.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | the commands and their options |
//! | `file.rs` | the text of a key file: pairs, their notes, and other comments |
//! | `steps.rs` | the steps of a rotation, and the times from which they are safe |
//! | `replace.rs` | the replacement of the file |
//! | `report.rs` | what is printed: the status, as text or JSON |

mod file;
mod replace;
mod report;
mod steps;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use silverback::codec::UnixTime;

use super::failure::Failure;
use super::keygen::new_pair;
use super::settings::Clock;
use file::KeyFile;
use replace::Replacement;
use steps::Limits;

/// Rotate the keys in a file, step by step, without logging any user out.
///
/// A service whose key ring watches the file needs no restart. The file is replaced by a rename,
/// and keeps its mode and owner. Its first line has a checksum, and the dates of each step are in
/// comments. Keys are written in hex.
#[derive(Args)]
#[command(after_help = AFTER_HELP, subcommand_required = true, arg_required_else_help = true)]
pub(super) struct KeysCommand {
    #[command(subcommand)]
    step: Step,
}

const AFTER_HELP: &str = "\
A rotation:
  silverback keys add keys         the new pair opens cookies, and the old one still seals
  silverback keys promote keys     the new pair seals: once each process has loaded it
  silverback keys retire keys      the old pair is removed: once its cookies have expired
  silverback keys status keys      the pairs, their dates, and the next safe step

A step that is not safe yet changes nothing, says from when on it is safe, and exits with 1.
If a pair has leaked:
  silverback keys retire keys --leaked 1";

#[derive(Subcommand)]
enum Step {
    Add(Add),
    Promote(Promote),
    Retire(Retire),
    Status(Status),
}

/// Add a new pair, which opens cookies and does not seal yet.
///
/// A file that does not exist is created with mode 0600, and its pair seals at once.
#[derive(Args)]
struct Add {
    #[command(flatten)]
    common: Common,

    /// Leave out the block key: cookies are signed and not encrypted, so clients can read them
    #[arg(long)]
    sign_only: bool,
}

/// Make the added pair the one that seals.
///
/// A process that has not loaded the added pair refuses its cookies, and logs their users out.
/// Therefore the step is refused until --wait has passed since the pair was added.
#[derive(Args)]
struct Promote {
    #[command(flatten)]
    common: Common,

    /// Every process has loaded the added pair: do not wait
    #[arg(long)]
    deployed: bool,
}

/// Remove the last pair, whose cookies have expired.
///
/// The step is refused as long as a cookie of the pair can be valid: until --max-age and --wait
/// have passed since the pair stopped sealing.
#[derive(Args)]
struct Retire {
    #[command(flatten)]
    common: Common,

    /// The date at which the pair stopped sealing, as in 2026-11-30T16:00:00Z, if the file has none
    #[arg(long, value_name = "DATE", value_parser = file::parse_date)]
    sealed_until: Option<UnixTime>,

    /// Remove this pair at once, because it has leaked, and the newer pairs that may have sealed its
    /// sessions again: all their users are logged out. Give its number or its fingerprint
    #[arg(long, value_name = "PAIR", conflicts_with = "sealed_until")]
    leaked: Option<String>,

    /// Remove the leaked pair alone: no cookie can have been forged with it yet
    #[arg(long, requires = "leaked")]
    unused: bool,
}

/// Show the pairs by their fingerprints, their dates and the next safe step. No key is shown.
#[derive(Args)]
struct Status {
    #[command(flatten)]
    common: Common,
}

/// The arguments of every step.
#[derive(Args)]
struct Common {
    /// The key file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// How long a cookie or a session can live: the longest lifetime, as in 12h or 30days
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "30days")]
    max_age: Duration,

    /// The time in which a change of this file reaches every process, with the time until it is
    /// deployed
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "10m")]
    wait: Duration,

    /// Print the status as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    clock: Clock,
}

impl Common {
    fn limits(&self) -> Limits {
        Limits {
            max_age: self.max_age,
            wait: self.wait,
            now: self.clock.now(),
        }
    }

    /// Reads the file, changes it, replaces it, and prints what was done.
    fn change(
        &self,
        change: impl FnOnce(&mut KeyFile, &Limits) -> Result<String, Failure>,
    ) -> Result<(), Failure> {
        self.change_with(Replacement::begin(&self.file)?, change)
    }

    fn change_with(
        &self,
        replacement: Replacement,
        change: impl FnOnce(&mut KeyFile, &Limits) -> Result<String, Failure>,
    ) -> Result<(), Failure> {
        let mut file = KeyFile::read(replacement.target())?;
        let limits = self.limits();
        let done = change(&mut file, &limits)?;
        replacement.commit(&file.text())?;
        report::print(&file, &limits, Some(&done), self.json)
    }
}

impl KeysCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        match &self.step {
            Step::Add(add) => add.run(),
            Step::Promote(promote) => promote
                .common
                .change(|file, limits| steps::promote(file, limits, promote.deployed)),
            Step::Retire(retire) => retire.run(),
            Step::Status(Status { common }) => {
                let file = KeyFile::read(&common.file)?;
                report::print(&file, &common.limits(), None, common.json)
            }
        }
    }
}

impl Add {
    fn run(&self) -> Result<(), Failure> {
        let pair = new_pair(self.sign_only)?;
        // Another process must not create the file in between.
        let replacement = Replacement::begin(&self.common.file)?;
        if replacement.target().try_exists()? {
            return self
                .common
                .change_with(replacement, |file, limits| steps::add(file, limits, pair));
        }
        let limits = self.common.limits();
        let file = KeyFile::new(pair, limits.now);
        replacement.commit(&file.text())?;
        let done = "the file was created with one pair, which seals";
        report::print(&file, &limits, Some(done), self.common.json)
    }
}

impl Retire {
    fn run(&self) -> Result<(), Failure> {
        self.common.change(|file, limits| match &self.leaked {
            Some(pair) => steps::remove_leaked(file, limits, pair, self.unused),
            None => steps::retire(file, limits, self.sealed_until),
        })
    }
}
