//! `silverback edit`: changes keys of the map in a cookie.

use std::fmt;

use clap::Args;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use silverback::codec::{Codec, Error};
use silverback::gob::Value;

use super::cookies::Cookies;
use super::failure::{Failure, report};
use super::payload::{self, Format};
use super::settings::{Opening, OpeningHash};
use super::{edit_gob, json_text, typed_json};

/// Change keys of a cookie that contains a map; print the cookie sealed again.
///
/// All other keys and the cookie's date stay unchanged. With gob, this includes values of types
/// that this program does not know.
///
/// With gob, a value that is set keeps the Go type of the existing value, if the JSON fits that
/// type in the form that `decode` prints: base64 for bytes, RFC 3339 for a time. If it does not
/// fit, the new type is reported on standard error. A new key gets the type int, uint64, float64,
/// string, bool, []interface {} or map[string]interface {}, or the given TYPE: a basic type
/// (int8, float32 ..), a slice of one ([]string ..), time.Time, time.Duration,
/// github.com/google/uuid.UUID, [16]uint8, []interface {} or map[string]interface {}.
///
/// To name a KEY that is not a string, write it as `decode` prints it, or with its type: 5, or
/// int(5).
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Edit {
    #[command(flatten)]
    opening: Opening,

    /// Set a key to a JSON value, of the TYPE after the last colon if that is a known type
    #[arg(long, value_name = "KEY[:TYPE]=JSON")]
    set: Vec<String>,

    /// Remove a key
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,

    #[command(flatten)]
    cookies: Cookies,
}

const AFTER_HELP: &str = "\
Example:
  export SILVERBACK_KEYS=$(silverback keygen)
  cookie=$(echo '{\"user\": \"ape\", \"visits\": 7}' | silverback encode --name sid)
  silverback edit --name sid --set visits=8 --set 'ids:[]int64=[1, 2]' --unset user \"$cookie\"";

/// The changes. Keys are set in the order of the options, and then keys are removed.
struct MapChanges<'a> {
    set: Vec<Set<'a>>,
    unset: &'a [String],
}

struct Set<'a> {
    key: &'a str,
    /// The name of the Go type, if the option gives one.
    of: Option<&'a str>,
    json: Json,
}

impl Edit {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let Opening {
            format,
            hash,
            clock,
            ..
        } = &self.opening;
        if *hash == OpeningHash::Sha1 {
            return Err(Failure::usage(
                "edit cannot seal with SHA-1: run `silverback reseal` on the cookie first",
            ));
        }
        let changes = MapChanges {
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
            let opened = codecs.open_at(&format.name, cookie, now)?;
            let edited = changes.apply(format.serializer, opened.value())?;
            let sealed = codecs.seal_at(&format.name, &edited, opened.issued_at())?;
            Ok(self.cookies.line_of(sealed))
        };
        let hint = |cookie: &str| self.opening.hint(&keys, &[hash], cookie);
        self.cookies.process(answer, hint)
    }
}

fn parse_set(set: &str) -> Result<Set<'_>, Failure> {
    let (key, json) = set
        .split_once('=')
        .ok_or_else(|| Failure::usage("--set takes KEY=JSON or KEY:TYPE=JSON"))?;
    let typed = key
        .rsplit_once(':')
        .filter(|(_, of)| typed_json::of_type(of).is_some());
    let (key, of) = typed.map_or((key, None), |(key, of)| (key, Some(of)));
    let json = json_text::parse(json)
        .map_err(|error| Failure::usage(format!("the value set for {key} is not JSON: {error}")))?;
    Ok(Set { key, of, json })
}

impl MapChanges<'_> {
    /// Returns the payload with its map changed.
    fn apply(&self, format: Format, payload: &[u8]) -> Result<Vec<u8>, Error> {
        match format {
            Format::Gob => self.apply_to_gob(payload),
            Format::Raw => Err(Error::usage(
                "raw bytes are not a map: use another --serializer",
            )),
            Format::Json | Format::Bincode => {
                let document = payload::to_json(format, payload)?;
                payload::from_json(format, self.apply_to_json(&document)?)
            }
        }
    }

    fn apply_to_gob(&self, payload: &[u8]) -> Result<Vec<u8>, Error> {
        let value = Value::from_slice(payload);
        let value = value.map_err(|_| Error::not_valid_though_authentic())?;
        let Value::Composite(mut map) = value else {
            return Err(not_a_map());
        };
        if !map.is_map() {
            return Err(not_a_map());
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
        let ObjectEntries(mut entries) = serde_json::from_str(document).map_err(|_| not_a_map())?;
        for Set { key, of, json } in &self.set {
            if of.is_some() {
                return Err(Error::usage(
                    "only gob has Go types: leave out the type of the key",
                ));
            }
            let value = RawValue::from_string(json.to_string())
                .map_err(|_| Error::internal("parsed JSON cannot be written"))?;
            // If a key occurs more than once, the last one counts.
            match entries.iter_mut().rfind(|(of, _)| of == key) {
                Some((_, existing)) => *existing = value,
                None => entries.push(((*key).to_owned(), value)),
            }
        }
        for key in self.unset {
            if !entries.iter().any(|(of, _)| of == key) {
                report(format_args!("silverback: the cookie has no key {key:?}"));
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

fn not_a_map() -> Error {
    Error::usage("the cookie does not contain a map, so it has no keys to edit")
}

/// The entries of a JSON object in their order, with the original text of each value.
struct ObjectEntries(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for ObjectEntries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = ObjectEntries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ObjectEntries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(ObjectEntries(entries))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
