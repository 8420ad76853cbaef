//! [`Generation`]: the mark that the live records of an owner carry. [`Generations`]: the storage
//! of the owners' marks.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Error, Expiry, OwnerName};

/// A random mark of 16 bytes that the live records of an owner carry. To revoke all of them, the
/// owner gets another generation.
///
/// A generation is printed and parsed as 32 hex digits, for storage of your own. It does not open a
/// session. `Debug` hides it anyway, since no log needs it.
///
/// ```
/// use silverback::backend::Generation;
///
/// let generation = Generation::random()?;
/// assert_ne!(generation, Generation::random()?);
/// assert_eq!(generation.to_string().parse::<Generation>()?, generation);
/// assert_eq!(Generation::from(255).to_string(), "000000000000000000000000000000ff");
/// # Ok::<(), silverback::backend::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation([u8; 16]);

impl Generation {
    /// Returns 128 random bits of the operating system.
    ///
    /// # Errors
    /// Returns an unavailable error if the system has no randomness.
    pub fn random() -> Result<Self, Error> {
        let mut bytes = [0; 16];
        match getrandom::fill(&mut bytes) {
            Ok(()) => Ok(Generation(bytes)),
            Err(error) => {
                Err(Error::unavailable("the operating system has no randomness").with_source(error))
            }
        }
    }

    /// Returns the generation with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Generation(bytes)
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Takes the number's bytes, the most significant first.
impl From<u128> for Generation {
    fn from(number: u128) -> Self {
        Generation(number.to_be_bytes())
    }
}

/// Returns the number that has the generation's bytes, the most significant first.
impl From<Generation> for u128 {
    fn from(generation: Generation) -> Self {
        u128::from_be_bytes(generation.0)
    }
}

/// Writes 32 hex digits, in lower case.
impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from(*self))
    }
}

impl FromStr for Generation {
    type Err = Error;

    /// Parses 32 hex digits, in lower case. Any other text is a usage error.
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut bytes = [0; 16];
        match base16ct::lower::decode(text, &mut bytes) {
            Ok(decoded) if decoded.len() == 16 => Ok(Generation(bytes)),
            _ => Err(Error::usage("a generation has 32 hex digits in lower case")),
        }
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Generation(..)")
    }
}

/// Stores the generation of each owner: one small record per owner, in a database or a cache. Each
/// backend with [`Owners`](super::Owners) is such a storage.
///
/// Storage of your own makes the sessions of a
/// [`CookieStore`](../session/struct.CookieStore.html#method.revocable) revocable. A session with a
/// login is refused unless its generation is the current one of its owner.
///
/// - **A record must outlive the owner's last session.** An owner without a record has no live
///   session.
/// - **If records are lost, their owners are logged out.** No revoked session opens again, since a
///   new record has a new random generation.
/// - **If the storage does not answer, return an error** that is
///   [unavailable](Error::unavailable). The request then fails with a 503, and no session appears
///   empty.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
/// use silverback::backend::{Error, Expiry, Generation, Generations, OwnerName, async_trait};
///
/// #[derive(Default)]
/// struct InMemory(Mutex<HashMap<OwnerName, Generation>>);
///
/// #[async_trait]
/// impl Generations for InMemory {
///     async fn generation(&self, owner: &OwnerName) -> Result<Option<Generation>, Error> {
///         Ok(self.0.lock().unwrap().get(owner).copied())
///     }
///     async fn extend(&self, owner: &OwnerName, _until: Expiry) -> Result<Generation, Error> {
///         let fresh = Generation::random()?;
///         Ok(*self.0.lock().unwrap().entry(owner.clone()).or_insert(fresh))
///     }
///     async fn revoke(&self, owner: &OwnerName, _until: Expiry) -> Result<Generation, Error> {
///         let fresh = Generation::random()?;
///         self.0.lock().unwrap().insert(owner.clone(), fresh);
///         Ok(fresh)
///     }
/// }
/// ```
#[async_trait]
pub trait Generations: Send + Sync {
    /// Returns the owner's generation, or `None` if the owner has no record. Without it, all
    /// records of the owner are missing.
    ///
    /// # Errors
    /// Returns the errors of [`Backend::load`](super::Backend::load).
    async fn generation(&self, owner: &OwnerName) -> Result<Option<Generation>, Error>;

    /// Returns the owner's generation, and creates the owner's record if it is missing. The record
    /// expires at `until`, or at its present expiry if that is later.
    ///
    /// # Errors
    /// Returns the errors of [`Backend::create`](super::Backend::create).
    async fn extend(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error>;

    /// Gives the owner another generation, and returns it. From then on, all records of the owner
    /// are missing. An owner without a record gets one.
    ///
    /// The owner's record expires as after [`extend`](Generations::extend).
    ///
    /// # Errors
    /// Returns the errors of [`Backend::create`](super::Backend::create).
    async fn revoke(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error>;
}

/// Shares one storage between several stores.
#[async_trait]
impl<G: Generations + ?Sized> Generations for Arc<G> {
    async fn generation(&self, owner: &OwnerName) -> Result<Option<Generation>, Error> {
        (**self).generation(owner).await
    }

    async fn extend(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
        (**self).extend(owner, until).await
    }

    async fn revoke(&self, owner: &OwnerName, until: Expiry) -> Result<Generation, Error> {
        (**self).revoke(owner, until).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_has_32_hex_digits() {
        let generation = Generation::random().unwrap();
        let text = generation.to_string();
        assert_eq!(text.parse::<Generation>().unwrap(), generation);
        assert_eq!(Generation::from(u128::from(generation)), generation);
        let odd = ["", "-", "00ff", &text[1..], &text[2..]];
        let long = [format!("{text}0"), format!("{text}00")];
        let other = [
            text.replace(&text[..1], "x"),
            "A".repeat(32),
            "é".repeat(16),
        ];
        let wrong = odd.map(str::to_owned).into_iter().chain(long).chain(other);
        for wrong in wrong {
            assert!(
                wrong.parse::<Generation>().unwrap_err().is_usage(),
                "{wrong}"
            );
        }
    }
}
