//! The dialect of alexedwards/scs v2.9.0 (`session.go`, `data.go`, `codec.go`). The cookie is the
//! token: 32 random bytes in unpadded base64url, without a signature. The row's key is the token.
//! With `HashTokenInStore`, it is the hash of the token's 43 characters. The row is a gob of
//! `struct { Deadline time.Time; Values map[string]interface {} }`, or the same as JSON
//! (`scs_json.rs`).
//!
//! The field `Deadline` is the session's absolute limit, whichever program wrote it. The lifetime
//! here sets it for sessions that begin or are renewed here, and shortens no other one. The value
//! `__rememberMe` shows whether the session is remembered. In scs this affects only the cookie.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::backend::{Key, Layout};
use crate::codec::{Codec, UnixTime};
use crate::gob::{Composite, Time, Value};

use super::super::data_model::DataModel;
use super::super::id::{ID_LENGTH, Id};
use super::super::lifetime::Lifetime;
use super::super::metadata::{Metadata, NEVER_SEEN};
use super::super::protocol::{Row, WriteId};
use super::super::session_data::SessionData;
use super::super::setup::Setup;
use super::super::{Error, Refusal, SessionId, Values};
use super::go_metadata::{self, ReadValues};
use super::row_format::{OpenedId, RowFormat};
use super::rules::Rules;
#[cfg(feature = "json")]
use super::scs_json;

/// 2262-01-01, the deadline of sessions without an absolute limit. Go's nanoseconds since 1970
/// overflow in April of that year, and so do the expiries of scs's redisstore and etcdstore.
const LATEST: UnixTime = UnixTime::from_secs(9_214_646_400);

/// The key of the bool that scs's `RememberMe` stores among the values.
const REMEMBER_ME: &str = "__rememberMe";

/// scs's default `Lifetime` (v2.9.0 `session.go`).
const LIFETIME: Duration = Duration::from_secs(86_400);

/// The `Codec` of scs that writes the rows.
#[derive(Clone, Copy, Default)]
enum RowCodec {
    #[default]
    Gob,
    #[cfg(feature = "json")]
    Json,
}

/// The dialect of alexedwards/scs, made by [`Dialect::scs`](super::Dialect::scs).
///
/// ```
/// use silverback::session::Dialect;
///
/// let dialect = Dialect::scs().hash_token_in_store(true).known_types(["time.Time"]);
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct ScsDialect {
    hashes_tokens: bool,
    codec: RowCodec,
    known_types: Vec<String>,
}

impl ScsDialect {
    /// Sets whether the hash of each token is the key of its row, as scs's option
    /// `HashTokenInStore` does. A person who can read the table then cannot use its sessions.
    /// Default: false.
    #[doc(alias = "HashTokenInStore")]
    pub fn hash_token_in_store(self, hash_token_in_store: bool) -> Self {
        ScsDialect {
            hashes_tokens: hash_token_in_store,
            ..self
        }
    }

    /// Sets that rows are JSON, `{"Deadline": .., "Values": {..}}`, for a Go program that has a
    /// `Codec` of its own: one that marshals `struct { Deadline time.Time; Values map[string]any }`
    /// with `encoding/json`. Names match in any case, as in Go. Default: gob, scs's `GobCodec`.
    ///
    /// A value that no request changes keeps its text, so a number keeps all its digits. In Go, each
    /// number is a `float64`.
    #[cfg(feature = "json")]
    #[doc(alias = "Codec")]
    pub fn json_rows(self) -> Self {
        ScsDialect {
            codec: RowCodec::Json,
            ..self
        }
    }

    /// Adds types that the Go program which shares the sessions registers itself (`gob.Register`),
    /// as in [`GorillaDialect::known_types`](super::GorillaDialect::known_types). Without this
    /// option, values must have types that `encoding/gob` knows: the basic types, slices of them,
    /// and the types already in the session.
    #[doc(alias = "Register")]
    pub fn known_types<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.known_types.extend(names.into_iter().map(Into::into));
        self
    }
}

impl Rules for ScsDialect {
    fn default_lifetime(&self) -> Lifetime {
        Lifetime::new().without_idle().absolute(LIFETIME)
    }

    /// In scs, a remembered session lasts no longer than any other session.
    fn adapt(&self, lifetime: Lifetime) -> Lifetime {
        lifetime.remembered_as_usual()
    }

    /// `RenewToken` sets the deadline to the lifetime from now.
    fn renewal_restarts(&self) -> bool {
        true
    }

    fn fits(&self, layout: Layout) -> bool {
        layout == Layout::Scs
    }

    fn codec(&self) -> Option<&dyn Codec> {
        None
    }

    fn model(&self) -> DataModel {
        match self.codec {
            RowCodec::Gob => DataModel::go(self.known_types.iter().cloned()),
            #[cfg(feature = "json")]
            RowCodec::Json => DataModel::Plain,
        }
    }

