//! `silverback sessions migrate`: copies or moves all sessions of a store to another store.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use silverback::session::{Migrating, Refusal, ServerStore, Transfer};

use super::super::failure::{Failure, report};
use super::super::settings::{CipherName, Keys, SealingHash, from_environment};
use super::checkpoint::Checkpoint;
use super::concurrent::PAGE;
use super::dialect::DialectName;
use super::keys::KeyForm;
use super::migrate_tasks::{Migrated, Task, run_all, settle_all};
use super::progress::Progress;
use super::skipped::report_skipped;
use super::store::{SerializerName, Service, StoreArguments, reason};

/// The variables with the URLs, used if no option gives them.
const FROM_VARIABLE: &str = "SILVERBACK_FROM";
const TO_VARIABLE: &str = "SILVERBACK_TO";

/// Copy or move all sessions of a store to another store.
///
/// The sessions keep their IDs, values, dates, owners and expiries. Cookies stay valid if the new
/// service has the same keys and cookie name, or if it uses `Migrating` (see the guide "Moving
/// between stores"). Each copy is read back and compared with its original.
///
/// The command can be interrupted and run again: it skips what is there and the same, replaces
/// copies that have become older than their originals, never overwrites a session that the new
/// store has changed itself, and never restores one that has ended there.
///
/// Without --move, the old store stays as it is. Use this for a rehearsal, or while no service
/// runs; but not once services use the new store alone: a minute after a session has ended there,
/// nothing shows that it has. With --move, a record ends in the old store once its copy is there. Services may run at
/// the same time if all of them use `Migrating` for these two stores: nothing is lost.
///
/// The command prints the counts that are listed below. The exit status is 1 if any record failed.
///
/// The new store must exist, and is always of Silverback's own dialect. Sessions in cookies have no
/// records: they move when their users visit.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Migrate {
    /// The URL of the old store (default: the variable SILVERBACK_FROM)
    #[arg(long, value_name = "URL")]
    from: Option<String>,

    /// The URL of the new store (default: the variable SILVERBACK_TO)
    #[arg(long, value_name = "URL")]
    to: Option<String>,

    /// The program that wrote the old records
    #[arg(long, value_enum, default_value_t)]
    from_dialect: DialectName,

    /// The dialect of the new records: only native
    #[arg(long, value_enum, default_value_t)]
    to_dialect: DialectName,

    /// End each old record once its copy is in the new store
    #[arg(long = "move")]
    moves: bool,

    /// Write nothing, and print what would be copied
    #[arg(long, conflicts_with_all = ["moves", "checkpoint"])]
    dry_run: bool,

    /// Note the progress in this file, and begin after the place that it notes
    #[arg(long, value_name = "PATH")]
    checkpoint: Option<PathBuf>,

    #[command(flatten)]
    keys: Keys,

    /// The keys of the new service, if they are others
    #[arg(long, value_name = "SPEC", conflicts_with = "to_keys_file")]
    to_keys: Option<String>,

    /// A file with the keys of the new service, one pair a line
    #[arg(long, value_name = "PATH")]
    to_keys_file: Option<PathBuf>,

    /// The name of the service's cookie, which is part of each record's seal
    #[arg(long, value_name = "NAME")]
    name: String,

    /// The cookie's name in the new service, if it is another
    #[arg(long, value_name = "NAME")]
    to_name: Option<String>,

    /// The store name of the old service, if it has one
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    store_name: String,

    /// The store name of the new service, if it has one
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    to_store_name: String,

    /// The name of the Go package's table, if it is not the package's default
    #[arg(long, value_name = "NAME")]
    table: Option<String>,

    /// For a service on scs with the option HashTokenInStore
    #[arg(long)]
    hash_token_in_store: bool,

    /// For pgstore: how long rows that Go saved with MaxAge 0 are valid, such as 12h
    #[arg(long = "max-age-0", value_name = "DURATION", value_parser = humantime::parse_duration)]
    without_max_age: Option<Duration>,

    /// The format of the old values
    #[arg(long, value_enum, default_value_t)]
    serializer: SerializerName,

    /// The format of the new values
    #[arg(long, value_enum, default_value_t)]
    to_serializer: SerializerName,

    /// The mode in which a block key encrypts
    #[arg(long, value_enum, default_value_t)]
    cipher: CipherName,

    /// The hash function of the MACs
    #[arg(long, value_enum, default_value_t)]
    hash: SealingHash,

    /// Print the counts as a JSON object: dry_run, move, done (copied, moved or to copy), same, newer,
    /// ended, failed
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Counts:
  copied, moved  written to the new store, read back, and the same as the original
  same           copied before
  newer          in the new store already: moved before, and perhaps changed since
  ended          before their turn; also the marks of sessions that have ended or moved
  failed         not readable or not writable: each is named on standard error

Examples:
  export SILVERBACK_KEYS=.. SILVERBACK_FROM=postgres://.. SILVERBACK_TO=redis://..
  silverback sessions migrate --name __Host-id --dry-run
  silverback sessions migrate --name __Host-id --move
  silverback sessions migrate --name __Host-id --from sqlite:shop.db --from-dialect scs-sqlite3store
  silverback sessions migrate --name __Host-id --keys-file old.keys --to-keys-file new.keys --move";

/// The numbers of records, by result.
#[derive(Clone, Copy, Default)]
struct Counts {
    done: usize,
    same: usize,
    newer: usize,
    ended: usize,
    failed: usize,
}

