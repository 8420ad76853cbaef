//! Reads the rows of SQL databases as records, keys, generations and pages.

use crate::backend::{
    Entry, Error, Expiry, Generation, Key, Login, Owner, OwnerName, Page, Record, Revision, Stored,
};

/// The reason why a column could not be read.
pub(super) type Undecodable = Box<dyn std::error::Error + Send + Sync>;

/// A row. Columns are counted from 0.
pub(super) trait Columns {
    /// The place of the key in a row of `load_many`: after the columns of a `load`.
    const KEY: usize = 6;

    fn integer(&self, index: usize) -> Result<i64, Undecodable>;

    /// Returns `None` for NULL.
    fn bytes(&self, index: usize) -> Result<Option<Vec<u8>>, Undecodable>;

    /// Returns the expiry, converted from the database's form.
    fn expiry(&self, index: usize) -> Result<Expiry, Undecodable>;

    /// Reads the row of a `load`. Returns `None` if the row says that it is not live.
    fn stored(&self) -> Result<Option<Stored>, Error>
    where
        Self: Sized,
    {
        stored_of(self).map(Some)
    }
}

/// Returns the milliseconds until an expiry, for a server whose clock decides, or the largest number for never.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) fn milliseconds_left(expiry: Expiry) -> i64 {
    match expiry {
        Expiry::NEVER => i64::MAX,
        expiry => {
            let left = expiry.as_millis().saturating_sub(Expiry::now().as_millis());
            // Bounded, since servers compute no date so long ago.
            left.max(-100_000_000_000_000)
        }
    }
}

/// Returns the expiry that is this many milliseconds away.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) fn expiry_of_milliseconds_left(left: i64) -> Expiry {
    match left {
        i64::MAX => Expiry::NEVER,
        left => Expiry::from_millis(Expiry::now().as_millis().saturating_add(left)),
    }
}

pub(super) fn invalid_record() -> Error {
    Error::corrupt("a row of the database is not a valid record")
}

pub(super) fn undecodable(error: Undecodable) -> Error {
    invalid_record().with_source(error)
}

fn bytes(row: &impl Columns, index: usize) -> Result<Option<Vec<u8>>, Error> {
    row.bytes(index).map_err(undecodable)
}

fn some_bytes(row: &impl Columns, index: usize) -> Result<Vec<u8>, Error> {
    bytes(row, index)?.ok_or_else(invalid_record)
}

fn expiry(row: &impl Columns, index: usize) -> Result<Expiry, Error> {
    row.expiry(index).map_err(undecodable)
}

fn name(bytes: Vec<u8>) -> Result<OwnerName, Error> {
    let name = String::from_utf8(bytes).map_err(|_| invalid_record())?;
    OwnerName::new(name).map_err(|_| invalid_record())
}

fn generation(bytes: &[u8]) -> Result<Generation, Error> {
    let bytes = bytes.try_into().map_err(|_| invalid_record())?;
    Ok(Generation::from_bytes(bytes))
}

/// Reads the columns value, expiry, revision, owner, generation, login.
fn stored_of(row: &impl Columns) -> Result<Stored, Error> {
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
        _ => return Err(invalid_record()),
    };
    Ok(Stored { record, revision })
}

/// Reads the columns generation, logins.
pub(super) fn login_of(row: &impl Columns) -> Result<Login, Error> {
    Ok(Login {
        generation: generation_of(row)?,
        number: number(row, 1)?,
    })
}

fn number(row: &impl Columns, index: usize) -> Result<u64, Error> {
    let number = row.integer(index).map_err(undecodable)?;
    u64::try_from(number).map_err(|_| invalid_record())
}

/// Reads the column revision.
pub(super) fn revision_of(row: &impl Columns) -> Result<Revision, Error> {
    some_bytes(row, 0).map(Revision::new)
}

/// Reads the column generation.
pub(super) fn generation_of(row: &impl Columns) -> Result<Generation, Error> {
    generation(&some_bytes(row, 0)?)
}

/// Reads the column key.
pub(super) fn key_of(row: &impl Columns) -> Result<Key, Error> {
    key_at(row, 0)
}

/// Reads the key of a row of `load_many`.
pub(super) fn loaded_key_of<R: Columns>(row: &R) -> Result<Key, Error> {
    key_at(row, R::KEY)
}

fn key_at(row: &impl Columns, index: usize) -> Result<Key, Error> {
    Key::new(some_bytes(row, index)?).map_err(|_| invalid_record())
}

/// Returns keys as statements take many of them.
pub(super) fn packed_keys<'k>(keys: impl Iterator<Item = &'k Key>) -> Vec<u8> {
    let texts = keys.map(|key| base16ct::lower::encode_string(key.as_bytes()));
    let texts: Vec<String> = texts.map(|text| format!("\"{text}\"")).collect();
    format!("[{}]", texts.join(",")).into_bytes()
}

/// Reads rows as [`entry_of`] does, from a statement that returns at most `limit` of them. Skips a
/// row that is not a valid record.
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
        page.next = Some(last.ok_or_else(invalid_record)?);
    }
    Ok(page)
}

/// Adds the beginning of the row's key to its error. The whole key may be a secret.
fn named(key: Option<&Key>, error: Error) -> Error {
    let Some(key) = key else { return error };
    let begin = key.as_bytes().iter().take(8).copied().collect::<Vec<_>>();
    let begin = begin.escape_ascii();
    let message = format!("the row whose key begins with {begin}: {error}");
    Error::corrupt(message).with_source(error)
}

/// Reads the columns key, expiry, owner, and the value's length.
fn entry_of(row: &impl Columns) -> Result<Entry, Error> {
    let size = row.integer(3).map_err(undecodable)?;
    Ok(Entry {
        key: key_of(row)?,
        expiry: expiry(row, 1)?,
        owner: bytes(row, 2)?.map(name).transpose()?,
        size: usize::try_from(size).map_err(|_| invalid_record())?,
    })
}
