//! Silverback's own dialect. The cookie contains 32 random bytes, sealed. (A session that was moved
//! here from another dialect keeps the ID that it had there.) The key of the row is their hash. The row is sealed under separate keys, together with its key.
//!
//! A row before it is sealed:
//!
//! | bytes | contents |
//! |---|---|
//! | 1 | the version, 1 |
//! | 1 | 0: a session; 1: a tombstone; 2: the tombstone of a session that was renewed |
//! | 16 | the write ID |
//! | rest | of a session: its values, serialized, with its metadata among them; of a tombstone: the key of the successor, or nothing |
//!
//! A row is sealed like a cookie (gorilla's frame, dated 0, encrypted), with its key as the name.
//! The sealing keys are derived for the cookie's name and the store's name. So a row that is copied
//! to another key, store or cookie name does not open there.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::{Key, Layout};
use crate::codec::{self, Codec, DerivedCodec, UnixTime};

use super::super::data_model::DataModel;
use super::super::id::{ID_LENGTH, Id};
use super::super::lifetime::Lifetime;
use super::super::metadata::Metadata;
use super::super::protocol::{Row, Successor, WriteId};
use super::super::session_data::SessionData;
use super::super::setup::Setup;
use super::super::{Error, Refusal, SessionId, Values};
use super::row_format::{OpenedId, RowFormat, of_row};
use super::rules::Rules;

const VERSION: u8 = 1;
const SESSION: u8 = 0;
const TOMBSTONE: u8 = 1;
const RENEWED: u8 = 2;

/// The lengths of IDs in the other dialects: the tokens of scs, and gorilla's IDs.
const MOVED_ID_LENGTHS: [usize; 3] = [43, 52, 103];

/// The date of all rows. Their lifetime is in their metadata.
const NO_DATE: UnixTime = UnixTime::from_secs(0);

/// The default idle limit of a session without a login.
const ANONYMOUS_IDLE: Duration = Duration::from_secs(10 * 60);

/// The default limit on the bytes of a session's row.
const MAX_ROW_SIZE: usize = 64 * 1024;

/// Silverback's own dialect, made by [`Dialect::native`](super::Dialect::native). It keeps all promises of
/// [`ServerStore`](super::super::ServerStore).
///
/// ```
/// use std::time::Duration;
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::Dialect;
///
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
/// let dialect = Dialect::native(codecs)
///     .store_name("staging")
///     .anonymous_idle(Duration::from_secs(60 * 60))
///     .max_row_size(16 * 1024);
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct NativeDialect {
    cookies: Arc<dyn Codec>,
    rows: Option<Arc<dyn Codec>>,
    store_name: String,
    anonymous_idle: Duration,
    max_row_size: usize,
}

impl NativeDialect {
    pub(super) fn new(cookies: Arc<dyn Codec>) -> Self {
        NativeDialect {
            cookies,
            rows: None,
            store_name: String::new(),
            anonymous_idle: ANONYMOUS_IDLE,
            max_row_size: MAX_ROW_SIZE,
        }
    }

    /// Sets a name to which rows are sealed, in addition to the cookie's name. Stores with the same
    /// keys and cookie name, such as a staging and a production service, then refuse each other's
    /// rows. Default: the empty name. Sessions do not survive a change of the name. Owners belong
    /// to the backend, regardless of store names: [ending all sessions of an
    /// owner](super::super::ServerStore::end_all) ends them in all stores.
    pub fn store_name(self, name: impl Into<String>) -> Self {
        NativeDialect {
            store_name: name.into(),
            ..self
        }
    }

    /// Sets the codec that seals rows, instead of keys derived from the cookies' keys. It must have
    /// no `max_age`, `min_age` or `max_length` (zero removes each), and must not be the cookies'
    /// codec. A store refuses a row codec together with a [store
    /// name](NativeDialect::store_name), because the codec's keys replace the name.
    pub fn row_codec(self, codec: impl Codec + 'static) -> Self {
        NativeDialect {
            rows: Some(Arc::new(codec)),
            ..self
        }
    }

