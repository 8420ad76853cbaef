//! [`Epochs`]: the owners' current epochs, with which a store without a server can end all sessions
//! of an owner.

use async_trait::async_trait;

use crate::backend::Generation;
use crate::codec::{UnixTime, generate_random_key};

use super::Error;

/// A random mark that all live sessions of an owner carry. To revoke the sessions, the owner gets a
/// new mark.
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

/// The longest epoch, in characters.
const LONGEST: usize = 64;

impl Epoch {
    /// Generates an epoch: 128 random bits from the operating system, as 32 hex digits.
    ///
    /// # Errors
    /// Returns an [unavailable](Error::is_unavailable) error if the system has no randomness.
    pub fn random() -> Result<Self, Error> {
        let bits = generate_random_key(16).map_err(Error::of_codec)?;
        Ok(Epoch(base16ct::lower::encode_string(&bits).into()))
    }

    /// Converts a backend's generation to an epoch of 32 hex digits.
    pub(super) fn of_generation(generation: Generation) -> Self {
        Epoch(base16ct::lower::encode_string(generation.as_bytes()).into())
    }

    /// Returns the generation, or `None` if the epoch is of another kind.
    pub(super) fn generation(&self) -> Option<Generation> {
        let mut bytes = [0; 16];
        let decoded = base16ct::lower::decode(self.as_str(), &mut bytes).ok()?;
        (decoded.len() == 16).then(|| Generation::from_bytes(bytes))
    }

    /// Returns an epoch of the greatest length.
    pub(super) fn longest() -> Self {
        Epoch("x".repeat(LONGEST).into())
    }

    /// Parses an epoch that [`as_str`](Epoch::as_str) returned, or an epoch of another kind: 1 to
    /// 64 printable ASCII characters, without spaces, and not `-`.
    ///
    /// # Errors
    /// Returns a usage error for any other text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if (1..=LONGEST).contains(&text.len()) && is_printable && text != "-" {
            return Ok(Epoch(text.into()));
        }
        Err(Error::usage(
            "an epoch is 1 to 64 printable characters, and not -",
        ))
    }

    /// Returns the epoch's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The storage of the owners' epochs: one small record per owner, in a database or cache. It makes
/// sessions revocable that are stored in cookies.
///
/// A session with an owner is refused unless its epoch is the owner's current one. An owner without
/// a record therefore has no live session: a record must outlive the owner's last session. If
/// records are lost, their owners are logged out. If `Epochs` answers with an error, requests fail
/// with that error, and no session appears empty.
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
    /// Returns the owner's epoch, or `None` for an owner without a record.
    ///
    /// # Errors
    /// Returns an [unavailable](Error::unavailable) error if the storage does not answer.
    async fn current(&self, owner: &str) -> Result<Option<Epoch>, Error>;

    /// Returns the owner's epoch, and creates it if there is no record. The record is kept until
    /// `until` or longer (`None`: forever), and its time is never shortened. Called at each login.
    ///
    /// # Errors
    /// Returns the errors of [`current`](Epochs::current).
    async fn begin(&self, owner: &str, until: Option<UnixTime>) -> Result<Epoch, Error>;

    /// Gives the owner a new epoch, kept as in [`begin`](Epochs::begin), and so ends all sessions
    /// of the former epoch. If there is no former epoch, the owner gets one all the same.
    ///
    /// # Errors
    /// Returns the errors of [`current`](Epochs::current).
    async fn revoke(&self, owner: &str, until: Option<UnixTime>) -> Result<Epoch, Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An epoch of another kind is any word, and may look like a part of a generation.
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
