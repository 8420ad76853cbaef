//! The dialect of dolab/session (`session.go`, `cookie.go`, `value.go`, `providers/`). The row is the
//! JSON of `struct { Data map[string]json.RawMessage }`, under the ID: 32 hexadecimal digits.
//!
//! The package's cookie can be forged (`codec::legacy`), so this dialect never sets it. The cookie
//! here is a securecookie of the ID, under another name. `dolab_cookie.rs` reads the old one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::backend::{Key, Layout};
use crate::codec::{Codec, Serializer, UnixTime};

use super::super::data_model::DataModel;
use super::super::go_json;
use super::super::id::Id;
use super::super::lifetime::Lifetime;
use super::super::protocol::{Row, WriteId};
use super::super::session_data::SessionData;
use super::super::setup::Setup;
use super::super::{Error, Refusal, Values};
#[cfg(feature = "legacy")]
use super::dolab_cookie::LegacyCookie;
use super::go_metadata;
use super::gorilla_id::{IdCookie, IdForm, is_hex_id};
use super::row_format::{OpenedId, RowFormat};
use super::rules::Rules;

/// The name of the field with the values. Go reads it in any case (`encoding/json`).
const DATA: &str = "Data";

/// The dialect of dolab/session, made by [`Dialect::dolab`](super::Dialect::dolab).
///
/// ```
/// use silverback::codec::{Codecs, KeyPairs};
/// use silverback::session::Dialect;
///
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?; // keys of this service alone
/// let dialect = Dialect::dolab(codecs);
/// # #[cfg(feature = "legacy")]
/// let dialect = dialect.legacy_cookie("gosession", "the Go program's CookieSecret");
/// # Ok::<(), silverback::codec::Error>(())
/// ```
///
/// # Rows
///
/// A row is the text that Go writes, with one more value: the session's metadata. Values that do not
/// change keep their JSON, so that no number loses a digit.
///
/// A row that this store writes always has an expiry. Go writes no expiry: each write of a Go
/// program removes it. A row without an expiry counts as used now, within the session's
/// absolute limit, and the response that reads it gives it an expiry again.
///
/// # The old cookie
///
/// With `legacy_cookie` (feature `legacy`), a request that has no session under this store's cookie
/// may bring the Go program's cookie. Anyone can forge it, with any date. Therefore:
///
/// - It opens only a row that exists. It proves no login and no age, and never opens a session that
///   logged in here.
/// - Its first response sets this store's cookie, and removes the old one: the Go program then no
///   longer knows the client. There is no way back, so move all routes that need the session together.
/// - A login gives the session a new ID, as always. The old cookie then opens nothing.
/// - Cookies of two sessions open [no session](super::super::Refusal::Ambiguous). (Go takes the last
///   cookie.)
///
/// The package's cookie of users to remember is never read.
#[derive(Clone)]
#[must_use]
pub struct DolabDialect {
    ids: IdForm,
    #[cfg(feature = "legacy")]
    legacy_cookie: Option<LegacyCookie>,
}

impl DolabDialect {
    pub(super) fn new(codec: Arc<dyn Codec>) -> Self {
        DolabDialect {
            ids: IdForm::sealed_hex(codec),
            #[cfg(feature = "legacy")]
            legacy_cookie: None,
        }
    }

    /// Reads the Go program's cookie, too: the one of that name, with the Go program's
    /// `CookieSecret`. See [above](DolabDialect#the-old-cookie).
    ///
    /// A store refuses an empty secret, as Go does, and a name that is also the name of its own
    /// cookie.
    #[cfg(feature = "legacy")]
    #[doc(alias = "CookieName")]
    #[doc(alias = "CookieSecret")]
    pub fn legacy_cookie(self, name: impl Into<String>, secret: impl AsRef<str>) -> Self {
        DolabDialect {
            legacy_cookie: Some(LegacyCookie::new(name.into(), secret.as_ref())),
            ..self
        }
    }

    /// Refuses an old cookie that is older than `max_age`, in whole seconds: Go's `CookieExpire`. The
    /// date in a cookie can be forged, so this ends the cookies of honest clients only. Default: no
    /// limit. It has no effect before [`legacy_cookie`](DolabDialect::legacy_cookie).
    #[cfg(feature = "legacy")]
    #[doc(alias = "CookieExpire")]
    pub fn legacy_max_age(mut self, max_age: std::time::Duration) -> Self {
        if let Some(cookie) = &mut self.legacy_cookie {
            cookie.limit_age(max_age);
        }
        self
    }
}

impl Rules for DolabDialect {
    /// The Go package has no default.
    fn default_lifetime(&self) -> Lifetime {
        Lifetime::new()
    }

    fn fits(&self, layout: Layout) -> bool {
        layout == Layout::Dolab
    }

    fn codec(&self) -> Option<&dyn Codec> {
        self.ids.codec()
    }

    fn model(&self) -> DataModel {
        DataModel::of(&Serializer::Json)
    }

