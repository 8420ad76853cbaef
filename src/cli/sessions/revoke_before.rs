//! [`Before`]: the time before which sessions began that a revocation ends.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use silverback::codec::UnixTime;

use super::super::wrong_use::WrongValue;

/// A time of the past: a date, or how long ago it was.
#[derive(Clone, Copy)]
pub(super) struct Before(UnixTime);

impl Before {
    pub(super) fn time(self) -> UnixTime {
        self.0
    }
}

impl FromStr for Before {
    type Err = WrongValue;

    /// Parses `2026-11-30T12:00:00Z`, `2026-11-30`, a number of seconds since 1970, or an age such as
    /// `2h`.
    fn from_str(text: &str) -> Result<Self, WrongValue> {
        let now = UnixTime::now();
        let seconds = || text.parse().ok().map(UnixTime::from_secs);
        let age = || Some(now - humantime::parse_duration(text).ok()?);
        let time = date(text).or_else(seconds).or_else(age);
        match time {
            Some(time) if time <= now => Ok(Before(time)),
            Some(_) => Err(WrongValue(
                "the time is in the future: to end all sessions, use --all",
            )),
            None => Err(WrongValue(
                "use a date such as 2026-11-30T12:00:00Z, or an age such as 2h",
            )),
        }
    }
}

fn date(text: &str) -> Option<UnixTime> {
    let midnight = format!("{text}T00:00:00Z");
    let parse = |text: &str| humantime::parse_rfc3339_weak(text).ok();
    let time: SystemTime = parse(text).or_else(|| parse(&midnight))?;
    let since: Duration = time.duration_since(UNIX_EPOCH).ok()?;
    Some(UnixTime::from_secs(since.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_a_number_or_an_age() {
        let time = |text: &str| text.parse::<Before>().map(Before::time);
        let noon = UnixTime::from_secs(1_764_504_000);
        assert_eq!(time("2025-11-30T12:00:00Z"), Ok(noon));
        assert_eq!(time("2025-11-30 12:00:00"), Ok(noon));
        assert_eq!(time("1764504000"), Ok(noon));
        assert_eq!(time("2025-11-30"), Ok(noon - Duration::from_secs(43_200)));
        let age = UnixTime::now().saturating_duration_since(time("2h").unwrap());
        assert!((7_200..7_210).contains(&age.as_secs()), "{age:?}");
        assert!(time("9999-01-01").unwrap_err().0.contains("--all"));
        for wrong in ["", "yesterday", "2025-13-01", "-1"] {
            assert!(time(wrong).unwrap_err().0.contains("2h"), "{wrong}");
        }
    }
}
