//! [`Draft`]: a serde value for an interface, before its Go type is chosen.

use serde::Serialize;

use super::decode::check;
use super::fit::Fit;
use super::registered::Audience;
use super::schema::TreeWriter;
use super::ser::{MAX_DEPTH, tree_of};
use super::tree::Tree;
use super::{Error, Interface, Value};

/// The deepest nesting for plain formats, which read no deeper themselves.
#[cfg(feature = "session")]
const MAX_PLAIN_DEPTH: usize = 100;

/// Converts any `Serialize` to an interface, with the name under which Go registers the
/// corresponding type.
///
/// Use it for a new value. To replace an existing value, use [`to_interface_like`].
///
/// # Errors
/// Returns the errors of [`to_value`](super::to_value), except that `None` and unit become the nil interface.
///
/// ```
/// let interface = silverback::gob::to_interface(&["ape", "gorilla"].as_slice())?;
/// assert_eq!(*interface.name(), *"[]string");
/// # Ok::<(), silverback::gob::Error>(())
/// ```
pub fn to_interface<T: Serialize + ?Sized>(value: &T) -> Result<Interface, Error> {
    Draft::of(value)?.interface(Audience::Any)
}

/// Converts any `Serialize` to a value with the Go type and registered name of `existing`.
///
/// Returns `None` if the value does not fit that type. These values fit:
///
/// - an integer within the width that the name gives, and a `float32` without loss;
/// - a struct or map with the fields of the Go struct, and a list or map, if the values inside
///   fit;
/// - text of RFC 3339 for a `time.Time`, and the text or bytes of a UUID.
///
/// gob does not contain the width of a program's own type (`type Level int8`). Any integer fits
/// it here, and the Go program refuses one that is too large.
///
/// # Errors
/// Returns the errors of [`to_value`](super::to_value).
///
/// ```
/// use silverback::gob::{Interface, Value, to_interface_like};
///
/// let existing = Interface::of("time.Duration", Value::Int(7));
/// let hour = to_interface_like(&existing, &3_600_000_000_000_u64)?.expect("it fits");
/// assert_eq!(*hour.name(), *"time.Duration");
/// assert!(to_interface_like(&existing, "an hour")?.is_none());
/// # Ok::<(), silverback::gob::Error>(())
/// ```
pub fn to_interface_like<T: Serialize + ?Sized>(
    existing: &Interface,
    value: &T,
) -> Result<Option<Interface>, Error> {
    Draft::of(value)?.fitted(existing, Audience::Any, false)
}

/// A serialized serde value without a Go type. It can be written several times.
pub(crate) struct Draft(Tree);

impl Draft {
    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let tree = tree_of(value, MAX_DEPTH)?;
        tree.check_names()?;
        Ok(Draft(tree))
    }

    /// Creates a draft for any format: structs become maps, and values that only gob has are
    /// refused (see [`Tree::into_plain`]).
    #[cfg(feature = "session")]
    pub(crate) fn plain<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let tree = tree_of(value, MAX_PLAIN_DEPTH)?;
        tree.check_names()?;
        tree.to_maps().into_plain().map(Draft)
    }

    /// Returns the value in a new interface. If a Go program with known types reads it, the
    /// type is one of these if possible.
    pub(crate) fn interface(&self, audience: Audience<'_>) -> Result<Interface, Error> {
        TreeWriter::for_audience(audience).write_interface(&self.0)
    }

    /// Returns the value with the Go type of `existing`, or `None` if it does not fit.
    ///
    /// If `keeps_fields`, the fields of a Go struct that the value does not have stay
    /// unchanged; otherwise they become zero.
    pub(crate) fn fitted(
        &self,
        existing: &Interface,
        audience: Audience<'_>,
        keeps_fields: bool,
    ) -> Result<Option<Interface>, Error> {
        let fitted = Fit::new(audience, keeps_fields).interface(&self.0, existing)?;
        // A basic value was already compared with its registered name.
        if let Some(fitted) = fitted.as_ref().filter(|fitted| is_composite(fitted)) {
            check(&Value::Interface(fitted.clone()))?;
        }
        Ok(fitted)
    }
}

fn is_composite(interface: &Interface) -> bool {
    matches!(interface.value(), Some(Value::Composite(_)))
}
