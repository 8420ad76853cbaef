//! [`Bare`]: values without a cookie: a gob, or the row of a session.

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum, ValueHint};
use silverback::codec::{Codec, Codecs};

use super::cookies::Cookies;
use super::copied_bytes::readings;
use super::failure::Failure;
use super::native_row::NativeRow;
use super::payload::{Format, View};
use super::settings::{AgeLimits, Opening};

/// The options for values without a cookie.
#[derive(Args)]
#[command(group(ArgGroup::new("bare").args(["gob", "row"])))]
pub(super) struct Bare {
    /// Read a gob value: an argument, --file, or standard input
    #[arg(long)]
    gob: bool,

    /// Read the value column of a session's row that this Go package wrote, likewise. Rows of gorilla
    /// and of Silverback (native) are sealed: give the keys and the --name of the service
    #[arg(long, value_enum, value_name = "PACKAGE")]
    row: Option<Row>,

    /// Read the value from this file
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, conflicts_with = "cookie", requires = "bare")]
    file: Option<PathBuf>,

    #[command(flatten)]
    native: NativeRow,
}

/// The forms of rows. The aliases are the names of `sessions --dialect`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Row {
    /// alexedwards/scs with any store: a gob or JSON of the deadline and the values
    #[value(aliases = [
        "scs-postgresstore", "scs-mysqlstore", "scs-mssqlstore", "scs-sqlite3store", "scs-gormstore",
        "scs-redisstore", "scs-goredisstore", "scs-etcdstore",
    ])]
    Scs,
    /// gorilla with pgstore, wader/gormstore, dynamostore, dynastore or gorilla-sessions-memcache,
    /// and the files of its FilesystemStore: sealed
    #[value(aliases = [
        "pgstore", "antonlindstrom-pgstore", "wader-gormstore", "gormstore", "dynamostore", "dynastore",
        "gorilla-sessions-memcache",
    ])]
    Gorilla,
    /// boj/redistore, rbcervilla/redisstore, gin-contrib/sessions with Redis: a gob or JSON of the
    /// values
    #[value(aliases = ["rbcervilla-redisstore", "gin", "gorilla-sessions-memcache-in-the-clear"])]
    Redistore,
    /// dolab/session: JSON
    #[value(aliases = ["dolab-redis", "dolab-memcache"])]
    Dolab,
    /// Silverback itself: sealed to its key, so --row-key is needed; printed as by `sessions show`
    #[value(alias = "silverback")]
    Native,
}

impl Bare {
    /// Returns whether the input is a value without a cookie.
    pub(super) fn is_given(&self) -> bool {
        self.gob || self.row.is_some()
    }

    /// Prints the value.
    pub(super) fn run(
        &self,
        opening: &Opening,
        cookies: &Cookies,
        view: View,
    ) -> Result<(), Failure> {
        let readings = readings(&self.input(cookies)?);
        let shown = match self.row {
            None => first(&readings, &[Format::Gob], view, "a gob value"),
            Some(Row::Scs) => first(&readings, &CLEAR, view, "a row of scs"),
            Some(Row::Redistore) => first(&readings, &CLEAR, view, "a row of redistore"),
            Some(Row::Dolab) => first(&readings, &[Format::Json], view, "a row of dolab/session"),
            Some(Row::Native) => self.native.open(&readings, opening, view),
            Some(Row::Gorilla) => opened(&readings, opening, view),
        }?;
        let line = match cookies.json {
            true => format!("{{\"{}\":{shown}}}", view.field()),
            false => shown,
        };
        Ok(writeln!(io::stdout(), "{line}")?)
    }

    fn input(&self, cookies: &Cookies) -> Result<Vec<u8>, Failure> {
        if let Some(path) = &self.file {
            let read = std::fs::read(path);
            return read
                .map_err(|error| Failure::usage(format!("the file cannot be read: {error}")));
        }
        if let Some(value) = cookies.argument() {
            return Ok(value.as_encoded_bytes().to_vec());
        }
        if io::stdin().is_terminal() {
            return Err(Failure::usage(
                "no value is given: give one as hex or base64, or --file, or a file as standard input",
            ));
        }
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The formats of rows that nothing seals.
const CLEAR: [Format; 2] = [Format::Gob, Format::Json];

/// Returns the first reading that has one of the formats.
fn first(
    readings: &[Vec<u8>],
    formats: &[Format],
    view: View,
    what: &str,
) -> Result<String, Failure> {
    for payload in readings {
        for format in formats {
            match view.of(*format, payload) {
                Err(error) if !error.is_not_valid() => return Err(error.into()),
                Err(_) => {}
                Ok(shown) => return Ok(shown),
            }
        }
    }
    Err(Failure::Refused(format!(
        "the input is not {what}, nor hex or base64 of one"
    )))
}

/// Opens a row that is sealed like a cookie, of any length and age.
fn opened(readings: &[Vec<u8>], opening: &Opening, view: View) -> Result<String, Failure> {
    let format = &opening.format;
    if format.name.is_empty() {
        return Err(Failure::usage(
            "an argument is missing: --name <NAME>, the name of the service's cookie",
        ));
    }
    let codecs: Codecs = format.with_any_length().codecs(
        opening.keys()?.pairs,
        opening.hash.into(),
        &AgeLimits::ANY,
    )?;
    let texts = readings
        .iter()
        .filter_map(|bytes| std::str::from_utf8(bytes).ok());
    let mut refused = None;
    for text in texts {
        match codecs.open_at(&format.name, text, opening.clock.now()) {
            Ok(opened) => return Ok(view.of(format.serializer, opened.value())?),
            Err(error) => {
                refused.get_or_insert(error);
            }
        }
    }
    Err(match refused {
        Some(error) => Failure::Refused(format!(
            "the row was refused: {error}: check the keys, --name, --hash and --cipher"
        )),
        None => Failure::Refused("the row is not text".to_owned()),
    })
}
