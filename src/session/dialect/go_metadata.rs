//! The string that this library adds to the values of rows that Go programs share. It has the write
//! ID and the session's metadata.

use super::super::Values;
use super::super::metadata::Metadata;
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
