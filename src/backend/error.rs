//! [`Error`]: the reason why a backend could not answer, or could not do what it was asked for.
//!
//! A record that is missing or has changed is an answer, not an error.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use crate::fault::Fault;

/// The reason why a backend gave no answer. Cloning it is cheap.
///
/// Its text names the cause: `the database does not answer: .. Connection refused`. Therefore
/// `source()` returns `None`, since it would repeat that text. [`cause`](Error::cause) returns the
/// error below.
///
/// ```
/// use silverback::backend::Error;
///
/// let error = Error::too_large(1_500_000, 1_048_576);
/// assert!(error.is_too_large());
/// assert_eq!(error.to_string(), "too large: the record has 1500000 bytes; the limit is 1048576");
/// ```
#[derive(Clone)]
pub struct Error(Fault<Kind>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Usage,
    Unavailable,
    OutcomeUnknown,
    TooLarge,
    Corrupt,
}

/// Constructors, for backends of your own.
impl Error {
    fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Error(Fault::new(kind, message))
    }

    /// Creates a usage error: the program asked for something impossible. The message must be one
    /// line and hold no secret.
    #[must_use]
    pub fn usage(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Kind::Usage, message)
    }

    /// Creates an unavailable error: the server gave no proper answer, and nothing was written.
    #[must_use]
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Kind::Unavailable, message)
    }

    /// Creates the error of a write that the server did not answer. The write may or may not have
    /// been applied.
    #[must_use]
    pub fn outcome_unknown(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Kind::OutcomeUnknown, message)
    }

    /// Creates the error of a record of `size` bytes if the server takes at most `limit`.
    #[must_use]
    pub fn too_large(size: usize, limit: usize) -> Self {
        let message = format!("too large: the record has {size} bytes; the limit is {limit}");
        Error::new(Kind::TooLarge, message)
    }

    /// Creates the error for a revision in another form than that of the backend.
    #[cfg(any(
        feature = "dynamodb",
        feature = "etcd",
        feature = "redis",
        feature = "memcached"
    ))]
    pub(super) fn foreign_revision() -> Self {
        Error::usage("the revision does not come from this backend")
    }

    /// Creates the error of a record that the server has refused as too large, without a limit.
    #[cfg(feature = "mysql")]
    pub(super) fn too_large_for_server(message: &'static str) -> Self {
        Error::new(Kind::TooLarge, message)
    }

    /// Creates the error of data under a key that is not a valid record.
    #[must_use]
    pub fn corrupt(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Kind::Corrupt, message)
    }

    /// Adds the cause to the error. Its text follows after a colon, in one line, with those of its
    /// own causes. It must hold no secret.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Error(self.0.with_cause(source))
    }
}

impl Error {
    /// Returns whether the program asked for something impossible.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        self.0.kind() == Kind::Usage
    }

    /// Returns whether the server gave no proper answer. A later attempt may succeed. Errors with
    /// an [unknown outcome](Error::is_outcome_unknown) are included.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self.0.kind(), Kind::Unavailable | Kind::OutcomeUnknown)
    }

    /// Returns whether a write may or may not have been applied. Read the record before you write
    /// again.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        self.0.kind() == Kind::OutcomeUnknown
    }

    /// Returns whether the record is larger than the server takes. The message gives both sizes if
    /// they are known.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.0.kind() == Kind::TooLarge
    }

    /// Returns whether the data under the key is not a valid record: another program wrote it, or
    /// the disk damaged it.
    #[must_use]
    pub fn is_corrupt(&self) -> bool {
        self.0.kind() == Kind::Corrupt
    }
}

impl Error {
    /// Returns the error of the client or the system below, which you can downcast. This error's
    /// text already contains its text.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.cause()
    }
}

/// Returns the answer for one of many keys.
///
/// # Errors
/// Returns the error if it is not about one key only: the backend did not answer.
pub(super) fn of_one<T>(answer: Result<T, Error>) -> Result<Result<T, Error>, Error> {
    match answer {
        Err(error) if error.is_unavailable() => Err(error),
        answer => Ok(answer),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug(f, "backend::Error")
    }
}

impl StdError for Error {}
