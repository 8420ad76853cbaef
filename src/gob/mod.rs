//! Go's `encoding/gob`, the serializer gorilla uses by default: a lossless
//! [`Value`], and serde types by Go's rules. It uses std and serde only, and knows
//! nothing of cookies.
//!
//! | file | what lives there |
//! |---|---|
//! | `value.rs`, `go_string.rs`, `build.rs` | [`Value`]: any gob value; values made here |
//! | `self_encoded.rs`, `time.rs` | [`SelfEncoded`]: values of Go types that encode themselves; [`Time`]: what is in a `time.Time` |
//! | `types.rs` | [`Type`]: what a message says of its types |
//! | `decode.rs`, `define.rs`, `encode.rs`, `wire.rs` | bytes to value, and back |
//! | `registered.rs` | the names Go's own types are registered with, and which names a program knows |
//! | `ser.rs`, `tree.rs`, `schema.rs`, `de.rs`, `zero.rs` | serde types: [`to_vec`], [`from_slice`] |
//! | `newtypes.rs` | what serde has no word for: [`Int`], [`as_time`], [`as_uuid`] |
//! | `draft.rs`, `fit.rs` | a serde value in place of a Go value: [`to_interface_like`] |
//! | `flat.rs`, `keyed.rs` | a session's map as its bytes, and with an index, private (feature `session`) |
//! | `string.rs` | a lone string, as gorilla's server stores seal an ID |
//!
//! # Change one key of a Go session
//!
//! Structs, pointers and types that encode themselves, which this program does not
//! know, stay as they were:
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
//! | `Vec<T>`, sets | `[]T`; `[]interface {}` where elements differ or some are `None` |
//! | `[T; N]`, tuples of one type | `[N]T`; other tuples `[]interface {}` |
//! | maps | `map[K]V`; interfaces where keys or values differ |
//! | structs | a struct of that name (`#[serde(rename = "pkg.Name")]`), fields by name |
//! | `Option` | a pointer: `None` is left out of a struct |
//! | enums | the variant's name as a string; with content, a map from it |
//!
//! As in Go, a struct's zero fields are not sent, a field that is not there is
//! zero, an unknown one is skipped, and a number that does not fit is an error. So
//! `Some(0)` in a struct comes back as `None`, as a pointer to zero does in Go.
//!
//! serde shows values, and not the types of what is empty. An empty map or list in
//! a struct is left out, which Go reads as nil; where one must be sent (in a list, or
//! alone) it is of interfaces, and a Go type that wants others refuses it.
//!
//! In an interface, a map with string keys is sent as `map[string]interface {}`, and
//! a list or array of anything but one basic type as `[]interface {}`, which Go programs
//! register; bytes are `[]byte`, and other lists of one basic type are `[]string`,
//! `[]int64` and so on. Go decodes an interface only if it holds a type that the program
//! [registered](is_registered_by_go), and asserts on the width the name says: `7_isize` is
//! Go's `int`. [`to_interface_like`] keeps the type that is there.
//!
//! Go types that encode themselves are made with [`SelfEncoded`] and [`Time`], or written by
//! serde with [`as_time`] and [`as_uuid`]; Go's `int` is [`Int`].
//!
//! # Strictness
//!
//! What Go writes is read; what Go refuses, or accepts and never writes, is refused:
//! integers in a longer form, bytes after the value, several kinds of one type, map
//! keys Go cannot hash (and pointers to such, which the wire does not tell apart). Values may be nested 2,300 deep and a message may define
//! 1,000 types. A [`Value`] takes 128 bytes of memory at most for each byte of the input, and
//! 64 KiB besides, while it is read and dropped: most of that for lists in lists, of which each
//! has one byte.

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
pub use ser::{to_interface, to_interface_like, to_value};
pub use string::{string_from_slice, string_to_vec};
pub use time::Time;
pub use types::{Defined, SelfEncoder, Shape, Type};
pub use value::{Composite, Interface, Value};

#[cfg(test)]
thread_local! {
    /// How many keys were looked at, one by one, to find one.
    pub(crate) static LOOKED_AT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Writes any `Serialize` as the gob that Go sends for a type of that shape.
///
/// # Errors
/// As [`to_value`].
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
/// As [`Value::from_slice`] and [`from_value`].
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
