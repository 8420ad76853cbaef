//! [`Failure`]: the reasons for which a command does not succeed, and their exit codes.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use silverback::{backend, codec, session};

/// The reason for which a command did not succeed.
pub(super) enum Failure {
    /// A cookie was refused, or a session does not exist: exit 1. The message is empty if it was
    /// already printed.
    Refused(String),
    /// Wrong usage, or a failure of the system or a server: exit 2.
    Usage(String),
    /// The reader of the output has closed it: exit 0.
    OutputClosed,
}

impl Failure {
    pub(super) fn usage(message: impl fmt::Display) -> Self {
        Failure::Usage(message.to_string())
    }

    pub(super) fn cookie_refused(reason: impl fmt::Display) -> Self {
        Failure::Refused(format!("the cookie was refused: {reason}"))
    }

    /// Prints the message, and returns the exit code.
    pub(super) fn report(self) -> ExitCode {
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
pub(super) fn report(message: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{message}");
}

/// Returns the kind of a refusal as it is printed, or `None` if the error is not a refusal.
pub(super) fn refusal_kind(error: &codec::Error) -> Option<&'static str> {
    let kinds = [
        (error.is_expired(), "expired"),
        (error.is_too_new(), "too new"),
        (error.is_not_valid(), "not valid"),
        (error.is_too_long(), "too long"),
    ];
    kinds.into_iter().find_map(|(is, kind)| is.then_some(kind))
}
