//! The proleptic Gregorian calendar, in which RFC 3339 writes a time.

use std::fmt;

/// The number of seconds from 0001-01-01T00:00:00Z to 1970-01-01T00:00:00Z.
pub(crate) const UNIX_EPOCH: i64 = 62_135_596_800;

/// Writes a time as RFC 3339 does, without fraction and zone: `2026-11-29T20:13:03`. The seconds
/// are counted from 0001-01-01T00:00:00. A year beyond 9999, for which RFC 3339 has no form, has
/// more digits.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, seconds: i128) -> fmt::Result {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (sign, year) = (if year < 0 { "-" } else { "" }, year.unsigned_abs());
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    write!(
        f,
        "{sign}{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    )
}

/// Returns the number of the day, counted from 0001-01-01, or `None` if the month has no such
/// day. The inverse of [`civil`].
pub(crate) fn days(year: i128, month: i128, day: i128) -> Option<i128> {
    let (year_from_march, month_from_march) = match month {
        1..=2 => (year - 1, month + 9),
        3..=12 => (year, month - 3),
        _ => return None,
    };
    let era = year_from_march.div_euclid(400);
    let year_of_era = year_from_march.rem_euclid(400);
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 306;
    (civil(days) == (year, month, day)).then_some(days)
}

/// Returns the year, month and day of a day counted from 0001-01-01, in the proleptic Gregorian
/// calendar. It counts years from March, so that a leap day is the last day of a year.
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
