//! [`Owners`]: the records of each owner (the user who is logged in), and revoking all of them at
//! once.

use std::fmt;

use async_trait::async_trait;

use super::{Error, Expiry, Generation, Generations, Key};

/// The name of an owner, such as a user's ID: any text of 1 to [`MAX_LEN`](OwnerName::MAX_LEN)
/// bytes, U+0000 included. Backends do not interpret it.
///
/// The empty name is refused, since all users without an ID would share it. A name may be personal
/// data, such as an e-mail address. Therefore `Debug` hides it.
///
/// ```
/// use silverback::backend::OwnerName;
///
/// let name = OwnerName::new("user-42")?;
/// assert_eq!(name.as_str(), "user-42");
/// let error = OwnerName::new("x".repeat(3_000)).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the owner's name has 3000 bytes; 1 to 512 are required: use the user's ID"
/// );
/// # Ok::<(), silverback::backend::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnerName(Box<str>);

impl OwnerName {
    /// The largest number of bytes in a name. Every server can index names of this length, whatever
    /// their bytes are.
    pub const MAX_LEN: usize = 512;

    /// Creates the name.
    ///
    /// # Errors
    /// Returns a usage error with the length of the name and the bound, for the empty name and for
    /// a name of more than [`MAX_LEN`](OwnerName::MAX_LEN) bytes.
    pub fn new(name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        match name.len() {
            1..=OwnerName::MAX_LEN => Ok(OwnerName(name.into())),
            length => Err(Error::usage(format!(
                "the owner's name has {length} bytes; 1 to {} are required: use the user's ID",
                OwnerName::MAX_LEN
            ))),
        }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for OwnerName {
    type Error = Error;

    fn try_from(name: &str) -> Result<Self, Error> {
        OwnerName::new(name)
    }
}

impl TryFrom<String> for OwnerName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        OwnerName::new(name)
    }
}

impl From<OwnerName> for String {
    fn from(name: OwnerName) -> Self {
        name.0.into()
    }
}

impl AsRef<str> for OwnerName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Hides the name.
impl fmt::Debug for OwnerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerName(..)")
    }
}

/// One login of an owner: its place in the order of the owner's logins.
///
/// If a login began after another one had been answered, it has the greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Login {
    /// The owner's generation when the login began.
    pub generation: Generation,
    /// The number of the owner's logins that had begun by then, this one included. It counts from 1
    /// as long as the owner's record lives, also across generations.
    pub number: u64,
}

impl Login {
    /// Creates the login of that number. For backends of your own.
    #[must_use]
    pub const fn new(generation: Generation, number: u64) -> Self {
        Login { generation, number }
    }
}

/// The owner of a record, and the login that the record belongs to.
#[derive(Clone, PartialEq, Eq)]
pub struct Owner {
    /// The owner's name, such as a user's ID.
    pub name: OwnerName,
    /// The login that the record belongs to.
    pub login: Login,
}

/// Shows that there is an owner, but not the name.
impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owner(..)")
    }
}

/// Keeps one small record for each owner: the generation, the number of logins, the time until
/// which the record is kept, and the login, if any, that the last revocation kept.
#[async_trait]
pub trait Owners: Generations {
    /// Begins a login of the owner, in one step: creates the owner's record if it is missing, adds
    /// one to its number of logins, and keeps it as [`extend`](Generations::extend) does.
    ///
    /// The login is to create its record under `key`. From the moment that record exists,
    /// [`keys`](Owners::keys) lists it. If the record is never created, the login's number is not
    /// used again.
    ///
    /// # Errors
    /// Returns the errors of [`Backend::create`](super::Backend::create).
    async fn begin(&self, owner: &OwnerName, until: Expiry, key: &Key) -> Result<Login, Error>;

    /// Revokes the owner's records as [`revoke`](Generations::revoke) does, except those of the
    /// login `keep`: these stay live under all their keys, also if they are written later.
    ///
    /// A login can be kept only if its records are live: a login of an earlier generation that the
    /// last revocation did not keep stays revoked.
    ///
    /// # Errors
    /// Returns the errors of [`begin`](Owners::begin).
    async fn revoke_except(
        &self,
        owner: &OwnerName,
        until: Expiry,
        keep: &Login,
    ) -> Result<Generation, Error>;

    /// Returns the keys of the owner's live records, in no particular order.
    ///
    /// A record under the key that its login [began](Owners::begin) with is listed from the moment
    /// it exists. A backend with a slow index may list other records later. It may also list a key
    /// of a login after the record there has lost its owner.
    ///
    /// # Errors
    /// Returns the errors of [`Backend::load`](super::Backend::load).
    async fn keys(&self, owner: &OwnerName) -> Result<Vec<Key>, Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_1_to_512_bytes_and_is_not_printed() {
        for text in ["a", "a\0b", "ünï", &"x".repeat(OwnerName::MAX_LEN)] {
            let name = OwnerName::new(text).unwrap();
            assert_eq!((name.as_str(), name.as_ref()), (text, text));
            assert_eq!(String::from(name.clone()), text);
            assert_eq!(OwnerName::try_from(text).unwrap(), name);
            assert_eq!(format!("{name:?}"), "OwnerName(..)");
        }
        for refused in [String::new(), "x".repeat(OwnerName::MAX_LEN + 1)] {
            assert!(OwnerName::try_from(refused).unwrap_err().is_usage());
        }
    }
}
