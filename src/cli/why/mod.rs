//! `silverback why`: says why a cookie is refused, and what would open it.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | the command, and the order in which reasons are looked for |
//! | `attempts.rs` | other names, hash functions, ciphers, formats and readings of the keys |
//! | `answer.rs` | the answer as text |
//! | `foreign.rs` | cookies of other frameworks, and damaged ones |
//!
//! No answer contains a key.

mod answer;
mod attempts;
mod foreign;

use std::io::{self, IsTerminal, Read, Write};

use clap::Args;
use silverback::codec::{Codec, Error};

use super::cookies::{no_cookie, no_such_option};
use super::failure::Failure;
use super::frame::Frame;
use super::pasted::Pasted;
use super::payload;
use super::settings::{Opening, OpeningKeys};
use super::wrong_use::cookie_name;
use answer::Answer;
use attempts::{Attempts, Key};

/// Say why a cookie is refused, and what would open it.
///
/// Tries the given keys with all hash functions, ciphers and formats, under each given name, and with
/// their text read as hex, base64 or text. The cookie may be pasted with its name, its header field,
/// quotes, percent-encoding or line breaks. The exit status is 0 if the cookie opens as it is, and 1
/// if it is refused.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Why {
    #[command(flatten)]
    opening: Opening,

    /// Another name that the cookie may have been sealed under; may be given several times
    #[arg(long, value_name = "NAME", value_parser = cookie_name)]
    other_name: Vec<String>,

    /// Print a JSON object: opens, reasons (a list), facts (a list)
    #[arg(long)]
    json: bool,

    /// The cookie as it was copied; - or no argument reads all of standard input
    #[arg(value_name = "COOKIE", allow_hyphen_values = true)]
    cookie: Option<String>,
}

const AFTER_HELP: &str = "\
The answer is for operators. Do not send it to clients.

Example:
  export SILVERBACK_KEYS=$(silverback keygen)
  cookie=$(echo '\"ape\"' | silverback encode --name sid --hash sha512)
  silverback why --name sid \"Cookie: sid=$cookie; theme=dark\"";

impl Why {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let keys = self.opening.keys()?;
        let text = self.text()?;
        let answer = self.answer(&keys, &text)?;
        match self.json {
            true => writeln!(io::stdout(), "{}", answer.to_json())?,
            false => write!(io::stdout(), "{answer}")?,
        }
        match answer.opens() {
            true => Ok(()),
            false => Err(Failure::Refused(String::new())),
        }
    }

    /// Returns the cookie as it was given, without the line end that ends the standard input.
    fn text(&self) -> Result<String, Failure> {
        match &self.cookie {
            Some(cookie) if cookie.starts_with("--") => Err(no_such_option()),
            Some(cookie) if cookie != "-" => return Ok(cookie.clone()),
            None if io::stdin().is_terminal() => Err(no_cookie()),
            _ => Ok(()),
        }?;
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        // A character that is not UTF-8 is in no cookie. The answer names it.
        let text = String::from_utf8_lossy(&bytes);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
    }

    /// Looks for the reason: first in what is around the value, then in the settings, then in the
    /// value's form.
    fn answer(&self, keys: &OpeningKeys, text: &str) -> Result<Answer, Failure> {
        let as_given = self.open(keys, text)?;
        if as_given.is_ok() {
            return Ok(Answer::opens_as_given());
        }
        let names = self.names();
        let pasted = self.pasted(keys, text, &names)?;
        let mut answer = Answer::of_pasted(&pasted);
        let attempts = self.attempts(keys, &names, &pasted);
        for (value, note) in repaired(&pasted.value) {
            if let Some(found) = attempts.first(&value) {
                answer.note(note);
                answer.explain_match(&found, &attempts, self.open(keys, &value)?.err());
                return Ok(answer);
            }
        }
        match Frame::parse(&pasted.value) {
            Some(frame) => answer.explain_frame(&frame),
            None => answer.explain_text(text, &pasted.value),
        }
        Ok(answer)
    }

    /// Takes the value out of the text. If there are several cookies of one name, the first one that
    /// opens counts.
    fn pasted(&self, keys: &OpeningKeys, text: &str, names: &[&str]) -> Result<Pasted, Failure> {
        let all = Pasted::all(text, names);
        for pasted in &all {
            if self.open(keys, &pasted.value)?.is_ok() {
                return Ok(pasted.clone());
            }
        }
        Ok(all.into_iter().next().unwrap_or_default())
    }

    fn names(&self) -> Vec<&str> {
        let others = self.other_name.iter().map(String::as_str);
        std::iter::once(&*self.opening.format.name)
            .chain(others)
            .collect()
    }

    fn attempts<'a>(
        &self,
        keys: &OpeningKeys,
        names: &[&'a str],
        pasted: &'a Pasted,
    ) -> Attempts<'a> {
        let in_text = pasted.name.as_deref().filter(|name| !names.contains(name));
        Attempts {
            names: names.iter().copied().chain(in_text).collect(),
            keys: Key::all(&keys.pairs, keys.spec()),
            hash: self.opening.hash.into(),
            cipher: self.opening.format.cipher(),
            format: self.opening.format.serializer,
            now: self.opening.clock.now(),
        }
    }

    /// Opens a cookie with the settings as they were given.
    fn open(&self, keys: &OpeningKeys, cookie: &str) -> Result<Result<(), Error>, Failure> {
        let format = &self.opening.format;
        let codecs = self
            .opening
            .codecs(keys.pairs.clone(), self.opening.hash.into())?;
        let opened = codecs.open_at(&format.name, cookie, self.opening.clock.now());
        Ok(opened.and_then(|opened| payload::to_json(format.serializer, opened.value()).map(drop)))
    }
}

/// Returns the value, and then the values from which it may have been made, each with a note of what
/// was done to it.
fn repaired(value: &str) -> Vec<(String, Option<&'static str>)> {
    let joined: String = value.split_whitespace().collect();
    let url_safe = joined.replace('+', "-").replace('/', "_");
    let padded = {
        let digits = url_safe.trim_end_matches('=');
        format!("{digits}{}", "=".repeat(digits.len().wrapping_neg() % 4))
    };
    let mut values: Vec<(String, Option<&'static str>)> = vec![
        (value.to_owned(), None),
        (
            joined,
            Some("white space or line breaks are within the value"),
        ),
        (
            url_safe,
            Some("the value is in standard base64, with + and / instead of - and _"),
        ),
        (
            padded,
            Some("the = at the end of the value are missing, or too many"),
        ),
    ];
    values.dedup_by(|next, value| next.0 == value.0);
    values
}
