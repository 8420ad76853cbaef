//! The dialect of gorilla/sessions' server stores (gorilla/sessions v1.4.0 `store.go`,
//! `FilesystemStore`). The cookie is a securecookie of the ID as a string, and the row is a
//! securecookie of the values. Both have the session's name, and the same codecs. The ID is 32
//! random bytes in base32 without padding, and is also the row's key. savaki/dynastore (`store.go`)
//! has the same rows, but its cookie is the ID itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::{Key, Layout};
use crate::codec::{Codec, Opened, UnixTime};

use super::super::data_model::DataModel;
use super::super::id::{ID_LENGTH, Id};
use super::super::lifetime::Lifetime;
use super::super::metadata::Metadata;
use super::super::protocol::{Row, WriteId};
use super::super::session_data::SessionData;
use super::super::setup::Setup;
use super::super::{Error, Refusal, SessionId, Values};
use super::go_metadata;
use super::row_format::{OpenedId, RowFormat, of_row};
use super::rules::Rules;

/// The alphabet of RFC 4648, section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The longest ID, in characters: gorilla's have 52, those of dynastore and others fewer.
const LONGEST_ID: usize = 63;

/// The session value that pgstore uses as the expiry of its row. If it is not a `time.Time`,
/// pgstore panics in the next save (antonlindstrom/pgstore `pgstore.go`, `save`). If its other
/// value, `created_on`, has another type, pgstore ignores it.
const EXPIRES_ON: &str = "expires_on";

/// gorilla's default `MaxAge` (sessions v1.4.0 `store.go`, pgstore, dynamostore).
const MAX_AGE: Duration = Duration::from_secs(86_400 * 30);

/// The dialect of gorilla/sessions' server stores, made by [`Dialect::gorilla`](super::Dialect::gorilla) and
/// [`Dialect::dynastore`](super::Dialect::dynastore).
///
/// ```
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::Dialect;
///
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?; // the Go program's key pairs
/// let dialect = Dialect::gorilla(codecs).known_types(["time.Time", "main.User"]);
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct GorillaDialect {
    codec: Arc<dyn Codec>,
    /// True if the cookie is the ID itself.
    has_bare_ids: bool,
    known_types: Vec<String>,
}

impl GorillaDialect {
    pub(super) fn new(codec: Arc<dyn Codec>, has_bare_ids: bool) -> Self {
        GorillaDialect {
            codec,
            has_bare_ids,
            known_types: Vec::new(),
        }
    }

    /// Adds types that the Go program which shares the sessions registers itself (`gob.Register`).
    /// Use the names that Go gives them: `time.Time`, `map[string]interface {}`, and `main.User` or
    /// `example.com/shop.User` for a struct. The fields of a struct must have the types of the
    /// fields in Go.
    ///
    /// Without this option, values must have types that gorilla/sessions knows: the basic types,
    /// slices of them, `[]interface {}`, and the types already in the session. Inserting a value of
    /// any other type is an error, since a Go program could then no longer read the session.
    #[doc(alias = "Register")]
    pub fn known_types<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.known_types.extend(names.into_iter().map(Into::into));
        self
    }
}

impl Rules for GorillaDialect {
    fn default_lifetime(&self) -> Lifetime {
        Lifetime::sliding(MAX_AGE)
    }

    fn fits(&self, layout: Layout) -> bool {
        // pgstore signs its cookies.
        layout == Layout::Gorilla || (layout == Layout::Pgstore && !self.has_bare_ids)
    }

    fn codec(&self) -> Option<&dyn Codec> {
        Some(&*self.codec)
    }

    fn model(&self) -> DataModel {
        DataModel::gorilla(&self.codec.serializer(), &self.known_types)
    }

    fn format(&self, setup: &Setup, layout: Layout) -> Result<Box<dyn RowFormat>, Error> {
        let name = setup.cookie.name().to_owned();
        Values::check(&*self.codec, &name, setup.now())?;
        Ok(Box::new(Gorilla {
            codec: self.codec.clone(),
            has_bare_ids: self.has_bare_ids,
            reserves_expires_on: layout == Layout::Pgstore,
            name,
            lifetime: setup.lifetime.clone(),
            model: self.model(),
        }))
    }
}

/// Shows the dialect's name, and no keys.
impl fmt::Debug for GorillaDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.has_bare_ids {
            false => "Gorilla",
            true => "Dynastore",
        })
    }
}

/// The format of this dialect's cookies and rows.
struct Gorilla {
    codec: Arc<dyn Codec>,
    /// True if the cookie is the ID itself.
    has_bare_ids: bool,
    /// True if pgstore reads the rows.
    reserves_expires_on: bool,
    name: String,
    lifetime: Lifetime,
    model: DataModel,
}

/// Refuses a value that would make pgstore panic.
fn check_expires_on(values: &Values) -> Result<(), Error> {
    let found = values.interface(EXPIRES_ON);
    let name = found.as_ref().map(|found| found.name().to_string_lossy());
    match name.as_deref() {
        None | Some("" | "time.Time") => Ok(()),
        Some(name) => Err(Error::usage(format!(
            "the session's value `{EXPIRES_ON}` is a {name}: \
             pgstore reads it as the row's expiry, so it must be a time.Time"
        ))),
    }
}

impl Gorilla {
    fn parse(&self, opened: Opened<Vec<u8>>) -> Option<(Row<SessionData>, WriteId)> {
        let (date, serializer) = (opened.issued_at(), opened.serializer().clone());
        let read = Values::deserialize(&serializer, opened.into_value(), go_metadata::parse);
        let (values, carried) = read?;
        let (write, metadata) = carried.unzip();
        let metadata = Metadata::loaded(metadata, date, &self.lifetime);
        let values = values.loaded_as(&self.model);
        let row = Row::Live(SessionData { values, metadata });
        Some((row, write.unwrap_or_default()))
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
        let text = text.map_err(|_| Error::usage("the ID is not UTF-8"))?;
        if self.has_bare_ids {
            return Ok(text.to_owned());
        }
        let payload = self.codec.serializer().serialize(text);
        let sealed = payload.and_then(|payload| self.codec.seal_at(&self.name, &payload, at));
        sealed.map_err(Error::of_codec)
    }

    fn open_id(&self, cookie: &str, now: UnixTime) -> Result<Result<OpenedId, Refusal>, Error> {
        if self.has_bare_ids {
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
    fn public_id(&self, key: &Key) -> SessionId {
        Id::new(key.as_bytes()).row_name().into()
    }

    fn write(
        &self,
        _: &Key,
        row: &Row<SessionData>,
        write: WriteId,
        now: UnixTime,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Row::Live(SessionData { values, metadata }) = row else {
            return Ok(None);
        };
        if self.reserves_expires_on {
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
    ) -> Result<Result<(Row<SessionData>, WriteId), Refusal>, Error> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Ok(Err(Refusal::NotValid));
        };
        Ok(match self.codec.open_at(&self.name, text, now) {
            Ok(opened) => self.parse(opened).ok_or(Refusal::NotValid),
            Err(error) => Err(of_row(error)?),
        })
    }
}
