//! The cookies of a command: one as an argument, or one a line on standard input. The command
//! prints one result for each.

use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use serde_json::json;
use silverback::codec;

use super::failure::{Failure, refusal_kind};

/// The cookie argument.
#[derive(Args)]
pub(super) struct Cookies {
    /// The cookie's value; - or no argument reads one cookie a line from standard input
    #[arg(value_name = "COOKIE", allow_hyphen_values = true)]
    cookie: Option<OsString>,

    /// Print one JSON object for each cookie. A refused cookie has `refused` alone: `expired`,
    /// `too new`, `not valid` or `too long`
    #[arg(long)]
    pub(super) json: bool,
}

impl Cookies {
    /// Returns the argument, unless it stands for standard input.
    pub(super) fn argument(&self) -> Option<&OsString> {
        self.cookie.as_ref().filter(|cookie| *cookie != "-")
    }

    /// Returns the line that answers with another cookie.
    pub(super) fn line_of(&self, cookie: String) -> String {
        match self.json {
            true => json!({ "cookie": cookie }).to_string(),
            false => cookie,
        }
    }

    fn line_of_refusal(&self, kind: &str) -> String {
        match self.json {
            true => json!({ "refused": kind }).to_string(),
            false => format!("!{kind}"),
        }
    }

    /// Prints the `answer` for each cookie on standard output.
    ///
    /// If a single cookie is refused, the command fails with the reason. If one of many is
    /// refused, `!` and the kind are printed, and the command continues. At the end, the `hint`
    /// for the first cookie that is not valid is printed, if there is one.
    pub(super) fn process(
        &self,
        answer: impl Fn(&str) -> Result<String, codec::Error>,
        hint: impl Fn(&str) -> Option<String>,
    ) -> Result<(), Failure> {
        match &self.cookie {
            Some(cookie) if cookie.as_encoded_bytes().starts_with(b"--") => Err(no_such_option()),
            Some(cookie) if cookie != "-" => {
                let cookie = cookie.to_str().ok_or_else(codec::Error::not_valid)?;
                match answer(cookie) {
                    Ok(answered) => Ok(writeln!(io::stdout(), "{answered}")?),
                    Err(error) => self.refuse_one(&error, || hint(cookie)),
                }
            }
            None if io::stdin().is_terminal() => Err(no_cookie()),
            _ => self.process_lines(answer, hint),
        }
    }

    /// Fails for a single cookie.
    fn refuse_one(
        &self,
        error: &codec::Error,
        hint: impl FnOnce() -> Option<String>,
    ) -> Result<(), Failure> {
        let Some(kind) = refusal_kind(error) else {
            return Err(Failure::usage(error));
        };
        if self.json {
            writeln!(io::stdout(), "{}", self.line_of_refusal(kind))?;
        }
        let hint = error.is_not_valid().then(hint).flatten();
        Err(Failure::cookie_refused(match hint {
            Some(hint) => format!("{error}: {hint}"),
            None => error.to_string(),
        }))
    }

    /// Processes standard input line by line, so that another program can send a cookie and wait for
    /// its answer.
    fn process_lines(
        &self,
        answer: impl Fn(&str) -> Result<String, codec::Error>,
        hint: impl Fn(&str) -> Option<String>,
    ) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let mut any_refused = false;
        // A hint takes as long as many openings, so only the first invalid cookie gets one.
        let mut first_hint = None;
        for line in io::stdin().lock().split(b'\n') {
            let line = line?;
            let cookie = std::str::from_utf8(&line).map_err(|_| codec::Error::not_valid());
            let answered = cookie.and_then(|cookie| {
                let answered = answer(cookie);
                if answered.as_ref().is_err_and(codec::Error::is_not_valid) {
                    first_hint.get_or_insert_with(|| hint(cookie));
                }
                answered
            });
            let written = match answered {
                Ok(answered) => writeln!(out, "{answered}"),
                Err(error) => {
                    let kind = refusal_kind(&error).ok_or_else(|| Failure::usage(&error))?;
                    any_refused = true;
                    writeln!(out, "{}", self.line_of_refusal(kind))
                }
            };
            match written {
                // The reader has closed the output. Earlier refusals still give exit status 1.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                written => written?,
            }
        }
        if any_refused {
            let hint = first_hint.flatten();
            let hint = hint.map(|hint| format!("the first cookie that is not valid: {hint}"));
            return Err(Failure::Refused(hint.unwrap_or_default()));
        }
        Ok(())
    }
}

/// No cookie begins with `--`, since it begins with a date in base64.
pub(super) fn no_such_option() -> Failure {
    Failure::usage("there is no such option (see --help)")
}

pub(super) fn no_cookie() -> Failure {
    Failure::usage("no COOKIE is given: give one, or - to read from standard input")
}
