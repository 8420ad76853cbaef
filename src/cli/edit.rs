//! `silverback edit`: some keys of a cookie's map change, all else stays.

use std::fmt;

use clap::Args;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use silverback::codec::{Codec, Error};
use silverback::gob::Value;

use super::cookies::Cookies;
use super::settings::{Format, Opening, OpeningHash};
use super::{Failure, edit_gob, gob, like, picture, tell};

/// Change keys of a cookie that holds a map; print it sealed again.
///
/// All else stays as it was: with gob also the values of types this program does
/// not know, and the cookie's date in any case.
///
/// With gob, a value that is set keeps the Go type that is there if the JSON fits it, in the
/// form that `decode` prints: base64 for bytes, RFC 3339 for a time. If it does not fit, the
/// new type is reported on standard error. A new key holds int, uint64, float64, string, bool,
/// []interface {} or map[string]interface {}, or the TYPE that is named: a basic type (int8,
/// float32 ..), a slice of one ([]string ..), time.Time, time.Duration,
/// github.com/google/uuid.UUID, [16]uint8, []interface {} or map[string]interface {}.
///
/// A KEY that is no string is named as `decode` prints it, or with its type: 5, or int(5).
#[derive(Args)]
pub(super) struct Edit {
    #[command(flatten)]
    opening: Opening,

    /// Set a key to a JSON value; what follows the last colon of a key is its type, if it is one
    #[arg(long, value_name = "KEY[:TYPE]=JSON")]
    set: Vec<String>,

    /// Remove a key
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,

    #[command(flatten)]
    cookies: Cookies,
}

/// The changes, in the order of the options: first what is set, then what is not.
struct Changes<'a> {
    set: Vec<Set<'a>>,
    unset: &'a [String],
}

struct Set<'a> {
    key: &'a str,
    /// The name of the Go type, if one is given.
    of: Option<&'a str>,
    json: Json,
}

impl Edit {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let Opening {
            frame, hash, clock, ..
        } = &self.opening;
        if *hash == OpeningHash::Sha1 {
            return Err(Failure::usage("SHA-1 opens only; reseal the cookie first"));
        }
        let changes = Changes {
            set: self
                .set
                .iter()
                .map(|set| parse_set(set))
                .collect::<Result<_, _>>()?,
            unset: &self.unset,
        };
        let hash = (*hash).into();
        let keys = self.opening.keys()?;
        let codecs = self.opening.codecs(keys.pairs.clone(), hash)?;
        let now = clock.now();
        let answer = |cookie: &str| {
            let opened = codecs.open_at(&frame.name, cookie, now)?;
            let edited = changes.apply(frame.serializer, opened.value())?;
            codecs.seal_at(&frame.name, &edited, opened.issued_at())
        };
        let hint = |cookie: &str| self.opening.hint(&keys, &[hash], cookie);
        self.cookies.answer(answer, hint)
    }
}

fn parse_set(set: &str) -> Result<Set<'_>, Failure> {
    let (key, json) = set
        .split_once('=')
        .ok_or_else(|| Failure::usage("--set takes KEY=JSON or KEY:TYPE=JSON"))?;
    let typed = key
        .rsplit_once(':')
        .filter(|(_, of)| like::of_type(of).is_some());
    let (key, of) = typed.map_or((key, None), |(key, of)| (key, Some(of)));
    let json = gob::parse(json)
        .map_err(|error| Failure::usage(format!("the value set for {key} is no JSON: {error}")))?;
    Ok(Set { key, of, json })
}

impl Changes<'_> {
    /// The payload with its map changed.
    fn apply(&self, format: Format, payload: &[u8]) -> Result<Vec<u8>, Error> {
        match format {
            Format::Gob => self.apply_to_gob(payload),
            Format::Raw => Err(Error::usage("raw bytes are no map")),
            Format::Json | Format::Bincode => {
                let document = picture::picture(format, payload)?;
                picture::serialize(format, self.apply_to_json(&document)?)
            }
        }
    }

    fn apply_to_gob(&self, payload: &[u8]) -> Result<Vec<u8>, Error> {
        let no_map = || Error::usage("the cookie holds no map");
        let value = Value::from_slice(payload);
        let value = value.map_err(|_| Error::not_valid_though_authentic())?;
        let Value::Composite(mut map) = value else {
            return Err(no_map());
        };
        if !map.is_map() {
            return Err(no_map());
        }
        for Set { key, of, json } in &self.set {
            edit_gob::set(&mut map, key, *of, json)?;
        }
        for key in self.unset {
            edit_gob::unset(&mut map, key)?;
        }
        Ok(Value::Composite(map).to_vec())
    }

    fn apply_to_json(&self, document: &str) -> Result<String, Error> {
        let Entries(mut entries) =
            serde_json::from_str(document).map_err(|_| Error::usage("the cookie holds no map"))?;
        for Set { key, of, json } in &self.set {
            if of.is_some() {
                return Err(Error::usage(
                    "only gob has Go types; leave the type of the key out",
                ));
            }
            let value = RawValue::from_string(json.to_string())
                .map_err(|_| Error::internal("JSON that was read is none"))?;
            // Of a key that is there twice the last one counts.
            match entries.iter_mut().rfind(|(of, _)| of == key) {
                Some((_, there)) => *there = value,
                None => entries.push(((*key).to_owned(), value)),
            }
        }
        for key in self.unset {
            if !entries.iter().any(|(of, _)| of == key) {
                tell(format_args!("silverback: there is no key {key:?}"));
            }
        }
        entries.retain(|(key, _)| !self.unset.contains(key));
        let entries: Vec<String> = entries
            .iter()
            .map(|(key, value)| format!("{}:{value}", Json::from(key.as_str())))
            .collect();
        Ok(format!("{{{}}}", entries.join(",")))
    }
}

/// The entries of a JSON object in their order, each value as it was written.
struct Entries(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
