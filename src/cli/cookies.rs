//! The cookies a command is given: one as an argument, or one a line on standard
//! input, each answered by one line.

use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use silverback::codec;

use super::{Failure, refusal};

/// The cookie argument.
#[derive(Args)]
pub(super) struct Cookies {
    /// The cookie's value; - or none reads one a line from standard input
    #[arg(value_name = "COOKIE", allow_hyphen_values = true)]
    cookie: Option<OsString>,
}

impl Cookies {
    /// Answers each cookie with a line on standard output.
    ///
    /// A single cookie that is refused ends the command with the reason; one of
    /// many is answered by `!` and the kind, and the others go on. If there is a `hint` for the
    /// first that is not valid, it is said in the end.
    pub(super) fn answer(
        &self,
        answer: impl Fn(&str) -> Result<String, codec::Error>,
        hint: impl Fn(&str) -> Option<String>,
    ) -> Result<(), Failure> {
        match &self.cookie {
            // No cookie begins like this: the date, in base64, comes first.
            Some(cookie) if cookie.as_encoded_bytes().starts_with(b"--") => {
                Err(Failure::usage("there is no such option (see --help)"))
            }
            Some(cookie) if cookie != "-" => {
                let cookie = cookie.to_str().ok_or_else(codec::Error::not_valid)?;
                let answered = answer(cookie).map_err(|error| {
                    let hint = error.is_not_valid().then(|| hint(cookie)).flatten();
                    match hint {
                        Some(hint) => Failure::refused(format!("{error}: {hint}")),
                        None => Failure::from(error),
                    }
                })?;
                writeln!(io::stdout(), "{answered}")?;
                Ok(())
            }
            None if io::stdin().is_terminal() => Err(Failure::usage(
                "give a COOKIE, or - to read cookies from standard input",
            )),
            _ => answer_lines(answer, hint),
        }
    }
}

/// Answers line by line, so that a program on the other side can wait for each.
fn answer_lines(
    answer: impl Fn(&str) -> Result<String, codec::Error>,
    hint: impl Fn(&str) -> Option<String>,
) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let mut any_refused = false;
    // Of the first cookie that is not valid alone, since it takes as long as many openings.
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
                let kind = refusal(&error).ok_or_else(|| Failure::usage(&error))?;
                any_refused = true;
                writeln!(out, "!{kind}")
            }
        };
        match written {
            // Nobody reads on; what was refused until then still counts.
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
