//! `silverback decode`: opens cookies, and prints their payloads as JSON.

use clap::builder::ArgPredicate;
use clap::{Arg, Args};
use serde_json::json;
use silverback::codec::{Codec, Error, Opened};

use super::bare::Bare;
use super::cookies::Cookies;
use super::dates::format_date;
use super::failure::{Failure, report};
use super::payload::View;
use super::settings::Opening;

/// Open cookies; print each payload as one line of JSON. Also reads gob values and rows without a
/// cookie.
///
/// With -, a refused cookie is printed as ! and the reason, such as `!expired`, and the exit
/// status is 1. Raw bytes are printed as a string of standard base64.
///
/// With --gob or --row, all of the input is one value, which needs no cookie around it: bytes, or
/// hex, base64 or the text of redis-cli, as a person copies them.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
#[command(mut_arg("name", name_of_cookie))]
pub(super) struct Decode {
    #[command(flatten)]
    opening: Opening,

    /// Print on standard error the key that opened each cookie, its age, and whether it is stale
    #[arg(long)]
    verbose: bool,

    #[command(flatten)]
    bare: Bare,

    /// Print the names of the Go types that a program must register to read the value, as a JSON
    /// array. Only gob has them
    #[arg(long, conflicts_with = "exact")]
    types: bool,

    /// Print JSON that loses nothing, and that `encode --exact` reads: bytes that are not UTF-8, and
    /// all Go types
    #[arg(long)]
    exact: bool,

    #[command(flatten)]
    cookies: Cookies,
}

/// Requires a name only for cookies.
fn name_of_cookie(name: Arg) -> Arg {
    name.required(false)
        .required_unless_present_any(["gob", "row"])
        .default_value_ifs([
            ("gob", ArgPredicate::IsPresent, ""),
            ("row", ArgPredicate::IsPresent, ""),
        ])
}

const AFTER_HELP: &str = "\
With --json, an object has the fields
  value     the payload; with --types, the field types has the names instead
  key       the number of the key that opened the cookie
  issued    the date of the cookie
  age       in seconds
  stale     whether it should be sealed again
With --gob and --row, it has the field value (or types) alone.

Examples:
  export SILVERBACK_KEYS=$(silverback keygen)
  cookie=$(echo '{\"user\": \"ape\"}' | silverback encode --name sid)
  silverback decode --name sid --verbose \"$cookie\"
  silverback decode --name sid --types \"$cookie\"
  silverback decode --gob 07ff81040102ff8200
  redis-cli get session_ID | silverback decode --row redistore
  psql -Atc \"SELECT data FROM sessions WHERE token = '..'\" | silverback decode --row scs";

impl Decode {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let view = match (self.types, self.exact) {
            (true, _) => View::Types,
            (_, true) => View::Exact,
            _ => View::Plain,
        };
        if self.bare.is_given() {
            return self.bare.run(&self.opening, &self.cookies, view);
        }
        let Opening {
            format,
            hash,
            clock,
            ..
        } = &self.opening;
        let hash = (*hash).into();
        let keys = self.opening.keys()?;
        let codecs = self.opening.codecs(keys.pairs.clone(), hash)?;
        let now = clock.now();
        let answer = |cookie: &str| {
            let opened = codecs.open_at(&format.name, cookie, now)?;
            let shown = view.of(format.serializer, opened.value())?;
            if self.verbose {
                explain(&opened);
            }
            self.line_of(view, &shown, &opened)
        };
        let hint = |cookie: &str| self.opening.hint(&keys, &[hash], cookie);
        self.cookies.process(answer, hint)
    }

    fn line_of<T>(&self, view: View, shown: &str, opened: &Opened<T>) -> Result<String, Error> {
        if !self.cookies.json {
            return Ok(shown.to_owned());
        }
        let facts = json!({
            "key": opened.key(),
            "issued": format_date(opened.issued_at()),
            "age": opened.age().as_secs(),
            "stale": opened.is_stale(),
        });
        let facts = facts.to_string();
        let rest = facts.strip_prefix('{').unwrap_or_default();
        Ok(format!("{{\"{}\":{shown},{rest}", view.field()))
    }
}

fn explain<T>(opened: &Opened<T>) {
    let age = humantime::format_duration(opened.age());
    let stale = if opened.is_stale() { "yes" } else { "no" };
    report(format_args!(
        "key: {}, age: {age}, stale: {stale}",
        opened.key()
    ));
}
