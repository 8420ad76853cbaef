//! The command line: parses the arguments, runs a command, and returns its exit code.
//!
//! Results go to standard output, and all other messages to standard error. Keys and URLs are
//! never printed.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | the commands, and the three exit codes |
//! | `settings.rs` | the options that several commands share: keys, name, serializer |
//! | `cookies.rs` | the cookie arguments: one on the command line, or one a line on standard input |
//! | `payload.rs`, `gob.rs` | conversions of payloads to JSON, and back |
//! | `typed_json.rs`, `edit_gob.rs` | JSON with the Go type of an existing value, and the changes of `edit` to a map in gob |
//! | `dates.rs` | dates as text |
//! | `keygen.rs`, `encode.rs`, `decode.rs`, `inspect.rs`, `reseal.rs`, `edit.rs` | one command each |
//! | `sessions/` | the commands for sessions in a server |

mod cookies;
mod dates;
mod decode;
mod edit;
mod edit_gob;
mod encode;
mod gob;
mod inspect;
mod keygen;
mod payload;
mod reseal;
mod sessions;
mod settings;
mod typed_json;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use silverback::{backend, codec, session};

/// Seal, open, edit and reseal gorilla/securecookie cookies; manage sessions in servers.
#[derive(Parser)]
#[command(name = "silverback", version, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Keys are HASH[:BLOCK] pairs, separated by commas or line ends, newest first. The first pair,
key 1, seals; every pair opens. Each key is hex, or b64= and base64, or text= and the text that
is the key. In a file, empty lines and lines that begin with # are skipped. Give the keys with
--keys or --keys-file, or in the variable SILVERBACK_KEYS. Other users of the machine can see
the command line.

Exit status: 0 success; 1 a cookie was refused (expired, too new, not valid, too long), or a
session or record does not exist; 2 wrong usage, or a server does not answer.

Example:
  export SILVERBACK_KEYS=$(silverback keygen)
  echo '\"silverback\"' | silverback encode --name sid | silverback decode --name sid -";

#[derive(Subcommand)]
enum Command {
    Keygen(keygen::Keygen),
    Encode(encode::Encode),
    Decode(decode::Decode),
    Inspect(inspect::Inspect),
    Reseal(reseal::Reseal),
    Edit(edit::Edit),
    Sessions(sessions::Sessions),
}

/// Runs the program, and returns its exit code.
pub(crate) fn run() -> ExitCode {
    let arguments = match Arguments::try_parse_from(sessions::with_keys_last(std::env::args_os())) {
        Ok(arguments) => arguments,
        Err(help_or_error) => return print_help_or_error(&help_or_error),
    };
    let outcome = match arguments.command {
        Command::Keygen(command) => command.run(),
        Command::Encode(command) => command.run(),
        Command::Decode(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Reseal(command) => command.run(),
        Command::Edit(command) => command.run(),
        Command::Sessions(command) => command.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Prints help in full, and an error as one line.
fn print_help_or_error(help_or_error: &clap::Error) -> ExitCode {
    if !help_or_error.use_stderr() {
        return match help_or_error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => Failure::from(error).report(),
        };
    }
    if help_or_error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        report(help_or_error);
        return ExitCode::from(2);
    }
    Failure::usage(settings::without_values(help_or_error)).report()
}

/// The reason for which a command did not succeed.
enum Failure {
    /// A cookie was refused, or a session does not exist: exit 1. The message is empty if it was
    /// already printed.
    Refused(String),
    /// Wrong usage, or a failure of the system or a server: exit 2.
    Usage(String),
    /// The reader of the output has closed it: exit 0.
    OutputClosed,
}

impl Failure {
    fn usage(message: impl fmt::Display) -> Self {
        Failure::Usage(message.to_string())
    }

    fn cookie_refused(reason: impl fmt::Display) -> Self {
        Failure::Refused(format!("the cookie was refused: {reason}"))
    }

    /// Prints the message, and returns the exit code.
    fn report(self) -> ExitCode {
        let (status, message) = match self {
            Failure::OutputClosed => return ExitCode::SUCCESS,
            Failure::Refused(message) => (1, message),
            Failure::Usage(message) => (2, message),
        };
        if !message.is_empty() {
            report(format_args!("silverback: {message}"));
        }
        ExitCode::from(status)
    }
}

impl From<codec::Error> for Failure {
    fn from(error: codec::Error) -> Self {
        match refusal_kind(&error) {
            Some(_) => Failure::cookie_refused(error),
            None => Failure::usage(error),
        }
    }
}

impl From<backend::Error> for Failure {
    fn from(error: backend::Error) -> Self {
        Failure::usage(error)
    }
}

impl From<session::Error> for Failure {
    fn from(error: session::Error) -> Self {
        Failure::usage(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure::OutputClosed;
        }
        Failure::usage(error)
    }
}

/// Prints a line on standard error. If that fails, there is no other place to report it.
fn report(message: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{message}");
}

/// Returns the kind of a refusal as it is printed, or `None` if the error is not a refusal.
fn refusal_kind(error: &codec::Error) -> Option<&'static str> {
    let kinds = [
        (error.is_expired(), "expired"),
        (error.is_too_new(), "too new"),
        (error.is_not_valid(), "not valid"),
        (error.is_too_long(), "too long"),
    ];
    kinds.into_iter().find_map(|(is, kind)| is.then_some(kind))
}
