//! [`Time`]: reads and writes the bytes of Go's `time.Time`, and its text in RFC 3339.
//!
//! The bytes are a version, the seconds since year 1, the nanoseconds and the offset of the
//! zone. The name of the zone is not sent. Source: Go's `time`, `Time.MarshalBinary`.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::types::{SelfEncoder, Shape};
use super::{Error, Value};
use crate::calendar::{self, days};

/// An instant as Go sends it: in nanoseconds, with the offset of its zone.
///
/// It is printed as Go's `time.RFC3339Nano`, and parsed from RFC 3339. In RFC 3339, an offset has
/// no seconds and is less than a day. A time with another offset is printed as the same instant,
/// with an offset without the seconds, or in UTC if the offset is a day or more. (Go prints the
/// local time with an offset that lacks the seconds, which is another instant.)
///
/// In a session it becomes a `time.Time`, through [`Interface::from`](super::Interface) or serde.
/// The types of the crates chrono and `time` convert through [`SystemTime`], or can be written
/// directly with [`as_time`](super::as_time).
///
/// ```
/// use silverback::gob::{Interface, Time};
///
/// let bytes = [1, 0, 0, 0, 14, 0xe8, 0xb7, 0x87, 0xcf, 0, 0, 0, 0, 0, 60];
/// let time = Time::from_bytes(&bytes).expect("a time.Time");
/// assert_eq!(time.to_string(), "2030-02-25T23:01:51+01:00");
/// assert_eq!((time.unix_seconds(), time.offset_seconds()), (Some(1_898_287_311), 3600));
/// assert_eq!("2030-02-25T23:01:51+01:00".parse(), Ok(time));
/// assert_eq!(*Interface::from(Time::from(std::time::SystemTime::now())).name(), *"time.Time");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time {
    /// Seconds since 0001-01-01T00:00:00Z.
    seconds: i64,
    nanoseconds: u32,
    offset: Offset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Offset {
    Utc,
    /// Seconds east of UTC.
    East(i32),
}

/// The seconds from year 1 to 1970.
const UNIX_EPOCH_SECONDS: i64 = calendar::UNIX_EPOCH;

impl Time {
    /// Reads the time in a value that is a `time.Time`: a self-encoder with that name, or
    /// without a name, as Go sends it for a pointer.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        let Value::SelfEncoded(of, bytes) = value else {
            return None;
        };
        let is_named = *of.name() == *"Time" || of.name().as_bytes().is_empty();
        let is_time = is_named && of.shape() == Shape::SelfEncoder(SelfEncoder::Gob);
        is_time.then(|| Time::from_bytes(bytes))?
    }

    /// Reads the bytes that Go's `MarshalBinary` writes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (seconds, rest) = rest.split_first_chunk()?;
        let (nanoseconds, rest) = rest.split_first_chunk()?;
        let (minutes, rest) = rest.split_first_chunk()?;
        let extra = match (version, rest) {
            (1, []) => 0,
            (2, [seconds]) => i32::from(seconds.cast_signed()),
            _ => return None,
        };
        let nanoseconds = u32::from_be_bytes(*nanoseconds);
        let offset = match i16::from_be_bytes(*minutes) {
            -1 => Offset::Utc,
            minutes => Offset::East(i32::from(minutes) * 60 + extra),
        };
        (nanoseconds < 1_000_000_000).then_some(Time {
            seconds: i64::from_be_bytes(*seconds),
            nanoseconds,
            offset,
        })
    }

    /// Creates a time in UTC from whole seconds since 1970-01-01T00:00:00Z and nanoseconds.
    ///
    /// Returns `None` for a billion nanoseconds or more.
    #[must_use]
    pub fn from_unix(seconds: i64, nanoseconds: u32) -> Option<Self> {
        (nanoseconds < 1_000_000_000).then_some(Time {
            seconds: seconds.saturating_add(UNIX_EPOCH_SECONDS),
            nanoseconds,
            offset: Offset::Utc,
        })
    }

    /// Writes the bytes of Go's `MarshalBinary`: version 1, or 2 for an offset with seconds.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        // -1 means UTC: Go refuses to write an offset of minus one minute.
        let (minutes, extra) = match self.offset {
            Offset::Utc => (-1, 0),
            Offset::East(seconds) => (seconds / 60, seconds % 60),
        };
        let (minutes, extra) = match i16::try_from(minutes) {
            Ok(minutes) if minutes != -1 => (minutes, extra as i8),
            _ => (-1, 0),
        };
        let mut bytes = vec![if extra == 0 { 1 } else { 2 }];
        bytes.extend_from_slice(&self.seconds.to_be_bytes());
        bytes.extend_from_slice(&self.nanoseconds.to_be_bytes());
        bytes.extend_from_slice(&minutes.to_be_bytes());
        if extra != 0 {
            bytes.push(extra.cast_unsigned());
        }
        bytes
    }

    /// Returns whether both are the same instant, in any zones.
    pub(super) fn is_same_instant(self, other: Self) -> bool {
        (self.seconds, self.nanoseconds) == (other.seconds, other.nanoseconds)
    }

    /// Returns the whole seconds since 1970-01-01T00:00:00Z, or `None` if they overflow an `i64`.
    #[must_use]
    pub fn unix_seconds(self) -> Option<i64> {
        self.seconds.checked_sub(UNIX_EPOCH_SECONDS)
    }

    /// Returns the nanoseconds within the second.
    #[must_use]
    pub fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// Returns the offset of the zone, in seconds east of UTC.
    #[must_use]
    pub fn offset_seconds(self) -> i32 {
        match self.offset {
            Offset::Utc => 0,
            Offset::East(seconds) => seconds,
        }
    }

    /// Returns the printed offset in minutes: RFC 3339 has no seconds there, and less than a day.
    fn printed_minutes(self) -> i32 {
        let minutes = self.offset_seconds() / 60;
        if minutes.abs() < 24 * 60 { minutes } else { 0 }
    }
}

