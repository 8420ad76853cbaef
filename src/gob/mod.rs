//! Go's `encoding/gob`, the serializer gorilla uses by default.
//!
//! So far it holds strings, which is what a session ID travels as in gorilla's
//! server stores; the rest of gob comes next. This room uses std only, and knows
//! nothing of cookies.
//!
//! The wire, from the package documentation of Go's `encoding/gob`: a message is
//! its length and that many bytes; a string at the top level is the type id 6 (a
//! signed integer), a zero byte, because a value that is no struct is sent as a
//! lone field, the length, and the bytes, which need not be UTF-8.

use serde::Serialize;
use serde::de::DeserializeOwned;

mod build;
mod de;
mod decode;
mod encode;
mod error;
mod registered;
mod schema;
mod ser;
mod string;
mod time;
mod types;
mod value;
mod wire;

pub use de::from_value;
pub use error::Error;
pub use ser::to_value;
pub use string::{string_from_slice, string_to_vec};
pub use time::Time;
pub use types::{Defined, SelfEncoder, Shape, Type};
pub use value::{Composite, GoString, Interface, Value};

/// Writes any `Serialize` as the gob that Go sends for a type of that shape.
///
/// # Errors
/// As [`to_value`].
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    Ok(to_value(value)?.to_vec())
}

/// Reads gob into any `Deserialize`.
///
/// # Errors
/// As [`Value::from_slice`] and [`from_value`].
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    from_value(&Value::from_slice(bytes)?)
}
