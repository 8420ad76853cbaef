//! [`Opened`]: the value of a cookie, its date and age, and the key that opened it.

use std::time::Duration;

use super::{Serializer, UnixTime};

/// The number of the key that seals. Keys are numbered from the newest to the oldest.
const PRIMARY: usize = 1;

/// The value of an authentic cookie, with its date and age and the key that opened it.
///
/// [`Codec::open_into`](super::Codec::open_into) writes the bytes to the caller's buffer and
/// returns an `Opened<()>`. The other forms return the value inside.
///
/// ```
/// use silverback::codec::{Codec, Codecs, KeyPair, UnixTime};
///
/// let old = KeyPair::generate()?;
/// let cookie = Codecs::from_pairs([old.clone()])?.seal_at("sid", b"ape", UnixTime::from_secs(1_000))?;
///
/// let rotated = Codecs::from_pairs([KeyPair::generate()?, old])?;
/// let opened = rotated.open_at("sid", &cookie, UnixTime::from_secs(1_060))?;
/// assert_eq!(opened.value(), b"ape");
/// assert_eq!(opened.age().as_secs(), 60);
/// assert_eq!(opened.key(), 2, "the primary is key 1");
/// assert!(opened.is_stale());
/// # Ok::<(), silverback::codec::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Opened<T = ()> {
    value: T,
    issued_at: UnixTime,
    age: Duration,
    key: usize,
    stale: bool,
    serializer: Serializer,
}

impl Opened {
    /// Describes a cookie dated `issued_at` and opened at `now`, for a codec of your own.
    ///
    /// The key is the primary, and the serializer is the default one.
    #[must_use]
    pub fn new(issued_at: UnixTime, now: UnixTime) -> Self {
        Opened {
            value: (),
            issued_at,
            age: now.saturating_duration_since(issued_at),
            key: PRIMARY,
            stale: false,
            serializer: Serializer::default(),
        }
    }

    /// Sets the serializer that can read the bytes.
    #[must_use]
    pub fn with_serializer(self, serializer: Serializer) -> Self {
        Opened { serializer, ..self }
    }

    /// Sets the key's number to that of the chain's member at `index`, counted from 0.
    pub(super) fn in_chain(self, index: usize) -> Self {
        let key = PRIMARY + index;
        let stale = self.stale || key > PRIMARY;
        Opened { key, stale, ..self }
    }
}

impl<T> Opened<T> {
    /// Returns the value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Returns the value by move.
    pub fn into_value(self) -> T {
        self.value
    }

    /// Returns the time at which the cookie was sealed, by the clock of the machine that
    /// sealed it.
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// Returns the time from the sealing of the cookie to `now`, in whole seconds.
    ///
    /// It is zero for a date in the future, which the clock skew may permit.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// Returns the number of the key that opened the cookie: 1 is the primary, the newest key;
    /// 2 is the key before it.
    ///
    /// Errors about key pairs and the `silverback` program use the same numbers.
    pub fn key(&self) -> usize {
        self.key
    }

    /// Returns whether an older key than the primary sealed the cookie. A store should then
    /// issue the cookie again.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Returns the serializer of the codec that opened the cookie.
    ///
    /// In a chain that mixes serializers, it can differ from
    /// [`Codec::serializer`](super::Codec::serializer), which seals.
    pub fn serializer(&self) -> &Serializer {
        &self.serializer
    }

    /// Replaces the value, and keeps everything about the cookie.
    pub fn with<U>(self, value: U) -> Opened<U> {
        Opened {
            value,
            issued_at: self.issued_at,
            age: self.age,
            key: self.key,
            stale: self.stale,
            serializer: self.serializer,
        }
    }
}
