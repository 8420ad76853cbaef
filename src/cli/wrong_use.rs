//! Errors of the command line as text: what is wrong, and what was probably meant. No message has
//! a value of the command line, since each one may be a key in the wrong place.

use std::ffi::OsString;
use std::fmt;

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use super::frame::Frame;

/// Other words for a command, and its name.
const SYNONYMS: [(&[&str], &str); 9] = [
    (&["open", "decrypt", "unseal", "read"], "decode"),
    (&["seal", "encrypt", "sign"], "encode"),
    (&["generate", "genkey", "keys", "key"], "keygen"),
    (&["rotate", "rekey", "reencrypt"], "reseal"),
    (&["explain", "debug", "diagnose"], "why"),
    (&["ls", "all"], "sessions list"),
    (&["get", "cat"], "sessions show"),
    (
        &["delete", "rm", "kill", "logout", "destroy"],
        "sessions end",
    ),
    (&["completion", "complete"], "completions"),
];

/// Returns the error of an option that does not exist, if the line has one. A COOKIE may begin with
/// a hyphen for clap, which then takes such an option for the cookie.
pub(super) fn unknown_option(program: &Command, line: &[OsString]) -> Option<Error> {
    let strict = with_strict_arguments(program.clone());
    let error = strict.try_get_matches_from(line).err()?;
    let argument = text(&error, ContextKind::InvalidArg)?;
    let is_option = error.kind() == ErrorKind::UnknownArgument && argument.starts_with("--");
    is_option.then_some(error)
}

fn with_strict_arguments(program: Command) -> Command {
    program
        .mut_args(|argument| match argument.is_positional() {
            true => argument.allow_hyphen_values(false),
            false => argument,
        })
        .mut_subcommands(with_strict_arguments)
}

fn text(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(", ")),
        _ => None,
    }
}

/// Returns clap's error in one line, without the values that clap quotes.
pub(super) fn without_values(error: &Error) -> String {
    let argument = text(error, ContextKind::InvalidArg).unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::MissingRequiredArgument => format!("an argument is missing: {argument}"),
        ErrorKind::InvalidSubcommand => no_such_command(error),
        ErrorKind::InvalidValue => invalid_value(error, &argument),
        ErrorKind::ValueValidation => match std::error::Error::source(error) {
            Some(source) if source.is::<WrongValue>() => format!("{argument}: {source}"),
            _ => format!("{argument} has an invalid value"),
        },
        ErrorKind::ArgumentConflict => {
            let other = text(error, ContextKind::PriorArg).unwrap_or_default();
            if other == argument {
                format!("{argument} is given twice")
            } else {
                format!("{argument} cannot be used with {other}")
            }
        }
        // Only the name of an existing option is printed, never the argument.
        ErrorKind::UnknownArgument => match text(error, ContextKind::SuggestedArg) {
            Some(known) => format!("there is no such option: did you mean {known}?"),
            None if argument.starts_with("--") => "there is no such option".to_owned(),
            None => "there is an unexpected argument".to_owned(),
        },
        _ => "the arguments are not valid".to_owned(),
    };
    format!("{what} (see --help)")
}

fn no_such_command(error: &Error) -> String {
    let meant = text(error, ContextKind::InvalidSubcommand);
    let synonym = meant.and_then(|meant| {
        let has = |(words, _): &&(&[&str], &str)| words.contains(&&*meant);
        SYNONYMS.iter().find(has).map(|(_, command)| *command)
    });
    let known = match synonym {
        Some(command) => Some(command.to_owned()),
        // The last one is the most similar.
        None => match error.get(ContextKind::SuggestedSubcommand) {
            Some(ContextValue::Strings(commands)) => commands.last().cloned(),
            _ => text(error, ContextKind::SuggestedSubcommand),
        },
    };
    match known {
        Some(known) => format!("there is no such command: did you mean {known}?"),
        None => "there is no such command".to_owned(),
    }
}

fn invalid_value(error: &Error, argument: &str) -> String {
    let suggested = text(error, ContextKind::SuggestedValue);
    match (text(error, ContextKind::ValidValue), suggested) {
        (_, Some(known)) => format!("{argument}: did you mean {known}?"),
        (Some(valid), None) if !valid.is_empty() => format!("{argument} must be one of: {valid}"),
        _ => format!("{argument} needs a value"),
    }
}

/// What is wrong with a value of the command line, without the value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrongValue(pub(super) &'static str);

impl fmt::Display for WrongValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for WrongValue {}

/// Parses the value of `--name`.
pub(super) fn cookie_name(name: &str) -> Result<String, WrongValue> {
    let is_key = |part: &str| {
        let is_hex = part.bytes().all(|byte| byte.is_ascii_hexdigit());
        part.len() >= 32 && is_hex || part.starts_with("b64=") || part.starts_with("text=")
    };
    if name.split([':', ',']).any(is_key) {
        return Err(WrongValue(
            "this is a key: give the name that the cookie has in the browser, such as sid",
        ));
    }
    let value = name.split_once('=').map_or(name, |(_, value)| value);
    let value = value.split(';').next().unwrap_or_default();
    if [name, value]
        .into_iter()
        .any(|text| Frame::parse(text).is_some())
    {
        return Err(WrongValue(
            "this is a cookie: give the name that it has in the browser, such as sid, and the cookie \
             after it",
        ));
    }
    Ok(name.to_owned())
}
