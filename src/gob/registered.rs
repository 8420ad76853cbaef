//! The registered names of Go's basic types. A name gives the width of a number, which the wire
//! type does not.
//!
//! Source: Go's `encoding/gob`, `type.go`, `registerBasics`.

use std::collections::BTreeSet;

use super::types::Shape;
use super::{Error, GoString, Interface, Type, Value};

/// Returns whether every Go program knows the type registered as `name`.
///
/// `encoding/gob` itself registers the basic types and slices of them, and no other types.
///
/// ```
/// use silverback::gob::is_registered_by_go;
///
/// assert!(is_registered_by_go("int8") && is_registered_by_go("[]string"));
/// assert!(!is_registered_by_go("[]interface {}") && !is_registered_by_go("time.Time"));
/// ```
#[must_use]
pub fn is_registered_by_go(name: &str) -> bool {
    // Go registers `[]byte` as `[]uint8`.
    let of = name.strip_prefix("[]").unwrap_or(name);
    basic(of).is_some_and(|of| of != Basic::Bytes) || name == "[]uint8"
}

/// The readers of the gob that is written for serde values.
#[derive(Clone, Copy, Default)]
pub(crate) enum Audience<'k> {
    /// Any Go program. The types that it knows are not considered.
    #[default]
    Any,
    /// A Go program that knows these types.
    #[cfg_attr(not(feature = "session"), allow(dead_code))] // only sessions know their readers
    Go(&'k KnownTypes),
    /// Only this crate. Structs are written as maps of all their fields, so that `Some` of a
    /// zero and `None` stay different.
    #[cfg(feature = "session")]
    Own,
}

impl<'k> Audience<'k> {
    pub(super) fn known(self) -> Option<&'k KnownTypes> {
        match self {
            Audience::Go(known) => Some(known),
            _ => None,
        }
    }
}

/// The registered names of the types that the reading Go program knows.
#[derive(Clone, Debug, Default)]
#[cfg_attr(not(feature = "session"), allow(dead_code))] // only sessions know their readers
pub(crate) struct KnownTypes(BTreeSet<String>);

impl KnownTypes {
    pub(crate) fn has(&self, name: &str) -> bool {
        is_registered_by_go(name) || self.0.contains(name)
    }

    /// Returns the first name in `interface`, at any depth, that the program does not know.
    #[cfg(feature = "session")]
    pub(crate) fn first_unknown(&self, interface: &Interface) -> Option<String> {
        let is_known = |name: &GoString| name.to_str().is_some_and(|name| self.has(name));
        let unknown = interface.registered_names().find(|name| !is_known(name))?;
        Some(unknown.to_string_lossy().into_owned())
    }
}

impl<N: Into<String>> Extend<N> for KnownTypes {
    fn extend<I: IntoIterator<Item = N>>(&mut self, names: I) {
        self.0.extend(names.into_iter().map(Into::into));
    }
}

/// A basic type of Go's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Basic {
    Bool,
    /// A signed integer with this number of bits.
    Int(u32),
    /// An unsigned integer with this number of bits.
    Uint(u32),
    /// A float with this number of bits.
    Float(u32),
    /// A complex number. Each of its two parts has this number of bits.
    Complex(u32),
    String,
    Bytes,
}

pub(super) fn basic(name: &str) -> Option<Basic> {
    Some(match name {
        "bool" => Basic::Bool,
        "int" | "int64" => Basic::Int(64),
        "int32" => Basic::Int(32),
        "int16" => Basic::Int(16),
        "int8" => Basic::Int(8),
        "uint" | "uint64" | "uintptr" => Basic::Uint(64),
        "uint32" => Basic::Uint(32),
        "uint16" => Basic::Uint(16),
        "uint8" => Basic::Uint(8),
        "float64" => Basic::Float(64),
        "float32" => Basic::Float(32),
        "complex128" => Basic::Complex(64),
        "complex64" => Basic::Complex(32),
        "string" => Basic::String,
        "[]uint8" | "[]byte" => Basic::Bytes,
        _ => return None,
    })
}

/// Returns a registered name as a string, which takes no memory if the name is a common one.
pub(super) fn name(bytes: &[u8]) -> GoString {
    const COMMON: [&str; 12] = [
        "string",
        "int",
        "int64",
        "bool",
        "float64",
        "time.Time",
        "uint",
        "int32",
        "[]uint8",
        "[]string",
        "[]interface {}",
        "map[string]interface {}",
    ];
    let common = COMMON.into_iter().find(|common| common.as_bytes() == bytes);
    common.map_or_else(|| bytes.into(), GoString::from_static)
}

impl Basic {
    pub(super) fn has_type(self, of: &Type) -> bool {
        let own = match self {
            Basic::Bool => Type::Bool,
            Basic::Int(_) => Type::Int,
            Basic::Uint(_) => Type::Uint,
            Basic::Float(_) => Type::Float,
            Basic::Complex(_) => Type::Complex,
            Basic::String => Type::String,
            Basic::Bytes => Type::Bytes,
        };
        *of == own
    }

    /// Returns whether the type can hold the value without changing it.
    pub(super) fn holds_exactly(self, value: &Value) -> bool {
        let is_single = |float: f64| float.is_nan() || f64::from(float as f32) == float;
        let is_exact = match (self, value) {
            (Basic::Float(32), Value::Float(float)) => is_single(*float),
            (Basic::Complex(32), Value::Complex(re, im)) => is_single(*re) && is_single(*im),
            _ => true,
        };
        is_exact && self.has_type(&value.value_type()) && self.holds(value)
    }

    /// Returns whether a value of the right kind fits the type's width.
    pub(super) fn holds(self, value: &Value) -> bool {
        match (self, value) {
            (Basic::Int(bits), Value::Int(int)) => {
                let unused = 64 - bits;
                int << unused >> unused == *int
            }
            (Basic::Uint(bits), Value::Uint(uint)) => {
                let unused = 64 - bits;
                uint << unused >> unused == *uint
            }
            (Basic::Float(32), Value::Float(float)) => fits_f32(*float),
            (Basic::Complex(32), Value::Complex(re, im)) => fits_f32(*re) && fits_f32(*im),
            _ => true,
        }
    }
}

/// Returns whether Go accepts the number as a `float32`: an infinity, NaN, or a finite number up
/// to the largest `float32`.
pub(super) fn fits_f32(float: f64) -> bool {
    !float.is_finite() || float.abs() <= f64::from(f32::MAX)
}

/// Refuses an interface with a registered name of Go's that does not match the value's type.
pub(super) fn check(interface: &Interface) -> Result<(), Error> {
    let (Some(name), Some(value)) = (interface.name().to_str(), interface.value()) else {
        return Ok(());
    };
    let mismatch = Error::new("a registered name and the type of its value differ");
    if let Some(of) = basic(name) {
        return match of.has_type(&value.value_type()) {
            true if of.holds(value) => Ok(()),
            true => Err(Error::new("a number is too large for its type")),
            false => Err(mismatch),
        };
    }
    let Some(of) = name.strip_prefix("[]").and_then(basic) else {
        return Ok(());
    };
    let Value::Composite(slice) = value else {
        return Err(mismatch);
    };
    match slice.defined().shape() {
        Shape::Slice(element) if of.has_type(&element) => {}
        _ => return Err(mismatch),
    }
    match slice.elements().iter().all(|element| of.holds(element)) {
        true => Ok(()),
        false => Err(Error::new("a number is too large for its type")),
    }
}