    /// Sets how long a session without a login may go unused, in whole seconds. Default: 10
    /// minutes. It never exceeds the idle limit of the
    /// [lifetime](super::super::ServerOptions::lifetime), so a long value removes this extra limit.
    ///
    /// Anyone can begin millions of anonymous sessions. The shorter they are kept, the fewer rows a
    /// backend must hold. A page that asks for no session costs no row. A form with a token in an
    /// anonymous session must be sent within this time.
    ///
    /// A [remembered](super::super::Session::remember) session has the limits of remembered
    /// sessions, with or without a login, since the application asked for them. Therefore remember
    /// an anonymous session only if its client has done something that robots do not do.
    pub fn anonymous_idle(self, idle: Duration) -> Self {
        NativeDialect {
            anonymous_idle: idle,
            ..self
        }
    }

    /// Limits the bytes of a session's row, sealed as it is stored. Default: 65,536, for about
    /// 36,000 bytes of values. Zero removes the limit, so that only the backend's limit remains.
    ///
    /// Saving a larger session returns an error that gives both sizes ([too
    /// large](Error::is_too_large)), and the row stays unchanged. A larger row that already exists
    /// can still be read, so a lower limit logs out no user.
    pub fn max_row_size(self, bytes: usize) -> Self {
        NativeDialect {
            max_row_size: bytes,
            ..self
        }
    }

    /// Returns the codec of the rows: the one that was set, or one with keys that are derived from
    /// the keys of the cookies.
    fn row_keys(&self, cookie_name: &str) -> Result<Arc<dyn Codec>, Error> {
        let store_name = &self.store_name;
        match &self.rows {
            Some(_) if !store_name.is_empty() => Err(Error::usage(
                "NativeDialect::store_name has no effect with a row_codec, whose keys tell the \
                 stores apart: remove one of them",
            )),
            Some(rows) => Ok(rows.clone()),
            None => {
                let purpose = format!("session rows 1\0{store_name}\0{cookie_name}");
                let derived = DerivedCodec::new(self.cookies.clone(), purpose);
                let derived = derived.map_err(Error::of_codec)?.ok_or_else(|| {
                    Error::usage(
                        "the codec does not show its keys, so none can be derived for the rows: \
                         set NativeDialect::row_codec",
                    )
                })?;
                Ok(Arc::new(derived))
            }
        }
    }
}

impl Rules for NativeDialect {
    fn default_lifetime(&self) -> Lifetime {
        Lifetime::new()
    }

    fn adapt(&self, lifetime: Lifetime) -> Lifetime {
        lifetime.with_anonymous_idle(self.anonymous_idle)
    }

    fn fits(&self, layout: Layout) -> bool {
        layout == Layout::Native
    }

    fn codec(&self) -> Option<&dyn Codec> {
        Some(&*self.cookies)
    }

    #[cfg(feature = "dbsc")]
    fn binding_codec(&self) -> Option<Arc<dyn Codec>> {
        Some(self.cookies.clone())
    }

    fn max_row_size(&self) -> Option<usize> {
        (self.max_row_size > 0).then_some(self.max_row_size)
    }

    fn model(&self) -> DataModel {
        let rows = self.rows.as_ref().unwrap_or(&self.cookies);
        DataModel::of(&rows.serializer())
    }

    fn format(&self, setup: &Setup, _: Layout) -> Result<Box<dyn RowFormat>, Error> {
        let cookie_name = setup.cookie.name();
        let rows = self.row_keys(cookie_name)?;
        let probe = Id::new([0; ID_LENGTH]).row_name();
        Values::check(&*rows, &probe, NO_DATE)?;
        Ok(Box::new(Native {
            cookies: self.cookies.clone(),
            rows,
            cookie_name: cookie_name.to_owned(),
            model: self.model(),
            lifetime: setup.lifetime.clone(),
        }))
    }
}

/// Shows the dialect's name, and no keys.
impl fmt::Debug for NativeDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Native")
    }
}

/// The format of this dialect's cookies and rows.
struct Native {
    cookies: Arc<dyn Codec>,
    rows: Arc<dyn Codec>,
    cookie_name: String,
    model: DataModel,
    lifetime: Lifetime,
}

impl Native {
    fn payload(&self, row: &Row<SessionData>, write: WriteId) -> Result<Vec<u8>, Error> {
        let (kind, rest) = match row {
            Row::Live(SessionData { values, metadata }) => {
                let metadata = metadata.to_text();
                (
                    SESSION,
                    values.serialize(&self.rows.serializer(), &metadata)?,
                )
            }
            Row::Tombstone { successor: None } => (TOMBSTONE, Vec::new()),
            Row::Tombstone {
                successor: Some(Successor { key, is_renewal }),
            } => (
                if *is_renewal { RENEWED } else { TOMBSTONE },
                key.as_bytes().to_vec(),
            ),
        };
        Ok([&[VERSION, kind], &write[..], &rest[..]].concat())
    }

