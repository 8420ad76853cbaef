//! The dialect of alexedwards/scs v2 (`session.go`, `codec.go`): the cookie is the token,
//! 32 random bytes in unpadded base64url, and signed by nobody; the row's key is the token,
//! and the row a gob of `struct { Deadline time.Time; Values map[string]interface {} }`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::backend::Key;
use crate::codec::UnixTime;
use crate::gob::{Composite, Time, Value};

use super::super::content::Content;
use super::super::id::{ID_LENGTH, Id};
use super::super::lifetime::Lifetime;
use super::super::metadata::{NEVER_SEEN, earlier};
use super::super::protocol::{Row, WriteId};
use super::super::store::Setup;
use super::super::values::Terms;
use super::super::{Error, Refusal, Values};
use super::{OpenedId, ReadRow, RowFormat, carried, row_name};

/// The end of the year 9999, which every server's column holds: for sessions without an
/// absolute limit.
const LATEST: UnixTime = UnixTime::from_secs(253_402_300_799);

pub(super) struct Scs {
    lifetime: Lifetime,
}

impl Scs {
    pub(super) fn new(setup: &Setup) -> Self {
        Scs {
            lifetime: setup.lifetime.clone(),
        }
    }
}

/// Whether it is what scs makes: the one text of 32 bytes.
fn is_token(text: &str) -> bool {
    let decoded = URL_SAFE_NO_PAD.decode(text);
    decoded.is_ok_and(|bytes| bytes.len() == ID_LENGTH)
}

impl RowFormat for Scs {
    fn new_id(&self) -> Result<Id, Error> {
        Ok(Id::new(URL_SAFE_NO_PAD.encode(Id::random()?.as_bytes())))
    }

    fn seal_id(&self, id: &Id, _: UnixTime) -> Result<String, Error> {
        let text = String::from_utf8(id.as_bytes().to_vec());
        text.map_err(|_| Error::usage("the ID is no text"))
    }

    fn open_id(&self, cookie: &str, now: UnixTime) -> Result<Result<OpenedId, Refusal>, Error> {
        Ok(match is_token(cookie) {
            true => Ok(OpenedId {
                id: Id::new(cookie),
                sealed_at: now,
                is_stale: false,
            }),
            false => Err(Refusal::NotValid),
        })
    }

    fn key(&self, id: &Id) -> Result<Key, Error> {
        Key::new(id.as_bytes()).map_err(Error::of_backend)
    }

    /// The key is the ID.
    fn name_of(&self, key: &Key) -> String {
        row_name(&Id::new(key.as_bytes()))
    }

    fn write(
        &self,
        _: &Key,
        row: &Row<Content>,
        write: WriteId,
        _: UnixTime,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Row::Live(Content { values, metadata }) = row else {
            return Ok(None);
        };
        let deadline = metadata.deadline.unwrap_or(LATEST);
        let carried = carried::to_text(write, metadata);
        let entries = values.to_string_entries(&carried)?;
        let seconds = i64::try_from(deadline.as_secs()).unwrap_or(i64::MAX);
        let row = Composite::deadline_and_values(seconds, entries);
        Ok(Some(Value::Composite(row).to_vec()))
    }

    fn read(&self, _: &Key, bytes: &[u8], now: UnixTime) -> Option<ReadRow> {
        let Value::Composite(row) = Value::from_slice(bytes).ok()? else {
            return None;
        };
        let deadline = Time::of(row.field("Deadline")?)?.unix_seconds()?;
        let deadline = UnixTime::from_secs(u64::try_from(deadline).unwrap_or(0));
        // No values at all are a nil map to Go, which is not sent.
        let (values, carried) = match row.field("Values") {
            Some(values) => Values::from_string_map(values)?,
            None => (Values::new(), None),
        };
        // When a Go program wrote it, nobody can tell but by its expiry.
        let (write, mut metadata) = carried::parse(carried.as_deref(), now, &self.lifetime)?;
        if carried.is_none() {
            metadata.seen = NEVER_SEEN;
        }
        metadata.deadline = earlier(metadata.deadline, Some(deadline));
        let values = values.told_in(Terms::Gob);
        let row = Row::Live(Content { values, metadata });
        Some(ReadRow { row, write })
    }
}
