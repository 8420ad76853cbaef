//! The dialect of gorilla/sessions' server stores (gorilla/sessions v1.4.0 `store.go`,
//! `FilesystemStore`). The cookie is a securecookie of the ID as a string, and the row is a
//! securecookie of the values. Both have the session's name, and the same codecs. The ID is 32
//! random bytes in base32 without padding, and is also the row's key.
//!
//! Other Go packages differ in one part or in both:
//!
//! | package | cookie | row |
//! |---|---|---|
//! | `FilesystemStore`, pgstore, dynamostore, wader/gormstore, gorilla-sessions-memcache | the ID, sealed | the values, sealed |
//! | savaki/dynastore (`store.go`) | the ID | the values, sealed |
//! | boj/redistore (`redistore.go`), gorilla-sessions-memcache with other methods (`gsm.go`) | the ID, sealed | a gob or JSON of the values |
//! | rbcervilla/redisstore (`redisstore.go`) | the ID, of 64 bytes | a gob or JSON of the values |

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::{Key, Layout};
use crate::codec::{Codec, Opened, Serializer, UnixTime};

use super::super::data_model::DataModel;
use super::super::id::Id;
use super::super::lifetime::Lifetime;
use super::super::metadata::Metadata;
use super::super::protocol::{Row, WriteId};
use super::super::session_data::SessionData;
use super::super::setup::Setup;
use super::super::{Error, Refusal, Values};
use super::go_metadata;
use super::gorilla_id::{IdCookie, IdForm};
use super::row_format::{OpenedId, RowFormat, of_row};
use super::rules::Rules;

/// The session value that pgstore uses as the expiry of its row. If it is not a `time.Time`,
/// pgstore panics in the next save (antonlindstrom/pgstore `pgstore.go`, `save`). If its other
/// value, `created_on`, has another type, pgstore ignores it.
const EXPIRES_ON: &str = "expires_on";

/// gorilla's default `MaxAge` (sessions v1.4.0 `store.go`, pgstore, dynamostore).
const MAX_AGE: Duration = Duration::from_secs(86_400 * 30);

/// redistore's default limit of a row (`redistore.go`, `maxLength`).
const REDISTORE_MAX_LENGTH: usize = 4096;

/// The dialect of gorilla/sessions' server stores, made by [`Dialect::gorilla`](super::Dialect::gorilla) and
/// the functions of [`Dialect`](super::Dialect) after it.
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
    ids: IdForm,
    rows: RowForm,
    known_types: Vec<String>,
}

/// The form of the values in a row.
#[derive(Clone)]
enum RowForm {
    /// A text that this codec seals under the cookie's name.
    Sealed(Arc<dyn Codec>),
    /// The bytes of this serializer, of which a row has at most `max_size`.
    Clear {
        serializer: Serializer,
        max_size: usize,
    },
}

impl RowForm {
    fn codec(&self) -> Option<&dyn Codec> {
        match self {
            RowForm::Sealed(codec) => Some(&**codec),
            RowForm::Clear { .. } => None,
        }
    }

    fn serializer(&self) -> Serializer {
        match self {
            RowForm::Sealed(codec) => codec.serializer(),
            RowForm::Clear { serializer, .. } => serializer.clone(),
        }
    }
}

impl GorillaDialect {
    /// Returns the dialect of gorilla/sessions.
    pub(super) fn sealed(codec: Arc<dyn Codec>) -> Self {
        GorillaDialect::new(IdForm::sealed(codec.clone()), RowForm::Sealed(codec))
    }

    /// Returns the dialect of dynastore.
    pub(super) fn with_bare_ids(codec: Arc<dyn Codec>) -> Self {
        GorillaDialect::new(IdForm::bare(), RowForm::Sealed(codec))
    }

    /// Returns the dialect of redistore.
    pub(super) fn redistore(codec: Arc<dyn Codec>) -> Self {
        let sealed = GorillaDialect::sealed(codec);
        sealed
            .clear_rows(Serializer::Gob)
            .max_row_size(REDISTORE_MAX_LENGTH)
    }

    /// Returns the dialect of rbcervilla/redisstore.
    pub(super) fn rbcervilla_redisstore() -> Self {
        let rows = RowForm::Clear {
            serializer: Serializer::Gob,
            max_size: 0,
        };
        GorillaDialect::new(IdForm::bare_and_long(), rows)
    }

    fn new(ids: IdForm, rows: RowForm) -> Self {
        GorillaDialect {
            ids,
            rows,
            known_types: Vec::new(),
        }
    }

    /// Stores rows in the clear: the bytes of `serializer`, which must be gob or JSON. This is for
    /// backends with the layout [`GorillaClear`](Layout::GorillaClear).
    ///
    /// Rows are neither signed nor encrypted: a person who can write them can log in as any user.
    /// Use it only for rows that a Go program shares.
    ///
    /// JSON has no types. Go reads each number as a `float64`, so integers over 2^53 lose digits
    /// there. Here, the numbers of unchanged values keep their text.
    #[doc(alias = "SetSerializer")]
    #[doc(alias = "JSONSerializer")]
    #[doc(alias = "GobSerializer")]
    pub fn clear_rows(self, serializer: Serializer) -> Self {
        let max_size = match self.rows {
            RowForm::Clear { max_size, .. } => max_size,
            RowForm::Sealed(_) => 0,
        };
        GorillaDialect {
            rows: RowForm::Clear {
                serializer,
                max_size,
            },
            ..self
        }
    }

