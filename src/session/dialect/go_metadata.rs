//! What we add to rows that Go programs read and write, too: one string among the values: the
//! write ID, and what a session knows of itself.

use super::super::metadata::Metadata;
use super::super::protocol::WriteId;

pub(super) fn to_text(write: WriteId, metadata: &Metadata) -> String {
    let write = base16ct::lower::encode_string(&write);
    format!("{write} {}", metadata.to_text())
}

/// Reads the string; none, if it is the Go program's own.
pub(super) fn parse(text: &str) -> Option<(WriteId, Metadata)> {
    let mut write = WriteId::default();
    let (id, metadata) = text.split_once(' ')?;
    let decoded = base16ct::lower::decode(id, &mut write).ok()?;
    (decoded.len() == write.len()).then_some(())?;
    Some((write, Metadata::parse(metadata)?))
}
