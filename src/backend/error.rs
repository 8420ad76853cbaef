//! [`Error`]: a backend that could not answer, or could not do what was asked.
//!
//! That a record is missing, or has changed, is an answer and no error.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::cause;

/// Why a backend gave no answer. A clone is cheap.
///
/// Its text names the cause: `the database does not answer: .. Connection refused`. So there is no
/// `source()`, which would say the same again; [`cause`](Error::cause) has the error below.
///
/// ```
/// use silverback::backend::Error;
///
/// let error = Error::too_large(1_500_000, 1_048_576);
/// assert!(error.is_too_large());
/// assert_eq!(error.to_string(), "too large: the record has 1500000 bytes, the limit is 1048576");
/// ```
#[derive(Clone)]
pub struct Error {
    kind: Kind,
    message: Cow<'static, str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Usage,
    Unavailable,
    OutcomeUnknown,
    TooLarge,
    Corrupt,
}

/// The constructors, for backends of your own.
impl Error {
    fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Error {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// The program asked for something impossible. The message is one line and holds no
    /// secret.
    #[must_use]
    pub fn usage(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Kind::Usage, message)
    }

    /// The server did not answer, or not as it should, and nothing was written.
    #[must_use]
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Kind::Unavailable, message)
    }

    /// The server did not answer a write: it may have been done, or not.
    #[must_use]
    pub fn outcome_unknown(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Kind::OutcomeUnknown, message)
    }

    /// The record has `size` bytes where the server takes `limit` at most.
    #[must_use]
    pub fn too_large(size: usize, limit: usize) -> Self {
        let message = format!("too large: the record has {size} bytes, the limit is {limit}");
        Error::new(Kind::TooLarge, message)
    }

    /// What the server holds under the key is no record.
    #[must_use]
    pub fn corrupt(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Kind::Corrupt, message)
    }

    /// The same error, with what caused it. Its text follows after a colon, in one line, with
    /// those of its own causes, and must hold no secret.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }
}

impl Error {
    /// The program asked for something impossible.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        self.kind == Kind::Usage
    }

    /// The server did not answer, or not as it should. It may again, later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self.kind, Kind::Unavailable | Kind::OutcomeUnknown)
    }

    /// A write may have been done, or not: read, before you write again.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        self.kind == Kind::OutcomeUnknown
    }

    /// The record is larger than the server takes. The message gives both figures.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.kind == Kind::TooLarge
    }

    /// What the server holds is no record: somebody else wrote it, or the disk lost it.
    #[must_use]
    pub fn is_corrupt(&self) -> bool {
        self.kind == Kind::Corrupt
    }
}

impl Error {
    /// The error of the client or the system below, to be downcast. Its text is in this error's
    /// text already.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.source.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        cause::write(f, &self.message, self.source.as_deref())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_tuple("backend::Error");
        shown.field(&self.kind).field(&format_args!("{self}"));
        shown.finish()
    }
}

impl StdError for Error {}
