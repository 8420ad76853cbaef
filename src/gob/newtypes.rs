//! Go types that serde's data model lacks: [`Int`], [`Time`] and [`SelfEncoded`] in serde
//! types, and [`as_time`] and [`as_uuid`] for types of other crates.
//!
//! Each is serialized as a newtype struct with a reserved name. The gob serializer knows the
//! name, and other formats write the content.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::self_encoded::uuid_bytes;
use super::tree::Tree;
use super::{Error, Interface, SelfEncoded, SelfEncoder, Time, Value};

// The reserved names of the newtype structs. No Rust type has such a name.
const INT: &str = "$gob::Int";
const SELF_ENCODED: &str = "$gob::SelfEncoded";
const TIME: &str = "$gob::Time";
const UUID: &str = "$gob::Uuid";

/// Serializes a slice as serde's bytes instead of a sequence.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl Serialize for SelfEncoded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_gob = self.encoder() == SelfEncoder::Gob;
        let parts = (self.name(), is_gob, Bytes(self.bytes()));
        serializer.serialize_newtype_struct(SELF_ENCODED, &parts)
    }
}

/// Writes a `time.Time` in gob, and text of RFC 3339 in other formats.
impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(TIME, &self.to_string())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Go's `int`. An `i64` is written as `int64`, a different type in Go. Other formats write the
/// number.
///
/// ```
/// use silverback::gob::{Int, to_interface};
///
/// assert_eq!(*to_interface(&7_i64)?.name(), *"int64");
/// assert_eq!(*to_interface(&Int(7))?.name(), *"int");
/// # Ok::<(), silverback::gob::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Int(pub i64);

impl Serialize for Int {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(INT, &self.0)
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(Int)
    }
}

/// Creates Go's `int`.
impl From<Int> for Interface {
    fn from(int: Int) -> Self {
        Interface::of("int", Value::Int(int.0))
    }
}

/// Returns the tree of a newtype struct: the Go type of a reserved name, or else the content.
pub(super) fn newtype(name: &str, content: Tree) -> Result<Tree, Error> {
    let encoded = match name {
        INT => {
            return match content {
                Tree::Basic(_, int) => Ok(Tree::Basic("int", int)),
                _ => Err(Error::new("an int is not a number")),
            };
        }
        TIME => {
            let text = content.text().ok_or(Error::new("a time is not text"))?;
            text.parse::<Time>()?.into()
        }
        UUID => {
            let bytes = content.text().and_then(uuid_bytes);
            let bytes = bytes.or_else(|| content.bytes()?.try_into().ok());
            SelfEncoded::uuid(bytes.ok_or(Error::new("a UUID is neither text nor 16 bytes"))?)
        }
        SELF_ENCODED => {
            let Tree::Tuple(parts) = &content else {
                return Err(Error::new("a self-encoder has unexpected parts"));
            };
            let [
                name,
                Tree::Basic(_, Value::Bool(is_gob)),
                Tree::Basic(_, Value::Bytes(bytes)),
            ] = &**parts
            else {
                return Err(Error::new("a self-encoder has unexpected parts"));
            };
            let by = if *is_gob {
                SelfEncoder::Gob
            } else {
                SelfEncoder::Binary
            };
            SelfEncoded::new(name.text().unwrap_or_default(), by, bytes.clone())?
        }
        _ => return Ok(content),
    };
    Ok(Tree::SelfEncoded(encoded))
}

/// Writes a field as Go's `time.Time` in gob, with `#[serde(with = "silverback::gob::as_time")]`.
///
/// The field's type must be one that serde writes as text of RFC 3339, such as chrono's
/// `DateTime`.
///
/// ```
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Visit {
///     #[serde(with = "silverback::gob::as_time")]
///     at: String, // or chrono::DateTime<Utc>
/// }
///
/// let visit = Visit { at: "2030-01-01T00:00:00Z".into() };
/// let value = silverback::gob::to_value(&visit)?;
/// let silverback::gob::Value::Composite(written) = &value else { panic!("a struct") };
/// assert!(silverback::gob::Time::of(written.field("at").unwrap()).is_some());
/// assert_eq!(silverback::gob::from_value::<Visit>(&value)?.at, visit.at);
/// # Ok::<(), silverback::gob::Error>(())
/// ```
pub mod as_time {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes `time` as a `time.Time`.
    ///
    /// # Errors
    /// Returns an error if serde does not write `time` as text of RFC 3339.
    pub fn serialize<T: Serialize, S: Serializer>(
        time: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(super::TIME, time)
    }

    /// Reads the field with the type's own `Deserialize`.
    ///
    /// # Errors
    /// Returns the errors of the type.
    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        T::deserialize(deserializer)
    }
}

/// Writes a field as google/uuid's `uuid.UUID` in gob, with
/// `#[serde(with = "silverback::gob::as_uuid")]`.
///
/// The field's type must be one that serde writes as a UUID's text or as 16 bytes, such as
/// `uuid::Uuid`.
///
/// ```
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Member {
///     #[serde(with = "silverback::gob::as_uuid")]
///     id: [u8; 16], // or uuid::Uuid
/// }
///
/// let value = silverback::gob::to_value(&Member { id: [7; 16] })?;
/// let silverback::gob::Value::Composite(written) = &value else { panic!("a struct") };
/// assert!(matches!(written.field("id"), Some(silverback::gob::Value::SelfEncoded(..))));
/// assert_eq!(silverback::gob::from_value::<Member>(&value)?.id, [7; 16]);
/// # Ok::<(), silverback::gob::Error>(())
/// ```
pub mod as_uuid {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes `uuid` as a `uuid.UUID` of github.com/google/uuid.
    ///
    /// # Errors
    /// Returns an error if serde writes neither a UUID's text nor 16 bytes.
    pub fn serialize<T: Serialize, S: Serializer>(
        uuid: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(super::UUID, uuid)
    }

    /// Reads the field with the type's own `Deserialize`.
    ///
    /// # Errors
    /// Returns the errors of the type.
    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        T::deserialize(deserializer)
    }
}
