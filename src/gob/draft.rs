//! [`Draft`]: a serde value for an interface, before its Go type is chosen.

use serde::Serialize;

use super::decode::check;
use super::fit::Fit;
use super::registered::Audience;
use super::schema::Writer;
use super::ser::{MAX_DEPTH, tree_of};
use super::tree::Tree;
use super::{Error, Interface, Value};

/// The deepest nesting for plain formats, which read no deeper themselves.
#[cfg(feature = "session")]
const MAX_PLAIN_DEPTH: usize = 100;

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
        Writer::for_audience(audience).write_interface(&self.0)
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
