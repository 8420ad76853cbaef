//! `silverback inspect`: shows the parts of a cookie that need no key.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;
use silverback::codec::{Error, UnixTime};

use super::cookies::Cookies;
use super::dates::format_date;
use super::failure::Failure;
use super::frame::Frame;
use super::pasted::Pasted;
use super::settings::Clock;

/// Show the parts of a cookie that need no key. Nothing is verified.
///
/// Prints the date and the age, the sizes of payload and MAC, and a guess of the payload's
/// format. The cookie may be pasted with its name, its header field, quotes or percent-encoding.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Inspect {
    #[command(flatten)]
    clock: Clock,

    #[command(flatten)]
    cookies: Cookies,
}

const AFTER_HELP: &str = "\
With --json, an object has the fields notes (what was around the value), date, digits (the date as it
is in the cookie), canonical, age (in seconds, below 0 for a date in the future), payload and mac (each
with bytes, and format or hash).

Example:
  silverback inspect 'Cookie: sid=MTc2NDUwNDAwMHxEdi1CQkFFQ180SUFBUkFCRUFBQXxh'";

impl Inspect {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let now = self.clock.now();
        let describe = match self.cookies.json {
            true => Parts::to_json,
            false => Parts::to_lines,
        };
        let answer = |cookie: &str| Ok(describe(&Parts::read(cookie, now)?));
        self.cookies.process(answer, |_| None)
    }
}

/// What is shown of a cookie.
struct Parts {
    /// What was around the value.
    notes: Vec<String>,
    frame: Frame,
    date: UnixTime,
    is_canonical: bool,
    now: UnixTime,
}

impl Parts {
    fn read(pasted: &str, now: UnixTime) -> Result<Self, Error> {
        let pasted = Pasted::read(pasted, &[]);
        let frame = Frame::parse(&pasted.value).ok_or_else(Error::not_valid)?;
        let seconds: u64 = frame.date.parse().map_err(|_| Error::not_valid())?;
        Ok(Parts {
            notes: pasted.steps,
            date: UnixTime::from_secs(seconds),
            is_canonical: seconds.to_string() == frame.date,
            frame,
            now,
        })
    }

    fn to_json(&self) -> String {
        let frame = &self.frame;
        json!({
            "notes": self.notes,
            "date": format_date(self.date),
            "digits": frame.date,
            "canonical": self.is_canonical,
            "age": i128::from(self.now.as_secs()) - i128::from(self.date.as_secs()),
            "payload": {"bytes": frame.payload.len(), "format": frame.format()},
            "mac": {"bytes": frame.mac.len(), "hash": frame.hashes()},
        })
        .to_string()
    }

    fn to_lines(&self) -> String {
        let Parts {
            frame, date, now, ..
        } = self;
        let digits = &*frame.date;
        let note = match self.is_canonical {
            true => "",
            false => ", not canonical: decode refuses it",
        };
        let mut lines = String::new();
        // Writing to a String cannot fail.
        for step in &self.notes {
            let _ = writeln!(lines, "note: {step}");
        }
        let _ = writeln!(lines, "date: {} ({digits}{note})", format_date(*date));
        let _ = writeln!(lines, "age: {}", age(*date, *now));
        let _ = writeln!(
            lines,
            "payload: {} bytes, {}",
            frame.payload.len(),
            frame.format()
        );
        let _ = write!(
            lines,
            "mac: {} bytes, {}, not verified",
            frame.mac.len(),
            frame.hashes()
        );
        lines
    }
}

pub(super) fn age(date: UnixTime, now: UnixTime) -> String {
    if date > now {
        return format!(
            "dated {} in the future",
            humantime::format_duration(date.saturating_duration_since(now))
        );
    }
    humantime::format_duration(now.saturating_duration_since(date)).to_string()
}
