//! [`Owners`]: the records of each owner (the user who is logged in), and revoking all of them at
//! once.

use std::fmt;

use async_trait::async_trait;

use super::{Error, Expiry, Key};

/// A random mark of 16 bytes that the live records of an owner carry. To revoke all of them, the
/// owner gets another generation.
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

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Generation(..)")
    }
}

/// One login of an owner: its place in the order of the owner's logins.
///
/// If a login began after another one had been answered, it has the greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Login {
    /// The owner's generation when the login began.
    pub generation: Generation,
    /// The number of the owner's logins that had begun by then, this one included. It counts from 1
    /// as long as the owner's record lives, also across generations.
    pub number: u64,
}

/// The owner of a record, and the login that the record belongs to.
#[derive(Clone, PartialEq, Eq)]
pub struct Owner {
    /// The owner's name, such as a user's ID: any text of 1 to
    /// [`LONGEST_NAME`](Owner::LONGEST_NAME) bytes, U+0000 included.
    pub name: String,
    /// The login that the record belongs to.
    pub login: Login,
}

impl Owner {
    /// The largest number of bytes in an owner's name. Every server can index names of this length,
    /// whatever their bytes are.
    pub const LONGEST_NAME: usize = 512;

    /// Refuses a name that is too long for some server to index. Refuses the empty name, which all
    /// users without an ID would share.
    ///
    /// # Errors
    /// Returns a usage error with the length of the name and the bound.
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

/// Shows that there is an owner, but not the name.
impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner(..)")
    }
}

/// Keeps one small record for each owner: the generation, the number of logins, the time until
/// which the record is kept, and the login, if any, that the last revocation kept. Names are opaque
/// text, as keys are opaque bytes. [`Owner::check_name`] bounds them.
#[async_trait]
pub trait Owners: Send + Sync {
    /// Returns the owner's generation, or `None` if the owner has no record. Without it, all
    /// records of the owner are missing.
    ///
    /// # Errors
    /// Returns the errors of [`Backend::load`](super::Backend::load).
    async fn generation(&self, owner: &str) -> Result<Option<Generation>, Error>;

    /// Begins a login of the owner, in one step: creates the owner's record if it is missing, adds
    /// one to its number of logins, and keeps it as [`extend`](Owners::extend) does.
    ///
    /// The login is to create its record under `key`. From the moment that record exists,
    /// [`keys`](Owners::keys) lists it. If the record is never created, the login's number is not
    /// used again.
    ///
    /// # Errors
    /// Returns the errors of [`Backend::create`](super::Backend::create) and of
    /// [`Owner::check_name`].
    async fn begin(&self, owner: &str, until: Expiry, key: &Key) -> Result<Login, Error>;

    /// Returns the owner's generation, and creates the owner's record if it is missing. The record
    /// is kept to `until`, or longer if it was to be kept longer already.
    ///
    /// # Errors
    /// Returns the errors of [`begin`](Owners::begin).
    async fn extend(&self, owner: &str, until: Expiry) -> Result<Generation, Error>;

    /// Gives the owner another generation, and returns it. From then on, all records of the owner
    /// are missing, except those of the login `keep`: these stay live under all their keys, also if
    /// they are written later.
    ///
    /// A login can be kept only if its records are live: a login of an earlier generation that the
    /// last revocation did not keep stays revoked. The owner's record is kept to `until`, as in
    /// [`extend`](Owners::extend).
    ///
    /// # Errors
    /// Returns the errors of [`begin`](Owners::begin).
    async fn revoke(
        &self,
        owner: &str,
        until: Expiry,
        keep: Option<&Login>,
    ) -> Result<Generation, Error>;

    /// Returns the keys of the owner's live records, in no particular order.
    ///
    /// A record under the key that its login [began](Owners::begin) with is listed from the moment
    /// it exists. A backend with a slow index may list other records later. It may also list a key
    /// of a login after the record there has lost its owner.
    ///
    /// # Errors
    /// Returns the errors of [`Backend::load`](super::Backend::load).
    async fn keys(&self, owner: &str) -> Result<Vec<Key>, Error>;
}
