//! [`Draft`]: a serde value that is to become what an interface holds, before its Go type
//! is chosen.

use serde::Serialize;

use super::decode::check;
use super::fit::Fit;
use super::registered::Audience;
use super::schema::Writer;
use super::ser::{DEEPEST, tree_of};
use super::tree::Tree;
use super::{Error, Interface, Value};

/// The depth for formats that read no deeper than that themselves.
#[cfg(feature = "session")]
const DEEPEST_PLAIN: usize = 100;

/// A serde value, as it came. The same draft can be put in several places.
pub(crate) struct Draft(Tree);

impl Draft {
    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let tree = tree_of(value, DEEPEST)?;
        tree.check_names()?;
        Ok(Draft(tree))
    }

    /// With structs as maps, and of what every format has: see [`Tree::into_plain`].
    #[cfg(feature = "session")]
    pub(crate) fn plain<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let tree = tree_of(value, DEEPEST_PLAIN)?;
        tree.check_names()?;
        tree.to_maps().into_plain().map(Draft)
    }

    /// What an interface holds where none was before. For a Go program that knows only so
    /// many types it is one of those, where one can be found.
    pub(crate) fn interface(&self, audience: Audience<'_>) -> Result<Interface, Error> {
        Writer::for_audience(audience).write_interface(&self.0)
    }

    /// The same of the Go type that `there` has; `None` if it does not fit. Of a Go struct
    /// the fields that the value does not name stay as they are, or become zero.
    pub(crate) fn fitted(
        &self,
        there: &Interface,
        audience: Audience<'_>,
        keeps_fields: bool,
    ) -> Result<Option<Interface>, Error> {
        let fitted = Fit::new(audience, keeps_fields).interface(&self.0, there)?;
        // A basic value was found to be what the name says.
        if let Some(fitted) = fitted.as_ref().filter(|fitted| is_composite(fitted)) {
            check(&Value::Interface(fitted.clone()))?;
        }
        Ok(fitted)
    }
}

fn is_composite(interface: &Interface) -> bool {
    matches!(interface.value(), Some(Value::Composite(_)))
}
