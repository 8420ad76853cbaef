//! The string that this library adds to the values of rows that Go programs share. It has the write
//! ID and the session's metadata.

use crate::codec::UnixTime;

use super::super::Values;
use super::super::lifetime::Lifetime;
use super::super::metadata::{Metadata, NEVER_SEEN};
use super::super::protocol::WriteId;

/// The values of a row, and the string that this library added, if it did.
pub(super) type ReadValues = (Values, Option<(WriteId, Metadata)>);

pub(super) fn to_text(write: WriteId, metadata: &Metadata) -> String {
    let write = base16ct::lower::encode_string(&write);
    format!("{write} {}", metadata.to_text())
}

/// Reads the string. Returns `None` if it is a value of the Go program.
pub(super) fn parse(text: &str) -> Option<(WriteId, Metadata)> {
    let mut write = WriteId::default();
    let (id, metadata) = text.split_once(' ')?;
    let decoded = base16ct::lower::decode(id, &mut write).ok()?;
    (decoded.len() == write.len()).then_some(())?;
    Some((write, Metadata::parse(metadata)?))
}

/// Returns the metadata of a session in a row without a date. Only the row's expiry shows when the
/// session was last used.
pub(super) fn of_undated_row(
    carried: Option<Metadata>,
    lifetime: &Lifetime,
    now: UnixTime,
) -> Metadata {
    let metadata = carried.unwrap_or_else(|| Metadata {
        seen: NEVER_SEEN,
        ..Metadata::new(lifetime, now)
    });
    Metadata::loaded(Some(metadata), NEVER_SEEN, lifetime)
}
