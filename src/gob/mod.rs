//! Go's `encoding/gob`, gorilla's default serializer: a lossless [`Value`], and conversions
//! of serde types by Go's rules.
//!
//! This module uses only std and serde, and does not depend on cookies.
//!
//! # Change one key of a Go session
//!
//! All other values stay unchanged, even structs, pointers and self-encoding types that this
//! program does not know:
//!
//! ```
//! use silverback::gob::{Value, from_value};
//!
//! # let from_go = Value::map_of_interfaces([("visits", 7_isize.into()), ("user", "ape".into())]).to_vec();
//! let Value::Composite(mut session) = Value::from_slice(&from_go)? else { panic!("a session is a map") };
//! let visits: i64 = session.get("visits").map(from_value).transpose()?.unwrap_or_default();
//! session.insert("visits", (visits + 1).into())?;
//! let for_go = Value::Composite(session).to_vec();
//! # let again = Value::from_slice(&for_go)?;
//! # let Value::Composite(again) = again else { panic!() };
//! # assert_eq!(from_value::<i64>(again.get("visits").unwrap())?, 8);
//! # assert_eq!(from_value::<String>(again.get("user").unwrap())?, "ape");
//! # Ok::<(), silverback::gob::Error>(())
//! ```
//!
//! # Serde types
//!
//! | Rust | Go |
//! |---|---|
//! | `bool`, integers to 64 bits, floats, `String`, `char` | `bool`, `intN`, `uintN`, `floatN`, `string` |
//! | `Vec<u8>`, bytes | `[]byte` |
//! | `Vec<T>`, sets | `[]T`; `[]interface {}` if elements differ or some are `None` |
//! | `[T; N]`, tuples of one type | `[N]T`; other tuples `[]interface {}` |
//! | maps | `map[K]V`; interfaces if keys or values differ |
//! | structs | a struct of that name (`#[serde(rename = "pkg.Name")]`), fields by name |
//! | `Option` | a pointer: `None` is left out of a struct |
//! | enums | the variant's name as a string; with content, a map from the name to it |
//!
//! As in Go, the zero fields of a struct are not sent. On reading, a missing field is zero, an
//! unknown field is skipped, and a number that does not fit is an error. Therefore `Some(0)`
//! in a struct is read back as `None`, as a pointer to zero is in Go.
//!
//! serde does not show the element type of an empty list or map. If one is in a struct, its
//! field is left out, and Go reads it as nil. If one is an element or stands alone, it is sent
//! with interfaces as elements, and a Go type with other elements refuses it.
//!
//! In an interface, a map with string keys is sent as `map[string]interface {}`, bytes as
//! `[]byte`, and a list of one basic type as `[]string`, `[]int64` and so on. Every other list
//! or array is sent as `[]interface {}`. Go decodes an interface only if the program has
//! [registered](is_registered_by_go) the type in it, and Go code asserts on the exact type:
//! `7_isize` is Go's `int`. [`to_interface_like`] keeps the type of an existing value.
//!
//! For Go types that encode themselves, use [`SelfEncoded`] and [`Time`], or serde with
//! [`as_time`] and [`as_uuid`]. For Go's `int`, use [`Int`].
//!
//! # Strictness
//!
//! Everything that Go writes is read. Everything that Go refuses is refused, and also input
//! that Go accepts but never writes: integers in a longer form, bytes after the value, a type
//! of several kinds, and map keys that Go cannot hash (or pointers to them, which look the same
//! on the wire). Values may be nested 2,300 deep, and a message may define 1,000 types.
//!
//! Reading and dropping a [`Value`] takes at most 128 bytes of memory for each byte of the input,
//! plus 64 KiB: one byte can be a whole value, such as an empty list.
//!
//! # Source files
//!
//! | file | contents |
//! |---|---|
//! | `value.rs`, `go_string.rs`, `build.rs` | [`Value`]: any gob value, and constructors |
//! | `self_encoded.rs`, `time.rs` | [`SelfEncoded`]: values of Go types that encode themselves; [`Time`]: the content of a `time.Time` |
//! | `types.rs` | [`Type`]: the types that a message defines |
//! | `decode.rs`, `define.rs`, `encode.rs`, `wire.rs` | bytes to values, and back |
//! | `registered.rs` | the registered names of Go's types, and the types that a program knows |
//! | `ser.rs`, `tree.rs`, `schema.rs`, `de.rs`, `zero.rs` | serde types: [`to_vec`], [`from_slice`] |
//! | `newtypes.rs` | Go types that serde lacks: [`Int`], [`as_time`], [`as_uuid`] |
//! | `draft.rs`, `fit.rs` | serde values in interfaces: [`to_interface`], and [`to_interface_like`] for one that replaces a Go value |
//! | `flat.rs`, `keyed.rs` | a session's map as bytes, and with an index, private (feature `session`) |
//! | `string.rs` | a string at the top level, as gorilla's server stores seal an ID |

use serde::Serialize;
use serde::de::DeserializeOwned;

mod build;
mod de;
mod decode;
mod define;
mod draft;
mod encode;
mod error;
mod fit;
#[cfg(feature = "session")]
mod flat;
mod go_string;
#[cfg(feature = "session")]
mod keyed;
mod newtypes;
mod registered;
mod schema;
mod self_encoded;
mod ser;
mod string;
mod time;
mod tree;
mod types;
mod value;
mod wire;
mod zero;

pub use de::from_value;
#[cfg(feature = "session")]
pub(crate) use draft::Draft;
pub use draft::{to_interface, to_interface_like};
pub use error::Error;
#[cfg(feature = "session")]
pub(crate) use flat::FlatMap;
pub use go_string::GoString;
#[cfg(feature = "session")]
pub(crate) use keyed::KeyedMap;
pub use newtypes::{Int, as_time, as_uuid};
pub use registered::is_registered_by_go;
#[cfg(feature = "session")]
pub(crate) use registered::{Audience, KnownTypes};
pub use self_encoded::SelfEncoded;
pub use ser::to_value;
pub use string::{string_from_slice, string_to_vec};
pub use time::Time;
pub use types::{Defined, SelfEncoder, Shape, Type};
#[cfg(all(test, feature = "session"))]
pub(crate) use value::KEYS_COMPARED;
pub use value::{Composite, Interface, Value};

/// Writes any `Serialize` as the gob that Go sends for the corresponding type.
///
/// # Errors
/// Returns the errors of [`to_value`].
///
/// ```
/// let bytes = silverback::gob::to_vec(&7_i64)?;
/// assert_eq!(bytes, [3, 4, 0, 14]);
/// # Ok::<(), silverback::gob::Error>(())
/// ```
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    Ok(to_value(value)?.to_vec())
}

/// Reads gob into any `Deserialize`.
///
/// # Errors
/// Returns the errors of [`Value::from_slice`] and [`from_value`].
///
/// ```
/// #[derive(serde::Serialize, serde::Deserialize)]
/// #[serde(rename = "web.User", rename_all = "PascalCase")]
/// struct User { name: String, visits: u32 }
///
/// let bytes = silverback::gob::to_vec(&User { name: "ape".into(), visits: 0 })?;
/// let user: User = silverback::gob::from_slice(&bytes)?;
/// assert_eq!((&*user.name, user.visits), ("ape", 0));
/// # Ok::<(), silverback::gob::Error>(())
/// ```
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    from_value(&Value::from_slice(bytes)?)
}
