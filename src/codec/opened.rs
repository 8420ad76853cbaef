//! [`Opened`]: what opening a cookie tells beyond its value.

use std::time::Duration;

use super::{Serializer, UnixTime};

/// The number of the key that seals. Keys are counted from the newest to the oldest.
const PRIMARY: usize = 1;

/// A value that came out of a cookie whose MAC holds, and what the cookie said
/// of itself.
///
/// [`Codec::open_into`](super::Codec::open_into) writes the bytes to the caller's
/// buffer and answers with an `Opened<()>`; the other forms carry the value.
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
    /// For a codec of your own: a cookie dated `issued_at` opened at `now`, by
    /// the codec's only key, holding what the default serializer wrote.
    #[must_use]
    pub fn new(issued_at: UnixTime, now: UnixTime) -> Self {
        Opened {
            value: (),
            issued_at,
            age: now.since(issued_at),
            key: PRIMARY,
            stale: false,
            serializer: Serializer::default(),
        }
    }

    /// The same, with the bytes to be read by `serializer`.
    #[must_use]
    pub fn with_serializer(self, serializer: Serializer) -> Self {
        Opened { serializer, ..self }
    }

    /// The same, seen from a chain that holds the codec at `index`, counted from 0.
    pub(super) fn in_chain(self, index: usize) -> Self {
        let key = PRIMARY + index;
        let stale = self.stale || key > PRIMARY;
        Opened { key, stale, ..self }
    }
}

impl<T> Opened<T> {
    /// The value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The value, taken out.
    pub fn into_value(self) -> T {
        self.value
    }

    /// When the cookie was sealed, by the clock of the sealer.
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// How long before `now` the cookie was sealed, in whole seconds; zero for a
    /// date in the future (which only the clock skew lets through).
    pub fn age(&self) -> Duration {
        self.age
    }

    /// The number of the key that opened it: 1 is the primary, the newest; 2 the key before
    /// it. Errors about key pairs and the program count in the same way.
    pub fn key(&self) -> usize {
        self.key
    }

    /// Whether some other key than the primary sealed it, so that a store should
    /// issue it anew.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// The serializer of the codec that opened it: in a chain that mixes them, not
    /// the one that [`Codec::serializer`](super::Codec::serializer) seals with.
    pub fn serializer(&self) -> &Serializer {
        &self.serializer
    }

    /// The same cookie with another value in place.
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
