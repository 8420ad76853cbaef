//! [`Error`]: the one error of the codec, opaque, with gorilla's predicates.
//!
//! What never lives here: keys, payloads, or any word on *why* a cookie is not
//! valid. A message is one line.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use crate::cause;

/// Why a cookie could not be sealed or opened.
///
/// The public kinds are few, because what a client learns from a refusal must
/// not help it forge: *usage* (the program asked for something impossible),
/// *internal* (the system failed), *not valid*, *too long*, and, only once the
/// MAC holds, *expired* and *too new*. All the ways to be not valid look the same.
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
    kind: Kind,
    /// Whether the MAC held before the refusal: a chain then tries no other key.
    final_: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// A chain's: what each key said, and which of them has the word.
    keys: Vec<Error>,
    verdict: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
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
    fn new(kind: Kind) -> Self {
        Error {
            kind,
            final_: false,
            source: None,
            keys: Vec::new(),
            verdict: 0,
        }
    }

    /// The program asked for something that cannot be done. The message says
    /// what, in one line, and must hold no secret.
    #[must_use]
    pub fn usage(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Kind::Usage(message.into()))
    }

    /// The system failed: no randomness, a key service that does not answer.
    #[must_use]
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(Kind::Internal(message.into()))
    }

    /// The cookie is not one of this key. A chain goes on to its next key.
    #[must_use]
    pub fn not_valid() -> Self {
        Error::new(Kind::NotValid)
    }

    /// The cookie is one of this key (its MAC holds) and yet not valid. A chain
    /// stops here.
    #[must_use]
    pub fn not_valid_though_authentic() -> Self {
        Error::not_valid().finally()
    }

    /// The MAC holds and the cookie is older than it may be. A chain stops here.
    #[must_use]
    pub fn expired() -> Self {
        Error::new(Kind::Expired).finally()
    }

    /// The MAC holds and the cookie is younger than it may be, or dated in the
    /// future. A chain stops here.
    #[must_use]
    pub fn too_new() -> Self {
        Error::new(Kind::TooNew).finally()
    }

    /// The cookie has `length` bytes where the codec opens `limit` at most.
    #[must_use]
    pub fn too_long_to_open(length: usize, limit: usize) -> Self {
        Error::new(Kind::TooLongToOpen { length, limit })
    }

    /// Sealing would take `length` bytes where there may be `limit` at most.
    #[must_use]
    pub fn too_long_to_seal(length: usize, limit: usize) -> Self {
        Error::new(Kind::TooLongToSeal { length, limit })
    }

    /// The same error, with what caused it, whose text must hold no secret. It follows in the
    /// text of a usage or internal error, after a colon and in one line; that of a refusal
    /// stays as it is, and has a `source()`.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    fn finally(mut self) -> Self {
        self.final_ = true;
        self
    }

    /// What a chain answers when no key opened the cookie. The key whose MAC held
    /// has the last word; then an outage, since it may hide a valid cookie; then
    /// not valid, unless every key found the cookie too long to look at.
    pub(super) fn of_chain(keys: Vec<Error>) -> Self {
        let first = |of: fn(&Error) -> bool| keys.iter().position(of);
        let verdict = first(Error::is_final)
            .or_else(|| first(Error::is_internal))
            .or_else(|| first(Error::is_usage))
            .or_else(|| first(Error::is_not_valid))
            .unwrap_or(0);
        let speaker = keys.get(verdict);
        Error {
            kind: speaker.map_or(Kind::NotValid, |error| error.kind.clone()),
            final_: speaker.is_some_and(Error::is_final),
            source: None,
            keys,
            verdict,
        }
    }
}

impl Error {
    /// The caller asked for something impossible: a bad name, a value too long
    /// to seal or that cannot be serialized, an unusable key.
    #[must_use]
    #[doc(alias = "IsUsage")]
    pub fn is_usage(&self) -> bool {
        matches!(self.kind, Kind::Usage(_) | Kind::TooLongToSeal { .. })
    }

    /// The cookie was refused: not valid, too long, expired or too new.
    #[must_use]
    #[doc(alias = "IsDecode")]
    pub fn is_decode(&self) -> bool {
        !self.is_usage() && !self.is_internal()
    }

    /// The system failed; the cookie may well be good.
    #[must_use]
    #[doc(alias = "IsInternal")]
    pub fn is_internal(&self) -> bool {
        matches!(self.kind, Kind::Internal(_))
    }

    /// The cookie is not one of these keys, or is no cookie at all.
    #[must_use]
    pub fn is_not_valid(&self) -> bool {
        self.kind == Kind::NotValid
    }

    /// The MAC holds and the cookie is older than `max_age`.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.kind == Kind::Expired
    }

    /// The MAC holds and the cookie is younger than `min_age`, or dated further
    /// in the future than the clock skew allows.
    #[must_use]
    pub fn is_too_new(&self) -> bool {
        self.kind == Kind::TooNew
    }

    /// The cookie is, or would become, longer than it may be. The message gives
    /// both figures.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        matches!(
            self.kind,
            Kind::TooLongToOpen { .. } | Kind::TooLongToSeal { .. }
        )
    }

    /// For a chain: the refusal of each key that was asked, newest first; else
    /// empty. For an operator's eyes only, as is all but the kind.
    #[must_use]
    pub fn per_key(&self) -> &[Error] {
        &self.keys
    }

    /// What caused it; of a chain, that of the key that has the word.
    fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        match &self.source {
            Some(source) => Some(source.as_ref()),
            None => self.keys.get(self.verdict)?.cause(),
        }
    }

    /// Whether this is [`Error::not_valid`] and holds nothing else.
    pub(super) fn says_only_not_valid(&self) -> bool {
        self.is_not_valid() && !self.final_ && self.source.is_none() && self.keys.is_empty()
    }

    /// Whether the MAC held, so that no other key may be tried.
    pub(super) fn is_final(&self) -> bool {
        self.final_
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Usage(message) | Kind::Internal(message) => {
                cause::write(f, message, self.cause())
            }
            Kind::NotValid => f.write_str("not valid"),
            Kind::TooLongToOpen { length, limit } => {
                write!(
                    f,
                    "too long: the cookie has {length} bytes, the limit is {limit}"
                )
            }
            Kind::TooLongToSeal { length, limit } => write!(
                f,
                "too long: sealing this value takes {length} bytes, the limit is {limit}"
            ),
            Kind::Expired => f.write_str("expired"),
            Kind::TooNew => f.write_str("too new"),
        }
    }
}

/// As [`Display`](fmt::Display), and each key's refusal: nothing here tells apart
/// the ways to be not valid either.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_tuple("codec::Error");
        shown.field(&format_args!("{self}"));
        if !self.keys.is_empty() {
            shown.field(&self.keys);
        }
        shown.finish()
    }
}

impl StdError for Error {
    /// What the serializer said of bytes whose MAC holds. The text of an error that is no
    /// refusal names its cause itself.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let cause = self.cause().filter(|_| self.is_decode())?;
        Some(cause)
    }
}