impl Migrate {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        if self.to_dialect != DialectName::Native {
            return Err(Failure::usage(
                "--to-dialect is native: only Silverback's own records can note what has moved",
            ));
        }
        let form = KeyForm::of(self.from_dialect, self.hash_token_in_store);
        if self.checkpoint.is_some() && form.is_secret() {
            return Err(Failure::usage(
                "--checkpoint would write a key that opens a session: leave it out, since a second \
                 run skips what is there",
            ));
        }
        let (old, new) = (self.open_old().await?, self.open_new().await?);
        let counts = self.migrate_all(&old, &new, form).await?;
        self.print(counts)?;
        match counts.failed {
            0 => Ok(()),
            _ => Err(Failure::Refused(String::new())),
        }
    }

    async fn open_old(&self) -> Result<ServerStore, Failure> {
        let url = url(self.from.as_deref(), FROM_VARIABLE, "--from")?;
        let store = StoreArguments::of(
            url,
            self.from_dialect,
            self.table.clone(),
            self.hash_token_in_store,
            self.without_max_age,
        );
        let service = Service::of(
            self.keys.clone(),
            &self.name,
            &self.store_name,
            self.serializer,
            (self.cipher, self.hash),
        );
        store.open(&service).await
    }

    async fn open_new(&self) -> Result<ServerStore, Failure> {
        let url = url(self.to.as_deref(), TO_VARIABLE, "--to")?;
        let store = StoreArguments::of(url, DialectName::Native, None, false, None);
        let keys = self
            .keys
            .replaced_by(self.to_keys.as_deref(), self.to_keys_file.as_deref());
        let service = Service::of(
            keys,
            self.to_name.as_deref().unwrap_or(&self.name),
            &self.to_store_name,
            self.to_serializer,
            (self.cipher, self.hash),
        );
        store.open(&service).await
    }

    async fn migrate_all(
        &self,
        old: &ServerStore,
        new: &ServerStore,
        form: KeyForm,
    ) -> Result<Counts, Failure> {
        let no_scan = || Failure::usage("the old store cannot list its records");
        let scan = old.backend().scan().ok_or_else(no_scan)?;
        let stores = Migrating::new(old.clone(), new.clone())?;
        let mut checkpoint = Checkpoint::open(self.checkpoint.clone())?;
        let mut after = checkpoint.place();
        let mut progress = Progress::of(scan, after.as_ref(), PAGE).await?;
        let mut counts = Counts::default();
        loop {
            let page = scan.page(after.as_ref(), PAGE).await?;
            progress.suspend(|| report_skipped(&page.skipped));
            counts.failed += page.skipped.len();
            let keys = page.entries.into_iter().map(|entry| entry.key);
            let note = |migrated| {
                counts.note(migrated, form, &progress)?;
                progress.advance();
                Ok(())
            };
            run_all(self.task(), keys, &stores, (old, new), note).await?;
            after = page.next;
            match &after {
                Some(key) => checkpoint.note(key)?,
                None => break,
            }
        }
        progress.finish();
        if self.moves {
            settle_all(&stores, (old, new)).await?;
        }
        checkpoint.remove()?;
        Ok(counts)
    }

    /// Returns what to do with each record.
    fn task(&self) -> Task {
        match (self.dry_run, self.moves) {
            (true, _) => Task::Preview,
            (false, true) => Task::Move,
            (false, false) => Task::Copy,
        }
    }

    fn print(&self, counts: Counts) -> Result<(), Failure> {
        if self.json {
            let line = json!({
                "dry_run": self.dry_run,
                "move": self.moves,
                "done": counts.done,
                "same": counts.same,
                "newer": counts.newer,
                "ended": counts.ended,
                "failed": counts.failed,
            });
            return Ok(writeln!(io::stdout(), "{line}")?);
        }
        let done = match (self.dry_run, self.moves) {
            (true, _) => "to copy",
            (false, true) => "moved",
            (false, false) => "copied",
        };
        let lines = [
            (done, counts.done),
            ("same", counts.same),
            ("newer", counts.newer),
            ("ended", counts.ended),
            ("failed", counts.failed),
        ];
        let mut output = io::stdout();
        for (name, count) in lines {
            if !(self.dry_run && name == "newer") {
                writeln!(output, "{name}: {count}")?;
            }
        }
        Ok(())
    }
}

impl Counts {
    /// Counts the result for one record. An error of a server stops the command.
    fn note(
        &mut self,
        (key, result): Migrated,
        form: KeyForm,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let failed = |reason: &dyn std::fmt::Display| {
            let name = form.text(&key);
            progress.suspend(|| report(format_args!("silverback: {name}: {reason}")));
        };
        match result {
            Ok(Transfer::Done) => self.done += 1,
            Ok(Transfer::Same) => self.same += 1,
            Ok(Transfer::Newer) => self.newer += 1,
            Ok(Transfer::Refused(refusal)) if !refusal_is_end(refusal) => {
                failed(&reason(refusal));
                self.failed += 1;
            }
            Ok(_) => self.ended += 1,
            Err(error) if error.is_unavailable() => return Err(error.into()),
            Err(error) => {
                failed(&error);
                self.failed += 1;
            }
        }
        Ok(())
    }
}

/// Returns whether a refusal means that the session has ended, and not that it cannot be read.
fn refusal_is_end(refusal: Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Gone | Refusal::Expired | Refusal::Idle | Refusal::Moved | Refusal::Revoked
    )
}

fn url(option: Option<&str>, variable: &str, name: &str) -> Result<String, Failure> {
    let url = match option {
        Some(url) => Some(url.to_owned()),
        None => from_environment(variable)?,
    };
    let missing = || Failure::usage(format!("use {name} or the variable {variable}"));
    url.ok_or_else(missing)
}
