//! [`DurationText`]: a duration as people write it in a configuration file.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A duration such as `90s`, `30m`, `12h` or `14 days`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DurationText(pub(crate) Duration);

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text).map(DurationText)
    }
}

/// Reads a duration for a field of that type.
#[cfg(feature = "backend")]
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_str(Text)
}

/// Reads a duration, or `None` from `never`.
#[cfg(feature = "session")]
pub(crate) fn read_or_never<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    struct OrNever;

    impl Visitor<'_> for OrNever {
        type Value = Option<Duration>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            Text.expecting(f)?;
            f.write_str(", or \"never\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Option<Duration>, E> {
            match text {
                "never" => Ok(None),
                text => Text.visit_str(text).map(Some),
            }
        }
    }
    deserializer.deserialize_str(OrNever)
}

/// Reads a text. A number is refused: its unit would be a guess.
struct Text;

impl Visitor<'_> for Text {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration with its unit, such as \"90s\", \"30m\", \"12h\" or \"14d\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        if has_months(text) {
            return Err(E::custom(format!(
                "{text:?} has months or years, whose lengths differ: write days, or \"m\" for minutes"
            )));
        }
        humantime::parse_duration(text).map_err(|error| {
            E::custom(format!(
                "{text:?} is no duration ({error}): write it with its unit, such as \"30m\", or \
                 \"never\" where no limit is allowed"
            ))
        })
    }
}

/// Returns whether a unit is a month (`M`) or a year, which humantime takes for 30.44 and 365.25
/// days. A person who writes `30M` means minutes.
fn has_months(text: &str) -> bool {
    let mut units = text.split(|char: char| !char.is_ascii_alphabetic());
    units.any(|unit| matches!(unit, "M" | "month" | "months" | "y" | "year" | "years"))
}