    /// Limits rows in the clear to this many bytes, as redistore's `SetMaxLength` does. A longer
    /// session is not saved; one that exists is read. Zero means no limit. Default: 4096 with
    /// [`Dialect::redistore`](super::Dialect::redistore), otherwise no limit. The `max_length` of the
    /// codec limits sealed rows instead.
    #[doc(alias = "SetMaxLength")]
    pub fn max_row_size(mut self, bytes: usize) -> Self {
        if let RowForm::Clear { max_size, .. } = &mut self.rows {
            *max_size = bytes;
        }
        self
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
        match self.rows {
            RowForm::Clear { .. } => layout == Layout::GorillaClear,
            // pgstore signs its cookies.
            RowForm::Sealed(_) => {
                layout == Layout::Gorilla
                    || (layout == Layout::Pgstore && self.ids.codec().is_some())
            }
        }
    }

    fn codec(&self) -> Option<&dyn Codec> {
        self.ids.codec().or_else(|| self.rows.codec())
    }

    fn max_row_size(&self) -> Option<usize> {
        match self.rows {
            RowForm::Clear { max_size, .. } if max_size > 0 => Some(max_size),
            _ => None,
        }
    }

    fn model(&self) -> DataModel {
        DataModel::gorilla(&self.rows.serializer(), &self.known_types)
    }

    fn format(&self, setup: &Setup, layout: Layout) -> Result<Box<dyn RowFormat>, Error> {
        let name = setup.cookie.name().to_owned();
        match &self.rows {
            RowForm::Sealed(codec) => Values::check(&**codec, &name, setup.now())?,
            RowForm::Clear { serializer, .. } => check_clear(serializer)?,
        }
        Ok(Box::new(Gorilla {
            ids: self.ids.under(&name),
            rows: self.rows.clone(),
            reserves_expires_on: layout == Layout::Pgstore,
            name,
            lifetime: setup.lifetime.clone(),
            model: self.model(),
        }))
    }
}

/// Refuses a serializer that no Go package has.
fn check_clear(serializer: &Serializer) -> Result<(), Error> {
    match serializer {
        Serializer::Gob => Ok(()),
        #[cfg(feature = "json")]
        Serializer::Json => Ok(()),
        _ => Err(Error::usage(
            "rows in the clear are a gob or JSON: use one of these serializers",
        )),
    }
}

/// Shows the form of cookies and rows, and no keys.
impl fmt::Debug for GorillaDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (&self.rows, self.ids.codec()) {
            (RowForm::Sealed(_), Some(_)) => "Gorilla",
            (RowForm::Sealed(_), None) => "Dynastore",
            (RowForm::Clear { .. }, Some(_)) => "Gorilla with rows in the clear",
            (RowForm::Clear { .. }, None) => "Gorilla with rows in the clear and bare IDs",
        })
    }
}

/// The format of this dialect's cookies and rows.
struct Gorilla {
    ids: IdCookie,
    rows: RowForm,
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
    fn parse_sealed(&self, opened: Opened<Vec<u8>>) -> Option<(Row<SessionData>, WriteId)> {
        let (date, is_stale) = (opened.issued_at(), opened.is_stale());
        let serializer = opened.serializer().clone();
        let read = Values::deserialize(&serializer, opened.into_value(), go_metadata::parse);
        let (values, carried) = read?;
        let (write, metadata) = carried.unzip();
        let mut metadata = Metadata::loaded(metadata, date, &self.lifetime);
        metadata.is_stale = is_stale;
        Some(self.row(values, metadata, write))
    }

    /// Reads a row without a date.
    fn parse_clear(
        &self,
        serializer: &Serializer,
        bytes: &[u8],
        now: UnixTime,
    ) -> Option<(Row<SessionData>, WriteId)> {
        let read = Values::deserialize(serializer, bytes.to_vec(), go_metadata::parse);
        let (values, carried) = read?;
        let (write, metadata) = carried.unzip();
        let metadata = go_metadata::of_undated_row(metadata, &self.lifetime, now);
        Some(self.row(values, metadata, write))
    }

    fn row(
        &self,
        values: Values,
        metadata: Metadata,
        write: Option<WriteId>,
    ) -> (Row<SessionData>, WriteId) {
        let values = values.loaded_as(&self.model);
        let row = Row::Live(SessionData { values, metadata });
        (row, write.unwrap_or_default())
    }
}

impl RowFormat for Gorilla {
    fn new_id(&self) -> Result<Id, Error> {
        self.ids.generate()
    }

    fn seal_id(&self, id: &Id, at: UnixTime) -> Result<String, Error> {
        self.ids.seal(id, at)
    }

    fn open_id(&self, cookie: &str, now: UnixTime) -> Result<Result<OpenedId, Refusal>, Error> {
        self.ids.open(cookie, now)
    }

    fn is_id(&self, id: &Id) -> bool {
        self.ids.accepts(id)
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
        let payload = values.serialize(&self.rows.serializer(), &carried)?;
        let RowForm::Sealed(codec) = &self.rows else {
            return Ok(Some(payload));
        };
        let sealed = codec.seal_at(&self.name, &payload, now);
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
        let codec = match &self.rows {
            RowForm::Sealed(codec) => codec,
            RowForm::Clear { serializer, .. } => {
                let parsed = self.parse_clear(serializer, bytes, now);
                return Ok(parsed.ok_or(Refusal::NotValid));
            }
        };
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Ok(Err(Refusal::NotValid));
        };
        Ok(match codec.open_at(&self.name, text, now) {
            Ok(opened) => self.parse_sealed(opened).ok_or(Refusal::NotValid),
            Err(error) => Err(of_row(error)?),
        })
    }
}
