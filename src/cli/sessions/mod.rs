//! `silverback sessions`: manages the sessions that a service keeps in a server.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | the commands |
//! | `store.rs` | the options for the store, and for the keys that open its records |
//! | `dialect.rs` | the programs that wrote the records, and their stores |
//! | `keys.rs` | the KEY arguments, and the search for the records that they name |
//! | `copied_row.rs` | a row that was copied out of its server, for `decode` |
//! | `skipped.rs` | reports about records that could not be read |
//! | `list.rs`, `show.rs`, `end.rs`, `revoke.rs`, `remove.rs`, `purge.rs`, `migrate.rs` | one command each |
//! | `revoke_run.rs`, `revoke_before.rs` | the work of a revocation, and the time before which sessions end |
//! | `migrate_tasks.rs`, `checkpoint.rs` | the work of a migration, and the place that it has reached |
//! | `announce.rs` | the announcement of ended sessions to services that wait for it |
//! | `concurrent.rs`, `progress.rs` | work on several records at the same time, and its display |

mod announce;
mod checkpoint;
mod concurrent;
mod copied_row;
mod dialect;
mod end;
mod keys;
mod list;
mod migrate;
mod migrate_tasks;
mod progress;
mod purge;
mod remove;
mod revoke;
mod revoke_before;
mod revoke_run;
mod show;
mod skipped;
mod store;

use std::ffi::OsString;

use clap::{Args, Subcommand};

use super::failure::Failure;

pub(super) use copied_row::{json_of as json_of_copy, open as open_copied_row};
pub(super) use store::{SerializerName, Service};

/// List, show, end and revoke the sessions that a service keeps in a server; remove and purge
/// records; migrate sessions to another store.
///
/// Give the URL of the store with --store, or in the variable SILVERBACK_STORE. Use the variable
/// if the URL contains a password: other users of the machine can see the command line. The URL
/// is never printed.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Sessions {
    #[command(subcommand)]
    command: SessionsCommand,
}

const AFTER_HELP: &str = "\
Stores:
  files:PATH   records in files in a folder
  sqlite:PATH  records in an SQLite database (built with the feature sqlite)
  postgres://USER:PASSWORD@HOST:PORT/DATABASE
               records in a PostgreSQL database (built with the feature postgres)
  mysql://USER:PASSWORD@HOST:PORT/DATABASE (or mariadb://..)
               records in a MySQL or MariaDB database (built with the feature mysql)
  redis://USER:PASSWORD@HOST:PORT/DATABASE?prefix=TEXT (or redis+sentinel://, redis+cluster://)
               records in Redis or Valkey (built with the feature redis)
  memcached://HOST:PORT,HOST:PORT?prefix=TEXT
               records in Memcached; they cannot be listed (built with the feature memcached)
  mssql://USER:PASSWORD@HOST:PORT/DATABASE?encrypt=strict
               records in a SQL Server database (built with the feature mssql; not yet tested
               with a real server)
  dynamodb:TABLE?region=NAME&endpoint=URL&prefix=TEXT
               records in a table of DynamoDB, with the credentials of AWS's own tools; each
               option may be left out (built with the feature aws)
  etcd://USER:PASSWORD@HOST:PORT,HOST:PORT/?prefix=TEXT (or etcds://.. with TLS)
               records in etcd; only the hosts are needed (built with the feature etcd)

Sessions of Go programs (--dialect):
  The URL is that of the SQL database, of Redis, Memcached or etcd, or of the table in DynamoDB.
  scs:      KEY is the hash of a token, since the token opens the session. show, end and remove
            search all live records for it. No keys and no --name are needed. With
            --hash-token-in-store, KEY is the key of the row, which needs no search.
  gorilla:  KEY is the ID of a row, which a cookie has signed. show and end need the keys and the
            --name of the service.
  dolab:    KEY is the hash of an ID, since the Go program's cookie of an ID can be forged. show and
            end need the keys and the --name of the Rust service's own cookie.
  DynamoDB: its records cannot be listed, and DynamoDB purges them itself. dynastore signs no IDs:
            keep them secret.
  Memcached: its records cannot be listed: KEY is the ID of a row, or use --cookie. Give the prefix
            of the Go program's keys in the URL (?prefix=TEXT).
  A Go program that saves a session at the same time can restore one that has ended.

Examples:
  export SILVERBACK_STORE=files:/var/lib/shop/sessions
  silverback sessions list
  silverback sessions list --owner 'user 42' --json
  key=$(silverback sessions list --limit 1 | cut -f 1)
  silverback sessions show --name __Host-id --keys-file /etc/shop/keys \"$key\"
  silverback sessions end --name __Host-id --keys-file /etc/shop/keys \"$key\"
  silverback sessions revoke --owner 'user 42'
  silverback sessions revoke --name __Host-id --keys-file /etc/shop/keys --before 2h --dry-run
  silverback sessions remove \"$key\"
  silverback sessions purge
  silverback sessions list --store sqlite:shop.db --dialect scs-sqlite3store
  silverback sessions list --store mysql://shop@db.example/shop --dialect wader-gormstore";

#[derive(Subcommand)]
enum SessionsCommand {
    List(list::List),
    Show(show::Show),
    End(end::End),
    Revoke(Box<revoke::Revoke>),
    Remove(remove::Remove),
    Purge(purge::Purge),
    Migrate(Box<migrate::Migrate>),
}

impl Sessions {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            match &self.command {
                SessionsCommand::List(command) => command.run().await,
                SessionsCommand::Show(command) => command.run().await,
                SessionsCommand::End(command) => command.run().await,
                SessionsCommand::Revoke(command) => command.run().await,
                SessionsCommand::Remove(command) => command.run().await,
                SessionsCommand::Purge(command) => command.run().await,
                SessionsCommand::Migrate(command) => command.run().await,
            }
        })
    }
}

/// The options whose value may begin with `-`.
const WITH_ANY_VALUE: [&str; 2] = ["--cookie", "--owner"];

/// Moves keys that begin with `-` to the end of the command line, after a `--`. In any other
/// place, clap would read them as options. The value of an option stays where it is: a token of scs
/// has the form of a key.
pub(super) fn with_keys_last(line: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let line: Vec<OsString> = line.collect();
    let is_ours = line.get(1).is_some_and(|command| command == "sessions");
    if !is_ours || line.iter().any(|argument| argument == "--") {
        return line;
    }
    let is_option_like = |text: &str| text.starts_with('-') && keys::is_key(text);
    let is_last = |argument: &OsString| argument.to_str().is_some_and(is_option_like);
    let mut last = Vec::new();
    let mut rest: Vec<OsString> = Vec::new();
    for argument in line {
        let is_value = rest
            .last()
            .is_some_and(|option| WITH_ANY_VALUE.iter().any(|with_value| option == with_value));
        match is_last(&argument) && !is_value {
            true => last.push(argument),
            false => rest.push(argument),
        }
    }
    if !last.is_empty() {
        rest.push("--".into());
        rest.extend(last);
    }
    rest
}
