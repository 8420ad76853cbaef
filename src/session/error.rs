//! [`Error`]: failures of sessions that the client did not cause.
//!
//! A refused cookie is not an error: it starts a new session, with a [`Refusal`](super::Refusal).
//! An error never holds a session's values.

use std::borrow::Cow;
use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::fault::Fault;
use crate::{backend, codec, gob};

/// The reason why a session could not be loaded, read, changed or saved. A clone is cheap.
///
/// Its text names the cause: `the session backend failed: the database does not answer: .. Connection
/// refused`. Therefore `source()` returns `None`, and error reports do not name the cause twice.
/// [`cause`](Error::cause) returns the error below.
///
/// ```
/// use silverback::session::{CookieOptions, Error};
///
/// let error: Error = CookieOptions::new().name("two words").unwrap_err();
/// assert!(error.is_usage());
/// ```
#[derive(Clone)]
pub struct Error(Fault<Kind>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Usage,
    WrongType,
    TooLarge,
    Unavailable,
    InDoubt,
    Closed,
    Gone {
        /// True if the owner's other sessions have ended nevertheless.
        has_revoked: bool,
    },
    Conflict,
    Overloaded,
    /// The request was dropped before its save began.
    CallerDropped,
    NotFresh,
    LevelTooLow,
    #[cfg(feature = "dbsc")]
    NotBound,
}

const GONE: &str = "the session has ended since this request loaded it: nothing was saved";

