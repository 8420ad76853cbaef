//! Rows of scs as JSON: `{"Deadline":"2026-11-30T12:00:00Z","Values":{..}}`. This is what Go's
//! `encoding/json` makes of the struct that scs's `GobCodec` encodes.

use std::str::FromStr;

use crate::codec::{Serializer, UnixTime};
use crate::gob::Time;

use super::super::json_texts::Entries;
use super::super::{Error, Values};
use super::go_metadata::{self, ReadValues};

/// Reads a row. As in Go, names match in any case, and `null` means a session without values. Of several
/// fields of a name the last one counts; Go never writes such a row.
pub(super) fn fields(bytes: &[u8]) -> Option<(Time, ReadValues)> {
    let (mut deadline, mut values) = (None, None);
    for (name, text) in serde_json::from_slice::<Entries>(bytes).ok()?.0 {
        match name.to_ascii_lowercase().as_str() {
            "deadline" => deadline = Some(text),
            "values" => values = Some(text),
            _ => {}
        }
    }
    let deadline = serde_json::from_str::<String>(deadline?.get()).ok()?;
    let deadline = Time::from_str(&deadline).ok()?;
    let values = match values.filter(|text| text.get() != "null") {
        Some(text) => {
            Values::deserialize(&Serializer::Json, text.get().into(), go_metadata::parse)?
        }
        None => ReadValues::default(),
    };
    Some((deadline, values))
}

/// Writes a row.
pub(super) fn row(deadline: UnixTime, values: &Values, carried: &str) -> Result<Vec<u8>, Error> {
    let values = values.serialize(&Serializer::Json, carried)?;
    let mut row = format!(r#"{{"Deadline":"{deadline}","Values":"#).into_bytes();
    row.extend_from_slice(&values);
    row.push(b'}');
    Ok(row)
}
