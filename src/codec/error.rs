//! [`Error`]: the codec's only error type, opaque, with gorilla's predicates.
//!
//! A message has one line. It never contains a key, a payload, or the reason for which a
//! cookie is not valid.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use crate::cause;

/// The reason for which a cookie could not be sealed or opened.
///
/// The public kinds are few, so that a refusal does not help a client to forge a cookie:
///
/// - *usage*: the caller asked for something impossible;
/// - *internal*: the system failed;
/// - *not valid*, always the same, for any reason;
/// - *too long*;
/// - *expired* and *too new*, only after the MAC was verified.
///
/// ```
/// use silverback::codec::{Codec, KeyPair, SecureCookie};
///
/// let codec = SecureCookie::new(KeyPair::generate()?)?;
/// let refused = codec.open("sid", "tampered").unwrap_err();
/// assert!(refused.is_decode() && !refused.is_expired());
/// assert_eq!(refused.to_string(), "not valid");
/// # Ok::<(), silverback::codec::Error>(())
/// ```
pub struct Error {
    kind: ErrorKind,
    /// The MAC was verified before the cookie was refused: a chain then tries no other key.
    after_mac: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// The error of each key, if a chain refused the cookie.
    per_key: Vec<Error>,
    /// The index in `per_key` of the error that decides the chain's.
    deciding: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ErrorKind {
    Usage(Cow<'static, str>),
    Internal(Cow<'static, str>),
    NotValid,
    TooLongToOpen { length: usize, limit: usize },
    TooLongToSeal { length: usize, limit: usize },
    Expired,
    TooNew,
}

/// The constructors, for codecs and serializers of your own.
impl Error {
    fn new(kind: ErrorKind) -> Self {
        Error {
            kind,
            after_mac: false,
            source: None,
            per_key: Vec::new(),
            deciding: 0,
        }
    }

    /// Creates a usage error: the caller asked for something impossible.
    ///
    /// The message names the cause in one line, and must contain no secret.
    #[must_use]
    pub fn usage(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::Usage(message.into()))
    }

    /// Creates an internal error: the system failed. For example, it has no randomness, or a
    /// key service does not answer.
    #[must_use]
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::Internal(message.into()))
    }

    /// Creates the error for a cookie that this key did not seal. A chain tries its next key.
    #[must_use]
    pub fn not_valid() -> Self {
        Error::new(ErrorKind::NotValid)
    }

    /// Creates the error for an authentic cookie, sealed by this key, that is not valid. A
    /// chain tries no other key.
    #[must_use]
    pub fn not_valid_though_authentic() -> Self {
        Error::not_valid().after_mac()
    }

    /// Creates the error for an authentic cookie that is too old. A chain tries no other key.
    #[must_use]
    pub fn expired() -> Self {
        Error::new(ErrorKind::Expired).after_mac()
    }

    /// Creates the error for an authentic cookie that is younger than permitted, or dated in
    /// the future. A chain tries no other key.
    #[must_use]
    pub fn too_new() -> Self {
        Error::new(ErrorKind::TooNew).after_mac()
    }

    /// Creates the error for a cookie of `length` bytes if the codec opens at most `limit`.
    #[must_use]
    pub fn too_long_to_open(length: usize, limit: usize) -> Self {
        Error::new(ErrorKind::TooLongToOpen { length, limit })
    }

    /// Creates the error for a value that takes `length` bytes when sealed, if at most `limit`
    /// are permitted.
    #[must_use]
    pub fn too_long_to_seal(length: usize, limit: usize) -> Self {
        Error::new(ErrorKind::TooLongToSeal { length, limit })
    }

    /// Adds the error's cause. Its text must contain no secret.
    ///
    /// The text of a usage or internal error then ends with the cause, after a colon and in
    /// the same line. The text of a refusal stays unchanged; its cause is in `source()`.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    fn after_mac(mut self) -> Self {
        self.after_mac = true;
        self
    }

    /// Returns the error of a chain in which no key opened the cookie.
    ///
    /// The key that verified the MAC decides. Otherwise a failure of the system decides, since
    /// it may hide a valid cookie; then a usage error; then *not valid*, unless the cookie was
    /// too long for every key.
    pub(super) fn of_chain(per_key: Vec<Error>) -> Self {
        let first = |is: fn(&Error) -> bool| per_key.iter().position(is);
        let deciding = first(Error::is_final)
            .or_else(|| first(Error::is_internal))
            .or_else(|| first(Error::is_usage))
            .or_else(|| first(Error::is_not_valid))
            .unwrap_or(0);
        let decider = per_key.get(deciding);
        Error {
            kind: decider.map_or(ErrorKind::NotValid, |error| error.kind.clone()),
            after_mac: decider.is_some_and(Error::is_final),
            source: None,
            per_key,
            deciding,
        }
    }
}

