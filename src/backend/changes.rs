//! [`Changes`]: reports of records that have changed, for programs that wait for the end of a
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
/// an interval. So a report that is lost only delays such a future.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use std::collections::HashSet;
/// use silverback::backend::{Change, Changes, Error, Key, Listener, async_trait};
/// use tokio::sync::broadcast::{Receiver, Sender};
///
/// /// The changes that this process makes.
/// struct InProcess(Sender<Change>);
///
/// #[async_trait]
/// impl Changes for InProcess {
///     async fn listen(&self) -> Result<Box<dyn Listener>, Error> {
///         Ok(Box::new(Subscribed(self.0.subscribe())))
///     }
///
///     async fn announce(&self, change: &Change) -> Result<(), Error> {
///         let _ = self.0.send(change.clone()); // it fails without a listener
///         Ok(())
///     }
/// }
///
/// struct Subscribed(Receiver<Change>);
///
/// #[async_trait]
/// impl Listener for Subscribed {
///     async fn listen_for(&mut self, _: &HashSet<Change>) -> Result<(), Error> {
///         Ok(()) // it gets all changes
///     }
///
///     async fn next(&mut self) -> Result<Change, Error> {
///         let change = self.0.recv().await;
///         change.map_err(|_| Error::unavailable("too many changes at once"))
///     }
/// }
///
/// let changes = InProcess(Sender::new(100));
/// let mut listener = changes.listen().await?;
/// let change = Change::Record(Key::new("some key")?);
/// listener.listen_for(&HashSet::from([change.clone()])).await?;
/// changes.announce(&change).await?;
/// assert_eq!(listener.next().await?, change);
/// # Ok::<(), Error>(())
/// # }).unwrap();
/// ```
#[async_trait]
pub trait Changes: Send + Sync {
    /// Begins to listen. The listener has a connection of its own, which closes when it is dropped.
    ///
    /// # Errors
    /// Returns an [unavailable](Error::is_unavailable) error if the server cannot be reached, or does
    /// not report changes to this user.
    async fn listen(&self) -> Result<Box<dyn Listener>, Error>;

    /// Announces a change that this program has made. A logout waits for it, so it needs a time limit.
    /// By default, does nothing: most servers notice changes by themselves.
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
    /// Listens for these changes, and no longer for others. The next change of each that begins after
    /// this call has returned is reported, unless the connection fails. Call it again for the change
    /// after that. Also checks that the connection is alive.
    ///
    /// # Errors
    /// Returns an error if the connection has failed: listen again.
    async fn listen_for(&mut self, wanted: &HashSet<Change>) -> Result<(), Error>;

    /// Waits for the next change. It may report a change several times, and other changes than those
    /// that were asked for. If the future is dropped, no change is lost.
    ///
    /// # Errors
    /// Returns an error if the connection has failed: listen again.
    async fn next(&mut self) -> Result<Change, Error>;
}
