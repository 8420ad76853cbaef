//! What we add to rows that Go programs read and write, too: one string among the values,
//! under the key that sessions in cookies have it under, with the write ID before it.

use crate::codec::UnixTime;

use super::super::Lifetime;
use super::super::metadata::Metadata;
use super::super::protocol::WriteId;

pub(super) fn to_text(write: WriteId, metadata: &Metadata) -> String {
    let write = base16ct::lower::encode_string(&write);
    format!("{write} {}", metadata.to_text())
}

/// What a row written at `date` carries; that of a Go program carries nothing, or what was
/// in it before.
pub(super) fn parse(
    text: Option<&str>,
    date: UnixTime,
    lifetime: &Lifetime,
) -> Option<(WriteId, Metadata)> {
    let mut write = WriteId::default();
    let metadata = match text {
        None => None,
        Some(text) => {
            let (id, metadata) = text.split_once(' ')?;
            let decoded = base16ct::lower::decode(id, &mut write).ok()?;
            (decoded.len() == 16).then_some(())?;
            Some(metadata)
        }
    };
    Some((write, Metadata::loaded(metadata, date, lifetime)?))
}
