//! What is in a row.

use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};

use super::super::{Entry, Error, Expiry, Generation, Key, Owner, Record, Revision, Stored};

fn no_record() -> Error {
    Error::corrupt("a row of the database is no record")
}

fn column<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(
    row: &'r SqliteRow,
    index: usize,
) -> Result<T, Error> {
    row.try_get(index)
        .map_err(|error| no_record().with_source(error))
}

fn name(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|_| no_record())
}

fn generation(bytes: &[u8]) -> Result<Generation, Error> {
    let bytes = bytes.try_into().map_err(|_| no_record())?;
    Ok(Generation::from_bytes(bytes))
}

/// Of the columns value, expiry, owner, generation, revision.
pub(super) fn stored_of(row: &SqliteRow) -> Result<Stored, Error> {
    let expiry = Expiry::from_millis(column(row, 1)?);
    let record = Record::new(column::<Vec<u8>>(row, 0)?, expiry);
    let owner = (
        column::<Option<_>>(row, 2)?,
        column::<Option<&[u8]>>(row, 3)?,
    );
    let record = match owner {
        (None, None) => record,
        (Some(owner), Some(bytes)) => record.owned_by(Owner {
            name: name(owner)?,
            generation: generation(bytes)?,
        }),
        _ => return Err(no_record()),
    };
    Ok(Stored {
        record,
        revision: Revision::new(column::<Vec<u8>>(row, 4)?),
    })
}

/// Of the column generation.
pub(super) fn generation_of(row: &SqliteRow) -> Result<Generation, Error> {
    generation(column(row, 0)?)
}

/// Of the column key.
pub(super) fn key_of(row: &SqliteRow) -> Result<Key, Error> {
    Key::new(column::<Vec<u8>>(row, 0)?).map_err(|_| no_record())
}

/// Of the columns key, expiry, owner, and the value's length.
pub(super) fn entry_of(row: &SqliteRow) -> Result<Entry, Error> {
    let size: i64 = column(row, 3)?;
    Ok(Entry {
        key: key_of(row)?,
        expiry: Expiry::from_millis(column(row, 1)?),
        owner: column::<Option<_>>(row, 2)?.map(name).transpose()?,
        size: usize::try_from(size).map_err(|_| no_record())?,
    })
}
