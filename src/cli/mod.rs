//! The command line: what each command takes, runs and answers.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | the commands, and the three exit codes |
//! | `settings.rs` | the options that several commands share: keys, name, serializer |
//! | `cookies.rs` | the cookie arguments: one on the line, or one a line on standard input |
//! | `picture.rs`, `gob.rs` | payloads as JSON, and JSON as payloads |
//! | `like.rs`, `edit_gob.rs` | JSON as the Go type that is there, and the changes of `edit` to a map in gob |
//! | `dates.rs` | dates as text |
//! | `keygen.rs`, `encode.rs`, `decode.rs`, `inspect.rs`, `reseal.rs`, `edit.rs` | a command each |
//! | `sessions/` | the commands for sessions that live in a server |
//!
//! Results go to standard output, all else to standard error. Keys are never echoed, nor are
//! URLs.

mod cookies;
mod dates;
mod decode;
mod edit;
mod edit_gob;
mod encode;
mod gob;
mod inspect;
mod keygen;
mod like;
mod picture;
mod reseal;
mod sessions;
mod settings;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use silverback::{backend, codec, session};

/// Seal, open and rotate gorilla/securecookie cookies; look after sessions in servers.
#[derive(Parser)]
#[command(name = "silverback", version, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Keys are HASH[:BLOCK] pairs, separated by commas or line ends, newest first: the first, key 1,
seals, all open. Each key is hex, or b64= and base64, or text= and the text that is the key. In
a file, empty lines and those that begin with # are skipped. Keys come from --keys, --keys-file
or the variable SILVERBACK_KEYS; on the command line other users of the machine can see them.

Exit status: 0 done; 1 a cookie was refused (expired, too new, not valid, too long), or a
session is not there; 2 the command was used wrongly, or a server does not answer.

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

/// Runs the program and says how it ended.
pub(crate) fn run() -> ExitCode {
    let arguments = match Arguments::try_parse_from(sessions::with_keys_last(std::env::args_os())) {
        Ok(arguments) => arguments,
        Err(help_or_error) => return answer_parse(&help_or_error),
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
        Err(failure) => failure.answer(),
    }
}

/// Prints help in full, and errors as the one line that says what is wrong.
fn answer_parse(help_or_error: &clap::Error) -> ExitCode {
    if !help_or_error.use_stderr() {
        return match help_or_error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => Failure::from(error).answer(),
        };
    }
    if help_or_error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        tell(help_or_error);
        return ExitCode::from(2);
    }
    Failure::usage(settings::without_values(help_or_error)).answer()
}

/// Why a command did not do all it was asked.
enum Failure {
    /// A cookie was refused, or a session is not there; exit 1. Empty if that is printed
    /// already.
    Refused(String),
    /// Wrong use, or a machine that fails; exit 2.
    Usage(String),
    /// Whoever reads our output has enough.
    OutputClosed,
}

impl Failure {
    fn usage(message: impl fmt::Display) -> Self {
        Failure::Usage(message.to_string())
    }

    /// Of a cookie that is refused for that reason.
    fn refused(reason: impl fmt::Display) -> Self {
        Failure::Refused(format!("the cookie is refused: {reason}"))
    }

    fn answer(self) -> ExitCode {
        let (status, message) = match self {
            Failure::OutputClosed => return ExitCode::SUCCESS,
            Failure::Refused(message) => (1, message),
            Failure::Usage(message) => (2, message),
        };
        if !message.is_empty() {
            tell(format_args!("silverback: {message}"));
        }
        ExitCode::from(status)
    }
}

impl From<codec::Error> for Failure {
    fn from(error: codec::Error) -> Self {
        match refusal(&error) {
            Some(_) => Failure::refused(error),
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

/// Says something on standard error; where nobody can hear it, there is nobody to tell.
fn tell(message: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{message}");
}

/// The kind of a refusal in the words of the contract; none if the error is not one.
fn refusal(error: &codec::Error) -> Option<&'static str> {
    let kinds = [
        (error.is_expired(), "expired"),
        (error.is_too_new(), "too new"),
        (error.is_not_valid(), "not valid"),
        (error.is_too_long(), "too long"),
    ];
    kinds.into_iter().find_map(|(is, kind)| is.then_some(kind))
}