impl Error {
    fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Error(Fault::new(kind, message))
    }

    /// Creates an error for a request of the program that cannot be fulfilled. The message is one
    /// line and holds no secret.
    #[must_use]
    pub fn usage(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Kind::Usage, message)
    }

    /// Creates an error for a server that sessions need and that did not answer, or did not answer
    /// as expected.
    #[must_use]
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Kind::Unavailable, message)
    }

    pub(super) fn no_owners() -> Self {
        Error::usage("the backend has no owners: use a backend that has them (see Backend::owners)")
    }

    pub(super) fn closed() -> Self {
        let why = "the response has begun, and the session cannot be changed any more: change it \
                   earlier, or use Session::live";
        Error::new(Kind::Closed, why)
    }

    pub(super) fn ended() -> Self {
        let why = "the session has ended: in this request, only a login may follow";
        Error::new(Kind::Closed, why)
    }

    pub(super) fn gone() -> Self {
        Error::new(Kind::Gone { has_revoked: false }, GONE)
    }

    /// Creates a *gone* error for a request that has ended the owner's other sessions as asked.
    pub(super) fn gone_having_revoked() -> Self {
        Error::new(Kind::Gone { has_revoked: true }, GONE)
    }

    pub(super) fn has_revoked(&self) -> bool {
        self.0.kind() == Kind::Gone { has_revoked: true }
    }

    pub(super) fn moved() -> Self {
        let why = "another request gave the session a new ID before this request arrived with the \
                   old one: nothing was saved";
        Error::new(Kind::Gone { has_revoked: false }, why)
    }

    pub(super) fn ambiguous() -> Self {
        let why = "the request has several session cookies, and they are ambiguous: nothing was \
                   saved; try again, or log in";
        Error::new(Kind::Gone { has_revoked: false }, why)
    }

    pub(super) fn conflict() -> Self {
        let why = "concurrent requests kept renewing the session: nothing was saved; try again";
        Error::new(Kind::Conflict, why)
    }

    /// Creates the error for a save beyond the store's limit on saves in flight.
    pub(super) fn too_many_saves(limit: usize) -> Self {
        Error::new(
            Kind::Overloaded,
            format!(
                "the store has {limit} saves in flight, which is its limit: nothing was saved; try \
                 again later, or raise max_concurrent_saves"
            ),
        )
    }

    /// Creates the error for a request beyond the limit on requests that wait for one session.
    pub(super) fn too_many_waiting(limit: usize) -> Self {
        Error::new(
            Kind::Overloaded,
            format!(
                "{limit} requests wait to save this session, which is the limit for one session: \
                 nothing was saved; try again later, or raise max_concurrent_saves"
            ),
        )
    }

    /// Creates the error for a save that could not begin its write in time.
    pub(super) fn save_timed_out(timeout: Duration) -> Self {
        Error::new(
            Kind::Overloaded,
            format!(
                "the session could not be saved within {timeout:?}, because other saves of it came \
                 first: nothing was saved; try again later, or raise save_timeout"
            ),
        )
    }

    /// Creates the error for a request that was dropped before its save began. No caller reads it.
    pub(super) fn caller_dropped() -> Self {
        let why = "the request was dropped before its session's save began: nothing was saved";
        Error::new(Kind::CallerDropped, why)
    }

    /// Creates the error for a panic in the application's code.
    pub(super) fn change_panicked() -> Self {
        Error::usage(
            "a change of the session panicked when it was applied again, after another request had \
             saved the session: nothing was saved",
        )
    }

    pub(super) fn in_doubt() -> Self {
        let why = "the session may or may not have been saved";
        Error::new(Kind::InDoubt, why)
    }

    /// Converts an error of the backend.
    pub(crate) fn of_backend(error: backend::Error) -> Self {
        let kind = match () {
            () if error.is_usage() => Kind::Usage,
            () if error.is_too_large() => Kind::TooLarge,
            () if error.is_outcome_unknown() => Kind::InDoubt,
            () => Kind::Unavailable,
        };
        Error::new(kind, "the session backend failed").with_source(error)
    }

    pub(super) fn not_fresh() -> Self {
        Error::new(
            Kind::NotFresh,
            "the last login is too long ago, or missing: log in again",
        )
    }

    pub(super) fn level_too_low() -> Self {
        Error::new(
            Kind::LevelTooLow,
            "the login has too few kinds of factors: ask the user for another one",
        )
    }

    #[cfg(feature = "dbsc")]
    pub(super) fn not_bound() -> Self {
        Error::new(
            Kind::NotBound,
            "the request does not prove that it comes from the device of its session: repeat it after a \
             refresh of the bound cookie, or log in again",
        )
    }

    /// Names the key and the Rust type that was asked for, but never the value.
    pub(super) fn wrong_type(key: &str, wanted: &str, source: gob::Error) -> Self {
        let why = format!("the session's value under {key:?} cannot be read as {wanted}");
        Error::new(Kind::WrongType, why).with_source(source)
    }

    pub(super) fn no_flashes(key: &str) -> Self {
        let why = format!("the session's value under {key:?} is not a list of flashes");
        Error::new(Kind::WrongType, why)
    }

    pub(super) fn unwritable(key: &str, of: impl fmt::Display, source: gob::Error) -> Self {
        let why = format!("the session's value under {key:?}, of the type {of}, cannot be written");
        Error::usage(why).with_source(source)
    }

    /// Creates the error for a type because of which a Go program would refuse the whole session.
    pub(super) fn unknown_to_go(key: &str, name: &str) -> Self {
        Error::usage(format!(
            "the session's value under {key:?} has the Go type {name}, which the Go program that \
             reads the session may not know: call gob.Register there and add the type to \
             known_types, or insert values of basic types"
        ))
    }

    /// Converts an error of sealing.
    pub(crate) fn of_codec(error: codec::Error) -> Self {
        let kind = match () {
            () if error.is_too_long() => Kind::TooLarge,
            () if error.is_internal() => Kind::Unavailable,
            () => Kind::Usage,
        };
        let message = match kind {
            Kind::TooLarge => "the session does not fit its cookie",
            _ => "the session cannot be sealed",
        };
        Error::new(kind, message).with_source(error)
    }

    /// Converts an error of the keys that a store is made with.
    pub(super) fn of_keys(error: codec::Error) -> Self {
        Error::usage("the store's keys cannot be used").with_source(error)
    }

    /// Creates the error for a row that is larger than the store's own limit.
    pub(super) fn too_large_row(size: usize, most: usize) -> Self {
        let message = format!(
            "the session is too large: its row has {size} bytes; the limit is {most}; store less \
             in the session, or raise the dialect's max_row_size"
        );
        Error::new(Kind::TooLarge, message)
    }

    /// Converts an error of sealing a row, such as a row that is too long.
    pub(super) fn of_row_codec(error: codec::Error) -> Self {
        match error.is_too_long() {
            true => {
                let message = format!(
                    "the session does not fit its row: {error}; raise the codec's max_length in \
                     each program that uses the row, or store less in the session"
                );
                Error::new(Kind::TooLarge, message).with_source(error)
            }
            false => Error::of_codec(error),
        }
    }

    /// Adds the cause of the error. After a colon, the error's text then shows the text of `source`
    /// and of its own causes, in one line. These texts must hold no secret.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Error(self.0.with_cause(source))
    }

    /// Returns whether the program asked for something impossible: a bad option, a value that
    /// cannot be serialized, or an unknown session name.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        self.0.kind() == Kind::Usage
    }

    /// Returns whether the value under that key has another type than the caller asked for.
    #[must_use]
    pub fn is_wrong_type(&self) -> bool {
        self.0.kind() == Kind::WrongType
    }

    /// Returns whether the session does not fit its cookie or its record. The message gives both
    /// sizes.
    ///
    /// Loading also returns such an error if a Go program has written a row that is longer than the
    /// codec's `max_length` here. The client's cookie is good and must not be removed. The response
    /// is 500 until both sides have the same limit.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.0.kind() == Kind::TooLarge
    }

    /// Returns whether a server behind the sessions failed, or the system has no randomness. The
    /// client's cookie may be good and must not be removed. The response is 503.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self.0.kind(),
            Kind::Unavailable | Kind::InDoubt | Kind::Overloaded | Kind::CallerDropped
        )
    }

    /// Returns whether the store was too busy to save the session: its
    /// [`max_concurrent_saves`](super::ServerOptions::max_concurrent_saves) were in flight, a
    /// quarter of them waited for this session, or the
    /// [`save_timeout`](super::ServerOptions::save_timeout) passed. The session was not saved. The
    /// error also [is unavailable](Error::is_unavailable). The response is 503 with
    /// `Retry-After: 1`.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        self.0.kind() == Kind::Overloaded
    }

    /// Returns whether the request was dropped before its save began.
    pub(super) fn is_of_dropped_caller(&self) -> bool {
        self.0.kind() == Kind::CallerDropped
    }

    /// Returns whether the session's data cannot be written, so that every retry fails.
    pub(super) fn is_of_data(&self) -> bool {
        matches!(
            self.0.kind(),
            Kind::Usage | Kind::TooLarge | Kind::WrongType
        )
    }

    /// Returns whether a server did not answer a write, and a later read did not show whether the
    /// write was applied. The error also [is unavailable](Error::is_unavailable). The session then
    /// accepts no more changes in this request, since another save could apply all of them twice.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        self.0.kind() == Kind::InDoubt
    }

    /// Returns whether the session ended while the request ran: another request ended it or logged
    /// in. Also true if the request came with an ID that [has moved](super::Refusal::Moved), or
    /// with [ambiguous](super::Refusal::Ambiguous) cookies. Nothing was saved, and the response
    /// sets no cookie.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.0.kind(), Kind::Gone { .. })
    }

    /// Returns whether other requests renewed the session repeatedly while this request ran.
    /// Nothing was saved. A later retry may succeed.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.0.kind() == Kind::Conflict
    }

    /// Returns whether the session accepts no more changes: the head of the response has been sent,
    /// or the session was ended.
    #[must_use]
    #[doc(alias = "Closed")]
    pub fn is_closed(&self) -> bool {
        self.0.kind() == Kind::Closed
    }

    /// Returns whether [`require_fresh`](super::Session::require_fresh) demands a new login.
    #[must_use]
    pub fn is_not_fresh(&self) -> bool {
        self.0.kind() == Kind::NotFresh
    }

    /// Returns whether [`require_level`](super::Session::require_level) demands another factor.
    #[must_use]
    pub fn is_level_too_low(&self) -> bool {
        self.0.kind() == Kind::LevelTooLow
    }

    /// Returns whether a session needs the proof that the request comes from its device: see
    /// [`binding`](super::binding). The response is 403, with a challenge if the session has a key.
    #[cfg(feature = "dbsc")]
    #[must_use]
    pub fn is_not_bound(&self) -> bool {
        self.0.kind() == Kind::NotBound
    }

    /// Returns the HTTP status for an error that no handler has handled: 503 if a server [is
    /// unavailable](Error::is_unavailable), 409 for a [conflict](Error::is_conflict) or a session
    /// that [is gone](Error::is_gone), 403 if a login [is not fresh](Error::is_not_fresh) or its
    /// [level is too low](Error::is_level_too_low) or a session is not bound to its device, and 500
    /// otherwise.
    ///
    /// ```
    /// assert_eq!(silverback::session::Error::unavailable("no answer").status(), 503);
    /// ```
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.0.kind() {
            Kind::Unavailable | Kind::InDoubt | Kind::Overloaded | Kind::CallerDropped => 503,
            Kind::Conflict | Kind::Gone { .. } => 409,
            Kind::NotFresh | Kind::LevelTooLow => 403,
            #[cfg(feature = "dbsc")]
            Kind::NotBound => 403,
            _ => 500,
        }
    }
}

