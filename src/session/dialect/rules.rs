//! [`Rules`]: how a store of a dialect is made.

#[cfg(feature = "dbsc")]
use std::sync::Arc;

use crate::backend::Layout;
use crate::codec::Codec;

use super::super::data_model::DataModel;
use super::super::setup::Setup;
use super::super::{Error, Lifetime};
use super::row_format::RowFormat;

/// The rules by which a store of a dialect is made.
pub(in super::super) trait Rules {
    /// Returns the default lifetime of the dialect.
    fn default_lifetime(&self) -> Lifetime;

    /// Adapts a lifetime to the dialect.
    fn adapt(&self, lifetime: Lifetime) -> Lifetime {
        lifetime
    }

    /// Returns whether the limits of a session count from its last renewal.
    fn renewal_restarts(&self) -> bool {
        false
    }

    /// Returns whether rows of this layout are in the dialect.
    fn fits(&self, layout: Layout) -> bool;

    /// Returns the codec of the cookies, which the lifetime must suit, or `None` if nothing is
    /// sealed.
    fn codec(&self) -> Option<&dyn Codec>;

    /// Returns the codec that seals the texts of a device binding, if rows can keep a key.
    #[cfg(feature = "dbsc")]
    fn binding_codec(&self) -> Option<Arc<dyn Codec>> {
        None
    }

    /// Returns the name of a cookie in an old format of a Go package, which is only read. It opens
    /// sessions of clients that have no cookie of this store.
    fn legacy_cookie_name(&self) -> Option<&str> {
        None
    }

    /// Returns the most bytes that a row may have, or `None` for no limit of the dialect's own.
    fn max_row_size(&self) -> Option<usize> {
        None
    }

    /// Returns the data model of the sessions.
    fn model(&self) -> DataModel;

    /// Returns the format of the rows in that layout.
    fn format(&self, setup: &Setup, layout: Layout) -> Result<Box<dyn RowFormat>, Error>;
}
