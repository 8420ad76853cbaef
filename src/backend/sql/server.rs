//! [`Server`]: what the pool and the sender need to know about a server that is reached over a
//! network: how to open and check a connection, and the meaning of its errors.
//!
//! A server that sqlx reaches implements [`SqlxServer`](super::with_sqlx::SqlxServer) instead.

use std::error::Error;
use std::ops::DerefMut;

/// A server that is reached over a network, through the client crate that has its connections.
pub(super) trait Server: Sized + 'static {
    type Connection: Send + 'static;

    /// The options with which connections are opened.
    type Options: Clone + Send + Sync + 'static;

    /// The client crate's error.
    type Error: Error + Send + Sync + 'static;

    /// A pool of the caller.
    type Given: GivenPool<Self>;

    /// Returns options for connections that log no statements.
    fn without_log(options: Self::Options) -> Self::Options;

    /// Opens a connection.
    fn open(
        options: &Self::Options,
    ) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send;

    /// Checks that the server still answers on the connection.
    fn ping(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Returns the error of a statement that only reads, or was not sent.
    fn reading(error: Self::Error) -> crate::backend::Error;

    /// Returns the error of a write that was sent.
    fn writing(error: Self::Error) -> crate::backend::Error;

    /// Returns whether the connection is unusable after this error.
    fn ends_a_connection(error: &Self::Error) -> bool;
}

/// A pool that the caller opened, with the client crate's own type.
pub(super) trait GivenPool<S: Server>: Send + Sync + 'static {
    type Leased: DerefMut<Target = S::Connection> + Send;

    fn acquire(&self) -> impl Future<Output = Result<Self::Leased, S::Error>> + Send;

    fn connect_options(&self) -> S::Options;

    /// Turns the log of statements off for connections that are opened later.
    fn log_no_statements(&self);

    /// Closes the pool, and waits for the running operations.
    fn close(&self) -> impl Future<Output = ()> + Send;

    /// Closes the connection when its lease ends, instead of returning it to the pool.
    fn close_on_drop(leased: &mut Self::Leased);
}

/// The pool of a client crate without pools: no caller has one.
#[cfg(feature = "mssql")]
pub(super) enum NoPool {}

#[cfg(feature = "mssql")]
impl<S: Server> GivenPool<S> for NoPool {
    type Leased = Box<S::Connection>;

    async fn acquire(&self) -> Result<Box<S::Connection>, S::Error> {
        match *self {}
    }

    fn connect_options(&self) -> S::Options {
        match *self {}
    }

    fn log_no_statements(&self) {
        match *self {}
    }

    async fn close(&self) {
        match *self {}
    }

    fn close_on_drop(_: &mut Box<S::Connection>) {}
}
