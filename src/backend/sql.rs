//! What rows of SQL databases have in common, whichever database they come from.

use super::{Entry, Error, Expiry, Generation, Key, Login, Owner, Page, Record, Revision, Stored};

/// A row, of which the columns are counted from 0.
pub(super) trait Columns {
    fn integer(&self, index: usize) -> Result<i64, sqlx::Error>;

    /// None for NULL.
    fn bytes(&self, index: usize) -> Result<Option<Vec<u8>>, sqlx::Error>;

    /// When the record is missing, from how the database has it.
    fn expiry(&self, index: usize) -> Result<Expiry, sqlx::Error>;
}

fn no_record() -> Error {
    Error::corrupt("a row of the database is no record")
}

fn undecodable(error: sqlx::Error) -> Error {
    no_record().with_source(error)
}

fn bytes(row: &impl Columns, index: usize) -> Result<Option<Vec<u8>>, Error> {
    row.bytes(index).map_err(undecodable)
}

fn some_bytes(row: &impl Columns, index: usize) -> Result<Vec<u8>, Error> {
    bytes(row, index)?.ok_or_else(no_record)
}

fn expiry(row: &impl Columns, index: usize) -> Result<Expiry, Error> {
    row.expiry(index).map_err(undecodable)
}

fn name(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|_| no_record())
}

fn generation(bytes: &[u8]) -> Result<Generation, Error> {
    let bytes = bytes.try_into().map_err(|_| no_record())?;
    Ok(Generation::from_bytes(bytes))
}

/// The number of a login as SQL has it.
pub(super) fn sql_number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(row: &impl Columns, index: usize) -> Result<u64, Error> {
    let number = row.integer(index).map_err(undecodable)?;
    u64::try_from(number).map_err(|_| no_record())
}

/// Of the columns value, expiry, revision, owner, generation, login.
pub(super) fn stored_of(row: &impl Columns) -> Result<Stored, Error> {
    let record = Record::new(some_bytes(row, 0)?, expiry(row, 1)?);
    let revision = Revision::new(some_bytes(row, 2)?);
    let record = match (bytes(row, 3)?, bytes(row, 4)?) {
        (None, None) => record,
        (Some(owner), Some(bytes)) => record.owned_by(Owner {
            name: name(owner)?,
            login: Login {
                generation: generation(&bytes)?,
                number: number(row, 5)?,
            },
        }),
        _ => return Err(no_record()),
    };
    Ok(Stored { record, revision })
}

/// Of the columns generation, logins.
pub(super) fn login_of(row: &impl Columns) -> Result<Login, Error> {
    Ok(Login {
        generation: generation_of(row)?,
        number: number(row, 1)?,
    })
}

/// Of the column generation.
pub(super) fn generation_of(row: &impl Columns) -> Result<Generation, Error> {
    generation(&some_bytes(row, 0)?)
}

/// Of the column key.
pub(super) fn key_of(row: &impl Columns) -> Result<Key, Error> {
    Key::new(some_bytes(row, 0)?).map_err(|_| no_record())
}

/// Of rows as in [`entry_of`], of which a statement answers with `limit` at most. A row that is
/// no record is skipped.
pub(super) fn page_of(rows: &[impl Columns], limit: usize) -> Result<Page, Error> {
    let mut page = Page::default();
    let mut last = None;
    for row in rows {
        match entry_of(row) {
            Ok(entry) => page.entries.push(entry),
            Err(error) => page.skipped.push(named(key_of(row).ok().as_ref(), error)),
        }
        last = key_of(row).ok().or(last);
    }
    if rows.len() >= limit && !rows.is_empty() {
        page.next = Some(last.ok_or_else(no_record)?);
    }
    Ok(page)
}

/// The error of the row under that key, of which the beginning is shown: it may be a secret.
fn named(key: Option<&Key>, error: Error) -> Error {
    let Some(key) = key else { return error };
    let begin = key.as_bytes().iter().take(8).copied().collect::<Vec<_>>();
    let begin = begin.escape_ascii();
    let message = format!("the row whose key begins with {begin}: {error}");
    Error::corrupt(message).with_source(error)
}

/// Of the columns key, expiry, owner, and the value's length.
fn entry_of(row: &impl Columns) -> Result<Entry, Error> {
    let size = row.integer(3).map_err(undecodable)?;
    Ok(Entry {
        key: key_of(row)?,
        expiry: expiry(row, 1)?,
        owner: bytes(row, 2)?.map(name).transpose()?,
        size: usize::try_from(size).map_err(|_| no_record())?,
    })
}

/// The error of a table whose column has a type that cannot be used. People make tables.
pub(super) fn wrong_column(table: &str, column: &str, found: &str, wanted: &str) -> Error {
    Error::usage(format!(
        "the column {column:?} of the table {table:?} has the type {found}, and must have {wanted}"
    ))
}

/// Refuses a column that has not just the type that is wanted. None is one that is missing.
pub(super) fn check_type(
    table: &str,
    column: &str,
    found: Option<&str>,
    wanted: &str,
) -> Result<(), Error> {
    match found {
        Some(found) if found == wanted => Ok(()),
        Some(found) => Err(wrong_column(table, column, found, wanted)),
        None => Err(missing_column(table, column, wanted)),
    }
}

/// The error of a table without a column.
pub(super) fn missing_column(table: &str, column: &str, wanted: &str) -> Error {
    Error::usage(format!(
        "the table {table:?} has no column {column:?}, which must have the type {wanted}"
    ))
}

/// Random, so that none comes back, whatever is removed or restored from a copy.
pub(super) fn new_revision() -> Result<Revision, Error> {
    Ok(Revision::new(*Generation::random()?.as_bytes()))
}

/// Refuses what no row can hold, or no index, before it is copied.
pub(super) fn check_size(key: &Key, record: &Record, largest: usize) -> Result<(), Error> {
    const REST: usize = 100; // revision, login, expiry, and how long the parts are
    if let Some(owner) = record.owner() {
        Owner::check_name(&owner.name)?;
    }
    let owner = record.owner().map_or(0, |owner| owner.name.len());
    let size = key.as_bytes().len() + owner + record.value().len() + REST;
    match size <= largest {
        true => Ok(()),
        false => Err(Error::too_large(size, largest)),
    }
}

/// A limit as SQL has it.
pub(super) fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
