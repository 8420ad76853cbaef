//! The dialect of gorilla/sessions' server stores (gorilla/sessions v1.4.0 `store.go`,
//! `FilesystemStore`). The cookie is a securecookie of the ID as a string, and the row is a
//! securecookie of the values. Both have the session's name, and the same codecs. The ID is 32
//! random bytes in base32 without padding, and is also the row's key. savaki/dynastore (`store.go`)
//! has the same rows, but its cookie is the ID itself.

use std::sync::Arc;

use crate::backend::Key;
use crate::codec::{Codec, Opened, UnixTime};

use super::super::content::Content;
use super::super::data_model::DataModel;
use super::super::id::{ID_LENGTH, Id};
use super::super::lifetime::Lifetime;
use super::super::metadata::Metadata;
use super::super::protocol::{Row, WriteId};
use super::super::setup::Setup;
use super::super::{Error, Refusal, Values};
use super::go_metadata;
use super::row_format::{OpenedId, ReadRow, RowFormat, of_row};

/// The alphabet of RFC 4648, section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The longest ID, in characters: gorilla's have 52, those of dynastore and others fewer.
const LONGEST_ID: usize = 63;

/// The session value that pgstore uses as the expiry of its row. If it is not a `time.Time`,
/// pgstore panics in the next save (antonlindstrom/pgstore `pgstore.go`, `save`). If its other
/// value, `created_on`, has another type, pgstore ignores it.
const EXPIRES_ON: &str = "expires_on";

/// The package that has this layout of rows: gorilla/sessions itself or a relative of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kin {
    Gorilla,
    Pgstore,
    /// The cookie is the ID itself.
    Dynastore,
}

pub(super) struct Gorilla {
    codec: Arc<dyn Codec>,
    kin: Kin,
    name: String,
    lifetime: Lifetime,
    model: DataModel,
}

impl Gorilla {
    pub(super) fn new(codec: Arc<dyn Codec>, kin: Kin, setup: &Setup) -> Result<Self, Error> {
        let name = setup.cookie.name().to_owned();
        Values::check(&*codec, &name, setup.now())?;
        Ok(Gorilla {
            codec,
            kin,
            name,
            lifetime: setup.lifetime.clone(),
            model: setup.model.clone(),
        })
    }
}

/// Refuses a value that would make pgstore panic.
fn check_expires_on(values: &Values) -> Result<(), Error> {
    let found = values.interface(EXPIRES_ON);
    let name = found.as_ref().map(|found| found.name().to_string_lossy());
    match name.as_deref() {
        None | Some("" | "time.Time") => Ok(()),
        Some(name) => Err(Error::usage(format!(
            "the session's value `{EXPIRES_ON}` is a {name}: \
             pgstore takes it for the row's expiry, and it must be a time.Time"
        ))),
    }
}

impl Gorilla {
    fn parse(&self, opened: Opened<Vec<u8>>) -> Option<ReadRow> {
        let (date, serializer) = (opened.issued_at(), opened.serializer().clone());
        let read = Values::deserialize(&serializer, opened.into_value(), go_metadata::parse);
        let (values, carried) = read?;
        let (write, metadata) = carried.unzip();
        let metadata = Metadata::loaded(metadata, date, &self.lifetime);
        let values = values.loaded_as(&self.model);
        Some(ReadRow {
            row: Row::Live(Content { values, metadata }),
            write: write.unwrap_or_default(),
        })
    }
}

/// Encodes five bits per letter, the highest bits first.
pub(super) fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for group in bytes.chunks(5) {
        let mut bits = [0; 8];
        for (place, byte) in bits.iter_mut().skip(3).zip(group) {
            *place = *byte;
        }
        let bits = u64::from_be_bytes(bits);
        let letters = (group.len() * 8).div_ceil(5);
        for place in 0..letters {
            let letter = (bits >> (35 - 5 * place)) & 31;
            let letter = BASE32.get(usize::try_from(letter).unwrap_or(0));
            text.extend(letter.map(|letter| char::from(*letter)));
        }
    }
    text
}

/// Returns whether a text can be an ID. It holds no path and no wildcard, so no store misreads it.
fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(is_plain)
}

/// Opens a cookie that is the ID itself. Only IDs in the form of gorilla's stores are accepted.
fn bare_id(cookie: &str, now: UnixTime) -> Result<OpenedId, Refusal> {
    let is_letter = |byte: u8| BASE32.contains(&byte);
    match cookie.len() == (8 * ID_LENGTH).div_ceil(5) && cookie.bytes().all(is_letter) {
        true => Ok(OpenedId {
            id: Id::new(cookie),
            sealed_at: now,
            is_stale: false,
        }),
        false => Err(Refusal::NotValid),
    }
}

impl RowFormat for Gorilla {
    fn new_id(&self) -> Result<Id, Error> {
        Ok(Id::new(base32(Id::random()?.as_bytes())))
    }

    fn seal_id(&self, id: &Id, at: UnixTime) -> Result<String, Error> {
        let text = std::str::from_utf8(id.as_bytes());
        let text = text.map_err(|_| Error::usage("the ID is no text"))?;
        if self.kin == Kin::Dynastore {
            return Ok(text.to_owned());
        }
        let payload = self.codec.serializer().serialize(text);
        let sealed = payload.and_then(|payload| self.codec.seal_at(&self.name, &payload, at));
        sealed.map_err(Error::of_codec)
    }

    fn open_id(&self, cookie: &str, now: UnixTime) -> Result<Result<OpenedId, Refusal>, Error> {
        if self.kin == Kin::Dynastore {
            return Ok(bare_id(cookie, now));
        }
        let opened = match self.codec.open_at(&self.name, cookie, now) {
            Ok(opened) => opened,
            Err(error) => return Refusal::of_codec(error).map(Err),
        };
        let id = opened.serializer().deserialize::<String>(opened.value());
        Ok(match id {
            Ok(id) if is_id(&id) => Ok(OpenedId {
                id: Id::new(id),
                sealed_at: opened.issued_at(),
                is_stale: opened.is_stale(),
            }),
            _ => Err(Refusal::NotValid),
        })
    }

    fn key(&self, id: &Id) -> Result<Key, Error> {
        Key::new(id.as_bytes()).map_err(Error::of_backend)
    }

    /// Names the row. The key is the ID.
    fn name_of(&self, key: &Key) -> String {
        Id::new(key.as_bytes()).row_name()
    }

    fn write(
        &self,
        _: &Key,
        row: &Row<Content>,
        write: WriteId,
        now: UnixTime,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Row::Live(Content { values, metadata }) = row else {
            return Ok(None);
        };
        if self.kin == Kin::Pgstore {
            check_expires_on(values)?;
        }
        let carried = go_metadata::to_text(write, metadata);
        let payload = values.serialize(&self.codec.serializer(), &carried)?;
        let sealed = self.codec.seal_at(&self.name, &payload, now);
        sealed
            .map(|text| Some(text.into_bytes()))
            .map_err(Error::of_row_codec)
    }

    fn read(
        &self,
        _: &Key,
        bytes: &[u8],
        now: UnixTime,
    ) -> Result<Result<ReadRow, Refusal>, Error> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Ok(Err(Refusal::NotValid));
        };
        Ok(match self.codec.open_at(&self.name, text, now) {
            Ok(opened) => self.parse(opened).ok_or(Refusal::NotValid),
            Err(error) => Err(of_row(error)?),
        })
    }
}
