//! The command line: parses the arguments, runs a command, and returns its exit code.
//!
//! Results go to standard output, and all other messages to standard error. Keys and URLs are
//! never printed.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | the commands |
//! | `failure.rs` | the reasons for which a command fails, and the three exit codes |
//! | `settings.rs` | the options that several commands share: keys, name, serializer |
//! | `cookies.rs` | the cookie arguments: one on the command line, or one a line on standard input |
//! | `pasted.rs`, `frame.rs` | a cookie in the text that a person copied, and the parts of a cookie that need no key |
//! | `payload.rs`, `gob.rs` | conversions of payloads to JSON, and back |
//! | `bare.rs`, `native_row.rs`, `copied_bytes.rs` | values without a cookie: a gob, or the row of a session |
//! | `exact.rs` | JSON that loses nothing |
//! | `json_text.rs` | JSON as text: white space, numbers as Go prints them, integers of Go |
//! | `typed_json.rs`, `edit_gob.rs` | JSON with the Go type of an existing value, and the changes of `edit` to a map in gob |
//! | `dates.rs` | dates as text |
//! | `keygen.rs`, `encode.rs`, `decode.rs`, `inspect.rs`, `reseal.rs`, `edit.rs` | one command each |
//! | `keys/` | the commands that rotate the keys in a file |
//! | `completions.rs`, `man.rs` | the commands that describe this program to shells and to man |
//! | `wrong_use.rs` | errors of the command line, without its values |
//! | `why/` | the command that says why a cookie is refused |
//! | `sessions/` | the commands for sessions in a server |

mod bare;
mod completions;
mod cookies;
mod copied_bytes;
mod dates;
mod decode;
mod edit;
mod edit_gob;
mod encode;
mod exact;
mod failure;
mod frame;
mod gob;
mod inspect;
mod json_text;
mod keygen;
mod keys;
mod man;
mod native_row;
mod pasted;
mod payload;
mod reseal;
mod sessions;
mod settings;
mod typed_json;
mod why;
mod wrong_use;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use failure::{Failure, report};

/// Seal, open, edit and reseal gorilla/securecookie cookies; rotate keys; manage sessions in servers.
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

Exit status: 0 success; 1 a cookie was refused (expired, too new, not valid, too long), a session
or record does not exist, or a step of a rotation is not safe yet; 2 wrong usage, or a server does
not answer.

Example:
  export SILVERBACK_KEYS=$(silverback keygen)
  echo '\"silverback\"' | silverback encode --name sid | silverback decode --name sid -";

#[derive(Subcommand)]
enum Command {
    Keygen(keygen::Keygen),
    Keys(keys::KeysCommand),
    Encode(encode::Encode),
    Decode(decode::Decode),
    Inspect(inspect::Inspect),
    Why(why::Why),
    Reseal(reseal::Reseal),
    Edit(edit::Edit),
    Sessions(sessions::Sessions),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Runs the program, and returns its exit code.
pub(crate) fn run() -> ExitCode {
    let line = sessions::with_keys_last(std::env::args_os());
    if let Some(error) = wrong_use::unknown_option(&Arguments::command(), &line) {
        return print_help_or_error(&error);
    }
    let arguments = match Arguments::try_parse_from(line) {
        Ok(arguments) => arguments,
        Err(help_or_error) => return print_help_or_error(&help_or_error),
    };
    let outcome = match arguments.command {
        Command::Keygen(command) => command.run(),
        Command::Keys(command) => command.run(),
        Command::Encode(command) => command.run(),
        Command::Decode(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Why(command) => command.run(),
        Command::Reseal(command) => command.run(),
        Command::Edit(command) => command.run(),
        Command::Sessions(command) => command.run(),
        Command::Completions(command) => command.run(Arguments::command()),
        Command::Man(command) => command.run(Arguments::command()),
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
    Failure::usage(wrong_use::without_values(help_or_error)).report()
}
