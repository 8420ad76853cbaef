//! [`Epochs`]: the one question a cookie-only session can ask a server, so that all
//! sessions of an owner can be ended at once.

use async_trait::async_trait;

use crate::backend::Generation;
use crate::codec::{UnixTime, generate_random_key};

use super::Error;

/// A random mark that all living sessions of an owner carry. Revoking them is
/// giving the owner another one.
///
/// ```
/// use silverback::session::Epoch;
///
/// let epoch = Epoch::random()?;
/// assert_ne!(epoch, Epoch::random()?);
/// assert_eq!(Epoch::parse(epoch.as_str())?, epoch);
/// # Ok::<(), silverback::session::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(Box<str>);

/// How many characters an epoch may have.
const LONGEST: usize = 64;

impl Epoch {
    /// 128 random bits of the operating system, as 32 hex digits.
    ///
    /// # Errors
    /// [Unavailable](Error::is_unavailable), if the system has no randomness.
    pub fn random() -> Result<Self, Error> {
        let bits = generate_random_key(16).map_err(Error::of_codec)?;
        Ok(Epoch(base16ct::lower::encode_string(&bits).into()))
    }

    /// A backend's generation, as 32 hex digits.
    pub(super) fn of_generation(generation: Generation) -> Self {
        Epoch(base16ct::lower::encode_string(generation.as_bytes()).into())
    }

    /// The generation; none, if it is an epoch of another kind.
    pub(super) fn generation(&self) -> Option<Generation> {
        let mut bytes = [0; 16];
        let decoded = base16ct::lower::decode(self.as_str(), &mut bytes).ok()?;
        (decoded.len() == 16).then(|| Generation::from_bytes(bytes))
    }

    /// The longest there is.
    pub(super) fn longest() -> Self {
        Epoch("x".repeat(LONGEST).into())
    }

    /// An epoch as [`as_str`](Epoch::as_str) wrote it, or one of another kind: 1 to 64
    /// printable ASCII characters, no spaces, and not `-`.
    ///
    /// # Errors
    /// Usage, for any other text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if (1..=LONGEST).contains(&text.len()) && is_printable && text != "-" {
            return Ok(Epoch(text.into()));
        }
        Err(Error::usage(
            "an epoch is 1 to 64 printable characters, and not -",
        ))
    }

    /// The epoch's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where the owners' epochs are kept, if sessions that live in cookies are to be
/// revocable: one small record per owner, in a database or cache.
///
/// A session of an owner is refused unless its epoch is the owner's current one, so
/// an owner without a record has no living session: a record must outlive the
/// owner's last session. Forgetting records logs people out; answering with an error
/// is an outage, and never an empty session.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
/// use silverback::codec::{Codecs, KeyPairs, UnixTime};
/// use silverback::session::{CookieStore, Epoch, Epochs, Error, async_trait};
///
/// #[derive(Default)]
/// struct InMemory(Mutex<HashMap<String, Epoch>>);
///
/// #[async_trait]
/// impl Epochs for InMemory {
///     async fn current(&self, owner: &str) -> Result<Option<Epoch>, Error> {
///         Ok(self.0.lock().unwrap().get(owner).cloned())
///     }
///     async fn begin(&self, owner: &str, _until: Option<UnixTime>) -> Result<Epoch, Error> {
///         let fresh = Epoch::random()?;
///         Ok(self.0.lock().unwrap().entry(owner.to_owned()).or_insert(fresh).clone())
///     }
///     async fn revoke(&self, owner: &str, _until: Option<UnixTime>) -> Result<Epoch, Error> {
///         let fresh = Epoch::random()?;
///         self.0.lock().unwrap().insert(owner.to_owned(), fresh.clone());
///         Ok(fresh)
///     }
/// }
///
/// let codecs = Codecs::from_pairs(KeyPairs::generate(1)?)?;
/// let store = CookieStore::new(codecs)?.epochs(InMemory::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[async_trait]
pub trait Epochs: Send + Sync + 'static {
    /// The owner's epoch; none for an owner without a record.
    ///
    /// # Errors
    /// [Unavailable](Error::unavailable), if nobody can tell.
    async fn current(&self, owner: &str) -> Result<Option<Epoch>, Error>;

    /// The owner's epoch, made now if there is no record; the record is kept at
    /// least to `until` (none: for ever), and never shortened. Asked at each login.
    ///
    /// # Errors
    /// As [`current`](Epochs::current).
    async fn begin(&self, owner: &str, until: Option<UnixTime>) -> Result<Epoch, Error>;

    /// Gives the owner another epoch, kept as in [`begin`](Epochs::begin), which
    /// ends all sessions of the one before. With none to end it gives one all the
    /// same.
    ///
    /// # Errors
    /// As [`current`](Epochs::current).
    async fn revoke(&self, owner: &str, until: Option<UnixTime>) -> Result<Epoch, Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An epoch of another kind is a word, and may look like a part of one of ours.
    #[test]
    fn a_generation_has_32_hex_digits() {
        let epoch = Epoch::random().unwrap();
        let generation = epoch.generation().unwrap();
        assert_eq!(Epoch::of_generation(generation), epoch);
        for other in [
            "00ff",
            "7",
            "x",
            &"0".repeat(31),
            &"0".repeat(30),
            &"0".repeat(34),
        ] {
            assert!(
                Epoch::parse(other).unwrap().generation().is_none(),
                "{other}"
            );
        }
    }
}
