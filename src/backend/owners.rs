//! [`Owners`]: whose records are whose, and ending all of an owner's at once.

use std::fmt;

use async_trait::async_trait;

use super::{Error, Expiry, Key};

/// A random mark that the living records of an owner carry: 16 bytes. Ending them all is
/// giving the owner another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation([u8; 16]);

impl Generation {
    /// 128 random bits of the operating system.
    ///
    /// # Errors
    /// Unavailable, if the system has no randomness.
    pub fn random() -> Result<Self, Error> {
        let mut bytes = [0; 16];
        match getrandom::fill(&mut bytes) {
            Ok(()) => Ok(Generation(bytes)),
            Err(error) => {
                Err(Error::unavailable("the system has no randomness").with_source(error))
            }
        }
    }

    /// The generation of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Generation(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Generation(..)")
    }
}

/// Whose a record is, and of which generation.
#[derive(Clone, PartialEq, Eq)]
pub struct Owner {
    /// The owner's name, such as a user's ID: any text of 1 to
    /// [`LONGEST_NAME`](Owner::LONGEST_NAME) bytes, U+0000 included.
    pub name: String,
    /// The owner's generation when the record was written.
    pub generation: Generation,
}

impl Owner {
    /// How many bytes an owner's name has at most: as many as each server can index, whatever
    /// is in them.
    pub const LONGEST_NAME: usize = 512;

    /// Refuses a name that not every server can index, and the empty one, which all users
    /// without an ID would share.
    ///
    /// # Errors
    /// Usage, with the length of the name and the bound.
    ///
    /// ```
    /// use silverback::backend::Owner;
    ///
    /// assert!(Owner::check_name("user-42").is_ok());
    /// let error = Owner::check_name(&"x".repeat(3_000)).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the owner's name has 3000 bytes; 1 to 512 are required: use the user's ID"
    /// );
    /// ```
    pub fn check_name(name: &str) -> Result<(), Error> {
        match name.len() {
            1..=Owner::LONGEST_NAME => Ok(()),
            length => Err(Error::usage(format!(
                "the owner's name has {length} bytes; 1 to {} are required: use the user's ID",
                Owner::LONGEST_NAME
            ))),
        }
    }
}

/// That there is one, and not who.
impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner(..)")
    }
}

/// One small record per owner: its generation, how long it is kept, and which key, if any,
/// outlived the last revocation. Names are opaque text, as keys are opaque bytes;
/// [`Owner::check_name`] bounds them.
#[async_trait]
pub trait Owners: Send + Sync {
    /// The owner's generation; none without a record, and then all records of the owner are
    /// missing.
    ///
    /// # Errors
    /// As [`Backend::load`](super::Backend::load).
    async fn generation(&self, owner: &str) -> Result<Option<Generation>, Error>;

    /// The owner's generation, made now if there is no record, which is kept to `until` or,
    /// if that is later, as long as it was to be kept anyway.
    ///
    /// # Errors
    /// As [`Backend::create`](super::Backend::create) and [`Owner::check_name`].
    async fn begin(&self, owner: &str, until: Expiry) -> Result<Generation, Error>;

    /// Gives the owner another generation: all records of the one before are missing from
    /// now on, but for that under `keep`, if it lives: what was revoked before is not brought
    /// back by being kept now. The record is kept as in [`begin`](Owners::begin).
    ///
    /// # Errors
    /// As [`begin`](Owners::begin).
    async fn revoke(
        &self,
        owner: &str,
        until: Expiry,
        keep: Option<&Key>,
    ) -> Result<Generation, Error>;

    /// The keys of the owner's living records, in no order. For people to look at: a record
    /// may come or go while they are listed.
    ///
    /// # Errors
    /// As [`Backend::load`](super::Backend::load).
    async fn keys(&self, owner: &str) -> Result<Vec<Key>, Error>;
}