impl Error {
    /// Logs the error for the operator, since the response does not show it to the client.
    #[cfg(any(feature = "tower", feature = "actix"))]
    pub(crate) fn log(&self) {
        match self.0.kind() {
            // Any visitor can cause this error.
            Kind::NotFresh | Kind::LevelTooLow => {
                tracing::debug!(error = %self, "the session needs another proof of identity")
            }
            #[cfg(feature = "dbsc")]
            Kind::NotBound => tracing::debug!(error = %self, "the session is not bound"),
            Kind::Gone { .. } | Kind::Conflict => {
                tracing::info!(error = %self, "the session was not saved")
            }
            Kind::Overloaded => tracing::warn!(error = %self, "the session was not saved"),
            _ => tracing::error!(error = %self, "the session failed"),
        }
    }
}

impl Error {
    /// Returns the error of the backend or codec below, so that the caller can downcast it. Its
    /// text is already part of this error's text.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.cause()
    }
}

/// Names the backend as the place of the error.
impl From<backend::Error> for Error {
    fn from(error: backend::Error) -> Self {
        Error::of_backend(error)
    }
}

/// For conversions that cannot fail.
impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug(f, "session::Error")
    }
}

impl StdError for Error {}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// The text of the innermost cause of each error.
    const CAUSE: &str = "Connection refused (os error 111)";

    /// An error as sqlx and others define it: its text includes the cause, and `source()` returns
    /// it.
    #[derive(Debug)]
    struct Talks(io::Error);

    impl fmt::Display for Talks {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "error communicating with the server: {}", self.0)
        }
    }

    impl StdError for Talks {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    fn cause() -> Talks {
        Talks(io::Error::from_raw_os_error(111))
    }

    fn backend_errors() -> Vec<backend::Error> {
        use backend::Error;

        vec![
            Error::usage("a").with_source(cause()),
            Error::unavailable("b").with_source(cause()),
            Error::outcome_unknown("c").with_source(cause()),
            Error::corrupt("d").with_source(cause()),
            Error::too_large(2, 1).with_source(cause()),
            Error::unavailable("e").with_source(Error::unavailable("f").with_source(cause())),
        ]
    }

    fn codec_errors() -> Vec<codec::Error> {
        use codec::Error;

        vec![
            Error::usage("a").with_source(cause()),
            Error::internal("b").with_source(cause()),
        ]
    }

    fn session_errors() -> Vec<Error> {
        let of_backends = backend_errors().into_iter().map(Error::of_backend);
        let of_codecs = codec_errors().into_iter().map(Error::of_codec);
        let own = [
            Error::usage("a"),
            Error::unavailable("b"),
            Error::in_doubt(),
            Error::conflict(),
        ];
        let own = own.into_iter().map(|error| error.with_source(cause()));
        let in_doubt = backend_errors().into_iter().map(Error::of_backend);
        let in_doubt = in_doubt.map(|error| Error::in_doubt().with_source(error));
        of_backends
            .chain(of_codecs)
            .chain(own)
            .chain(in_doubt)
            .collect()
    }

    /// Lists an error and its sources, as printed by code that walks the sources.
    fn chain(error: &dyn StdError) -> Vec<String> {
        let mut chain = vec![error.to_string()];
        let mut next = error.source();
        while let Some(cause) = next {
            chain.push(cause.to_string());
            next = cause.source();
        }
        chain
    }

    /// The program prints the text of each error, and the log that of a session's.
    #[test]
    fn every_error_names_its_cause_once_in_one_line() {
        let mut walked = 0;
        let mut walk = |error: &dyn StdError| {
            let (text, chain) = (error.to_string(), chain(error).join(": "));
            assert!(text.ends_with(CAUSE), "{text}");
            assert_eq!(chain.matches(CAUSE).count(), 1, "{chain}");
            assert_eq!(format!("{error:?}").matches(CAUSE).count(), 1, "{error:?}");
            assert_eq!(text.lines().count(), 1, "{text}");
            walked += 1;
        };
        backend_errors().iter().for_each(|error| walk(error));
        codec_errors().iter().for_each(|error| walk(error));
        session_errors().iter().for_each(|error| walk(error));
        assert_eq!(walked, 6 + 2 + 18);
    }

    /// The text of a *not valid* error never names the cause. Its source is for the operator.
    #[test]
    fn a_refusal_names_no_cause() {
        let refused = codec::Error::not_valid_though_authentic().with_source(cause());
        assert_eq!(refused.to_string(), "not valid");
        assert!(refused.source().is_some());
    }
}
