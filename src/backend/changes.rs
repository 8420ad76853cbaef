//! [`Changes`]: notices of records that have changed, for programs that wait for the end of a
//! session.

use std::collections::HashSet;

use async_trait::async_trait;

use super::{Error, Key, OwnerName};

/// A change that a [`Listener`] reports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Change {
    /// The record under this key was written or removed, or has expired.
    Record(Key),
    /// Logins of this owner were revoked, or its record has changed in another way.
    Owner(OwnerName),
}

/// Reports changes of records as they happen, also those that other programs make.
///
/// A `ServerStore` listens while futures of `Session::ended` wait. It also looks at their sessions at
/// an interval. So a change that is not reported delays such a future, and does no more harm.
#[async_trait]
pub trait Changes: Send + Sync {
    /// Begins to listen. The listener has a connection of its own, which closes when it is dropped.
    ///
    /// # Errors
    /// Returns an [unavailable](Error::is_unavailable) error if the server cannot be reached, or does
    /// not report changes to this user.
    async fn listen(&self) -> Result<Box<dyn Listener>, Error>;

    /// Announces a change that this program has made. By default, does nothing: most servers notice
    /// changes by themselves.
    ///
    /// # Errors
    /// Returns an [unavailable](Error::is_unavailable) error if the change was not announced.
    async fn announce(&self, change: &Change) -> Result<(), Error> {
        let _ = change;
        Ok(())
    }
}

/// Waits for changes.
#[async_trait]
pub trait Listener: Send {
    /// Listens for these changes, and no longer for others. A change that begins after this call has
    /// returned is reported, unless the connection fails. Also checks that the connection is alive.
    ///
    /// # Errors
    /// Returns an error if the connection has failed: listen again.
    async fn listen_for(&mut self, wanted: &HashSet<Change>) -> Result<(), Error>;

    /// Waits for the next change. May report one that nobody wants, and one several times. If the
    /// future is dropped, no change is lost.
    ///
    /// # Errors
    /// Returns an error if the connection has failed: listen again.
    async fn next(&mut self) -> Result<Change, Error>;
}
