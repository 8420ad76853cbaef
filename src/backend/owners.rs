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

/// One login of an owner: its place in the order of all of them.
///
/// Of two logins of which one began after the other had been answered, the later one has the
/// greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Login {
    /// The owner's generation when the login began.
    pub generation: Generation,
    /// How many logins of the owner had begun by then, this one included. It is counted from 1
    /// as long as the owner's record lives, whatever the generation.
    pub number: u64,
}

/// Whose a record is, and of which login.
#[derive(Clone, PartialEq, Eq)]
pub struct Owner {
    /// The owner's name, such as a user's ID: any text of 1 to
    /// [`LONGEST_NAME`](Owner::LONGEST_NAME) bytes, U+0000 included.
    pub name: String,
    /// The login that the record belongs to.
    pub login: Login,
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

/// Keeps one small record per owner: its generation, the number of its logins, the time until
/// which it is kept, and the login, if any, that the last revocation spared. Names are opaque
/// text, as keys are opaque bytes; [`Owner::check_name`] bounds them.
#[async_trait]
pub trait Owners: Send + Sync {
    /// Returns the owner's generation, or `None` without a record: then all records of the owner
    /// are missing.
    ///
    /// # Errors
    /// As [`Backend::load`](super::Backend::load).
    async fn generation(&self, owner: &str) -> Result<Option<Generation>, Error>;

    /// Begins a login of the owner: makes the owner's record if there is none, adds one to its
    /// number of logins, and keeps it as [`extend`](Owners::extend) does, in one step.
    ///
    /// The login is to create its record under `key`, which [`keys`](Owners::keys) names from
    /// that moment on. A number whose record is never created is not used again.
    ///
    /// # Errors
    /// As [`Backend::create`](super::Backend::create) and [`Owner::check_name`].
    async fn begin(&self, owner: &str, until: Expiry, key: &Key) -> Result<Login, Error>;

    /// Returns the owner's generation, of a record that is made if there is none, and keeps the
    /// record to `until` or, if that is later, as long as it was to be kept anyway.
    ///
    /// # Errors
    /// As [`Backend::create`](super::Backend::create).
    async fn extend(&self, owner: &str, until: Expiry) -> Result<Generation, Error>;

    /// Gives the owner another generation: all records of the owner are missing from now on,
    /// except those of the login `keep`, under whichever keys they are or will be. A login is
    /// kept only if its records live: one of an earlier generation that the last revocation did
    /// not keep stays revoked. The owner's record is kept as in [`extend`](Owners::extend).
    ///
    /// # Errors
    /// As [`begin`](Owners::begin).
    async fn revoke(
        &self,
        owner: &str,
        until: Expiry,
        keep: Option<&Login>,
    ) -> Result<Generation, Error>;

    /// Returns the keys of the owner's live records, in no order. A record that was created
    /// under the key that its login [began](Owners::begin) with is named from that moment on; a
    /// backend with a slow index may name another record later, and may still name a key of a
    /// login whose record has no owner any more.
    ///
    /// # Errors
    /// As [`Backend::load`](super::Backend::load).
    async fn keys(&self, owner: &str) -> Result<Vec<Key>, Error>;
}
