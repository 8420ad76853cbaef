//! `silverback sessions list`: lists the live records.

use std::io::{self, IsTerminal, Write};

use clap::Args;
use serde_json::json;
use silverback::backend::{Backend, Entry, Expiry, OwnerName, Stored};
use silverback::codec::UnixTime;

use super::super::dates::format_date;
use super::super::failure::Failure;
use super::keys::KeyForm;
use super::skipped::report_skipped;
use super::store::StoreArguments;

/// The number of records that are requested, and in memory, at once.
const PAGE: usize = 1_000;

/// List the live records: key, expiry, size and owner, one record a line.
///
/// The fields are separated by tabs; on a terminal, a header line names them. Control characters
/// in an owner's name are written as \u{..}. A listed key opens no session: where the key of a row
/// is a token that does, as with scs, its hash is listed. The command needs no keys, and so it also
/// lists the record that an ended session leaves for about a minute. A record that cannot be read
/// is skipped, and named on standard error.
#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    store: StoreArguments,

    /// List only the sessions of this owner
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    owner: Option<String>,

    /// List at most this number of records
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    limit: usize,

    /// Print a JSON object for each record, with null for no owner and no expiry
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let backend = self.store.connect().await?;
        if !self.json && io::stdout().is_terminal() {
            writeln!(io::stdout(), "{:43}\t{:20}\tSIZE\tOWNER", "KEY", "EXPIRES")?;
        }
        match &self.owner {
            Some(owner) => self.list_of(owner, &*backend).await,
            None => self.list_all(&*backend).await,
        }
    }

    /// Lists all records, page by page.
    async fn list_all(&self, backend: &dyn Backend) -> Result<(), Failure> {
        let no_scan =
            || Failure::usage("this store cannot list its records: use the tools of its server");
        let scan = backend.scan().ok_or_else(no_scan)?;
        let (mut after, mut left) = (None, self.limit);
        while left > 0 {
            let page = scan.page(after.as_ref(), left.min(PAGE)).await?;
            report_skipped(&page.skipped);
            self.print(&page.entries)?;
            left -= page.entries.len();
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn list_of(&self, owner: &str, backend: &dyn Backend) -> Result<(), Failure> {
        self.print(&entries_of(owner, self.limit, backend).await?)
    }

    fn print(&self, entries: &[Entry]) -> Result<(), Failure> {
        let line = match self.json {
            true => json_line,
            false => plain_line,
        };
        let form = self.store.key_form();
        let lines: String = entries.iter().map(|entry| line(entry, form)).collect();
        io::stdout().write_all(lines.as_bytes())?;
        Ok(())
    }
}

/// Returns the records of an owner, at most `limit`, in the order of their keys.
pub(super) async fn entries_of(
    owner: &str,
    limit: usize,
    backend: &dyn Backend,
) -> Result<Vec<Entry>, Failure> {
    let no_owners =
        || Failure::usage("this store cannot list by owner: leave out --owner to list all");
    let owners = backend.owners().ok_or_else(no_owners)?;
    let owner = OwnerName::new(owner)?;
    let mut keys = owners.keys(&owner).await?;
    keys.sort();
    let mut entries = Vec::new();
    for key in keys.into_iter().take(limit) {
        // The session may have ended: then there is no record, or one without an owner.
        let is_owned = |stored: &Stored| stored.record.owner().is_some_and(|of| of.name == owner);
        if let Some(stored) = backend.load(&key).await?.filter(is_owned) {
            let size = stored.record.value().len();
            let entry = Entry::new(key, stored.record.expiry(), size);
            entries.push(entry.owned_by(owner.clone()));
        }
    }
    Ok(entries)
}

fn plain_line(entry: &Entry, form: KeyForm) -> String {
    let expires = expires(entry.expiry).unwrap_or_else(|| "never".to_owned());
    let owner = entry.owner.as_ref().map(OwnerName::as_str);
    let owner = owner.map(on_one_line).unwrap_or_default();
    let (key, size) = (on_one_line(&form.text(&entry.key)), entry.size);
    format!("{key}\t{expires}\t{size}\t{owner}\n")
}

fn json_line(entry: &Entry, form: KeyForm) -> String {
    let line = json!({
        "key": on_one_line(&form.text(&entry.key)),
        "expires": expires(entry.expiry),
        "size": entry.size,
        "owner": entry.owner.as_ref().map(OwnerName::as_str),
    });
    format!("{line}\n")
}

fn expires(expiry: Expiry) -> Option<String> {
    let seconds = u64::try_from(expiry.as_millis() / 1_000).unwrap_or(0);
    (expiry != Expiry::NEVER).then(|| format_date(UnixTime::from_secs(seconds)))
}

/// Escapes the characters that would end the line or control the terminal.
pub(super) fn on_one_line(text: &str) -> String {
    let escaped = text.escape_debug().to_string();
    escaped.replace("\\'", "'").replace("\\\"", "\"")
}
