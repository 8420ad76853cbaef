//! `silverback sessions revoke`: ends all sessions, those of an owner, or those that began before a
//! time.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::{ArgGroup, Args};
use serde_json::json;
use silverback::backend::{Backend, Change, Expiry, OwnerName};

use super::super::failure::{Failure, report};
use super::announce::announce;
use super::list::entries_of;
use super::revoke_before::Before;
use super::revoke_run::{Counts, Revocation};
use super::store::{Service, StoreArguments};

/// The time for which the record of an owner that had none is kept. When it expires, the sessions
/// that were revoked do not come back.
const OWNER_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// End all sessions, the sessions of an owner, or those that began before a time.
///
/// Each session ends as by a logout, even if a concurrent request renews it. A login during the run
/// is ended, or began after the TIME (with --all, after the start of the run): the records are read
/// again until none is left to end. A second run finds nothing, unless a request was running for
/// longer than --wait.
///
/// With --owner alone, all sessions of the owner end in one step, and no keys are needed. Sessions in
/// cookies end, too, if this store revokes them (`CookieStore::revocable_in`); they are not counted.
/// Otherwise give
/// the keys of the service, the name of its cookie, and its store name if it has one. A record that the
/// keys do not open is named and stays, and the exit status is 1.
///
/// Rows of Go packages (--dialect) have no owners, so --owner ends none of them. A row that only a Go
/// program has written has no date: --before does not end it, and it counts as later. A Go program that
/// saves a session at the same time can restore it.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
#[command(group(ArgGroup::new("which").required(true).multiple(true).args(["owner", "all", "before"])))]
pub(super) struct Revoke {
    #[command(flatten)]
    store: StoreArguments,

    #[command(flatten)]
    service: Service,

    /// End the sessions of this owner
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    owner: Option<String>,

    /// End all sessions
    #[arg(long, conflicts_with_all = ["owner", "before"])]
    all: bool,

    /// End only the sessions that began (by a login, if there was one) before this time: a date such as
    /// 2026-11-30T12:00:00Z or 2026-11-30 (in UTC), seconds since 1970, or an age such as 2h
    #[arg(long, value_name = "TIME")]
    before: Option<Before>,

    /// End nothing, and print how many sessions would end
    #[arg(long)]
    dry_run: bool,

    /// Do not ask before the sessions of all owners end
    #[arg(long)]
    yes: bool,

    /// How long requests run that may still save a session with an earlier date: the last look at the
    /// records is this long after the TIME
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    wait: Duration,

    /// Print one JSON object: dry_run, ended (null if the store cannot count them), later, failed
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Counts:
  ended   (to end, with --dry-run)
  later   began at the TIME or later, or have no date
  failed  not readable with these keys, or not by the store

Examples:
  export SILVERBACK_STORE=files:/var/lib/shop/sessions
  silverback sessions revoke --owner 'user 42'
  silverback sessions revoke --name __Host-id --keys-file /etc/shop/keys --before 2h --dry-run
  silverback sessions revoke --name __Host-id --keys-file /etc/shop/keys --all --yes";

impl Revoke {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        if self.owner.is_some() && self.store.is_shared_with_go() {
            return Err(Failure::usage(
                "the rows of Go packages have no owners: use --all or --before, or `sessions end` with \
                 a KEY",
            ));
        }
        self.confirm()?;
        let counts = match (&self.owner, self.before) {
            (Some(owner), None) => self.revoke_owner(owner).await?,
            _ => self.revoke_each().await?,
        };
        self.print(&counts)?;
        match counts.failed {
            0 => Ok(()),
            _ => Err(Failure::Refused(String::new())),
        }
    }

    /// Asks before the sessions of all owners end.
    fn confirm(&self) -> Result<(), Failure> {
        if self.owner.is_some() || self.dry_run || self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::usage(
                "this ends the sessions of all owners: confirm it with --yes, or try --dry-run",
            ));
        }
        let question = "This ends the sessions of all owners. Type yes to go on: ";
        let _ = write!(io::stderr(), "{question}").and_then(|()| io::stderr().flush());
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        match answer.trim() {
            "yes" => Ok(()),
            _ => Err(Failure::usage("no session was ended")),
        }
    }

    /// Gives the owner another generation: all sessions of the owner end in one step.
    async fn revoke_owner(&self, owner: &str) -> Result<Counts, Failure> {
        let backend: &dyn Backend = &*self.store.connect().await?;
        let no_owners = || Failure::usage("this store knows no owners: use --all");
        let owners = backend.owners().ok_or_else(no_owners)?;
        let ended = match owners.can_list() {
            true => Some(entries_of(owner, usize::MAX, backend).await?.len()),
            false => None,
        };
        if !self.dry_run {
            let until = Expiry::after(OWNER_KEPT);
            let owner = OwnerName::new(owner)?;
            owners.revoke(&owner, until).await?;
            announce(backend, Change::Owner(owner)).await;
        }
        Ok(Counts {
            ended,
            ..Counts::default()
        })
    }

    async fn revoke_each(&self) -> Result<Counts, Failure> {
        let revocation = Revocation {
            store: self.store.open(&self.service).await?,
            form: self.store.key_form(),
            owner: self.owner.clone(),
            before: self.before.map(Before::time),
            dry_run: self.dry_run,
            wait: self.wait,
        };
        let mut counts = Counts::default();
        let done = revocation.run(&mut counts).await;
        let ended = counts.ended.unwrap_or(0);
        if done.is_err() && !self.dry_run && ended > 0 {
            report(format_args!("{ended} sessions were ended before the error"));
        }
        done.map(|()| counts)
    }

    fn print(&self, counts: &Counts) -> Result<(), Failure> {
        let Counts {
            ended,
            later,
            failed,
        } = counts;
        let mut output = io::stdout();
        if self.json {
            let dry_run = self.dry_run;
            let line =
                json!({"dry_run": dry_run, "ended": ended, "later": later, "failed": failed});
            writeln!(output, "{line}")?;
            return Ok(());
        }
        let name = if self.dry_run { "to end" } else { "ended" };
        match ended {
            Some(ended) => writeln!(output, "{name}: {ended}")?,
            None => writeln!(
                output,
                "{name}: all of the owner, which this store cannot count"
            )?,
        }
        writeln!(output, "later: {later}\nfailed: {failed}")?;
        Ok(())
    }
}
