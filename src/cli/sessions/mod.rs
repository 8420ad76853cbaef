//! `silverback sessions`: looking after the sessions that a service keeps in a server.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | the commands |
//! | `store.rs` | where the records are, and the keys that open them |
//! | `list.rs`, `show.rs`, `delete.rs`, `purge.rs` | a command each |

mod delete;
mod list;
mod purge;
mod show;
mod store;

use std::ffi::OsString;

use clap::{Args, Subcommand};

use super::Failure;

/// List, show, delete and purge the sessions that a service keeps in a server.
///
/// The store is named by a URL, in --store or the variable SILVERBACK_STORE. A URL that
/// holds a password is better off in the variable: other users of the machine can see the
/// command line. It is never printed.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Sessions {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Stores:
  files:PATH   records in files below a folder
  sqlite:PATH  records in an SQLite database (built with the feature sqlite)
  postgres://USER:PASSWORD@HOST:PORT/DATABASE
               records in a PostgreSQL database (built with the feature postgres)
  dynamodb:TABLE?region=NAME&endpoint=URL&prefix=TEXT
               records in a table of DynamoDB, each option as it is needed, with the
               credentials that AWS's own tools use (built with the feature aws)

Examples:
  export SILVERBACK_STORE=files:/var/lib/shop/sessions
  silverback sessions list
  silverback sessions list --owner 'user 42' --json
  silverback sessions show --name __Host-id --keys-file keys KEY
  silverback sessions delete --name __Host-id --keys-file keys KEY
  silverback sessions purge";

#[derive(Subcommand)]
enum Command {
    List(list::List),
    Show(show::Show),
    Delete(delete::Delete),
    Purge(purge::Purge),
}

impl Sessions {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            match &self.command {
                Command::List(command) => command.run().await,
                Command::Show(command) => command.run().await,
                Command::Delete(command) => command.run().await,
                Command::Purge(command) => command.run().await,
            }
        })
    }
}

/// The command line with keys that begin with `-` at its end, behind a `--`: anywhere else
/// clap would take them for options.
pub(super) fn with_keys_last(line: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let line: Vec<OsString> = line.collect();
    let is_option_like = |text: &str| text.starts_with('-') && store::is_key(text);
    let is_last = |argument: &OsString| argument.to_str().is_some_and(is_option_like);
    let is_ours = line.get(1).is_some_and(|command| command == "sessions");
    if !is_ours || line.iter().any(|argument| argument == "--") {
        return line;
    }
    let (last, mut line): (Vec<_>, Vec<_>) = line.into_iter().partition(is_last);
    if !last.is_empty() {
        line.push("--".into());
        line.extend(last);
    }
    line
}