impl Error {
    /// Returns whether the caller asked for something impossible: an invalid name, an unusable
    /// key, or a value that is too long to seal or cannot be serialized.
    #[must_use]
    #[doc(alias = "IsUsage")]
    pub fn is_usage(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Usage(_) | ErrorKind::TooLongToSeal { .. }
        )
    }

    /// Returns whether the cookie was refused: not valid, too long, expired or too new.
    #[must_use]
    #[doc(alias = "IsDecode")]
    pub fn is_decode(&self) -> bool {
        !self.is_usage() && !self.is_internal()
    }

    /// Returns whether the system failed. The cookie may be valid.
    #[must_use]
    #[doc(alias = "IsInternal")]
    pub fn is_internal(&self) -> bool {
        matches!(self.kind, ErrorKind::Internal(_))
    }

    /// Returns whether the cookie is not valid: these keys did not seal it, or its content
    /// cannot be read.
    #[must_use]
    pub fn is_not_valid(&self) -> bool {
        self.kind == ErrorKind::NotValid
    }

    /// Returns whether the cookie is authentic and older than `max_age`.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.kind == ErrorKind::Expired
    }

    /// Returns whether the cookie is authentic and younger than `min_age`, or dated further in
    /// the future than the clock skew permits.
    #[must_use]
    pub fn is_too_new(&self) -> bool {
        self.kind == ErrorKind::TooNew
    }

    /// Returns whether the cookie is, or would be when sealed, longer than permitted. The
    /// message contains both lengths.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::TooLongToOpen { .. } | ErrorKind::TooLongToSeal { .. }
        )
    }

    /// Returns the error of each key that a chain tried, newest first. It is empty for an
    /// error of a single codec.
    ///
    /// Show these errors to operators only. A client must learn no more than the kind.
    #[must_use]
    pub fn per_key(&self) -> &[Error] {
        &self.per_key
    }

    /// Returns the cause; for a chain, the cause of the deciding key's error.
    fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        match &self.source {
            Some(source) => Some(source.as_ref()),
            None => self.per_key.get(self.deciding)?.cause(),
        }
    }

    /// Returns whether this is [`Error::not_valid`] without any detail.
    pub(super) fn is_plain_not_valid(&self) -> bool {
        self.is_not_valid() && !self.after_mac && self.source.is_none() && self.per_key.is_empty()
    }

    /// Returns whether the MAC was verified, so that a chain must try no other key.
    pub(super) fn is_final(&self) -> bool {
        self.after_mac
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ErrorKind::Usage(message) | ErrorKind::Internal(message) => {
                cause::write(f, message, self.cause())
            }
            ErrorKind::NotValid => f.write_str("not valid"),
            ErrorKind::TooLongToOpen { length, limit } => {
                write!(
                    f,
                    "too long: the cookie has {length} bytes; the limit is {limit}"
                )
            }
            ErrorKind::TooLongToSeal { length, limit } => write!(
                f,
                "too long: the sealed value would have {length} bytes; the limit is {limit}"
            ),
            ErrorKind::Expired => f.write_str("expired"),
            ErrorKind::TooNew => f.write_str("too new"),
        }
    }
}

/// Writes the [`Display`](fmt::Display) text and each key's error. It does not distinguish
/// the reasons for *not valid* either.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_tuple("codec::Error");
        shown.field(&format_args!("{self}"));
        if !self.per_key.is_empty() {
            shown.field(&self.per_key);
        }
        shown.finish()
    }
}

impl StdError for Error {
    /// Returns the cause of a refusal: the serializer's error for authentic bytes. It is `None`
    /// for usage and internal errors, since their text already contains the cause.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let cause = self.cause().filter(|_| self.is_decode())?;
        Some(cause)
    }
}