/// Creates a time in UTC. The `DateTime` of chrono and the `OffsetDateTime` of `time` convert
/// into [`SystemTime`].
impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let (seconds, nanoseconds) = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => (seconds(after), after.subsec_nanos()),
            Err(before) => {
                let before = before.duration();
                match before.subsec_nanos() {
                    0 => (-seconds(before), 0),
                    nanoseconds => (-seconds(before) - 1, 1_000_000_000 - nanoseconds),
                }
            }
        };
        Time {
            seconds: seconds.saturating_add(UNIX_EPOCH_SECONDS),
            nanoseconds,
            offset: Offset::Utc,
        }
    }
}

/// Parses RFC 3339 (section 5.6), with a year of four digits and at most nine digits of a
/// second. Leap seconds, which Go does not have, are refused.
impl FromStr for Time {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or(Error::new("the text is not a time of RFC 3339"))
    }
}

fn parse(text: &str) -> Option<Time> {
    let mut rest = text.as_bytes();
    let year = digits(&mut rest, 4)?;
    literal(&mut rest, b"-")?;
    let month = digits(&mut rest, 2)?;
    literal(&mut rest, b"-")?;
    let day = digits(&mut rest, 2)?;
    literal(&mut rest, b"Tt")?;
    let second = clock(&mut rest)? * 60;
    literal(&mut rest, b":")?;
    let second = second + Some(digits(&mut rest, 2)?).filter(|second| *second < 60)?;
    let nanoseconds = fraction(&mut rest)?;
    let offset = zone(&mut rest)?;
    let days = days(year.into(), month.into(), day.into())?;
    let local = i64::try_from(days).ok()? * 86_400 + i64::from(second);
    let utc = Offset::Utc;
    rest.is_empty().then_some(Time {
        seconds: local - i64::from(offset),
        nanoseconds,
        offset: if offset == 0 {
            utc
        } else {
            Offset::East(offset)
        },
    })
}

/// Takes a number of exactly `count` digits.
fn digits(rest: &mut &[u8], count: usize) -> Option<u32> {
    let digits = rest.split_off(..count)?;
    let is_number = digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| {
        digits
            .iter()
            .fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
    })
}

/// Takes one of these bytes.
fn literal(rest: &mut &[u8], any_of: &[u8]) -> Option<u8> {
    let byte = *rest.split_off_first()?;
    any_of.contains(&byte).then_some(byte)
}

