//! [`Time`]: what is in the bytes of Go's `time.Time`.
//!
//! Go's `time`, `Time.MarshalBinary`: a version, seconds since year 1, nanoseconds
//! and the zone's offset; a zone's name is not sent.

use std::fmt;

use super::Value;
use super::types::{SelfEncoder, Shape};

/// A moment as Go sends it, to the nanosecond, with its zone's offset.
///
/// It prints as Go's `time.RFC3339Nano`.
///
/// ```
/// use silverback::gob::Time;
///
/// let bytes = [1, 0, 0, 0, 14, 0xe8, 0xb7, 0x87, 0xcf, 0, 0, 0, 0, 0, 60];
/// let time = Time::from_bytes(&bytes).expect("a time.Time");
/// assert_eq!(time.to_string(), "2030-02-25T23:01:51+01:00");
/// assert_eq!((time.unix_seconds(), time.offset_seconds()), (Some(1_898_287_311), 3600));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time {
    /// Since 0001-01-01T00:00:00Z.
    seconds: i64,
    nanoseconds: u32,
    offset: Offset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Offset {
    Utc,
    /// East of UTC, in seconds.
    East(i32),
}

/// From year 1 to 1970, in seconds.
const UNIX_EPOCH: i64 = 62_135_596_800;

impl Time {
    /// The time in a value that is a `time.Time`: a self-encoder of that name, or of
    /// none, as Go sends it for a pointer.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        let Value::SelfEncoded(of, bytes) = value else {
            return None;
        };
        let is_named = *of.name() == *"Time" || of.name().as_bytes().is_empty();
        let is_time = is_named && of.shape() == Shape::SelfEncoder(SelfEncoder::Gob);
        is_time.then(|| Time::from_bytes(bytes))?
    }

    /// Reads what `MarshalBinary` wrote.
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

    /// What `MarshalBinary` writes of a whole second in UTC, counted from
    /// 1970-01-01T00:00:00Z: version 1, without a zone.
    #[cfg(feature = "session")]
    pub(super) fn utc(unix_seconds: i64) -> Vec<u8> {
        let seconds = unix_seconds.saturating_add(UNIX_EPOCH);
        let no_zone = (-1_i16).to_be_bytes();
        [&[1][..], &seconds.to_be_bytes(), &[0; 4], &no_zone].concat()
    }

    /// Whole seconds since 1970-01-01T00:00:00Z; none where that is beyond an `i64`.
    #[must_use]
    pub fn unix_seconds(self) -> Option<i64> {
        self.seconds.checked_sub(UNIX_EPOCH)
    }

    /// Nanoseconds within the second.
    #[must_use]
    pub fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// How far its zone is east of UTC, in seconds.
    #[must_use]
    pub fn offset_seconds(self) -> i32 {
        match self.offset {
            Offset::Utc => 0,
            Offset::East(seconds) => seconds,
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.offset_seconds();
        let local = i128::from(self.seconds) + i128::from(offset);
        let (days, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (sign, year) = (if year < 0 { "-" } else { "" }, year.unsigned_abs());
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{sign}{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        if self.nanoseconds > 0 {
            let digits = format!("{:09}", self.nanoseconds);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        if offset == 0 {
            return f.write_str("Z");
        }
        let minutes = offset / 60;
        let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.unsigned_abs());
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// Year, month and day of a day counted from 0001-01-01, in the Gregorian calendar
/// without end, by counting years from March so that leap days come last.
fn civil(days: i128) -> (i128, i128, i128) {
    let from_march = days + 306; // 0000-03-01
    let (era, day_of_era) = (
        from_march.div_euclid(146_097),
        from_march.rem_euclid(146_097),
    );
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + i128::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(
        version: u8,
        seconds: i64,
        nanoseconds: u32,
        minutes: i16,
        extra: &[u8],
    ) -> Option<String> {
        let mut bytes = vec![version];
        bytes.extend(seconds.to_be_bytes());
        bytes.extend(nanoseconds.to_be_bytes());
        bytes.extend(minutes.to_be_bytes());
        bytes.extend(extra);
        Time::from_bytes(&bytes).map(|time| time.to_string())
    }

    #[test]
    fn times_print_as_go_prints_them() {
        // What Go prints of the same bytes; the seconds of version 2 are signed from
        // Go 1.27 on, which shows in the last but one only.
        let cases = [
            ((1, 0, 0, -1, &[][..]), "0001-01-01T00:00:00Z"),
            ((1, UNIX_EPOCH, 0, -1, &[]), "1970-01-01T00:00:00Z"),
            (
                (1, UNIX_EPOCH, 120_000_000, 0, &[]),
                "1970-01-01T00:00:00.12Z",
            ),
            (
                (1, UNIX_EPOCH + 1_700_000_000, 1, 330, &[]),
                "2023-11-15T03:43:20.000000001+05:30",
            ),
            (
                (1, UNIX_EPOCH + 951_782_400, 0, -90, &[]),
                "2000-02-28T22:30:00-01:30",
            ),
            ((2, UNIX_EPOCH, 0, 1, &[30]), "1970-01-01T00:01:30+00:01"),
            ((2, UNIX_EPOCH, 0, -60, &[246]), "1969-12-31T22:59:50-01:00"),
            ((1, -1, 0, -1, &[]), "0000-12-31T23:59:59Z"),
            ((1, -366 * 86_400 - 1, 0, -1, &[]), "-0001-12-31T23:59:59Z"),
            ((2, UNIX_EPOCH, 0, 0, &[226]), "1969-12-31T23:59:30+00:00"),
        ];
        for ((version, seconds, nanoseconds, minutes, extra), printed) in cases {
            let time = time(version, seconds, nanoseconds, minutes, extra);
            assert_eq!(time.as_deref(), Some(printed));
        }
    }

    #[test]
    fn other_bytes_are_no_time() {
        assert!(time(1, 0, 0, 0, &[1]).is_none() && time(2, 0, 0, 0, &[]).is_none());
        assert!(time(3, 0, 0, 0, &[]).is_none() && time(1, 0, 1_000_000_000, 0, &[]).is_none());
        assert!(
            time(1, i64::MIN, 0, i16::MIN, &[]).is_some()
                && time(1, i64::MAX, 0, i16::MAX, &[]).is_some()
        );
    }
}
