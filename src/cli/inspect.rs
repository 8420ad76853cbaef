//! `silverback inspect`: shows the parts of a cookie that need no key.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use clap::Args;
use silverback::codec::{Error, UnixTime};

use super::cookies::Cookies;
use super::dates::format_date;
use super::failure::Failure;
use super::settings::Clock;

/// Show the parts of a cookie that need no key. Nothing is verified.
///
/// Prints the date and the age, the sizes of payload and MAC, and a guess of the payload's
/// format.
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

fn describe(cookie: &str, now: UnixTime) -> Result<String, Error> {
    let inner = URL_SAFE.decode(cookie).map_err(|_| Error::not_valid())?;
    let mut parts = inner.splitn(3, |byte| *byte == b'|');
    let (Some(date), Some(value), Some(mac)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Error::not_valid());
    };
    let digits = std::str::from_utf8(date).map_err(|_| Error::not_valid())?;
    let seconds: u64 = digits.parse().map_err(|_| Error::not_valid())?;
    let date = UnixTime::from_secs(seconds);
    let note = if seconds.to_string() == digits {
        ""
    } else {
        ", not canonical: decode refuses it"
    };
    let payload = URL_SAFE.decode(value).map_err(|_| Error::not_valid())?;

    let mut lines = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(lines, "date: {} ({digits}{note})", format_date(date));
    let _ = writeln!(lines, "age: {}", age(date, now));
    let _ = writeln!(
        lines,
        "payload: {} bytes, {}",
        payload.len(),
        guess_format(&payload)
    );
    let _ = write!(
        lines,
        "mac: {} bytes, {}, not verified",
        mac.len(),
        hash_of(mac.len())
    );
    Ok(lines)
}

fn age(date: UnixTime, now: UnixTime) -> String {
    if date > now {
        return format!(
            "dated {} in the future",
            humantime::format_duration(date.saturating_duration_since(now))
        );
    }
    humantime::format_duration(now.saturating_duration_since(date)).to_string()
}

fn hash_of(mac_length: usize) -> &'static str {
    match mac_length {
        20 => "the length of SHA-1",
        32 => "the length of SHA-256 or SHA-512/256",
        48 => "the length of SHA-384",
        64 => "the length of SHA-512",
        _ => "not the length of any supported hash function",
    }
}

/// Guesses the format of a payload. Encrypted bytes look like any other bytes.
fn guess_format(payload: &[u8]) -> &'static str {
    if payload.is_empty() {
        "empty"
    } else if silverback::gob::string_from_slice(payload).is_ok() {
        "a gob string"
    } else if serde_json::from_slice::<serde::de::IgnoredAny>(payload).is_ok() {
        "JSON"
    } else if std::str::from_utf8(payload).is_ok() {
        "text"
    } else if payload.len() >= 16 {
        "encrypted, gob or other bytes"
    } else {
        "bytes, too few to be encrypted"
    }
}