/// Takes hours and minutes, and returns them as minutes.
fn clock(rest: &mut &[u8]) -> Option<u32> {
    let hour = Some(digits(rest, 2)?).filter(|hour| *hour < 24)?;
    literal(rest, b":")?;
    let minute = Some(digits(rest, 2)?).filter(|minute| *minute < 60)?;
    Some(hour * 60 + minute)
}

/// Takes the fraction of a second, if there is one, and returns it as nanoseconds.
fn fraction(rest: &mut &[u8]) -> Option<u32> {
    let Some(fraction) = rest.strip_prefix(b".") else {
        return Some(0);
    };
    let count = fraction
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    *rest = fraction;
    let number = Some(count)
        .filter(|count| (1..=9).contains(count))
        .and_then(|count| digits(rest, count))?;
    Some(number * 10_u32.pow(9 - count as u32))
}

/// Takes the zone, and returns its offset in seconds east of UTC.
fn zone(rest: &mut &[u8]) -> Option<i32> {
    Some(match literal(rest, b"Zz+-")? {
        b'+' => 60 * clock(rest)?.cast_signed(),
        b'-' => -60 * clock(rest)?.cast_signed(),
        _ => 0,
    })
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.printed_minutes();
        let offset = minutes * 60;
        let local = i128::from(self.seconds) + i128::from(offset);
        calendar::write(f, local)?;
        if self.nanoseconds > 0 {
            let digits = format!("{:09}", self.nanoseconds);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        if minutes == 0 {
            return f.write_str("Z");
        }
        let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.unsigned_abs());
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(version: u8, seconds: i64, nanoseconds: u32, minutes: i16, extra: &[u8]) -> Vec<u8> {
        let mut bytes = vec![version];
        bytes.extend(seconds.to_be_bytes());
        bytes.extend(nanoseconds.to_be_bytes());
        bytes.extend(minutes.to_be_bytes());
        bytes.extend(extra);
        bytes
    }

    fn time(
        version: u8,
        seconds: i64,
        nanoseconds: u32,
        minutes: i16,
        extra: &[u8],
    ) -> Option<String> {
        let time = Time::from_bytes(&bytes(version, seconds, nanoseconds, minutes, extra));
        time.map(|time| time.to_string())
    }

    #[test]
    fn the_bytes_of_a_time_are_written_as_they_were_read() {
        let cases = [
            (1, -1, &[][..], 0),
            (1, 0, &[], 0),
            (1, 330, &[], 330 * 60),
            (1, -90, &[], -90 * 60),
            (2, 1, &[30], 90),
            (2, -60, &[246], -60 * 60 - 10),
            (2, 0, &[226], -30),
        ];
        for (version, minutes, extra, offset) in cases {
            let bytes = bytes(version, -7, 8, minutes, extra);
            let time = Time::from_bytes(&bytes).unwrap();
            assert_eq!((time.offset_seconds(), time.nanoseconds()), (offset, 8));
            assert_eq!(time.to_bytes(), bytes, "{offset}");
        }
    }

    /// Go reads an offset of minus one minute as UTC. An offset has 16 bits of minutes.
    #[test]
    fn an_offset_that_go_cannot_read_is_written_as_utc() {
        for (minutes, extra) in [(-2, 60), (-2, 30), (i16::MAX, 60)] {
            let time = Time::from_bytes(&bytes(2, -7, 8, minutes, &[extra])).unwrap();
            assert_eq!(time.to_bytes(), bytes(1, -7, 8, -1, &[]));
        }
    }

    #[test]
    fn times_print_as_go_prints_them() {
        // Go prints these texts for the same bytes.
        let cases = [
            ((1, 0, 0, -1, &[][..]), "0001-01-01T00:00:00Z"),
            ((1, UNIX_EPOCH_SECONDS, 0, -1, &[]), "1970-01-01T00:00:00Z"),
            (
                (1, UNIX_EPOCH_SECONDS, 120_000_000, 0, &[]),
                "1970-01-01T00:00:00.12Z",
            ),
            (
                (1, UNIX_EPOCH_SECONDS + 1_700_000_000, 1, 330, &[]),
                "2023-11-15T03:43:20.000000001+05:30",
            ),
            (
                (1, UNIX_EPOCH_SECONDS + 951_782_400, 0, -90, &[]),
                "2000-02-28T22:30:00-01:30",
            ),
            ((1, -1, 0, -1, &[]), "0000-12-31T23:59:59Z"),
            ((1, -366 * 86_400 - 1, 0, -1, &[]), "-0001-12-31T23:59:59Z"),
        ];
        for ((version, seconds, nanoseconds, minutes, extra), printed) in cases {
            let time = time(version, seconds, nanoseconds, minutes, extra);
            assert_eq!(time.as_deref(), Some(printed));
        }
    }

    /// An offset in RFC 3339 has no seconds, and Go prints a local time that includes them. The
    /// seconds of version 2 are signed.
    #[test]
    fn an_offset_without_a_text_prints_the_same_instant() {
        let cases = [
            ((2, 1, &[30][..]), "1970-01-01T00:01:00+00:01"),
            ((2, -60, &[246]), "1969-12-31T23:00:00-01:00"),
            ((2, 0, &[226]), "1970-01-01T00:00:00Z"),
            ((2, 61, &[1]), "1970-01-01T01:01:00+01:01"),
            ((1, 24 * 60, &[]), "1970-01-01T00:00:00Z"),
            ((1, i16::MIN, &[]), "1970-01-01T00:00:00Z"),
        ];
        for ((version, minutes, extra), printed) in cases {
            let text = time(version, UNIX_EPOCH_SECONDS, 0, minutes, extra).unwrap();
            assert_eq!(text, printed);
            let again: Time = text.parse().unwrap();
            assert_eq!(again.unix_seconds(), Some(0), "{printed}");
        }
    }

    #[test]
    fn only_text_of_rfc_3339_is_parsed() {
        for text in [
            "0001-01-01T00:00:00Z",
            "2024-02-29T23:59:59.999999999+23:59",
            "2030-12-31T00:00:00.5-05:30",
            "9999-12-31T23:59:59Z",
            "0000-03-01T00:00:00Z",
        ] {
            let time: Time = text.parse().unwrap();
            assert_eq!(time.to_string(), text);
            assert_eq!(Time::from_bytes(&time.to_bytes()), Some(time));
        }
        let later: Time = "2030-01-01t01:00:00.000+01:00".parse().unwrap();
        assert!(later.is_same_instant("2030-01-01T00:00:00z".parse().unwrap()));
        for other in [
            "",
            "2030-01-01",
            "2030-02-29T00:00:00Z",
            "2030-13-01T00:00:00Z",
            "2030-00-01T00:00:00Z",
            "2030-01-00T00:00:00Z",
            "2030-01-01T24:00:00Z",
            "2030-01-01T00:60:00Z",
            "2030-01-01T00:00:60Z",
            "2030-01-01T00:00:00",
            "2030-01-01T00:00:00.Z",
            "2030-01-01T00:00:00.0000000001Z",
            "2030-01-01T00:00:00+24:00",
            "2030-01-01T00:00:00+01:60",
            "2030-01-01T00:00:00Zx",
            "2030-01-01 00:00:00Z",
            "+030-01-01T00:00:00Z",
        ] {
            assert!(other.parse::<Time>().is_err(), "{other}");
        }
    }

    #[test]
    fn a_system_time_becomes_the_same_instant() {
        let half = Duration::from_millis(500);
        for (time, text) in [
            (UNIX_EPOCH + half, "1970-01-01T00:00:00.5Z"),
            (UNIX_EPOCH - half, "1969-12-31T23:59:59.5Z"),
            (UNIX_EPOCH - 2 * half, "1969-12-31T23:59:59Z"),
            (UNIX_EPOCH - 3 * half, "1969-12-31T23:59:58.5Z"),
        ] {
            assert_eq!(Time::from(time).to_string(), text);
        }
        assert_eq!(Time::from_unix(0, 1_000_000_000), None);
        assert_eq!(
            Time::from_unix(0, 500_000_000),
            Some(Time::from(UNIX_EPOCH + half))
        );
    }

    #[test]
    fn other_bytes_are_not_a_time() {
        assert!(time(1, 0, 0, 0, &[1]).is_none() && time(2, 0, 0, 0, &[]).is_none());
        assert!(time(3, 0, 0, 0, &[]).is_none() && time(1, 0, 1_000_000_000, 0, &[]).is_none());
        assert!(
            time(1, i64::MIN, 0, i16::MIN, &[]).is_some()
                && time(1, i64::MAX, 0, i16::MAX, &[]).is_some()
        );
    }
}