    #[cfg(feature = "legacy")]
    fn legacy_cookie_name(&self) -> Option<&str> {
        self.legacy_cookie.as_ref().map(LegacyCookie::name)
    }

    fn format(&self, setup: &Setup, _: Layout) -> Result<Box<dyn RowFormat>, Error> {
        #[cfg(feature = "legacy")]
        if let Some(cookie) = &self.legacy_cookie {
            cookie.check(setup.cookie.name())?;
        }
        if !setup.lifetime.ends() {
            return Err(Error::usage(
                "a row of dolab/session needs an expiry: give the lifetime an idle or an absolute limit",
            ));
        }
        Ok(Box::new(Dolab {
            ids: self.ids.under(setup.cookie.name()),
            #[cfg(feature = "legacy")]
            legacy_cookie: self.legacy_cookie.clone(),
            lifetime: setup.lifetime.clone(),
            model: self.model(),
        }))
    }
}

/// Shows the dialect's name, and no keys.
impl fmt::Debug for DolabDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dolab")
    }
}

/// The format of this dialect's cookies and rows.
struct Dolab {
    ids: IdCookie,
    #[cfg(feature = "legacy")]
    legacy_cookie: Option<LegacyCookie>,
    lifetime: Lifetime,
    model: DataModel,
}

impl Dolab {
    fn parse(&self, bytes: &[u8], now: UnixTime) -> Option<(Row<SessionData>, WriteId)> {
        let data = data_of(bytes)?;
        let read = Values::deserialize(&Serializer::Json, data, go_metadata::parse);
        let (values, carried) = read?;
        let (write, metadata) = carried.unzip();
        let metadata = go_metadata::of_undated_row(metadata, &self.lifetime, now);
        let values = values.loaded_as(&self.model);
        let row = Row::Live(SessionData { values, metadata });
        Some((row, write.unwrap_or_default()))
    }
}

/// Returns the object with the values of a row, or `None` if the row is something else.
///
/// Go decodes into one map: if there are several objects, their values are all there, and the last
/// one of a key counts. A null empties the map.
fn data_of(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut row = serde_json::Deserializer::from_slice(bytes);
    let objects = row.deserialize_map(DataObjects).ok()?;
    row.end().ok()?;
    let last_null = objects.iter().rposition(|object| object.get() == "null");
    let first = last_null.map_or(0, |place| place.saturating_add(1));
    match objects.get(first..)? {
        [] => Some(b"{}".to_vec()),
        [object] => Some(object.get().into()),
        objects => {
            let mut merged = Entries::new();
            for object in objects {
                merged.extend(serde_json::from_str::<Entries>(object.get()).ok()?);
            }
            serde_json::to_vec(&merged).ok()
        }
    }
}

/// The values of a row by their keys, in Go's order.
type Entries = BTreeMap<String, Box<RawValue>>;

/// Reads the contents of each field `Data` of an object.
struct DataObjects;

impl<'de> Visitor<'de> for DataObjects {
    type Value = Vec<Box<RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row of dolab/session")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut objects = Vec::new();
        while let Some(name) = fields.next_key::<String>()? {
            match name.eq_ignore_ascii_case(DATA) {
                true => objects.push(fields.next_value()?),
                false => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(objects)
    }
}

/// Returns the row with the values of a JSON object, as Go writes it.
fn row_of(object: &[u8]) -> Option<Vec<u8>> {
    let entries: Entries = serde_json::from_slice(object).ok()?;
    let object = serde_json::to_string(&entries).ok()?;
    Some(format!("{{\"{DATA}\":{}}}", go_json::compact(&object)).into_bytes())
}

impl RowFormat for Dolab {
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
        std::str::from_utf8(id.as_bytes()).is_ok_and(is_hex_id)
    }

    #[cfg(feature = "legacy")]
    fn open_legacy_cookie(&self, cookie: &str, now: UnixTime) -> Result<OpenedId, Refusal> {
        let legacy_cookie = self.legacy_cookie.as_ref().ok_or(Refusal::NotValid)?;
        legacy_cookie.open(cookie, now)
    }

    fn loses_expiries(&self) -> bool {
        true
    }

    fn write(
        &self,
        _: &Key,
        row: &Row<SessionData>,
        write: WriteId,
        _: UnixTime,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Row::Live(SessionData { values, metadata }) = row else {
            return Ok(None);
        };
        let carried = go_metadata::to_text(write, metadata);
        let object = values.serialize(&Serializer::Json, &carried)?;
        let no_row = || Error::usage("the session's values are not JSON");
        row_of(&object).map(Some).ok_or_else(no_row)
    }

    fn read(
        &self,
        _: &Key,
        bytes: &[u8],
        now: UnixTime,
    ) -> Result<Result<(Row<SessionData>, WriteId), Refusal>, Error> {
        Ok(self.parse(bytes, now).ok_or(Refusal::NotValid))
    }
}