    fn parse(&self, payload: &[u8], opened: &codec::Opened) -> Option<(Row<SessionData>, WriteId)> {
        let (&[VERSION, kind], rest) = payload.split_first_chunk()? else {
            return None;
        };
        let (write, rest) = rest.split_first_chunk::<16>()?;
        let row = match kind {
            SESSION => {
                let serializer = opened.serializer();
                let (values, metadata) =
                    Values::deserialize(serializer, rest.to_vec(), Metadata::parse)?;
                // No Go program wrote it, so its metadata has the creation time.
                let mut metadata = Metadata::loaded(Some(metadata?), NO_DATE, &self.lifetime);
                metadata.is_stale = opened.is_stale();
                let values = values.loaded_as(&self.model);
                Row::Live(SessionData { values, metadata })
            }
            TOMBSTONE if rest.is_empty() => Row::Tombstone { successor: None },
            TOMBSTONE | RENEWED => Row::Tombstone {
                successor: Some(Successor {
                    key: Key::new(rest).ok()?,
                    is_renewal: kind == RENEWED,
                }),
            },
            _ => return None,
        };
        Some((row, *write))
    }
}

/// Returns whether the bytes are an ID: 32 bytes of this dialect, or the letters of an ID that a
/// session had in another dialect before it was moved here.
fn is_id(bytes: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_moved = MOVED_ID_LENGTHS.contains(&bytes.len()) && bytes.iter().all(is_letter);
    bytes.len() == ID_LENGTH || is_moved
}

fn key_text(key: &Key) -> Option<&str> {
    std::str::from_utf8(key.as_bytes()).ok()
}

impl RowFormat for Native {
    fn has_tombstones(&self) -> bool {
        true
    }

    fn new_id(&self) -> Result<Id, Error> {
        Id::random()
    }

    fn seal_id(&self, id: &Id, at: UnixTime) -> Result<String, Error> {
        let sealed = self.cookies.seal_at(&self.cookie_name, id.as_bytes(), at);
        sealed.map_err(Error::of_codec)
    }

    fn open_id(&self, cookie: &str, now: UnixTime) -> Result<Result<OpenedId, Refusal>, Error> {
        let opened = match self.cookies.open_at(&self.cookie_name, cookie, now) {
            Ok(opened) => opened,
            Err(error) => return Refusal::of_codec(error).map(Err),
        };
        if !is_id(opened.value()) {
            return Ok(Err(Refusal::NotValid));
        }
        Ok(Ok(OpenedId {
            sealed_at: opened.issued_at(),
            is_stale: opened.is_stale(),
            id: Id::new(opened.into_value()),
        }))
    }

    fn is_id(&self, id: &Id) -> bool {
        is_id(id.as_bytes())
    }

    fn key(&self, id: &Id) -> Result<Key, Error> {
        Key::new(id.row_name()).map_err(Error::of_backend)
    }

    fn public_id(&self, key: &Key) -> SessionId {
        SessionId::from(&*String::from_utf8_lossy(key.as_bytes()))
    }

    fn write(
        &self,
        key: &Key,
        row: &Row<SessionData>,
        write: WriteId,
        _: UnixTime,
    ) -> Result<Option<Vec<u8>>, Error> {
        let name = key_text(key).ok_or_else(|| Error::usage("the row's key is not UTF-8"))?;
        let payload = self.payload(row, write)?;
        let sealed = self.rows.seal_at(name, &payload, NO_DATE);
        sealed
            .map(|text| Some(text.into_bytes()))
            .map_err(Error::of_codec)
    }

    fn read(
        &self,
        key: &Key,
        bytes: &[u8],
        _: UnixTime,
    ) -> Result<Result<(Row<SessionData>, WriteId), Refusal>, Error> {
        let (Some(name), Ok(text)) = (key_text(key), std::str::from_utf8(bytes)) else {
            return Ok(Err(Refusal::NotValid));
        };
        let mut payload = Vec::new();
        Ok(
            match self.rows.open_into(name, text, NO_DATE, &mut payload) {
                Ok(opened) => self.parse(&payload, &opened).ok_or(Refusal::NotValid),
                Err(error) => Err(of_row(error)?),
            },
        )
    }
}
