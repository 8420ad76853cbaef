//! [`DurationText`]: a duration as people write it in a configuration file.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A duration such as `90s`, `30m`, `12h` or `14 days`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DurationText(pub(crate) Duration);

/// Refuses a number: its unit would be a guess.
impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = DurationText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a duration with its unit, such as \"90s\", \"30m\", \"12h\" or \"14d\"",
                )
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<DurationText, E> {
                let duration = humantime::parse_duration(text);
                duration.map(DurationText).map_err(|error| {
                    E::custom(format!(
                        "{text:?} is no duration ({error}): write it with its unit, such as \"30m\""
                    ))
                })
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Reads a duration for a field of that type.
#[cfg(feature = "backend")]
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Ok(DurationText::deserialize(deserializer)?.0)
}
