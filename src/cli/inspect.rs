//! `silverback inspect`: shows the parts of a cookie that need no key.

use std::fmt::Write as _;

use clap::Args;
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
pub(super) struct Inspect {
    #[command(flatten)]
    clock: Clock,

    #[command(flatten)]
    cookies: Cookies,
}

impl Inspect {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let now = self.clock.now();
        self.cookies
            .process(|cookie| describe(cookie, now), |_| None)
    }
}

fn describe(pasted: &str, now: UnixTime) -> Result<String, Error> {
    let pasted = Pasted::read(pasted, &[]);
    let frame = Frame::parse(&pasted.value).ok_or_else(Error::not_valid)?;
    let digits = &*frame.date;
    let seconds: u64 = digits.parse().map_err(|_| Error::not_valid())?;
    let date = UnixTime::from_secs(seconds);
    let note = if seconds.to_string() == digits {
        ""
    } else {
        ", not canonical: decode refuses it"
    };

    let mut lines = String::new();
    // Writing to a String cannot fail.
    for step in &pasted.steps {
        let _ = writeln!(lines, "note: {step}");
    }
    let _ = writeln!(lines, "date: {} ({digits}{note})", format_date(date));
    let _ = writeln!(lines, "age: {}", age(date, now));
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
    Ok(lines)
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
