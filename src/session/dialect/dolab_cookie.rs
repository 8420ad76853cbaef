//! [`LegacyCookie`]: reads the cookie of dolab/session (`cookie.go`): a gob of
//! `struct { Value string; Ctime time.Time }` in a frame that anyone can forge. `Value` is the ID, and
//! `Ctime` the time at which Go set the cookie.

use std::sync::Arc;
use std::time::Duration;

use crate::codec::UnixTime;
use crate::codec::legacy::UnauthenticatedDolabReader;
use crate::gob::{Time, Value};

use super::super::id::Id;
use super::super::{Error, Refusal};
use super::gorilla_id::is_hex_id;
use super::row_format::OpenedId;
use super::scs::unix_time;

#[derive(Clone)]
pub(super) struct LegacyCookie {
    name: String,
    has_secret: bool,
    reader: Arc<UnauthenticatedDolabReader>,
    max_age: Option<Duration>,
}

impl LegacyCookie {
    pub(super) fn new(name: String, secret: &str) -> Self {
        LegacyCookie {
            reader: Arc::new(UnauthenticatedDolabReader::new(&name, secret)),
            has_secret: !secret.is_empty(),
            max_age: None,
            name,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn limit_age(&mut self, max_age: Duration) {
        self.max_age = Some(max_age);
    }

    /// Refuses an empty secret, and the name of the store's own cookie.
    pub(super) fn check(&self, own_name: &str) -> Result<(), Error> {
        if !self.has_secret {
            return Err(Error::usage(
                "the secret of the old cookie is empty: use the Go program's CookieSecret",
            ));
        }
        if self.name == own_name {
            return Err(Error::usage(format!(
                "the old cookie and the new one are both named {own_name}: give the new one another \
                 name with CookieOptions::name"
            )));
        }
        Ok(())
    }

    /// Reads the ID, which proves nothing.
    pub(super) fn open(&self, cookie: &str, now: UnixTime) -> Result<OpenedId, Refusal> {
        let forgeable = self.reader.read(cookie);
        let gob = forgeable.map_err(|_| Refusal::NotValid)?;
        let gob = Value::from_slice(&gob.into_unproven_bytes());
        let Ok(Value::Composite(cookie)) = gob else {
            return Err(Refusal::NotValid);
        };
        let set_at = cookie.field("Ctime").and_then(Time::of).and_then(unix_time);
        if self.is_too_old(set_at, now) {
            return Err(Refusal::Expired);
        }
        let id = cookie.field("Value").and_then(Value::as_string);
        match id.and_then(|id| id.to_str()) {
            Some(id) if is_hex_id(id) => Ok(OpenedId {
                id: Id::new(id),
                sealed_at: now,
                is_stale: true,
            }),
            _ => Err(Refusal::NotValid),
        }
    }

    /// Returns whether a cookie that Go set then is too old. A cookie without a time has Go's zero
    /// time.
    fn is_too_old(&self, set_at: Option<UnixTime>, now: UnixTime) -> bool {
        let set_at = set_at.unwrap_or(UnixTime::from_secs(0));
        self.max_age
            .is_some_and(|max_age| now.saturating_duration_since(set_at) > max_age)
    }
}