    fn format(&self, setup: &Setup, _: Layout) -> Result<Box<dyn RowFormat>, Error> {
        Ok(Box::new(Scs {
            lifetime: setup.lifetime.clone(),
            hashes_tokens: self.hashes_tokens,
            codec: self.codec,
            model: self.model(),
        }))
    }
}

/// Shows the dialect's name.
impl fmt::Debug for ScsDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scs")?;
        #[cfg(feature = "json")]
        if matches!(self.codec, RowCodec::Json) {
            f.write_str(" with rows of JSON")?;
        }
        match self.hashes_tokens {
            true => f.write_str(", hashed tokens"),
            false => Ok(()),
        }
    }
}

/// The format of this dialect's cookies and rows.
struct Scs {
    lifetime: Lifetime,
    /// True if a row's key is the hash of the token.
    hashes_tokens: bool,
    codec: RowCodec,
    model: DataModel,
}

impl Scs {
    fn parse(&self, bytes: &[u8], now: UnixTime) -> Option<(Row<SessionData>, WriteId)> {
        let (deadline, (values, carried)) = match self.codec {
            RowCodec::Gob => gob_fields(bytes)?,
            #[cfg(feature = "json")]
            RowCodec::Json => scs_json::fields(bytes)?,
        };
        let deadline = unix_time(deadline)?;
        let deadline = (deadline < LATEST).then_some(deadline);
        let (write, metadata) = carried.unzip();
        let metadata = Metadata {
            deadline,
            remembered: is_remembered(&values),
            ..metadata.unwrap_or_else(|| self.began_in_go(deadline, now))
        };
        let values = values.loaded_as(&self.model);
        let row = Row::Live(SessionData { values, metadata });
        Some((row, write.unwrap_or_default()))
    }

    /// Returns the metadata of a session that a Go program began. Its beginning is unknown. It is
    /// computed from the deadline and the lifetime set here, and is never after `now`.
    fn began_in_go(&self, deadline: Option<UnixTime>, now: UnixTime) -> Metadata {
        let began = deadline.and_then(|deadline| self.lifetime.limits(false).began(deadline));
        Metadata {
            seen: NEVER_SEEN,
            ..Metadata::new(&self.lifetime, began.unwrap_or(now).min(now))
        }
    }
}

fn gob_fields(bytes: &[u8]) -> Option<(Time, ReadValues)> {
    let Value::Composite(row) = Value::from_slice(bytes).ok()? else {
        return None;
    };
    let deadline = Time::of(row.field("Deadline")?)?;
    // In Go, a session without values has a nil map, which gob does not send.
    let values = match row.field("Values") {
        Some(values) => Values::from_string_map(values, go_metadata::parse)?,
        None => ReadValues::default(),
    };
    Some((deadline, values))
}

fn gob_row(deadline: i64, values: &Values, carried: &str) -> Result<Vec<u8>, Error> {
    let entries = values.to_string_entries(carried)?;
    let row = Composite::deadline_and_values(deadline, entries);
    Ok(Value::Composite(row).to_vec())
}

/// Converts Go's time to whole seconds. It rounds up, so that no session becomes shorter.
pub(super) fn unix_time(time: Time) -> Option<UnixTime> {
    let part = i64::from(time.nanoseconds() > 0);
    let seconds = time.unix_seconds()?.saturating_add(part);
    Some(UnixTime::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// Returns whether the session is remembered, as scs's `GetBool` reads it.
fn is_remembered(values: &Values) -> bool {
    matches!(values.get(REMEMBER_ME), Ok(Some(true)))
}

/// Returns whether the text is a token as scs makes it: the only base64url text of 32 bytes.
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
        text.map_err(|_| Error::usage("the ID is not UTF-8"))
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

    fn is_id(&self, id: &Id) -> bool {
        std::str::from_utf8(id.as_bytes()).is_ok_and(is_token)
    }

    fn key(&self, id: &Id) -> Result<Key, Error> {
        let key = match self.hashes_tokens {
            true => Key::new(id.row_name()),
            false => Key::new(id.as_bytes()),
        };
        key.map_err(Error::of_backend)
    }

    fn public_id(&self, key: &Key) -> SessionId {
        match self.hashes_tokens {
            true => SessionId::from(&*String::from_utf8_lossy(key.as_bytes())),
            false => Id::new(key.as_bytes()).row_name().into(),
        }
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
        let deadline = metadata.deadline.unwrap_or(LATEST).min(LATEST);
        let carried = go_metadata::to_text(write, metadata);
        let mut values = values.clone();
        if is_remembered(&values) != metadata.remembered {
            values.insert_interface(REMEMBER_ME, metadata.remembered.into())?;
        }
        let row = match self.codec {
            RowCodec::Gob => {
                let seconds = i64::try_from(deadline.as_secs()).unwrap_or(i64::MAX);
                gob_row(seconds, &values, &carried)
            }
            #[cfg(feature = "json")]
            RowCodec::Json => scs_json::row(deadline, &values, &carried),
        };
        row.map(Some)
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
